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


"""Decisions of hours lie on disk and read as the list that they would be."""

import pickle

from quiet_nav.perception.rolling import Decision
from quiet_nav.recordings.decisions import _BLOCK, Decisions


def some(count):
    made = Decisions()
    for number in range(count):
        made.append(number, Decision(10 * number, ()))
    return made


def test_decisions_read_as_the_list_that_was_appended():
    count = 2 * _BLOCK + 3
    made = some(count)
    assert len(made) == count and not Decisions()
    assert list(made) == [(n, Decision(10 * n, ())) for n in range(count)]
    assert made[0][0] == 0 and made[_BLOCK][0] == _BLOCK and made[-1][0] == count - 1
    assert made[1:3] == [(1, Decision(10, ())), (2, Decision(20, ()))]


def test_reading_decisions_while_others_are_read_mixes_nothing_up():
    made = some(2 * _BLOCK)
    one, other = iter(made), iter(made)
    assert [(next(one), next(other)) for _ in range(len(made))] == [(d, d) for d in made]


def test_decisions_go_to_another_process_whole():
    made = some(_BLOCK + 1)
    there = pickle.loads(pickle.dumps(made))
    there.append(7, Decision(7, ()))
    assert list(there)[:-1] == list(made) and len(made) == _BLOCK + 1
