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


"""Checking a rig: a recording of taps in, findings and the rig as it was heard out."""

from __future__ import annotations

from dataclasses import dataclass, replace
import itertools
import math
import re

import numpy as np
from scipy import optimize

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.rig_check.channels import gain_ride, gate, hum, longest_top, Quiet
from quiet_nav.perception.rig_check.findings import Finding, finding, Kind, Sure
from quiet_nav.perception.rig_check.pairs import (
    Clocks,
    clocks,
    copy_share,
    Drift,
    drift,
    low_coherence,
    SPEED_OF_SOUND,
)
from quiet_nav.perception.rig_check.script import Script
from quiet_nav.perception.rig_check.taps import bright, find_taps, Taps
from quiet_nav.sound.levels import is_clipped, level_dbfs

#: Below this a channel holds nothing; below the next windows would not be valid; then a hint.
_NOTHING_DBFS = -120.0
_SILENT_DBFS = -90.0
_FAINT_DBFS = -80.0
#: Dips of the noise after taps: healthy recordings stay below the first (docs/how-to/ears.md).
_DIP_DB = (3.0, 6.0)
_RAGGED = (0.05, 0.12)
_DROP_DB = (8.0, 14.0)
_SILENT_SHARE = (0.02, 0.2)
#: Between ears that hear one clock.
_OFFSET_S = (0.0006, 0.0015)
_DRIFT_PPM = 5.0
_COPY_SHARE = 1e-4
_INVERTED = (-0.4, -0.7)
_OFFSET_FULL_SCALE = 0.02
_HUM_SHARE = 0.5
_HUM_OVER_DB = 10.0
#: By how much an assignment of channels to ears must be better than another, dB an ear.
_MARGIN_DB = (3.0, 8.0)
#: What a tap's earlier arrival counts beside its level.
_DB_PER_MS = 20.0
_MOST_EARLY_MS = 0.6
_FLAT_TOP = 4
#: A tap is at least so far above the noise of a microphone that lives, and above one that does not.
_DEAF_DB = 8.0
_CLIPPED_SAMPLES = 3


@dataclass(frozen=True)
class RigCheck:
    """
    What a recording says of a rig.

    rig: with the channels that were heard at its ears. taps: how many were found at each ear.
    quiet_dbfs: level of the quiet, one a channel. judged: whether the ears could be told apart.
    """

    rig: Rig
    findings: tuple[Finding, ...]
    taps: tuple[int, ...]
    quiet_dbfs: tuple[float, ...]
    judged: bool

    @property
    def serious(self) -> bool:
        return any(found.serious for found in self.findings)


def check_rig(
    samples: np.ndarray,
    rate: int,
    rig: Rig,
    script: Script | None = None,
    device: str = '',
    known: bool = True,
) -> RigCheck:
    """
    Check a rig by a recording that follows the script.

    samples: float, (n, C), full scale 1.0; all channels of the device. device: its name, for
    advice. known: whether the rig's channels are meant; otherwise they are found.
    Raises QuietNavError where the recording is too short, holds what is no number, or has fewer
    channels than the rig asks for.
    """
    script = script or Script(len(rig.ears))
    _refuse(samples, rate, rig, script)
    recording = _Recording(np.asarray(samples, np.float64), rate, rig, script, device)
    return recording.check(known)


def _refuse(samples: np.ndarray, rate: int, rig: Rig, script: Script) -> None:
    seconds, channels = len(samples) / rate, samples.shape[1]
    if channels < rig.channels:
        raise QuietNavError(
            f'the recording has {channels} channels, rig {rig.name} asks for channel '
            f'{rig.channels - 1} (counted from 0): record all channels of the device, or give '
            'another rig'
        )
    if rate < 8_000:
        raise QuietNavError(f'a recording of {rate} Hz; expected 8000 Hz or more')
    if seconds < script.duration_s - 0.5:
        raise QuietNavError(
            f'the recording lasts {seconds:.1f} s, the script for {script.ears} ears takes '
            f'{script.duration_s:.0f} s: {script.quiet_s:.0f} s of quiet, {script.slot_s:.0f} s an '
            f'ear, that {script.rounds} times, {script.ending_s:.0f} s of quiet'
        )
    if not np.all(np.isfinite(samples)):
        raise QuietNavError('the recording holds NaN or infinity: record it again')


