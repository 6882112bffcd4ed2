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

"""Reading images that others made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
import warnings

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import open_regular

if TYPE_CHECKING:
    from PIL import Image

#: A camera of 40 megapixels; twice as much takes a gigabyte on the way to an array.
MOST_PIXELS = 40_000_000
#: Pillow would also start other programs for some of the forms that it knows.
_FORMS = ('PNG', 'JPEG', 'BMP', 'WEBP', 'TIFF')


def read_rgb(path: str | Path) -> np.ndarray:
    """
    Return an image file as uint8 RGB, shape (h, w, 3).

    Raises QuietNavError where the file cannot be read, is cut short, is no image or too large.
    """
    return np.array(_decoded(path, lambda image: image.convert('RGB')))


def read_depth(path: str | Path) -> np.ndarray:
    """
    Return a depth image as it stands in the file, shape (h, w), uint8 or uint16.

    Errors as for ``read_rgb``, and for images in color.
    """
    image = np.array(_decoded(path, lambda image: image))
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16, np.int32):
        raise QuietNavError(f'{path}: no depth image: expected one channel of 16 bits')
    if image.dtype == np.int32:
        # How some versions of Pillow give 16 bits.
        if image.min() < 0 or image.max() > 65535:
            raise QuietNavError(f'{path}: no depth image: values beyond 16 bits')
        image = image.astype(np.uint16)
    return image


def _decoded(path: str | Path, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    with open_regular(path) as file, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            with Image.open(file, formats=_FORMS) as image:
                if image.size[0] * image.size[1] > MOST_PIXELS:
                    raise Image.DecompressionBombError
                image.load()
                return convert(image)
        except Image.DecompressionBombError as error:
            most = MOST_PIXELS // 1_000_000
            raise QuietNavError(
                f'{path}: the image is too large, expected {most} megapixels at most'
            ) from error
        except UnidentifiedImageError as error:
            raise QuietNavError(
                f'{path}: no readable image (none of {", ".join(_FORMS)})'
            ) from error
        except Exception as error:
            # Pillow raises whatever its decoders do: SyntaxError, struct.error, zlib.error, ...
            first = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
            raise QuietNavError(f'{path}: no readable image ({first})') from error
