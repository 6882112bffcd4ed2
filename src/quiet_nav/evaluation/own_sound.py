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
"""A detector where the robot itself makes noise: rendered rooms, the own sound at every level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.card import Measured, SIDES
from quiet_nav.evaluation.predictors import Predictions
from quiet_nav.evaluation.report import judge
from quiet_nav.geometry import Side
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.interference import OwnSoundPlaces
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.standing_sound import (
    band_frequencies_hz,
    band_spectrum,
    StandingSound,
)
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.simulation.campus.places import plan_room
from quiet_nav.simulation.campus.request import CampusRequest, RoomPlan
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.hearing import ears_in_room, Hearing
from quiet_nav.simulation.sound.own_sound import at_level
from quiet_nav.sound.windows import SAMPLE_RATE, Window, WINDOW_SAMPLES

SECTION = 'By how loud the robot itself is, at any heading, ears 0.15 m off center'
#: Own sound over the ambience at the ears, dB; None: none; infinite: heard alone.
LEVELS_DB: tuple[float | None, ...] = (None, -10.0, 0.0, 10.0, 20.0, np.inf)
#: Other places that references are made of, and windows of a fingerprint.
_PLACES, _FINGERPRINT_WINDOWS = 8, 4
_SILENT_DBFS = -200.0
_APART_NS = 30_000_000_000


@dataclass(frozen=True)
class HeardRoom:
    """
    One room: ambience with microphone noise, own sound at the ambience's level, noise alone.

    Each (P, E, 48000), float32; fingerprint: own sound far from walls, (E, n), at that level.
    rows[p][e]: what is asked at each pose.
    """

    rig: Rig
    ambience: np.ndarray
    own: np.ndarray
    noise: np.ndarray
    fingerprint: np.ndarray
    rows: list[list[Row]]

    def at(self, level_db: float | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Return windows (P, E, 48000) and fingerprint at a level; None where none is heard."""
        if level_db is None:
            return self.ambience, None
        if np.isinf(level_db):
            return self.own + self.noise, self.fingerprint
        gain = np.float32(10 ** (level_db / 20))
        return self.ambience + gain * self.own, gain * self.fingerprint


def heard_rooms(count: int, seed: int) -> Iterator[HeardRoom]:
    """Render rooms with robots of any make, at poses of any heading."""
    rig = str(resources.find(resources.RIG, 'trio').resolve())
    request = CampusRequest(
        'robot', count, seed, images=False, rig=rig, steady=True, plain=True, own_sound=1.0
    )
    for index in range(count):
        yield _heard_room(plan_room(request, index))


def _heard_room(room: RoomPlan) -> HeardRoom:
    scene, own = room.scene, room.scene.own
    if own is None:
        raise QuietNavError(f'room {room.name} has no robot that makes noise')
    # Fans that stop are another question.
    steady = tuple(replace(s, noise=replace(s.noise, schedule=None)) for s in own.sources)
    own = at_level(replace(own, sources=steady), 0.0)
    ambience = Hearing(replace(scene, own=None))
    alone = Hearing(replace(scene, own=own, sources=(), mic_noise_dbfs=_SILENT_DBFS))
    rng = np.random.default_rng([scene.seed, 1])
    places = [p for p in room.places if p.notes['situation'] == 'any']
    heard, emitted, rows = [], [], []
    for place in places:
        start = round(place.start_s * SAMPLE_RATE)
        heard.append(ambience.rig(room.rig, place.pose, start, WINDOW_SAMPLES))
        emitted.append(alone.rig(room.rig, place.pose, start, WINDOW_SAMPLES))
        rows.append(_rows(room.name, place.name, room.rig, place.pose, scene.room))
    noise = rng.standard_normal(np.shape(heard), np.float32)
    return HeardRoom(
        room.rig,
        np.stack(heard),
        np.stack(emitted),
        noise * np.float32(10 ** (scene.mic_noise_dbfs / 20)),
        alone.fingerprint(room.rig, 0, _FINGERPRINT_WINDOWS * WINDOW_SAMPLES),
        rows,
    )


