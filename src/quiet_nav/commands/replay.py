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

"""`quiet_nav replay`: the detector over bags without ROS: predictions, tables, plots."""

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
from quiet_nav.commands._own_sound_options import FingerprintFile, OwnSoundOf


def main(
    bags: Annotated[
        list[Path], typer.Argument(help='rosbag2 folders (mcap, sqlite3) or ROS 1 .bag files.')
    ],
    out: Annotated[Path, typer.Option(help='Folder for predictions, tables and plots.')] = Path(
        'replay'
    ),
    detector: Annotated[
        str,
        typer.Option(
            '--detector',
            '--model',
            help='A model that ships, by name, an ONNX file, or interference (by own sound).',
        ),
    ] = 'near_wall',
    rig: Annotated[
        str, typer.Option(help='Rig by name (config/rigs) or a YAML; default: by the channels.')
    ] = '',
    camera: Camera = 'front',
    context: Annotated[str, typer.Option(help='alone, reference, other_ears, both.')] = 'both',
    question: Annotated[
        str, typer.Option(help='Which wall: direction (of the ear) or nearest, as the node asked.')
    ] = 'direction',
    rate: Annotated[float, typer.Option(min=0.1, max=10.0, help='Decisions a second (Hz).')] = 2.0,
    clips: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            help='Clips a window: averaged by a model of clips (vggish), how sure another one is.',
        ),
    ] = 20,
    seed: Annotated[
        int | None, typer.Option(min=0, help='Draw the clips at random; default: evenly spaced.')
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="The room's reference to begin with.")
    ] = None,
    own_sound: OwnSoundOf = '',
    fingerprint: FingerprintFile = None,
    use_odometry: Annotated[
        bool, typer.Option('--use-odometry/--no-odometry', help='As the node near_wall does.')
    ] = True,
    wav: Wavs = None,
    wav_delay: WavDelays = None,
    audio: AudioTopic = '',
    audio_info: InfoTopic = '',
    audio_format: AudioFormat = '',
    depth: DepthTopic = '',
    depth_mean: DepthMean = 'valid',
    odom: OdometryTopic = '',
    jobs: Annotated[int, typer.Option(min=0, help='Bags at a time; 0: one a core.')] = 0,
    cluster: Annotated[str, typer.Option(help="A Dask scheduler's address, or 'local'.")] = '',
    threads: Annotated[int, typer.Option(min=1, help='Threads of onnxruntime.')] = 2,
) -> None:
    """
    Run the detector over bags; where they hold depth images, say how right it was.

    Its readings are those that the node near_wall would have made.
    """
    from rich.console import Console
    from rich.progress import Progress

    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.replay_files import refuse_existing, replay_all, write_all
    from quiet_nav.evaluation.replay_report import judged, parse_side, table
    from quiet_nav.recordings.bags import Bag, BagTopics
    from quiet_nav.recordings.depth import parse_depth_mean
    from quiet_nav.recordings.playback import wavs_beside
    from quiet_nav.recordings.replay import ReplaySettings
    from quiet_nav.sound.pcm import parse_format

    side = parse_side(camera)
    known = parse_format(audio_format) if audio_format else None
    topics = BagTopics(audio, audio_info, depth, odom, format=known)
    settings = ReplaySettings(
        model=detector,
        rig=rig,
        context=context,
        question=question,
        rate_hz=rate,
        clips=clips,
        seed=seed,
        threads=threads,
        use_odometry=use_odometry,
        reference=reference,
        own_sound=own_sound,
        fingerprint=fingerprint,
        depth_mean=parse_depth_mean(depth_mean),
        topics=topics,
    )
    names = []
    for path in bags:
        with Bag(path) as bag:
            names.append(bag.name)
    refuse_existing(out, names)
    wavs = wavs_beside(len(bags), wav or [], wav_delay or [])
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as bar:
        tasks = [bar.add_task(name, total=1.0) for name in names]

        def tell(shares) -> None:
            for task, share in zip(tasks, shares, strict=True):
                bar.update(task, completed=share)

        every = replay_all(bags, settings, wavs, jobs, tell, cluster)
    failed = [one for one in every if isinstance(one, QuietNavError)]
    found = [one for one in every if not isinstance(one, QuietNavError)]
    if not found:
        raise failed[0]
    report = write_all(out, found, side)
    console = Console()
    console.width = console.width if console.is_terminal else 160
    for one in found:
        valid = sum(r.valid for _, d in one.decisions for r in d.readings)
        total = sum(len(d.readings) for _, d in one.decisions)
        console.print(f'{one.name}: {one.duration_s:.1f} s, {valid} of {total} readings valid')
        for note in one.notes:
            console.print(f'  {note}', style='yellow', markup=False)
    if report is not None:
        console.print(table(report))
    if report is None and not any(one.has_depth for one in found):
        console.print('no depth images: nothing to judge the readings by')
    elif report is None or any(one.has_depth for one in found):
        for one in found:
            for reason, count in judged(one, side).left_out.most_common():
                console.print(f'{one.name}: {count} readings not judged: {reason}')
    console.print(f'predictions, readings and plots: {out}')
    if failed:
        others = f' (and {len(failed) - 1} more)' if len(failed) > 1 else ''
        raise QuietNavError(
            f'{len(failed)} of {len(bags)} bags were not replayed: {failed[0]}{others}'
        )
