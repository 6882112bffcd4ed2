"""A robot that somebody drives records sound, depth and odometry: bags to replay and to label."""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution

from quiet_nav.launch_arguments import CONFIG, chosen, ours, realsense, shared, together, typed

ARGUMENTS = [
    *shared('namespace', 'use_sim_time', 'robot', 'params_file', 'rig', 'model'),
    DeclareLaunchArgument(
        'audio',
        default_value='microphone',
        choices=['microphone', 'none'],
        description='none: something else publishes audio/audio_stamped',
    ),
    *shared('device', 'channels'),
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
            {'device': typed('device'), 'channels': typed('channels', int)},
            condition=chosen('audio', 'microphone'),
        ),
        realsense(depth=True),
        ours('near_wall', 'near_wall.yaml', {'rig': typed('rig'), 'model': typed('model')}),
        ours('wall_distance'),
    ]
    return LaunchDescription([*ARGUMENTS, together(nodes), OpaqueFunction(function=record)])
