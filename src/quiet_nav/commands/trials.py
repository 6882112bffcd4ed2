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

"""`quiet_nav trials`: policies on tracks in simulated rooms, by the paper's protocol."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def _list_policies(asked: bool) -> None:
    """Print every policy with what may be set of it, and end the command."""
    if not asked:
        return
    from quiet_nav.navigation.policies import KNOBS, policy_kinds

    for kind in policy_kinds().values():
        print(f'{kind.name}: {kind.what}')
        for name, field in kind.knobs.items():
            flag = '--' + name.replace('_', '-')
            default = getattr(kind.settings(), field) / KNOBS[name].scale
            print(f'    {flag}: {KNOBS[name].what}; {default:.4g} by default')
    raise typer.Exit()


def main(
    room: Annotated[
        str,
        typer.Option(help='A room, a YAML file, or "all": the classroom of Fig. 9, which is the '
                     "paper's plan, and three more, whose plans are ours."),
    ] = 'classroom',
    policy: Annotated[
        list[str] | None,
        typer.Option(help='A policy (--list-policies tells them), or "all"; again for more. '
                     'tracker by default.'),
    ] = None,
    list_policies: Annotated[
        bool, typer.Option('--list-policies', callback=_list_policies, is_eager=True,
                           help='Print the policies with their settings, and end.')
    ] = False,
    figure: Annotated[
        int | None,
        typer.Option(help='9 or 10: the rows of that figure of the paper, whatever room, policy, '
                     'rig and modality say. The rooms of 10 are ours, but for the classroom.'),
    ] = None,
    rig: Annotated[
        list[str] | None,
        typer.Option(help='Rig by name (config/rigs) or a YAML; again for more. pair by default.'),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=0, help="Trials a room; 0: the paper's (classroom 18, others 9).")
    ] = 0,
    track: Annotated[str, typer.Option(help='A track of the room; its first by default.')] = '',
    detector: Annotated[
        str,
        typer.Option(
            help='A model that ships (near_wall, vggish), an ONNX file, "interference": by own '
            'sound, or "ideal" or "error-prone": ears without sound.'
        ),
    ] = 'near_wall',
    context: Annotated[
        str, typer.Option(help='What the detector may use: full, other-ears, reference or alone.')
    ] = 'full',
    modality: Annotated[
        list[str] | None,
        typer.Option(help='What is driven by: audio, vision, auto (vision, and sound while it '
                     'fails) or fusion; again for more. audio by default.'),
    ] = None,
    vision_detector: Annotated[
        str,
        typer.Option(help='A vision model that ships, an ONNX file for images, or "ideal": a '
                     'camera without images.'),
    ] = 'near_wall_vision',
    camera_fault: Annotated[
        str,
        typer.Option(help='none, dark, covered, killed or back (for a minute), at a random time.'),
    ] = 'none',
    failure: Annotated[
        list[str] | None,
        typer.Option(help='What fails of a sensor, COMPONENT:KIND[=AMOUNT][@SECONDS[-SECONDS]], as '
                     'odom:stuck@60; none: the healthy run; all: it and every failure of the '
                     'sensors that are driven by, from 60 s on; again for more. none by default.'),
    ] = None,
    side: Annotated[
        str,
        typer.Option(help='Where the wall to follow is: left, right; track: where the track has '
                     'it; any: to be found.'),
    ] = 'any',
    disturbance: Annotated[
        str,
        typer.Option(help='none, distractors, gains, ventilation, or silence: own sound alone.'),
    ] = 'none',
    own_sound: Annotated[
        str,
        typer.Option(help='What the robot itself emits while it listens: none; dB over the '
                     'ambience at its ears, of one fan; or a robot profile (turtlebot4 ...).'),
    ] = 'none',
    waves: Annotated[
        bool,
        typer.Option(help='Rooms are solved by waves below 700 Hz, furniture and all: once, for '
                     'minutes, then from a cache ($QUIET_NAV_CACHE).'),
    ] = False,
    threshold: Annotated[
        float | None, typer.Option(help='p of Algorithms 1 and 2 and random, 0 to 1.')
    ] = None,
    dead_band: Annotated[
        float | None, typer.Option(help='Alpha of Algorithm 1 and random, 0 to 1.')
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(help='Turn in radians per unit of probability of Algorithms 1 and 2 and '
                     'random; heading in radians per meter of the tracker.'),
    ] = None,
    max_turn: Annotated[
        float | None, typer.Option(help='Cap of one turn in degrees, all policies that turn.')
    ] = None,
    step: Annotated[
        float | None, typer.Option(help='v, all policies: meters driven between two listens.')
    ] = None,
    ahead: Annotated[
        float | None,
        typer.Option(help='Beyond the paper: Algorithm 2 turns away from a wall ahead of at least '
                     'this P where it sees the front. Off by default.'),
    ] = None,
    tune_threshold: Annotated[
        list[float] | None,
        typer.Option(help="The paper's p by hand: of these p the best a room for Algorithm 1, "
                     'found with --tune-seed first; again for more.'),
    ] = None,
    tune_seed: Annotated[int, typer.Option(min=0, help='Seed of the trials that p is found on.')
                         ] = 150,
    seed: Annotated[int, typer.Option(min=0, help='Of sources, slip, drift and policies.')] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help='Run all trials so often, with this and the following seeds.')
    ] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help='Processes; 0: one a core.')
    ] = 0,
    json: Annotated[Path | None, typer.Option(help='Write tables and trials to this file.')] = None,
    join: Annotated[
        list[Path] | None,
        typer.Option(help='Count the trials of this file of an earlier --json, too; again for '
                     'more.'),
    ] = None,
    only_join: Annotated[
        bool, typer.Option('--only-join', help='Run nothing: the tables of what is joined.')
    ] = False,
    plots: Annotated[Path | None, typer.Option(help='Write drawings to this folder.')] = None,
    overwrite: Overwrite = False,
) -> None:  # fmt: skip
    """Drive trials and print the tables of the paper's Figs. 9 and 10."""
    import time

    from quiet_nav.errors import QuietNavError
    from quiet_nav.files.writing import refuse_existing, write_json
    from quiet_nav.trials.result_files import read_trials
    from quiet_nav.trials.sweep import FIGURES, Sweep
    from quiet_nav.trials.tables import trials_to_json
    from quiet_nav.trials.tuning import tuned

    knobs = {
        'threshold': threshold,
        'dead_band': dead_band,
        'gain': gain,
        'max_turn': max_turn,
        'step': step,
        'ahead': ahead,
    }
    sweep = Sweep(
        rooms=(room,),
        policies=policy or ('tracker',),
        rigs=rig or ('pair',),
        modalities=modality or ('audio',),
        seeds=range(seed, seed + seeds),
        trials=trials,
        track=track,
        detector=detector,
        vision=vision_detector,
        context=context,
        disturbance=disturbance,
        own_sound=own_sound,
        waves=waves,
        camera_fault=camera_fault,
        failures=failure or ('none',),
        side=side,
        knobs={name: value for name, value in knobs.items() if value is not None},
    )
    if figure is not None and figure not in FIGURES:
        raise QuietNavError(f'--figure {figure}; expected 9 or 10')
    sweeps = [sweep] if figure is None else list(FIGURES[figure](sweep))
    before = [result for path in join or () for result in read_trials(path)]
    if only_join and not before:
        raise QuietNavError('--only-join: name files by --join')
    # Everything that was asked for is looked at before anything runs.
    refuse_existing([json] if json is not None else [], overwrite)
    refuse_existing(sorted(plots.glob('*.png')) if plots is not None else [], overwrite)
    requests = [] if only_join else [one for part in sweeps for one in part.requests()]
    run = _runner(workers or os.cpu_count() or 1)
    started = time.monotonic()
    if tune_threshold and not only_join:
        sweeps = [tuned(part, tune_threshold, (tune_seed,), run) for part in sweeps]
        requests = [one for part in sweeps for one in part.requests()]
    results = [*before, *run(requests)]
    took_s = time.monotonic() - started
    _show(results, sweeps, sum(r.duration_s for r in results[len(before) :]) / took_s)
    if json is not None:
        write_json(json, trials_to_json(results), overwrite, indent=2)
    if plots is not None:
        from quiet_nav.trials.plots import plot_trials

        for file in plot_trials(plots, results):
            print(file)


