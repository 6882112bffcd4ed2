"""The same as wall_follow.launch.py, with the simulated robot in the place of the real one."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir
from launch_ros.actions import Node, PushRosNamespace

from quiet_nav.launch_arguments import CONFIG, log_level, shared, typed

ARGUMENTS = [
    DeclareLaunchArgument(
        'room',
        default_value='classroom',
        description='Room that ships (config/rooms), or a floor plan (.yaml)',
    ),
    DeclareLaunchArgument(
        'track', default_value='', description='Track in the room; empty: its first'
    ),
    DeclareLaunchArgument(
        'start', default_value='4', description="Which of the track's start poses, from 0"
    ),
    DeclareLaunchArgument('seed', default_value='0', description='Of sources, slip and drift'),
    DeclareLaunchArgument(
        'time_factor', default_value='1.0', description='Speed of time, where the machine can'
    ),
    DeclareLaunchArgument(
        'camera_fault',
        default_value='none',
        choices=['none', 'dark', 'covered', 'killed', 'back'],
        description='What befalls the camera half a minute after the start',
    ),
    *shared('namespace', 'robot', 'params_file', 'modality', 'model', 'vision_model', 'autostart'),
    *shared('drive', 'algorithm', 'side', 'max_distance', 'map', 'rviz', 'rviz_config'),
    *shared('log_level', use_sim_time='true', rig='trio'),
]
#: Arguments of wall_follow.launch.py that are handed on as they are.
SHARED = (
    'namespace',
    'use_sim_time',
    'robot',
    'params_file',
    'rig',
    'modality',
    'model',
    'vision_model',
    'autostart',
    'drive',
    'algorithm',
    'side',
    'max_distance',
    'map',
    'rviz',
    'rviz_config',
    'log_level',
)


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    robot = Node(
        package='quiet_nav',
        executable='simulated_robot',
        name='simulated_robot',
        output='screen',
        parameters=[
            PathJoinSubstitution([CONFIG, 'simulated_robot.yaml']),
            LaunchConfiguration('params_file'),
            {
                'room': typed('room'),
                'track': typed('track'),
                'rig': typed('rig'),
                'start': typed('start', int),
                'seed': typed('seed', int),
                'time_factor': typed('time_factor', float),
                'camera_fault': typed('camera_fault'),
            },
        ],
        ros_arguments=log_level(),
        sigterm_timeout='15',
    )
    rest = IncludeLaunchDescription(
        PythonLaunchDescriptionSource([ThisLaunchFileDir(), '/wall_follow.launch.py']),
        launch_arguments={
            **{name: LaunchConfiguration(name) for name in SHARED},
            'audio': 'none',
            'camera': 'none',
        }.items(),
    )
    group = GroupAction([PushRosNamespace(LaunchConfiguration('namespace')), robot])
    return LaunchDescription([*ARGUMENTS, group, rest])
