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

"""The parameters of the wall follower, and the settings that they make."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import TypeVar

from quiet_nav.navigation.algorithms import Algorithm2Settings, AlgorithmSettings
from quiet_nav.navigation.belief import BeliefSettings
from quiet_nav.navigation.life import LifeSettings
from quiet_nav.navigation.limits import SafetyLimits
from quiet_nav.navigation.modality import ModalitySettings
from quiet_nav.navigation.motion_watch import MotionSettings
from quiet_nav.navigation.policies import POLICIES, PolicySettings
from quiet_nav.navigation.step_machine import StepTiming
from quiet_nav.navigation.tracker import TrackerSettings
from quiet_nav.navigation.watch import Watch
from quiet_nav.nodes.files import DATA_FOLDER
from quiet_nav.nodes.parameters import parameter

T = TypeVar('T')


@dataclass(frozen=True)
class WallFollowerParameters:
    """See config/wall_follower.yaml for all of them with their defaults."""

    algorithm: str = parameter('tracker', 'policy of goals that name none', choices=POLICIES)
    rig: str = parameter('pair', 'rig: a name in config/rigs or a YAML file', read_only=True)
    camera_rig: str = parameter(
        '', 'YAML of where the camera is, as a rig; empty: in front', read_only=True
    )
    patience_s: float = parameter(
        ModalitySettings.patience_s,
        'a robot that stands waits so long for a valid image (for sound a window longer) before '
        'it goes on with the other, modality auto and fusion',
        minimum=0.5,
        maximum=30.0,
    )
    regain_s: float = parameter(
        ModalitySettings.regain_s,
        'what failed must have been valid for so long before it is used again',
        minimum=0.5,
        maximum=120.0,
    )
    seed: int = parameter(0, 'seed of policies that draw', minimum=0, maximum=2**31 - 1)
    base_frame: str = parameter(
        'base_link',
        'frame of stamped velocities; odometry is of it, or of base_footprint',
        safety=True,
        at_configure=True,
    )
    odom_frame: str = parameter(
        'odom', 'frame that odometry is in; another is refused', safety=True, at_configure=True
    )
    data_folder: str = parameter('', DATA_FOLDER, read_only=True)
    enable_stamped_cmd_vel: bool = parameter(
        True, 'cmd_vel is TwistStamped; false: Twist', read_only=True
    )
    control_rate_hz: float = parameter(
        20.0, 'rate of cmd_vel while a goal is followed', minimum=10.0, maximum=100.0, safety=True
    )

    allow_other_cmd_vel: bool = parameter(
        False, 'others may publish on cmd_vel, as a multiplexer or joystick node does', safety=True
    )
    stop_without_client: bool = parameter(
        False,
        'a goal whose client is gone ends; where DDS shows it, at once or after its lease',
        safety=True,
    )

    max_linear_mps: float = parameter(0.15, 'fastest drive', minimum=0.02, maximum=0.5, safety=True)
    max_angular_rps: float = parameter(0.8, 'fastest turn', minimum=0.1, maximum=2.0, safety=True)
    max_linear_accel_mps2: float = parameter(
        0.4, 'acceleration', minimum=0.05, maximum=2.0, safety=True
    )
    max_angular_accel_rps2: float = parameter(
        2.0, 'yaw acceleration', minimum=0.1, maximum=8.0, safety=True
    )
    rest_linear_mps: float = parameter(
        0.01, 'odometry at or below this stands', minimum=0.001, maximum=0.05, safety=True
    )
    rest_angular_rps: float = parameter(
        0.03, 'odometry at or below this does not turn', minimum=0.001, maximum=0.2, safety=True
    )
    jump_margin_m: float = parameter(
        0.1,
        'odometry jumps when it goes this much farther than the fastest drive',
        minimum=0.02,
        maximum=1.0,
        safety=True,
    )
    jump_margin_rad: float = parameter(
        0.35, 'the same for its heading', minimum=0.05, maximum=1.5, safety=True
    )

    odometry_timeout_s: float = parameter(
        0.2, 'stop when odometry is silent this long', minimum=0.05, maximum=1.0, safety=True
    )
    sensor_timeout_s: float = parameter(
        2.0,
        'stand still when the newest window ended this long ago',
        minimum=0.5,
        maximum=10.0,
        safety=True,
    )
    beat_timeout_s: float = parameter(
        LifeSettings.beat_timeout_s,
        'stand still when near_wall gives no sign of life for so long',
        minimum=0.1,
        maximum=5.0,
        safety=True,
    )
    reading_ahead_s: float = parameter(
        0.5,
        'a reading stamped farther ahead of the clock is refused',
        minimum=0.05,
        maximum=10.0,
        safety=True,
        at_configure=True,
    )
    motion_delay_s: float = parameter(
        MotionSettings.motion_delay_s,
        'from a command to odometry that shows it',
        minimum=0.0,
        maximum=2.0,
        safety=True,
    )
    motion_margin_m: float = parameter(
        MotionSettings.motion_margin_m,
        'odometry may stay so far behind what is commanded',
        minimum=0.01,
        maximum=1.0,
        safety=True,
    )
    motion_margin_rad: float = parameter(
        MotionSettings.motion_margin_rad,
        'the same for turns',
        minimum=0.05,
        maximum=3.0,
        safety=True,
    )
    motion_share: float = parameter(
        MotionSettings.motion_share,
        'and this share of what is commanded (slip)',
        minimum=0.0,
        maximum=0.9,
        safety=True,
    )
    budget_m: float = parameter(
        StepTiming.budget_m,
        'so much more than a quarter above its length may be commanded for a drive',
        minimum=0.02,
        maximum=1.0,
        safety=True,
    )
    budget_rad: float = parameter(
        StepTiming.budget_rad,
        'the same for turns',
        minimum=0.1,
        maximum=3.0,
        safety=True,
    )
    settle_s: float = parameter(
        0.3,
        'rest before a window may begin, for motors to fade',
        minimum=0.05,
        maximum=5.0,
        safety=True,
    )
    stop_timeout_s: float = parameter(
        3.0, 'limit of coming to rest', minimum=0.5, maximum=30.0, safety=True
    )
    listen_timeout_s: float = parameter(
        8.0, 'limit of one listen; more than a window', minimum=3.5, maximum=60.0, safety=True
    )
    silence_s: float = parameter(
        90.0,
        'a tracker that hears a silent room waits so long before the run ends',
        minimum=3.0,
        maximum=3600.0,
        safety=True,
    )
    turn_timeout_s: float = parameter(
        15.0, 'limit of one turn', minimum=1.0, maximum=60.0, safety=True
    )
    drive_timeout_s: float = parameter(
        15.0, 'limit of one drive', minimum=1.0, maximum=60.0, safety=True
    )
    max_step_m: float = parameter(
        0.6, 'longest drive of one step', minimum=0.05, maximum=2.0, safety=True
    )

    step_length_m: float = parameter(
        AlgorithmSettings.step_length_m,
        'v of Algorithms 1 and 2 and the baselines',
        minimum=0.05,
        maximum=1.0,
    )
    threshold: float = parameter(
        AlgorithmSettings.threshold, 'p of Algorithm 1', minimum=0.0, maximum=1.0
    )
    threshold2: float = parameter(
        Algorithm2Settings.threshold, 'p of Algorithm 2', minimum=0.0, maximum=1.0
    )
    dead_band: float = parameter(
        AlgorithmSettings.dead_band, 'a of Algorithm 1', minimum=0.0, maximum=1.0
    )
    gain_rad: float = parameter(
        AlgorithmSettings.gain_rad,
        'angle per unit of probability, Algorithm 1',
        minimum=0.0,
        maximum=20.0,
    )
    gain2_rad: float = parameter(
        Algorithm2Settings.gain_rad,
        'angle per unit of probability, Algorithm 2',
        minimum=0.0,
        maximum=20.0,
    )
    max_turn_rad: float = parameter(
        AlgorithmSettings.max_turn_rad,
        'cap of one turn of Algorithm 1',
        minimum=0.0,
        maximum=math.pi,
    )
    max_turn2_rad: float = parameter(
        Algorithm2Settings.max_turn_rad,
        'cap of one turn of Algorithm 2',
        minimum=0.0,
        maximum=math.pi,
    )
    ahead2: float = parameter(
        Algorithm2Settings.ahead,
        'Algorithm 2 turns away from a wall ahead of at least this P, where it sees the front; '
        '1.0: never, as in the paper',
        minimum=0.01,
        maximum=1.0,
    )
    ahead_turn2_rad: float = parameter(
        Algorithm2Settings.ahead_turn_rad, 'by this angle', minimum=0.05, maximum=math.pi
    )

    wall_distance_m: float = parameter(
        TrackerSettings.wall_distance_m,
        'distance of the robot that the tracker keeps',
        minimum=0.3,
        maximum=1.2,
    )
    tracker_step_m: float = parameter(
        TrackerSettings.step_length_m,
        'longest drive of one step of the tracker',
        minimum=0.05,
        maximum=0.6,
    )
    robot_radius_m: float = parameter(
        TrackerSettings.radius_m, 'radius of the robot', minimum=0.05, maximum=0.5, safety=True
    )
    particles: int = parameter(
        BeliefSettings.particles, 'particles of the tracker', minimum=100, maximum=20000
    )

    def limits(self) -> SafetyLimits:
        return _pick(SafetyLimits, self)

    def watch(self) -> Watch:
        """Return a watch with these limits and times."""
        return Watch(
            self.limits(),
            self.odometry_timeout_s,
            self.sensor_timeout_s,
            _pick(MotionSettings, self),
            _pick(LifeSettings, self),
        )

    def modality(self) -> ModalitySettings:
        return _pick(ModalitySettings, self)

    def timing(self) -> StepTiming:
        return _pick(StepTiming, self)

    def policies(self) -> PolicySettings:
        return PolicySettings(
            _pick(AlgorithmSettings, self),
            Algorithm2Settings(
                threshold=self.threshold2,
                gain_rad=self.gain2_rad,
                max_turn_rad=self.max_turn2_rad,
                step_length_m=self.step_length_m,
                ahead=self.ahead2,
                ahead_turn_rad=self.ahead_turn2_rad,
            ),
            TrackerSettings(
                wall_distance_m=self.wall_distance_m,
                step_length_m=self.tracker_step_m,
                radius_m=self.robot_radius_m,
            ),
            BeliefSettings(particles=self.particles),
        )

    def __post_init__(self) -> None:
        self.limits(), self.timing(), self.policies(), self.modality(), self.watch()


def _pick(cls: type[T], parameters: WallFollowerParameters) -> T:
    """Return ``cls`` from the parameters that have its fields' names."""
    names = cls.__dataclass_fields__.keys() & vars(parameters).keys()
    return cls(**{name: getattr(parameters, name) for name in names})
