"""Plays a bag to the live nodes: near_wall hears it again; what was recorded stays beside it."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, GroupAction, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, PushRosNamespace, SetParameter
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('quiet_nav'), 'config'])
#: Topics that the nodes here publish; the recorded ones move under `recorded`.
SAID_AGAIN = ('near_wall', 'near_wall/range', 'near_wall/markers', 'wall_distance')

ARGUMENTS = [
    DeclareLaunchArgument('bag', description='Folder of the bag'),
    DeclareLaunchArgument(
        'speed', default_value='1.0', description='Of play; too fast a one drops decisions'
    ),
    DeclareLaunchArgument(
        'namespace', default_value='', description='Namespace that the bag was recorded in'
    ),
    DeclareLaunchArgument(
        'use_sim_time', default_value='true', description='Take time from the bag'
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
        description='Where the microphones were: single, pair, trio, or a YAML file',
    ),
    DeclareLaunchArgument(
        'model', default_value='', description='ONNX model; empty: models/near_wall.onnx'
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


def play(context: LaunchContext) -> list[ExecuteProcess]:
    """Return `ros2 bag play` with the bag's own clock."""
    namespace = LaunchConfiguration('namespace').perform(context).strip('/')
    prefix = f'/{namespace}/' if namespace else '/'
    moved = [f'{prefix}{name}:={prefix}recorded/{name}' for name in SAID_AGAIN]
    bag = LaunchConfiguration('bag').perform(context)
    speed = LaunchConfiguration('speed').perform(context)
    # The nodes have to be there first: what was played before they listen is not heard.
    command = ['ros2', 'bag', 'play', bag, '--clock', '100', '--rate', speed, '--delay', '5']
    return [ExecuteProcess(cmd=[*command, '--remap', *moved], output='screen')]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the nodes and the player."""
    nodes = [
        ours(
            'near_wall', 'near_wall.yaml', {'rig': typed('rig', str), 'model': typed('model', str)}
        ),
        ours('wall_distance'),
        ours(
            'probability_map',
            'probability_map.yaml',
            {'rig': typed('rig', str)},
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
    group = GroupAction(
        [
            PushRosNamespace(LaunchConfiguration('namespace')),
            SetParameter('use_sim_time', LaunchConfiguration('use_sim_time')),
            *nodes,
        ]
    )
    return LaunchDescription([*ARGUMENTS, group, OpaqueFunction(function=play)])
