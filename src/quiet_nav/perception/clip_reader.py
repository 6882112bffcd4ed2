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

"""Reading windows clip by clip: which clips, what the network says of each, and which it said."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quiet_nav.sound.windows import clip_batch, clip_starts, sample_at, Window

Run = Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True)
class ClipsRead:
    """near: probability of each clip of a window, (clips,); distance: (clips, bins)."""

    near: np.ndarray
    distance: np.ndarray


@dataclass(frozen=True)
class _Read:
    samples: bytes
    near: np.ndarray
    distance: np.ndarray


class ClipReader:
    """
    Asks a network of single clips about windows; a clip heard again is not asked about again.

    Windows that follow one another closely share most of their clips, to the sample
    (``clip_starts``): of 20 clips, at two windows a second, 15. They are compared to the bit, so
    that what is returned is what the network says of these very clips. run: takes ``waveform``
    (N, 15360), gives near (N,) and, where it has one, distance (N, bins). rng: clips are drawn at
    random from it; none is heard again then.
    """

    def __init__(self, run: Run, clips: int, rng: np.random.Generator | None = None) -> None:
        self._run, self._clips, self._rng = run, clips, rng
        self._known: dict[Hashable, dict[int, _Read]] = {}

    def read(self, windows: Sequence[Window], ears: Sequence[Hashable]) -> list[ClipsRead]:
        """Return what the network says of every clip of each window; ``ears``: whose they are."""
        asked = [self._clips_of(window) for window in windows]
        known = [self._still_known(ear, clips) for ear, clips in zip(ears, asked, strict=True)]
        missing = [
            (i, at)
            for i, clips in enumerate(asked)
            for at, clip in enumerate(clips)
            if known[i][at] is None
        ]
        if missing:
            batch = np.stack([asked[i][at][1] for i, at in missing])
            near, *distance = self._run({'waveform': batch})
            bins = distance[0] if distance else np.zeros((len(near), 0), np.float32)
            for (i, at), one, other in zip(missing, near, bins, strict=True):
                known[i][at] = _Read(asked[i][at][1].tobytes(), one, other)
        if self._rng is None:
            kept: dict[Hashable, dict[int, _Read]] = {ear: {} for ear in ears}
            for ear, clips, read in zip(ears, asked, known, strict=True):
                for (first, _), found in zip(clips, read, strict=True):
                    if found is not None:
                        kept[ear][first] = found
            self._known |= kept
        return [
            ClipsRead(
                np.array([one.near for one in read if one is not None]),
                np.stack([one.distance for one in read if one is not None]),
            )
            for read in known
        ]

    def _clips_of(self, window: Window) -> list[tuple[int, np.ndarray]]:
        """Return every clip with the number of its first sample since time 0."""
        starts = clip_starts(len(window.samples), self._clips, self._rng, window.start_ns)
        first = sample_at(window.start_ns)
        return [
            (first + int(start), clip)
            for start, clip in zip(starts, clip_batch(window.samples, starts), strict=True)
        ]

    def _still_known(
        self, ear: Hashable, clips: Sequence[tuple[int, np.ndarray]]
    ) -> list[_Read | None]:
        kept = self._known.get(ear, {}) if self._rng is None else {}
        found = [kept.get(first) for first, _ in clips]
        return [
            one if one is not None and one.samples == clip.tobytes() else None
            for one, (_, clip) in zip(found, clips, strict=True)
        ]
