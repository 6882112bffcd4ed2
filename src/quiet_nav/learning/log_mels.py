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

"""Log-mels of whole recordings, made once: a training cuts its clips out of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
import contextlib
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import duration_s, read_audio
from quiet_nav.sound.logmel import HOP_SAMPLES, log_mel
from quiet_nav.sound.windows import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE

CLIP_FRAMES = CLIP_SAMPLES // HOP_SAMPLES
FRAMES_PER_S = SAMPLE_RATE // HOP_SAMPLES
#: Folder beside ``ProcessedData`` that keeps log-mels and squeezed images.
CACHE = '.views'


class LogMels:
    """
    Log-mels of whole recordings, computed once, kept on disk as float16 and in memory.

    A clip cut out of one differs from the log-mel of the clip alone in its first and last frame
    only (neighbors there, mirrored audio here).
    """

    def __init__(self, megabytes: int) -> None:
        self.budget, self.used = megabytes * 2**20, 0
        self.kept: OrderedDict[tuple[Path, int], np.ndarray] = OrderedDict()

    def whole(self, row: Row) -> np.ndarray:
        """Return float16, shape (frames, 64), of a row's recording, at least one clip long."""
        key = (row.audio, row.channel)
        found = self.kept.get(key)
        if found is None:
            found = self._load(row)
            self.kept[key] = found
            self.used += found.nbytes
            while self.used > self.budget and len(self.kept) > 1:
                self.used -= self.kept.popitem(last=False)[1].nbytes
        return found

    def clip(self, row: Row, start_s: float) -> np.ndarray:
        """Return float32, shape (96, 64), of the 0.96 s from the 10 ms at which it starts."""
        whole = self.whole(row)
        first = min(max(round(start_s * FRAMES_PER_S), 0), len(whole) - CLIP_FRAMES)
        return whole[first : first + CLIP_FRAMES].astype(np.float32)

    def _load(self, row: Row) -> np.ndarray:
        def make() -> np.ndarray:
            length = max(duration_s(row), CLIP_S)
            return log_mel(read_audio(row, 0.0, length), pad=True).astype(np.float16)

        return on_disk(row.audio, f'log-mel{row.channel}', make)


def on_disk(path: Path, what: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """
    Return what was made of a file, kept beside ``ProcessedData`` until the file changes.

    Where that cannot be written to, memory alone keeps it.
    """
    above = next((up for up in path.parents if up.name == 'ProcessedData'), None)
    if above is None:
        return make()
    stat = path.stat()
    name = '-'.join(path.relative_to(above).with_suffix('').parts)
    kept = above.parent / CACHE / f'{name}-{what}-{stat.st_size:x}-{stat.st_mtime_ns:x}.npy'
    with contextlib.suppress(OSError, ValueError, EOFError):
        return np.load(kept, allow_pickle=False)
    found = make()
    with contextlib.suppress(QuietNavError), whole_file(kept, overwrite=True) as part:
        np.save(part, found)
    return found
