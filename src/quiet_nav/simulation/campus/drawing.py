"""Where places stand in a room: drawn by seed, at distances as in the official recordings."""

from __future__ import annotations

import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom

#: Quantiles (0, 5, 10, 20 ... 90, 95, 100 %) of the distances in the official static lists, m.
QUANTILES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
NEAR_M = (
    *(0.266, 0.292, 0.309, 0.348, 0.366, 0.378, 0.389),
    *(0.398, 0.412, 0.432, 0.461, 0.484, 0.564),
)
FAR_M = (
    *(1.002, 1.099, 1.162, 1.298, 1.432, 1.532, 1.678),
    *(1.922, 2.167, 2.580, 3.243, 4.755, 9.699),
)
#: The gap between them, as evenly as quantiles go.
BETWEEN_M = tuple(NEAR_M[-1] + q * (FAR_M[0] - NEAR_M[-1]) for q in QUANTILES)
#: So often a place is drawn before a room is given up.
TRIES = 2000


def facing_nearest(
    room: AcousticRoom, rng: np.random.Generator, table: tuple[float, ...]
) -> Pose2D:
    """
    Return a pose that faces its nearest wall at a distance drawn from quantiles ``table``.

    Or what stands at that wall there: a shelf's front.
    """
    corners = np.asarray(room.footprint)
    ends = np.roll(corners, -1, axis=0)
    lengths = np.linalg.norm(ends - corners, axis=1)
    for _ in range(TRIES):
        distance = float(np.interp(rng.random(), QUANTILES, table))
        wall = int(rng.choice(len(corners), p=lengths / lengths.sum()))
        along = (ends[wall] - corners[wall]) / lengths[wall]
        inward = np.array([-along[1], along[0]])
        reach = rng.uniform(0, lengths[wall])
        x, y = corners[wall] + along * reach + (distance + _front(room, wall, reach)) * inward
        point = np.array([x, y])
        if room.contains(point, distance - 1e-6):
            return Pose2D(float(x), float(y), math.atan2(-inward[1], -inward[0]))
    raise QuietNavError('no place in the room is as far from walls as asked')


def _front(room: AcousticRoom, wall: int, reach_m: float) -> float:
    """How far what stands at a wall reaches into the room, so far along it, in metres."""
    return max(
        (p.depth for p in room.patches if p.wall == wall and p.start <= reach_m <= p.end),
        default=0.0,
    )
