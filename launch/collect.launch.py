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

"""A robot that somebody drives records sound, depth and odometry: bags to replay and to label."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction

from quiet_nav.errors import QuietNavError
from quiet_nav.launch_arguments import (
    ALWAYS,
    apart,
    beginning,
    cameras,
    chosen,
    ears,
    ends_launch,
    joined,
    log_level,
    microphones,
    ours,
    records,
    shared,
    STOP,
    together,
    topic,
    topics_of,
    typed,
    value,
)
from quiet_nav.resources import shared_file

ARGUMENTS = [
    *shared(
        'namespace',
        'use_sim_time',
        'discovery_range',
        'robot',
        'params_file',
        'rig',
        'detector',
        'model',
    ),
    DeclareLaunchArgument(
        'audio',
        default_value='microphone',
        choices=['microphone', 'audio_capture', 'none'],
        description='Whose microphone node; none: something else publishes audio/audio_stamped',
    ),
    *shared('device', 'channels'),
    DeclareLaunchArgument(
        'camera',
        default_value='realsense',
        choices=['realsense', 'quiet_nav', 'none'],
        description='realsense: realsense2_camera; quiet_nav: our node of the same topics, through '
        'pyrealsense2; none: something else publishes the depth images',
    ),
    *shared('camera_file', 'use_composition'),
    DeclareLaunchArgument(
        'record_file',
        default_value=str(shared_file('config/record.yaml')),
        description='YAML with the topics to record',
    ),
    DeclareLaunchArgument(
        'bag', default_value='', description='New folder for the bag; empty: named by the time'
    ),
    DeclareLaunchArgument(
        'split_s', default_value='0', description='A new file of the bag after so long; 0: never'
    ),
    DeclareLaunchArgument(
        'split_mb', default_value='0', description='A new file of the bag after so much; 0: never'
    ),
    DeclareLaunchArgument(
        'compression',
        default_value='none',
        choices=['none', 'zstd_fast', 'zstd_small'],
        description="Of mcap's chunks; images shrink, sound hardly does",
    ),
    *shared('enclaves', 'log_level'),
]


def _whole(context: LaunchContext, argument: str) -> int:
    given = value(context, argument)
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise QuietNavError(f'{argument} {given}: expected a whole number, 0 or more')
    return int(given)


def check(context: LaunchContext) -> None:
    """Raise QuietNavError where the bag could not be recorded, before anything starts."""
    bag = value(context, 'bag')
    if bag and Path(bag).exists():
        raise QuietNavError(f'bag {bag}: is there already; name a new folder')
    folder = next(up for up in Path(bag or '.').absolute().parents if up.exists())
    if not folder.is_dir():
        raise QuietNavError(f'bag {bag}: {folder} is no folder')
    topics_of(value(context, 'record_file'), 'topics')
    for argument in ('split_s', 'split_mb'):
        _whole(context, argument)


def record(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Return `ros2 bag record` of the topics in the file, in the robot's namespace."""
    names = topics_of(value(context, 'record_file'), 'topics')['topics']
    # Without a namespace `tf` and `/tf` are one topic.
    topics = dict.fromkeys(topic(context, name) for name in names)
    bag, compression = value(context, 'bag'), value(context, 'compression')
    command = ['ros2', 'bag', 'record', '--storage', 'mcap', '--disable-keyboard-controls']
    command += ['--output', bag] if bag else []
    # Else the bag's times are the system's, and nothing in it fits the stamps.
    command += ['--use-sim-time'] if value(context, 'use_sim_time') == 'true' else []
    command += [] if compression == 'none' else ['--storage-preset-profile', compression]
    for argument, option, unit in (
        ('split_s', '--max-bag-duration', 1), ('split_mb', '--max-bag-size', 1_000_000),
    ):  # fmt: skip
        if size := _whole(context, argument):
            command += [option, str(size * unit)]
    recorder = ExecuteProcess(
        cmd=[*command, '--topics', *topics], name='recorder', output='screen',
        additional_env=joined(context, 'recorder'), **STOP,
    )  # fmt: skip
    return [ends_launch(recorder, 'the recorder has ended'), recorder]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the nodes and the recorder."""
    heard = {'rig': typed('rig'), 'model': typed('model')}
    nodes = [
        *microphones(lambda node: chosen('audio', node), essential=ALWAYS),
        *cameras(depth=True, essential=ALWAYS),
        ours(
            'near_wall',
            'near_wall.yaml',
            heard,
            condition=apart(),
            ros_arguments=log_level(),
        ),
        ears(
            {'microphone': records(), 'near_wall': heard},
            essential=ALWAYS,
            ros_arguments=log_level(),
        ),
        ours('wall_distance', ros_arguments=log_level()),
    ]
    return LaunchDescription(
        [
            *ARGUMENTS,
            *beginning(),
            OpaqueFunction(function=check),
            together(nodes),
            OpaqueFunction(function=record),
        ]
    )
