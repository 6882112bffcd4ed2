"""The wall belief: particles over where walls are around the robot, moved by odometry."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from quiet_nav.geometry import Pose2D, Side, angle_between, wrap_angle
from quiet_nav.perception.readings import NearWallReading

#: Beyond this no ear hears a wall; a wall ahead is drawn at the latest when it comes this near.
HORIZON_M = 2.0
#: A robot that has turned this far toward or away from its wall follows another one.
NEW_WALL_RAD = math.radians(68.0)
#: ... and takes for the new one what was this near, not what may have been beyond.
NEW_WALL_M = 1.0
#: The wall on the other side is the one to follow where it is nearer by this much.
NEARER_M = 0.4
#: How sharply a course ends at its edge.
COURSE_SOFT_RAD = 0.15


@dataclass(frozen=True)
class BeliefSettings:
    """How the world and the ears are taken to behave.

    particles: count. temper: exponent on the likelihoods, below 1 because the errors of
    neighbouring places hang together; again: its share for a second reading of the same side from
    the same place. outlier: share of readings taken to say nothing. most: no reading makes a
    distance more than so many times likelier, as what errs in one place errs all around it.
    sector_half_rad: the distance in a direction is that of the nearest wall this far to its sides.
    slanted: share of the readings taken to say nothing of a wall met at 45 degrees or flatter.
    wall_ahead_per_m, wall_end_per_m: how often, per metre, a wall comes up ahead or the followed
    one ends. false_corner: share of the walls ahead that are doubted once the robot has turned at
    them; it then still knows where it came from. odometry_turn, odometry_drive: noise as share of
    the motion.
    """

    particles: int = 1500
    temper: float = 0.7
    again: float = 0.4
    most: float = 10.0
    outlier: float = 0.03
    sector_half_rad: float = 0.0
    slanted: float = 0.7
    wall_ahead_per_m: float = 0.02
    wall_end_per_m: float = 0.04
    odometry_turn: float = 0.04
    odometry_drive: float = 0.05
    renewed: float = 0.02
    false_corner: float = 0.2


@dataclass
class Particles:
    """Where the walls are, one row a particle, in the frame of the followed wall.

    The frame's x runs along the wall in the direction of travel, u away from it, the robot is at
    x = 0. left: whether the wall is on the robot's left. u: distance of the robot's centre from
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
        """Return how far rays go to each wall, inf where they miss it, shape (4, n).

        The followed wall, the one across the way, the one on the other side, and the one behind
        or the face of the followed wall's end: those with even index run along x.
        """
        c, s = np.cos(angle), np.sin(angle)
        with np.errstate(divide='ignore', invalid='ignore'):
            near = np.where(s < -1e-6, u0 / -s, np.inf)
            near = np.where(x0 + near * c <= self.end, near, np.inf)
            across = np.where(c > 1e-6, (self.ahead - x0) / c, np.inf)
            other = np.where(s > 1e-6, (self.far - u0) / s, np.inf)
            face = np.where((c < -1e-6) & (self.end < x0), (self.end - x0) / c, np.inf)
            face = np.where(u0 + face * s <= 0.0, face, np.inf)
            back = np.where(c < -1e-6, (self.behind + x0) / -c, np.inf)
            face = np.minimum(face, back)
        return np.nan_to_num(np.stack([near, across, other, face]), nan=np.inf, posinf=np.inf)

    def squareness(self, direction_rad: float, ear_offset_m: float) -> np.ndarray:
        """Return the cosine of the angle at which an ear's direction meets its wall, (n,).

        1 where it meets no wall.
        """
        angle = self.heading + self.away * direction_rad
        x0, u0 = ear_offset_m * np.cos(angle), self.u + ear_offset_m * np.sin(angle)
        walls = self._walls(x0, u0, angle)
        along = np.abs(np.where(np.argmin(walls, axis=0) % 2 == 0, np.sin(angle), np.cos(angle)))
        return np.where(np.isinf(walls.min(axis=0)), 1.0, along)

    def distances(self, direction_rad: float, ear_offset_m: float, half_rad: float) -> np.ndarray:
        """Return the distance from an ear to the nearest wall in its direction's sector, (n,).

        direction_rad: in base_link; the ear sits ``ear_offset_m`` from the centre toward it.
        """
        angle = self.heading + self.away * direction_rad
        x0, u0 = ear_offset_m * np.cos(angle), self.u + ear_offset_m * np.sin(angle)
        nearest = self.rays(x0, u0, angle)
        if half_rad > 0.0:
            for edge in (-half_rad, half_rad):
                nearest = np.minimum(nearest, self.rays(x0, u0, angle + edge))
            for normal in (-0.5 * math.pi, 0.0, 0.5 * math.pi, math.pi):
                off = angle_between(normal, angle)
                foot = self.rays(x0, u0, np.full(len(self), normal))
                nearest = np.where(off <= half_rad, np.minimum(nearest, foot), nearest)
        return nearest

    def free_way(self, turn_rad: float, radius_m: float) -> np.ndarray:
        """Return how far a round robot can drive after a turn before it touches a wall, (n,)."""
        angle = self.heading + self.away * turn_rad
        c, s = np.cos(angle), np.sin(angle)
        with np.errstate(divide='ignore', invalid='ignore'):
            near = np.where(s < -1e-6, (self.u - radius_m) / -s, np.inf)
            near = np.where(near * c <= self.end + radius_m, near, np.inf)
            across = np.where(c > 1e-6, (self.ahead - radius_m) / c, np.inf)
            other = np.where(s > 1e-6, (self.far - self.u - radius_m) / s, np.inf)
            back = np.where(c < -1e-6, (self.behind - radius_m) / -c, np.inf)
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
        left_share = {None: 0.5, Side.LEFT: 0.98, Side.RIGHT: 0.02}[side]
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
        drift += 0.01 * rng.standard_normal(n)
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
        crossed = ((p.u < 0.05) & (p.end > 0.0)) | (p.ahead < 0.05) | (p.far - p.u < 0.05)
        crossed |= p.behind < 0.05
        self._reweigh(np.where(crossed, -6.0, 0.0))

    def hear(
        self, side: Side, reading: NearWallReading, ear_offset_m: float, again: bool = False
    ) -> None:
        """Weigh the particles by a reading; one that is not valid changes nothing.

        again: that side was heard from this place before, so most of its error is the same.
        """
        likelihood = self._bin_log_likelihood(reading)
        if likelihood is None:
            return
        distance = self.particles.distances(
            side.yaw_rad, ear_offset_m, self.settings.sector_half_rad
        )
        centres_m = reading.bins.centres_m
        distance = np.minimum(distance, centres_m[-1])
        likelihood = np.interp(distance, centres_m, likelihood)
        if self.settings.slanted > 0.0:
            square = self.particles.squareness(side.yaw_rad, ear_offset_m)
            unclear = self.settings.slanted * np.clip((0.95 - square) / 0.25, 0.0, 1.0)
            # A wall that no ear hears, however slanted, is as good as none.
            unclear *= np.clip((1.4 - distance) / 0.4, 0.0, 1.0)
            likelihood = np.log((1.0 - unclear) * np.exp(likelihood) + unclear)
        temper = self.settings.temper * (self.settings.again if again else 1.0)
        self._reweigh(temper * likelihood)

    def keep_course(self, yaw_rad: float, course_rad: float, half_rad: float) -> None:
        """Weigh down walls that run another way than the robot was sent.

        yaw_rad, course_rad: the robot's heading now and the way it was pointed, in the same axes;
        walls within half_rad of the course keep their weight.
        """
        runs = yaw_rad - self.particles.away * self.particles.heading
        off = angle_between(runs, course_rad)
        beyond = np.maximum(off - half_rad, 0.0) / COURSE_SOFT_RAD
        self._reweigh(np.maximum(-0.5 * beyond**2, -4.0))

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
        self.weights = np.maximum(weights / weights.sum(), 1e-12)
        if 1.0 / np.sum(self.weights**2) < 0.4 * len(self.weights):
            self._resample()

    def _resample(self) -> None:
        n = len(self.weights)
        marks = (np.arange(n) + self._rng.uniform()) / n
        total = np.cumsum(self.weights)
        index = np.minimum(np.searchsorted(total / total[-1], marks), n - 1)
        self.particles = self.particles.take(index)
        self.weights = np.full(n, 1.0 / n)
        p = self.particles
        p.u += 0.015 * self._rng.standard_normal(n)
        p.heading += 0.02 * self._rng.standard_normal(n)
        p.ahead += 0.02 * self._rng.standard_normal(n)

    def _drawn(self, n: int, left: np.ndarray) -> Particles:
        rng = self._rng
        u = rng.uniform(0.2, 1.7, n)
        heading = rng.uniform(-0.7, 0.7, n)
        far = np.where(rng.uniform(size=n) < 0.2, u + rng.uniform(0.4, 2.5, n), np.inf)
        behind = self._drawn_ahead(n, 0.3)
        return Particles(
            left.copy(),
            u,
            heading,
            self._drawn_ahead(n, 0.1),
            self._drawn_end(n, 0.03),
            far,
            behind,
        )

    def _drawn_ahead(self, n: int, share: float) -> np.ndarray:
        return np.where(
            self._rng.uniform(size=n) < share, self._rng.uniform(0.3, HORIZON_M, n), np.inf
        )

    def _drawn_end(self, n: int, share: float) -> np.ndarray:
        return np.where(self._rng.uniform(size=n) < share, self._rng.uniform(-0.4, 0.4, n), np.inf)

    def _meet_walls(self, way_m: float) -> None:
        """Let walls come up at the horizon ahead, and the followed wall end, now and then."""
        p, rng, s = self.particles, self._rng, self.settings
        n = len(p)
        born = np.isinf(p.ahead) & (rng.uniform(size=n) < s.wall_ahead_per_m * way_m)
        p.ahead[born] = HORIZON_M - way_m * rng.uniform(size=born.sum())
        ends = np.isinf(p.end) & (rng.uniform(size=n) < s.wall_end_per_m * way_m)
        p.end[ends] = rng.uniform(-0.1, 0.3, ends.sum())

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
        new = np.flatnonzero(draw < 0.4 * share)
        left = self.particles.left[new] ^ (rng.uniform(size=len(new)) < 0.2)
        self.particles.put(new, self._drawn(len(new), left))
        ahead = np.flatnonzero((draw >= 0.4 * share) & (draw < share))
        self.particles.ahead[ahead] = self._drawn_ahead(len(ahead), 0.5)
        self.particles.end[ahead] = self._drawn_end(len(ahead), 0.2)


def quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the weighted quantile of values, both of shape (n,); share from 0 to 1."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    index = min(int(np.searchsorted(total, share * total[-1])), len(order) - 1)
    return float(values[order[index]])
