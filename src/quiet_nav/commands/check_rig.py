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


"""`quiet_nav check-rig`: whether the ears are where the rig says, and hear; writes a rig file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

from quiet_nav.commands._output_options import Overwrite

if TYPE_CHECKING:
    import numpy as np

    from quiet_nav.perception.rig import Rig
    from quiet_nav.perception.rig_check.check import RigCheck
    from quiet_nav.perception.rig_check.script import Script

CHUNK_S = 0.1


def main(
    rig: Annotated[
        str, typer.Option(help='The rig to check: a name that ships or a YAML file.')
    ] = '',
    ear: Annotated[
        list[str] | None,
        typer.Option(
            help='An ear of a new rig, as LEFT=0.0,0.15,0.25: side and x, y, z in '
            'base_link (m); again for more. Taps tell which channel it is.'
        ),
    ] = None,
    name: Annotated[str, typer.Option(help='Name of a new rig.')] = 'my_robot',
    device: Annotated[
        str, typer.Option(help='Input device: index, name or part of it; default: the default one.')
    ] = '',
    device_rate: Annotated[
        int,
        typer.Option(
            min=0, max=384_000, help='Rate that the device records at (Hz); 0: 16 kHz where it can.'
        ),
    ] = 0,
    channels: Annotated[
        int,
        typer.Option(
            min=0,
            max=8,
            help="Channels to record; 0: all of the device, the rig's where it has more than 8.",
        ),
    ] = 0,
    recording: Annotated[
        Path | None,
        typer.Option(help='A recording (WAV, FLAC) that follows the script, instead of a device.'),
    ] = None,
    script: Annotated[
        bool, typer.Option('--script', help='Print what a recording has to follow, and end.')
    ] = False,
    save: Annotated[Path | None, typer.Option(help='Keep what was recorded (WAV).')] = None,
    out: Annotated[
        Path | None, typer.Option(help='Write the rig as it was heard to this YAML file.')
    ] = None,
    overwrite: Overwrite = False,
    json: Annotated[bool, typer.Option('--json', help='Print the findings as JSON.')] = False,
) -> None:
    """
    Ask for taps at each ear, and say what is wrong: places, dead channels, gain control, clocks.

    Exit code 0: the ears can be used; 1: something costs readings; 2: nothing could be checked.
    """
    from quiet_nav.errors import QuietNavError
    from quiet_nav.files.writing import refuse_existing, write_file
    from quiet_nav.perception.rig import rig_as_yaml
    from quiet_nav.perception.rig_check.check import check_rig
    from quiet_nav.perception.rig_check.script import Script

    used = _rig(rig, ear or [], name)
    plan = Script(len(used.ears))
    if script:
        print('\n'.join(text for _, text in _prompts(used, plan)))
        return
    if recording is not None and (device or device_rate or channels or save):
        raise QuietNavError('--recording goes without --device, --device-rate, --channels, --save')
    # Nobody taps for a file that cannot be written then.
    refuse_existing([path for path in (out, save) if path is not None], overwrite)
    if recording is not None:
        from quiet_nav.files.sounds import read_sound

        samples, rate = read_sound(recording)
        source = str(recording)
    else:
        samples, rate, source = _recorded(used, plan, device, device_rate, channels)
        if save is not None:
            _save(save, samples, rate, overwrite)
    result = check_rig(samples, rate, used, plan, source, known=bool(rig))
    if json:
        print(_as_json(result))
    else:
        _show(result)
    if out is not None and _said(result):
        remarks = [f'Written by quiet_nav check-rig: taps told the channels, of {source}.']
        write_file(out, rig_as_yaml(result.rig, remarks), overwrite)
        typer.echo(f'{out}: written', err=json)
    elif out is not None:
        typer.echo(f'{out}: not written: the taps do not tell the channels of the ears', err=True)
    if result.serious or (out is not None and not _said(result)):
        raise typer.Exit(1)


def _rig(rig: str, ears: list[str], name: str) -> Rig:
    from quiet_nav.errors import QuietNavError
    from quiet_nav.perception.rig import find_rig, parse_ear, Rig

    if bool(rig) == bool(ears):
        raise QuietNavError(
            'name the rig to check by --rig pair, or the ears of a new one by '
            '--ear LEFT=0.0,0.15,0.25 --ear RIGHT=0.0,-0.15,0.25'
        )
    if rig:
        return find_rig(rig)
    return Rig(name, tuple(parse_ear(text, k) for k, text in enumerate(ears)), len(ears) == 1)


def _said(result: RigCheck) -> bool:
    """Return whether the taps told which channel each ear is."""
    return result.judged


def _prompts(rig: Rig, script: Script) -> list[tuple[float, str]]:
    """Return what to tell the user and when (s)."""
    said = [(0.0, f' 0 s  quiet for {script.quiet_s:.0f} s; the robot stands, its fans as usual')]
    for slot in script.slots:
        ear = rig.ears[slot.ear]
        said.append((
            slot.start_s,
            f'{slot.start_s:2.0f} s  {ear.side.name}: snap {script.taps} times, a hand away from '
            f'the ear at x {ear.x:+.2f}, y {ear.y:+.2f} m, on its outer side',
        ))  # fmt: skip
    said.append(
        (
            script.ending_start_s,
            f'{script.ending_start_s:2.0f} s  quiet for {script.ending_s:.0f} s',
        )
    )
    said.append((script.duration_s, f'{script.duration_s:2.0f} s  done'))
    return said


def _recorded(
    rig: Rig, script: Script, device: str, device_rate: int, channels: int
) -> tuple[np.ndarray, int, str]:
    """Return what a device heard while the user followed the script, its rate and its name."""
    import threading
    import time

    import numpy as np

    from quiet_nav.commands.devices import quiet_libraries
    from quiet_nav.errors import QuietNavError
    from quiet_nav.sound.devices import DeviceCapture, find_device, input_devices
    from quiet_nav.sound.pcm import decode_pcm, MAX_CHANNELS, PcmFormat
    from quiet_nav.sound.windows import SAMPLE_RATE

    with quiet_libraries():
        index = find_device(device)
        has = next(d.channels for d in input_devices() if d.index == index)
        count = channels or (has if has <= MAX_CHANNELS else rig.channels)
        pcm = PcmFormat('S16LE', count, SAMPLE_RATE)
        capture = DeviceCapture(str(index), pcm, CHUNK_S, time.time_ns, device_rate)
    say = _teller(_prompts(rig, script))
    pieces: list[np.ndarray] = []
    frames, wanted = 0, round(script.duration_s * SAMPLE_RATE)
    with capture:
        typer.echo(f'recording {capture.name}: {pcm}', err=True)
        for chunk in capture.chunks(threading.Event()):
            if chunk.overflow and frames:
                raise QuietNavError(
                    'sound was lost while it was recorded: this computer is too busy; end what '
                    'else runs, and try again'
                )
            pieces.append(decode_pcm(chunk.data, pcm))
            frames += len(pieces[-1])
            say(frames / SAMPLE_RATE)
            if frames >= wanted:
                break
    return np.concatenate(pieces), SAMPLE_RATE, capture.name


def _teller(prompts: list[tuple[float, str]]) -> Callable[[float], None]:
    """Return what prints every prompt once its time (s) has come."""
    left = list(prompts)

    def say(now_s: float) -> None:
        while left and left[0][0] <= now_s:
            typer.echo(left.pop(0)[1], err=True)

    say(0.0)
    return say


def _save(path: Path, samples: np.ndarray, rate: int, overwrite: bool) -> None:
    import soundfile

    from quiet_nav.files.writing import whole_file

    with whole_file(path, overwrite) as part:
        soundfile.write(part, samples, rate, 'PCM_16', format='WAV')


def _as_json(result: RigCheck) -> str:
    import json

    return json.dumps(
        {
            'rig': result.rig.name,
            'channels': {
                f'{k} {ear.side.name}': ear.channel for k, ear in enumerate(result.rig.ears)
            },
            'judged': result.judged,
            'serious': result.serious,
            'taps': list(result.taps),
            'quiet_dbfs': [round(level, 1) for level in result.quiet_dbfs],
            'findings': [
                {
                    'kind': f.kind.value,
                    'channels': list(f.channels),
                    'sure': f.sure.value,
                    'serious': f.serious,
                    'what': f.what,
                    'advice': f.advice,
                    'figures': f.figures,
                }
                for f in result.findings
            ],
        },
        indent=1,
    )


def _show(result: RigCheck) -> None:
    import itertools

    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for k, ear in enumerate(result.rig.ears):
        level = result.quiet_dbfs[ear.channel]
        console.print(
            f'{ear.side.name:>5}: channel {ear.channel}, {result.taps[k]} taps, '
            f'room at {level:.0f} dBFS'
        )
    for kind, alike in itertools.groupby(result.findings, lambda f: (f.serious, f.kind, f.advice)):
        mark = ('wrong ', 'bold red') if kind[0] else ('note  ', 'yellow')
        for found in alike:
            line = Text.assemble(mark, found.what, f' ({found.sure.value})')
            console.print(line, soft_wrap=True)
        console.print(Text(f'      {kind[2]}', 'dim'), soft_wrap=True)
    if not result.serious:
        console.print('the ears can be used')
