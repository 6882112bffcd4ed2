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

"""What a kind of policy is, and where all of them are found: a module here with a ``KIND`` each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
import importlib
import math
import pkgutil
from typing import Any, TypeVar

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
import quiet_nav.navigation.policies as package
from quiet_nav.navigation.policy import Policy
from quiet_nav.perception.rig import CAMERA_RIG, Rig

Settings = TypeVar('Settings')


@dataclass(frozen=True)
class Knob:
    """
    Something that users may set of policies: what it means, with its unit.

    scale: what a field of settings holds is the user's number times this.
    """

    what: str
    scale: float = 1.0


#: By one name, whatever the settings of a policy call it.
KNOBS = {
    'threshold': Knob('p, 0 to 1'),
    'dead_band': Knob('alpha, 0 to 1'),
    'gain': Knob('turn in rad per unit of probability; of the tracker heading in rad per meter'),
    'max_turn': Knob('cap of one turn in degrees', math.pi / 180.0),
    'step': Knob('v, meters driven between two listens at most'),
    'ahead': Knob('P of a wall ahead that is turned away from; 1: never'),
}


class PolicySettings:
    """Settings of policies by their class; what was not given has its class's defaults."""

    def __init__(self, *given: object) -> None:
        self._given = {type(settings): settings for settings in given}

    def of(self, kind: type[Settings]) -> Settings:
        """Return the settings of a class."""
        found = self._given.get(kind)
        return found if isinstance(found, kind) else kind()

    def but(self, *changed: object) -> PolicySettings:
        """Return these with others in their place."""
        return PolicySettings(*self._given.values(), *changed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PolicySettings) and self._given == other._given

    def __hash__(self) -> int:
        return hash(frozenset(self._given.values()))

    def __repr__(self) -> str:
        return f'PolicySettings({", ".join(map(repr, self._given.values()))})'


@dataclass(frozen=True)
class PolicyRequest:
    """What a policy is made for."""

    #: Of policies that draw.
    rng: np.random.Generator
    #: The ears.
    rig: Rig
    #: LEFT or RIGHT, the side to keep the wall on; None where the policy is to find it.
    side: Side | None = None
    #: Of the policies that have some.
    settings: PolicySettings = field(default_factory=PolicySettings)
    #: The camera, for what is seen.
    camera: Rig = CAMERA_RIG
    #: What it will hear is what a network of random weights says.
    random_weights: bool = False


@dataclass(frozen=True)
class PolicyKind:
    """
    A policy by the name that users write in goals, parameters and commands.

    what: one line for users. make: returns a new policy, with nothing remembered. settings: the
    class of its settings. knobs: which of its fields each of ``KNOBS`` sets. random_weights: it is
    to hear a network of random weights instead of a detector, where there is one.
    """

    name: str
    what: str
    make: Callable[[PolicyRequest], Policy]
    settings: type[Any]
    knobs: Mapping[str, str] = field(default_factory=dict)
    random_weights: bool = False

    def tuned(self, settings: PolicySettings, values: Mapping[str, float]) -> PolicySettings:
        """Return settings with the knobs that this policy has set to values, in users' units."""
        fields = {
            self.knobs[name]: value * KNOBS[name].scale
            for name, value in values.items()
            if name in self.knobs
        }
        return settings.but(replace(settings.of(self.settings), **fields)) if fields else settings


def policy_kinds() -> dict[str, PolicyKind]:
    """Return every kind of policy by its name: each module of this package that has a ``KIND``."""
    kinds = {}
    for module in pkgutil.iter_modules(package.__path__):
        kind = getattr(importlib.import_module(f'{package.__name__}.{module.name}'), 'KIND', None)
        if kind is not None:
            kinds[kind.name] = kind
    return kinds


def find_policy(name: str) -> PolicyKind:
    """Return the kind of policy of a name; QuietNavError with the known ones for another."""
    kinds = policy_kinds()
    if name not in kinds:
        raise QuietNavError(f'no policy {name!r}; policies: {", ".join(kinds)}')
    return kinds[name]


def make_policy(
    name: str,
    rng: np.random.Generator,
    rig: Rig,
    side: Side | None = None,
    settings: PolicySettings | None = None,
    camera: Rig = CAMERA_RIG,
) -> Policy:
    """
    Return a new policy, with nothing remembered; see ``PolicyRequest``.

    Algorithm 1 and the baselines have no notion of a side.
    Raises QuietNavError for an unknown name or a side that is not LEFT or RIGHT.
    """
    kind = find_policy(name)
    if side not in (None, Side.LEFT, Side.RIGHT):
        raise QuietNavError(f'side to follow is {side.name}; expected LEFT or RIGHT')
    return kind.make(PolicyRequest(rng, rig, side, settings or PolicySettings(), camera))
