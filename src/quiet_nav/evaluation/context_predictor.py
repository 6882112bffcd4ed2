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

"""The context detector on rows of a data set: other ears of the rig, other places of the room."""

from __future__ import annotations

from collections.abc import Collection, Sequence
import copy
from dataclasses import replace
import enum
import math
from pathlib import Path
import zlib

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Change, Predictions
from quiet_nav.files.sounds import read_sound
from quiet_nav.geometry import Side
from quiet_nav.perception.detector import DetectorSession, HeardWindow, NearWallDetector
from quiet_nav.perception.readings import Context, NearWallReading, Question
from quiet_nav.perception.reference import RoomReference
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import CLIPS_PER_WINDOW, SAMPLE_RATE, Window, WINDOW_S

#: Other places that the reference is made of, unless told otherwise.
PLACES = 4
_LATER_NS = 6_000_000_000


class Turn(enum.Enum):
    """What hears once more 6 s later, with the robot turned."""

    NONE = enum.auto()
    #: Every ear of the listen is the only one of its robot and turns by 180 degrees
    #: (``turned.wav``); what it hears then is context alone, nothing is asked there.
    EACH_EAR = enum.auto()
    #: The rig turns left by 90 degrees, as the follower does to look ahead (``quarter.wav``): what
    #: is said of a side is what the ear says that faces it last.
    QUARTER = enum.auto()
    #: The same, as if the robot had only listened after the turn.
    QUARTER_ALONE = enum.auto()

    @property
    def file(self) -> tuple[str, float]:
        """Return the recording of a place heard after the turn, and the turn in radians."""
        if self == Turn.EACH_EAR:
            return 'turned.wav', math.pi
        return 'quarter.wav', math.pi / 2.0


