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

"""Launch files: what they name exists; and, where launch is installed, they start, drive, stop."""

import ast
import configparser
import contextlib
import importlib
import itertools
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys
import time

from bag_recording import Recording, standing
import pytest
import yaml

from quiet_nav.recordings.bag_writer import BagTopic, BagWriter

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob('launch/*.launch.py'))
#: What they share.
COMMON = ROOT / 'src' / 'quiet_nav' / 'launch_arguments.py'
WALL_FOLLOW = ROOT / 'launch' / 'wall_follow.launch.py'
SIMULATE = ROOT / 'launch' / 'simulate.launch.py'
REPLAY = ROOT / 'launch' / 'replay.launch.py'
COLLECT = ROOT / 'launch' / 'collect.launch.py'
#: Not in any package index: a robot has them from apt.
OTHERS = {'audio_capture', 'realsense2_camera', 'rviz2'}


def calls(path, *names):
    """Yield the calls of some functions in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') in names:
            yield node


def keyword(call, name):
    return next((k.value for k in call.keywords if k.arg == name), None)


def constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def our_nodes(path):
    """Yield (executable, names of the parameters given) of the package's own nodes."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    named |= {
        node.name: line.value
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        for line in node.body
        if isinstance(line, ast.Return) and isinstance(line.value, ast.Dict)
    }
    for call in calls(path, 'ours'):
        # A name, or the call of a function.
        given = [
            named.get(getattr(getattr(item, 'func', item), 'id', ''), item)
            for item in call.args[2:3]
        ]
        yield constant(call.args[0]), {constant(key) for item in given for key in item.keys}


def declared(path):
    """Return the declared arguments: name to description."""
    own = {
        constant(call.args[0]): keyword(call, 'description')
        for call in calls(path, 'DeclareLaunchArgument')
    }
    for call in calls(path, 'shared'):
        names = [constant(name) for name in call.args] + [k.arg for k in call.keywords]
        own |= {name: shared_arguments()[name].get('description') for name in names}
    return own


def shared_arguments():
    """Return the table of arguments that launch files share: name to keywords and their nodes."""
    table = next(
        node.value
        for node in ast.parse(COMMON.read_text()).body
        if isinstance(node, ast.AnnAssign) and node.target.id == '_SHARED'
    )
    return {
        constant(name): {constant(k): v for k, v in zip(said.keys, said.values, strict=True)}
        for name, said in zip(table.keys, table.values, strict=True)
    }


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_argument_has_a_description_and_is_used(path):
    arguments = declared(path)
    assert {'namespace', 'use_sim_time', 'params_file', 'rig', 'robot'} <= set(arguments)
    assert {'discovery_range', 'log_level'} <= set(arguments)
    assert all(description is not None for description in arguments.values())
    text = path.read_text() + COMMON.read_text()
    for name in arguments:
        assert len(re.findall(rf"'{name}'", text)) >= 2, f'{name} is declared, but not used'


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_configuration_argument_that_is_read_is_declared(path):
    read = {constant(call.args[0]) for call in calls(path, 'LaunchConfiguration')}
    read |= {constant(call.args[0]) for call in calls(path, 'typed', 'chosen')}
    read |= {constant(call.args[1]) for call in calls(path, 'value')}
    read |= {constant(name) for call in calls(path, 'where', 'Derived') for name in call.args[1:]}
    assert read - {None} <= set(declared(path))


@pytest.mark.parametrize('path', [*FILES, COMMON], ids=lambda p: p.name)
def test_no_argument_is_part_of_an_expression(path):
    text = path.read_text()
    assert 'PythonExpression' not in text
    assert 'eval' not in re.findall(r'\w+', text)
    for call in calls(path, 'Node', 'ExecuteProcess'):
        # Where they are arguments of the launch, launch evaluates them.
        assert any(k.arg is None and k.value.id == 'STOP' for k in call.keywords), call.lineno