class _Recording:
    """A recording and what was measured of it once."""

    def __init__(
        self, samples: np.ndarray, rate: int, rig: Rig, script: Script, device: str
    ) -> None:
        self.raw, self.rate, self.rig, self.script = samples, rate, rig, script
        self.card = _card(device)
        self.samples = samples - samples.mean(axis=0)
        self.heard = bright(self.samples, rate)
        levels = np.asarray(level_dbfs(samples))
        self.live = levels > _NOTHING_DBFS
        self.taps: Taps = find_taps(self.heard, rate, script, self.live)
        self.quiet = Quiet.of(script, self.taps)
        parts = self.quiet.cut(self.samples, rate)
        self.quiet_dbfs = np.asarray(level_dbfs(np.concatenate(parts)))
        self.clocks: list[Clocks | None] = [
            clocks(self.taps, c, script.ears) for c in range(samples.shape[1])
        ]

    def check(self, known: bool) -> RigCheck:
        """Return everything that was found; known: the rig says which channels its ears are."""
        counts = tuple(int(self.taps.of(ear).sum()) for ear in range(self.script.ears))
        found = self._no_taps(counts)
        if not known and not found:
            found += self._too_few()
        if not known and not found:
            self.rig = self._best(self._hearing())[0]
        if known:
            found += self._dead()
        deaf = {c for f in found if f.kind is Kind.DEAD for c in f.channels}
        copies = self._copies(deaf)
        places: list[Finding] = []
        rig, judged = self.rig, False
        if not found and not copies:
            rig, places, judged = self._places()
        used = [ear.channel for ear in rig.ears if ear.channel not in deaf]
        # A copy's clock, sign and gain are those of its original.
        pairs: list[Finding] = [] if copies or deaf else self._pairs(rig)
        alone = [f for c in used for f in self._alone(c)]
        everything = (*found, *copies, *places, *pairs, *alone, *self._hums(used))
        order = sorted(everything, key=lambda f: not f.serious)
        return RigCheck(rig, tuple(order), counts, tuple(self.quiet_dbfs.tolist()), judged)

    # Taps

    def _no_taps(self, counts: tuple[int, ...]) -> list[Finding]:
        missing = [ear for ear, count in enumerate(counts) if not count]
        if not missing:
            return []
        names = ', '.join(self.rig.ears[ear].side.name for ear in missing)
        return [
            finding(
                Kind.NO_TAPS,
                tuple(self.rig.ears[ear].channel for ear in missing),
                Sure.SURE,
                f'no tap was heard at {names}, by any channel',
                'snap your fingers a hand away from the ear, louder, when its name is shown; '
                'nothing is said about places until then',
            )
        ]

    def _hearing(self) -> list[int]:
        """Return the channels that hear taps."""
        rises = self.taps.levels_db - self.taps.floors_db
        best = np.max(rises, axis=0, initial=0.0)
        return [int(c) for c in np.flatnonzero(self.live & (best > LEAST_HEARD_DB))]

    def _too_few(self) -> list[Finding]:
        hearing = self._hearing()
        if len(hearing) >= self.script.ears:
            return []
        deaf = tuple(c for c in range(self.raw.shape[1]) if c not in hearing)
        return [
            finding(
                Kind.DEAD,
                deaf,
                Sure.SURE,
                f'{self.script.ears} ears, and taps are heard by {len(hearing)} of '
                f'{self.raw.shape[1]} channels {hearing}',
                _PLUGS,
            )
        ]

    def _dead(self) -> list[Finding]:
        found = []
        rises = self.taps.levels_db - self.taps.floors_db
        best = np.max(rises, axis=0, initial=0.0)
        for ear in self.rig.ears:
            c = ear.channel
            if not self.live[c]:
                what = 'is constant: nothing at all comes in'
                sure = Sure.SURE
            elif len(rises) and best.max() > best[c] + _DEAF_DB and best[c] < _DEAF_DB:
                what = f'hears no tap (at most {best[c]:.0f} dB over its own noise)'
                sure = Sure.SURE if best.max() > best[c] + 2 * _DEAF_DB else Sure.LIKELY
            else:
                continue
            found.append(
                finding(
                    Kind.DEAD,
                    (c,),
                    sure,
                    f'channel {c} ({ear.side.name}) {what}',
                    _PLUGS + _or_amixer(self.card, 'set Capture cap'),
                    best_rise_db=float(best[c]),
                )
            )
        return found

    # Places

    def _scores(self, channels: list[int]) -> np.ndarray:
        """Return how much each channel sounds like the one at each ear, dB, (ears, channels)."""
        ears = range(self.script.ears)
        loud = np.array([
            [np.median(self.taps.levels_db[self.taps.of(e), c]) for c in channels] for e in ears
        ])  # fmt: skip
        score = loud - loud.mean(axis=0)
        for k, c in enumerate(channels):
            clock = self.clocks[c]
            if clock is None or not np.all(np.isfinite(clock.delays_s)):
                continue
            early_ms = (clock.offset_s - clock.delays_s) * 1e3
            score[:, k] += _DB_PER_MS * np.clip(early_ms, -_MOST_EARLY_MS, _MOST_EARLY_MS)
        return score

    def _best(self, channels: list[int]) -> tuple[Rig, np.ndarray, float]:
        """Return the rig with the channels that fit its ears best, all scores, and the sum."""
        scores = self._scores(channels)
        rows, columns = optimize.linear_sum_assignment(-scores)
        ears = tuple(
            replace(self.rig.ears[e], channel=channels[k])
            for e, k in zip(rows, columns, strict=True)
        )
        return replace(self.rig, ears=ears), scores, float(scores[rows, columns].sum())

    def _places(self) -> tuple[Rig, list[Finding], bool]:
        """Return the rig as it was heard, what is wrong with it, and whether that is sure."""
        claimed = [ear.channel for ear in self.rig.ears]
        if len(claimed) == 1:
            return self.rig, [], True
        channels = sorted({*self._hearing(), *claimed})
        better, scores, at_best = self._best(channels)
        best = [ear.channel for ear in better.ears]
        at_claim = float(sum(scores[e, channels.index(c)] for e, c in enumerate(claimed)))
        changed = [e for e in range(len(best)) if best[e] != claimed[e]]
        margin = (at_best - at_claim) / max(len(changed), 1)
        if changed and margin >= _MARGIN_DB[0]:
            said = ', '.join(
                f'{self.rig.ears[e].side.name} is channel {best[e]} and not {claimed[e]}'
                for e in changed
            )
            swapped = finding(
                Kind.SWAPPED,
                tuple(claimed[e] for e in changed),
                Sure.SURE if margin >= _MARGIN_DB[1] else Sure.LIKELY,
                f'taps were loudest and first elsewhere: {said}',
                'exchange the channel numbers in the rig file (--out writes it), or the plugs',
                margin_db=margin,
            )
            return better, [swapped], True
        second = _second_best(scores, [channels.index(c) for c in claimed])
        if second < _MARGIN_DB[0]:
            unclear = finding(
                Kind.UNCLEAR,
                tuple(claimed),
                Sure.POSSIBLE,
                f'the ears cannot be told apart: another order of channels fits as well '
                f'({second:.1f} dB)',
                'snap nearer to each ear, a hand away, on its outer side; keep the rest of the '
                'room quiet',
                margin_db=second,
            )
            return self.rig, [unclear], False
        return self.rig, [], True

    # Two channels

    def _copies(self, deaf: set[int]) -> list[Finding]:
        first, last = self.quiet.cut(self.samples, self.rate)
        both = np.concatenate([first, last])
        found = []
        used = [ear.channel for ear in self.rig.ears if ear.channel not in deaf]
        for a, b in itertools.combinations(used, 2):
            share = copy_share(both[:, a], both[:, b], self.rate)
            if share < _COPY_SHARE:
                found.append(
                    finding(
                        Kind.IDENTICAL,
                        (a, b),
                        Sure.SURE,
                        f'channels {a} and {b} hold the same sound: one microphone, written twice',
                        'the input is mono: use a card with a stereo microphone input, or name the '
                        "card itself (hw) and not a sound server's mono profile; `quiet_nav "
                        'devices` lists them',
                        different_share=share,
                    )
                )
        return found

    def _pairs(self, rig: Rig) -> list[Finding]:
        found: list[Finding] = []
        quiet = np.concatenate(self.quiet.cut(self.samples, self.rate))
        parts = [part[:, rig.ears[0].channel] for part in self.quiet.cut(self.samples, self.rate)]
        mains = hum(parts, self.rate).mains_hz
        signs = []
        for i, j in itertools.combinations(range(len(rig.ears)), 2):
            one, other = rig.ears[i], rig.ears[j]
            a, b = one.channel, other.channel
            apart_m = math.dist((one.x, one.y, one.z), (other.x, other.y, other.z))
            late = self._late(i, j, a, b)
            if late is not None:
                offset_s, apart_s = late
                apart = drift(
                    self.samples[:, a], self.samples[:, b], self.rate, self.taps.at(a), offset_s
                )
                unequal = _unsynchronized((a, b), offset_s, apart)
                found += unequal
                if not unequal:
                    found += _distance((a, b), apart_s * SPEED_OF_SOUND, apart_m)
                else:
                    continue
            signs.append((a, b, low_coherence(quiet[:, a], quiet[:, b], self.rate, apart_m, mains)))
        return _merged(found) + _polarity(signs)

    def _late(self, i: int, j: int, a: int, b: int) -> tuple[float, float] | None:
        """Return offset and way in s of channel b at ear j to channel a at ear i."""
        first, second = self.clocks[a], self.clocks[b]
        if first is None or second is None:
            return None
        late = second.delays_s - first.delays_s
        if not (np.isfinite(late[i]) and np.isfinite(late[j])):
            return None
        return float(late[i] + late[j]) / 2, float(late[i] - late[j]) / 2

    # One channel

    def _alone(self, c: int) -> list[Finding]:
        raw, heard = self.raw[:, c], self.heard[:, c]
        found = self._levels(c, raw)
        ride = gain_ride(heard, self.rate, self.taps.at(c), self.quiet)
        if ride.dip >= _DIP_DB[0] and ride.rides:
            found.append(
                finding(
                    Kind.AGC,
                    (c,),
                    Sure.SURE if ride.dip >= _DIP_DB[1] else Sure.LIKELY,
                    f'channel {c}: noise is {ride.dip:.0f} dB lower after taps and comes back: the '
                    'gain rides',
                    _AGC_OFF + _or_amixer(self.card, "sset 'Auto Gain Control' off"),
                    dip_db=ride.dip,
                    rise_db=ride.rise,
                )
            )
        elif ride.stays >= 2 * _DIP_DB[0]:
            found.append(
                finding(
                    Kind.AGC,
                    (c,),
                    Sure.POSSIBLE,
                    f'channel {c}: noise is {ride.stays:.0f} dB lower after the taps than before '
                    'and stays so: a slow gain control, or something in the room fell silent',
                    'check once more while the room stays as it is; ' + _AGC_OFF,
                    serious=False,
                    stays_db=ride.stays,
                )
            )
        found += self._suppressed(c, heard)
        return found

    def _levels(self, c: int, raw: np.ndarray) -> list[Finding]:
        found = []
        level = float(self.quiet_dbfs[c])
        quiet = np.concatenate(self.quiet.cut(raw, self.rate))
        if level < _FAINT_DBFS:
            found.append(
                finding(
                    Kind.QUIET,
                    (c,),
                    Sure.SURE,
                    f'channel {c}: the room is at {level:.0f} dBFS'
                    + (', below what counts as sound' if level < _SILENT_DBFS else ''),
                    'turn its capture gain up until the room is at -60 to -40 dBFS'
                    + _or_amixer(self.card, 'sset Mic 80%'),
                    serious=level < _SILENT_DBFS,
                    level_dbfs=level,
                )
            )
        clipped = float(is_clipped(quiet).mean())
        top = longest_top(raw)
        if is_clipped(raw).sum() >= _CLIPPED_SAMPLES or top >= _FLAT_TOP:
            everywhere = clipped > 1e-4
            found.append(
                finding(
                    Kind.CLIPPED,
                    (c,),
                    Sure.SURE,
                    f'channel {c} clips, at {np.abs(raw).max():.2f} of full scale, '
                    + ('without any tap' if everywhere else 'in taps'),
                    'turn its capture gain down' + _or_amixer(self.card, 'sset Mic 30%')
                    if everywhere
                    else 'snap softer; where ordinary sound clips, too, turn the gain down',
                    serious=everywhere,
                    clipped_share=clipped,
                    flat_top=float(top),
                )
            )
        mean = float(quiet.mean())
        if abs(mean) > _OFFSET_FULL_SCALE:
            found.append(
                finding(
                    Kind.DC,
                    (c,),
                    Sure.SURE,
                    f'channel {c} has a constant part of {mean:+.3f} of full scale',
                    'harmless to readings, and takes room before clipping; a better card has none',
                    mean=mean,
                )
            )
        return found

    def _suppressed(self, c: int, heard: np.ndarray) -> list[Finding]:
        signs = gate(self.samples[:, c], heard, self.rate, self.taps.at(c), self.quiet)
        measures: tuple[tuple[float, tuple[float, float], str], ...] = (
            (signs.silent, _SILENT_SHARE, f'{signs.silent:.0%} of the quiet is digital silence'),
            (signs.ragged, _RAGGED, f'{signs.ragged:.0%} of the spectrum of its noise is cut up'),
            (signs.drop_db, _DROP_DB,
             f'noise falls by {signs.drop_db:.0f} dB at once, a moment after taps'),
        )  # fmt: skip
        if self.quiet_dbfs[c] < _SILENT_DBFS and self.taps.floors_db[c] > -110.0:
            # So little that single steps of 16 bits come and go: a matter of gain.
            measures = measures[2:]
        seen = [(value, limits, text) for value, limits, text in measures if value >= limits[0]]
        if not seen:
            return []
        sure = any(value >= limits[1] for value, limits, _ in seen) or len(seen) > 1
        return [
            finding(
                Kind.SUPPRESSION,
                (c,),
                Sure.SURE if sure else Sure.LIKELY,
                f'channel {c}: ' + '; '.join(text for _, _, text in seen)
                + ': something removes noise, which is what walls are heard by',
                'use the raw channels of an array, not its processed one; turn off noise '
                'suppression and echo cancellation of the sound server (`pactl list short modules`'
                ' must not name module-echo-cancel; record from the card itself)',
                silent_share=signs.silent,
                ragged_share=signs.ragged,
                drop_db=signs.drop_db,
            )
        ]  # fmt: skip

    def _hums(self, used: list[int]) -> list[Finding]:
        parts = self.quiet.cut(self.samples, self.rate)
        hums = {c: hum([part[:, c] for part in parts], self.rate) for c in used}
        found = []
        for c, one in hums.items():
            rest = [h.over_db for other, h in hums.items() if other != c]
            over = one.over_db - min(rest) if rest else 0.0
            if one.share < _HUM_SHARE or (rest and over < _HUM_OVER_DB):
                continue
            found.append(
                finding(
                    Kind.HUM,
                    (c,),
                    Sure.LIKELY if rest else Sure.POSSIBLE,
                    f'channel {c}: {one.share:.0%} of what is below 1 kHz is {one.mains_hz:.0f} Hz '
                    'hum' + (f', {over:.0f} dB more than in another ear' if rest else ''),
                    'run from the battery and unplug the charger; keep the cable away from power '
                    'cables; use a shielded one. What the room itself hums is no fault',
                    share=one.share,
                )
            )
        return found


