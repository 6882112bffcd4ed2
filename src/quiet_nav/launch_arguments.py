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

"""
What the launch files share: arguments, the package's nodes, the camera, how a launch ends.

Only launch files import this, as it needs `launch` and `launch_ros`. What a user gives as an
argument is data: it is handed to functions (``Derived``), and is never part of an expression.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
import math
from pathlib import Path
import re
import signal
import tempfile
import threading
import time
from types import FrameType
from typing import Any

from launch import LaunchContext, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    GroupAction,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.condition import Condition
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitution import Substitution
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.utilities import evaluate_parameters, normalize_parameters
import yaml

from quiet_nav.demo.processes import how
from quiet_nav.errors import QuietNavError
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.navigation.policies import POLICIES
from quiet_nav.perception.rig import find_rig
from quiet_nav.resources import find, names, RIG, ROBOT, shared_file

#: A busy machine may need more than launch's five seconds to end a node in order. Constants,
#: because launch evaluates what stands for them as an expression.
STOP = {'sigterm_timeout': '15', 'sigkill_timeout': '5'}
#: Ctrl-C within so long is one wish.
SAME_WISH_S = 3.0
ALWAYS = IfCondition('true')
_BOOL = ['true', 'false']
_TOPIC = re.compile(r'/?[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*')


class BothConditions(Condition):
    """Two conditions that both hold."""

    def __init__(self, first: Condition, second: Condition) -> None:
        super().__init__(
            predicate=lambda context: first.evaluate(context) and second.evaluate(context)
        )


class Derived(Substitution):
    """What a function makes of the values of arguments; True and False become true and false."""

    def __init__(self, function: Callable[..., object], *arguments: str) -> None:
        super().__init__()
        self._function = function
        self._arguments = arguments

    def describe(self) -> str:
        return f'Derived({", ".join(self._arguments)})'

    def perform(self, context: LaunchContext) -> str:
        made = self._function(*(value(context, name) for name in self._arguments))
        return str(made).lower() if isinstance(made, bool) else str(made)


_SHARED: dict[str, dict[str, Any]] = {
    'namespace': {
        'default_value': '',
        'description': 'Namespace of every node and relative topic',
    },
    'use_sim_time': {
        'default_value': 'false',
        'choices': _BOOL,
        'description': 'Take time from /clock',
    },
    'discovery_range': {
        'default_value': EnvironmentVariable(
            'ROS_AUTOMATIC_DISCOVERY_RANGE', default_value='SUBNET'
        ),
        'choices': ['LOCALHOST', 'SUBNET', 'SYSTEM_DEFAULT', 'OFF'],
        'description': 'Who may find the nodes (ROS_AUTOMATIC_DISCOVERY_RANGE, which is also the '
        'default where it is set): LOCALHOST where everything runs on this computer',
    },
    'robot': {
        'default_value': 'turtlebot4',
        'description': f'Profile, read after the defaults in config: {", ".join(names(ROBOT))}, '
        'or a YAML file',
    },
    'params_file': {
        'default_value': '',
        'description': 'Parameters of your own for any node, read after the profile',
    },
    'rig': {
        'default_value': 'pair',
        'description': f'Where the microphones are: {", ".join(names(RIG))}, or a YAML file',
    },
    'device': {
        'default_value': '',
        'description': 'Input device (microphone: index or name, audio_capture: ALSA name); '
        'empty: the default',
    },
    'channels': {
        'default_value': Derived(lambda rig: find_rig(rig).channels, 'rig'),
        'description': 'Channels to record; as many as the rig needs by default',
    },
    'use_composition': {
        'default_value': 'false',
        'choices': _BOOL,
        'description': 'Our microphone and near_wall in one process, which takes less memory',
    },
    'camera_file': {
        'default_value': '',
        'description': 'Recording of a RealSense camera (.bag, .db3) in the place of one, with '
        'camera:=quiet_nav',
    },
    'detector': {
        'default_value': '',
        'description': 'Model that ships, by name, an ONNX file, or interference; empty: that of '
        'the profile or of params_file, else near_wall',
    },
    'model': {
        'default_value': LaunchConfiguration('detector'),
        'description': 'The same, as the parameter of near_wall is called; detector by default',
    },
    'modality': {
        'default_value': 'audio',
        'choices': ['audio', 'vision', 'auto', 'fusion'],
        'description': 'What to drive by; auto: vision, and sound while it fails; fusion: both',
    },
    'vision_model': {
        'default_value': '',
        'description': 'ONNX model of images; empty: that of params_file, else '
        'models/near_wall_vision.onnx',
    },
    'autostart': {
        'default_value': 'true',
        'choices': _BOOL,
        'description': 'Configure and activate the lifecycle nodes; false: a lifecycle manager '
        'does',
    },
    'drive': {
        'default_value': 'true',
        'choices': _BOOL,
        'description': 'Send a follow_wall goal: the robot drives once it has heard (or seen); '
        'false: wait for one from elsewhere',
    },
    'algorithm': {
        'default_value': 'tracker',
        'choices': list(POLICIES),
        'description': 'Policy of that goal',
    },
    'side': {
        'default_value': 'any',
        'choices': ['any', 'left', 'right'],
        'description': 'Side of the wall in that goal',
    },
    'max_distance': {
        'default_value': '0.0',
        'description': 'Way of that goal in meters; 0: no limit',
    },
    'map': {
        # RViz shows it; of an argument that is declared before this one.
        'default_value': LaunchConfiguration('rviz'),
        'choices': _BOOL,
        'description': 'Start probability_map: the near-wall map; by default where RViz is',
    },
    'rviz': {'default_value': 'false', 'choices': _BOOL, 'description': 'Start RViz'},
    'rviz_config': {
        'default_value': str(shared_file('config/quiet_nav.rviz')),
        'description': 'What RViz shows',
    },
    'enclaves': {
        'default_value': '',
        'description': 'Where the SROS 2 enclaves of the nodes are, each named as its executable: '
        '/quiet_nav for those of security/; empty: ROS chooses',
    },
    'log_level': {
        'default_value': 'info',
        'choices': ['debug', 'info', 'warn', 'error', 'fatal'],
        'description': 'Of the nodes here',
    },
}


def shared(*wanted: str, **defaults: object) -> list[DeclareLaunchArgument]:
    """Return arguments that mean the same everywhere; ``defaults``: some with another default."""
    changed = {name: {'default_value': default} for name, default in defaults.items()}
    return [
        DeclareLaunchArgument(name, **(_SHARED[name] | changed.get(name, {})))
        for name in (*wanted, *defaults)
    ]


def this_machine_alone() -> EnvironmentVariable:
    """Return the default of ``discovery_range`` for what nobody on another computer needs."""
    return EnvironmentVariable('ROS_AUTOMATIC_DISCOVERY_RANGE', default_value='LOCALHOST')


def value(context: LaunchContext, argument: str) -> str:
    """Return what an argument is."""
    return LaunchConfiguration(argument).perform(context)


def typed(argument: str, kind: type = str) -> ParameterValue:
    """Return an argument as a parameter of a type; as a string, whatever it looks like."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