class ContextPredictor:
    """
    Runs the detector of the robot on the places of a data set.

    places: how many others of the same room make the reference, drawn by the place's own seed.
    turn: what hears once more after a turn. ears: the sides that the rig has ears at, where it has
    not all that recorded; a side without one is heard after a quarter turn or not at all (NaN).
    """

    contexts = (
        Context.ALONE,
        Context.REFERENCE,
        Context.OTHER_EARS,
        Context.REFERENCE | Context.OTHER_EARS,
    )

    def __init__(
        self,
        path: str | Path,
        threads: int = 2,
        clips: int = CLIPS_PER_WINDOW,
        places: int = PLACES,
        turn: Turn = Turn.NONE,
        ears: Collection[Side] | None = None,
    ) -> None:
        self.detector = NearWallDetector.load(path, threads, clips)
        self.metadata = self.detector.model.metadata
        self.places, self.turn, self.ears = places, turn, ears
        self._spectra: dict[tuple[Path, int], np.ndarray] = {}

    def given(
        self,
        places: int = PLACES,
        turn: Turn = Turn.NONE,
        ears: Collection[Side] | None = None,
    ) -> ContextPredictor:
        """Return the same with other context; what it knows of the rooms is shared."""
        other = copy.copy(self)
        other.places, other.turn, other.ears = places, turn, ears
        return other

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of rows; rows of one place and time are one listen."""
        listens: dict[tuple[Path, float], list[int]] = {}
        for i, row in enumerate(rows):
            listens.setdefault((row.folder, row.start_s or 0.0), []).append(i)
        rooms: dict[str, dict[Path, list[Row]]] = {}
        for row in rows:
            ears = rooms.setdefault(row.room, {}).setdefault(row.folder, [])
            if row.channel not in [r.channel for r in ears] and self._listens(row):
                ears.append(row)
        near = np.full(len(rows), np.nan)
        distance: list[tuple[float, ...]] = [()] * len(rows)
        for indices in listens.values():
            asked = [rows[i] for i in indices]
            reference = RoomReference()
            if context & Context.REFERENCE:
                self._learn(reference, asked[0], rooms[asked[0].room])
            # One microphone faces the nearest wall; the ears of a robot ask, each in its direction.
            question = Question.NEAREST if asked[0].side is None else Question.DIRECTION
            session = self.detector.session(context, reference, question=question)
            turn = self.turn if context & Context.OTHER_EARS else Turn.NONE
            for i, reading in zip(indices, self._read(session, asked, turn, change), strict=True):
                if reading is not None:
                    if reading.model_fault:
                        raise QuietNavError(f'model {self.detector.model.path}: {reading.reason}')
                    # A window that may not be used says nothing: as good as the share of positives.
                    near[i] = reading.probability if reading.valid else 0.5
                    distance[i] = reading.distance_probabilities
        bins = max(len(d) for d in distance)
        filled = np.array([d if d else (1.0 / max(bins, 1),) * bins for d in distance])
        told = self.detector.model.metadata.bins
        return Predictions(near, filled if bins else None, told)

    def _listens(self, row: Row) -> bool:
        return self.ears is None or row.side in self.ears

    def _read(
        self, session: DetectorSession, rows: Sequence[Row], turn: Turn, change: Change | None
    ) -> list[NearWallReading | None]:
        """Return what is said of the sides of one listen's rows; None of a side that none heard."""
        ears = [row for row in rows if self._listens(row)]
        first = [self._heard(row, change) for row in ears]
        if turn == Turn.NONE:
            said = session.read(first)
        else:
            later = [self._turned(row, h, turn) for row, h in zip(ears, first, strict=True)]
            if turn == Turn.EACH_EAR:
                said = [session.read(pair)[0] for pair in zip(first, later, strict=True)]
            elif turn == Turn.QUARTER_ALONE:
                said = session.read(later)
            else:
                # As ``perception.place``: what is heard again is not learned again.
                session.read(first)
                said = session.read([*(replace(h, learn=False) for h in first), *later])
        if turn in (Turn.QUARTER, Turn.QUARTER_ALONE):
            newest = {reading.side: reading for reading in said}
            return [newest.get(row.side) for row in rows]
        left = iter(said)
        return [next(left) if self._listens(row) else None for row in rows]

    def _heard(self, row: Row, change: Change | None) -> HeardWindow:
        samples = read_audio(row, row.start_s or 0.0, WINDOW_S)
        if change is not None:
            samples = change(samples, row)
        side = Side.FRONT if row.side is None else row.side
        window = Window.from_samples(
            samples, round((row.start_s or 0.0) * 1e9), max(row.channel, 0)
        )
        return HeardWindow(window, side, side.yaw_rad, max(row.channel, 0))

    def _turned(self, row: Row, heard: HeardWindow, turn: Turn) -> HeardWindow:
        name, turn_rad = turn.file
        path = row.folder / name
        if not path.is_file():
            raise QuietNavError(
                f'{path}: missing; turning needs a campus of kind robot by this version'
            )
        audio, rate = read_sound(path)
        if rate != SAMPLE_RATE:
            raise QuietNavError(f'{path}: {rate} Hz, expected {SAMPLE_RATE}')
        window = Window.from_samples(
            audio[:, heard.ear], heard.window.start_ns + _LATER_NS, heard.ear
        )
        side = Side.nearest(heard.side.yaw_rad + turn_rad)
        return HeardWindow(window, side, side.yaw_rad, heard.ear)

    def _learn(self, reference: RoomReference, row: Row, room: dict[Path, list[Row]]) -> None:
        folders = sorted(folder for folder in room if folder != row.folder)
        key = zlib.crc32(f'{row.room}/{row.folder.name}'.encode())
        rng = np.random.default_rng([key, self.places])
        for i in rng.permutation(len(folders))[: self.places]:
            for ear in room[folders[i]]:
                reference.hear(max(ear.channel, 0), self._spectrum(ear))
            reference.leave()

    def _spectrum(self, row: Row) -> np.ndarray:
        """Return the log spectrum that the model's own front end gives for a place."""
        key = (row.folder, row.channel)
        if key not in self._spectra:
            window = read_audio(row, row.start_s or 0.0, WINDOW_S)
            self._spectra[key] = self.detector.spectrum(window)
        return self._spectra[key]
