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
Listens drawn from the transfers of rooms: sources, levels, times, ears and context, ever anew.

A window's spectra are what averages of Gaussian noise of these densities are (``averages``), so
that no sound need be rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, file_format
from quiet_nav.learning.detectors.near_wall.averages import Averages, draw_averages
from quiet_nav.learning.detectors.near_wall.source_spectra import (
    draw_spectra,
    smooth_curves,
    SourceSpectra,
)
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.bands import BANDS, centers_hz, edges_bins, OWN_BANDS, own_bands
from quiet_nav.perception.context import FRAME_SAMPLES, slot_of, SLOTS
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.reference import shared_reference
from quiet_nav.quiet_campus.transfers import PAIRS, RoomTransfers

#: Rigs that are drawn: one ear that turns, two at the sides, all that there are.
SINGLE, PAIR, ALL = range(3)
#: Windows of a place: now, 6 s later, 6 s later and turned by 180 degrees.
MOMENTS = 3
_NEPER = np.log(10.0) / 10.0
#: What the front end makes of noise of unit density, log power.
_FRAME_LEVEL = np.log(1.5 / FRAME_SAMPLES)
#: Averages and scenes whose spectra are drawn beforehand.
_AVERAGES, _SCENES = 256, 150
#: Places nearer to a wall do not teach a fingerprint.
_FAR_M = 0.7
_LEAST_FAR, _MOST_FAR = 3, 10
#: The ear asked about first, then the others in order.
_ORDER = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1]])
_CENTERS = centers_hz()
_EDGES = edges_bins()


@file_format
@dataclass(frozen=True)
class Options:
    """How listens are drawn; ``recipe.network.options`` may set any of these by name."""

    #: Examples of one room with the same sources.
    scene: int = 16
    #: Shares of one ear that turns, a pair, all ears.
    rigs: tuple[float, float, float] = (0.25, 0.35, 0.4)
    #: Share of single ears that are asked about the nearest wall.
    nearest: float = 0.12
    #: Of listens seen through one clip instead of the whole window.
    clip_share: float = 0.2
    #: Share of scenes in which the robot is heard ...
    own_sound: float = 0.68
    #: ... so many dB over the ambience at its ears, far from walls (least, most).
    own_level_db: tuple[float, float] = (-15.0, 25.0)
    #: Share of scenes in which it is heard alone.
    silent_rooms: float = 0.18
    #: How far it changes from place to place at most, standard deviation.
    own_drift_db: float = 1.5
    #: Of the ambience (least, most).
    level_dbfs: tuple[float, float] = (-50.0, -35.0)
    #: Of the microphones (least, most).
    mic_noise_dbfs: tuple[float, float] = (-75.0, -62.0)
    #: Share of sources with hum.
    hum: float = 0.5
    #: Share of sources that come and go.
    switching: float = 0.1
    #: Share of scenes whose sources drift.
    drifting: float = 0.4
    #: Spread of the ears' gains, dB.
    gain_db: float = 3.0
    #: Of the ears' responses, nepers.
    mismatch: float = 0.05
    #: Of the sources' color between listens, nepers.
    change: float = 0.15
    #: Share of listens whose reference is withheld.
    drop_reference: float = 0.2
    #: The same of the other ears.
    drop_others: float = 0.15
    #: The same of what was heard ahead.
    drop_ahead: float = 0.3
    #: Share of references of places like the one asked about.
    alike: float = 0.4
    #: Fewest places in a reference.
    least_places: int = 1
    #: Most places in a reference.
    most_places: int = 20
    #: Share of the third ear as the one asked about where all are there.
    ahead: float = 0.33
    #: Share of listens with all ears where the rig turns by 180 degrees and listens again.
    look: float = 0.3
    #: Share of listens whose coherence between the ears is given.
    coherence: float = 0.85
    #: Up to so many microseconds an ear is late.
    delay_us: float = 20.0
    #: Share of noisy robots with one.
    fingerprint: float = 0.7
    #: Share of fingerprints made on purpose in the open.
    calibrated: float = 0.6
    #: Up to so many nepers such a fingerprint is off.
    aged: float = 0.15

    @classmethod
    def of(cls, recipe: Recipe) -> Options:
        """Read a recipe's options; QuietNavError names what is not known."""
        values = {k: v for k, v in recipe.network.options.items() if k != 'dropout'}
        return checked(cls, values, f'recipe {recipe.name}: options')


