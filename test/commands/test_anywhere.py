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

"""Every command works from any folder: what ships is found by its name, wherever one stands."""

from pathlib import Path
import pkgutil

from bag_recording import Recording, standing
from called import run
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from quiet_nav import commands
from quiet_nav.cli import build_app
from quiet_nav.perception.maps.files import save_map
from quiet_nav.perception.maps.probability_grid import GridMap

RATE = 16_000
#: Commands that take no file that ships: what they read is named by the user.
NOTHING_THAT_SHIPS = {
    'card', 'devices', 'evaluate', 'export', 'import_checkpoint', 'reality',
}  # fmt: skip
#: Command lines in a folder that holds ``sound.wav``, ``room.yaml`` (a map) and ``drive`` (a bag).
CALLS = {
    'calibrate': 'calibrate sound.wav --robot turtlebot4 --out fingerprint.json',
    'check_rig': 'check-rig --rig respeaker_usb_4 --script',
    'draw_map': 'draw-map room.yaml --walls classroom --out room.png',
    'draw_view': 'draw-view drive --rig pair --out view.png',
    'label': 'label drive --rig pair --camera left --still --room lab --split train --out data',
    'listen': 'listen sound.wav --json',
    'replay': 'replay drive --out replayed',
    'trials': 'trials --policy straight --trials 1 --workers 1',
}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Stand in an empty folder, far from the checkout, with what a user has recorded."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    soundfile.write('sound.wav', 0.02 * rng.standard_normal((16 * RATE, 2)), RATE, 'PCM_16')
    save_map(tmp_path / 'room', GridMap(np.full((4, 5), 0.5), 0.0, 0.0, 0.05))
    made = Recording().info().sound(4.0).odometry(standing, 4.0).depth(lambda _s: 0.4, 4.0)
    made.write(tmp_path / 'drive')
    return tmp_path


def names():
    found = {info.name for info in pkgutil.iter_modules(commands.__path__)}
    return {name for name in found if not name.startswith('_')}


@pytest.mark.slow
def test_commands_that_read_what_ships_work_from_any_folder(elsewhere):
    for name, call in CALLS.items():
        assert run(*call.split()), name
    made = ('fingerprint.json', 'room.png', 'view.png', 'data', 'replayed')
    assert all((elsewhere / name).exists() for name in made)


class EnoughError(Exception):
    """A command has asked for what would work for minutes."""


def asked_of(monkeypatch, where, *arguments):
    """Return the arguments with which a command calls a function, which is named by its path."""
    calls = []

    def take(*given, **_named):
        calls.append(given)
        raise EnoughError

    monkeypatch.setattr(where, take)
    done = CliRunner().invoke(build_app(), [*map(str, arguments)])
    assert isinstance(done.exception, EnoughError), (done.exception, done.output)
    return calls[0]


def test_campus_finds_rig_and_robot_from_any_folder(elsewhere, monkeypatch):
    request, *_ = asked_of(
        monkeypatch, 'quiet_nav.simulation.campus.build.make_campus', 'campus', '--kind', 'robot',
        '--rooms', 1, '--own-sound', 1.0, '--robot', 'turtlebot3', 'x',
    )  # fmt: skip
    assert Path(request.rig).is_absolute() and Path(request.rig).is_file()
    assert Path(request.robot).is_absolute() and Path(request.robot).is_file()


def test_demo_finds_room_rig_robot_and_model_from_any_folder(elsewhere, monkeypatch):
    pytest.importorskip('rclpy')
    asked, *_ = asked_of(
        monkeypatch, 'quiet_nav.commands.demo._drive', 'demo', '--room', 'lounge', '--rig', 'pair',
        '--own-sound', 'turtlebot4', '--out', 'x',
    )  # fmt: skip
    assert Path(asked.model).is_absolute() and Path(asked.model).is_file()


@pytest.mark.parametrize('recipe', ['', 'small', 'vggish'])
def test_train_finds_recipes_from_any_folder(elsewhere, monkeypatch, recipe):
    pytest.importorskip('torch')
    (elsewhere / 'campus').mkdir()
    named = ('--recipe', recipe) if recipe else ()
    chosen, *_ = asked_of(
        monkeypatch, 'quiet_nav.learning.training.train', 'train', 'near-wall', '--data', 'campus',
        '--out', 'x', *named,
    )  # fmt: skip
    assert chosen.name.startswith(recipe or 'paper')


def test_tables_find_recipes_from_any_folder(elsewhere):
    pytest.importorskip('torch')
    from quiet_nav.study.experiments import EXPERIMENTS
    from quiet_nav.study.training import TaskRunner

    for one in EXPERIMENTS:
        for line in one.lines:
            assert TaskRunner(elsewhere, 'small')._recipe(line.training).optim.epochs > 0


def test_view_finds_a_room_from_any_folder(elsewhere, monkeypatch):
    pytest.importorskip('rerun')
    assert asked_of(
        monkeypatch, 'quiet_nav.view.bag.root_of', 'view', 'drive', '--room', 'classroom'
    )


def test_no_command_is_left_out():
    shown = {*CALLS, 'campus', 'demo', 'train', 'tables', 'view'}
    assert not shown & NOTHING_THAT_SHIPS
    assert names() == shown | NOTHING_THAT_SHIPS
