"""A robot follows a wall by sound: microphone, detector, follower, a goal; camera and RViz."""

from launch import LaunchDescription
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
        'audio',
        default_value='microphone',
        choices=['microphone', 'audio_capture', 'none'],
        description='Whose microphone node; none: something else publishes audio/audio_stamped',
    ),
    DeclareLaunchArgument(
        'device',
        default_value='',
        description='Input device (microphone: index or name, audio_capture: ALSA name); empty: '
        'the default',
    ),
    DeclareLaunchArgument(
        'channels',
        default_value=PythonExpression(
            [
                "importlib.import_module('quiet_nav.perception.rig').find_rig('",
                LaunchConfiguration('rig'),
                "').channels",
            ],
            ['importlib'],
        ),
        description='Channels to record; as many as the rig needs by default',
    ),
    DeclareLaunchArgument(
        'model', default_value='', description='ONNX model; empty: models/near_wall.onnx'
    ),
    DeclareLaunchArgument(
        'camera',
        default_value='none',
        choices=['none', 'realsense'],
        description='realsense: start realsense2_camera with its colour and depth streams',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        description='Configure and activate the lifecycle nodes; false: a lifecycle manager does',
    ),
    DeclareLaunchArgument(
        'drive',
        default_value='true',
        description='Send a follow_wall goal: the robot drives once it has heard; false: wait for '
        'one from elsewhere',
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


def chosen(argument: str, value: str) -> IfCondition:
    """Return the condition that an argument has a value."""
    return IfCondition(EqualsSubstitution(LaunchConfiguration(argument), value))


def text(argument: str) -> ParameterValue:
    """Return an argument as a string parameter, whatever it looks like."""
    return ParameterValue(LaunchConfiguration(argument), value_type=str)


def ours(executable: str, defaults: str = '', parameters: dict | None = None, **options) -> Node:
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
        ros_arguments=['--log-level', LaunchConfiguration('log_level')],
        # A busy machine may need more than launch's five seconds to end a node in order.
        sigterm_timeout='15',
        **options,
    )


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    autostart = ParameterValue(LaunchConfiguration('autostart'), value_type=bool)
    nodes = [
        ours(
            'microphone',
            'microphone.yaml',
            {
                'device': text('device'),
                'channels': ParameterValue(LaunchConfiguration('channels'), value_type=int),
            },
            condition=chosen('audio', 'microphone'),
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
                    'channels': ParameterValue(LaunchConfiguration('channels'), value_type=int),
                    'device': text('device'),
                }
            ],
            condition=chosen('audio', 'audio_capture'),
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
            condition=chosen('camera', 'realsense'),
        ),
        ours(
            'near_wall',
            'near_wall.yaml',
            {'rig': text('rig'), 'model': text('model'), 'autostart': autostart},
        ),
        ours('wall_follower', 'wall_follower.yaml', {'rig': text('rig'), 'autostart': autostart}),
        ours(
            'follow_wall',
            '',
            {
                'algorithm': text('algorithm'),
                'side': text('side'),
                'max_distance': ParameterValue(
                    LaunchConfiguration('max_distance'), value_type=float
                ),
            },
            name='follow_wall_client',
            condition=IfCondition(LaunchConfiguration('drive')),
        ),
        ours(
            'probability_map',
            'probability_map.yaml',
            {'rig': text('rig')},
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
    return LaunchDescription([*ARGUMENTS, group])