def where(function: Callable[..., bool], *arguments: str) -> IfCondition:
    """Return the condition that a function of arguments' values holds."""
    return IfCondition(Derived(function, *arguments))


def chosen(argument: str, wanted: str) -> IfCondition:
    """Return the condition that an argument has a value."""
    return where(lambda given: given == wanted, argument)


def topic(context: LaunchContext, name: str) -> str:
    """Return a topic's full name: relative ones get the namespace of the argument."""
    space = value(context, 'namespace').strip('/')
    return name if name.startswith('/') else '/'.join(['', *([space] if space else []), name])


def topics_of(path: str, *keys: str) -> dict[str, list[str]]:
    """
    Return the lists of topic names in a YAML file, one a key.

    Raises QuietNavError where it cannot be read or holds something else.
    """
    content = read_yaml(path)
    for key in keys:
        listed = content.get(key) if isinstance(content, dict) else None
        if not isinstance(listed, list) or not all(
            isinstance(name, str) and _TOPIC.fullmatch(name) for name in listed
        ):
            raise QuietNavError(f'{path}: expected `{key}` with a list of topic names')
    return {key: content[key] for key in keys}


def beginning() -> list[LaunchDescriptionEntity]:
    """
    Return what stands first in every launch file: checks of arguments, the discovery range.

    A name that is nothing ends the launch in one line before anything starts.
    """

    def check(context: LaunchContext) -> None:
        _take_ctrl_c_in_order()
        _parameter_files(context, '')
        find_rig(value(context, 'rig'))
        root = value(context, 'enclaves')
        if root and not (root.startswith('/') and _TOPIC.fullmatch(root)):
            raise QuietNavError(f'enclaves {root}: expected names after slashes, as /quiet_nav')

    return [
        OpaqueFunction(function=check),
        SetEnvironmentVariable(
            'ROS_AUTOMATIC_DISCOVERY_RANGE', LaunchConfiguration('discovery_range')
        ),
    ]


