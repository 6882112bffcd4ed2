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

"""Training examples with context: an ear, what the others hear and what the room sounded like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, file_format
from quiet_nav.learning.detectors.context.frontend import smooth_noise
from quiet_nav.learning.detectors.context.network import INPUTS
from quiet_nav.learning.detectors.context.spectra import (
    CONTEXT,
    FrontEnd,
    load_rooms,
    MOMENTS,
    PAIRS,
    RoomSpectra,
    window_log_power,
)
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.bands import centers_hz, OWN_BANDS
from quiet_nav.perception.context import (
    band_centers_hz,
    BANDS,
    FINE_BINS,
    slot_of,
    SLOTS,
)
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.reference import shared_reference
from quiet_nav.quiet_campus.lists import campuses, load_splits, Row

#: Rigs that are drawn: one ear that turns, two at the sides, all that there are.
SINGLE, PAIR, ALL = range(3)
_NEPER = np.log(10.0) / 10.0
#: Shares of the greatest warp that are drawn.
_WARPS = np.linspace(-1.0, 1.0, 21)


@file_format
@dataclass(frozen=True)
class Options:
    """How contexts are drawn; ``recipe.network.options`` may set any of these by name."""

    #: Shares of one ear that turns, a pair, all ears.
    rigs: tuple[float, float, float] = (0.35, 0.25, 0.4)
    #: Of examples from single microphones, where there are robots too.
    static_share: float = 0.2
    #: Of examples seen through one clip instead of the whole window.
    clip_share: float = 0.3
    #: Spread of the ears' gains, dB.
    gain_db: float = 1.0
    #: Of the ears' responses, nepers.
    mismatch: float = 0.05
    #: Share of examples whose reference is withheld.
    drop_reference: float = 0.25
    #: The same of the other ears.
    drop_others: float = 0.2
    #: The same of what was heard ahead.
    drop_ahead: float = 0.3
    #: Share of references of places like the one asked about.
    alike: float = 0.4
    #: Fewest places in a reference.
    least_places: int = 1
    #: Most places in a reference.
    most_places: int = 20
    #: Of the sources between the window and its reference, nepers.
    change_reference: float = 0.25
    #: Of the sources between the window and the other ears', nepers.
    change_others: float = 0.15
    #: Share of the third ear as the one asked about where all are there.
    ahead: float = 1.0 / 3.0
    #: Share of listens with all ears where the rig turns by 180 degrees and listens again, so that
    #: what no ear faced is heard, too.
    look: float = 0.0
    #: Up to such a factor the whole scene grows or shrinks, 0.05 for 5 %: frequencies go down as
    #: distances go up.
    warp: float = 0.0
    #: Share of listens whose coherence between the ears is given.
    coherence: float = 0.0
    #: Up to so many microseconds an ear is late; 20 are a third of a sample.
    delay_us: float = 20.0

    @classmethod
    def of(cls, recipe: Recipe) -> Options:
        """Read a recipe's options; QuietNavError names what is not known."""
        values = {k: v for k, v in recipe.network.options.items() if k != 'dropout'}
        return checked(cls, values, f'recipe {recipe.name}: options')


@dataclass(frozen=True)
class _Asked:
    """
    What examples ask about, an entry each: which ear of which rig, where and when.

    gain: of every ear, log power, (size, ears, bands). part: of the window heard: a clip from 0 to
    2, or 3 for all of it.
    """

    room: np.ndarray
    place: np.ndarray
    moment: np.ndarray
    rig: np.ndarray
    ear: np.ndarray
    gain: np.ndarray
    part: np.ndarray

    @property
    def index(self) -> np.ndarray:
        return np.arange(len(self.room))

    @property
    def shift(self) -> np.ndarray:
        """Gain of the ear asked about, (size, bands)."""
        return self.gain[self.index, self.ear]


