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

"""Reading JSON that others wrote, and writing JSON that is the same for the same content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import MEBIBYTE, read_text
from quiet_nav.files.values import check_values, short

MOST_BYTES = 16 * MEBIBYTE


def read_json(
    path: str | Path, where: str = '', finite: bool = True, most_bytes: int = MOST_BYTES
) -> Any:
    """
    Return what a JSON file holds.

    where: what the file is, for errors. finite: NaN and infinity, which Python writes, are
    refused. Raises QuietNavError naming the file where it cannot be read or is no such JSON.
    """
    where = where or str(path)
    return parse_json(read_text(path, where, most_bytes), where, finite)


def parse_json(text: str, where: str, finite: bool = True) -> Any:
    """Return what JSON text holds; as ``read_json``."""
    try:
        content = json.loads(text, object_pairs_hook=_mapping)
    except RecursionError as error:
        raise QuietNavError(f'{where}: not JSON (nested too deep)') from error
    except ValueError as error:
        raise QuietNavError(f'{where}: not JSON ({error})') from error
    check_values(content, where, finite)
    return content


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key {short(twice)} stands twice')
    return content