@pytest.mark.parametrize('path', [*FILES, COMMON], ids=lambda p: p.name)
def test_every_executable_is_installed_and_takes_the_parameters_it_gets(path):
    listed = re.search(r'set\(nodes\s+([^)]*)\)', (ROOT / 'CMakeLists.txt').read_text())
    found = dict(our_nodes(path))
    assert found
    for name, given in found.items():
        assert name in listed.group(1).split(), f'{name} is not an executable'
        nodes = ROOT / 'src/quiet_nav/nodes'
        files = [*nodes.glob(f'{name}.py'), *nodes.glob(f'{name}/*.py')]
        text = ''.join(p.read_text() for p in files)
        known = set(re.findall(r'^    (\w+): [^=\n]+ = parameter\(', text, re.M)) | {'autostart'}
        assert given <= known, f'{name} has no parameter {given - known}'


@pytest.mark.parametrize('path', [*FILES, COMMON], ids=lambda p: p.name)
def test_every_configuration_file_exists(path):
    for name in set(re.findall(r"'(?:config/)?(\w+\.(?:yaml|rviz))'", path.read_text())):
        assert (ROOT / 'config' / name).is_file(), name


def test_every_robot_profile_is_parameters_of_nodes_that_exist():
    profiles = {path.stem: path for path in (ROOT / 'config' / 'robots').glob('*.yaml')}
    profiles = {name: path for name, path in profiles.items() if '.' not in name}
    assert {'simulated', 'turtlebot3', 'turtlebot4'} <= set(profiles)
    listed = re.search(r'set\(nodes\s+([^)]*)\)', (ROOT / 'CMakeLists.txt').read_text())
    for path in profiles.values():
        for node, said in yaml.safe_load(path.read_text())['/**'].items():
            assert node in listed.group(1).split(), path
            assert set(said) == {'ros__parameters'}, path


@pytest.mark.parametrize('robot', ['turtlebot3', 'turtlebot4'])
def test_a_robot_that_is_heard_listens_with_a_detector_that_knows_it(robot):
    from quiet_nav.perception.rig import find_rig
    from quiet_nav.perception.standing_sound import StandingSound
    from quiet_nav.resources import model_file

    _, description, context = launch_context(WALL_FOLLOW, robot=robot, drive='false')
    found = {node.node_executable: node for node in started(description.entities, context)}
    *_, profile = (
        item.evaluate(context)
        for item in found['near_wall']._Node__parameters
        if type(item).__name__ == 'ParameterFile'
    )
    said = yaml.safe_load(Path(profile).read_text())['/**']['near_wall']['ros__parameters']
    assert model_file(said['model']).name == 'near_wall_own.onnx'
    assert StandingSound.of(find_rig('pair'), said['own_sound']).profile.robot == robot
    # Nothing that launch hands over stands above it.
    assert 'model' not in evaluated(found['near_wall'], context)


def launch_context(path, **given):
    """Return a launch file's module, its description and a context with its arguments' values."""
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    from launch import LaunchContext
    from launch.utilities import perform_substitutions

    sources = importlib.import_module('launch.launch_description_sources')
    source = sources.python_launch_file_utilities
    module = source.load_python_launch_file_as_module(str(path))
    description = module.generate_launch_description()
    context = LaunchContext()
    context.launch_configurations.update(given)
    for argument in description.get_launch_arguments():
        if argument.name not in given:
            value = perform_substitutions(context, argument.default_value or [])
            context.launch_configurations[argument.name] = value
    return module, description, context


def started(entities, context):
    """Yield every process that entities would start, looking into groups and functions."""
    for entity in entities:
        condition = getattr(entity, 'condition', None)
        if condition is not None and not condition.evaluate(context):
            continue
        kind = type(entity).__name__
        if kind == 'OpaqueFunction':
            yield from started(entity.execute(context) or [], context)
        elif kind == 'GroupAction':
            yield from started(entity.get_sub_entities(), context)
        elif kind in ('Node', 'ExecuteProcess'):
            yield entity


