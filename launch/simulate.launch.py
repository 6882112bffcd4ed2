"""The same as wall_follow.launch.py, with the simulated robot in the place of the real one."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('quiet_nav'), 'config'])

ARGUMENTS = [
    DeclareLaunchArgument(
        'namespace', default_value='', description='Namespace of every node and relative topic'
    ),
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
        'use_sim_time', default_value='true', description='Take time from the simulated robot'
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
        default_value='trio',
        description='Where the microphones are: single, pair, trio, or a YAML file',
    ),
    DeclareLaunchArgument(
        'model', default_value='', description='ONNX model; empty: models/near_wall.onnx'
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        description='Configure and activate the lifecycle nodes; false: a lifecycle manager does',
    ),
    DeclareLaunchArgument(
        'drive',
        default_value='true',
        description='Send a follow_wall goal; false: wait for one from elsewhere',
    ),
    DeclareLaunchArgument(
        'algorithm',
        default_value='tracker',
        choices=['tracker', 'algorithm1', 'algorithm2', 'straight', 'random'],
        description='Policy of that goal',
    ),
    DeclareLaunchArgument(
        'side',
        default_value='any',
        choices=['any', 'left', 'right'],
        description='Side of the wall in that goal',
    ),
    DeclareLaunchArgument(
        'max_distance', default_value='0.0', description='Way of that goal in metres; 0: no limit'
    ),
    DeclareLaunchArgument(
        'map', default_value='false', description='Start probability_map: the near-wall map'
    ),
    DeclareLaunchArgument('rviz', default_value='false', description='Start RViz'),
    DeclareLaunchArgument(
        'rviz_config',
        default_value=PathJoinSubstitution([CONFIG, 'quiet_nav.rviz']),
        description='What RViz shows',
    ),
    DeclareLaunchArgument(
        'log_level', default_value='info', description='debug, info, warn, error or fatal'
    ),
]
#: Arguments of wall_follow.launch.py that are handed on as they are.
SHARED = (
    'namespace',
    'use_sim_time',
    'robot',
    'params_file',
    'rig',
    'model',
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


def typed(argument: str, kind: type) -> ParameterValue:
    """Return an argument as a parameter of a type."""
    return ParameterValue(LaunchConfiguration(argument), value_type=kind)


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
                'room': typed('room', str),
                'track': typed('track', str),
                'rig': typed('rig', str),
                'start': typed('start', int),
                'seed': typed('seed', int),
                'time_factor': typed('time_factor', float),
            },
        ],
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
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
