"""What a policy is: readings of a listen in, a step or the wish to look ahead out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Protocol

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.readings import NearWallReading

Readings = Mapping[Side, NearWallReading]
BOTH_SIDES = frozenset({Side.LEFT, Side.RIGHT})


@dataclass(frozen=True)
class Step:
    """
    Turn by ``turn_rad`` (counter-clockwise), then drive ``drive_m``; ``reason`` in words.

    A step without turn and drive means: nothing can be decided, listen again. waits: it was heard
    well, but there was nothing to hear; such steps are made for longer before the run ends.
    """

    turn_rad: float = 0.0
    drive_m: float = 0.0
    reason: str = ''
    waits: bool = False

    @property
    def stays(self) -> bool:
        return self.turn_rad == 0.0 and self.drive_m == 0.0


@dataclass(frozen=True)
class Look:
    """
    Listen toward one more side before deciding; the robot turns where no ear faces it.

    turned: turn even where an ear faces it already, so that another ear hears that side.
    """

    side: Side
    reason: str = ''
    turned: bool = False


class Policy(Protocol):
    """
    Decides one step at a time; the same object drives robot, simulator and trials.

    name: as users write it. sides: what it listens to at every step; empty needs no listening.
    wall_distance_m: its estimate of the distance to the followed wall, NaN where it has none.
    """

    @property
    def name(self) -> str: ...

    @property
    def sides(self) -> frozenset[Side]: ...

    @property
    def wall_distance_m(self) -> float: ...

    def decide(self, readings: Readings, pose: Pose2D) -> Step | Look:
        """
        Return what to do from here.

        readings: by the side asked about, as the robot stood when the step began; invalid ones
        are left out. After a ``Look`` it is called again with the readings of that side added
        (or still missing, where none came). pose: odometry when the step began.
        """


def usable_probability(readings: Readings, side: Side) -> float | None:
    """Return P of a side where there is a valid, finite reading of it, else None."""
    reading = readings.get(side)
    if reading is None or not reading.valid or not math.isfinite(reading.probability):
        return None
    return reading.probability
