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

"""The wall belief: particles over where walls are around the robot, moved by odometry."""

from __future__ import annotations

from dataclasses import dataclass, fields
import math

import numpy as np

from quiet_nav.geometry import angle_between, Pose2D, Side, wrap_angle
from quiet_nav.perception.readings import NearWallReading

#: Beyond this (m) no ear hears a wall; a wall ahead is drawn at the latest when it comes this near.
HORIZON_M = 2.0
#: A robot that has turned this far toward or away from its wall follows another one.
NEW_WALL_RAD = math.radians(68.0)
#: ... and takes for the new one what was this near (m), not what may have been beyond.
NEW_WALL_M = 1.0
#: The wall on the other side is the one to follow where it is nearer by this much (m).
NEARER_M = 0.4
#: How sharply a course ends at its edge (rad): the deviation of its Gaussian slope.
COURSE_SOFT_RAD = 0.15
#: No course, however wrong, takes more than this from a log weight: odometry may have slipped.
COURSE_MOST_NATS = 4.0
#: Directions whose cosine or sine is smaller than this run along a wall and never meet it.
PARALLEL = 1e-6

#: Log weight lost by a particle that drove through a wall, and how near to one (m) counts as that.
CROSSED_NATS = 6.0
CROSSED_M = 0.05
#: Heading noise of every motion (rad): a robot that starts and stops never stands quite as told.
REST_DRIFT_RAD = 0.01
#: Particles are drawn anew when they are worth fewer than this share of their number ...
RESAMPLE_SHARE = 0.4
#: ... and moved a little, so that copies part: distance (m), heading (rad), wall ahead (m).
JITTER_U_M, JITTER_HEADING_RAD, JITTER_AHEAD_M = 0.015, 0.02, 0.02
#: No weight falls below this, so that logarithms stay finite.
LEAST_WEIGHT = 1e-12

#: Share of the particles on the other side than the one told, so that a wrong one shows.
UNTOLD_SHARE = 0.02
#: What is drawn of a robot that was just set down. Distance to its wall (m): closer it would
#: touch, farther an ear tells little. Heading (rad): about what the paper's starts have, and more.
START_U_M = (0.2, 1.7)
START_HEADING_RAD = (-0.7, 0.7)
#: How often there is a wall on the other side within earshot, and how much farther (m) it is.
START_FAR_SHARE, START_FAR_M = 0.2, (0.4, 2.5)
#: How often there is a wall behind or ahead, or the followed one ends beside the robot.
START_BEHIND_SHARE, START_AHEAD_SHARE, START_END_SHARE = 0.3, 0.1, 0.03
#: A wall ahead (or behind) that is drawn is at least this far (m).
NEAREST_AHEAD_M = 0.3
#: An end that is drawn lies so far ahead (m), behind where negative.
DRAWN_END_M = (-0.4, 0.4)
#: A wall that ends on the way ends about beside the robot (m): where it would be noticed.
MET_END_M = (-0.1, 0.3)
#: Of what is redrawn, the share redrawn in whole, and how often that changes the side; the rest
#: gets new walls ahead and ends, with these shares that there are any.
RENEWED_WHOLE, RENEWED_OTHER_SIDE = 0.4, 0.2
RENEWED_AHEAD_SHARE, RENEWED_END_SHARE = 0.5, 0.2

#: An ear tells a wall in full down to this cosine of the angle at which it meets it (18 degrees
#: off), and least where the cosine is lower by the second (45 degrees off).
SQUARE_COS, SLANTED_COS_LESS = 0.95, 0.25
#: A slanted wall is told as none. From this distance (m) on that is no error, as no wall there is
#: told; it becomes one within so many meters nearer.
SLANT_NO_MATTER_M, SLANT_FADES_M = 1.4, 0.4


