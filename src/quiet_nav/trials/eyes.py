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

"""What gives a trial its view: an idealized camera, or a detector that looks at drawn images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import functools
from typing import Protocol, TYPE_CHECKING

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import CAMERA_RIG
from quiet_nav.perception.sight.image_validity import FrozenWatch
from quiet_nav.simulation.robot.failures import FailingLine, Failures, spoiled_image, Stamped
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sight.camera import Mount, RoomCamera
from quiet_nav.simulation.sight.camera_faults import CameraFault, color_image
from quiet_nav.trials.ears import IdealEars

if TYPE_CHECKING:
    from quiet_nav.perception.sight.image_detector import ImageDetector

#: A node reads so many images a second.
_IMAGE_NS = 500_000_000
#: Cameras that need no image.
EYES = ('ideal',)


class Eyes(Protocol):
    """Readings of a robot that stands: what trials need of a camera."""

    def look(self, pose: Pose2D, stop: ListenStop, time_ns: int) -> list[NearWallReading]:
        """
        Return what an image at a true pose says; nothing where no image comes.

        Sides are in the axes of the step's beginning (``stop`` is how far it has turned since).
        """


def make_eyes(
    detector: str,
    plan: Plan,
    rng: np.random.Generator,
    fault: CameraFault | None = None,
    failures: Failures | None = None,
) -> Eyes:
    """
    Return the camera that ``detector`` names: 'ideal' or an ONNX file.

    failures: what fails of a camera that sees images.

    Raises QuietNavError as the detector's ``load`` does.
    """
    fault = fault or CameraFault()
    if detector in EYES:
        return IdealEyes(plan, rng, fault)
    return SeeingEyes(plan, rng, fault, _detector(detector), failures)


class IdealEyes(IdealEars):
    """An idealized camera: logit 24 per meter from 0.5 m on, unit noise, no memory."""

    slope_per_m = 24.0

    def __init__(self, plan: Plan, rng: np.random.Generator, fault: CameraFault) -> None:
        super().__init__(plan, CAMERA_RIG, rng)
        self._fault = fault

    def look(self, pose: Pose2D, stop: ListenStop, time_ns: int) -> list[NearWallReading]:
        wrong = self._fault.now(time_ns * 1e-9)
        if wrong == 'killed':
            return []
        readings = self.listen(pose, stop, time_ns)
        if wrong != 'none':
            return [
                NearWallReading.invalid(r.side, time_ns, time_ns, wrong, Modality.VISION)
                for r in readings
            ]
        return [replace(r, end_ns=time_ns, modality=Modality.VISION) for r in readings]


class SeeingEyes:
    """A camera in a room whose looks are drawn from ``rng``, read by a detector."""

    def __init__(
        self,
        plan: Plan,
        rng: np.random.Generator,
        fault: CameraFault,
        detector: ImageDetector,
        failures: Failures | None = None,
    ) -> None:
        (eye,) = CAMERA_RIG.ears
        self._side = eye.side
        self._camera = RoomCamera(plan, rng, Mount(eye.x, eye.y, eye.z))
        self._rng, self._fault, self._detector = rng, fault, detector
        self._failures = failures
        self._line = FailingLine[np.ndarray]('camera', spoiled_image(np.random.default_rng(0)))
        self._frozen = FrozenWatch(detector.limits)
        self._looked_ns = 0

    def look(self, pose: Pose2D, stop: ListenStop, time_ns: int) -> list[NearWallReading]:
        from quiet_nav.perception.sight.image_detector import LookedImage

        pixels = color_image(self._camera, pose, self._rng, self._fault.now(time_ns * 1e-9))
        side = stop.side_of(self._side)
        if self._failures is not None:
            return [
                reading
                for image in self._come(self._failures, pixels, time_ns)
                for reading in self._detector.read(
                    [LookedImage(image.value, side, image.stamp_ns, self._stands(image))], time_ns
                )
            ]
        if pixels is None:
            return []
        return self._detector.read([LookedImage(pixels, side, time_ns)])

    def _come(
        self, failures: Failures, pixels: np.ndarray | None, time_ns: int
    ) -> list[Stamped[np.ndarray]]:
        """Return the images that come now; one that is stuck came all the time since."""
        found = self._line.through(failures, time_ns * 1e-9, time_ns, pixels)
        failure = failures.now('camera', time_ns * 1e-9)
        if failure is not None and failure.kind == 'stuck' and found:
            for stamp_ns in range(self._looked_ns + _IMAGE_NS, time_ns, _IMAGE_NS):
                self._frozen.fault(found[-1].value, stamp_ns)
        self._looked_ns = time_ns
        return found

    def _stands(self, image: Stamped[np.ndarray]) -> str:
        return self._frozen.fault(image.value, image.stamp_ns)


@functools.lru_cache(maxsize=4)
def _detector(path: str) -> ImageDetector:
    """One detector a process and file; trials run in parallel, so one thread each."""
    from quiet_nav.perception.sight.image_detector import ImageDetector

    return ImageDetector.load(path, threads=1)


def fault_of_trial(
    kind: str, seed: Sequence[int], latest_s: float, away_s: float = 60.0
) -> CameraFault:
    """Return a fault at a time drawn from ``seed``, 0 to ``latest_s``; 'back' lasts ``away_s``."""
    at_s = float(np.random.default_rng([*seed, 1]).uniform(0.0, latest_s))
    return CameraFault(kind, at_s, at_s + away_s if kind == 'back' else np.inf)
