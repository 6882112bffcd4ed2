"""What gives a trial its view: an idealised camera, or a detector that looks at drawn images."""

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
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sight.camera import Mount, RoomCamera
from quiet_nav.simulation.sight.camera_faults import CameraFault, color_image
from quiet_nav.trials.ears import IdealEars

if TYPE_CHECKING:
    from quiet_nav.perception.sight.image_detector import ImageDetector

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
    detector: str, plan: Plan, rng: np.random.Generator, fault: CameraFault | None = None
) -> Eyes:
    """
    Return the camera that ``detector`` names: 'ideal' or an ONNX file.

    Raises QuietNavError as the detector's ``load`` does.
    """
    fault = fault or CameraFault()
    if detector in EYES:
        return IdealEyes(plan, rng, fault)
    return SeeingEyes(plan, rng, fault, _detector(detector))


class IdealEyes(IdealEars):
    """An idealised camera: logit 24 per metre from 0.5 m on, unit noise, no memory."""

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
        self, plan: Plan, rng: np.random.Generator, fault: CameraFault, detector: ImageDetector
    ) -> None:
        (eye,) = CAMERA_RIG.ears
        self._side = eye.side
        self._camera = RoomCamera(plan, rng, Mount(eye.x, eye.y, eye.z))
        self._rng, self._fault, self._detector = rng, fault, detector

    def look(self, pose: Pose2D, stop: ListenStop, time_ns: int) -> list[NearWallReading]:
        from quiet_nav.perception.sight.image_detector import LookedImage

        pixels = color_image(self._camera, pose, self._rng, self._fault.now(time_ns * 1e-9))
        if pixels is None:
            return []
        return self._detector.read([LookedImage(pixels, stop.side_of(self._side), time_ns)])


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
