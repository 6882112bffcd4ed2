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

"""Models by name: what ships, a file as it is, and what does not ship."""

from pathlib import Path

import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.resources import model_file


def test_a_model_that_ships_is_found_with_and_without_its_prefix():
    assert model_file('').name == 'near_wall.onnx'
    assert model_file('vision') == model_file('near_wall_vision')


def test_a_file_is_taken_as_it_is():
    assert model_file('mine.onnx') == Path('mine.onnx')


def test_a_name_that_does_not_ship_is_refused_with_those_that_do():
    with pytest.raises(QuietNavError, match="no model 'none'; models: near_wall"):
        model_file('none')
