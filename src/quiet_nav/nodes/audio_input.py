# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The subscriber of every node that listens: audio_common's topics in, an AudioStream out."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.base import log_of
from quiet_nav.nodes.diagnostics import Level, Status
from quiet_nav.nodes.logs import Severity
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.nodes.surroundings import Surroundings
from quiet_nav.perception.messages import checked_ns
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.timeline import Break, StampTolerance

AUDIO_TOPIC = 'audio/audio'
STAMPED_TOPIC = 'audio/audio_stamped'
INFO_TOPIC = 'audio/audio_info'
#: As audio_capture publishes.
AUDIO_QOS = QoSProfile(depth=10)
INFO_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
#: Older ones (audio_common 0.3) say it once to those who are there.
_VOLATILE_INFO_QOS = QoSProfile(depth=1)
_VOLATILE_ADVICE = (
    'its publisher does not keep it for those who come later (durability VOLATILE, as that of '
    'audio_capture before 0.4): start it after this node, or update it'
)
#: A node that is busy for a moment must not lose sound: what waits for it is kept.
_INPUT_QOS = QoSProfile(history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE)
_CHECK_S = 1.0
_STALE_S = 1.0
_ADVICE = (
    'quiet_nav needs audio_common_msgs of github.com/ros-drivers/audio_common '
    '(AudioDataStamped with header and audio.data, AudioInfo)'
)


def audio_messages() -> ModuleType:
    """
    Return audio_common_msgs.msg.

    Raises QuietNavError where it is missing or of another project under the same name
    (mgonzs13/audio_common).
    """
    try:
        import audio_common_msgs.msg as messages
    except ImportError as error:
        raise QuietNavError(f'audio_common_msgs is not installed: {_ADVICE}') from error
    missing = [n for n in ('AudioDataStamped', 'AudioInfo') if not hasattr(messages, n)]
    if missing or 'data' not in messages.AudioData.get_fields_and_field_types():
        raise QuietNavError(
            'the audio_common_msgs installed is another project of the same name '
            f'(mgonzs13/audio_common?): {_ADVICE}'
        )
    return messages


def foreign_fault(topic: str, found: str, expected: str, same_definition: bool) -> str:
    """
    Return why a publisher of type ``found`` on a topic cannot be read, or ''.

    found, expected: type names like 'audio_common_msgs/msg/AudioDataStamped'. same_definition:
    False where types of the same name are known to have other fields.
    """
    if found != expected:
        return f'{topic} is published as {found}, expected {expected}: {_ADVICE}'
    if not same_definition:
        return (
            f'{topic} is published as a {found} with other fields '
            f'(mgonzs13/audio_common has the same names): {_ADVICE}'
        )
    return ''


