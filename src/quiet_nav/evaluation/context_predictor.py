"""The context detector on rows of a data set: other ears of the rig, other places of the room."""

from __future__ import annotations

import copy
import enum
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Change, Predictions
from quiet_nav.geometry import Side
from quiet_nav.perception.context import BANDS, SLOTS, clip_weights
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.perception.readings import Context, Question
from quiet_nav.perception.reference import RoomReference
from quiet_nav.recordings.quiet_campus import Row
from quiet_nav.recordings.row_files import read_audio
from quiet_nav.sound.windows import CLIPS_PER_WINDOW, SAMPLE_RATE, WINDOW_S, Window

#: Other places that the reference is made of, unless told otherwise.
PLACES = 4
_LATER_NS = 6_000_000_000


class Turn(enum.Enum):
    """What hears once more 6 s later, turned by 180 degrees (``turned.wav``)."""

    NONE = enum.auto()
    #: Every ear of the listen is the only one of its robot.
    EACH_EAR = enum.auto()
    #: All ears that listened, so that what none of them faced is heard, too.
    RIG = enum.auto()


class ContextPredictor:
    """Runs the detector of the robot on the places of a data set.

    places: how many others of the same room make the reference, drawn by the place's own seed.
    turn: what hears once more after a turn; its windows are context alone, nothing is asked there.
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
    ) -> None:
        self.detector = NearWallDetector.load(path, threads, clips)
        self.metadata = self.detector.model.metadata
        self.places, self.turn = places, turn
        self._spectra: dict[tuple[Path, int], np.ndarray] = {}

    def given(self, places: int = PLACES, turn: Turn = Turn.NONE) -> ContextPredictor:
        """Return the same with other context; what it knows of the rooms is shared."""
        other = copy.copy(self)
        other.places, other.turn = places, turn
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
            if row.channel not in [r.channel for r in ears]:
                ears.append(row)
        near = np.full(len(rows), np.nan)
        distance: list[tuple[float, ...]] = [()] * len(rows)
        for indices in listens.values():
            heard = [self._heard(rows[i], change) for i in indices]
            reference = RoomReference()
            if context & Context.REFERENCE:
                self._learn(reference, rows[indices[0]], rooms[rows[indices[0]].room])
            # One microphone faces the nearest wall; the ears of a robot ask, each in its direction.
            single = rows[indices[0]].side is None
            question = Question.NEAREST if single else Question.DIRECTION
            session = self.detector.session(context, reference, question=question)
            turns = self.turn if context & Context.OTHER_EARS else Turn.NONE
            later = []
            if turns != Turn.NONE:
                later = [self._turned(rows[i], h) for i, h in zip(indices, heard, strict=True)]
            if turns == Turn.EACH_EAR:
                read = [session.read(pair)[0] for pair in zip(heard, later, strict=True)]
            else:
                read = session.read([*heard, *later])[: len(heard)]
            for i, reading in zip(indices, read, strict=True):
                # A window that may not be used says nothing: as good as the share of positives.
                near[i] = reading.probability if reading.valid else 0.5
                distance[i] = reading.distance_probabilities
        bins = max(len(d) for d in distance)
        filled = np.array([d if d else (1.0 / max(bins, 1),) * bins for d in distance])
        return Predictions(near, filled if bins else None)

    def _heard(self, row: Row, change: Change | None) -> HeardWindow:
        samples = read_audio(row, row.start_s or 0.0, WINDOW_S)
        if change is not None:
            samples = change(samples, row)
        side = Side.FRONT if row.side is None else row.side
        window = Window.from_samples(
            samples, round((row.start_s or 0.0) * 1e9), max(row.channel, 0)
        )
        return HeardWindow(window, side, side.yaw_rad, max(row.channel, 0))

    def _turned(self, row: Row, heard: HeardWindow) -> HeardWindow:
        path = row.folder / 'turned.wav'
        if not path.is_file():
            raise QuietNavError(f'{path}: missing; turning needs a campus of kind robot')
        audio, rate = soundfile.read(path, dtype='float32', always_2d=True)
        if rate != SAMPLE_RATE:
            raise QuietNavError(f'{path}: {rate} Hz, expected {SAMPLE_RATE}')
        window = Window.from_samples(
            audio[:, heard.ear], heard.window.start_ns + _LATER_NS, heard.ear
        )
        side = heard.side.opposite
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
            window = read_audio(row, row.start_s or 0.0, WINDOW_S)[None]
            feeds = {
                'waveform': np.ascontiguousarray(window, np.float32),
                'clip_weights': clip_weights(1)[:1],
                'reference': np.zeros((1, BANDS), np.float32),
                'has_reference': np.zeros(1, np.float32),
                'others': np.full((1, len(SLOTS)), -1, np.int64),
                'simultaneous': np.zeros((1, len(SLOTS)), np.float32),
                **self.detector.asked(Question.DIRECTION, 1),
            }
            self._spectra[key] = self.detector.model.session.run(['spectrum'], feeds)[0][0]
        return self._spectra[key]