class Remix:
    """
    Rooms from which listens are drawn; all of one rig.

    seed: of the spectra and averages drawn beforehand. like: takes those over from another one.
    """

    def __init__(
        self, rooms: Sequence[RoomTransfers], seed: int, like: Remix | None = None
    ) -> None:
        if not rooms:
            raise QuietNavError('no transfers of rooms to draw from')
        self.rooms = rooms
        self.bearing = rooms[0].bearing_rad
        self.ears = len(self.bearing)
        if self.ears != 3 or any(not np.array_equal(r.bearing_rad, self.bearing) for r in rooms):
            raise QuietNavError('transfers of three ears, of the same rig all of them, expected')
        rng = np.random.default_rng([seed, 0xA7E])
        self.spectra: SourceSpectra = like.spectra if like else draw_spectra(seed, _SCENES)
        self.averages: tuple[Averages, Averages] = (
            like.averages if like else draw_averages(rng, _AVERAGES)
        )
        #: Mean power of each kind of sound in a room, and the bins of every band.
        self.means = [r.power.astype(np.float32).mean((0, 1, 3)) for r in rooms]
        #: slots[e, o]: which slot of ear e ear o fills; turned[e, o]: once turned by 180 degrees.
        self.slots = self._slots(0.0)
        self.turned = self._slots(np.pi)

    def _slots(self, turn: float) -> np.ndarray:
        slots = np.full((self.ears, self.ears), -1)
        for e in range(self.ears):
            for o in range(self.ears):
                slot = slot_of(self.bearing[e], self.bearing[o] + turn)
                slots[e, o] = -1 if slot is None else slot
        return slots

    @property
    def places(self) -> int:
        """How many places there are in all rooms."""
        return sum(len(room.power) for room in self.rooms)

    def draw(self, rng: np.random.Generator, size: int, options: Options) -> dict[str, np.ndarray]:
        """Return ``size`` examples as float32 arrays, named as the network's inputs."""
        drawn = []
        while size > 0:
            count = min(size, options.scene)
            which = int(rng.integers(len(self.rooms)))
            scene = _Scene(self, which, rng, options)
            drawn.append(scene.examples(count))
            size -= count
        return {name: np.concatenate([d[name] for d in drawn]) for name in drawn[0]}


