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

"""Names in files that were spelled otherwise: what was written then is read, and gone on with."""

from __future__ import annotations

from typing import Any

_NOW = {
    'centre': 'center',
    'centres': 'centers',
    'colour': 'color',
    'equaliser_db': 'equalizer_db',
    'licence': 'license',
    'metres': 'meters',
    'quantise': 'quantize',
}
_BEFORE = {now: before for before, now in _NOW.items()}


def as_now(content: Any) -> Any:
    """Return what a file holds by the names of now; what has both names keeps both."""
    return _renamed(content, _NOW)


def as_before(content: Any) -> Any:
    """Return it by the names of before, for what is compared with what was written then."""
    return _renamed(content, _BEFORE)


def _renamed(content: Any, names: dict[str, str]) -> Any:
    if isinstance(content, dict):
        return {
            key if names.get(key, key) in content else names[key]: _renamed(value, names)
            for key, value in content.items()
        }
    if isinstance(content, list | tuple):
        return [_renamed(item, names) for item in content]
    return content
