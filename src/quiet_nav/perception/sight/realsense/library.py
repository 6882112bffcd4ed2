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

"""librealsense through pyrealsense2: loaded where it is used, its errors as ours in one line."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get


def library() -> Any:
    """Return pyrealsense2; QuietNavError with the command to run where it cannot be loaded."""
    try:
        import pyrealsense2
    except ModuleNotFoundError as error:
        if error.name != 'pyrealsense2':
            raise
        raise QuietNavError(how_to_get('pyrealsense2')) from error
    except ImportError as error:
        raise QuietNavError(
            f'pyrealsense2 cannot be loaded ({error}): sudo apt install libusb-1.0-0'
        ) from error
    return pyrealsense2


@contextlib.contextmanager
def errors_as(what: str) -> Iterator[None]:
    """Turn what the library raises inside into a QuietNavError that begins with ``what``."""
    try:
        yield
    except RuntimeError as error:
        raise QuietNavError(f'{what}: {" ".join(str(error).split())}') from error
