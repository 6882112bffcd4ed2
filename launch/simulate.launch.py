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

"""The same as wall_follow.launch.py, with the simulated robot in the place of the real one."""

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from quiet_nav.launch_arguments import (
    after,
    ALWAYS,
    beginning,
    gate,
    log_level,
    ours,
    shared,
    this_machine_alone,
    together,
    typed,
)
from quiet_nav.resources import shared_file

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
    *shared(
        'namespace', 'params_file', 'modality', 'detector', 'model', 'vision_model', 'autostart'
    ),
    *shared('drive', 'algorithm', 'side', 'max_distance', 'rviz', 'rviz_config', 'map'),
    *shared('enclaves', 'log_level', use_sim_time='true', rig='trio', robot='simulated'),
    *shared(discovery_range=this_machine_alone()),
]
#: Arguments of wall_follow.launch.py that are handed on as they are.
SHARED = (
    'namespace',
    'use_sim_time',
    'discovery_range',
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
    'enclaves',
    'log_level',
)


def nodes(_context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return the simulated robot and what drives it."""
    robot = ours(
        'simulated_robot',
        'simulated_robot.yaml',
        {
            'room': typed('room'),
            'track': typed('track'),
            'rig': typed('rig'),
            'start': typed('start', int),
            'seed': typed('seed', int),
            'time_factor': typed('time_factor', float),
            'camera_fault': typed('camera_fault'),
        },
        essential=ALWAYS,
        ros_arguments=log_level(),
    )
    rest = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(shared_file('launch/wall_follow.launch.py'))),
        launch_arguments={
            **{name: LaunchConfiguration(name) for name in SHARED},
            'audio': 'none',
            'camera': 'none',
        }.items(),
    )
    # It makes the time that the others take.
    return [together([robot], clock=False), rest]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the gate and, once no live base would hear them, the nodes."""
    free = gate({})
    return LaunchDescription([*ARGUMENTS, *beginning(), after(free, nodes), free])
