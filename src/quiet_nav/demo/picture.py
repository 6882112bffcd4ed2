"""The picture of one run: floor plan, track, and the path colored by near-wall probability."""

from __future__ import annotations

from pathlib import Path

from quiet_nav.evaluation.plots import figure
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.trials.plots import draw_path, draw_plan
from quiet_nav.trials.protocol import TrialResult


def draw_run(path: Path, result: TrialResult) -> None:
    """Write the picture of a run."""
    plan = load_plan(result.room)
    with figure(path, 8.0, 6.0) as (drawn, axes):
        draw_plan(axes, plan, plan.track(result.track))
        lines = draw_path(axes, result)
        if lines is not None:
            drawn.colorbar(lines, ax=axes, label='near-wall probability, larger of both sides')
        places = [(at.pose.x, at.pose.y) for at in result.listened]
        if places:
            axes.plot(*zip(*places, strict=True), '.', color='black', markersize=4)
        axes.set_title(
            f'{plan.name}, {result.policy}, {result.rig}: {result.outcome}\n'
            f'{result.distance_m:.1f} of {result.length_m:.1f} m, {len(places)} listens, '
            f'{result.duration_s:.0f} s'
        )
