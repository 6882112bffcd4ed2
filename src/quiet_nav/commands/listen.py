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

"""`quiet_nav listen`: near-wall probability of a microphone or sound file, live in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading
from typing import Annotated, TYPE_CHECKING

import typer

from quiet_nav.commands._own_sound_options import FingerprintFile, OwnSoundOf

if TYPE_CHECKING:
    from rich.console import RenderableType

    from quiet_nav.perception.detector import DetectorSession
    from quiet_nav.perception.rig import Rig
    from quiet_nav.perception.rolling import Decision, RollingSettings
    from quiet_nav.sound.pcm import PcmFormat

CHUNK_S = 0.1
_BAR_WIDTH = 40
_NEAR = 0.5


def main(
    file: Annotated[
        Path | None, typer.Argument(help='Sound file (WAV, FLAC, OGG); default: a microphone.')
    ] = None,
    device: Annotated[
        str, typer.Option(help='Input device: index, name or part of it; default: the default one.')
    ] = '',
    device_rate: Annotated[
        int,
        typer.Option(
            min=0,
            max=384_000,
            help='Rate that the device records at (Hz); 0: 16 kHz where it can, else its own.',
        ),
    ] = 0,
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
    json: Annotated[
        bool, typer.Option('--json', help='One JSON line an ear and decision.')
    ] = False,
    realtime: Annotated[
        bool | None,
        typer.Option(help='Read a file in real time; default: only without --json.'),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10.0, help='Decisions a second (Hz).')] = 2.0,
    context: Annotated[str, typer.Option(help='alone, reference, other_ears, both.')] = 'both',
    question: Annotated[
        str,
        typer.Option(
            help='Which wall: direction (of the ear) or nearest. Default: nearest for one ear, '
            'which is taken to face it, direction for more.'
        ),
    ] = '',
    reference: Annotated[
        Path | None, typer.Option(help="The room's reference: read where it exists, kept at end.")
    ] = None,
    own_sound: OwnSoundOf = '',
    fingerprint: FingerprintFile = None,
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
    threads: Annotated[int, typer.Option(min=1, help='Threads of onnxruntime.')] = 2,
) -> None:
    """Print the near-wall probability of every ear twice a second, as live bars or JSON lines."""
    import contextlib

    from quiet_nav.errors import QuietNavError
    from quiet_nav.perception.interference_detector import load_detector
    from quiet_nav.perception.readings import parse_context, parse_question
    from quiet_nav.perception.reference import RoomReference
    from quiet_nav.perception.rolling import RollingSettings
    from quiet_nav.perception.standing_sound import StandingSound

    if file is not None and (device or device_rate):
        option = f'--device {device}' if device else f'--device-rate {device_rate}'
        raise QuietNavError(f'{file} and {option}: give one of them')
    used, pcm_format = _source(file, rig)
    ears = load_detector(detector, threads, clips)
    known = reference is not None and reference.exists()
    asked = question or ('nearest' if len(used.ears) == 1 else 'direction')
    session = ears.session(
        parse_context(context),
        RoomReference.load(reference) if known else None,
        seed,
        parse_question(asked),
        StandingSound.of(used, own_sound, fingerprint) if own_sound else None,
    )
    if file is None:
        chunks = _recorded(device, pcm_format, device_rate)
    else:
        chunks = _played(file, realtime if realtime is not None else not json)
    decisions = _decisions(chunks, pcm_format, session, used, RollingSettings(rate), file is None)
    with contextlib.suppress(KeyboardInterrupt):
        if json:
            _print_lines(decisions)
        else:
            _show(decisions, session)
    if reference is not None:
        session.reference.save(reference)


def _source(file: Path | None, rig: str) -> tuple[Rig, PcmFormat]:
    """Return the rig and the format of the sound; QuietNavError where they do not fit."""
    from quiet_nav.errors import QuietNavError
    from quiet_nav.perception.rig import find_rig, rig_for, RIGS
    from quiet_nav.perception.rolling import channels_fault
    from quiet_nav.sound.files import PcmFile
    from quiet_nav.sound.pcm import PcmFormat
    from quiet_nav.sound.windows import SAMPLE_RATE

    if file is None:
        used = find_rig(rig or RIGS[1])
        return used, PcmFormat('S16LE', used.channels, SAMPLE_RATE)
    pcm_format = PcmFile(file).format
    used = find_rig(rig) if rig else rig_for(pcm_format.channels, str(file))
    fault = channels_fault(used, pcm_format.channels)
    if fault:
        raise QuietNavError(f'{file}: {fault}')
    return used, pcm_format


def _played(file: Path, realtime: bool) -> Iterator[tuple[bytes, int]]:
    """Yield a file's chunks and their stamps from 0 on, in real time where asked for."""
    import time

    from quiet_nav.sound.files import PcmFile

    sound, frames, begun = PcmFile(file), 0, time.monotonic()
    for data in sound.chunks(CHUNK_S):
        stamp_ns = frames * 1_000_000_000 // sound.format.sample_rate
        frames += len(data) // sound.format.frame_bytes
        early_s = begun + frames / sound.format.sample_rate - time.monotonic()
        if realtime and early_s > 0.0:
            time.sleep(early_s)
        yield data, stamp_ns


