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

"""Whether an image may be used as a reading, and the reason where it may not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.sound.validity import stale_fault

#: Images are judged on blocks of pixels, about so many across: noise averages out in them.
_BLOCKS_ACROSS = 160
#: Pixels across and down of the middle of the image in which noise is measured.
_NOISE_PATCH = 160


@dataclass(frozen=True)
class ImageLimits:
    """What an image must keep to; gray values of 0 to 255."""

    #: From the exposure to now; also how far its stamp may lie in the future.
    max_age_s: float = 1.0
    #: A mean below this is no picture of a room.
    dark: float = 12.0
    #: Most of the pixels that may be at the top of the range.
    bright_share: float = 0.6
    #: Standard deviation over blocks, noise taken off, as a share of the mean, below which there is
    #: nothing to see: a plain wall that is lit and near keeps above it by its light alone
    #: (simulated ones have 0.03 and more).
    covered: float = 0.015
    #: Fine structure over coarse, below which an image is out of focus or smeared ...
    sharpness: float = 0.08
    #: ... if it has at least this contrast, without which nothing can be told.
    sharp_contrast: float = 12.0
    #: So many images in a row without any change are one image sent again (a sensor's noise changes
    #: every one); 0: never.
    frozen_frames: int = 5


@dataclass(frozen=True)
class Appearance:
    """
    What the limits are held against; gray values of 0 to 255.

    brightness: mean. bright_share: of pixels of 250 and more in all colors. structure: standard
    deviation over blocks without noise. sharpness: Laplacian over structure, without noise.
    noise: standard deviation of the pixels' noise.
    """

    brightness: float
    bright_share: float
    structure: float
    sharpness: float
    noise: float


def image_fault(
    pixels: np.ndarray,
    limits: ImageLimits | None = None,
    stamp_ns: int = 0,
    now_ns: int | None = None,
) -> str:
    """
    Return why an image must not be used, or '' where it may; the first reason found counts.

    pixels: uint8 RGB, shape (h, w, 3). Looked at in this order: size and type, age (only with
    ``now_ns``), too dark, over-exposed, covered, blurred. Whether a stream stands still takes more
    than one image: ``FrozenWatch``.
    """
    limits = limits or ImageLimits()
    shape = shape_fault(pixels)
    if shape:
        return shape
    if now_ns is not None:
        stale = stale_fault(stamp_ns, now_ns, limits.max_age_s, 'image')
        if stale:
            return stale
    return appearance_fault(measure(pixels), limits)


def shape_fault(pixels: np.ndarray) -> str:
    """Return the reason where an array is no RGB image that anything can be seen in."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        return f'no RGB image: shape {pixels.shape} of {pixels.dtype}, expected (h, w, 3) of uint8'
    if min(pixels.shape[:2]) == 0:
        return f'zero-sized: {pixels.shape[1]} x {pixels.shape[0]} pixels'
    if min(pixels.shape[:2]) < 16:
        return f'{pixels.shape[1]} x {pixels.shape[0]} pixels, too few to see anything'
    return ''


def appearance_fault(seen: Appearance, limits: ImageLimits) -> str:
    """Return the reason where an image is dark, over-exposed, covered or blurred."""
    if seen.brightness < limits.dark:
        return (
            f'too dark: mean {seen.brightness:.0f} of 255, at least {limits.dark:.0f} needed; '
            'are the lights off, or is the lens covered?'
        )
    if seen.bright_share > limits.bright_share:
        return f'over-exposed: {100 * seen.bright_share:.0f} % of the pixels are white'
    if seen.structure < limits.covered * seen.brightness:
        share = 100.0 * seen.structure / seen.brightness
        return (
            f'covered: one even color (it varies by {share:.1f} %, at least '
            f'{100 * limits.covered:.1f} % needed); is something on the lens?'
        )
    if seen.structure >= limits.sharp_contrast and seen.sharpness < limits.sharpness:
        return (
            f'blurred: sharpness {seen.sharpness:.3f}, at least {limits.sharpness:.3f} needed; '
            'is the lens dirty or the camera moving?'
        )
    return ''


def measure(pixels: np.ndarray) -> Appearance:
    """Return what an image, uint8 RGB (h, w, 3), looks like as a whole."""
    green = pixels[..., 1]
    size = max(1, round(pixels.shape[1] / _BLOCKS_ACROSS))
    blocks = _blocks(green, size)
    noise = _noise(green)
    # A block's mean has the noise of one pixel over the root of their number.
    left = noise**2 / size**2
    structure = np.sqrt(max(float(blocks.var()) - left, 0.0))
    fine = np.sqrt(max(float(_laplacian(blocks).var()) - 20.0 * left, 0.0))
    sampled = pixels[::2, ::2]
    return Appearance(
        brightness=float(sampled.mean()),
        bright_share=float(np.mean(sampled.min(axis=2) >= 250)),
        structure=float(structure),
        sharpness=float(fine / structure) if structure > 0.0 else 0.0,
        noise=noise,
    )


class FrozenWatch:
    """
    Notices a camera that sends the same image again and again.

    Live images differ by their noise even where nothing moves; identical ones come from a driver
    or a stream that stands still. A simulated camera without noise needs ``frozen_frames`` 0.
    """

    def __init__(self, limits: ImageLimits | None = None) -> None:
        self.limits = limits or ImageLimits()
        self._last: np.ndarray | None = None
        self._stamp_ns = -1
        self._same = 0

    def fault(self, pixels: np.ndarray, stamp_ns: int) -> str:
        """
        Return the reason where this and the images before it do not differ; '' otherwise.

        An image that is shown twice (the same stamp) counts once.
        """
        if stamp_ns != self._stamp_ns or self._last is None:
            same = self._last is not None and np.array_equal(self._last, pixels)
            self._same = self._same + 1 if same else 0
            self._last, self._stamp_ns = np.array(pixels), stamp_ns
        frames = self.limits.frozen_frames
        if not frames or self._same + 1 < frames:
            return ''
        return f'frozen: the last {self._same + 1} images are the same to the last bit'


def _blocks(gray: np.ndarray, size: int) -> np.ndarray:
    """Mean of blocks of size x size pixels, float32; what does not fill a block is left out."""
    h, w = gray.shape[0] // size, gray.shape[1] // size
    cut = gray[: h * size, : w * size].reshape(h, size, w, size)
    return cut.sum(axis=(1, 3), dtype=np.uint32).astype(np.float32) / size**2


def _laplacian(gray: np.ndarray) -> np.ndarray:
    inner = gray[1:-1, 1:-1]
    return 4.0 * inner - gray[:-2, 1:-1] - gray[2:, 1:-1] - gray[1:-1, :-2] - gray[1:-1, 2:]


def _noise(gray: np.ndarray) -> float:
    """
    Return standard deviation of noise: median of a difference that slopes and edges leave at zero.

    Source: J. Immerkaer, "Fast Noise Variance Estimation", 1996; the median for its mean, so that
    texture in a part of the picture does not count.
    """
    h, w = gray.shape
    top, left = max(0, (h - _NOISE_PATCH) // 2), max(0, (w - _NOISE_PATCH) // 2)
    g = gray[top : top + _NOISE_PATCH, left : left + _NOISE_PATCH].astype(np.float32)
    rows = g[:-2] - 2.0 * g[1:-1] + g[2:]
    both = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    return float(np.median(np.abs(both))) / (0.6745 * 6.0)
