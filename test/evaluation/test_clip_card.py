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

"""The card of a model of clips: its rows, what is compared, what is missing named."""

import pytest

pytest.importorskip('sklearn')

from loudness_model import write_model

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.card import tables
from quiet_nav.evaluation.clip_card import measure_clips


@pytest.mark.slow
def test_card_judges_windows_and_clips_on_the_rows_of_boosted_trees(campus, tmp_path):
    model = write_model(tmp_path / 'clips.onnx', full=0.02)
    found = measure_clips(model, campus.parent)
    names = [one.line.name for one in found]
    assert [name.split(':')[0] for name in names[:2]] == ['one window alone', 'one clip of 0.96 s']
    assert 'boosted trees' in names[2]
    assert {(one.line.rows, one.line.rooms) for one in found} == {(12, 3)}
    # Near places of this campus are the louder ones.
    assert found[0].line.ap.value == 1.0
    assert '3 rooms never trained' in tables(found)
    everywhere = measure_clips(model, campus.parent, campus.parent)
    assert everywhere[0].line.rooms == 9


def test_folder_without_rooms_is_named(tmp_path, campus):
    model = write_model(tmp_path / 'clips.onnx')
    (tmp_path / 'nothing').mkdir()
    with pytest.raises(QuietNavError, match='nothing'):
        measure_clips(model, campus.parent, tmp_path / 'nothing')