def _runner(workers: int):
    """Return what runs trials under a progress bar."""

    def run(requests):
        from rich.console import Console
        from rich.progress import Progress

        from quiet_nav.trials.protocol import run_trials

        if not requests:
            return
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task('trials', total=len(requests))
            for result in run_trials(requests, workers):
                yield result
                bar.advance(task)

    return run


def _show(results: list, sweeps: list, times_real: float) -> None:
    """Print the tables, and how they came."""
    from rich.console import Console

    from quiet_nav.trials.tables import trial_tables

    console = Console()
    # A table cut to 80 columns in a pipe or a log would lose its figures.
    console.width = console.width if console.is_terminal else 200
    console.print(trial_tables(results))
    first = sweeps[0]
    numbers = sorted({result.seed for result in results})
    console.print(
        f'{len(results)} trials, {times_real:.0f} times real time; detector {first.detector}, '
        f'context {first.context}, disturbance {first.disturbance}, own sound {first.own_sound}, '
        f'seed {numbers[0]}' + (f' to {numbers[-1]}' if len(numbers) > 1 else '')
    )
    for sweep in sweeps:
        if sweep.thresholds:
            said = ', '.join(f'{room} {p:g}' for room, p in sweep.thresholds.items())
            console.print(f'p by hand: {said}')
