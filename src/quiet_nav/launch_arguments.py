"""What the launch files share: arguments, the package's nodes, the camera, one namespace for all.

Only launch files import this, as it needs `launch` and `launch_ros`.
"""

from __future__ import annotations

from collections.abc import Iterable

from launch.actions import DeclareLaunchArgument, GroupAction
from launch.conditions import IfCondition
from launch.substitutions import (
    EqualsSubstitution,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
)
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('quiet_nav'), 'config'])

_SHARED = {
    'namespace': {
        'default_value': '',
        'description': 'Namespace of every node and relative topic',
    },
    'use_sim_time': {'default_value': 'false', 'description': 'Take time from /clock'},
    'robot': {
        'default_value': 'turtlebot4',
        'choices': ['turtlebot3', 'turtlebot4'],
        'description': 'Profile: config/ROBOT.yaml is read after the defaults in config/',
    },
    'params_file': {
        'default_value': [CONFIG, '/', LaunchConfiguration('robot'), '.yaml'],
        'description': 'Parameters of your own for any node, read after the profile',
    },
    'rig': {
        'default_value': 'pair',
        'description': 'Where the microphones are: single, pair, trio, or a YAML file',
    },
    'device': {
        'default_value': '',
        'description': 'Input device (microphone: index or name, audio_capture: ALSA name); '
        'empty: the default',
    },
    'channels': {
        'default_value': PythonExpression(
            [
                "importlib.import_module('quiet_nav.perception.rig').find_rig('",
                LaunchConfiguration('rig'),
                "').channels",
            ],
            ['importlib'],
        ),
        'description': 'Channels to record; as many as the rig needs by default',
    },
    'model': {
        'default_value': '',
        'description': 'ONNX model of sound; empty: models/near_wall.onnx',
    },
    'modality': {
        'default_value': 'audio',
        'choices': ['audio', 'vision', 'auto', 'fusion'],
        'description': 'What to drive by; auto: vision, and sound while it fails; fusion: both',
    },
    'vision_model': {
        'default_value': '',
        'description': 'ONNX model of images; empty: models/near_wall_vision.onnx',
    },
    'autostart': {
        'default_value': 'true',
        'description': 'Configure and activate the lifecycle nodes; false: a lifecycle manager '
        'does',
    },
    'drive': {
        'default_value': 'true',
        'description': 'Send a follow_wall goal: the robot drives once it has heard (or seen); '
        'false: wait for one from elsewhere',
    },
    'algorithm': {
        'default_value': 'tracker',
        'choices': ['tracker', 'algorithm1', 'algorithm2', 'straight', 'random'],
        'description': 'Policy of that goal',
    },
    'side': {
        'default_value': 'any',
        'choices': ['any', 'left', 'right'],
        'description': 'Side of the wall in that goal',
    },
    'max_distance': {
        'default_value': '0.0',
        'description': 'Way of that goal in metres; 0: no limit',
    },
    'map': {
        'default_value': 'false',
        'description': 'Start probability_map: the near-wall map',
    },
    'rviz': {'default_value': 'false', 'description': 'Start RViz'},
    'rviz_config': {
        'default_value': PathJoinSubstitution([CONFIG, 'quiet_nav.rviz']),
        'description': 'What RViz shows',
    },
    'log_level': {
        'default_value': 'info',
        'description': 'debug, info, warn, error or fatal',
    },
}


def shared(*names: str, **defaults: str) -> list[DeclareLaunchArgument]:
    """Return arguments that mean the same everywhere; ``defaults``: some with another default."""
    changed = {name: {'default_value': default} for name, default in defaults.items()}
    return [
        DeclareLaunchArgument(name, **(_SHARED[name] | changed.get(name, {})))
        for name in (*names, *defaults)
    ]


def typed(argument: str, kind: type = str) -> ParameterValue:
    """Return an argument as a parameter of a type; as a string, whatever it looks like."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


def chosen(argument: str, value: str) -> IfCondition:
    """Return the condition that an argument has a value."""
    return IfCondition(EqualsSubstitution(LaunchConfiguration(argument), value))


def ours(
    executable: str, defaults: str = '', parameters: dict | None = None, **options: object
) -> Node:
    """Return one of the package's nodes: defaults, the robot's profile, your file, arguments."""
    files = [PathJoinSubstitution([CONFIG, defaults])] if defaults else []
    return Node(
        package='quiet_nav',
        executable=executable,
        # Named, so that what launch hands over stands above every pattern in the files.
        name=options.pop('name', executable),
        output='screen',
        parameters=[
            *files,
            [CONFIG, '/', LaunchConfiguration('robot'), '.yaml'],
            LaunchConfiguration('params_file'),
            parameters or {},
        ],
        # A busy machine may need more than launch's five seconds to end a node in order.
        sigterm_timeout='15',
        **options,
    )


def log_level() -> list:
    """Return the ROS arguments that set a node's log level."""
    return ['--log-level', LaunchConfiguration('log_level')]


def realsense(depth: bool) -> Node:
    """Return realsense2_camera with the streams that are needed and no more, where chosen."""
    streams = {
        'enable_color': True,
        'enable_depth': depth,
        'enable_infra1': False,
        'enable_infra2': False,
        'rgb_camera.color_profile': '640x480x6',
    }
    return Node(
        package='realsense2_camera',
        executable='realsense2_camera_node',
        name='camera',
        namespace='camera',
        output='screen',
        parameters=[{**streams, 'depth_module.depth_profile': '640x480x6'} if depth else streams],
        condition=chosen('camera', 'realsense'),
    )


def map_and_rviz() -> list[Node]:
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
        ),
    ]


def together(nodes: Iterable[Node]) -> GroupAction:
    """Return nodes in the namespace and on the clock of the arguments."""
    return GroupAction(
        [
            PushRosNamespace(LaunchConfiguration('namespace')),
            SetParameter('use_sim_time', LaunchConfiguration('use_sim_time')),
            *nodes,
        ]
    )
