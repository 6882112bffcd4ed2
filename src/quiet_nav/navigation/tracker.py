"""The wall tracker: steers along a wall by the belief, looks ahead, rounds corners."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.belief import BeliefSettings, WallBelief, quantile
from quiet_nav.navigation.policy import BOTH_SIDES, Look, Readings, Step
from quiet_nav.perception.readings import Modality, NearWallReading

AHEAD = 'wall ahead'
ENDED = 'wall ended'
#: Why the robot turns at corners.
CORNERS = (AHEAD, ENDED)


@dataclass(frozen=True)
class TrackerSettings:
    """How the tracker steers.

    wall_distance_m: kept between the robot's centre and the wall. step_length_m: longest drive.
    gain_rad_per_m: heading wanted per metre of error. max_approach_rad: its cap.
    max_turn_rad: cap of one turn. radius_m: the robot's. margin_m: left free ahead of it.
    cautious_share: quantile of the free way that a drive must not exceed.
    corner_m: a wall ahead nearer than this is turned at; corner_share: when this likely. A place
    can sound like a wall without one, so corners are made sure of from close by: from
    doubtful_share on of a wall up to a step farther, steps are half as long.
    survey_rad: before it drives it listens all around, turns by this and listens all around again.
    course_rad: until its first corner it follows a wall that runs no farther than this from the way
    that the robot pointed at first: near the start other walls can be the louder ones.
    past_end_m: a wall that ended this far behind is turned around.
    look_every_m: look ahead at the latest after so far without having heard the front.
    approach_m: a drive this long from an unlucky place at an unlucky heading must not take the
    robot past the wanted distance (less 0.1 m).
    look_share, look_ahead_m: look ahead when the way of a step and this much more is blocked with
    this probability and the front was not heard. second_look_share: where an ear in front heard,
    turn for a second look from this probability of a wall on.
    silent_nats: where readings say less than this on the average the robot waits: it drives by
    sound, and what there was to be heard has stopped. silent_s: after so long it takes one step all
    the same, as the place may be to blame; where that one is silent, too, it stays.
    Raises QuietNavError where a value is not positive.
    """

    wall_distance_m: float = 0.55
    step_length_m: float = 0.2
    gain_rad_per_m: float = 1.2
    max_approach_rad: float = math.radians(28.0)
    max_turn_rad: float = math.radians(100.0)
    radius_m: float = 0.17
    margin_m: float = 0.05
    cautious_share: float = 0.1
    corner_m: float = 0.55
    corner_share: float = 0.8
    doubtful_share: float = 0.15
    survey_rad: float = math.radians(45.0)
    course_rad: float = math.radians(40.0)
    past_end_m: float = 0.5
    approach_m: float = 0.4
    look_share: float = 0.04
    second_look_share: float = 0.15
    look_ahead_m: float = 0.2
    look_every_m: float = 0.8
    silent_nats: float = 0.1
    silent_s: float = 65.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')


class WallTracker:
    """Bayes filter over side, distance and heading of the wall, and what to do about it.

    It asks to look ahead where it did not hear the front and the belief leaves too little way.
    ear_offsets_m: how far from the robot's centre the ear sits that hears a side; camera_offset_m:
    the same of the camera that sees it.
    second_look: an ear in front may be doubted: by turning another one hears the same.
    Raises QuietNavError where ``side`` is not LEFT, RIGHT or None.
    """

    name = 'tracker'
    sides = BOTH_SIDES

    def __init__(
        self,
        rng: np.random.Generator,
        settings: TrackerSettings | None = None,
        belief: BeliefSettings | None = None,
        side: Side | None = None,
        ear_offsets_m: Mapping[Side, float] | None = None,
        second_look: bool = False,
        camera_offset_m: float = 0.0,
    ) -> None:
        if side not in (None, Side.LEFT, Side.RIGHT):
            raise QuietNavError(f'side to follow is {side.name}; expected LEFT or RIGHT')
        self.settings = settings or TrackerSettings()
        self.belief = WallBelief(rng, belief, side)
        self.side = side
        self._offsets = dict(ear_offsets_m or {})
        self._camera_offset_m = camera_offset_m
        self._pose: Pose2D | None = None
        self._course_rad: float | None = None
        self._used: set[tuple[Side, int]] = set()
        self._looked = False
        self._unheard_m = math.inf
        self._second_look = second_look
        self._may_look = True
        self._surveyed = 0
        self._cornered = False
        self._waits = False
        self._silent_ns: int | None = None
        self._deaf_at: Pose2D | None = None

    @property
    def wall_distance_m(self) -> float:
        """Mean distance of the robot's centre to the followed wall in metres."""
        mask = self._followed()
        weights = self.belief.weights[mask]
        return float(np.average(self.belief.particles.u[mask], weights=weights))

    def decide(self, readings: Readings, pose: Pose2D) -> Step | Look:
        first = self._pose is None
        moved = not (self._looked or self._waits) or pose != self._pose
        if moved:
            if self._pose is not None:
                self.belief.move(self._pose, pose)
                self._unheard_m += self._pose.distance_to(pose)
            self._pose, self._looked = pose, False
            self._used.clear()
        usable = {s: r for s, r in readings.items() if r.valid and math.isfinite(r.probability)}
        silent = self._silent(usable.values())
        self._waits = silent and not self._passes(usable.values(), pose)
        if self._waits:
            self._looked = False
            return Step(reason='nothing is to be heard: waiting', waits=True)
        if silent:
            self._deaf_at = pose
        else:
            self._silent_ns = self._deaf_at = None
        for side, reading in sorted(usable.items()):
            if (side, reading.start_ns) not in self._used:
                again = self._cornered or side in {heard for heard, _ in self._used}
                seen = reading.modality == Modality.VISION
                offset_m = self._camera_offset_m if seen else self._offsets.get(side, 0.0)
                self.belief.hear(side, reading, offset_m, again)
                self._used.add((side, reading.start_ns))
        self._cornered = False
        if first:
            self._course_rad = pose.yaw
        if self._course_rad is not None and moved:
            self.belief.keep_course(pose.yaw, self._course_rad, self.settings.course_rad)
        self._choose_side()
        heard = Side.FRONT in usable
        # What an ear says of the front another one may doubt; what the camera saw none may.
        ear = not heard or usable[Side.FRONT].modality == Modality.AUDIO
        self._may_look = not heard or (self._second_look and ear)
        survey = self._survey(heard) if self._surveyed < 2 else None
        if survey is not None:
            return survey
        turn, reason = self._wanted_turn()
        way = self._cautious_way(turn)
        if heard:
            self._unheard_m = 0.0
        # A corner is turned at only where the front was heard just now, not from memory.
        unsure = (reason == AHEAD and not heard) or self._must_look(turn, heard)
        if not self._looked and self._may_look and unsure:
            self._looked = True
            return Look(Side.FRONT, 'a wall may be ahead', turned=heard)
        self._looked = False
        if reason in CORNERS:
            self._course_rad = None
            self._cornered = True
        turn, way = self._safe(turn, way)
        return Step(turn, min(way, self._step_length_m()), reason)

    def _silent(self, usable: Collection[NearWallReading]) -> bool:
        """Return whether the readings tell nothing: what there was to be heard has stopped."""
        told = [r.bins.information_nats(r.distance_probabilities) for r in usable]
        return bool(told) and sum(told) / len(told) < self.settings.silent_nats

    def _passes(self, silent: Collection[NearWallReading], pose: Pose2D) -> bool:
        """Return whether it goes on: a place that tells nothing is left after a while, once."""
        now_ns = max(reading.end_ns for reading in silent)
        if self._silent_ns is None:
            self._silent_ns = now_ns
        waited_s = (now_ns - self._silent_ns) * 1e-9
        return waited_s >= self.settings.silent_s and self._deaf_at in (None, pose)

    def _survey(self, heard: bool) -> Step | Look | None:
        """Listen all around at two headings; None when that is done.

        Readings of one heading leave open how the robot stands to the wall that they tell of.
        """
        if not self._looked and self._may_look:
            self._looked = True
            return Look(Side.FRONT, 'looking around', turned=heard)
        self._surveyed += 1
        if self._surveyed > 1:
            return None
        self._looked = False
        return Step(self.settings.survey_rad, 0.0, 'looking around')

    def _step_length_m(self) -> float:
        s = self.settings
        doubtful = self.belief.particles.ahead < s.corner_m + s.step_length_m
        doubt = float(self.belief.weights[doubtful].sum())
        return s.step_length_m * (0.5 if doubt > s.doubtful_share else 1.0)

    def _followed(self) -> np.ndarray:
        """Return the mask of the particles of the followed side (of the likelier one at first)."""
        left = self.belief.particles.left
        side = self.side or (Side.LEFT if self.belief.left_probability() >= 0.5 else Side.RIGHT)
        mask = left if side == Side.LEFT else ~left
        if not mask.any():
            mask = np.ones_like(left)
        # Between two headings a right angle apart lies none: the likelier counts.
        heading, weights = self.belief.particles.heading, self.belief.weights
        apart = [mask & (heading < -1.0), mask & (abs(heading) <= 1.0), mask & (heading > 1.0)]
        return max(apart, key=lambda some: weights[some].sum())

    def _choose_side(self) -> None:
        """Commit to a side when it is likely; change it only when the other is much likelier."""
        left = self.belief.left_probability()
        sure = 0.8 if self.side is None else 0.95
        if left > sure:
            self.side = Side.LEFT
        elif left < 1.0 - sure:
            self.side = Side.RIGHT

    def _wanted_turn(self) -> tuple[float, str]:
        """Return the turn in base_link that the mean of the belief asks for, and why."""
        s = self.settings
        mask = self._followed()
        p, weights = self.belief.particles.take(mask), self.belief.weights[mask]
        weights = weights / weights.sum()
        heading = float(weights @ p.heading)
        close = p.ahead < s.corner_m
        if weights @ close > s.corner_share:
            distance = float(weights[close] @ p.ahead[close] / weights[close].sum())
            turn, why = 0.5 * math.pi + self._approach(distance) - heading, AHEAD
        elif weights @ (p.end < -s.past_end_m) > s.corner_share:
            turn, why = -0.5 * math.pi - heading, ENDED
        else:
            distance = float(weights @ p.u)
            turn, why = self._approach(distance) - heading, f'wall at {distance:.2f} m'
            turn = max(-s.max_turn_rad, min(s.max_turn_rad, turn))
            # Who does not know the heading well must not head for a wall that is near.
            room_m = quantile(p.u, weights, 0.15) - s.wall_distance_m + 0.1
            steepest = -math.asin(min(max(room_m / s.approach_m, 0.05), 1.0))
            turn = max(turn, min(steepest - quantile(p.heading, weights, 0.15), s.max_turn_rad))
        return wrap_angle(float(p.away[0]) * turn), why

    def _approach(self, distance_m: float) -> float:
        s = self.settings
        wanted = s.gain_rad_per_m * (s.wall_distance_m - distance_m)
        return max(-s.max_approach_rad, min(s.max_approach_rad, wanted))

    def _cautious_way(self, turn_rad: float) -> float:
        s = self.settings
        free = self.belief.particles.free_way(turn_rad, s.radius_m)
        return quantile(free, self.belief.weights, s.cautious_share) - s.margin_m

    def _must_look(self, turn_rad: float, heard: bool) -> bool:
        """Return whether the way ahead is too uncertain for a step without (another) look."""
        s = self.settings
        free = self.belief.particles.free_way(turn_rad, s.radius_m) - s.margin_m
        blocked = float(self.belief.weights[free < s.step_length_m + s.look_ahead_m].sum())
        if not heard:
            return blocked > s.look_share or self._unheard_m + s.step_length_m > s.look_every_m
        corner = float(self.belief.weights[self.belief.particles.ahead < s.corner_m].sum())
        return s.second_look_share < max(blocked, corner) < 0.97

    def _safe(self, turn_rad: float, way_m: float) -> tuple[float, float]:
        """Turn as little farther away from the walls as gives room for half a step."""
        enough = 0.5 * self._step_length_m()
        if way_m >= enough:
            return turn_rad, way_m
        away = -1.0 if self.belief.particles.left[self._followed()][0] else 1.0
        best = (turn_rad, max(way_m, 0.0))
        for extra in np.radians((10, 20, 30, 45, 60, -10, -20, 75, 90, -30, 110, 130)):
            turn = wrap_angle(turn_rad + away * float(extra))
            way = self._cautious_way(turn)
            if way >= enough:
                return turn, way
            if way > best[1]:
                best = (turn, way)
        return best
