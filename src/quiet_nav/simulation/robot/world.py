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

"""A robot with ears and a camera in a floor plan, advanced through time in fixed steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.robot.drive import RobotSettings, RobotState, SimulatedRobot
from quiet_nav.simulation.robot.ears import StreamingEars
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sight.camera import Mount, RoomCamera
from quiet_nav.simulation.sight.camera_faults import color_image
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.scenes import Scene
from quiet_nav.sound.windows import SAMPLE_RATE

TICK_NS = 20_000_000
#: Ticks in a chunk of audio: 0.1 s.
CHUNK_TICKS = 5
_TICK_SAMPLES = SAMPLE_RATE * TICK_NS // 1_000_000_000


@dataclass(frozen=True)
class Chunk:
    """Sound of every channel: float32, shape (channels, samples), and the time of the first."""

    samples: np.ndarray
    start_ns: int


class SimulatedWorld:
    """
    Time, robot, sound and pictures of one room; ``time_ns`` counts from 0.

    Sound depends on scene, poses and time alone, whether or not somebody listened before.
    Pictures, slip and drift are drawn from ``seed``.
    """

    def __init__(
        self,
        plan: Plan,
        scene: Scene,
        rig: Rig,
        pose: Pose2D,
        seed: int,
        *,
        settings: RobotSettings | None = None,
        mount: Mount | None = None,
        hearing: Hearing | None = None,
    ) -> None:
        """hearing: of the scene where it is not by image sources alone."""
        self.plan = plan
        self.rig = rig
        self.time_ns = 0
        streams = np.random.SeedSequence(seed).spawn(3)
        self._robot_seed, self._room_seed, self._image_seed = streams
        self.robot = SimulatedRobot(plan, pose, np.random.default_rng(self._robot_seed), settings)
        self._ears = StreamingEars(hearing or Hearing(scene), rig)
        self._mount = mount or Mount()
        self._camera: RoomCamera | None = None
        self._active: list[bool] = []
        self._was_active = False
        self._image_rng = np.random.default_rng(self._image_seed)

    @property
    def mount(self) -> Mount:
        return self._mount

    @property
    def camera(self) -> RoomCamera:
        """Return the camera; the room's looks are drawn when it is first asked for."""
        if self._camera is None:
            looks = np.random.default_rng(self._room_seed)
            self._camera = RoomCamera(self.plan, looks, self._mount)
        return self._camera

    def tick(self) -> RobotState:
        """Advance by TICK_NS and return the robot's state."""
        self.time_ns += TICK_NS
        state = self.robot.step(TICK_NS * 1e-9)
        self._active.append(not state.at_rest)
        return state

    @property
    def chunk_due(self) -> bool:
        """Whether enough ticks have passed for the next chunk of sound."""
        return len(self._active) >= CHUNK_TICKS

    def listen(self) -> Chunk:
        """Return what the ears heard since the last chunk, motor noise included."""
        ticks = len(self._active)
        motor = self._motor()
        pose = self.robot.state.pose
        heard = self._ears.read(pose, len(motor), moving=any(self._active), motor=motor)
        self._next_chunk()
        return Chunk(heard, self.time_ns - ticks * TICK_NS)

    def pass_over(self) -> None:
        """Drop the sound since the last chunk, where nobody listens."""
        motor = self._motor()
        self._ears.skip(len(motor), motor)
        self._next_chunk()

    def color_image(self, light: float = 1.0, wrong: str = 'none') -> np.ndarray | None:
        """
        Return the color image now: uint8 RGB, (h, w, 3). light: share of it that is on.

        wrong: what is with the camera, as ``camera_faults.color_image`` has it.
        """
        pose = self.robot.state.pose
        return color_image(self.camera, pose, self._image_rng, wrong, light)

    def depth_image(self) -> np.ndarray:
        """Return the depth image now: uint16 millimeters, (h, w), 0 = no reading."""
        return self.camera.depth(self.robot.state.pose, self._image_rng)

    def _motor(self) -> np.ndarray:
        """Whether the robot drove, 0 to 1, at each sample since the last chunk."""
        ticks = len(self._active)
        # A motor takes a tick to start and to stop, so that neither clicks.
        known = np.array([self._was_active, *self._active], np.float32)
        at = np.arange(ticks * _TICK_SAMPLES) / _TICK_SAMPLES
        return np.interp(at, np.arange(ticks + 1), known)

    def _next_chunk(self) -> None:
        self._was_active = bool(self._active and self._active[-1])
        self._active = []
