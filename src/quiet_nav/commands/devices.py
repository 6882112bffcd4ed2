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


"""`quiet_nav devices`: the microphones there are, what they can, and how to name them."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from quiet_nav.sound.devices import InputDevice


def main(
    json: Annotated[bool, typer.Option('--json', help='One JSON list instead of a table.')] = False,
) -> None:
    """List the sound inputs: channels, the rates that really open, what to write for each."""
    import json as json_module

    from quiet_nav.sound.devices import input_devices, rates_that_open

    with quiet_libraries():
        found = [(device, rates_that_open(device)) for device in input_devices()]
    if json:
        print(json_module.dumps([_fields(device, rates) for device, rates in found], indent=1))
    elif found:
        _show(found)
    else:
        print('no sound input: plug a microphone in (`arecord -l` shows what the kernel has)')


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep what ALSA and PortAudio print by themselves, line after line, out of the terminal."""
    import os
    import sys

    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _fields(device: InputDevice, rates: tuple[int, ...]) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(device), 'rates': list(rates), 'resampled': _resampled(rates)}


def _resampled(rates: tuple[int, ...]) -> bool:
    from quiet_nav.sound.windows import SAMPLE_RATE

    return SAMPLE_RATE not in rates


def _show(found: list[tuple[InputDevice, tuple[int, ...]]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1))
    for title in ('', 'input', 'through', 'channels', 'opens at (kHz)'):
        table.add_column(title, justify='right' if title == 'channels' else 'left', overflow='fold')
    for device, rates in found:
        opens = ' '.join(f'{rate / 1000:g}' for rate in rates)
        note = ', resampled' if rates and _resampled(rates) else ''
        table.add_row(
            f'{device.index}{" *" if device.is_default else ""}',
            Text(device.name),
            device.host_api,
            str(device.channels),
            Text(f'{opens}{note}' if opens else 'none: in use, or it cannot record so'),
        )
    console = Console(highlight=False)
    console.print(table)
    if any(device.is_default for device, _ in found):
        console.print('* the default. What to write:')
    else:
        console.print('No default. What to write:')
    for device, _ in found:
        text = device.written
        console.print(
            f"  {device.index}: --device '{text}'   device:='{text}' (ros2 launch)   "
            f'-p "device:=\'{text}\'" (ros2 run)',
            markup=False,
            soft_wrap=True,
        )
