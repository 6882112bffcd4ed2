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

"""The one base of errors that a user can mend; each says what was found, expected and to do."""

from __future__ import annotations

import errno

#: What there is to do where memory ends, for people.
NO_MEMORY = 'no memory is left: close other programs, or give this one more (ulimit -v, cgroup)'
_SAID = (
    'cannot allocate memory', 'failed to map segment', 'std::bad_alloc', "can't start new thread",
    'pthread_create failed',
)  # fmt: skip


class QuietNavError(ValueError):
    """Bad input: a command prints it as one line and exits with 2, a node as a diagnostic."""


def no_memory(error: BaseException | None) -> bool:
    """
    Return whether an error, or one that it came from, says that there was no memory.

    A library that cannot be loaded for that reason says so in an ImportError.
    """
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        if any(words in str(error).lower() for words in _SAID):
            return True
        error = error.__cause__ or error.__context__
    return False