_PLUGS = (
    'look at plug, cable and mute switch; a stereo socket takes two microphones only with a '
    'splitter; `quiet_nav devices` lists the inputs'
)
_AGC_OFF = (
    'turn automatic gain control off (`alsamixer`, F4, "Auto Gain Control"; ReSpeaker USB: '
    'tuning.py AGCONOFF 0)'
)
LEAST_HEARD_DB = 12.0


def _card(device: str) -> str:
    """Return the number of the ALSA card in a device's name ('... (hw:1,0)'), '' without one."""
    found = re.search(r'\(hw:(\d+),\d+\)', device)
    return found.group(1) if found else ''


def _or_amixer(card: str, what: str) -> str:
    return f': `amixer -c {card or "CARD"} {what}`'


def _second_best(scores: np.ndarray, columns: list[int]) -> float:
    """Return how much is lost, an ear, by the best change of an assignment: one or two ears."""
    least = math.inf
    ears = range(len(columns))
    at = scores[np.arange(len(columns)), columns]
    for i, j in itertools.combinations(ears, 2):
        swapped = scores[i, columns[j]] + scores[j, columns[i]]
        least = min(least, float(at[i] + at[j] - swapped) / 2.0)
    for i in ears:
        for free in set(range(scores.shape[1])) - set(columns):
            least = min(least, float(at[i] - scores[i, free]))
    return least