def _take_ctrl_c_in_order() -> None:
    """
    Leave Ctrl-C to launch's event loop, which hears of it by itself.

    Python's own handler raises KeyboardInterrupt wherever launch is: a task that starts a process
    is lost by it and launch waits for that process forever, or dies and leaves its nodes behind.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if before is not signal.default_int_handler or not in_main:
        return
    last_s = -math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        # Where launch has ended, but somebody's own program that ran it has not.
        if asyncio._get_running_loop() is None and now_s - last_s > SAME_WISH_S:
            before(number, frame)
        last_s = now_s

    signal.signal(signal.SIGINT, handle)


def _parameter_files(context: LaunchContext, defaults: str) -> list[str]:
    """Return the files that a node reads, the last one strongest: defaults, profile, your own."""
    files = [shared_file(f'config/{defaults}')] if defaults else []
    files.append(find(ROBOT, value(context, 'robot')))
    own = value(context, 'params_file')
    if own:
        if not Path(own).is_file():
            raise QuietNavError(f'params_file {own}: no such file')
        files.append(Path(own))
    return [str(path) for path in files]


def _given(context: LaunchContext, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what arguments say of a node: one that is left empty leaves it to the files."""
    if not parameters:
        return {}
    (evaluated,) = evaluate_parameters(context, normalize_parameters([parameters]))
    return {name: said for name, said in evaluated.items() if said != ''}


def ours(
    executable: str,
    defaults: str = '',
    parameters: dict | None = None,
    *,
    name: str = '',
    essential: Condition | None = None,
    condition: Condition | None = None,
    ros_arguments: Iterable[Any] = (),
    **options: Any,
) -> OpaqueFunction:
    """
    Return one of the package's nodes: defaults, the robot's profile, your file, arguments.

    essential: where this holds, the launch ends with the node.
    """

    def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        # A string stays one, whatever it looks like.
        given = {
            key: ParameterValue(said, value_type=str) if isinstance(said, str) else said
            for key, said in _given(context, parameters or {}).items()
        }
        node = Node(
            package='quiet_nav',
            executable=executable,
            # Named, so that what launch hands over stands above every pattern in the files.
            name=name or executable,
            output='screen',
            parameters=[*_parameter_files(context, defaults), given],
            ros_arguments=[*joins(executable), *ros_arguments],
            **STOP,
            **options,
        )
        ends = essential is not None and essential.evaluate(context)
        return [*([ends_launch(node)] if ends else []), node]

    return OpaqueFunction(function=start, condition=condition)


def ears(
    parameters: dict[str, dict[str, Any]],
    *,
    essential: Condition,
    ros_arguments: Iterable[Any] = (),
) -> OpaqueFunction:
    """
    Return, where ``use_composition`` asks for it, the process of microphone and near_wall.

    parameters: what launch hands over, by node; each node's name in full stands above every pattern
    in the files.
    """

    def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        for argument, fits in (('audio', 'microphone'), ('modality', 'audio'), ('enclaves', '')):
            given = context.launch_configurations.get(argument, fits)
            if given != fits:
                # One sense may fail while the other drives; a process joins one enclave.
                raise QuietNavError(
                    f'use_composition: it takes {argument}:={fits or repr(fits)}, not {given}'
                )
        handed = {}
        for node, given in parameters.items():
            handed[topic(context, node)] = {'ros__parameters': _given(context, given)}
        with tempfile.NamedTemporaryFile('w', prefix='launch_params_', delete=False) as file:
            yaml.safe_dump(handed, file)
        shared_files = _parameter_files(context, '')
        process = Node(
            package='quiet_nav',
            executable='ears',
            output='screen',
            parameters=[
                *(str(shared_file(f'config/{node}.yaml')) for node in parameters),
                *shared_files,
                file.name,
            ],
            ros_arguments=[*joins('ears'), *ros_arguments],
            **STOP,
        )
        return [*([ends_launch(process)] if essential.evaluate(context) else []), process]

    return OpaqueFunction(function=start, condition=chosen('use_composition', 'true'))


def apart(condition: Condition | None = None) -> Condition:
    """Return the condition that nodes have processes of their own, and another one."""
    alone = chosen('use_composition', 'false')
    return alone if condition is None else BothConditions(alone, condition)


def ends_launch(process: ExecuteProcess, finished: str = '') -> RegisterEventHandler:
    """
    Return the handler that ends the launch when a process does, and says so.

    finished: what its end with 0 means, for people; any other end is an error of the launch.
    """

    def ended(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        if context.is_shutdown:
            return None
        if event.returncode:
            raise _died(event)
        reason = finished or f'{event.process_name} has ended: everything is stopped'
        return [LogInfo(msg=reason), EmitEvent(event=Shutdown(reason=reason))]

    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=ended))