def _recorded(device: str, pcm_format: PcmFormat, device_rate: int) -> Iterator[tuple[bytes, int]]:
    """Yield what a microphone records and its stamps, until interrupted or unplugged."""
    import time

    from quiet_nav.sound.devices import DeviceCapture

    with DeviceCapture(device, pcm_format, CHUNK_S, time.time_ns, device_rate) as capture:
        for chunk in capture.chunks(threading.Event()):
            yield chunk.data, chunk.stamp_ns


def _decisions(
    chunks: Iterator[tuple[bytes, int]],
    pcm_format: PcmFormat,
    session: DetectorSession,
    rig: Rig,
    settings: RollingSettings,
    live: bool,
) -> Iterator[Decision]:
    """Yield decisions as the sound comes in; of a microphone only the newest where it is late."""
    from quiet_nav.perception.rolling import RollingListener
    from quiet_nav.sound.stream import AudioStream

    stream, listener = AudioStream(pcm_format), RollingListener(session, rig, settings)
    for data, stamp_ns in chunks:
        stream.push_bytes(data, stamp_ns)
        ticks = listener.collect(stream)
        for tick in ticks[-1:] if live else ticks:
            yield listener.decide(tick)


def _print_lines(decisions: Iterator[Decision]) -> None:
    import json
    import os
    import sys

    try:
        for decision in decisions:
            for reading in decision.readings:
                print(json.dumps(_fields(reading)), flush=True)
    except BrokenPipeError:
        # The reader has seen enough (`| head`); what Python would flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fields(reading) -> dict[str, object]:
    import math

    def number(value: float) -> float | None:
        return round(value, 6) if math.isfinite(value) else None

    bins = reading.distance_probabilities
    return {
        'time_s': reading.end_ns / 1e9,
        'side': reading.side.name.lower(),
        'probability': number(reading.probability),
        'spread': number(reading.spread) if reading.valid else None,
        'distance_m': number(reading.median_distance_m) if bins else None,
        'context': reading.context.text,
        'hears_by': str(reading.hears_by),
        'valid': reading.valid,
        'reason': reading.reason,
    }


def _show(decisions: Iterator[Decision], session: DetectorSession) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    # Elsewhere it would stand before whatever is said next.
    begin = 'listening ...' if console.is_terminal else ''
    with Live(begin, console=console, auto_refresh=False) as live:
        for decision in decisions:
            live.update(_bars(decision, session.reference.places), refresh=True)


def _bars(decision: Decision, places: float) -> RenderableType:
    """Return a row an ear: side, bar, probability, distance, what it was heard with."""
    import math

    import numpy as np
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    from quiet_nav.perception.display.display import colors

    table = Table.grid(padding=(0, 1))
    for reading in decision.readings:
        side = Text(f'{reading.side.name.lower():>5}', 'bold')
        if not reading.valid:
            table.add_row(side, Bar(1.0, 0.0, 0.0, width=_BAR_WIDTH), Text('  -', 'dim'), '',
                          Text(reading.reason, 'yellow'))  # fmt: skip
            continue
        p = reading.probability
        meters = reading.median_distance_m
        distance = f'{meters:.2f} m' if math.isfinite(meters) else reading.bins.beyond
        red, green, blue = (round(255.0 * float(part)) for part in colors(np.array(p)))
        shade = f'rgb({red},{green},{blue})'
        table.add_row(
            side,
            Bar(1.0, 0.0, p, width=_BAR_WIDTH, color=shade, bgcolor='grey23'),
            Text(f'{p:4.2f}', 'bold' if p > _NEAR else ''),
            distance if reading.distance_probabilities else '',
            Text(f'{reading.context.text.replace("_", " ")}, spread {reading.spread:.2f}', 'dim'),
        )
    end = f'{decision.end_ns / 1e9:.1f} s' if decision.end_ns < 10**15 else ''
    table.add_row('', Text(f'{end}  places of the room known: {places:.1f}', 'dim'))
    return table
