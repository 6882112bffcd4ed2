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

"""Failures by component and kind: which make sense, and what becomes of a component's values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
import math
import re
from typing import Generic, TypeVar

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.navigation.limits import Twist2D

T = TypeVar('T')

#: What can happen to a component: PX4's kinds, and three of what carries stamps and frames.
_ALL_KINDS = (
    'off', 'stuck', 'garbage', 'wrong', 'slow', 'delayed', 'intermittent',
    'repeated', 'old', 'misframed',
)  # fmt: skip
#: What can fail; ear stands for ear0, ear1, ...
COMPONENTS = (
    'odom', 'twist', 'tf', 'clock', 'audio', 'audio_info', 'ear', 'camera', 'depth', 'bump',
    'cmd_vel',
)  # fmt: skip
_STAMPLESS = 'it has no stamp of its own: that is stuck, or nothing'
_FRAMELESS = 'it names no frame'
_ONCE = 'it is said once and kept by DDS: later than the first time nobody waits for it'
#: The cells of the table of components and kinds that make no sense, and why.
NO_SENSE: dict[tuple[str, str], str] = {
    **dict.fromkeys(
        (
            (component, kind)
            for component in ('twist', 'clock', 'audio_info', 'ear', 'bump', 'cmd_vel')
            for kind in ('repeated', 'old')
        ),
        _STAMPLESS,
    ),
    **dict.fromkeys(
        (
            (component, 'misframed')
            for component in ('twist', 'clock', 'audio', 'audio_info', 'ear', 'bump', 'cmd_vel')
        ),
        _FRAMELESS,
    ),
    ('tf', 'misframed'): 'a transform of other frames is another one, and this one off',
    **dict.fromkeys(
        (('audio_info', kind) for kind in ('stuck', 'slow', 'delayed', 'intermittent')), _ONCE
    ),
    ('ear', 'slow'): 'a channel comes with all the others',
    ('ear', 'delayed'): 'a channel comes with all the others',
    ('bump', 'slow'): 'it is said when it changes',
    ('bump', 'garbage'): 'either value can be right',
}
#: What each kind's amount is, and its default; kinds without one take none.
_AMOUNTS = {'slow': 5.0, 'delayed': 1.0, 'intermittent': 1.0, 'old': 10.0}
#: The amount of wrong: of odom, twist, tf, cmd_vel and depth a factor, of clock seconds, of an
#: ear decibels, of audio_info the factor of its rate.
_WRONG = {
    'odom': -1.0,
    'twist': -1.0,
    'tf': -1.0,
    'cmd_vel': -1.0,
    'depth': 2.0,
    'clock': -20.0,
    'ear': -20.0,
    'audio_info': 2.0,
}
#: Which kinds make sense of which component.
KINDS: dict[str, tuple[str, ...]] = {
    component: tuple(kind for kind in _ALL_KINDS if (component, kind) not in NO_SENSE)
    for component in COMPONENTS
}
_FORM = re.compile(
    r'(?P<component>[a-z_]+)(?P<ear>\d?):(?P<kind>[a-z]+)(?:=(?P<amount>-?[\d.]+))?'
    r'(?:@(?P<at>[\d.]+)(?:-(?P<until>[\d.]+))?)?'
)
EXPECTED = 'COMPONENT:KIND[=AMOUNT][@SECONDS[-SECONDS]], as odom:stuck@30 or ear0:wrong=-6@10-40'
_LONGEST_S = 1e6


@dataclass(frozen=True)
class Failure:
    """
    One failure of a component, from a time on (s) until another.

    component: a key of KINDS, an ear with its channel (ear0). at_s None: from when it is set.
    off: nothing comes. stuck: the same value with new stamps. garbage: what cannot be right (not
    finite, noise). wrong: what can be, but is not. slow: one value in ``amount``. delayed: by
    ``amount`` seconds. intermittent: half of each ``amount`` seconds nothing comes. repeated: the
    same message, stamp and all. old: stamped so many seconds ago. misframed: of another frame.
    wrong by component: odom counts ``amount`` of the way (-1: backwards; 0: the pose stands),
    twist, tf and cmd_vel are multiplied by it, depth too; the clock is set by so many seconds; an
    ear is so many dB louder; audio_info says another rate; all channels of audio are one; camera
    images are upside down; bump says the opposite.
    Raises QuietNavError for what makes no sense.
    """

    component: str
    kind: str
    amount: float = math.nan
    at_s: float | None = None
    until_s: float = math.inf

    def __post_init__(self) -> None:
        kinds = KINDS.get(self.base)
        if kinds is None or self.component == 'ear':
            known = ', '.join(name if name != 'ear' else 'ear0, ear1 ...' for name in KINDS)
            raise QuietNavError(f'no component {self.component!r} that fails; there are: {known}')
        if self.kind not in kinds:
            why = NO_SENSE.get((self.base, self.kind))
            raise QuietNavError(
                f'{self.component} cannot be {self.kind!r}{f" ({why})" if why else ""}; '
                f'it can be: {", ".join(kinds)}'
            )
        default = _WRONG.get(self.base) if self.kind == 'wrong' else _AMOUNTS.get(self.kind)
        if default is None and not math.isnan(self.amount):
            raise QuietNavError(f'{self.component}:{self.kind} takes no amount')
        if default is not None and math.isnan(self.amount):
            object.__setattr__(self, 'amount', default)
        low = {'slow': 1.0, 'delayed': 0.0, 'intermittent': 0.1, 'old': 0.0}.get(
            self.kind, -_LONGEST_S
        )
        if default is not None and not low <= self.amount <= _LONGEST_S:
            raise QuietNavError(
                f'{self.component}:{self.kind}: amount {self.amount:g}; expected {low:g} or more'
            )
        if self.at_s is not None and not 0.0 <= self.at_s < self.until_s:
            raise QuietNavError(
                f'{self.component}:{self.kind} from {self.at_s:g} s until {self.until_s:g} s; '
                'expected an end after its begin'
            )

    @classmethod
    def parse(cls, text: str) -> Failure:
        """Return the failure that a text names; QuietNavError where it names none."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise QuietNavError(f'failure {text!r}; expected {EXPECTED}')
        try:
            amount, at, until = (
                None if found[name] is None else float(found[name])
                for name in ('amount', 'at', 'until')
            )
        except ValueError as error:
            raise QuietNavError(f'failure {text!r}; expected {EXPECTED}') from error
        return cls(
            found['component'] + found['ear'],
            found['kind'],
            math.nan if amount is None else amount,
            at,
            math.inf if until is None else until,
        )

    @property
    def base(self) -> str:
        """The component without an ear's channel."""
        return 'ear' if re.fullmatch(r'ear\d', self.component) else self.component

    @property
    def channel(self) -> int:
        """The channel of an ear."""
        return int(self.component[-1])

    def active(self, time_s: float) -> bool:
        """Return whether it holds at a time (s, simulation's)."""
        return (self.at_s or 0.0) <= time_s < self.until_s

    def silent(self, time_s: float) -> bool:
        """Return whether nothing comes at a time at which it holds."""
        if self.kind == 'intermittent':
            return (time_s - (self.at_s or 0.0)) % self.amount < 0.5 * self.amount
        return self.kind == 'off'


