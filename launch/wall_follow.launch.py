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

"""A robot follows a wall: microphone, camera, detector, follower, a goal; a map and RViz."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration

from quiet_nav.launch_arguments import (
    ALWAYS,
    apart,
    beginning,
    cameras,
    chosen,
    Derived,
    ears,
    log_level,
    map_and_rviz,
    microphones,
    ours,
    records,
    shared,
    together,
    typed,
    where,
)

ARGUMENTS = [
    *shared('namespace', 'use_sim_time', 'discovery_range', 'robot', 'params_file', 'rig'),
    *shared('modality'),
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
        choices=['none', 'realsense', 'quiet_nav'],
        description='realsense: start realsense2_camera with its color stream; quiet_nav: our node '
        'of the same topics, through pyrealsense2; none: something else publishes '
        'camera/camera/color/image_raw',
    ),
    *shared('camera_file', 'use_composition'),
    *shared(
        'device', 'channels', 'detector', 'model', 'vision_model', 'autostart', 'drive', 'algorithm'
    ),
    *shared('side', 'max_distance', 'rviz', 'rviz_config', 'map', 'enclaves', 'log_level'),
]


def hears_by(node: str) -> IfCondition:
    """Return the condition that sound is wanted, from a microphone node."""
    return where(
        lambda modality, audio: modality != 'vision' and audio == node, 'modality', 'audio'
    )


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    autostart = typed('autostart', bool)
    senses = Derived(lambda m: m if m in ('audio', 'vision') else 'both', 'modality')
    heard = {
        'modality': senses,
        'rig': typed('rig'),
        'model': typed('model'),
        'vision_model': typed('vision_model'),
        'autostart': autostart,
    }
    nodes = [
        # With auto and fusion one sense may fail: the other drives on.
        *microphones(hears_by, essential=chosen('modality', 'audio')),
        *cameras(depth=False, essential=chosen('modality', 'vision')),
        ours(
            'near_wall',
            'near_wall.yaml',
            heard,
            essential=ALWAYS,
            condition=apart(),
            ros_arguments=log_level(),
        ),
        ears(
            {'microphone': records(), 'near_wall': heard},
            essential=ALWAYS,
            ros_arguments=log_level(),
        ),
        ours(
            'wall_follower',
            'wall_follower.yaml',
            {'rig': typed('rig'), 'autostart': autostart},
            essential=ALWAYS,
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
    return LaunchDescription([*ARGUMENTS, *beginning(), together(nodes)])