class _Rooms:
    """Rooms of one form (ears, places padded) as arrays from which batches are gathered."""

    def __init__(self, rooms: Sequence[RoomSpectra]) -> None:
        self.rig = rooms[0].rig
        self.bands = rooms[0].power.shape[-1]
        self.centers_hz = band_centers_hz() if self.bands == BANDS else centers_hz()
        places = max(len(room.power) for room in rooms)

        def pad(arrays: list[np.ndarray], value: float) -> np.ndarray:
            out = np.full((len(rooms), places, *arrays[0].shape[1:]), value, arrays[0].dtype)
            for row, array in zip(out, arrays, strict=True):
                row[: len(array)] = array
            return out

        self.count = np.array([len(room.power) for room in rooms])
        self.power = pad([room.power for room in rooms], 0)
        self.steadiness = pad([room.steadiness for room in rooms], 0)
        self.coherence = pad([room.coherence for room in rooms], 0)
        self.distance = pad([room.distance_m for room in rooms], np.nan)
        self.near = pad([room.near for room in rooms], False)
        whole = [window_log_power(room).astype(np.float32) for room in rooms]
        self.whole = pad([w[:, :2].mean(1) for w in whole], 0)
        self.gains = np.stack([w[..., FINE_BINS:].mean((0, 1, 3)) for w in whole])
        self.ears = self.power.shape[3]
        #: pair[e, o]: which of ``PAIRS`` ears e and o are.
        self.pair = np.zeros((self.ears, self.ears), int)
        for number, (one, other) in enumerate(PAIRS):
            if other < self.ears:
                self.pair[one, other] = self.pair[other, one] = number
        bearing = rooms[0].bearing_rad
        #: together[m, e, slot]: ear heard at the same moment; turned[t, m, e, slot]: (moment,
        #: ear) of a window heard 6 s before or after, in two ways; -1 where there is none.
        self.together = np.full((MOMENTS, self.ears, len(SLOTS)), -1)
        self.turned = np.full((2, MOMENTS, self.ears, len(SLOTS), 2), -1)
        for m in range(MOMENTS if self.rig else 0):
            for e in range(self.ears):
                self._fill(bearing, m, e)

    def _fill(self, bearing: np.ndarray, m: int, e: int) -> None:
        for other in range(self.ears):
            slot = slot_of(bearing[m, e], bearing[m, other])
            if slot is not None:
                self.together[m, e, slot] = other
        for way, moment in enumerate(((1, 2), (0, 2), (0, 1))[m]):
            for other in range(self.ears):
                slot = slot_of(bearing[m, e], bearing[moment, other])
                if slot is not None:
                    self.turned[way, m, e, slot] = moment, other

    def draw(self, rng: np.random.Generator, size: int, options: Options) -> dict[str, np.ndarray]:
        """Return ``size`` examples as float32 arrays, named as the network's inputs."""
        asked = self._asked(rng, size, options)
        spectrum = self._heard(asked, asked.moment, asked.ear, self.power) + asked.shift
        reference, own, known = self._references(
            rng, asked.room, asked.place, asked.ear, asked.rig, asked.gain, options
        )
        others = self._others(rng, asked, (reference, own), known, options)
        coherences = self._coherences(rng, asked, others['simultaneous'], options)
        distance = self.distance[asked.room, asked.place, asked.moment, asked.ear]
        near = self.near[asked.room, asked.place, asked.moment, asked.ear]
        drawn = {
            'spectrum': spectrum,
            'steadiness': self._heard(asked, asked.moment, asked.ear, self.steadiness),
            'reference': reference[asked.index, asked.ear] * known[:, None],
            'own_reference': own[asked.index, asked.ear] * known[:, None],
            'others': others['others'],
            'other_references': others['other_references'],
            'other_own_references': others['other_own_references'],
            'coherences': coherences,
        }
        if options.warp > 0.0:
            drawn, distance = _warped(rng, drawn, distance, options.warp)
            # Single microphones are near or far by how their places were chosen.
            near = distance <= NEAR_WALL_M if self.rig else near
        bins = STANDARD_BINS.bin_of(np.nan_to_num(distance))
        return {
            **drawn,
            'has_reference': known,
            # Of recordings no fingerprint is known.
            'fingerprint': np.zeros((size, OWN_BANDS), np.float32),
            'has_fingerprint': np.zeros(size, np.float32),
            'other_fingerprints': np.zeros((size, len(SLOTS), OWN_BANDS), np.float32),
            'has_other': others['has_other'],
            'simultaneous': others['simultaneous'],
            'nearest': np.full(size, not self.rig, np.float32),
            'near': near.astype(np.float32),
            'distance_bin': np.where(np.isfinite(distance), bins, -1),
            'distance': distance.astype(np.float32),
        }

    def _asked(self, rng: np.random.Generator, size: int, options: Options) -> _Asked:
        """Draw which ear is asked about, where, when and on which rig."""
        room = rng.integers(len(self.count), size=size)
        place = rng.integers(self.count[room])
        moment = rng.integers(MOMENTS, size=size)
        rig = rng.choice(3, size=size, p=options.rigs) if self.rig else np.full(size, SINGLE)
        ear = rng.integers(self.ears, size=size)
        if self.rig and self.ears > 2:
            side = rng.integers(2, size=size)
            ear = np.where(rig == PAIR, side, ear)
            ahead = np.where(rng.random(size) < options.ahead, 2, side)
            ear = np.where(rig == ALL, ahead, ear)
        gain = self._gains(rng, size, options)
        part = np.where(rng.random(size) < options.clip_share, rng.integers(3, size=size), 3)
        return _Asked(room, place, moment, rig, ear, gain, part)

    def _heard(
        self, asked: _Asked, moment: np.ndarray, ear: np.ndarray, kind: np.ndarray
    ) -> np.ndarray:
        """Return what ears heard at moments, shape (size, bands): of a clip, or of all three."""
        pieces = kind[asked.room, asked.place, moment, ear].astype(np.float32)
        is_whole = (asked.part == 3)[:, None]
        chosen = pieces[asked.index, np.minimum(asked.part, 2)]
        if kind is self.power:
            return np.where(is_whole, np.log(np.exp(pieces).mean(1)), chosen)
        return np.where(is_whole, pieces.mean(1), chosen)

    def _others(
        self,
        rng: np.random.Generator,
        asked: _Asked,
        references: tuple[np.ndarray, np.ndarray],
        known: np.ndarray,
        options: Options,
    ) -> dict[str, np.ndarray]:
        """Draw what the other ears of the listen give, a slot a direction."""
        size, moment, ear, rig = len(asked.room), asked.moment, asked.ear, asked.rig
        others = np.zeros((size, len(SLOTS), self.bands), np.float32)
        other_references, other_own = np.zeros_like(others), np.zeros_like(others)
        has_other = np.zeros((size, len(SLOTS)), np.float32)
        simultaneous = np.zeros_like(has_other)
        way = rng.integers(2, size=size)
        none = rng.random(size) < options.drop_others
        changed = self._changes(rng, size, options.change_others)
        single = rig == SINGLE
        looks = np.zeros(size, bool)
        if options.look > 0.0:
            looks = (rig == ALL) & (rng.random(size) < options.look)
            # Of the other moments of the first heading only the second one is turned.
            way = np.where(looks & (moment < MOMENTS - 1), 1, way)
        for slot in range(len(SLOTS)):
            turning = self.turned[way, moment, ear, slot]
            now = self.together[moment, ear, slot]
            later = single | (looks & (now < 0))
            other = np.where(later, turning[:, 1], now)
            when = np.where(later, turning[:, 0], moment)
            there = (other >= 0) & ~none & ~((rig == PAIR) & (other > 1))
            there &= ~((slot > 0) & (rng.random(size) < options.drop_ahead))
            at = np.maximum(other, 0)
            sound = self._heard(asked, np.maximum(when, 0), at, self.power)
            # One ear that turns hears with one gain.
            own = (self.gains[asked.room, ear] - self.gains[asked.room, at])[:, None] + asked.shift
            sound += np.where(single[:, None], own, asked.gain[asked.index, at])
            sound += np.where(later[:, None], changed, 0.0)
            others[:, slot] = np.where(there[:, None], sound, 0.0)
            both = (there & (known > 0))[:, None]
            for kept, reference in zip((other_references, other_own), references, strict=True):
                theirs = reference[asked.index, np.where(single, ear, at)]
                kept[:, slot] = np.where(both, theirs, 0.0)
            has_other[:, slot] = there
            simultaneous[:, slot] = there & ~later
        return {
            'others': others,
            'other_references': other_references,
            'other_own_references': other_own,
            'has_other': has_other,
            'simultaneous': simultaneous,
        }

    def _coherences(
        self,
        rng: np.random.Generator,
        asked: _Asked,
        simultaneous: np.ndarray,
        options: Options,
    ) -> np.ndarray:
        """Draw the coherence with ears heard at once, (size, slots, 2, bands); 0 where withheld."""
        size = len(asked.room)
        coherences = np.zeros((size, len(SLOTS), 2, self.bands), np.float32)
        if not self.rig or options.coherence <= 0.0:
            return coherences
        given = (simultaneous > 0) & (rng.random(size) < options.coherence)[:, None]
        late = rng.uniform(-options.delay_us, options.delay_us, (size, self.ears)) * 1e-6
        for slot in range(len(SLOTS)):
            at = np.maximum(self.together[asked.moment, asked.ear, slot], 0)
            delay = late[asked.index, at] - late[asked.index, asked.ear]
            alike = self._coherence(
                asked.room, asked.place, asked.moment, asked.ear, at, asked.part, delay
            )
            coherences[:, slot] = np.where(given[:, slot, None, None], alike, 0.0)
        return coherences

    def _coherence(
        self,
        room: np.ndarray,
        place: np.ndarray,
        moment: np.ndarray,
        ear: np.ndarray,
        other: np.ndarray,
        part: np.ndarray,
        delay_s: np.ndarray,
    ) -> np.ndarray:
        """Coherence (size, 2, B) of two ears, the second one late by ``delay_s``."""
        size = np.arange(len(room))
        pieces = self.coherence[room, place, moment, self.pair[ear, other]].astype(np.float32)
        # The whole window's is the mean of its parts' by their powers.
        level = [self.power[room, place, moment, e].astype(np.float32) for e in (ear, other)]
        loud = np.exp(0.5 * (level[0] + level[1]))
        total = np.sqrt(np.exp(level[0]).sum(1) * np.exp(level[1]).sum(1))
        whole = (pieces * loud[:, :, None]).sum(1) / total[:, None]
        alike = np.where((part == 3)[:, None, None], whole, pieces[size, np.minimum(part, 2)])
        real, imaginary = alike[:, 0], alike[:, 1] * np.where(ear > other, -1.0, 1.0)[:, None]
        phase = 2.0 * np.pi * self.centers_hz * delay_s[:, None]
        cos, sin = np.cos(phase), np.sin(phase)
        return np.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], 1)

    def _gains(self, rng: np.random.Generator, size: int, options: Options) -> np.ndarray:
        """Ears that differ by a gain and a smooth curve, (size, E, B)."""
        gain = rng.uniform(-options.gain_db, options.gain_db, (size, self.ears, 1)) * _NEPER
        return (gain + options.mismatch * self._smooth(rng, (size, self.ears))).astype(np.float32)

    def _changes(self, rng: np.random.Generator, size: int, most: float) -> np.ndarray:
        strength = rng.uniform(0.0, most, (size, 1)) * (rng.random((size, 1)) < 0.5)
        return (strength * self._smooth(rng, (size,))).astype(np.float32)

    def _smooth(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        generator = torch.Generator().manual_seed(int(rng.integers(1 << 62)))
        return smooth_noise(shape, generator, self.bands).numpy()

    def _references(
        self,
        rng: np.random.Generator,
        room: np.ndarray,
        place: np.ndarray,
        ear: np.ndarray,
        rig: np.ndarray,
        gain: np.ndarray,
        options: Options,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Every ear's shared and own reference (size, E, B) from other places, and if known."""
        size, places = len(room), self.power.shape[1]
        score = rng.random((size, places))
        # A robot that follows a wall has heard many places like this one.
        here = self.distance[room, place, 0, ear][:, None]
        there = self.distance[room, :, 0, ear]
        alike = np.exp(-np.abs(np.nan_to_num(there, nan=9.0) - here) / 0.4)
        score += np.where(rng.random((size, 1)) < options.alike, 2.0 * alike, 0.0)
        score[np.arange(places)[None] >= self.count[room][:, None]] = -1.0
        score[np.arange(size), place] = -1.0
        most = np.minimum(self.count[room] - 1, options.most_places)
        least = np.minimum(options.least_places, most)
        number = np.exp(rng.uniform(np.log(least), np.log(most + 0.999))).astype(int)
        rank = np.argsort(np.argsort(-score, axis=1), axis=1)
        weight = (rank < number[:, None]).astype(np.float32)
        weight /= weight.sum(1, keepdims=True)
        means = np.einsum('bp,bpef->bef', weight, self.whole[room], optimize=True)
        single = (rig == SINGLE)[:, None, None]
        own = self.gains[room, ear][:, None] - self.gains[room]
        target = np.take_along_axis(gain, ear[:, None, None], 1)
        means = np.where(single, means + own[..., None] + target, means + gain)
        share = np.ones((size, self.ears), np.float32)
        if self.ears > 2:
            share[rig == PAIR, 2:] = 0.0
        pooled = shared_reference(means, share)
        change = self._changes(rng, size, options.change_reference)[:, None]
        level = np.where(single, means.mean(1, keepdims=True), pooled) + change
        known = (rng.random(size) >= options.drop_reference).astype(np.float32)
        return level.astype(np.float32), (means + change).astype(np.float32), known


def warped_bands(growth: np.ndarray) -> np.ndarray:
    """
    Return which band is heard in each where a scene is 1 + growth times as large, (..., 160).

    The nearest band, not one between: an average of neighbors would be less noisy than they are.
    Fine bands take from fine ones alone, coarse from coarse, because their noise differs.
    """
    centers = band_centers_hz()
    wanted = centers * (1.0 + growth[..., None])
    nearest = np.abs(wanted[..., None] - centers).argmin(-1)
    fine = np.arange(BANDS) < FINE_BINS
    return np.where(fine, np.minimum(nearest, FINE_BINS - 1), np.maximum(nearest, FINE_BINS))


def _warped(
    rng: np.random.Generator, drawn: dict[str, np.ndarray], distance: np.ndarray, most: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return spectra and distances of scenes that grew or shrank by up to a share ``most``."""
    which = rng.integers(len(_WARPS), size=len(distance))
    bands = warped_bands(most * _WARPS)[which]
    warped = {}
    for name, value in drawn.items():
        index = bands.reshape(len(distance), *(1,) * (value.ndim - 2), BANDS)
        warped[name] = np.take_along_axis(value, index, -1)
    return warped, distance * (1.0 + most * _WARPS[which])


def draw_batch(
    stores: Sequence[_Rooms],
    rng: np.random.Generator,
    size: int,
    options: Options,
    inputs: Sequence[str] = INPUTS,
) -> dict[str, torch.Tensor]:
    """
    Return a batch from robots' rooms and from single microphones, where there are both.

    inputs: of the network that learns.
    """
    shares = [1.0 - options.static_share if s.rig else options.static_share for s in stores]
    if len(stores) == 1:
        shares = [1.0]
    sizes = [round(size * share) for share in shares]
    sizes[0] = size - sum(sizes[1:])
    drawn = [store.draw(rng, n, options) for store, n in zip(stores, sizes, strict=True) if n]
    return {
        name: torch.from_numpy(np.concatenate([d[name] for d in drawn]))
        for name in (*inputs, 'near', 'distance_bin')
    }


class ContextDataset(Dataset):
    """Batches drawn from rooms; items are whole batches, drawn by (seed, epoch, index) alone."""

    whole_batches = True

    def __init__(
        self,
        rooms: Sequence[RoomSpectra],
        recipe: Recipe,
        batches: int,
        training: bool,
        inputs: Sequence[str] = INPUTS,
    ) -> None:
        self.inputs = inputs
        forms = {room.rig for room in rooms}
        self.stores = [_Rooms([r for r in rooms if r.rig == form]) for form in sorted(forms)[::-1]]
        self.options = Options.of(recipe)
        if self.stores[0].bands != BANDS:
            # Only the context detector's bands are known to grow with a scene.
            self.options = replace(self.options, warp=0.0)
        self.seed, self.batch_size = recipe.seed, recipe.optim.batch_size
        self.batches, self.training = batches, training

    def __len__(self) -> int:
        return self.batches

    @property
    def positive_weight(self) -> float:
        """1: probabilities are to be calibrated, so classes keep their weight."""
        return 1.0

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        return self.draw(index, self.options, epoch)

    @property
    def places(self) -> int:
        """How many places there are in all rooms."""
        return sum(int(store.count.sum()) for store in self.stores)

    def draw(self, index: int, options: Options, epoch: int = 0) -> dict[str, torch.Tensor]:
        """Return a batch drawn with other options than the recipe's."""
        rng = np.random.default_rng([self.seed, int(self.training), epoch, index])
        return draw_batch(self.stores, rng, self.batch_size, options, self.inputs)


def context_datasets(
    data: str | Path,
    recipe: Recipe,
    front: FrontEnd = CONTEXT,
    inputs: Sequence[str] = INPUTS,
) -> tuple[ContextDataset, ContextDataset]:
    """
    Return training and validation batches of every data set in a folder, or one folder down.

    Rooms of SFS-Robot are robots' listening poses, those of SFS-Static single microphones.
    front, inputs: of the network that learns.
    """
    data = Path(data)
    rows: dict[str, list[Row]] = {'train': [], 'val': []}
    for folder, subset in campuses(data):
        splits = load_splits(folder, subset)
        for part in rows:
            rows[part] += splits[part]
        if recipe.data.test_rooms:
            rows['train'] += splits['test']
    cache = data / '.spectra'
    rooms = {part: load_rooms(rows[part], cache, front=front) for part in rows}
    if not rooms['train'] or not rooms['val']:
        raise QuietNavError(f'{data}: no rooms with two or more places to learn from')
    size = recipe.optim.batch_size
    windows = sum(room.near.size for room in rooms['train'])
    batches = max(1, recipe.data.repeat * windows // size)
    checks = max(1, sum(room.near.size for room in rooms['val']) * 2 // size)
    return (
        ContextDataset(rooms['train'], recipe, batches, True, inputs),
        ContextDataset(rooms['val'], recipe, checks, False, inputs),
    )