class Failures:
    """All failures that were set, and when; the first that holds of a component counts."""

    def __init__(self, failures: Iterable[Failure] = (), set_s: float = 0.0) -> None:
        self._failures = tuple(
            replace(failure, at_s=set_s) if failure.at_s is None else failure
            for failure in failures
        )

    def now(self, component: str, time_s: float) -> Failure | None:
        """Return what is wrong with a component at a time, None where it is well."""
        for failure in self._failures:
            if failure.component == component and failure.active(time_s):
                return failure
        return None

    def frame(self, component: str, time_s: float, right: str, wrong: str) -> str:
        """Return the frame that a component's messages name: another one where it is misframed."""
        failure = self.now(component, time_s)
        return wrong if failure is not None and failure.kind == 'misframed' else right

    def ears(self, time_s: float) -> list[Failure]:
        """Return the failures of ears that hold at a time."""
        return [f for f in self._failures if f.base == 'ear' and f.active(time_s)]


@dataclass(frozen=True)
class Stamped(Generic[T]):
    """A value and the time that it is stamped with (ns)."""

    stamp_ns: int
    value: T


class FailingLine(Generic[T]):
    """
    The way of one component's values from where they arise to who reads them.

    spoil: makes garbage or wrong values of right ones. Where nothing fails, values pass at once.
    """

    def __init__(self, component: str, spoil: Callable[[T, Failure], T]) -> None:
        self.component = component
        self._spoil = spoil
        self._waiting: deque[tuple[float, Stamped[T]]] = deque()
        self._last: Stamped[T] | None = None
        self._count = 0

    def through(
        self, failures: Failures, time_s: float, stamp_ns: int, value: T | None
    ) -> list[Stamped[T]]:
        """
        Return what comes out at a time (s) where ``value`` goes in; None for nothing new.

        To be called at least as often as values shall come out.
        """
        failure = failures.now(self.component, time_s)
        if failure is not None and failure.kind in ('stuck', 'repeated'):
            if self._last is None and value is not None:
                self._last = Stamped(stamp_ns, value)
            if self._last is None:
                return []
            return [
                self._last if failure.kind == 'repeated' else replace(self._last, stamp_ns=stamp_ns)
            ]
        passes = value is not None
        if failure is not None and value is not None:
            if failure.kind == 'slow':
                self._count += 1
                passes = self._count % round(failure.amount) == 0
            elif failure.silent(time_s):
                passes = False
            elif failure.kind in ('garbage', 'wrong'):
                value = self._spoil(value, failure)
            elif failure.kind == 'old':
                stamp_ns = max(stamp_ns - round(failure.amount * 1e9), 0)
        if passes and value is not None:
            delay_s = failure.amount if failure is not None and failure.kind == 'delayed' else 0.0
            self._waiting.append((time_s + delay_s, Stamped(stamp_ns, value)))
        out = []
        while self._waiting and (failure is None or self._waiting[0][0] <= time_s):
            out.append(self._waiting.popleft()[1])
        if out:
            self._last = out[-1]
        return out


