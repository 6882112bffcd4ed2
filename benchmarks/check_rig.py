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


"""
How often check-rig accuses healthy ears, and finds what is wrong with others, in simulated rooms.

    python benchmarks/check_rig.py [--rooms 40] [--rig pair]

Rooms are drawn as for training, lived-in, with the robot's own sound; each is heard by one rig, and
every fault is made of the same recording. Prints a table: findings that are serious, of healthy
recordings and of each fault, and the highest measures of healthy ones.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
import sys

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / 'test'))

import tapped

from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.rig_check import check
from quiet_nav.perception.rig_check.findings import Kind

Change = Callable[[np.ndarray], np.ndarray]


def second_card(offset_s: float, drift_ppm: float) -> Change:
    """Return what records the last channel with another clock."""

    def change(sound: np.ndarray) -> np.ndarray:
        out = sound.copy()
        out[:, -1] = tapped.other_clock(sound[:, -1].astype(float), offset_s, drift_ppm)
        return out

    return change


def _unplugged(sound: np.ndarray) -> np.ndarray:
    out = sound.copy()
    out[:, -1] = 3e-4 * np.random.default_rng(0).standard_normal(len(sound))
    return out


def _doubled(sound: np.ndarray) -> np.ndarray:
    return np.repeat(sound[:, :1], sound.shape[1], axis=1)


def _inverted(sound: np.ndarray) -> np.ndarray:
    out = sound.copy()
    out[:, -1] *= -1.0
    return out


FAULTS: dict[str, tuple[Kind, Change]] = {
    'swapped': (Kind.SWAPPED, lambda x: x[:, ::-1]),
    'unplugged': (Kind.DEAD, _unplugged),
    'mono, doubled': (Kind.IDENTICAL, _doubled),
    'gain control, back in 0.3 s': (Kind.AGC, lambda x: tapped.agc(x, 0.3)),
    'gain control, back in 1 s': (Kind.AGC, lambda x: tapped.agc(x, 1.0)),
    'gain control, back in 4 s': (Kind.AGC, lambda x: tapped.agc(x, 4.0)),
    'gate, 40 dB': (Kind.SUPPRESSION, tapped.gated),
    'gate, 20 dB': (Kind.SUPPRESSION, lambda x: tapped.gated(x, -20.0)),
    'gate, 12 dB': (Kind.SUPPRESSION, lambda x: tapped.gated(x, -12.0)),
    'spectral subtraction, 30 dB': (Kind.SUPPRESSION, tapped.spectrally_suppressed),
    'spectral subtraction, 10 dB': (
        Kind.SUPPRESSION, lambda x: tapped.spectrally_suppressed(x, -10.0)),
    'second card, 20 ms, 30 ppm': (Kind.UNSYNCHRONIZED, second_card(0.02, 30.0)),
    'second card, 30 ppm': (Kind.UNSYNCHRONIZED, second_card(0.0, 30.0)),
    'second card, 10 ppm': (Kind.UNSYNCHRONIZED, second_card(0.0, 10.0)),
    'wires exchanged': (Kind.POLARITY, _inverted),
    'hum, 10 dB over the room': (Kind.HUM, lambda x: tapped.hummed(
        x, 50.0, 10.0 + 20.0 * np.log10(np.std(x[8000:80000, 0])), 0)),
}  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rooms', type=int, default=40)
    parser.add_argument('--rig', default='pair')
    parser.add_argument('--first', type=int, default=0, help='seed of the first room')
    parser.add_argument('--faults', action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    rig = find_rig(options.rig)
    healthy: Counter[str] = Counter()
    found: Counter[str] = Counter()
    beside: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.rooms):
        sound = np.clip(tapped.in_room(rig, seed), -1.0, 1.0)
        result = check.check_rig(sound, tapped.RATE, rig)
        kinds = {(f.kind, f.serious) for f in result.findings}
        healthy.update(f'{k.value}{"" if serious else " (a note)"}' for k, serious in kinds)
        healthy['any, serious'] += result.serious
        for one in result.findings:
            print(f'# room {seed}: {one.what} {one.figures}', flush=True)
        for name, (kind, change) in FAULTS.items() if options.faults else ():
            result = check.check_rig(change(sound), tapped.RATE, rig)
            kinds_found = {f.kind for f in result.findings}
            found[name] += kind in kinds_found
            others = {f.kind.value for f in result.findings if f.serious} - {kind.value}
            beside[name] += bool(others)
            if kind not in kinds_found or others:
                print(f'# room {seed}: {name}: found {sorted(k.value for k in kinds_found)}')
    print(f'\n{options.rooms} rooms, rig {rig.name}\n\n| healthy, found | rooms |\n|---|---|')
    for name, count in sorted(healthy.items()):
        print(f'| {name} | {count} |')
    if options.faults:
        print('\n| fault | found | something else serious, too |\n|---|---|---|')
        for name in FAULTS:
            print(f'| {name} | {found[name]} | {beside[name]} |')


if __name__ == '__main__':
    main()
