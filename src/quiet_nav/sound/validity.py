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

"""Whether a window may be used as a reading, and the reason where it may not."""

from __future__ import annotations

from dataclasses import dataclass, replace
import enum
import math

import numpy as np

from quiet_nav.sound.levels import is_clipped, level_dbfs
from quiet_nav.sound.windows import SAMPLE_RATE, too_short, Window, WINDOW_SAMPLES

_BLOCK = SAMPLE_RATE // 40
#: Samples that differ by no more stand still: resampling rounds, the last of 16 bits is 3e-5.
_STILL = 1e-6


@dataclass(frozen=True)
class ValidityLimits:
    """What a window must keep to."""

    #: From the window's end to now; also how far its end may lie in the future.
    max_age_s: float = 1.0
    #: Share of samples at full scale.
    max_clipped: float = 0.001
    #: A level below this is no room but a muted or unplugged microphone (the quietest rooms
    #: simulated are at -75 dBFS, 16-bit rounding alone at -101 dBFS).
    silence_dbfs: float = -90.0
    #: A microphone that says the same value for so long in a window is dead, frozen or gated; the
    #: air never stands still.
    standing_s: float = 0.1


class FaultKind(enum.Enum):
    """What kind of fault makes a window useless; the values are words to count them by."""

    INCOMPLETE = 'sound that is incomplete'
    STALE = 'sound that is stale'
    NOT_FINITE = 'samples that are no numbers'
    CLIPPED = 'sound that is clipped'
    SILENT = 'silence'
    STANDING = 'a value that stands'


@dataclass(frozen=True)
class Fault:
    """Why a window must not be used: its kind, and in words with numbers."""

    kind: FaultKind
    text: str


def find_fault(
    window: Window, limits: ValidityLimits | None = None, now_ns: int | None = None
) -> Fault | None:
    """
    Return why the window must not be used, None where it may; the first reason found counts.

    Looked at in this order: the window's own reason (gaps, too short), age (only with ``now_ns``),
    non-finite samples, clipping, silence, samples that stand.
    """
    limits = limits or ValidityLimits()
    if not window.valid:
        return Fault(FaultKind.INCOMPLETE, window.reason or 'marked as not valid')
    if len(window.samples) < WINDOW_SAMPLES:
        return Fault(FaultKind.INCOMPLETE, too_short(len(window.samples)))
    if now_ns is not None and (text := stale_fault(window.end_ns, now_ns, limits.max_age_s)):
        return Fault(FaultKind.STALE, text)
    if text := non_finite_fault(window.samples):
        return Fault(FaultKind.NOT_FINITE, text)
    if text := clipped_fault(window, limits.max_clipped):
        return Fault(FaultKind.CLIPPED, text)
    if text := silent_fault(window.samples, limits.silence_dbfs):
        return Fault(FaultKind.SILENT, text)
    if text := standing_fault(window.samples, limits.standing_s):
        return Fault(FaultKind.STANDING, text)
    return None


def window_fault(
    window: Window, limits: ValidityLimits | None = None, now_ns: int | None = None
) -> str:
    """Return the words of ``find_fault``, or '' where the window may be used."""
    fault = find_fault(window, limits, now_ns)
    return '' if fault is None else fault.text


def checked(
    window: Window, limits: ValidityLimits | None = None, now_ns: int | None = None
) -> Window:
    """Return the window, marked as not valid with the reason where ``window_fault`` finds one."""
    fault = window_fault(window, limits, now_ns)
    return replace(window, valid=False, reason=fault) if fault else window


def stale_fault(end_ns: int, now_ns: int, max_age_s: float, what: str = 'sound') -> str:
    """Return the reason where sound (or an image) ended too long ago, or lies in the future."""
    age_s = (now_ns - end_ns) / 1e9
    if age_s > max_age_s:
        return f'stale: the newest {what} is {age_s:.2f} s old, at most {max_age_s:.2f} s allowed'
    if age_s < -max_age_s:
        return f'stamped {-age_s:.2f} s in the future: the clocks of publisher and node differ'
    return ''


def non_finite_fault(samples: np.ndarray) -> str:
    """Return the reason where samples are NaN or infinite."""
    wrong = int(samples.size - np.count_nonzero(np.isfinite(samples)))
    return f'{wrong} samples are not finite numbers' if wrong else ''


def clipped_fault(window: Window, max_clipped: float) -> str:
    """Return the reason where too large a share of the samples is at full scale."""
    share = window.clipped
    if math.isnan(share):
        share = float(np.mean(is_clipped(window.samples)))
    if share <= max_clipped:
        return ''
    return f'clipped: {100 * share:.1f} % of the samples are at full scale; lower the gain'


def silent_fault(samples: np.ndarray, silence_dbfs: float) -> str:
    """Return the reason where the sound is too quiet to come from a working microphone."""
    level = float(level_dbfs(samples))
    if level >= silence_dbfs:
        return ''
    return (
        f'silent: {level:.0f} dBFS, a room has {silence_dbfs:.0f} dBFS or more; '
        'is the microphone muted or unplugged?'
    )


def standing_fault(samples: np.ndarray, standing_s: float) -> str:
    """
    Return the reason where the samples stand still, all in all for ``standing_s`` or longer.

    Looked at in blocks of 25 ms: a stretch counts as long as the whole blocks in it.
    """
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    still = np.count_nonzero(np.ptp(blocks, axis=1) <= _STILL)
    still_s = still * _BLOCK / SAMPLE_RATE
    if still_s < standing_s:
        return ''
    return (
        f'standing: the samples do not change for {still_s:.2f} s of the window; is the '
        'microphone unplugged, frozen or gated?'
    )
