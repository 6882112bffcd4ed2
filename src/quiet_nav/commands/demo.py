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

"""`quiet_nav demo`: the nodes themselves follow a wall in the simulator, over real DDS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from quiet_nav.demo.output import Output
    from quiet_nav.demo.processes import NodeProcess, Processes
    from quiet_nav.demo.run import Progress


def main(
    room: Annotated[str, typer.Option(help='Room that ships, or a floor plan (.yaml).')] = (
        'classroom'
    ),
    track: Annotated[str, typer.Option(help='Track in it; its first by default.')] = '',
    rig: Annotated[str, typer.Option(help='Rig by name (config/rigs) or a YAML.')] = 'trio',
    algorithm: Annotated[
        str,
        typer.Option(
            '--algorithm', '--policy', help='tracker, algorithm1, algorithm2, straight or random.'
        ),
    ] = 'tracker',
    detector: Annotated[
        str,
        typer.Option(
            '--detector',
            '--model',
            help='A model that ships, by name, an ONNX file, or interference (by own sound); by '
            'default near_wall, with --own-sound near_wall_own.',
        ),
    ] = '',
    speed: Annotated[
        str, typer.Option(help='Times real time, or auto: as fast as every node keeps up.')
    ] = 'auto',
    start: Annotated[
        int, typer.Option(min=0, max=99, help="Which of the track's start poses.")
    ] = 4,
    seed: Annotated[int, typer.Option(min=0, help='Of sources, slip and drift.')] = 0,
    own_sound: Annotated[
        str,
        typer.Option(help='What the robot itself emits: none, dB over the ambience at its ears, or '
                     'a robot profile (turtlebot4 ...).'),
    ] = 'none',
    silent_room: Annotated[
        bool, typer.Option('--silent-room', help='No ambience: the own sound is all there is.')
    ] = False,
    waves: Annotated[
        bool,
        typer.Option('--waves', help='The room is solved by waves below 700 Hz, furniture and all: '
                     'once, for minutes, then from a cache ($QUIET_NAV_CACHE).'),
    ] = False,
    audio: Annotated[bool, typer.Option(help='Record the audio in the bag, too.')] = True,
    out: Annotated[Path, typer.Option(help='Folder for picture, bag and logs.')] = Path('out/demo'),
) -> None:  # fmt: skip
    """
    Start robot, detector and follower as processes, show how it goes, stop them, draw the run.

    Exit code: 0 where the destination was reached, 1 where not, 2 after an error.
    """
    import signal
    import time

    from rich.console import Console

    from quiet_nav.demo.output import Output
    from quiet_nav.errors import QuietNavError
    from quiet_nav.perception.interference_detector import INTERFERENCE
    from quiet_nav.resources import model_file

    factor = _factor(speed)
    detector = detector or ('near_wall' if own_sound == 'none' else 'near_wall_own')
    model = detector if detector == INTERFERENCE else str(model_file(detector))
    if model == INTERFERENCE and own_sound == 'none':
        raise QuietNavError(f'detector {INTERFERENCE} hears by own sound: give --own-sound, too')
    if silent_room and own_sound == 'none':
        raise QuietNavError('--silent-room leaves nothing to hear by: give --own-sound, too')
    _check(room, track, rig, algorithm, start, own_sound)
    console = Console()
    # Lines folded at 80 columns in a pipe or a log are hard to read.
    console.width = console.width if console.is_terminal else 160
    began = time.monotonic()
    # So that a `kill` stops every node, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = {'room': room, 'track': track, 'start': start, 'rig': rig}
    sound = {'own_sound': own_sound, 'silent_room': silent_room, 'waves': waves}
    asked = _DriveRequest(place, algorithm, model, seed, factor, sound, audio)
    with Output(out) as output:
        code = _drive(asked, output, console)
        if code is None:
            console.print('interrupted: every node was stopped')
        if code is not None or (out / 'run.json').is_file():
            _report(console, out, time.monotonic() - began)
    raise typer.Exit(130 if code is None else code)


@dataclass(frozen=True)
class _DriveRequest:
    """A drive of the demo."""

    #: Parameters of the simulated robot: room, track, start, rig.
    place: dict[str, object]
    #: Name of a policy.
    algorithm: str
    #: ONNX file, or interference.
    model: str
    #: Of sources, slip and drift.
    seed: int
    #: Simulated over real time; None: as fast as nodes keep up.
    factor: float | None
    #: Parameters of the simulated robot: own_sound, silent_room, waves.
    sound: dict[str, object]
    #: Record the audio in the bag, too.
    audio: bool


def _drive(asked: _DriveRequest, output: Output, console: Console) -> int | None:
    """Run the nodes until the drive has ended; return its exit code, None where interrupted."""
    import os
    import subprocess

    from quiet_nav.demo import domain as domains
    from quiet_nav.demo.processes import how, Processes
    from quiet_nav.demo.view import RunView
    from quiet_nav.errors import QuietNavError

    if asked.sound['waves']:
        _solve(console, asked.place, asked.seed)
    with domains.private_domain() as domain:
        seen = ' '.join(f'{name}={v}' for name, v in domains.graph_variables(domain).items())
        room, rig, detector = asked.place['room'], asked.place['rig'], Path(asked.model).stem
        what = f'{room}, {rig}, {asked.algorithm}, {detector}'
        title = f'{what}; look on in {domains.NAMESPACE} with {seen}'
        environment = domains.private_environment(domain, os.environ)
        with Processes(output.logs, environment, domains.private_names()) as processes:
            try:
                _start_nodes(processes, asked, output.folder)
                parameters = {
                    **asked.place,
                    'algorithm': asked.algorithm,
                    'detector': detector,
                    'out': str(output.folder.resolve()),
                    'audio': asked.audio,
                    'pace': asked.factor is None,
                }
                # It brings the others up, drives, and records.
                run = processes.start('demo_run', parameters, stdout=subprocess.PIPE)
                with RunView(console, title) as view:
                    for progress in _watch(processes, run):
                        view.show(progress)
                code = run.process.wait()
            except KeyboardInterrupt:
                return None
            if code not in (0, 1):
                raise QuietNavError(f'the run ended {how(code)}{processes.complaints(run)}')
            return code


def _factor(speed: str) -> float | None:
    from quiet_nav.errors import QuietNavError

    if speed == 'auto':
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0.1 <= factor <= 50.0:
        raise QuietNavError(f'--speed {speed}: expected auto or a number from 0.1 to 50')
    return factor


def _check(room: str, track: str, rig: str, algorithm: str, start: int, own_sound: str) -> None:
    """Raise QuietNavError for what does not exist before anything is started."""
    import importlib.util

    from quiet_nav.errors import QuietNavError
    from quiet_nav.extras import how_to_get
    from quiet_nav.navigation.policies import POLICIES
    from quiet_nav.perception.rig import find_rig
    from quiet_nav.simulation.rooms.plan_files import load_plan
    from quiet_nav.simulation.sound.own_sound import own_sound_of

    if importlib.util.find_spec('rclpy') is None:
        raise QuietNavError(
            'the demo runs ROS nodes, and this Python has no rclpy: source ROS (and the workspace) '
            'first, or set a checkout up with `make setup`'
        )
    for module in ('pyroomacoustics', 'numba'):
        if importlib.util.find_spec(module) is None:
            raise QuietNavError(f'the simulated robot needs a library: {how_to_get(module)}')
    starts = load_plan(room).track(track or None).starts()
    if start >= len(starts):
        raise QuietNavError(f'--start {start}: the track has start poses 0 to {len(starts) - 1}')
    find_rig(rig)
    own_sound_of(own_sound, 0)
    if algorithm not in POLICIES:
        raise QuietNavError(f'--algorithm {algorithm}: expected one of {", ".join(POLICIES)}')


def _start_nodes(processes: Processes, asked: _DriveRequest, out: Path) -> None:
    """Start robot, detector and follower; the last two wait to be configured."""
    from quiet_nav.demo.pace import PaceSettings, patience

    pace, place, factor = PaceSettings(), asked.place, asked.factor
    timed = {'rig': place['rig'], 'use_sim_time': True, 'autostart': False}
    fastest = max(factor or pace.fastest, 1.0)
    robot = {**place, 'seed': asked.seed, 'time_factor': factor or pace.begin, **asked.sound}
    processes.start('simulated_robot', robot)
    hearing = {**timed, 'model': asked.model}
    if asked.sound['own_sound'] != 'none':
        hearing |= _calibrated(place, asked.seed, asked.sound['own_sound'], out)
    processes.start('near_wall', hearing)
    processes.start('wall_follower', {**timed, **patience(fastest)})


def _solve(console: Console, place: dict, seed: int) -> None:
    """Solve the room by waves before nodes wait for it; where it is solved already it is read."""
    from quiet_nav.perception.rig import find_rig
    from quiet_nav.simulation.rooms.plan_files import load_plan
    from quiet_nav.simulation.sound.scenes import scene_in_plan
    from quiet_nav.simulation.sound.waves.solved_room import hearing_in_plan

    plan = load_plan(place['room'])
    heights = tuple(ear.z for ear in find_rig(place['rig']).ears)
    hearing_in_plan(plan, scene_in_plan(plan, seed), heights, tell=console.print)


def _calibrated(place: dict, seed: int, own_sound: str, out: Path) -> dict[str, object]:
    """Write the simulated robot's fingerprint; returns the parameters that name it."""
    from dataclasses import replace

    from quiet_nav.perception.rig import find_rig
    from quiet_nav.simulation.robot.calibrated import calibrated
    from quiet_nav.simulation.rooms.plan_files import load_plan
    from quiet_nav.simulation.sound.hearing import Hearing
    from quiet_nav.simulation.sound.own_sound import own_sound_of, profile_of
    from quiet_nav.simulation.sound.scenes import scene_in_plan

    scene = scene_in_plan(load_plan(place['room']), seed)
    scene = replace(scene, own=own_sound_of(own_sound, seed))
    standing = calibrated(Hearing(scene), find_rig(place['rig']), profile_of(own_sound))
    if standing is None:
        return {}
    standing.fingerprint.save(out / 'fingerprint.json')
    return {
        'own_sound': profile_of(own_sound),
        'data_folder': str(out.resolve()),
        'fingerprint_file': 'fingerprint.json',
    }


def _watch(processes: Processes, run: NodeProcess) -> Iterator[Progress]:
    """Yield what the run says until it has ended; QuietNavError where a node dies meanwhile."""
    import selectors

    from quiet_nav.demo.run import Progress

    with selectors.DefaultSelector() as selector:
        selector.register(run.process.stdout, selectors.EVENT_READ)
        while run.process.poll() is None:
            processes.check(but=run)
            if not selector.select(0.2):
                continue
            line = run.process.stdout.readline().decode(errors='replace')
            progress = Progress.from_line(line)
            if progress is not None:
                yield progress


def _report(console: Console, out: Path, took_s: float) -> None:
    from quiet_nav.demo.picture import draw_run
    from quiet_nav.trials.result_files import read_run

    result = read_run(out / 'run.json')
    draw_run(out / 'demo.png', result)
    speed = result.duration_s / took_s
    console.print(
        f'{result.outcome}: {result.distance_m:.2f} of {result.length_m:.2f} m in '
        f'{result.duration_s:.0f} s simulated, {took_s:.0f} s in all ({speed:.1f} x real time)'
    )
    console.print(f'{out}/demo.png, {out}/bag, {out}/run.json, {out}/log')
