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

"""Models on two places, asked like tasks: stand-ins that compare loudness and brightness."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from quiet_nav.learning.authors.networks import PAIRINGS  # noqa: E402
from quiet_nav.study.scores import score  # noqa: E402
from quiet_nav.study.tasks import imported  # noqa: E402


class Comparing:
    """Places are nearer where it is louder and brighter, as ``write_task_campus`` makes them."""

    where = 'model model.onnx'

    def __init__(self, *_: object) -> None:
        pass

    def run(self, feeds):
        level = [(feeds[f'{name}_sound'] ** 2).mean(axis=1) for name in ('first', 'second')]
        louder = level[0] > level[1]
        if 'first_image' not in feeds:
            return [np.where(louder, 0.9, 0.1)]
        for name in ('first_image', 'second_image'):
            assert feeds[name].dtype == np.uint8 and feeds[name].shape[1:] == (3, 224, 224)
        brighter = feeds['first_image'].mean(axis=(1, 2, 3)) > feeds['second_image'].mean(
            axis=(1, 2, 3)
        )
        same = louder == brighter
        return [np.stack([np.where(same == (i == s), 0.8, 0.2) for i, s in PAIRINGS], axis=1)]


@pytest.mark.parametrize('kind', ['order', 'av-order'])
def test_models_on_two_places_are_judged_by_the_figures_of_their_task(
    task_campus, monkeypatch, kind
):
    monkeypatch.setattr(imported, 'OnnxModel', Comparing)
    said = imported.predict('model.onnx', kind, task_campus)
    report = score(said)
    # The hum is a random walk: a farther place may be the louder one.
    assert report.task == kind and report['AP'].value.low > 0.75
    assert sorted(set(np.round(said.output, 6))) == ([0.1, 0.9] if kind == 'order' else [0.2, 0.8])
    assert len(said) % 4 == 0 and report.rooms == 3
