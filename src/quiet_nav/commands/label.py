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

"""`quiet_nav label`: bags become a data set in the Quiet Campus layout, depth as the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._bag_options import (
    AudioFormat,
    AudioTopic,
    Camera,
    DepthMean,
    DepthTopic,
    InfoTopic,
    OdometryTopic,
    WavDelays,
    Wavs,
)


def main(
    bags: Annotated[
        list[Path] | None, typer.Argument(help='Bags of one room; or name them in --rooms.')
    ] = None,
    out: Annotated[
        Path, typer.Option(help='Folder of the data set; it may have rooms already.')
    ] = (Path('recordings')),
    room: Annotated[str, typer.Option(help='Room that the bags were recorded in.')] = '',
    split: Annotated[str, typer.Option(help='Part of the room: train, val or test.')] = '',
    rooms: Annotated[
        Path | None, typer.Option(help='CSV of bag, room, split instead of the three above.')
    ] = None,
    still: Annotated[
        bool, typer.Option('--still', help='Nothing moved: a place a bag, no odometry needed.')
    ] = False,
    motion: Annotated[
        bool, typer.Option('--motion', help='Moving stretches, too: SFS-Motion in OUT.')
    ] = False,
    longest: Annotated[
        float, typer.Option(min=3.0, max=600.0, help='Seconds kept of one place at most.')
    ] = 30.0,
    rig: Annotated[
        str, typer.Option(help='Keep only the ear on the side of the camera; default: all.')
    ] = '',
    sides: Annotated[
        bool,
        typer.Option('--sides', help='A place an ear of --rig, told where the robot turned to it.'),
    ] = False,
    camera: Camera = 'front',
    wav: Wavs = None,
    wav_delay: WavDelays = None,
    audio: AudioTopic = '',
    audio_info: InfoTopic = '',
    audio_format: AudioFormat = '',
    depth: DepthTopic = '',
    depth_mean: DepthMean = 'valid',
    color: Annotated[str, typer.Option(help='Topic of color images.')] = '',
    odom: OdometryTopic = '',
) -> None:
    """
    Make a data set of bags: places where the robot stood, labeled by the depth camera.

    Prints what was kept of every bag and why the rest was not.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.replay_report import parse_side
    from quiet_nav.perception.rig import find_rig
    from quiet_nav.recordings.bag_folder import bag_name
    from quiet_nav.recordings.bags import BagTopics
    from quiet_nav.recordings.depth import parse_depth_mean
    from quiet_nav.recordings.labeled_set import Assigned, LabeledSet, read_assignment, tidy
    from quiet_nav.recordings.labeling import LabelSettings
    from quiet_nav.recordings.playback import wavs_beside
    from quiet_nav.sound.pcm import parse_format

    if motion and still:
        raise QuietNavError('--still says that nothing moved: leave out --motion')
    room, split = tidy(room), tidy(split)
    if bool(bags) == bool(rooms) or (bags and not (room and split)):
        raise QuietNavError('name the bags with --room and --split, or all of them in --rooms')
    assigned = read_assignment(rooms) if rooms else [Assigned(bag, room, split) for bag in bags]
    wavs = wavs_beside(len(assigned), wav or [], wav_delay or [])
    known = parse_format(audio_format) if audio_format else None
    settings = LabelSettings(
        longest,
        still,
        find_rig(rig) if rig else None,
        parse_side(camera),
        BagTopics(audio, audio_info, depth, odom, color, known),
        sides,
        parse_depth_mean(depth_mean),
    )
    data = LabeledSet(out)
    new = data.claim(assigned)
    table = Table(title=str(data.root), title_justify='left')
    for column in ('bag', 'room', 'part', 'places', 'near', 'kept', 'left out'):
        table.add_column(column)
    errors, kept, failed = Console(stderr=True), 0, []
    with errors.status('reading') as status:
        for item, beside in zip(assigned, wavs, strict=True):
            status.update(f'reading {item.bag}')
            said = (bag_name(item.bag), item.room, item.split)
            if item not in new:
                table.add_row(*said, '', '', '', 'in already: left as it is')
                continue
            try:
                found, moved = data.add(item, settings, beside, motion)
            except QuietNavError as error:
                # The next bag may be whole; but where nothing can be written this raises.
                data.finish()
                failed.append(error)
                table.add_row(*said, '', '', '', Text(f'NOT LABELED: {error}'))
                continue
            kept += len(found.places) + (len(moved.recordings) if moved else 0)
            if moved is not None:
                found.left_out.pop('the robot moved', None)
                found.left_out.update(moved.left_out)
            why = [f'{s:.1f} s: {reason}' for reason, s in found.left_out.most_common()]
            if moved is not None:
                count = len(moved.recordings)
                why.append(f'{moved.kept_s:.1f} s moving kept as {count} of SFS-Motion')
            table.add_row(
                *said,
                str(len(found.places)),
                str(sum(place.near for place in found.places)),
                f'{found.kept_s:.1f} of {found.duration_s:.1f} s',
                Text('\n'.join([*why, *found.notes])),
            )
    if failed and len(assigned) == 1:
        raise failed[0]
    console = Console()
    console.width = console.width if console.is_terminal else 160
    console.print(table)
    if failed:
        raise QuietNavError(
            f'{len(failed)} of {len(assigned)} bags were not labeled, the table says why; the '
            f'others are in {data.root}. Once they are mended the same command goes on'
        )
    if new and not kept:
        raise QuietNavError('no place was kept; the table says why')
