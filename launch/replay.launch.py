"""Plays a bag to the live nodes: near_wall hears it again; what was recorded stays beside it."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from quiet_nav.launch_arguments import map_and_rviz, ours, shared, together, typed

#: Topics that the nodes here publish; the recorded ones move under `recorded`.
SAID_AGAIN = ('near_wall', 'near_wall/range', 'near_wall/markers', 'wall_distance')

ARGUMENTS = [
    DeclareLaunchArgument('bag', description='Folder of the bag'),
    DeclareLaunchArgument(
        'speed', default_value='1.0', description='Of play; too fast a one drops decisions'
    ),
    *shared('namespace', 'robot', 'params_file', 'rig', 'model', 'map', 'rviz', 'rviz_config'),
    *shared(use_sim_time='true'),
]


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
        ours('near_wall', 'near_wall.yaml', {'rig': typed('rig'), 'model': typed('model')}),
        ours('wall_distance'),
        *map_and_rviz(),
    ]
    return LaunchDescription([*ARGUMENTS, together(nodes), OpaqueFunction(function=play)])
