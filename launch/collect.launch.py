"""A robot that somebody drives records sound, depth and odometry: bags to replay and to label."""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, GroupAction, OpaqueFunction
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

ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace', default_value='', description='Namespace of every node and relative topic'
    ),
    DeclareLaunchArgument(
        'use_sim_time', default_value='false', description='Take time from /clock'
    ),
    DeclareLaunchArgument(
        'robot',
        default_value='turtlebot4',
        choices=['turtlebot3', 'turtlebot4'],
        description='Profile: config/ROBOT.yaml is read after the defaults in config/',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value=[CONFIG, '/', LaunchConfiguration('robot'), '.yaml'],
        description='Parameters of your own for any node, read after the profile',
    ),
    DeclareLaunchArgument(
        'rig',
        default_value='pair',
        description='Where the microphones are: single, pair, trio, or a YAML file',
    ),
    DeclareLaunchArgument(
        'model', default_value='', description='ONNX model; empty: models/near_wall.onnx'
    ),
    DeclareLaunchArgument(
        'audio',
        default_value='microphone',
        choices=['microphone', 'none'],
        description='none: something else publishes audio/audio_stamped',
    ),
    DeclareLaunchArgument(
        'device', default_value='', description='Input device: index or name; empty: the default'
    ),
    DeclareLaunchArgument(
        'channels',
        default_value=PythonExpression(
            [
                "importlib.import_module('quiet_nav.perception.rig').find_rig('",
                LaunchConfiguration('rig'),
                "').channels",
            ],
            python_modules=['importlib'],
        ),
        description='Channels to record; default: those that the rig needs',
    ),
    DeclareLaunchArgument(
        'camera',
        default_value='realsense',
        choices=['realsense', 'none'],
        description='none: something else publishes the depth images',
    ),
    DeclareLaunchArgument(
        'record_file',
        default_value=PathJoinSubstitution([CONFIG, 'record.yaml']),
        description='YAML with the topics to record',
    ),
    DeclareLaunchArgument(
        'bag', default_value='', description='Folder of the bag; empty: named by the time'
    ),
]


def typed(argument: str, kind: type) -> ParameterValue:
    """Return an argument as a parameter of a type."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


def ours(executable: str, defaults: str = '', parameters: dict | None = None, **options) -> Node:
    """Return one of the package's nodes: defaults, the robot's profile, your file, arguments."""
    files = [PathJoinSubstitution([CONFIG, defaults])] if defaults else []
    return Node(
        package='quiet_nav',
        executable=executable,
        # Named, so that what launch hands over stands above every pattern in the files.
        name=executable,
        output='screen',
        parameters=[
            *files,
            [CONFIG, '/', LaunchConfiguration('robot'), '.yaml'],
            LaunchConfiguration('params_file'),
            parameters or {},
        ],
        **options,
    )


def record(context: LaunchContext) -> list[ExecuteProcess]:
    """Return `ros2 bag record` of the topics in the file, in the robot's namespace."""
    content = yaml.safe_load(Path(LaunchConfiguration('record_file').perform(context)).read_text())
    namespace = LaunchConfiguration('namespace').perform(context).strip('/')
    prefix = f'/{namespace}/' if namespace else '/'
    # Without a namespace `tf` and `/tf` are one topic.
    names = [name if name.startswith('/') else prefix + name for name in content['topics']]
    bag = LaunchConfiguration('bag').perform(context)
    output = ['--output', bag] if bag else []
    command = ['ros2', 'bag', 'record', '--storage', 'mcap', *output, *dict.fromkeys(names)]
    return [ExecuteProcess(cmd=command, output='screen')]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the nodes and the recorder."""
    nodes = [
        ours(
            'microphone',
            'microphone.yaml',
            {'device': typed('device', str), 'channels': typed('channels', int)},
            condition=IfCondition(EqualsSubstitution(LaunchConfiguration('audio'), 'microphone')),
        ),
        Node(
            package='realsense2_camera',
            executable='realsense2_camera_node',
            name='camera',
            namespace='camera',
            output='screen',
            parameters=[
                {
                    'enable_color': True,
                    'enable_depth': True,
                    'enable_infra1': False,
                    'enable_infra2': False,
                    'rgb_camera.color_profile': '640x480x6',
                    'depth_module.depth_profile': '640x480x6',
                }
            ],
            condition=IfCondition(EqualsSubstitution(LaunchConfiguration('camera'), 'realsense')),
        ),
        ours(
            'near_wall', 'near_wall.yaml', {'rig': typed('rig', str), 'model': typed('model', str)}
        ),
        ours('wall_distance'),
    ]
    group = GroupAction(
        [
            PushRosNamespace(LaunchConfiguration('namespace')),
            SetParameter('use_sim_time', LaunchConfiguration('use_sim_time')),
            *nodes,
        ]
    )
    return LaunchDescription([*ARGUMENTS, group, OpaqueFunction(function=record)])
