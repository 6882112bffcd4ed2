"""`quiet_nav trials`: policies on tracks in simulated rooms, by the paper's protocol."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def main(
    room: Annotated[
        str, typer.Option(help='A room, a YAML file, or "all": the four rooms of Fig. 10.')
    ] = 'classroom',
    policy: Annotated[
        list[str] | None,
        typer.Option(help='tracker, algorithm1, algorithm2, straight, random, or "all"; again for '
                     'more. tracker by default.'),
    ] = None,
    rig: Annotated[
        list[str] | None,
        typer.Option(help='single, pair, trio or a YAML file; again for more. pair by default.'),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=0, help="Trials a room; 0: the paper's (classroom 18, others 9).")
    ] = 0,
    track: Annotated[str, typer.Option(help="A track of the room; its first by default.")] = '',
    detector: Annotated[
        str, typer.Option(help='An ONNX file, or "ideal" or "error-prone": ears without sound.')
    ] = 'models/near_wall.onnx',
    context: Annotated[
        str, typer.Option(help='What the detector may use: full, other-ears, reference or alone.')
    ] = 'full',
    modality: Annotated[
        list[str] | None,
        typer.Option(help='What is driven by: audio, vision, auto (vision, and sound while it '
                     'fails) or fusion; again for more. audio by default.'),
    ] = None,
    vision_detector: Annotated[
        str, typer.Option(help='An ONNX file for images, or "ideal": a camera without images.')
    ] = 'models/near_wall_vision.onnx',
    camera_fault: Annotated[
        str,
        typer.Option(help='none, dark, covered, killed or back (for a minute), at a random time.'),
    ] = 'none',
    side: Annotated[
        str,
        typer.Option(help='Where the wall to follow is: left, right; track: where the track has '
                     'it; any: to be found.'),
    ] = 'any',
    disturbance: Annotated[
        str, typer.Option(help='none, distractors, gains or ventilation.')
    ] = 'none',
    own_sound: Annotated[
        str,
        typer.Option(help='What the robot itself emits while it listens: none; dB over the '
                     'ambience at its ears, of one fan; or a robot profile (turtlebot4 ...).'),
    ] = 'none',
    threshold: Annotated[
        float | None, typer.Option(help='p of Algorithms 1 and 2; their defaults without.')
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Of sources, slip, drift and policies.')] = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help='Run all trials so often, with this and the following seeds.')
    ] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help='Processes; 0: one a core.')
    ] = 0,
    json: Annotated[Path | None, typer.Option(help='Write every trial to this file.')] = None,
    plots: Annotated[Path | None, typer.Option(help='Write drawings to this folder.')] = None,
) -> None:  # fmt: skip
    """Drive trials and print the tables of the paper's Figs. 9 and 10."""
    import time

    from rich.console import Console
    from rich.progress import Progress

    from quiet_nav.trials.protocol import run_trials
    from quiet_nav.trials.tables import trial_tables, trials_to_json

    requests = _requests(
        room, policy or ['tracker'], rig or ['pair'], trials, track, detector, context,
        disturbance, threshold, range(seed, seed + seeds), modality or ['audio'],
        vision_detector, camera_fault, side, own_sound,
    )  # fmt: skip
    started = time.monotonic()
    results = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task('trials', total=len(requests))
        for result in run_trials(requests, workers or os.cpu_count() or 1):
            results.append(result)
            bar.advance(task)
    took_s = time.monotonic() - started
    console = Console()
    # A table cut to 80 columns in a pipe or a log would lose its figures.
    console.width = console.width if console.is_terminal else 180
    console.print(trial_tables(results))
    simulated_s = sum(result.duration_s for result in results)
    console.print(
        f'{len(results)} trials, {simulated_s:.0f} s simulated in {took_s:.0f} s: '
        f'{simulated_s / took_s:.0f} times real time; detector {detector}, context {context}, '
        f'disturbance {disturbance}, own sound {own_sound}, seed {seed}'
        + (f' to {seed + seeds - 1}' if seeds > 1 else '')
    )
    if json is not None:
        _write_json(json, trials_to_json(results))
    if plots is not None:
        from quiet_nav.trials.plots import plot_trials

        for file in plot_trials(plots, results):
            console.print(str(file))


def _requests(
    room: str,
    policies: list[str],
    rigs: list[str],
    trials: int,
    track: str,
    detector: str,
    context: str,
    disturbance: str,
    threshold: float | None,
    seeds: range,
    modalities: list[str],
    vision: str,
    camera_fault: str,
    side: str,
    own_sound: str,
) -> list:
    """Return the trials asked for; QuietNavError for what does not exist, before any is run."""
    from dataclasses import replace

    from quiet_nav.errors import QuietNavError
    from quiet_nav.geometry import Side
    from quiet_nav.navigation.modality import Mode
    from quiet_nav.navigation.policies import POLICIES, PolicySettings
    from quiet_nav.perception.rig import find_rig
    from quiet_nav.simulation.rooms.plan_files import load_plan
    from quiet_nav.simulation.sight.camera_faults import CameraFault
    from quiet_nav.trials.ears import DETECTORS, check_ears
    from quiet_nav.trials.eyes import EYES
    from quiet_nav.trials.protocol import PAPER_ROOMS, TrialRequest, paper_trials

    policies = list(POLICIES) if policies == ['all'] else policies
    unknown = set(policies) - set(POLICIES)
    if unknown:
        raise QuietNavError(f'no policy {sorted(unknown)}; policies: {", ".join(POLICIES)}, all')
    modes = {mode.name.lower() for mode in Mode}
    if set(modalities) - modes:
        raise QuietNavError(f'modality {modalities}; there are: {", ".join(sorted(modes))}')
    CameraFault(camera_fault)
    sides = {'any': None, 'left': Side.LEFT, 'right': Side.RIGHT}
    if side not in (*sides, 'track'):
        raise QuietNavError(f'side {side!r}; expected one of {", ".join(sides)}, track')
    if 'audio' not in modalities or len(modalities) > 1:
        _check_file('vision detector', vision, EYES)
    if set(modalities) != {'vision'}:
        check_ears(detector, disturbance, context, own_sound)
        _check_file('detector', detector, DETECTORS)
    rooms = list(PAPER_ROOMS) if room == 'all' else [room]
    walls = {name: load_plan(name).track(track or None).side for name in rooms}
    settings = PolicySettings()
    if threshold is not None:
        settings = replace(
            settings,
            algorithm=replace(settings.algorithm, threshold=threshold),
            algorithm2=replace(settings.algorithm2, threshold=threshold),
        )
    return [
        TrialRequest(
            name, policy, find_rig(rig), detector, index, seed, track, disturbance, context,
            settings, modality=modality, vision=vision, camera_fault=camera_fault,
            side=sides.get(side, walls[name]), own_sound=own_sound,
        )
        for seed in seeds
        for modality in modalities
        for policy in policies
        for rig in rigs
        for name in rooms
        for index in range(trials or paper_trials(name))
    ]  # fmt: skip


def _check_file(what: str, name: str, known: tuple[str, ...]) -> None:
    from quiet_nav.errors import QuietNavError

    if name not in known and not Path(name).is_file():
        raise QuietNavError(f'{what} {name} is not there; name an ONNX file, or {", ".join(known)}')


def _write_json(path: Path, content: dict) -> None:
    import json

    from quiet_nav.errors import QuietNavError

    try:
        path.write_text(json.dumps(content, indent=2) + '\n')
    except OSError as error:
        raise QuietNavError(f'{path}: cannot be written ({error.strerror})') from error