def _unsynchronized(
    channels: tuple[int, int], offset_s: float, parts: Drift | None
) -> list[Finding]:
    drifts = parts is not None and parts.beyond(_DRIFT_PPM)
    ppm = 0.0 if parts is None else parts.ppm
    if abs(offset_s) < _OFFSET_S[0] and not drifts:
        return []
    said = []
    if abs(offset_s) >= _OFFSET_S[0]:
        said.append(f'{abs(offset_s) * 1e3:.1f} ms apart')
    if drifts:
        said.append(f'they part by {abs(ppm):.0f} millionths ({abs(ppm) * 3.6:.0f} ms an hour)')
    sure = abs(offset_s) >= _OFFSET_S[1] or drifts
    return [
        finding(
            Kind.UNSYNCHRONIZED,
            channels,
            Sure.SURE if sure else Sure.LIKELY,
            f'channels {channels[0]} and {channels[1]} do not keep one time: {", ".join(said)}',
            'record all ears with one device: two USB microphones have two clocks, also where a '
            'sound server joins them',
            offset_ms=offset_s * 1e3,
            drift_ppm=ppm,
        )
    ]


def _merged(found: list[Finding]) -> list[Finding]:
    """Return findings of pairs with one line for several pairs of clocks that part alike."""
    clocks_apart = [f for f in found if f.kind is Kind.UNSYNCHRONIZED]
    rest = [f for f in found if f.kind is not Kind.UNSYNCHRONIZED]
    if len(clocks_apart) < 2:
        return found
    worst = max(clocks_apart, key=lambda f: abs(f.figures['offset_ms']))
    channels = tuple(sorted({c for f in clocks_apart for c in f.channels}))
    return [replace(worst, channels=channels), *rest]


