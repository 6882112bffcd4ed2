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

"""Ways to install: a robot's workspace, the container, the service, executables in odd folders."""

import os
from pathlib import Path
import re
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from quiet_nav.extras import EXTRAS, how_to_get

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).parents[1]
NEEDED_BY_README = {'foxglove-sdk', 'numba', 'onnxruntime', 'pyroomacoustics', 'rosbags', 'typer'}
STUB = '#!/bin/sh\necho "${0##*/} $*" >> "$CALLS"\n'


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def workspace(tmp_path):
    """Make a workspace with a space in its path, and stand-ins for what installs things."""
    package = tmp_path / 'my robots' / 'ws' / 'src' / 'quiet_nav'
    (package / 'tools').mkdir(parents=True)
    (package / 'pins').mkdir()
    for name in ('tools/robot.sh', 'pins/robot.txt'):
        (package / name).write_text((ROOT / name).read_text())
    for name in ('ros2', 'rosdep', 'apt-get', 'sudo'):
        program(tmp_path / 'bin' / name, STUB)
    venv = 'for last; do :; done\nmkdir -p "$last/bin"\ncp "$0" "$last/bin/python"\n'
    program(tmp_path / 'bin' / 'python3', f'{STUB}[ "$2" = venv ] || exit 0\n{venv}')
    return package.parents[1]


def set_up(workspace, folder=None, **variables):
    """Run tools/robot.sh there; return its exit code, what it said and the commands it called."""
    bin_folder = workspace.parents[1] / 'bin'
    calls = workspace.parents[1] / 'calls'
    calls.touch()
    environment = {
        'PATH': f'{bin_folder}:/usr/bin:/bin',
        'CALLS': str(calls),
        'ROS_DISTRO': 'jazzy',
        **variables,
    }
    done = subprocess.run(
        ['sh', 'src/quiet_nav/tools/robot.sh'] if folder is None else
        ['sh', str(workspace / 'src/quiet_nav/tools/robot.sh')],
        cwd=folder or workspace, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, calls.read_text()


def test_one_command_sets_a_robots_workspace_up_and_again(workspace):
    for _ in range(2):
        code, said, calls = set_up(workspace)
        assert code == 0, said
    installs = [line for line in calls.splitlines() if ' -m pip ' in line]
    builds = [line for line in calls.splitlines() if ' -m colcon ' in line]
    assert len([line for line in calls.splitlines() if ' -m venv ' in line]) == 1
    assert len(installs) == len(builds) == 2
    wanted = '--require-hashes --no-deps -r'
    assert all(wanted in line and 'quiet_nav/pins/robot.txt' in line for line in installs)
    assert all(f'-DPython3_EXECUTABLE={workspace}/.venv/bin/python' in line for line in builds)
    assert (workspace / '.venv' / 'COLCON_IGNORE').is_file()
    assert calls.index('rosdep install') < calls.index(' -m pip ') < calls.index(' -m colcon ')


def test_a_folder_that_is_no_workspace_and_a_shell_without_ros_are_said(workspace, tmp_path):
    code, said, calls = set_up(workspace, folder=tmp_path)
    assert code == 1
    assert 'is no workspace' in said
    code, said, calls = set_up(workspace, ROS_DISTRO='')
    assert code == 1
    assert 'no ROS here: . /opt/ros/jazzy/setup.sh' in said
    assert calls == ''


def test_what_a_robot_installs_is_what_the_readme_uses():
    text = (ROOT / 'requirements-robot.txt').read_text()
    names = set(re.findall(r'^([a-z][a-z0-9-]*)', text, re.M))
    assert names >= NEEDED_BY_README


@pytest.mark.skipif(sys.version_info < (3, 11), reason='tomllib comes with Python 3.11')
def test_advice_for_a_missing_library_names_what_the_extra_brings():
    extras = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project'][
        'optional-dependencies'
    ]  # fmt: skip
    for name, (packages, modules) in EXTRAS.items():
        assert set(packages.split()) == {line.split(' ;')[0] for line in extras[name]}
        for module in modules:
            advice = how_to_get(f'{module}.part')
            assert advice.endswith(f'{sys.executable} -m pip install {packages}')
    assert how_to_get('json') == ''


def test_rerun_does_not_replace_the_numpy_of_a_ros_that_has_the_first(monkeypatch):
    assert 'pip install foxglove-sdk rerun-sdk' in how_to_get('rerun')
    monkeypatch.setattr(np, '__version__', '1.26.4')
    advice = how_to_get('rerun')
    command = f'{sys.executable} -m pip install --require-hashes --no-deps'
    assert f'{command} -r {ROOT}/pins/robot_view.txt' in advice
    # What a robot has from apt stays: its NumPy, and what is built against it.
    names = set(re.findall(r'^([a-z-]+)==', (ROOT / 'pins' / 'robot_view.txt').read_text(), re.M))
    assert names == {'attrs', 'psutil', 'pyarrow', 'rerun-sdk'}


