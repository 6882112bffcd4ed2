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

"""The near_wall node over real DDS: readings, bad models and sound, turns, what it keeps."""

import math
import re
import signal

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.nodes.audio_input import AUDIO_QOS, INFO_QOS
from quiet_nav.nodes.conversions import pose_to_msg
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.standing_sound import StandingSound
from quiet_nav.sound.pcm import encode_pcm

pytestmark = pytest.mark.realtime

RATE = 16_000
S = 1_000_000_000


class Robot:
    """What the node hears and says: audio, odometry, near_wall, diagnostics, its lifecycle."""

    def __init__(self, ros):
        self.ros, self.node = ros, ros.node('robot')
        self.messages, self.statuses = [], []
        deep = QoSProfile(depth=1000)
        self.node.create_subscription(NearWall, 'near_wall', self.messages.append, deep)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 100)
        self._audio = self.node.create_publisher(AudioDataStamped, 'audio/audio_stamped', AUDIO_QOS)
        self._info = self.node.create_publisher(AudioInfo, 'audio/audio_info', INFO_QOS)
        self._odom = self.node.create_publisher(Odometry, 'odom', 10)

    def _on_status(self, message):
        self.statuses += [s for s in message.status if s.name.startswith('near_wall')]

    def says(self, word):
        return any(word in s.message for s in self.statuses)

    def values(self):
        return {item.key: item.value for item in self.statuses[-1].values}

    def matched(self, odometry=False):
        publishers = [self._audio, self._info, *([self._odom] if odometry else [])]
        found = self.ros.spin_until(lambda: all(p.get_subscription_count() for p in publishers), 60)
        # The node's side of the match may come a little later; what is sent before is lost.
        self.ros.spin_for(0.5)
        return found

    def heard(self, seconds=4.0, more_than=0):
        """Play until there are more valid readings; best-effort sound may be lost on its way."""
        for _ in range(3):
            self.play(seconds)
            if self.ros.spin_until(lambda: len(self.valid()) > more_than, 10):
                return True
        return False

    def call(self, kind, service, request):
        client = self.node.create_client(kind, service)
        assert self.ros.spin_until(client.service_is_ready, 60)
        return self.ros.result_of(client.call_async(request), 60)

    def change(self, transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, 'near_wall/change_state', request).success

    def state(self):
        return self.call(GetState, 'near_wall/get_state', GetState.Request()).current_state.id

    def play(
        self,
        seconds=4.0,
        channels=2,
        ago_s=0.0,
        pose_at=None,
        scale=0.02,
        spoil=None,
        pace_s=0.004,
        odometry_hz=20,
        odometry_ahead_s=0.0,
    ):
        """
        Publish sound that ends ``ago_s`` before now, odometry in step; return its start.

        pace_s: between two messages of 0.1 s; 0.1 is real time. odometry_ahead_s: of its stamps.
        """
        self._info.publish(
            AudioInfo(channels=channels, sample_rate=RATE, sample_format='F32LE',
                      bitrate=0, coding_format='wave')
        )  # fmt: skip
        rng = np.random.default_rng(3)
        frames = scale * rng.standard_normal((round(seconds * RATE), channels))
        if spoil is not None:
            spoil(frames)
        start = now_ns(self.node) - round((seconds + ago_s) * S)
        for i in range(0, len(frames), 1600):
            at = start + i * S // RATE
            if pose_at is not None:
                for k in range(2):
                    if (i // 800 + k) % (20 // odometry_hz):
                        continue
                    odometry = Odometry()
                    ahead = round(odometry_ahead_s * S)
                    odometry.header.stamp = ns_to_stamp(at + k * S // 20 + ahead)
                    odometry.pose.pose = pose_to_msg(pose_at(i / RATE + k / 20))
                    self._odom.publish(odometry)
            message = AudioDataStamped()
            message.header.stamp = ns_to_stamp(at)
            message.audio.data.frombytes(encode_pcm(frames[i : i + 1600], 'F32LE'))
            self._audio.publish(message)
            self.ros.spin_for(pace_s)
        return start

    def valid(self):
        return [m for m in self.messages if m.valid]


@pytest.fixture
def robot(ros):
    return Robot(ros)


@pytest.fixture
def start(node_process, context_model):
    """Start the node; sound is published faster than real time, so its age is not judged."""

    def start(**parameters):
        known = {'model': context_model, 'max_age_s': 60.0, 'threads': 1}
        return node_process('near_wall', {**known, **parameters})

    return start


def test_both_sides_are_read_twice_a_second_with_their_times(robot, start):
    start(frame_id='ears')
    assert robot.matched()
    begun = robot.play(5.0)
    assert robot.ros.spin_until(lambda: len(robot.valid()) >= 8, 30)
    sides = [m.side for m in robot.valid()]
    assert sides[::2] == [int(Side.LEFT)] * len(sides[::2]) and sides[1] == int(Side.RIGHT)
    for m in robot.valid():
        end, first = stamp_to_ns(m.header.stamp), stamp_to_ns(m.window_start)
        assert first >= begun - S // 1000 and end - first == pytest.approx(3 * S, abs=100_000)
        assert min(end % (S // 2), -end % (S // 2)) < 100_000
        assert m.header.frame_id == 'ears' and m.clips == 20 and m.reason == ''
        assert 0.0 <= m.probability <= 1.0 and m.context & NearWall.CONTEXT_OTHER_EARS
        assert sum(m.distance_probabilities) == pytest.approx(1.0, abs=1e-5)
    # Diagnostics come once a second: the first may be of a decision before the window was full.
    assert robot.ros.spin_until(lambda: 'other_ears' in robot.values().get('context', ''), 10)
    values = robot.values()
    assert values['rig'] == 'pair' and values['drops'] == '0' and 'reference places' in values
    assert float(values['latency s']) < 5.0 and values['robot'] == 'no odometry'


def nan(frames):
    frames[-8000] = np.nan


def loud(frames):
    frames *= 1000.0
    np.clip(frames, -1.0, 1.0, out=frames)


@pytest.mark.parametrize(
    'case, reason',
    [
        ({'spoil': nan}, 'not finite'),
        ({'spoil': loud}, 'clipped'),
        ({'scale': 0.0}, 'silent'),
        ({'channels': 1}, 'rig pair needs 2 channels, the audio has 1'),
    ],
)
def test_bad_sound_gives_a_reason_and_no_number(robot, start, case, reason):
    start()
    assert robot.matched()
    # In real time, so that the fault lasts longer than diagnostics, once a second, are apart.
    robot.play(5.6, ago_s=-5.5, pace_s=0.1, **case)
    assert robot.ros.spin_until(lambda: any(reason in m.reason for m in robot.messages), 30)
    last = [m for m in robot.messages if reason in m.reason][-1]
    assert not last.valid and math.isnan(last.probability) and not last.distance_probabilities
    assert robot.ros.spin_until(lambda: robot.says(reason), 10)


def test_no_sound_and_stale_sound_are_said_again_and_again(robot, start):
    start(max_age_s=1.0)
    assert robot.ros.spin_until(lambda: len(robot.messages) >= 4, 60)
    assert {m.reason for m in robot.messages} == {'no audio received yet'}
    assert not robot.valid() and all(math.isnan(m.probability) for m in robot.messages)
    assert robot.matched()
    begun = robot.play(4.0, ago_s=10.0)

    def ends_with_the_sound():
        return abs(stamp_to_ns(robot.messages[-1].header.stamp) - begun - 4 * S) < S // 100

    assert robot.ros.spin_until(ends_with_the_sound, 30)
    assert robot.messages[-1].reason.startswith('stale') and not robot.valid()
    assert robot.ros.spin_until(lambda: robot.says('no sound for'), 10)


@pytest.mark.parametrize(
    ('hz', 'ahead_s', 'said'),
    [
        (20, -900.0, ' s behind the sound'),
        (20, 900.0, ' s ahead of the sound'),
        (2, 0.0, '2.0 Hz, at least 4 Hz needed'),
    ],
)
def test_odometry_of_another_clock_or_too_slow_is_a_warning_with_numbers(
    robot, start, hz, ahead_s, said
):
    start()
    assert robot.matched(odometry=True)

    def warned():
        return [s for s in robot.statuses if said in s.message and s.level == DiagnosticStatus.WARN]

    # In real time: sound that has ended is an error, and goes before.
    for _ in range(3):
        robot.play(
            6.0, ago_s=-6.0, pace_s=0.1, pose_at=lambda _: Pose2D(0.0, 0.0, 0.0),
            odometry_hz=hz, odometry_ahead_s=ahead_s,
        )  # fmt: skip
        if warned():
            break
    assert warned(), [(s.level, s.message) for s in robot.statuses]
    assert re.search(r'odometry .*\d', warned()[-1].message)


def test_turning_ear_uses_the_other_heading_when_there_is_odometry(robot, start):
    def turning(t):
        return Pose2D(yaw=math.pi / 2 - math.pi * min(max(t - 3.6, 0.0), 1.0))

    start(rig='single')
    assert robot.matched(odometry=True)
    begun = robot.play(9.0, channels=1, pose_at=turning)
    heard = NearWall.CONTEXT_OTHER_EARS
    assert robot.ros.spin_until(
        lambda: sum(bool(m.context & heard) for m in robot.valid()) >= 2, 30
    )
    with_other = [m for m in robot.valid() if m.context & heard]
    ends = [(stamp_to_ns(m.header.stamp) - begun) / S for m in with_other]
    # First what was heard before the turn, better read; then the newest window.
    assert ends[0] < 3.7 and ends[1] > 7.5
    assert {m.side for m in robot.messages} == {int(Side.FRONT)}
    assert robot.ros.spin_until(lambda: robot.values().get('robot') == 'still', 10)


@pytest.mark.parametrize('kind', ['missing', 'empty', 'corrupt'])
def test_bad_model_is_refused_and_the_node_lives_to_get_a_good_one(
    robot, start, tmp_path, context_model, kind
):
    path = tmp_path / 'bad.onnx'
    if kind != 'missing':
        path.write_bytes(b'' if kind == 'empty' else context_model.read_bytes()[:5000])
    node = start(model=path)
    assert robot.ros.spin_until(lambda: robot.says(str(path)), 60)
    assert robot.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert str(path) in node.log and 'Traceback' not in node.log
    assert node.process.poll() is None
    if kind == 'missing':
        path.write_bytes(context_model.read_bytes())
        assert robot.change(Transition.TRANSITION_CONFIGURE)
        assert robot.change(Transition.TRANSITION_ACTIVATE)
        assert robot.matched()
        robot.play()
        assert robot.ros.spin_until(robot.valid, 30)


@pytest.mark.parametrize(
    'name, value, said',
    [
        ('rig', 'quartet', "no rig 'quartet'"),
        ('reference_file', '{model}', 'not a reference saved by quiet_nav'),
        ('reference_file', '/etc/passwd', 'lies outside'),
        ('reference_file', '../elsewhere.json', 'lies outside'),
    ],
)
def test_wrong_parameters_fail_to_configure_with_the_reason(
    robot, start, context_model, name, value, said
):
    folder = context_model.parent
    node = start(**{name: value.format(model=context_model), 'data_folder': folder})
    assert robot.ros.spin_until(lambda: robot.says(said), 60)
    assert robot.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert said in node.log and 'Traceback' not in node.log


@pytest.mark.parametrize('name, value', [('rate_hz', 0.0), ('clips', 0), ('context', 'much')])
def test_values_out_of_range_end_the_start_with_2(start, name, value):
    node = start(**{name: value})
    assert node.process.wait(60) == 2
    assert f'parameter {name}' in node.log.lower() or name in node.log


def test_what_was_read_at_configure_is_refused_by_the_service_until_cleanup(robot, start):
    start()
    assert robot.matched()

    def set_(name, value):
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        return robot.call(SetParameters, 'near_wall/set_parameters', request).results[0]

    for name, value in (('rig', 'trio'), ('rate_hz', 4.0), ('max_age_s', 2.0)):
        answer = set_(name, value)
        assert not answer.successful
        assert f'parameter {name}: read when the node is configured' in answer.reason
    answer = set_('data_folder', '/elsewhere')
    assert not answer.successful and 'data_folder is read when the node starts' in answer.reason
    assert robot.change(Transition.TRANSITION_DEACTIVATE)
    assert not set_('rig', 'trio').successful
    assert robot.change(Transition.TRANSITION_CLEANUP)
    assert set_('rig', 'trio').successful
    assert robot.change(Transition.TRANSITION_CONFIGURE)
    assert not set_('rig', 'pair').successful


def test_every_parameter_is_described_with_its_range(robot, start):
    start(autostart=False)
    client = AsyncParameterClient(robot.node, 'near_wall')
    assert robot.ros.spin_until(client.services_are_ready, 60)
    names = robot.ros.result_of(client.list_parameters([], 10)).result.names
    own = [n for n in names if not n.startswith(('qos_overrides', 'use_sim', 'start_type'))]
    found = robot.ros.result_of(client.describe_parameters(own)).descriptors
    assert {'model', 'rig', 'rate_hz', 'clips', 'threads', 'seed', 'context'} <= set(own)
    assert all(d.description for d in found)
    ranged = {d.name for d in found if d.floating_point_range or d.integer_range}
    assert {'rate_hz', 'clips', 'threads', 'max_age_s', 'silence_dbfs', 'place_m'} <= ranged
    assert robot.state() == State.PRIMARY_STATE_UNCONFIGURED


def test_reference_is_saved_on_deactivate_and_taken_up_again(robot, start, tmp_path):
    kept = tmp_path / 'room.json'
    node = start(reference_file='room.json', data_folder=tmp_path)
    assert robot.matched()
    assert robot.heard()
    assert robot.change(Transition.TRANSITION_DEACTIVATE)
    first = kept.read_text()
    assert '"here": [' in first
    count = len(robot.messages)
    robot.ros.spin_for(1.2)
    assert len(robot.messages) == count
    assert robot.change(Transition.TRANSITION_ACTIVATE)
    assert robot.matched()
    count = len(robot.valid())
    assert robot.heard(more_than=count)
    kept.unlink()
    assert node.stop(signal.SIGTERM) == 0
    assert '"here": [' in kept.read_text()


def test_interrupt_ends_the_node_cleanly(robot, start):
    node = start()
    assert robot.matched()
    robot.play(3.6)
    assert robot.ros.spin_until(robot.valid, 30)
    assert node.stop(signal.SIGINT) == 0
    assert 'Traceback' not in node.log


def test_own_sound_is_calibrated_on_request_kept_and_named_in_every_reading(robot, start, tmp_path):
    def turning(time_s):
        # Every 7 s another heading: longer than a window, so that each is heard standing.
        return Pose2D(0.0, 0.0, 0.7 * (time_s // 7.0))

    start(
        model='interference',
        own_sound='turtlebot4',
        fingerprint_file='own.json',
        data_folder=str(tmp_path),
    )
    assert robot.matched(odometry=True)
    answer = robot.call(Trigger, 'near_wall/calibrate', Trigger.Request())
    assert answer.success and 'turn the robot' in answer.message
    kept = tmp_path / 'own.json'
    for _ in range(3):
        robot.play(63.0, pose_at=turning)
        if robot.ros.spin_until(kept.exists, 10):
            break
    assert robot.ros.spin_until(lambda: robot.says('ok') or bool(robot.statuses), 10)
    again = StandingSound.of(find_rig('pair'), 'turtlebot4', kept)
    assert again.known and again.fingerprint.calibrated
    before = len(robot.messages)
    assert robot.heard(4.0, len(robot.valid()))
    assert {m.hears_by for m in robot.messages[before:] if m.valid} == {'own sound'}
    assert robot.ros.spin_until(lambda: robot.values().get('fingerprint') == 'calibrated', 10), (
        robot.values()
    )
