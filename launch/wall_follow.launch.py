"""A robot follows a wall: microphone, camera, detector, follower, a goal; a map and RViz."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node

from quiet_nav.launch_arguments import (
    log_level,
    map_and_rviz,
    ours,
    realsense,
    shared,
    together,
    typed,
)

ARGUMENTS = [
    *shared('namespace', 'use_sim_time', 'robot', 'params_file', 'rig', 'modality'),
    DeclareLaunchArgument(
        'audio',
        default_value='microphone',
        choices=['microphone', 'audio_capture', 'none'],
        description='Whose microphone node (none is started to drive by vision alone); none: '
        'something else publishes audio/audio_stamped',
    ),
    DeclareLaunchArgument(
        'camera',
        default_value='none',
        choices=['none', 'realsense'],
        description='realsense: start realsense2_camera with its colour stream; none: something '
        'else publishes camera/camera/color/image_raw',
    ),
    *shared('device', 'channels', 'model', 'vision_model', 'autostart', 'drive', 'algorithm'),
    *shared('side', 'max_distance', 'map', 'rviz', 'rviz_config', 'log_level'),
]


def hears_by(node: str) -> IfCondition:
    """Return the condition that sound is wanted, from a microphone node."""
    values = [LaunchConfiguration('modality'), "' != 'vision' and '", LaunchConfiguration('audio')]
    return IfCondition(PythonExpression(["'", *values, f"' == '{node}'"]))


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    autostart = typed('autostart', bool)
    modality = LaunchConfiguration('modality')
    senses = PythonExpression(
        ["'", modality, "' if '", modality, "' in ('audio', 'vision') else 'both'"]
    )
    nodes = [
        ours(
            'microphone',
            'microphone.yaml',
            {'device': typed('device'), 'channels': typed('channels', int)},
            condition=hears_by('microphone'),
            ros_arguments=log_level(),
        ),
        Node(
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
            condition=hears_by('audio_capture'),
        ),
        realsense(depth=False),
        ours(
            'near_wall',
            'near_wall.yaml',
            {
                'modality': senses,
                'rig': typed('rig'),
                'model': typed('model'),
                'vision_model': typed('vision_model'),
                'autostart': autostart,
            },
            ros_arguments=log_level(),
        ),
        ours(
            'wall_follower',
            'wall_follower.yaml',
            {'rig': typed('rig'), 'autostart': autostart},
            ros_arguments=log_level(),
        ),
        ours(
            'follow_wall',
            '',
            {
                'modality': typed('modality'),
                'algorithm': typed('algorithm'),
                'side': typed('side'),
                'max_distance': typed('max_distance', float),
            },
            name='follow_wall_client',
            condition=IfCondition(LaunchConfiguration('drive')),
            ros_arguments=log_level(),
        ),
        *map_and_rviz(),
    ]
    return LaunchDescription([*ARGUMENTS, together(nodes)])