class _Scene:
    """A room with what sounds in it, and a rig: everything that its examples share."""

    def __init__(
        self, remix: Remix, which: int, rng: np.random.Generator, options: Options
    ) -> None:
        self.remix, self.rng, self.options = remix, rng, options
        self.room = remix.rooms[which]
        self.poses = len(self.room.power)
        self._draw_sources(which)
        ears = remix.ears
        gain = rng.uniform(-options.gain_db, options.gain_db, (ears, 1)) * _NEPER
        curve = options.mismatch * rng.uniform(0.0, 2.0) * smooth_curves(rng, ears)
        #: Of every ear, log power (E, B).
        self.gain = (gain + curve).astype(np.float32)
        noise_db = rng.uniform(*options.mic_noise_dbfs)
        self.floor = np.float32(10 ** (noise_db / 10))
        self._course()
        density = self._density(np.arange(self.poses), 0)
        #: Of all places at the first heading, log power (P, E, B).
        self.heard = np.log(density * self._noise(self.poses, ears)) + self.gain
        self.fingerprint = self._fingerprint()

    def _draw_sources(self, which: int) -> None:
        """Draw densities (V', B) of the kinds that sound, ``active`` among the room's."""
        rng, options, room = self.rng, self.options, self.room
        own = int(room.own) // 2
        ambient = (room.power.shape[2] - 2 * own) // 2
        level = rng.random()
        noisy, alone = level < options.own_sound, level < options.silent_rooms
        base = 10 ** (rng.uniform(*options.level_dbfs) / 10)
        active: list[int] = []
        densities: list[np.ndarray] = []
        source: list[int] = []
        bins = np.diff(_EDGES) / (FRAME_SAMPLES // 2)
        if not alone:
            order = rng.permutation(ambient)[: rng.integers(1, ambient + 1)]
            loud = rng.uniform(-12.0, 0.0, len(order))
            self._add(order, room.scale[: 2 * ambient], loud, options.hum, (-15.0, 0.0),
                      self.remix.spectra.ambient, active, densities, source)  # fmt: skip
            means = self.remix.means[which][active]
            total = float((np.stack(densities) * means * bins).sum())
            for density in densities:
                density *= base / max(total, 1e-30)
        self.tonal = [v >= ambient for v in active]
        count = len(active)
        self.own_first = count
        self.noisy = noisy
        if noisy:
            loud = np.concatenate([[0.0], rng.uniform(-8.0, 0.0, own - 1)])
            at: list[int] = []
            self._add(np.arange(own), room.scale[2 * ambient :], loud, 0.85, (-15.0, 3.0),
                      self.remix.spectra.own, at, densities, source)  # fmt: skip
            free = room.free.astype(np.float32)[at]
            emitted = np.stack(densities[count:])
            total = float((emitted[:, None] * free * bins).sum() / self.remix.ears)
            wanted = base * 10 ** (rng.uniform(*options.own_level_db) / 10)
            for density in densities[count:]:
                density *= wanted / max(total, 1e-30)
            self.free = np.einsum('vb,veb->eb', np.stack(densities[count:]), free)
            active += [2 * ambient + v for v in at]
            self.tonal += [v >= own for v in at]
            source[count:] = [1000 + s for s in source[count:]]
        self.active = np.array(active)
        self.density = np.stack(densities).astype(np.float32)
        self.source = np.array(source)
        self.base = base

    def _add(
        self,
        which: np.ndarray,
        scale: np.ndarray,
        level_db: np.ndarray,
        tones_share: float,
        tones_db: tuple[float, float],
        spectra: np.ndarray,
        active: list[int],
        densities: list[np.ndarray],
        source: list[int],
    ) -> None:
        """
        Draw the noise, and perhaps the tones, of each of some sources.

        scale: of the transfers of all of them, noise first.
        """
        rng, tones_at = self.rng, len(scale) // 2
        for s, db in zip(which.tolist(), level_db.tolist(), strict=True):
            loud = 10 ** (db / 10)
            active.append(s)
            densities.append(spectra[rng.integers(len(spectra))] * loud * scale[s])
            source.append(s)
            if rng.random() < tones_share:
                active.append(tones_at + s)
                tones = loud * 10 ** (rng.uniform(*tones_db) / 10) * scale[tones_at + s]
                densities.append(np.full(BANDS, tones, np.float32))
                source.append(s)

    def _course(self) -> None:
        """Draw how loud every kind is at each place and moment, (P, M, V')."""
        rng, options = self.rng, self.options
        names, where = np.unique(self.source, return_inverse=True)
        own = names >= 1000
        shape = (self.poses, MOMENTS, len(names))
        drifts = rng.uniform(0.2, 1.4, len(names)) * (rng.random() < options.drifting)
        drifts = np.where(own, rng.uniform(0.1, options.own_drift_db, len(names)), drifts)
        slow = np.repeat(rng.standard_normal((shape[0], 1, shape[2])), MOMENTS, axis=1)
        level = drifts * (0.95 * slow + 0.3 * rng.standard_normal(shape))
        on = np.ones(shape, bool)
        for s in np.flatnonzero(~own):
            if rng.random() < options.switching and (~own).sum() > 1:
                off = rng.random(shape[0]) < rng.uniform(0.15, 0.5)
                on[:, :, s] = ~off[:, None] ^ (rng.random(shape[:2]) < 0.1)
        course = 10 ** (level / 10) * np.where(on, 1.0, 1e-6)
        self.course = course[:, :, where].astype(np.float32)

    def _density(self, place: np.ndarray, moment: int) -> np.ndarray:
        """Return the density at the ears at places at a moment, (n, E, B)."""
        heading = int(moment == MOMENTS - 1)
        power = self.room.power[place, heading][:, self.active].astype(np.float32)
        weight = self.course[place, moment][:, :, None] * self.density
        return np.einsum('nvb,nveb->neb', weight, power, optimize=False) + self.floor

    def _noise(self, count: int, ears: int) -> np.ndarray:
        """Return what averages over whole windows are to their means, (count, ears, B)."""
        whole = self.remix.averages[0].power
        return whole[self.rng.integers(len(whole), size=count)][:, :ears]

    def _fingerprint(self) -> np.ndarray | None:
        """Return log power of the own sound far from walls as it is known, (E, own bands)."""
        rng, options, ears = self.rng, self.options, self.remix.ears
        if not self.noisy or rng.random() >= options.fingerprint:
            return None
        if rng.random() < options.calibrated:
            density = self.free * 10 ** (rng.normal(0.0, 0.1)) + self.floor
            if rng.random() < 0.5:
                # It was made in a room with some sound of its own.
                ambient = self.remix.spectra.ambient
                spectrum = ambient[rng.integers(len(ambient))]
                share = 10 ** (rng.uniform(-30.0, -5.0) / 10)
                bins = np.diff(_EDGES) / (FRAME_SAMPLES // 2)
                density = density + spectrum * share * (self.free * bins).sum(-1).mean()
            known = np.log(own_bands(density * np.exp(self.gain)))
            known = known + 0.05 * rng.standard_normal(known.shape)
        else:
            far = self.room.distance_m[:, 0] > _FAR_M
            count = int(rng.integers(_LEAST_FAR, _MOST_FAR + 1))
            if far.sum(0).min() < _LEAST_FAR:
                return None
            rows = []
            for ear in range(ears):
                places = rng.permutation(np.flatnonzero(far[:, ear]))[:count]
                rows.append(np.median(np.log(own_bands(np.exp(self.heard[places, ear]))), axis=0))
            known = np.stack(rows)
        aged = rng.uniform(0.0, options.aged) * smooth_curves(rng)[None]
        return (known + np.log(own_bands(np.exp(aged))) + _FRAME_LEVEL).astype(np.float32)

    def examples(self, count: int) -> dict[str, np.ndarray]:
        """Return that many examples."""
        rng, options, room = self.rng, self.options, self.room
        ears = self.remix.ears
        place = rng.integers(self.poses, size=count)
        moment = rng.integers(MOMENTS, size=count)
        rig = rng.choice(3, size=count, p=options.rigs)
        nearest = rng.random(count) < options.nearest
        rig = np.where(nearest, SINGLE, rig)
        side = rng.integers(2, size=count)
        ahead = np.where(rng.random(count) < options.ahead, 2, side)
        ear = np.choose(rig, (rng.integers(ears, size=count), side, ahead))
        clip = rng.random(count) < options.clip_share
        heading = (moment == MOMENTS - 1).astype(int)
        order = _ORDER[ear]
        power, cross, tonal = self._listen(place, moment, heading, order)
        measured, between, steadiness = self._measured(power, cross, tonal, clip)
        gain = self.gain[order]
        loud = np.log(measured) + gain
        references, own_references, known = self._references(place, ear, rig)
        others = self._others(place, moment, heading, ear, order, rig, nearest, loud)
        slots = {name: np.zeros((count, len(SLOTS), BANDS), np.float32) for name in
                 ('others', 'other_references', 'other_own_references')}  # fmt: skip
        prints = np.zeros((count, len(SLOTS), OWN_BANDS), np.float32)
        coherences = np.zeros((count, len(SLOTS), 2, BANDS), np.float32)
        has_other, simultaneous = (np.zeros((count, len(SLOTS)), np.float32) for _ in range(2))
        given = rng.random(count) < options.coherence
        late = rng.uniform(-options.delay_us, options.delay_us, (count, ears)) * 1e-6
        for i in range(count):
            for slot, (o, spectrum, at_once) in others[i].items():
                slots['others'][i, slot] = spectrum
                slots['other_references'][i, slot] = references[i, o]
                slots['other_own_references'][i, slot] = own_references[i, o]
                has_other[i, slot], simultaneous[i, slot] = 1.0, at_once
                if self.fingerprint is not None:
                    prints[i, slot] = self.fingerprint[o]
                if at_once and given[i]:
                    k = int(np.flatnonzero(order[i] == o)[0])
                    phase = np.exp(2j * np.pi * _CENTERS * (late[i, k] - late[i, 0]))
                    alike = between[i, k - 1] * phase
                    coherences[i, slot] = alike.real, alike.imag
        slots['other_references'] *= known[:, None, None]
        slots['other_own_references'] *= known[:, None, None]
        index = np.arange(count)
        distance = np.where(nearest, room.nearest_m[place, heading, ear],
                            room.distance_m[place, heading, ear])  # fmt: skip
        has_print = np.full(count, self.fingerprint is not None, np.float32)
        own_print = np.zeros((count, OWN_BANDS), np.float32)
        if self.fingerprint is not None:
            own_print[:] = self.fingerprint[ear]
        shift = np.float32(_FRAME_LEVEL)
        there = has_other[:, :, None]
        return {
            'spectrum': (loud[:, 0] + shift).astype(np.float32),
            'steadiness': steadiness.astype(np.float32),
            'reference': (references[index, ear] + shift) * known[:, None],
            'own_reference': (own_references[index, ear] + shift) * known[:, None],
            'has_reference': known,
            'fingerprint': own_print,
            'has_fingerprint': has_print,
            'others': (slots['others'] + shift) * there,
            'other_references': (slots['other_references'] + shift) * there * known[:, None, None],
            'other_own_references': (slots['other_own_references'] + shift)
            * there
            * known[:, None, None],
            'other_fingerprints': prints,
            'has_other': has_other,
            'simultaneous': simultaneous,
            'nearest': nearest.astype(np.float32),
            'coherences': coherences,
            'near': (distance <= NEAR_WALL_M).astype(np.float32),
            'distance_bin': STANDARD_BINS.bin_of(distance),
        }

    def _listen(
        self, place: np.ndarray, moment: np.ndarray, heading: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return density (n, 3, B), cross density (n, 3, B) and the tones' share, asked first."""
        index = np.arange(len(place))[:, None]
        weight = self.course[place, moment][:, :, None] * self.density
        at = (place[:, None], heading[:, None], self.active[None])
        power = self.room.power[at].astype(np.float32) * weight[:, :, None]
        tonal = power[:, self.tonal].sum(1)
        power = power.sum(1) + self.floor
        cross = np.einsum('nvb,nvpcb->npcb', weight, self.room.cross[at].astype(np.float32))
        complex_cross = cross[:, :, 0] + 1j * cross[:, :, 1]
        full = np.zeros((len(place), 3, 3, power.shape[-1]), complex)
        for p, (one, other) in enumerate(PAIRS):
            full[:, one, other] = complex_cross[:, p]
            full[:, other, one] = complex_cross[:, p].conj()
        ordered = np.stack(
            [full[index[:, 0], order[:, one], order[:, other]] for one, other in PAIRS], 1
        )
        return power[index, order], ordered, (tonal[index, order] / power[index, order])

    def _measured(
        self, power: np.ndarray, cross: np.ndarray, tonal: np.ndarray, clip: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what averages give: power (n, 3, B), coherence (n, 2, B), steadiness (n, B)."""
        rng = self.rng
        both = []
        for averages in self.remix.averages:
            which = rng.integers(len(averages.power), size=len(power))
            found, between = averages.mixed(which, power, cross)
            both.append((found, between, averages.steadiness[which]))
        (found, between, steady), short = both
        found = np.where(clip[:, None, None], short[0], found)
        between = np.where(clip[:, None, None], short[1], between)
        steady = np.where(clip[:, None], short[2], steady)
        # Tones do not fluctuate: a sum of both does as Rician amplitudes do.
        calm = np.sqrt(1.0 - np.minimum(tonal, 1.0) ** 2)
        level = np.log(np.maximum(found, 1e-30) / power)
        steady = steady * calm[:, 0] ** 2
        if rng.random() < 0.3:
            # Clocks and water are less steady than noise.
            steady = steady + rng.uniform(0.0, 0.3) * np.abs(smooth_curves(rng))
        between = between / np.sqrt(found[:, :1] * found[:, 1:])
        return power * np.exp(level * calm), between, steady

    def _others(
        self,
        place: np.ndarray,
        moment: np.ndarray,
        heading: np.ndarray,
        ear: np.ndarray,
        order: np.ndarray,
        rig: np.ndarray,
        nearest: np.ndarray,
        loud: np.ndarray,
    ) -> list[dict[int, tuple[int, np.ndarray, float]]]:
        """Return for each example which ear fills a slot, with what it heard, and if at once."""
        rng, options, remix = self.rng, self.options, self.remix
        count = len(place)
        again = np.where(moment == MOMENTS - 1, rng.integers(2, size=count), MOMENTS - 1)
        looks = (rig == SINGLE) | ((rig == ALL) & (rng.random(count) < options.look))
        later = np.zeros_like(loud)
        for heading_then in (0, 1):
            some = np.flatnonzero(looks & (heading == 1 - heading_then) & ~nearest)
            if len(some):
                weight = self.course[place[some], again[some]][:, :, None] * self.density
                power = self.room.power[place[some], heading_then][:, self.active]
                density = np.einsum('nvb,nveb->neb', weight, power.astype(np.float32))
                noise = self._noise(len(some), remix.ears)
                change = rng.uniform(0.0, options.change) * smooth_curves(rng, len(some))
                heard = np.log((density + self.floor) * noise) + self.gain + change[:, None]
                later[some] = heard
        found: list[dict[int, tuple[int, np.ndarray, float]]] = []
        drops, withheld = rng.random((count, len(SLOTS))), rng.random(count)
        for i in range(count):
            filled: dict[int, tuple[int, np.ndarray, float]] = {}
            found.append(filled)
            if nearest[i] or withheld[i] < options.drop_others:
                continue
            if rig[i] != SINGLE:
                for k in range(1, 3):
                    o = int(order[i, k])
                    if rig[i] == PAIR and o > 1:
                        continue
                    slot = int(remix.slots[ear[i], o])
                    if slot >= 0:
                        filled[slot] = o, loud[i, k], 1.0
            if looks[i]:
                for o in [int(ear[i])] if rig[i] == SINGLE else range(remix.ears):
                    slot = int(remix.turned[ear[i], o])
                    if slot >= 0 and slot not in filled:
                        filled[slot] = o, later[i, o], 0.0
            for slot in list(filled):
                if slot > 0 and drops[i, slot] < options.drop_ahead:
                    del filled[slot]
        return found

    def _references(
        self, place: np.ndarray, ear: np.ndarray, rig: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return shared and own references (n, E, B), and whether there is one, (n,)."""
        rng, options = self.rng, self.options
        count = len(place)
        score = rng.random((count, self.poses))
        # A robot that follows a wall has heard many places like this one.
        distance = self.room.distance_m[:, 0]
        apart = np.abs(distance[:, ear].T - distance[place, ear][:, None])
        alike = np.where(rng.random((count, 1)) < options.alike, 2.0, 0.0)
        score += alike * np.exp(-apart / 0.4)
        score[np.arange(count), place] = -1.0
        most = min(self.poses - 1, options.most_places)
        least = min(options.least_places, most)
        number = np.exp(rng.uniform(np.log(least), np.log(most + 0.999), count)).astype(int)
        rank = np.argsort(np.argsort(-score, axis=1), axis=1)
        weight = (rank < number[:, None]).astype(np.float32)
        weight /= weight.sum(1, keepdims=True)
        own = np.einsum('np,peb->neb', weight, self.heard, optimize=True)
        share = np.ones((count, self.remix.ears), np.float32)
        share[rig == PAIR, 2] = 0.0
        share[rig == SINGLE] = 0.0
        share[rig == SINGLE, ear[rig == SINGLE]] = 1.0
        pooled = shared_reference(own, share)
        strength = rng.uniform(0.0, options.change, (count, 1, 1)) * (
            rng.random((count, 1, 1)) < 0.5
        )
        change = strength * smooth_curves(rng, count)[:, None]
        known = (rng.random(count) >= options.drop_reference).astype(np.float32)
        return (pooled + change).astype(np.float32), (own + change).astype(np.float32), known
