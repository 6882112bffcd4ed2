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

"""The baseline that the network must beat: boosted trees on 64 mel bands with the same context."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import zlib

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Change, Predictions
from quiet_nav.geometry import Side
from quiet_nav.perception.context import slot_of, SLOTS
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.logmel import log_mel, MEL_BANDS
from quiet_nav.sound.windows import WINDOW_S


class BoostedTrees:
    """
    Histogram gradient boosting on mean log-mel bands, one model a context, fitted on rows.

    Given the ear's bands, minus the mean of ``places`` other places of the room (reference), minus
    each other ear of the listen (other ears): what the detector is given, on the paper's bands.
    """

    contexts = (
        Context.ALONE,
        Context.REFERENCE,
        Context.OTHER_EARS,
        Context.REFERENCE | Context.OTHER_EARS,
    )

    def __init__(self, rows: Sequence[Row], places: int = 4, seed: int = 0) -> None:
        self.rows = [row for row in rows if row.near is not None]
        if len({bool(row.near) for row in self.rows}) < 2:
            raise QuietNavError('boosted trees need rows near a wall and rows that are not')
        self.places, self.seed = places, seed
        self._bands: dict[tuple[Path, int, float], np.ndarray] = {}
        self._models: dict[Context, tuple[object, object, np.ndarray]] = {}

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities and distance distributions of rows, as any predictor does."""
        near, distance, known = self._model(context)
        features = self._features(rows, context, change)[:, known]
        bins = np.zeros((len(rows), STANDARD_BINS.count))
        bins[:, distance.classes_] = distance.predict_proba(features)
        return Predictions(near.predict_proba(features)[:, 1], bins)

    def _model(self, context: Context):
        if context not in self._models:
            from sklearn.ensemble import HistGradientBoostingClassifier

            features = self._features(self.rows, context)
            # A pair fills one slot of three: scikit-learn refuses columns without a number.
            known = np.isfinite(features).any(axis=0)
            features = features[:, known]
            labels = np.array([bool(row.near) for row in self.rows])
            truth = np.array([row.distance_m for row in self.rows])
            near, distance = (
                HistGradientBoostingClassifier(
                    max_iter=rounds,
                    learning_rate=0.08,
                    max_leaf_nodes=15,
                    l2_regularization=1.0,
                    random_state=self.seed,
                )
                for rounds in (200, 60)
            )
            near.fit(features, labels)
            distance.fit(features, STANDARD_BINS.bin_of(truth))
            self._models[context] = near, distance, known
        return self._models[context]

    def _features(
        self, rows: Sequence[Row], context: Context, change: Change | None = None
    ) -> np.ndarray:
        listens: dict[tuple[Path, float], list[int]] = {}
        rooms: dict[str, dict[Path, list[Row]]] = {}
        for i, row in enumerate(rows):
            listens.setdefault((row.folder, row.start_s or 0.0), []).append(i)
            rooms.setdefault(row.room, {}).setdefault(row.folder, []).append(row)
        bands = [self._mean_bands(row, change) for row in rows]
        parts = 1 + bool(context & Context.REFERENCE)
        parts += len(SLOTS) * bool(context & Context.OTHER_EARS)
        out = np.full((len(rows), parts, MEL_BANDS), np.nan, np.float32)
        for indices in listens.values():
            for i in indices:
                out[i, 0] = bands[i]
                if context & Context.REFERENCE:
                    out[i, 1] = bands[i] - self._reference(rows[i], rooms[rows[i].room])
                if context & Context.OTHER_EARS:
                    for j in indices:
                        slot = slot_of(_bearing(rows[i]), _bearing(rows[j])) if j != i else None
                        if slot is not None:
                            out[i, parts - len(SLOTS) + slot] = bands[i] - bands[j]
        return out.reshape(len(rows), -1)

    def _reference(self, row: Row, room: dict[Path, list[Row]]) -> np.ndarray:
        folders = sorted(folder for folder in room if folder != row.folder)
        key = zlib.crc32(f'{row.room}/{row.folder.name}'.encode())
        order = np.random.default_rng([key, self.places]).permutation(len(folders))
        heard = [
            self._mean_bands(other)
            for i in order[: self.places]
            for other in room[folders[i]]
            if other.channel == row.channel
        ]
        return np.mean(heard, axis=0) if heard else np.full(MEL_BANDS, np.nan)

    def _mean_bands(self, row: Row, change: Change | None = None) -> np.ndarray:
        key = (row.folder, row.channel, row.start_s or 0.0)
        if change is None and key in self._bands:
            return self._bands[key]
        samples = read_audio(row, row.start_s or 0.0, WINDOW_S)
        bands = log_mel(samples if change is None else change(samples, row)).mean(0)
        if change is None:
            self._bands[key] = bands
        return bands


def _bearing(row: Row) -> float:
    return (Side.FRONT if row.side is None else row.side).yaw_rad
