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

"""The simulated depth camera: a RealSense D415 at 640 x 480 in a floor plan."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sight.appearance import bake
from quiet_nav.simulation.sight.raycast import cast, Intrinsics, View
from quiet_nav.simulation.sight.textures import detail_tile

# RealSense D400 series data sheet (May 2020), tables 3-42 and 4-3: D415 depth at VGA 50 x 40
# degrees (at 2 m, where the stereo overlap takes 1 degree off 51.8), color sensor 69.4 x 42.5
# degrees at 16:9; 640 x 480 keeps the height and crops the sides. Single cameras differ by 3 %.
D415_DEPTH = Intrinsics(640, 480, 659.4, 659.4, 319.5, 239.5)
D415_COLOR = Intrinsics(640, 480, 617.1, 617.1, 319.5, 239.5)
D415_BASELINE_M = 0.055
#: The color sensor sits this far to the left of the depth image's origin, in meters.
D415_COLOR_LEFT_M = 0.015

_DETAIL_M = 0.0015
_NOISE_PIXELS = 1 << 20
#: Over how many pixels (standard deviation) the errors of the stereo match agree.
_BLOCK_PIXELS = 1.2


@dataclass(frozen=True)
class Mount:
    """Where the camera sits on the robot: base_link meters, height above the floor, yaw."""

    #: Ahead of the robot's center, meters.
    x: float = 0.08
    #: To its left, meters.
    y: float = 0.0
    #: Above the floor, meters.
    z: float = 0.30
    #: From straight ahead, radians, counterclockwise.
    yaw: float = 0.0


@dataclass(frozen=True)
class DepthErrors:
    """What is wrong with a depth image."""

    #: Standard deviation of the disparity in pixels, so depth errs by z^2 / (f * baseline) *
    #: subpixel (2 mm at 1 m, 35 mm at 4 m).
    subpixel: float = 0.08
    #: Nearest depth that is measured.
    near_m: float = 0.16
    #: Farthest depth that is measured.
    far_m: float = 10.0
    #: Part of the image lost in patches; occluded pixels are lost anyway.
    blank_share: float = 0.01


class RoomCamera:
    """
    A camera in one room; how the room looks is drawn from ``rng`` once.

    Images come for robot poses. With a generator they have the noise, exposure and holes of a
    camera, without one they are exact; the same generator state gives the same image.
    """

    def __init__(
        self,
        plan: Plan,
        rng: np.random.Generator,
        mount: Mount | None = None,
        errors: DepthErrors | None = None,
        color: Intrinsics = D415_COLOR,
        depth: Intrinsics = D415_DEPTH,
    ) -> None:
        self.plan = plan
        self.mount = mount or Mount()
        self.errors = errors or DepthErrors()
        self.color_intrinsics = color
        self.depth_intrinsics = depth
        if not 0.0 < self.mount.z < plan.height:
            raise QuietNavError(
                f'camera: height {self.mount.z:g} m is not between floor and ceiling '
                f"({plan.height:g} m) of room '{plan.name}'"
            )
        self._atlas = bake(plan, rng)
        self._detail = detail_tile(rng)
        self._noise = rng.standard_normal(_NOISE_PIXELS, dtype=np.float32)
        self._tint = 1.0 + 0.05 * rng.standard_normal(3)
        self._vignette = _vignette(color, rng.uniform(0.0, 0.12))

    def true_depth(self, pose: Pose2D) -> np.ndarray:
        """Return exact depth along the optical axis for a robot pose, float32 meters, (h, w)."""
        return self._cast(pose, 0.0, self.depth_intrinsics).depth

    def depth(self, pose: Pose2D, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return the depth image for a robot pose: uint16 millimeters, (h, w), 0 = no reading."""
        depth = self.true_depth(pose)
        if rng is None:
            return np.round(np.minimum(depth * 1000.0, 65_535.0)).astype(np.uint16)
        camera, errors = self.depth_intrinsics, self.errors
        focal_baseline = camera.fx * D415_BASELINE_M
        disparity = focal_baseline / depth
        lost = _occluded(disparity) | (depth < errors.near_m) | (depth > errors.far_m)
        lost |= self._patches(depth.shape, errors.blank_share, rng)
        noise = self._draw_noise(depth.shape, rng)
        # Stereo matches blocks of pixels: neighbors share most of their error.
        noise = _blur(noise, _BLOCK_PIXELS) * (2.0 * math.sqrt(math.pi) * _BLOCK_PIXELS)
        measured = focal_baseline / np.maximum(disparity + errors.subpixel * noise, 1e-3)
        measured *= 1000.0
        lost |= measured > 65_535.0
        measured[lost] = 0.0
        return np.rint(measured).astype(np.uint16)

    def color(
        self, pose: Pose2D, rng: np.random.Generator | None = None, light: float = 1.0
    ) -> np.ndarray:
        """
        Return the color image for a robot pose: uint8 RGB, shape (h, w, 3).

        light: share of the room's light that is on; the camera brightens what it can (8 times).
        """
        import cv2

        view = self._cast(pose, D415_COLOR_LEFT_M, self.color_intrinsics)
        atlas = self._atlas
        scale = atlas.scale[view.surface]
        x = view.u * scale + atlas.offset[view.surface, 0]
        y = view.v * scale + atlas.offset[view.surface, 1]
        image = cv2.remap(atlas.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image = self._roughen(image, view)
        return self._develop(image, rng, light)

    def _cast(self, pose: Pose2D, left_m: float, camera: Intrinsics) -> View:
        mount = Pose2D(self.mount.x, self.mount.y, self.mount.yaw)
        at = pose.compose(mount).compose(Pose2D(0.0, left_m, 0.0))
        if not self.plan.inside(np.array([at.x, at.y]), self.mount.z):
            raise QuietNavError(
                f'camera: ({at.x:.2f}, {at.y:.2f}) at {self.mount.z:g} m in room '
                f"'{self.plan.name}' is outside or in furniture"
            )
        return cast(self.plan, at, self.mount.z, camera)

    def _roughen(self, image: np.ndarray, view: View) -> np.ndarray:
        """Add the fine structure that shows from near by, where a texel covers many pixels."""
        import cv2

        pixels_m = np.float32(1.0 / _DETAIL_M)
        fine = cv2.remap(
            self._detail,
            view.u * pixels_m % self._detail.shape[1],
            view.v * pixels_m % self._detail.shape[0],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        strength = np.clip(np.float32(0.9) / view.depth, 0.0, 1.0)
        change = (fine.astype(np.float32) - 128.0) * (0.22 * strength)
        return image.astype(np.float32) + change[..., None]

    def _develop(
        self, image: np.ndarray, rng: np.random.Generator | None, light: float
    ) -> np.ndarray:
        """Expose linear light kept with a gamma of 2, add noise and return the picture."""
        import cv2

        image = np.maximum(image, 0.0)
        brightness = float(np.mean(image[::8, ::8]) / 255.0) ** 2 * light
        aim = 0.25 if rng is None else 0.25 * math.exp(0.3 * float(rng.standard_normal()))
        gain = min(aim / max(brightness, 1e-6), 8.0)
        factor = math.sqrt(gain * light)
        tint = np.sqrt(np.maximum(self._tint, 0.5)) * factor
        image = image * (self._vignette[..., None] * tint.astype(np.float32))
        if rng is not None:
            noise = self._draw_noise(image.shape, rng)
            # In a picture with gamma, photon noise is even; gain makes all of it larger.
            image += noise * np.float32(1.2 + 0.9 * math.sqrt(gain))
            if rng.random() < 0.3:
                image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
        return cv2.convertScaleAbs(np.clip(image, 0.0, 255.0))

    def _draw_noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return unit noise: a stretch of the camera's own, begun anywhere, either sign."""
        count = math.prod(shape)
        start = int(rng.integers(0, _NOISE_PIXELS))
        sign = np.float32(rng.choice([-1.0, 1.0]))
        stretch = np.resize(np.roll(self._noise, -start), count)
        return (sign * stretch).reshape(shape)

    def _patches(
        self, shape: tuple[int, int], share: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Return where the matcher found nothing: blobs that cover about ``share``."""
        import cv2

        if share <= 0.0:
            return np.zeros(shape, bool)
        coarse = self._draw_noise((shape[0] // 12, shape[1] // 12), rng)
        field: np.ndarray = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        return field > np.quantile(field[::8, ::8], 1.0 - share)


def _occluded(disparity: np.ndarray) -> np.ndarray:
    """Return which pixels the right imager does not see, behind something or beyond its edge."""
    columns = np.arange(disparity.shape[1], dtype=np.float32)
    in_right = columns - disparity
    nearest = np.minimum.accumulate(in_right[:, ::-1], axis=1)[:, ::-1]
    # A surface seen obliquely is squeezed, not hidden: half a pixel of tolerance.
    hidden = in_right > np.roll(nearest, -1, axis=1) + 0.5
    hidden[:, -1] = False
    return hidden | (in_right < 0.0)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(image, (0, 0), sigma)


def _vignette(camera: Intrinsics, strength: float) -> np.ndarray:
    x = (np.arange(camera.width) - camera.cx) / camera.fx
    y = (np.arange(camera.height) - camera.cy) / camera.fy
    square = x[None] ** 2 + y[:, None] ** 2
    return (1.0 - strength * square / square.max()).astype(np.float32)