class AudioInput:
    """
    Subscribes to audio_stamped and audio_info and keeps the sound as an AudioStream.

    ``on_sound`` is called after each chunk that was taken, ``on_break`` after a gap or the like.
    Bad input is logged once and held in ``fault``; nothing raises. Restarted publishers and new
    formats are picked up. A lifecycle node makes one on activate and destroys it on deactivate.
    """

    def __init__(
        self,
        node: Node,
        on_sound: Callable[[AudioStream], None] | None = None,
        *,
        on_break: Callable[[Break], None] | None = None,
        buffer_s: float = 30.0,
        tolerance: StampTolerance | None = None,
        callback_group: CallbackGroup | None = None,
    ) -> None:
        self._node, self._log = node, log_of(node)
        self._on_sound = on_sound
        self._on_break = on_break
        self._receiver = AudioReceiver(buffer_s, tolerance)
        messages, group = audio_messages(), {'callback_group': callback_group}
        # What does not fit one of the two is heard by the other: no warning is due.
        silent = SubscriptionEventCallbacks(incompatible_qos=lambda _: None)
        self._subscriptions = (
            node.create_subscription(
                messages.AudioInfo,
                INFO_TOPIC,
                self._take_info,
                INFO_QOS,
                event_callbacks=silent,
                **group,
            ),
            node.create_subscription(
                messages.AudioInfo, INFO_TOPIC, self._take_info, _VOLATILE_INFO_QOS, **group
            ),
            node.create_subscription(
                messages.AudioDataStamped, STAMPED_TOPIC, self._take_audio, _INPUT_QOS, **group
            ),
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_CHECK_S, self._check_publishers, clock=steady, **group)

    def destroy(self) -> None:
        """End the subscriptions; the sound heard so far stays readable."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_timer(self._timer)

    @property
    def stream(self) -> AudioStream | None:
        """Return the sound, None while there is a fault; a new object when the format changes."""
        return self._receiver.stream

    @property
    def fault(self) -> str:
        """Why there is no sound, or ''."""
        fault, receiver = self._receiver.fault, self._receiver
        if not (receiver.lacks_info and receiver.stream is None):
            return fault
        infos = self._node.get_publishers_info_by_topic(self._subscriptions[0].topic_name)
        volatile = any(i.qos_profile.durability == DurabilityPolicy.VOLATILE for i in infos)
        return f'{fault} {_VOLATILE_ADVICE}' if volatile else fault

    @property
    def age_s(self) -> float:
        """Seconds from the end of the newest sound to now on the node's clock; inf without any."""
        stream = self.stream
        if stream is None or not stream.has_sound:
            return float('inf')
        return (now_ns(self._node) - stream.end_ns) / 1e9

    def status(self) -> Status:
        """Return what there is to say of the audio in a node's diagnostics."""
        stream, topic = self.stream, self._subscriptions[-1].topic_name
        publishers = self._node.count_publishers(topic)
        values: dict[str, object] = {'publishers': publishers, 'chunks': self._receiver.chunks}
        if stream is None:
            return Status(Level.ERROR, self.fault, values)
        values |= {'format': stream.format, 'age_s': self.age_s, 'breaks': stream.break_count}
        if stream.last_break is not None:
            values['last_break'] = stream.last_break
        if publishers > 1:
            names = ', '.join(e.node for e in Surroundings(self._node).publishers(topic))
            return Status(Level.WARN, f'{publishers} publishers of {topic}: {names}', values)
        if self.age_s > _STALE_S:
            return Status(Level.ERROR, f'no sound for {self.age_s:.1f} s', values)
        return Status(Level.OK, 'audio is heard', values)

    def _take_info(self, message: Any) -> None:
        self._receiver.on_info(
            message.channels, message.sample_rate, message.sample_format, message.coding_format
        )
        self._tell()

    def _take_audio(self, message: Any) -> None:
        try:
            stamp_ns = checked_ns(message.header.stamp, STAMPED_TOPIC)
        except QuietNavError as error:
            self._log.warn(f'sound refused: {error}', cause='stamp of sound')
            return
        found = self._receiver.on_audio(memoryview(message.audio.data), stamp_ns)
        self._tell()
        if found is not None and self._on_break is not None:
            self._on_break(found)
        if self.stream is not None and self._on_sound is not None:
            self._on_sound(self.stream)

    def _check_publishers(self) -> None:
        found = ''
        for subscription in self._subscriptions:
            topic = subscription.topic_name
            (own, *_) = [
                info
                for info in self._node.get_subscriptions_info_by_topic(topic)
                if info.node_name == self._node.get_name()
                and info.node_namespace == self._node.get_namespace()
            ] or [None]
            if own is None:
                continue
            for other in self._node.get_publishers_info_by_topic(topic):
                hashes = {str(other.topic_type_hash), str(own.topic_type_hash)}
                same = len(hashes - {'INVALID'}) < 2
                found = found or foreign_fault(topic, other.topic_type, own.topic_type, same)
        self._receiver.on_foreign(found)
        self._tell()

    def _tell(self) -> None:
        for event in self._receiver.take_events():
            severity = Severity.ERROR if event.error else Severity.WARN
            self._log.say(severity, event.text, cause=event.cause)
