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

"""Plays a bag to live nodes, all of it below a prefix: near_wall hears it again, no robot does."""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import SetRemap

from quiet_nav.errors import QuietNavError
from quiet_nav.launch_arguments import (
    after,
    ALWAYS,
    beginning,
    ends_launch,
    gate,
    joined,
    log_level,
    map_and_rviz,
    ours,
    shared,
    STOP,
    this_machine_alone,
    together,
    topic,
    topics_of,
    typed,
    value,
)
from quiet_nav.recordings.bags import Bag
from quiet_nav.resources import shared_file

#: Everything of the bag, and the nodes that hear it, are below this.
PREFIX = 'replay'
#: Topics of ROS itself that nodes here use, by absolute names.
GLOBAL_TOPICS = ('/tf', '/tf_static', '/clock', '/diagnostics')

ARGUMENTS = [
    DeclareLaunchArgument('bag', description='Folder of the bag'),
    DeclareLaunchArgument(
        'rate', default_value='1.0', description='Of play; too fast a one drops decisions'
    ),
    DeclareLaunchArgument(
        'replay_file',
        default_value=str(shared_file('config/replay.yaml')),
        description='YAML with the topics to play',
    ),
    *shared('robot', 'params_file', 'rig', 'detector', 'model', 'rviz', 'rviz_config', 'map'),
    *shared('enclaves', 'log_level'),
    *shared('namespace', use_sim_time='true', discovery_range=this_machine_alone()),
    DeclareLaunchArgument(
        'stay',
        default_value=LaunchConfiguration('rviz'),
        choices=['true', 'false'],
        description='Go on after the end of the bag; by default where RViz is there',
    ),
]


def below(name: str) -> str:
    """Return where a topic (absolute) is while it is replayed."""
    return f'/{PREFIX}{name}'


def play(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return `ros2 bag play` of the topics in the file, with the bag's own clock."""
    content = topics_of(value(context, 'replay_file'), 'topics', 'said_again')
    moved = {name: below(name) for name in (topic(context, n) for n in content['topics'])}
    moved |= {
        topic(context, n): below(topic(context, f'recorded/{n}')) for n in content['said_again']
    }
    rules = [f'{name}:={there}' for name, there in {**moved, '/clock': below('/clock')}.items()]
    # The player's topics are found within a second; what is played before that is not heard.
    command = ['ros2', 'bag', 'play', value(context, 'bag'), '--clock', '100', '--delay', '1']
    command += ['--rate', value(context, 'rate'), '--disable-keyboard-controls']
    player = ExecuteProcess(
        cmd=[*command, '--topics', *moved, '--remap', *rules], name='player', output='screen',
        additional_env=joined(context, 'player'), **STOP,
    )  # fmt: skip
    ends = [ends_launch(player, 'the bag is over')] if value(context, 'stay') == 'false' else []
    return [*ends, player]


def check(context: LaunchContext) -> None:
    """Raise QuietNavError for a bag without sound or an odd rate, before anything starts."""
    sound, rate = topic(context, 'audio/audio_stamped'), value(context, 'rate')
    with Bag(value(context, 'bag')) as bag:
        if sound not in bag.topics:
            raise QuietNavError(
                f'bag {bag.path}: no {sound} (namespace:= is that of the recorded robot); '
                f'{bag.contents}'
            )
    try:
        fits = 0.01 <= float(rate) <= 100.0
    except ValueError:
        fits = False
    if not fits:
        raise QuietNavError(f'rate {rate}: expected a number from 0.01 to 100')
    topics_of(value(context, 'replay_file'), 'topics', 'said_again')


def begin(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the gate, and the player that starts as soon as it is open."""
    sound = below(topic(context, 'audio/audio_stamped'))
    free = gate({'everywhere': True, 'listened': [sound]})
    return [after(free, play), free]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the nodes below the prefix, the gate and the player."""
    nodes = [
        *(SetRemap(name, below(name)) for name in GLOBAL_TOPICS),
        ours(
            'near_wall',
            'near_wall.yaml',
            {'rig': typed('rig'), 'model': typed('model')},
            essential=ALWAYS,
            ros_arguments=log_level(),
        ),
        ours('wall_distance', ros_arguments=log_level()),
        *map_and_rviz(),
    ]
    return LaunchDescription(
        [
            *ARGUMENTS,
            *beginning(),
            OpaqueFunction(function=check),
            OpaqueFunction(function=begin),
            together(nodes, PREFIX),
        ]
    )