@pytest.mark.parametrize(
    ('modality', 'wanted', 'senses'),
    [
        ('audio', {'microphone', 'near_wall', 'wall_follower'}, 'audio'),
        ('vision', {'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'vision'),
        ('auto', {'microphone', 'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'both'),
        ('fusion', {'microphone', 'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'both'),
    ],
)
def test_a_modality_starts_what_it_needs_and_no_more(modality, wanted, senses):
    camera = 'none' if modality == 'audio' else 'realsense'
    _, description, context = launch_context(
        WALL_FOLLOW, modality=modality, camera=camera, drive='false'
    )
    found = {node.node_executable: node for node in started(description.entities, context)}
    assert set(found) == wanted
    assert evaluated(found['near_wall'], context)['modality'] == senses


def test_composed_ears_take_what_each_node_would_get_above_every_file(tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('{}')
    _, description, context = launch_context(
        WALL_FOLLOW, use_composition='true', drive='false', namespace='robot1', rig='trio',
        device='2', params_file=str(own),
    )  # fmt: skip
    found = {node.node_executable: node for node in started(description.entities, context)}
    assert set(found) == {'ears', 'wall_follower'}
    *files, handed = [
        Path(item.evaluate(context))
        for item in found['ears']._Node__parameters
        if type(item).__name__ == 'ParameterFile'
    ]
    assert [path.name for path in files] == [
        'microphone.yaml', 'near_wall.yaml', 'turtlebot4.yaml', 'own.yaml',
    ]  # fmt: skip
    given = yaml.safe_load(handed.read_text())
    assert given['/robot1/microphone']['ros__parameters'] == {'device': '2', 'channels': 3}
    assert given['/robot1/near_wall']['ros__parameters']['rig'] == 'trio'


@pytest.mark.parametrize(
    'given', [{'audio': 'audio_capture'}, {'modality': 'auto'}, {'enclaves': '/quiet_nav'}]
)
def test_ears_that_cannot_be_composed_are_said_before_anything_starts(given):
    from quiet_nav.errors import QuietNavError

    _, description, context = launch_context(WALL_FOLLOW, use_composition='true', **given)
    with pytest.raises(QuietNavError, match=f'use_composition: it takes {next(iter(given))}'):
        list(started(description.entities, context))


def evaluated(node, context):
    """Return the parameters that a node would get from the launch file itself."""
    from launch_ros.utilities import evaluate_parameters

    said = evaluate_parameters(context, node._Node__parameters)
    return next(given for given in reversed(said) if isinstance(given, dict))


@pytest.mark.parametrize('composed', ['false', 'true'])
def test_an_argument_left_empty_leaves_a_parameter_to_the_files(composed):
    _, description, context = launch_context(
        WALL_FOLLOW, use_composition=composed, drive='false', vision_model='', model='7'
    )
    found = {node.node_executable: node for node in started(description.entities, context)}
    node = found['ears' if composed == 'true' else 'near_wall']
    if composed == 'true':
        *_, file = (i for i in node._Node__parameters if type(i).__name__ == 'ParameterFile')
        given = yaml.safe_load(Path(file.evaluate(context)).read_text())
        said = given['/near_wall']['ros__parameters']
        assert said['model'] == '7'
    else:
        said = evaluated(node, context)
        assert said['model'] == '7'
    assert 'vision_model' not in said and said['modality'] == 'audio'


@pytest.mark.parametrize('robot', ['turtlebot3', 'profile.yaml'])
def test_a_node_reads_each_file_once_and_yours_last(tmp_path, robot):
    profile = ROOT / 'config' / 'robots' / 'turtlebot3.yaml'
    own, copy = tmp_path / "it's mine.yaml", tmp_path / 'profile.yaml'
    own.write_text('{}')
    copy.write_text(profile.read_text())
    given = str(copy) if robot == 'profile.yaml' else robot
    _, description, context = launch_context(
        WALL_FOLLOW, robot=given, params_file=str(own), drive='false'
    )
    found = {node.node_executable: node for node in started(description.entities, context)}
    files = [
        str(item.evaluate(context))
        for item in found['wall_follower']._Node__parameters
        if type(item).__name__ == 'ParameterFile'
    ]
    read = copy if robot == 'profile.yaml' else profile
    assert files == [str(ROOT / 'config' / 'wall_follower.yaml'), str(read), str(own)]


@pytest.mark.parametrize(
    'given', [{'robot': 'r2d2'}, {'rig': 'quartet'}, {'params_file': '/nowhere.yaml'}]
)
@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_a_name_that_is_nothing_is_said_before_anything_starts(path, given):
    from quiet_nav.errors import QuietNavError

    _, description, context = launch_context(path, bag='', **{'channels': '1', **given})
    with pytest.raises(QuietNavError, match=next(iter(given.values()))):
        next(started(description.entities, context), None)


ATTACK = "x').channels + 0*__import__('pathlib').Path('{}').touch() + len('"


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_no_argument_is_ever_evaluated(path, tmp_path):
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    from launch.utilities import perform_substitutions

    touched = tmp_path / 'touched'
    attack = ATTACK.format(touched)
    for name in declared(path):
        _, description, context = launch_context(path, **{'channels': '1', 'bag': '', name: attack})
        for argument in description.get_launch_arguments():
            with contextlib.suppress(Exception):
                perform_substitutions(context, argument.default_value or [])
        with contextlib.suppress(Exception):
            for process in started(description.entities, context):
                process.prepare(context)
        assert not touched.exists(), name


def sound_bag(folder, prefix=''):
    """Write a bag with a robot's sound, odometry and velocities; return its folder."""
    with BagWriter(
        folder,
        [
            BagTopic(f'{prefix}/audio/audio_stamped', 'audio_common_msgs/msg/AudioDataStamped'),
            BagTopic(f'{prefix}/odom', 'nav_msgs/msg/Odometry'),
            BagTopic(f'{prefix}/cmd_vel', 'geometry_msgs/msg/TwistStamped'),
        ],
    ):
        pass
    return folder


@pytest.mark.parametrize('namespace', ['', 'robot1', '/robot1'])
def test_all_that_is_played_is_listed_and_below_the_prefix(tmp_path, namespace):
    space = '/robot1' if namespace else ''
    bag = sound_bag(tmp_path / 'bag', space)
    module, _, context = launch_context(REPLAY, bag=str(bag), namespace=namespace)
    module.check(context)
    (player,) = started(module.play(context), context)
    command = [''.join(part.perform(context) for part in word) for word in player.cmd]
    played = command[command.index('--topics') + 1 : command.index('--remap')]
    moved = dict(rule.split(':=') for rule in command[command.index('--remap') + 1 :])
    assert f'{space}/audio/audio_stamped' in played
    assert moved[f'{space}/odom'] == f'/replay{space}/odom'
    assert moved[f'{space}/near_wall'] == f'/replay{space}/recorded/near_wall'
    assert set(played) | {'/clock'} == set(moved)
    assert all(there.startswith('/replay/') for there in moved.values())
    moving = ('cmd_vel', 'bump', 'cliff', 'hazard', 'emergency_stop', 'diagnostics')
    assert not [name for name in played if any(word in name for word in moving)]


def test_nodes_that_hear_a_replay_use_no_topic_of_the_robot():
    module, _, _ = launch_context(REPLAY, bag='')
    absolute = set()
    for path in (ROOT / 'src/quiet_nav/nodes').rglob('*.py'):
        absolute |= set(re.findall(r"\w\([A-Z]\w+,\s*'(/\w+)'", path.read_text()))
    assert {'/tf', '/tf_static', '/diagnostics', '/clock'} <= absolute
    assert absolute <= set(module.GLOBAL_TOPICS)


@pytest.mark.parametrize(
    ('given', 'complaint'),
    [
        ({'bag': '{}/none'}, 'no such bag'),
        ({'bag': '{}/bag', 'namespace': 'robot1'}, 'no /robot1/audio/audio_stamped'),
        ({'bag': '{}/bag', 'rate': '0'}, 'rate 0: expected'),
        ({'bag': '{}/bag', 'replay_file': '{}/topics.yaml'}, 'expected `topics`'),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_anything_starts(tmp_path, given, complaint):
    from quiet_nav.errors import QuietNavError

    sound_bag(tmp_path / 'bag')
    (tmp_path / 'topics.yaml').write_text('topics: [odom, "--topics"]')
    given = {name: value.format(tmp_path) for name, value in given.items()}
    module, _, context = launch_context(REPLAY, **given)
    with pytest.raises(QuietNavError, match=complaint):
        module.check(context)


def test_the_player_is_told_the_rate(tmp_path):
    module, _, context = launch_context(REPLAY, bag=str(sound_bag(tmp_path / 'bag')), rate='2')
    module.check(context)
    (player,) = started(module.play(context), context)
    command = [''.join(part.perform(context) for part in word) for word in player.cmd]
    assert ('--rate', '2') in list(itertools.pairwise(command))


def test_a_replay_asks_for_every_live_base_before_it_plays(tmp_path):
    _, description, context = launch_context(REPLAY, bag=str(sound_bag(tmp_path / 'bag')))
    from launch_ros.utilities import evaluate_parameters

    # Of the processes that a launch starts by itself, none is the player: the gate starts that.
    begun = list(started(description.entities, context))
    assert all(hasattr(process, 'node_executable') for process in begun)
    (gate,) = [node for node in begun if node.node_executable == 'launch_gate']
    (given,) = evaluate_parameters(context, gate._Node__parameters)
    assert given['everywhere'] is True
    assert list(given['listened']) == ['/replay/audio/audio_stamped']


@pytest.mark.parametrize('path', [WALL_FOLLOW, COLLECT], ids=lambda p: p.name)
def test_audio_capture_is_started_in_the_place_of_our_microphone_and_gives_wave(tmp_path, path):
    given = {'audio': 'audio_capture', 'device': 'hw:1', 'rig': 'pair'}
    given |= {'bag': str(tmp_path / 'bag'), 'camera': 'none'}
    if path == WALL_FOLLOW:
        given['drive'] = 'false'
    _, description, context = launch_context(path, **given)
    from launch_ros.utilities import evaluate_parameters

    found = {
        node.node_executable: node
        for node in started(description.entities, context)
        if hasattr(node, 'node_executable')
    }
    assert 'audio_capture_node' in found and 'microphone' not in found
    capture = found['audio_capture_node']
    (handed,) = evaluate_parameters(context, capture._Node__parameters)
    assert handed == {
        'format': 'wave', 'dst': 'appsink', 'sample_format': 'S16LE', 'sample_rate': 16000,
        'depth': 16, 'channels': 2, 'device': 'hw:1',
    }  # fmt: skip
    # Below the namespace audio, as our microphone's topics are.
    assert capture._Node__node_namespace == 'audio'


def test_the_recorder_is_told_time_split_and_compression(tmp_path):
    module, _, context = launch_context(
        COLLECT, bag=str(tmp_path / 'kitchen'), namespace='robot1', use_sim_time='true',
        split_s='60', split_mb='500', compression='zstd_small',
    )  # fmt: skip
    module.check(context)
    (recorder,) = started(module.record(context), context)
    command = [''.join(part.perform(context) for part in word) for word in recorder.cmd]
    options, topics = command[: command.index('--topics')], command[command.index('--topics') + 1 :]
    assert options[:3] == ['ros2', 'bag', 'record']
    assert '--use-sim-time' in options
    pairs = list(itertools.pairwise(options))
    assert ('--max-bag-duration', '60') in pairs
    assert ('--max-bag-size', '500000000') in pairs
    assert ('--storage-preset-profile', 'zstd_small') in pairs
    assert ('--output', str(tmp_path / 'kitchen')) in pairs
    assert {'/robot1/audio/audio_stamped', '/robot1/odom', '/tf'} <= set(topics)


@pytest.mark.parametrize(
    ('given', 'complaint'),
    [({'bag': '{}'}, 'is there already'), ({'split_s': 'soon'}, 'split_s soon: expected')],
)
def test_what_cannot_be_recorded_is_refused_before_anything_starts(tmp_path, given, complaint):
    from quiet_nav.errors import QuietNavError

    given = {name: value.format(tmp_path) for name, value in given.items()}
    module, _, context = launch_context(COLLECT, **given)
    with pytest.raises(QuietNavError, match=complaint):
        module.check(context)


def test_packages_of_others_are_dependencies():
    named = {
        constant(keyword(call, 'package'))
        for path in (WALL_FOLLOW, COMMON)
        for call in calls(path, 'Node')
    }
    assert named - {'quiet_nav'} == OTHERS
    text = (ROOT / 'package.xml').read_text()
    for name in OTHERS:
        assert f'<exec_depend>{name}</exec_depend>' in text


def test_the_simulation_hands_on_only_arguments_that_the_robot_has():
    tree = ast.parse(SIMULATE.read_text())
    shared = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'SHARED'
    )
    assert set(shared) <= set(declared(WALL_FOLLOW))
    assert set(shared) <= set(declared(SIMULATE))


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_launch_reads_the_file(path):
    _, description, _ = launch_context(path, bag='')
    names = {argument.name for argument in description.get_launch_arguments()}
    assert set(declared(path)) <= names


class Launched:
    """`ros2 launch` of a file as a process of its own, its group and its log."""

    def __init__(self, folder, path, *arguments):
        ros2 = shutil.which('ros2')
        if ros2 is None:
            pytest.skip('the ros2 command is not installed (apt has it)')
        self._log = folder / 'launch.log'
        with open(self._log, 'wb') as output:
            self.process = subprocess.Popen(
                [sys.executable, ros2, 'launch', str(path), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, env={**os.environ, 'ROS_LOG_DIR': str(folder / 'ros')},
                # A background job's processes ignore SIGINT from birth; a terminal's do not.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    @property
    def said(self):
        return self._log.read_text()

    def wait(self, timeout_s=60.0):
        return self.process.wait(timeout_s)

    def signal_all(self, number=signal.SIGINT):
        """Send a signal to launch and all that it started, as a terminal does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @property
    def alive(self):
        """Whether a process of the group is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self):
        self.signal_all(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def launched(tmp_path):
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    runs = []

    def start(path, *arguments):
        runs.append(Launched(tmp_path, path, *arguments))
        return runs[-1]

    yield start
    for run in runs:
        run.kill()


def ended_in_order(run):
    """Assert that a launch ended with 0, and every process of it, without a word in red."""
    assert run.wait() == 0, run.said
    began = re.findall(r'\[(\S+)\]: process started', run.said)
    assert sorted(began) == sorted(
        re.findall(r'\[(\S+)\]: process has finished cleanly', run.said)
    ), run.said
    for word in ('Traceback', '[ERROR]', '[FATAL]', 'has died', 'never retrieved', 'escalating'):
        assert word not in run.said, run.said


@pytest.mark.parametrize(('loaded', 'again'), [(False, 0), (True, 0), (True, 2)])
def test_ctrl_c_ends_every_process_in_order(launched, loaded, again):
    """However early and often it comes: launch hands it on, the terminal sends it to all."""
    run = launched(WALL_FOLLOW, 'audio:=none', 'robot:=simulated')
    word = 'near_wall]: ' if loaded else r'follow_wall-\d+\]: process started'
    assert wait_for(lambda: re.search(word, run.said), 90.0), run.said
    run.process.send_signal(signal.SIGINT)
    for _ in range(again):
        time.sleep(0.05)
        run.signal_all()
    ended_in_order(run)


#: What starts last in a launch, and is there from this line of it on. The commands of rosbag2 are
#: not to be interrupted while they load: they have said something.
LAST = {
    SIMULATE: r'\[follow_wall-\d+\]: process started',
    REPLAY: r'\[player-\d+\] ',
    COLLECT: r'\[recorder-\d+\] ',
}


def loaded(launched, path, folder):
    """Start a launch file without devices; return it once everything of it is there."""
    arguments = {
        SIMULATE: {'map': 'true', 'algorithm': 'straight'},
        REPLAY: {'bag': folder / 'bag', 'map': 'true'},
        COLLECT: {'bag': folder / 'bag', 'audio': 'none', 'camera': 'none'},
    }[path]
    if path != SIMULATE:
        found = subprocess.run(
            ['ros2', 'bag', '--help'], check=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        if found.returncode:
            pytest.skip('ros2 bag is not installed (apt has it)')
    if path == REPLAY:
        recording = Recording()
        recording.sound(60.0)
        recording.odometry(standing, 60.0)
        recording.write(folder / 'bag')
    run = launched(path, *(f'{name}:={given}' for name, given in arguments.items()))
    for word in ('near_wall]: .*ready', LAST[path]):
        assert wait_for(lambda word=word: re.search(word, run.said), 90.0), run.said
    return run


@pytest.mark.parametrize('path', [SIMULATE, REPLAY, COLLECT], ids=lambda p: p.name)
def test_ctrl_c_twice_ends_every_launch_in_order(launched, tmp_path, path):
    run = loaded(launched, path, tmp_path)
    for _ in range(2):
        run.signal_all()
        time.sleep(0.05)
    ended_in_order(run)


@pytest.mark.parametrize(
    ('path', 'name'),
    [(SIMULATE, 'simulated_robot'), (REPLAY, 'player'), (COLLECT, 'recorder')],
)
def test_a_killed_process_that_is_essential_ends_the_launch_with_its_reason(
    launched, tmp_path, path, name
):
    run = loaded(launched, path, tmp_path)
    number = int(re.search(rf'\[{name}-\d+\]: process started with pid \[(\d+)', run.said).group(1))
    os.kill(number, signal.SIGKILL)
    assert run.wait() == 1, run.said
    assert re.search(rf'{name}-\d+ ended .*so everything is stopped', run.said), run.said
    assert not run.alive


def test_nodes_told_by_systemd_end_in_order_where_launch_itself_has_died(launched):
    unit = configparser.ConfigParser(strict=False)
    unit.optionxform = str
    unit.read(ROOT / 'config' / 'quiet_nav.service')
    assert unit['Service']['KillMode'] == 'control-group'
    run = launched(WALL_FOLLOW, 'audio:=none', 'robot:=simulated', 'map:=true')
    assert wait_for(lambda: 'near_wall]: ' in run.said, 90.0), run.said
    run.process.kill()
    run.process.wait()
    run.signal_all(getattr(signal, unit['Service']['KillSignal']))
    within_s = float(unit['Service']['TimeoutStopSec'])
    assert wait_for(lambda: not run.alive, within_s), run.said


@pytest.mark.parametrize(
    ('path', 'arguments', 'reason'),
    [
        (SIMULATE, ['room:=ballroom'], 'simulated_robot-[0-9]+ ended with code 2'),
        (WALL_FOLLOW, ['device:=none such'], 'microphone-[0-9]+ ended'),
    ],
)
def test_a_launch_ends_with_its_reason_when_an_essential_process_dies(
    launched, tmp_path, path, arguments, reason
):
    own = tmp_path / 'own.yaml'
    own.write_text('/**/microphone: {ros__parameters: {channels: 0}}')
    run = launched(path, *arguments, f'params_file:={own}', 'channels:=-1') if (
        path == WALL_FOLLOW
    ) else launched(path, *arguments)  # fmt: skip
    assert run.wait(90.0) == 1, run.said
    assert re.search(reason + '.*everything is stopped', run.said), run.said


def wait_for(condition, timeout_s):
    end = time.monotonic() + timeout_s
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return held


def test_simulate_starts_drives_and_ends_on_sigint(ros, launched):
    if not (ROOT / 'models' / 'near_wall.onnx').is_file():
        pytest.skip('models/near_wall.onnx is not there')
    from nav_msgs.msg import Odometry

    poses = []
    node = ros.node('onlooker')
    node.create_subscription(
        Odometry, '/robot1/ground_truth', lambda m: poses.append(m.pose.pose.position), 10
    )
    run = launched(SIMULATE, 'namespace:=robot1', 'time_factor:=2.0', 'algorithm:=straight')
    assert ros.spin_until(
        lambda: poses and abs(poses[-1].x - poses[0].x) > 0.15, timeout_s=150.0
    ), run.said  # fmt: skip
    assert 'rig trio' in run.said, 'the argument rig did not reach near_wall'
    run.process.send_signal(signal.SIGINT)
    ended_in_order(run)
    began = set(re.findall(r'\[(\w+)-\d+\]: process started', run.said))
    assert began == {'launch_gate', 'simulated_robot', 'near_wall', 'wall_follower', 'follow_wall'}


def test_a_replay_beside_a_live_base_of_any_topic_is_refused(ros, launched, tmp_path):
    from geometry_msgs.msg import Twist

    heard = []
    base = ros.node('kobuki')
    base.create_subscription(Twist, '/commands/velocity', heard.append, 10)
    run = launched(REPLAY, f'bag:={sound_bag(tmp_path / "bag")}')
    assert ros.spin_until(lambda: run.process.poll() is not None, 60.0), run.said
    assert run.process.returncode == 1
    assert 'a live base listens to /commands/velocity (/kobuki)' in run.said
    assert 'player' not in run.said
    assert heard == []


def test_a_simulation_beside_a_live_base_is_refused(ros, launched):
    from geometry_msgs.msg import TwistStamped

    heard = []
    base = ros.node('turtlebot3_node')
    base.create_subscription(TwistStamped, 'cmd_vel', heard.append, 10)
    run = launched(SIMULATE, 'algorithm:=straight')
    assert ros.spin_until(lambda: run.process.poll() is not None, 60.0), run.said
    assert run.process.returncode == 1
    assert 'a live base listens to /cmd_vel (/turtlebot3_node)' in run.said
    assert 'near_wall' not in run.said
    assert heard == []