def after(
    process: ExecuteProcess, entities: Callable[[LaunchContext], list[LaunchDescriptionEntity]]
) -> RegisterEventHandler:
    """
    Return the handler that starts something when a process has ended with 0.

    Any other end of it ends the launch.
    """

    def ended(event: ProcessExited, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        if context.is_shutdown:
            return None
        if event.returncode:
            raise _died(event)
        return entities(context)

    return RegisterEventHandler(OnProcessExit(target_action=process, on_exit=ended))


def _died(event: ProcessExited) -> QuietNavError:
    return QuietNavError(
        f'{event.process_name} ended {how(event.returncode)}, so everything is stopped; '
        'its lines above say why'
    )


def gate(parameters: dict) -> Node:
    """Return the node that ends with 0 when a launch may go on."""
    return Node(
        package='quiet_nav',
        executable='launch_gate',
        name='launch_gate',
        output='screen',
        parameters=[parameters],
        namespace=Derived(lambda space: space.strip('/'), 'namespace'),
        ros_arguments=joins('launch_gate'),
        **STOP,
    )


def joins(name: str) -> list:
    """Return the ROS arguments by which a node joins its enclave."""
    return ['--enclave', Derived(lambda root: f'{root}/{name}' if root else '/', 'enclaves')]


def joined(context: LaunchContext, name: str) -> dict[str, str]:
    """Return the variables by which a command that takes no ROS arguments joins its enclave."""
    root = value(context, 'enclaves')
    return {'ROS_SECURITY_ENCLAVE_OVERRIDE': f'{root}/{name}'} if root else {}


def log_level() -> list:
    """Return the ROS arguments that set a node's log level."""
    return ['--log-level', LaunchConfiguration('log_level')]


def records() -> dict[str, ParameterValue]:
    """Return what launch hands over to our microphone."""
    return {'device': typed('device'), 'channels': typed('channels', int)}


def microphones(hears: Callable[[str], Condition], essential: Condition) -> list:
    """
    Return our microphone and audio_common's; ``hears``: the condition to start one of them.

    Not ours where it is composed with near_wall (``ears``).
    """
    capture = Node(
        package='audio_capture',
        executable='audio_capture_node',
        name='audio_capture',
        namespace='audio',
        output='screen',
        # Its own default is mp3, which cannot be measured with.
        parameters=[
            {
                'format': 'wave',
                'dst': 'appsink',
                'sample_format': 'S16LE',
                'sample_rate': 16000,
                'depth': 16,
                'channels': typed('channels', int),
                'device': typed('device'),
            }
        ],
        condition=hears('audio_capture'),
        ros_arguments=joins('audio_capture'),
        **STOP,
    )
    return [
        ours(
            'microphone',
            'microphone.yaml',
            records(),
            condition=apart(hears('microphone')),
            essential=essential,
            ros_arguments=log_level(),
        ),
        ends_where(capture, essential),
        capture,
    ]


def cameras(depth: bool, essential: Condition) -> list:
    """Return realsense2_camera and our node of the same topics, each where it is chosen."""
    # The streams that are needed and no more.
    streams = {
        'enable_color': True,
        'enable_depth': depth,
        'enable_infra1': False,
        'enable_infra2': False,
        'rgb_camera.color_profile': '640x480x6',
    }
    camera = Node(
        package='realsense2_camera',
        executable='realsense2_camera_node',
        name='camera',
        namespace='camera',
        output='screen',
        parameters=[{**streams, 'depth_module.depth_profile': '640x480x6'} if depth else streams],
        condition=chosen('camera', 'realsense'),
        ros_arguments=joins('camera'),
        **STOP,
    )
    own = ours(
        'realsense',
        'realsense.yaml',
        {'enable_depth': depth, 'file': typed('camera_file')},
        condition=chosen('camera', 'quiet_nav'),
        essential=essential,
        ros_arguments=log_level(),
    )
    return [ends_where(camera, essential), camera, own]


def ends_where(process: ExecuteProcess, essential: Condition) -> OpaqueFunction:
    """Return ``ends_launch`` of a process, where a condition holds."""

    def register(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        return [ends_launch(process)] if essential.evaluate(context) else []

    return OpaqueFunction(function=register)


def map_and_rviz() -> list:
    """Return the near-wall map and RViz, each where it is asked for."""
    return [
        ours(
            'probability_map',
            'probability_map.yaml',
            {'rig': typed('rig')},
            condition=IfCondition(LaunchConfiguration('map')),
        ),
        Node(
            package='rviz2',
            executable='rviz2',
            output='screen',
            arguments=['-d', LaunchConfiguration('rviz_config')],
            condition=IfCondition(LaunchConfiguration('rviz')),
            ros_arguments=joins('rviz'),
            **STOP,
        ),
    ]


def together(
    nodes: Iterable[LaunchDescriptionEntity], prefix: str = '', clock: bool = True
) -> GroupAction:
    """Return nodes in the namespace (below ``prefix``) and on the clock of the arguments."""
    return GroupAction(
        [
            *([PushRosNamespace(prefix)] if prefix else []),
            PushRosNamespace(Derived(lambda space: space.strip('/'), 'namespace')),
            *([SetParameter('use_sim_time', typed('use_sim_time', bool))] if clock else []),
            *nodes,
        ]
    )
