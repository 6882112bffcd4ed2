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

"""Adding a rig, robot, room, sound, recipe, model, campus kind, task or command: one file."""

import importlib
from pathlib import Path
import sys

import numpy as np
import pytest

from quiet_nav import commands, resources
from quiet_nav.errors import QuietNavError

ROOM = """
name: attic
height: 2.5
size: [6.0, 5.0]
tracks:
  - {name: wall, side: right, width: 2.0, center: [[2.0, 1.0], [4.0, 1.0]]}
"""
RIG = """
name: nose
ears:
  - {channel: 0, position: [0.15, 0.0, 0.2], side: FRONT}
"""


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Return what ships one more file, by its name in the share folder."""
    folders = resources.shared_folders

    def more(name):
        mine = tmp_path / 'share' / name
        return [*folders(name), *([mine] if mine.is_dir() else [])]

    monkeypatch.setattr(resources, 'shared_folders', more)

    def add(name: str, text: str) -> Path:
        path = tmp_path / 'share' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return add


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return what adds one module to a package for a test."""
    added = []

    def add(package, name: str, text: str):
        folder = tmp_path / package.__name__
        folder.mkdir(exist_ok=True)
        (folder / f'{name}.py').write_text(text)
        monkeypatch.setattr(package, '__path__', [*package.__path__, str(folder)])
        importlib.invalidate_caches()
        added.append(f'{package.__name__}.{name}')

    yield add
    for name in added:
        sys.modules.pop(name, None)


def test_a_rig_is_one_file(shipped):
    from quiet_nav.perception.rig import find_rig

    with pytest.raises(QuietNavError, match=r'no rig .nose.; rigs: .*pair'):
        find_rig('nose')
    shipped('config/rigs/nose.yaml', RIG)
    assert find_rig('nose').channels == 1
    assert 'nose' in resources.names(resources.RIG)


def test_a_room_is_one_file_and_trials_drive_in_it(shipped):
    from quiet_nav.simulation.rooms.plan_files import load_plan, room_names

    shipped('config/rooms/attic.yaml', ROOM)
    assert 'attic' in room_names()
    assert load_plan('attic').tracks[0].name == 'wall'
    assert load_plan('attic_mirrored').name != load_plan('attic').name


def test_a_robot_is_one_file(shipped):
    shipped('config/robots/kobuki.yaml', '/**:\n  ros__parameters:\n    base_frame: base_link\n')
    assert 'kobuki' in resources.names(resources.ROBOT)
    assert resources.find(resources.ROBOT, 'kobuki').name == 'kobuki.yaml'


def test_a_model_is_one_file_named_with_or_without_its_prefix(shipped):
    path = shipped('models/near_wall_mine.onnx', 'model')
    assert resources.find(resources.MODEL, 'mine') == path
    assert resources.find(resources.MODEL, 'near_wall_mine') == path
    assert resources.find(resources.MODEL, path) == path


def test_a_recipe_is_one_file(shipped):
    from quiet_nav.learning.recipe import load_recipe, recipe_file

    shipped('config/learning/short.yaml', 'optim: {epochs: 3}\n')
    assert load_recipe(recipe_file('short')).optim.epochs == 3


def test_a_kind_of_campus_is_one_module(module):
    from quiet_nav.simulation.campus import kinds

    text = """
from quiet_nav.simulation.campus.kinds.static import StaticKind


class Loft(StaticKind):
    NAME = 'loft'


KIND = Loft()
"""
    module(kinds, 'loft', text)
    kinds.kinds.cache_clear()
    try:
        assert kinds.get_kind('loft').SUBSET == 'SFS-Static'
    finally:
        kinds.kinds.cache_clear()


def test_a_kind_of_source_is_one_function_and_rooms_are_drawn_with_it(monkeypatch):
    from quiet_nav.simulation.sound import ambient_kinds
    from quiet_nav.simulation.sound.lived_in import with_hidden_sources
    from quiet_nav.simulation.sound.scenes import draw_scene
    from quiet_nav.simulation.sound.sources import Source, source_samples

    def kettle(rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal(round(ambient_kinds.LOOP_S * 16_000))

    monkeypatch.setitem(ambient_kinds._DRAW, 'kettle', kettle)
    room = draw_scene(0).room
    fans = [Source('fan', (1.0, 1.0, 1.0), stream) for stream in range(100)]
    sources = with_hidden_sources(room, fans, np.random.default_rng(0))
    boiling = next(source for source in sources if source.kind == 'kettle')
    heard = source_samples(boiling, 0, 0, 16_000)
    assert 0.5 < np.std(heard) < 2.0


def test_a_task_is_one_class(module):
    pytest.importorskip('torch')
    from quiet_nav.study import tasks

    text = """
from quiet_nav.study.tasks.single import NearWall


class Louder(NearWall):
    NAME = 'louder'
"""
    module(tasks, 'louder', text)
    tasks.tasks.cache_clear()
    try:
        assert type(tasks.get_task('louder')).__name__ == 'Louder'
    finally:
        tasks.tasks.cache_clear()


def test_a_command_is_one_module(module):
    from typer.testing import CliRunner

    from quiet_nav.cli import build_app

    module(commands, 'wave', 'def main() -> None:\n    """Wave."""\n    print("hello")\n')
    assert 'hello' in CliRunner().invoke(build_app(), ['wave']).stdout