@dataclass(frozen=True)
class BeliefSettings:
    """How the world and the ears are taken to behave."""

    #: How many particles.
    particles: int = 1500
    #: Exponent on the likelihoods, below 1 because the errors of neighboring places hang together.
    temper: float = 0.7
    #: Its share for a second reading of the same side from the same place.
    again: float = 0.4
    #: No reading makes a distance more than so many times likelier: what errs in one place errs
    #: all around it.
    most: float = 10.0
    #: Share of readings taken to say nothing.
    outlier: float = 0.03
    #: Share of readings taken to say nothing of a wall met at 45 degrees or flatter.
    slanted: float = 0.7
    #: How often, per meter driven, a wall comes up ahead ...
    wall_ahead_per_m: float = 0.02
    #: ... or the followed one ends.
    wall_end_per_m: float = 0.04
    #: Noise of odometry's heading as share of turn (rad) and way (m).
    odometry_turn: float = 0.04
    #: Noise of odometry's way as share of it.
    odometry_drive: float = 0.05
    #: Share of the particles redrawn at every motion, so that no wrong belief is for ever.
    renewed: float = 0.02
    #: Share of the walls ahead that are doubted once the robot has turned at them; it then still
    #: knows where it came from.
    false_corner: float = 0.2


@dataclass
class Particles:
    """
    Where the walls are, one row a particle, in the frame of the followed wall.

    The frame's x runs along the wall in the direction of travel, u away from it, the robot is at
    x = 0. left: whether the wall is on the robot's left. u: distance of the robot's center from
    it (m). heading: angle away from the wall (rad). ahead: x of a wall across the way, inf for
    none. end: x where the followed wall ends, inf for never. far: u of a wall on the other side.
    behind: how far back a wall lies across the way, inf for none.
    """

    left: np.ndarray
    u: np.ndarray
    heading: np.ndarray
    ahead: np.ndarray
    end: np.ndarray
    far: np.ndarray
    behind: np.ndarray

    def __len__(self) -> int:
        return len(self.u)

    def take(self, index: np.ndarray) -> Particles:
        """Return the rows of ``index`` (integers or mask) as new particles."""
        return Particles(*(getattr(self, f.name)[index] for f in fields(self)))

    def put(self, index: np.ndarray, rows: Particles) -> None:
        """Overwrite the rows of ``index`` with others."""
        for f in fields(self):
            getattr(self, f.name)[index] = getattr(rows, f.name)

    @property
    def away(self) -> np.ndarray:
        """+1 where counter-clockwise turns away from the wall, -1 where toward it."""
        return np.where(self.left, -1.0, 1.0)

    def rays(self, x0: np.ndarray, u0: np.ndarray, angle: np.ndarray) -> np.ndarray:
        """Return how far rays go before a wall; arguments broadcast to (n,) in the wall's frame."""
        return np.maximum(self._walls(x0, u0, angle).min(axis=0), 0.0)

    def _walls(self, x0: np.ndarray, u0: np.ndarray, angle: np.ndarray) -> np.ndarray:
        """
        Return how far rays go to each wall, inf where they miss it, shape (4, n).

        The followed wall, the one across the way, the one on the other side, and the one behind
        or the face of the followed wall's end: those with even index run along x.
        """
        c, s = np.cos(angle), np.sin(angle)
        with np.errstate(divide='ignore', invalid='ignore'):
            near = np.where(s < -PARALLEL, u0 / -s, np.inf)
            near = np.where(x0 + near * c <= self.end, near, np.inf)
            across = np.where(c > PARALLEL, (self.ahead - x0) / c, np.inf)
            other = np.where(s > PARALLEL, (self.far - u0) / s, np.inf)
            face = np.where((c < -PARALLEL) & (self.end < x0), (self.end - x0) / c, np.inf)
            face = np.where(u0 + face * s <= 0.0, face, np.inf)
            back = np.where(c < -PARALLEL, (self.behind + x0) / -c, np.inf)
            face = np.minimum(face, back)
        return np.nan_to_num(np.stack([near, across, other, face]), nan=np.inf, posinf=np.inf)

    def squareness(self, direction_rad: float, ear_offset_m: float) -> np.ndarray:
        """
        Return the cosine of the angle at which an ear's direction meets its wall, (n,).

        1 where it meets no wall.
        """
        angle = self.heading + self.away * direction_rad
        x0, u0 = ear_offset_m * np.cos(angle), self.u + ear_offset_m * np.sin(angle)
        walls = self._walls(x0, u0, angle)
        along = np.abs(np.where(np.argmin(walls, axis=0) % 2 == 0, np.sin(angle), np.cos(angle)))
        return np.where(np.isinf(walls.min(axis=0)), 1.0, along)

    def distances(self, direction_rad: float, ear_offset_m: float) -> np.ndarray:
        """
        Return the distance from an ear to the nearest wall in its direction, (n,).

        direction_rad: in base_link; the ear sits ``ear_offset_m`` from the center toward it.
        """
        angle = self.heading + self.away * direction_rad
        x0, u0 = ear_offset_m * np.cos(angle), self.u + ear_offset_m * np.sin(angle)
        return self.rays(x0, u0, angle)

    def free_way(self, turn_rad: float, radius_m: float) -> np.ndarray:
        """Return how far a round robot can drive after a turn before it touches a wall, (n,)."""
        angle = self.heading + self.away * turn_rad
        c, s = np.cos(angle), np.sin(angle)
        with np.errstate(divide='ignore', invalid='ignore'):
            near = np.where(s < -PARALLEL, (self.u - radius_m) / -s, np.inf)
            near = np.where(near * c <= self.end + radius_m, near, np.inf)
            across = np.where(c > PARALLEL, (self.ahead - radius_m) / c, np.inf)
            other = np.where(s > PARALLEL, (self.far - self.u - radius_m) / s, np.inf)
            back = np.where(c < -PARALLEL, (self.behind - radius_m) / -c, np.inf)
        free = np.stack([near, across, other, back])
        return np.nan_to_num(free, nan=np.inf, posinf=np.inf).min(axis=0)