def _distance(channels: tuple[int, int], heard_m: float, said_m: float) -> list[Finding]:
    if heard_m <= 1.3 * said_m + 0.08:
        return []
    return [
        finding(
            Kind.DISTANCE,
            channels,
            Sure.LIKELY,
            f'sound takes as long between channels {channels[0]} and {channels[1]} as for '
            f'{heard_m:.2f} m; the rig says {said_m:.2f} m',
            'measure the places of the ears and write them into the rig file',
            heard_m=heard_m,
            said_m=said_m,
        )
    ]


def _polarity(signs: list[tuple[int, int, float]]) -> list[Finding]:
    """Return which channels have the other sign than most, from coherences of pairs."""
    against = [(a, b, value) for a, b, value in signs if value <= _INVERTED[0]]
    if not against:
        return []
    counts: dict[int, int] = {}
    for a, b, _ in against:
        counts[a], counts[b] = counts.get(a, 0) + 1, counts.get(b, 0) + 1
    most = max(counts.values())
    odd = tuple(sorted(c for c, count in counts.items() if count == most))
    value = min(value for _, _, value in against)
    who = f'channel {odd[0]}' if len(odd) == 1 else 'one of channels ' + ' and '.join(map(str, odd))
    return [
        finding(
            Kind.POLARITY,
            odd,
            Sure.LIKELY if value <= _INVERTED[1] else Sure.POSSIBLE,
            f'{who} has the opposite sign (coherence {value:+.2f} where waves are long)',
            'harmless to readings, which use spectra; exchange its two wires to mend it',
            coherence=value,
        )
    ]