@pytest.mark.slow
def test_a_missing_library_is_one_line_of_the_command(tmp_path):
    code = (
        'import sys; sys.modules["torch"] = None; sys.argv = ["quiet_nav", "train", "near-wall", '
        '"--data", sys.argv[1], "--out", sys.argv[1] + "/run"]; '
        'from quiet_nav.cli import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.count('\n') == 1
    assert 'pip install lightning' in done.stderr


#: What CMake puts before Python where env can.
WAIT = 'env --block-signal=INT,TERM '


def executable(folder, script, python_takes_s=0):
    """Write what CMake makes of cmake/node.in for a Python in a folder with a space."""
    python = folder / 'my robots' / 'python'
    python.parent.mkdir(parents=True)
    # A shell would let blocked signals through.
    program(
        python,
        f'#!/usr/bin/env python3\nimport os, sys, time\ntime.sleep({python_takes_s})\n'
        f'os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n',
    )
    package = folder / 'site' / 'quiet_nav'
    (package / 'nodes').mkdir(parents=True)
    for name in ('__init__.py', 'nodes/__init__.py'):
        (package / name).touch()
    for name in ('extras.py', 'errors.py'):
        (package / name).write_text((ROOT / 'src/quiet_nav' / name).read_text())
    (package / 'nodes' / 'sleeper.py').write_text(script)
    template = (ROOT / 'cmake' / 'node.in').read_text()
    made = folder / 'my robots' / 'sleeper'
    for name, value in {
        'Python3_EXECUTABLE': python, 'node': 'sleeper', 'QUIET_NAV_SIGNALS_WAIT': WAIT,
    }.items():  # fmt: skip
        template = template.replace(f'@{name}@', str(value))
    program(made, template)
    return [str(made)], {**os.environ, 'PYTHONPATH': str(folder / 'site')}


def test_an_executable_runs_below_a_folder_with_a_space(tmp_path):
    command, environment = executable(
        tmp_path, 'import sys\ndef main():\n    print("ran", sys.argv[1:])\n    return 3\n'
    )
    done = subprocess.run(
        [*command, 'a b', 'c'], env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (3, "ran ['a b', 'c']\n"), done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_node_is_loaded_ends_it_without_a_word(tmp_path, number):
    command, environment = executable(
        tmp_path, 'import time\nprint("loading", flush=True)\ntime.sleep(60)\n'
    )
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == 'loading\n'
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stderr.read() == ''


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_python_has_begun_ends_the_node_without_a_word(tmp_path, number):
    if subprocess.run([*WAIT.split(), 'true'], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip('this env blocks no signals')
    command, environment = executable(tmp_path, 'raise RuntimeError', python_takes_s=0.5)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stderr.read() == ''


def test_a_node_that_lacks_a_library_says_how_to_get_it(tmp_path):
    command, environment = executable(tmp_path, 'raise ModuleNotFoundError("no", name="numba")\n')
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r'sleeper: numba is not installed: .* -m pip install .*\n', done.stderr)


@pytest.mark.parametrize(
    'error',
    [
        'MemoryError',
        'ImportError("libx.so: failed to map segment from shared object")',
        'OSError(12, "Cannot allocate memory")',
    ],
)
def test_a_node_without_the_memory_to_load_says_so_in_one_line(tmp_path, error):
    script = (
        f'try:\n    raise {error}\nexcept Exception as e:\n    raise ImportError("numpy") from e\n'
    )
    command, environment = executable(tmp_path, script)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r'sleeper: no memory is left: close .*\n', done.stderr)


def test_an_import_that_fails_for_another_reason_is_not_said_to_lack_memory(tmp_path):
    command, environment = executable(tmp_path, 'raise ImportError("no such symbol")\n')
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert 'no such symbol' in done.stderr
    assert 'memory' not in done.stderr


@pytest.mark.slow
def test_a_command_without_the_memory_to_load_says_so_in_one_line():
    code = (
        'import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (120_000_000,) * 2);'
        'sys.argv = ["quiet_nav", "trials", "--help"]; from quiet_nav.cli import main; main()'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120,
        env={**os.environ, 'OPENBLAS_NUM_THREADS': '1'},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(r'quiet_nav: no memory is left: close .*\n', done.stderr)


def test_the_image_runs_as_a_user_from_a_base_that_cannot_move():
    text = (ROOT / 'docker' / 'Dockerfile').read_text()
    users = re.findall(r'^USER (.*)$', text, re.M)
    assert users
    assert users[-1].isdigit()
    assert int(users[-1]) > 0
    assert re.search(r'^ARG ROS_IMAGE=ros:jazzy-\S+-noble@sha256:[0-9a-f]{64}$', text, re.M)
    # Nothing in it is of one architecture alone: amd64 and arm64 are built from the same lines.
    assert not re.search('amd64|arm64|x86_64|aarch64|--platform', text.partition('FROM ')[2])
    assert 'HEALTHCHECK' in text
    # By SIGTERM launch would leave its nodes behind, and as the first process not even hear it.
    assert re.search(r'^STOPSIGNAL SIGINT$', text, re.M)
    for line in re.findall(r'apt-get install.*', text):
        assert '--no-install-recommends' in line


def test_compose_shares_nothing_of_the_host_unless_the_robot_needs_it():
    services = yaml.safe_load((ROOT / 'docker' / 'compose.yaml').read_text())['services']
    alone, robot = services['quiet_nav'], services['robot']
    for shared in ('network_mode', 'ipc', 'pid', 'privileged', 'devices', 'volumes', 'ports'):
        assert shared not in alone
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST' in alone['environment']
    assert robot['profiles'] == ['robot']
    assert 'ipc' not in robot
    assert 'privileged' not in robot


def test_the_service_tells_every_process_and_by_sigint():
    text = (ROOT / 'config' / 'quiet_nav.service').read_text()
    assert re.search(r'^KillMode=control-group$', text, re.M)
    assert re.search(r'^KillSignal=SIGINT$', text, re.M)
    assert '--noninteractive' in text
    assert (ROOT / 'launch' / 'wall_follow.launch.py').is_file()
    for name in re.findall(r'robot:=(\w+)', text):
        assert (ROOT / 'config' / 'robots' / f'{name}.yaml').is_file()