class WallBelief:
    """A particle filter over ``Particles``; seeded by the generator passed in."""

    def __init__(
        self,
        rng: np.random.Generator,
        settings: BeliefSettings | None = None,
        side: Side | None = None,
    ) -> None:
        self.settings = settings or BeliefSettings()
        self._rng = rng
        self._side = side
        n = self.settings.particles
        left_share = {None: 0.5, Side.LEFT: 1.0 - UNTOLD_SHARE, Side.RIGHT: UNTOLD_SHARE}[side]
        self.particles = self._drawn(n, rng.uniform(size=n) < left_share)
        self.weights = np.full(n, 1.0 / n)

    def move(self, before: Pose2D, after: Pose2D) -> None:
        """Move the robot by what odometry measured between two poses."""
        p, rng, s = self.particles, self._rng, self.settings
        n = len(p)
        motion = after.relative_to(before)
        way = math.hypot(motion.x, motion.y)
        turned = abs(wrap_angle(motion.yaw))
        drive = 1.0 + s.odometry_drive * rng.standard_normal(n)
        drift = s.odometry_turn * (turned + way) * rng.standard_normal(n)
        drift += REST_DRIFT_RAD * rng.standard_normal(n)
        c, sn = np.cos(p.heading + 0.5 * drift), np.sin(p.heading + 0.5 * drift)
        sideways = p.away * motion.y
        along = drive * (motion.x * c - sideways * sn)
        p.u += drive * (motion.x * sn + sideways * c)
        p.ahead -= along
        p.end -= along
        p.behind += along
        p.heading += p.away * motion.yaw + drift
        self._meet_walls(way)
        self._change_walls()
        self._renew()
        # Whoever drove through a wall was wrong.
        crossed = (p.u < CROSSED_M) & (p.end > 0.0)
        for gap_m in (p.ahead, p.far - p.u, p.behind):
            crossed |= gap_m < CROSSED_M
        self._reweigh(np.where(crossed, -CROSSED_NATS, 0.0))

    def hear(
        self, side: Side, reading: NearWallReading, ear_offset_m: float, again: bool = False
    ) -> None:
        """
        Weigh the particles by a reading; one that is not valid changes nothing.

        again: that side was heard from this place before, so most of its error is the same.
        """
        likelihood = self._bin_log_likelihood(reading)
        if likelihood is None:
            return
        distance = self.particles.distances(side.yaw_rad, ear_offset_m)
        centers_m = reading.bins.centers_m
        distance = np.minimum(distance, centers_m[-1])
        likelihood = np.interp(distance, centers_m, likelihood)
        if self.settings.slanted > 0.0:
            square = self.particles.squareness(side.yaw_rad, ear_offset_m)
            flat = np.clip((SQUARE_COS - square) / SLANTED_COS_LESS, 0.0, 1.0)
            unclear = self.settings.slanted * flat
            # A wall that no ear hears, however slanted, is as good as none.
            unclear *= np.clip((SLANT_NO_MATTER_M - distance) / SLANT_FADES_M, 0.0, 1.0)
            likelihood = np.log((1.0 - unclear) * np.exp(likelihood) + unclear)
        temper = self.settings.temper * (self.settings.again if again else 1.0)
        self._reweigh(temper * likelihood)

    def keep_course(self, yaw_rad: float, course_rad: float, half_rad: float) -> None:
        """
        Weigh down walls that run another way than the robot was sent.

        yaw_rad, course_rad: the robot's heading now and the way it was pointed, in the same axes;
        walls within half_rad of the course keep their weight.
        """
        runs = yaw_rad - self.particles.away * self.particles.heading
        off = angle_between(runs, course_rad)
        beyond = np.maximum(off - half_rad, 0.0) / COURSE_SOFT_RAD
        self._reweigh(np.maximum(-0.5 * beyond**2, -COURSE_MOST_NATS))

    def left_probability(self) -> float:
        """Return how likely the followed wall is on the left."""
        return float(self.weights[self.particles.left].sum())

    def _bin_log_likelihood(self, reading: NearWallReading) -> np.ndarray | None:
        """Return the log likelihood of the reading in every distance bin, None where it is void."""
        if not reading.valid or not math.isfinite(reading.probability):
            return None
        s, bins = self.settings, reading.bins
        told = bins.told(reading.distance_probabilities)
        if told is None:
            p = min(max(reading.probability, 0.0), 1.0)
            prior = bins.near_prior
            ratio = np.where(bins.is_near, p / prior, (1.0 - p) / (1.0 - prior))
        else:
            ratio = told / bins.prior_array
        return np.log(np.minimum((1.0 - s.outlier) * ratio + s.outlier, s.most))

    def _reweigh(self, log_likelihood: np.ndarray) -> None:
        log_weights = np.log(self.weights) + log_likelihood
        weights = np.exp(log_weights - log_weights.max())
        self.weights = np.maximum(weights / weights.sum(), LEAST_WEIGHT)
        if 1.0 / np.sum(self.weights**2) < RESAMPLE_SHARE * len(self.weights):
            self._resample()

    def _resample(self) -> None:
        n = len(self.weights)
        marks = (np.arange(n) + self._rng.uniform()) / n
        total = np.cumsum(self.weights)
        index = np.minimum(np.searchsorted(total / total[-1], marks), n - 1)
        self.particles = self.particles.take(index)
        self.weights = np.full(n, 1.0 / n)
        p = self.particles
        p.u += JITTER_U_M * self._rng.standard_normal(n)
        p.heading += JITTER_HEADING_RAD * self._rng.standard_normal(n)
        p.ahead += JITTER_AHEAD_M * self._rng.standard_normal(n)

    def _drawn(self, n: int, left: np.ndarray) -> Particles:
        rng = self._rng
        u = rng.uniform(*START_U_M, n)
        heading = rng.uniform(*START_HEADING_RAD, n)
        has_far = rng.uniform(size=n) < START_FAR_SHARE
        far = np.where(has_far, u + rng.uniform(*START_FAR_M, n), np.inf)
        behind = self._drawn_ahead(n, START_BEHIND_SHARE)
        return Particles(
            left.copy(),
            u,
            heading,
            self._drawn_ahead(n, START_AHEAD_SHARE),
            self._drawn_end(n, START_END_SHARE),
            far,
            behind,
        )

    def _drawn_ahead(self, n: int, share: float) -> np.ndarray:
        there = self._rng.uniform(size=n) < share
        return np.where(there, self._rng.uniform(NEAREST_AHEAD_M, HORIZON_M, n), np.inf)

    def _drawn_end(self, n: int, share: float) -> np.ndarray:
        there = self._rng.uniform(size=n) < share
        return np.where(there, self._rng.uniform(*DRAWN_END_M, n), np.inf)

    def _meet_walls(self, way_m: float) -> None:
        """Let walls come up at the horizon ahead, and the followed wall end, now and then."""
        p, rng, s = self.particles, self._rng, self.settings
        n = len(p)
        born = np.isinf(p.ahead) & (rng.uniform(size=n) < s.wall_ahead_per_m * way_m)
        p.ahead[born] = HORIZON_M - way_m * rng.uniform(size=born.sum())
        ends = np.isinf(p.end) & (rng.uniform(size=n) < s.wall_end_per_m * way_m)
        p.end[ends] = rng.uniform(*MET_END_M, ends.sum())

    def _change_walls(self) -> None:
        """Follow the next wall where the robot has turned past a corner."""
        p = self.particles
        inner = (p.heading > NEW_WALL_RAD) & (p.ahead < NEW_WALL_M)
        if inner.any():
            doubted = inner & (self._rng.uniform(size=len(p)) < self.settings.false_corner)
            p.ahead[doubted] = np.inf
            inner &= ~doubted
            before, other = p.u[inner], p.far[inner] - p.u[inner]
            p.u[inner], p.ahead[inner], p.behind[inner] = p.ahead[inner], other, before
            p.heading[inner] -= 0.5 * math.pi
            p.end[inner] = np.inf
            p.far[inner] = np.inf
        outer = (p.heading < -NEW_WALL_RAD) & (p.end < 0.0)
        if outer.any():
            p.u[outer], p.behind[outer] = -p.end[outer], np.inf
            p.heading[outer] += 0.5 * math.pi
            p.ahead[outer], p.end[outer], p.far[outer] = np.inf, np.inf, np.inf
        if self._side is None:
            self._change_sides()

    def _change_sides(self) -> None:
        """Follow the wall on the other side where it is nearer, or the only one."""
        p = self.particles
        other = p.far - p.u
        swap = (other < p.u - NEARER_M) | ((p.end < -NEARER_M) & (other < HORIZON_M))
        if swap.any():
            before = p.u[swap]
            p.left[swap] = ~p.left[swap]
            p.u[swap] = other[swap]
            p.heading[swap] *= -1.0
            p.far[swap] = np.where(np.isinf(p.end[swap]), before + other[swap], np.inf)
            p.end[swap] = np.inf

    def _renew(self) -> None:
        """Redraw a small share, so that no wrong belief is for ever."""
        rng, n = self._rng, len(self.particles)
        draw = rng.uniform(size=n)
        share = self.settings.renewed
        whole = RENEWED_WHOLE * share
        new = np.flatnonzero(draw < whole)
        left = self.particles.left[new] ^ (rng.uniform(size=len(new)) < RENEWED_OTHER_SIDE)
        self.particles.put(new, self._drawn(len(new), left))
        part = np.flatnonzero((draw >= whole) & (draw < share))
        self.particles.ahead[part] = self._drawn_ahead(len(part), RENEWED_AHEAD_SHARE)
        self.particles.end[part] = self._drawn_end(len(part), RENEWED_END_SHARE)


def quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the weighted quantile of values, both of shape (n,); share from 0 to 1."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    index = min(int(np.searchsorted(total, share * total[-1])), len(order) - 1)
    return float(values[order[index]])