def _rows(name: str, place: str, rig: Rig, pose: object, room: AcousticRoom) -> list[Row]:
    mics, _ = ears_in_room(rig, pose)  # type: ignore[arg-type]
    rows = []
    for ear, mic in zip(rig.ears, mics, strict=True):
        bearing = pose.yaw + ear.side.yaw_rad  # type: ignore[attr-defined]
        distance = float(room.surface_along(mic, bearing))
        audio = Path(name) / place / 'sound.wav'
        rows.append(Row(name, audio, 0.0, distance <= 0.5, distance, ear.channel, side=ear.side))
    return rows


def standing_of(rig: Rig, fingerprint: np.ndarray) -> StandingSound:
    """Return a robot's standing sound as a calibration in the open leaves it: sound (E, n)."""
    made = Fingerprint(rig.identity, 'measured', band_frequencies_hz())
    made.calibrated = True
    for i in range(fingerprint.shape[1] // WINDOW_SAMPLES):
        part = slice(i * WINDOW_SAMPLES, (i + 1) * WINDOW_SAMPLES)
        for ear, samples in zip(rig.ears, fingerprint, strict=True):
            made.learn(ear.channel, band_spectrum(samples[part]), 0.0, 1)
    nowhere = OwnSoundPlaces('measured', np.zeros((1, 3)), np.zeros(1))
    return StandingSound(rig, nowhere, made)


def read_room(
    detector: NearWallDetector, room: HeardRoom, level_db: float | None, sides: Sequence[Side]
) -> list[tuple[Row, float, tuple[float, ...]]]:
    """Return what a detector says at every pose, by ears at these sides, with all context."""
    windows, fingerprint = room.at(level_db)
    ears = [i for i, ear in enumerate(room.rig.ears) if ear.side in sides]
    rows = room.rows
    said = []
    order = np.random.default_rng(len(windows))
    spectra = [{i: detector.spectrum(windows[p, i]) for i in ears} for p in range(len(windows))]
    for p in range(len(windows)):
        reference = RoomReference()
        for other in order.permutation([q for q in range(len(windows)) if q != p])[:_PLACES]:
            for i in ears:
                reference.hear(room.rig.ears[i].channel, spectra[int(other)][i])
            reference.leave()
        standing = None if fingerprint is None else standing_of(room.rig, fingerprint)
        session = detector.session(reference=reference, standing=standing)
        listen = [
            HeardWindow(
                Window.from_samples(windows[p, i], p * _APART_NS, room.rig.ears[i].channel),
                room.rig.ears[i].side,
                room.rig.ears[i].side.yaw_rad,
                room.rig.ears[i].channel,
            )
            for i in ears
        ]
        for i, reading in zip(ears, session.read(listen), strict=True):
            near = reading.probability if reading.valid else 0.5
            said.append((rows[p][i], near, reading.distance_probabilities))
    return said


class LevelTrees:
    """
    Boosted trees for a pair with all context, fitted to each level on rooms of their own.

    Given of an ear, on groups of four of a detector's bands: its spectrum, the same less the mean
    of the ear's own at other places, less the other ear's, and the difference of both.
    """

    def __init__(
        self,
        detector: NearWallDetector,
        count: int,
        seed: int,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.detector = detector
        self._models: dict[float | None, HistGradientBoostingClassifier] = {}
        drawn: dict[float | None, list[tuple[np.ndarray, np.ndarray]]] = {}
        for number, room in enumerate(heard_rooms(count, seed), 1):
            say(f'boosted trees, room {number} of {count}')
            near = np.array([row.near for row in self._rows(room)])
            for level in LEVELS_DB:
                drawn.setdefault(level, []).append((self._features(room, level), near))
        for level, parts in drawn.items():
            say(f'boosted trees, {named(level)}')
            features, near = (np.concatenate(part) for part in zip(*parts, strict=True))
            self._models[level] = HistGradientBoostingClassifier(
                max_iter=200,
                learning_rate=0.08,
                max_leaf_nodes=15,
                l2_regularization=1.0,
                random_state=0,
            ).fit(features, near)

    def read(
        self, room: HeardRoom, level_db: float | None
    ) -> list[tuple[Row, float, tuple[float, ...]]]:
        """Return what the trees say at every pose, by both ears; of distances they say nothing."""
        near = self._models[level_db].predict_proba(self._features(room, level_db))[:, 1]
        return [(row, float(p), ()) for row, p in zip(self._rows(room), near, strict=True)]

    def _rows(self, room: HeardRoom) -> list[Row]:
        return [row for rows in room.rows for row in rows if row.side in SIDES]

    def _features(self, room: HeardRoom, level_db: float | None) -> np.ndarray:
        windows, _ = room.at(level_db)
        ears = [i for i, ear in enumerate(room.rig.ears) if ear.side in SIDES]
        heard = np.array([[self.detector.spectrum(w[i]) for i in ears] for w in windows])
        heard = heard[..., : heard.shape[-1] // 4 * 4]
        heard = heard.reshape(*heard.shape[:2], -1, 4).mean(-1)
        order = np.random.default_rng(len(windows))
        own = np.empty_like(heard)
        for p in range(len(heard)):
            others = order.permutation([q for q in range(len(heard)) if q != p])[:_PLACES]
            own[p] = heard[others].mean(0)
        change, apart = heard - own, heard - heard[:, ::-1]
        parts = [heard, change, apart, change - change[:, ::-1]]
        return np.concatenate(parts, axis=-1).reshape(len(heard) * len(ears), -1)


def measure_own_sound(
    models: Sequence[str | Path],
    count: int,
    seed: int,
    say: Callable[[str], None] = lambda text: None,
    trees: int = 0,
) -> list[Measured]:
    """
    Measure models on ``count`` rooms of robots that make noise, at each of LEVELS_DB.

    Each by the ears of a pair and of a trio; the rooms are rendered and judged one by one. trees:
    how many other rooms boosted trees learn from beside; 0 for none.
    """
    detectors = [NearWallDetector.load(path, clips=1) for path in models]
    rigs = (('pair', SIDES), ('trio', tuple(Side)))
    fitted = LevelTrees(detectors[0], trees, seed + 1, say) if trees else None
    found: dict[tuple[int, str, float | None], list[tuple[Row, float, tuple[float, ...]]]] = {}
    for number, room in enumerate(heard_rooms(count, seed), 1):
        say(f'own sound, room {number} of {count}')
        for m, detector in enumerate(detectors):
            for name, sides in rigs:
                for level in LEVELS_DB:
                    said = read_room(detector, room, level, sides)
                    said = [one for one in said if one[0].side in SIDES]
                    found.setdefault((m, name, level), []).extend(said)
        for level in LEVELS_DB if fitted else ():
            said = fitted.read(room, level)
            found.setdefault((-1, 'pair, boosted trees', level), []).extend(said)
    measured = []
    for (m, name, level), said in found.items():
        rows = [row for row, _, _ in said]
        near = np.array([near for _, near, _ in said])
        predicted = Predictions(near)
        if m >= 0:
            distance = np.array([d for _, _, d in said])
            predicted = Predictions(near, distance, detectors[m].model.metadata.bins)
        which = f'{name}, {named(level)}'
        if len(models) > 1 and m >= 0:
            which += f', {Path(models[m]).name}'
        measured.append(Measured(SECTION, judge('own sound', which, rows, predicted)))
    return measured


def named(level_db: float | None) -> str:
    """Return a level as tables have it."""
    if level_db is None:
        return 'no own sound'
    return 'own sound alone' if np.isinf(level_db) else f'own sound at {level_db:+.0f} dB'
