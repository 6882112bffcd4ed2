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

"""The ring buffer holds the newest samples, whatever the chunks."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.sound.ring import RingBuffer, SampleMarks


@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(st.integers(0, 130), max_size=30), capacity=st.integers(1, 100))
def test_every_sample_held_is_the_right_one(chunks, capacity):
    ring, count = RingBuffer(capacity, 2), 0
    for chunk in chunks:
        values = np.arange(count, count + chunk, dtype=np.float32)
        ring.append(np.stack((values, -values), axis=1))
        count += chunk
    assert ring.newest == count
    assert ring.newest - ring.oldest == min(count, capacity)
    assert ring.read(0, ring.oldest, ring.newest).tolist() == list(range(ring.oldest, count))
    assert ring.read(1, ring.newest, ring.newest).tolist() == []


def test_what_is_not_held_cannot_be_read():
    ring = RingBuffer(10, 1)
    ring.append(np.zeros((25, 1), np.float32))
    for start, stop in ((14, 20), (15, 26), (20, 18)):
        with pytest.raises(IndexError):
            ring.read(0, start, stop)


def test_what_was_read_does_not_change_later():
    ring = RingBuffer(4, 1)
    ring.append(np.ones((4, 1), np.float32))
    before = ring.read(0, 0, 4)
    ring.append(np.zeros((4, 1), np.float32))
    assert before.tolist() == [1, 1, 1, 1]


def test_marks_are_counted_by_channel_and_range():
    marks = SampleMarks(2)
    wrong = np.zeros((10, 2), bool)
    wrong[[2, 5, 9], 0] = True
    marks.add(wrong, np.arange(100, 110))
    marks.add(wrong, np.arange(200, 210))
    assert marks.count(0, 0, 1000) == 6
    assert marks.count(0, 105, 202) == 2
    assert marks.count(1, 0, 1000) == 0
    marks.forget_before(150)
    assert marks.count(0, 0, 1000) == 3
    assert marks.total == 6
