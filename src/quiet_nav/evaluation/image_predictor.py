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

"""Vision models judged on the images of a data set's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Change, Predictions
from quiet_nav.evaluation.report import judge, Report
from quiet_nav.evaluation.tables import IMAGE
from quiet_nav.files.images import read_rgb
from quiet_nav.geometry import Side
from quiet_nav.perception.readings import Context
from quiet_nav.perception.sight.image_detector import ImageDetector
from quiet_nav.perception.sight.image_validity import image_fault
from quiet_nav.quiet_campus.lists import Row


class ImagePredictor:
    """
    The vision detector on each row's image, usable or not; an image named twice is read once.

    refused: share of the images that the detector would refuse on a robot.
    """

    contexts: tuple[Context, ...] = (Context.ALONE,)

    def __init__(self, path: str | Path, threads: int = 2, clips: int = 1) -> None:
        self.detector = ImageDetector.load(path, threads)
        self.refused = 0.0

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of rows; raises QuietNavError for a context or a changed window."""
        if context != Context.ALONE or change is not None:
            raise QuietNavError('a vision model sees images: no context, distractors or bands')
        seen: dict[Path, tuple[float, tuple[float, ...]]] = {}
        faults = 0
        for row in rows:
            if row.image not in seen:
                pixels = read_rgb(row.image)
                seen[row.image] = self.detector.probabilities(pixels)
                faults += bool(image_fault(pixels, self.detector.limits))
        self.refused = faults / max(len(seen), 1)
        near = np.array([seen[row.image][0] for row in rows])
        distance = np.array([seen[row.image][1] for row in rows])
        bins = self.detector.model.metadata.bins
        return Predictions(near, distance if distance.shape[1] else None, bins)


def with_images(
    report: Report, model: str | Path, rows: Sequence[Row], threads: int = 2, seed: int = 0
) -> Report:
    """
    Return a report of sound with a line of a vision model on the same places (Table 1).

    Rows of a robot's side ears are left out: its camera looks ahead.
    """
    ahead = [row for row in rows if row.near is not None and row.side in (None, Side.FRONT)]
    if not ahead:
        raise QuietNavError('no rows whose direction an image shows')
    found = ImagePredictor(model, threads).predict(ahead)
    line = judge('context', IMAGE, ahead, found, seed)
    return replace(report, lines=(*report.lines, line))
