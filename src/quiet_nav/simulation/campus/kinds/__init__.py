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

"""The kinds of campus: a module each, found by its ``KIND``."""

from __future__ import annotations

from functools import cache
import importlib
import pkgutil

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.campus.kinds.kind import CampusKind


@cache
def kinds() -> dict[str, CampusKind]:
    """Return every kind of campus by its name."""
    modules = (
        importlib.import_module(f'{__name__}.{info.name}')
        for info in pkgutil.iter_modules(__path__)
    )
    with_kind = [module.KIND for module in modules if hasattr(module, 'KIND')]
    return {kind.NAME: kind for kind in with_kind}


def get_kind(name: str) -> CampusKind:
    """Return a kind by name; QuietNavError names those there are."""
    if name not in kinds():
        raise QuietNavError(f'kind {name!r} is none of {", ".join(kinds())}')
    return kinds()[name]