@dataclass(frozen=True)
class Motion:
    """What odometry says: pose and twist."""

    pose: Pose2D
    twist: Twist2D


class FalseWay:
    """Spoils poses: counts a share of the way and of the turns since it began to fail."""

    def __init__(self) -> None:
        self._true: Pose2D | None = None
        self._said = Pose2D()
        self._failure: Failure | None = None

    def __call__(self, pose: Pose2D, failure: Failure) -> Pose2D:
        if failure.kind == 'garbage':
            return Pose2D(math.nan, math.nan, math.nan)
        if self._failure is not failure or self._true is None:
            self._failure, self._said = failure, pose
        else:
            step = pose.relative_to(self._true)
            share = failure.amount
            turn = wrap_angle(step.yaw) * share
            self._said = self._said.compose(Pose2D(step.x * share, step.y * share, turn))
        self._true = pose
        return self._said


def spoiled_twist(twist: Twist2D, failure: Failure) -> Twist2D:
    """Return a velocity that is not finite, or multiplied."""
    if failure.kind == 'garbage':
        return Twist2D(math.nan, math.nan)
    return Twist2D(twist.linear_mps * failure.amount, twist.angular_rps * failure.amount)


def spoiled_time(rng: np.random.Generator) -> Callable[[int, Failure], int]:
    """Return what spoils times (ns): garbage lies anywhere within an hour, never below 0."""

    def spoil(time_ns: int, failure: Failure) -> int:
        off_s = failure.amount if failure.kind == 'wrong' else float(rng.uniform(-3600.0, 3600.0))
        return max(time_ns + round(off_s * 1e9), 0)

    return spoil


def spoiled_sound(rng: np.random.Generator) -> Callable[[np.ndarray, Failure], np.ndarray]:
    """Return what spoils sound (channels, n): noise at full scale, or one ear on all channels."""

    def spoil(samples: np.ndarray, failure: Failure) -> np.ndarray:
        if failure.kind == 'wrong':
            return np.repeat(samples[:1], len(samples), axis=0)
        return _noise(rng, samples)

    return spoil


def spoiled_ears(
    samples: np.ndarray, failures: Iterable[Failure], time_s: float, rng: np.random.Generator
) -> np.ndarray:
    """
    Return sound (channels, n) with what is wrong with single ears.

    off: silence. stuck: a constant. garbage: noise at full scale. wrong: louder by so many dB.
    An ear whose channel the sound does not have is passed over.
    """
    out = samples
    for failure in failures:
        if failure.channel >= len(samples):
            continue
        out = out.copy() if out is samples else out
        row = out[failure.channel]
        if failure.kind == 'wrong':
            row *= 10.0 ** (failure.amount / 20.0)
        elif failure.kind == 'garbage':
            row[:] = _noise(rng, row)
        elif failure.kind == 'stuck':
            row[:] = row[0]
        elif failure.silent(time_s):
            row[:] = 0.0
    return out


def _noise(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    return rng.choice(np.array([-1.0, 1.0], np.float32), like.shape)


def spoiled_image(rng: np.random.Generator) -> Callable[[np.ndarray, Failure], np.ndarray]:
    """Return what spoils images: any value a pixel; color upside down, depth multiplied."""

    def spoil(image: np.ndarray, failure: Failure) -> np.ndarray:
        most = np.iinfo(image.dtype).max
        if failure.kind == 'garbage':
            return rng.integers(0, most, image.shape, image.dtype, endpoint=True)
        if failure.component == 'camera':
            return np.ascontiguousarray(image[::-1])
        return np.clip(np.rint(image * failure.amount), 0, most).astype(image.dtype)

    return spoil


def spoiled_bump(pressed: bool, _failure: Failure) -> bool:
    """Return the opposite."""
    return not pressed


def spoiled_info(info: tuple[int, int], failure: Failure) -> tuple[int, int]:
    """Return channels and rate of a sound that is not this one, or of none at all."""
    channels, rate = info
    return (0, rate) if failure.kind == 'garbage' else (channels, round(rate * failure.amount))
