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


"""Sensors of a trial that fail by component and kind, as those of the simulated robot do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import SafetyLimits, Twist2D
from quiet_nav.navigation.modality import Mode
from quiet_nav.navigation.watch import Fault, Watch
from quiet_nav.perception.rolling import twins_fault
from quiet_nav.simulation.robot.drive import RobotState
from quiet_nav.simulation.robot.failures import (
    FailingLine,
    Failure,
    Failures,
    FalseWay,
    KINDS,
    Motion,
    spoiled_ears,
    spoiled_sound,
    spoiled_twist,
)
from quiet_nav.sound.pcm import encode_pcm, PcmFormat
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import checked
from quiet_nav.sound.windows import SAMPLE_RATE, Window

#: Silence of odometry and of readings after which a follower stops, as by its defaults (s).
_ODOMETRY_S, _SENSOR_S = 0.2, 2.0
_CHUNK_S = 0.1
_CHUNK = round(_CHUNK_S * SAMPLE_RATE)
#: Which components a trial by each mode senses with.
_SENSES = {
    Mode.AUDIO: ('odom', 'twist', 'audio', 'ear'),
    Mode.VISION: ('odom', 'twist', 'camera'),
}
_BOTH = ('odom', 'twist', 'audio', 'ear', 'camera')
#: Messages name frames, values do not.
_NO_TRIAL = ('misframed',)
#: Where nothing else is asked a sensor fails when the trial has begun well.
USUAL_S = 60.0


def failure_of_trial(text: str, mode: Mode, channels: int) -> Failure:
    """
    Return the failure that a text names, of a trial by a mode with so many ears.

    Raises QuietNavError for what no trial of the mode has.
    """
    failure = Failure.parse(text)
    senses = _SENSES.get(mode, _BOTH)
    if failure.base not in senses or failure.kind in _NO_TRIAL:
        raise QuietNavError(
            f'failure {text!r}: a trial by {mode.name.lower()} has no such sensor or kind; '
            f'sensors: {", ".join(senses)}; kinds: all but {", ".join(_NO_TRIAL)}'
        )
    if failure.base == 'ear' and failure.channel >= channels:
        raise QuietNavError(f'failure {text!r}: the rig has {channels} channels, from ear0')
    return failure


def failures_of_mode(mode: Mode, at_s: float = USUAL_S) -> list[str]:
    """Return every failure of the sensors that a mode drives by, from a time on; of ears, ear0."""
    return [
        f'{"ear0" if component == "ear" else component}:{kind}@{at_s:g}'
        for component in _SENSES.get(mode, _BOTH)
        for kind in KINDS[component]
        if kind not in _NO_TRIAL
    ]


class FailingOdometry:
    """What a robot's odometry says while it fails, watched as the follower watches it."""

    def __init__(self, failures: Failures) -> None:
        way = FalseWay()
        self._failures = failures
        self._poses = FailingLine[Motion](
            'odom', lambda motion, failure: Motion(way(motion.pose, failure), motion.twist)
        )
        self._twists = FailingLine[Twist2D]('twist', spoiled_twist)
        self._watch = Watch(SafetyLimits(), _ODOMETRY_S, _SENSOR_S)
        self._last = Motion(Pose2D(), Twist2D(0.0, 0.0))

    def take(self, state: RobotState, now_ns: int) -> tuple[Pose2D, Twist2D, Fault | None]:
        """Return pose and twist as they are known now, and why the robot must stop."""
        time_s = now_ns * 1e-9
        twist = Twist2D(state.linear_mps, state.angular_rps)
        twists = self._twists.through(self._failures, time_s, now_ns, twist)
        said = twists[-1].value if twists else Twist2D(0.0, 0.0)
        motion = Motion(state.odometry, said)
        for item in self._poses.through(self._failures, time_s, now_ns, motion):
            pose, speeds = item.value.pose, item.value.twist
            self._watch.odometry(now_ns, pose, speeds)
            if all(map(math.isfinite, (pose.x, pose.y, pose.yaw, *vars(speeds).values()))):
                self._last = item.value
        return self._last.pose, self._last.twist, self._watch.fault(now_ns)

    def commanded(self, now_ns: int, command: Twist2D) -> None:
        """Take the velocity that is commanded."""
        self._watch.commanded(now_ns, command)


class FailingSound:
    """Makes windows of what ears heard while they, or the way of their sound, fail."""

    def __init__(self, failures: Failures, seed: Sequence[int]) -> None:
        self._failures = failures
        self._rng = np.random.default_rng([*seed, 3])

    def longer_s(self, time_s: float) -> float:
        """Return how much more sound, before the window, is needed: what is late is older."""
        failure = self._failures.now('audio', time_s)
        late = failure is not None and failure.kind == 'delayed'
        return min(failure.amount, time_s) if late and failure is not None else 0.0

    def windows(self, samples: np.ndarray, start_ns: int) -> list[Window]:
        """Return the newest window of every channel at the end of sound (channels, n)."""
        line = FailingLine[np.ndarray]('audio', spoiled_sound(self._rng))
        stream = AudioStream(PcmFormat('S16LE', len(samples), SAMPLE_RATE))
        end_ns = start_ns + samples.shape[1] * 1_000_000_000 // SAMPLE_RATE
        for begin in range(0, samples.shape[1], _CHUNK):
            stamp_ns = start_ns + begin * 1_000_000_000 // SAMPLE_RATE
            time_s = stamp_ns * 1e-9 + _CHUNK_S
            ears = self._failures.ears(time_s)
            heard = spoiled_ears(samples[:, begin : begin + _CHUNK], ears, time_s, self._rng)
            for item in line.through(self._failures, time_s, stamp_ns, heard):
                stream.push_bytes(encode_pcm(item.value.T, 'S16LE'), item.stamp_ns)
        found = tuple(stream.latest(channel) for channel in range(len(samples)))
        twins = twins_fault(found)
        if twins:
            return [replace(window, valid=False, reason=twins) for window in found]
        return [checked(window, now_ns=end_ns) for window in found]
