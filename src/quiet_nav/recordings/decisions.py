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


"""What a replay decided, hours of it: kept on disk, so that a long bag takes no more memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import pickle
import tempfile
from typing import Any, overload

from quiet_nav.perception.rolling import Decision

#: Decisions that are kept in memory until they are written together.
_BLOCK = 256
#: A file so small stays in memory.
_MOST_BYTES = 2**22

Timed = tuple[int, Decision]


class Decisions(Sequence[Timed]):
    """
    Decisions, each with the time at which its sound was recorded (ns), oldest first.

    They lie in a temporary file without a name, which ends with this object; reading them all in
    order is what it is made for. It can be sent to another process, file and all.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_MOST_BYTES)  # noqa: SIM115
        self._offsets: list[int] = []
        self._newest: list[Timed] = []

    def append(self, time_ns: int, decision: Decision) -> None:
        """Take one more."""
        self._newest.append((time_ns, decision))
        if len(self._newest) == _BLOCK:
            self._offsets.append(self._file.seek(0, 2))
            pickle.dump(self._newest, self._file)
            self._newest = []

    def __len__(self) -> int:
        return len(self._offsets) * _BLOCK + len(self._newest)

    def __iter__(self) -> Iterator[Timed]:
        for block in range(len(self._offsets)):
            yield from self._block(block)
        yield from list(self._newest)

    @overload
    def __getitem__(self, index: int) -> Timed: ...

    @overload
    def __getitem__(self, index: slice) -> list[Timed]: ...

    def __getitem__(self, index: int | slice) -> Timed | list[Timed]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        block, place = divmod(range(len(self))[index], _BLOCK)
        return (self._block(block) if block < len(self._offsets) else self._newest)[place]

    def __getstate__(self) -> dict[str, Any]:
        self._file.seek(0)
        return {**vars(self), '_file': self._file.read()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._file = tempfile.SpooledTemporaryFile(max_size=_MOST_BYTES)  # noqa: SIM115
        self._file.write(state['_file'])

    def _block(self, number: int) -> list[Timed]:
        self._file.seek(self._offsets[number])
        # This process wrote it, or another of this program that sent it.
        block: list[Timed] = pickle.load(self._file)
        return block
