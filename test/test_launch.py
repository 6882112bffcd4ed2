"""Launch files: what they name exists; and, where launch is installed, they start, drive, stop."""

import ast
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob('launch/*.launch.py'))
#: What they share.
COMMON = ROOT / 'src' / 'quiet_nav' / 'launch_arguments.py'
WALL_FOLLOW = ROOT / 'launch' / 'wall_follow.launch.py'
SIMULATE = ROOT / 'launch' / 'simulate.launch.py'
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
    for call in calls(path, 'Node', 'ours'):
        if call.func.id == 'ours':
            name, given = constant(call.args[0]), call.args[2:3]
        elif constant(keyword(call, 'package')) == 'quiet_nav':
            # The helper `ours` itself names its executable by argument.
            name = constant(keyword(call, 'executable'))
            given = [e for e in keyword(call, 'parameters').elts if isinstance(e, ast.Dict)]
        else:
            continue
        if name:
            yield name, {constant(key) for item in given for key in item.keys}


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
        if isinstance(node, ast.Assign) and node.targets[0].id == '_SHARED'
    )
    return {
        constant(name): {constant(k): v for k, v in zip(said.keys, said.values, strict=True)}
        for name, said in zip(table.keys, table.values, strict=True)
    }


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_argument_has_a_description_and_is_used(path):
    arguments = declared(path)
    assert {'namespace', 'use_sim_time', 'params_file', 'rig'} <= set(arguments)
    assert all(description is not None for description in arguments.values())
    text = path.read_text() + COMMON.read_text()
    for name in arguments:
        assert len(re.findall(rf"'{name}'", text)) >= 2, f'{name} is declared, but not used'


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_configuration_argument_that_is_read_is_declared(path):
    read = {constant(call.args[0]) for call in calls(path, 'LaunchConfiguration')}
    read |= {constant(call.args[0]) for call in calls(path, 'typed', 'chosen')}
    assert read - {None} <= set(declared(path))


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_executable_is_installed_and_takes_the_parameters_it_gets(path):
    listed = re.search(r'set\(nodes\s+([^)]*)\)', (ROOT / 'CMakeLists.txt').read_text())
    found = dict(our_nodes(path))
    assert found
    for name, given in found.items():
        assert name in listed.group(1).split(), f'{name} is not an executable'
        text = ''.join(p.read_text() for p in (ROOT / 'src/quiet_nav/nodes').glob(f'{name}*.py'))
        known = set(re.findall(r'^    (\w+): [^=\n]+ = parameter\(', text, re.M)) | {'autostart'}
        assert given <= known, f'{name} has no parameter {given - known}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: p.name)
def test_every_configuration_file_exists(path):
    names = set(re.findall(r"'(\w+\.(?:yaml|rviz))'", path.read_text()))
    names |= {f'{constant(choice)}.yaml' for choice in shared_arguments()['robot']['choices'].elts}
    assert len(names) >= 3
    for name in names:
        assert (ROOT / 'config' / name).is_file(), name


@pytest.mark.parametrize(
    ('modality', 'started', 'senses'),
    [
        ('audio', {'microphone', 'near_wall', 'wall_follower'}, 'audio'),
        ('vision', {'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'vision'),
        ('auto', {'microphone', 'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'both'),
        ('fusion', {'microphone', 'realsense2_camera_node', 'near_wall', 'wall_follower'}, 'both'),
    ],
)
def test_a_modality_starts_what_it_needs_and_no_more(modality, started, senses):
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    from launch import LaunchContext
    from launch.utilities import perform_substitutions

    sources = importlib.import_module('launch.launch_description_sources')
    description = sources.get_launch_description_from_python_launch_file(str(WALL_FOLLOW))
    context = LaunchContext()
    camera = 'none' if modality == 'audio' else 'realsense'
    given = context.launch_configurations
    # What stands for files of the installed package is not asked here.
    given.update(modality=modality, camera=camera, drive='false', params_file='', rviz_config='')
    for argument in description.get_launch_arguments():
        if argument.name not in given:
            given[argument.name] = perform_substitutions(context, argument.default_value)
    group = next(e for e in description.entities if type(e).__name__ == 'GroupAction')
    nodes = [e for e in group.get_sub_entities() if hasattr(e, 'node_executable')]
    wanted = {
        node.node_executable: node
        for node in nodes
        if node.condition is None or node.condition.evaluate(context)
    }
    assert set(wanted) == started
    assert modality_of(wanted['near_wall'], context) == senses


def modality_of(node, context):
    """Return the parameter `modality` that a node would get."""
    (value,) = [
        value
        for parameters in node._Node__parameters
        if isinstance(parameters, dict)
        for name, value in parameters.items()
        if name[0].text == 'modality'
    ]
    return ''.join(part.perform(context) for part in value)


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
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    sources = importlib.import_module('launch.launch_description_sources')
    description = sources.get_launch_description_from_python_launch_file(str(path))
    names = {argument.name for argument in description.get_launch_arguments()}
    assert set(declared(path)) <= names


def wait_for(condition, timeout_s):
    end = time.monotonic() + timeout_s
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.2)
    return held


def test_simulate_starts_drives_and_ends_on_sigint(ros, tmp_path):
    pytest.importorskip('launch_ros', reason='launch_ros is not installed (apt has it)')
    ros2 = shutil.which('ros2')
    if ros2 is None:
        pytest.skip('the ros2 command is not installed (apt has it)')
    if not (ROOT / 'models' / 'near_wall.onnx').is_file():
        pytest.skip('models/near_wall.onnx is not there')
    from nav_msgs.msg import Odometry

    poses = []
    node = ros.node('onlooker')
    node.create_subscription(
        Odometry, '/robot1/ground_truth', lambda m: poses.append(m.pose.pose.position), 10
    )
    log = tmp_path / 'launch.log'
    with open(log, 'wb') as output:
        process = subprocess.Popen(
            [sys.executable, ros2, 'launch', str(SIMULATE), 'namespace:=robot1',
             'time_factor:=2.0', 'algorithm:=straight'],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, env={**os.environ, 'ROS_LOG_DIR': str(tmp_path / 'ros')},
        )  # fmt: skip
    try:
        moved = ros.spin_until(
            lambda: poses and abs(poses[-1].x - poses[0].x) > 0.15, timeout_s=150.0
        )
        assert moved, log.read_text()
        assert 'rig trio' in log.read_text(), 'the argument rig did not reach near_wall'
        process.send_signal(signal.SIGINT)
        process.wait(30.0)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text()
    started = set(re.findall(r'\[(\w+)-\d+\]: process started', text))
    assert started == {'simulated_robot', 'near_wall', 'wall_follower', 'follow_wall'}
    assert 'Traceback' not in text
    assert 'escalating' not in text
