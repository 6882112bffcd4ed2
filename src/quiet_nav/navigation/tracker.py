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

"""The wall tracker: steers along a wall by the belief, looks ahead, rounds corners."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
import enum
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.belief import BeliefSettings, Particles, quantile, WallBelief
from quiet_nav.navigation.policy import BOTH_SIDES, Look, Readings, Step
from quiet_nav.perception.readings import Modality, NearWallReading

#: Particles whose headings differ by about a right angle are no mean of each other: those that
#: head more than this (rad) toward or away from the wall are taken apart.
_APART_RAD = 1.0
#: A turn at a corner is squarely away from a wall ahead, or around one that ended.
_SQUARE_RAD = 0.5 * math.pi
#: Where there is doubt about a wall ahead, steps are this share of a whole one; as much way must
#: be free for the robot to go at all.
_SHORT_STEP = 0.5
#: Turns tried, away from the wall (degrees), where the way wanted is not free: small ones first.
_AROUND_DEG = (10, 20, 30, 45, 60, -10, -20, 75, 90, -30, 110, 130)
#: However little room there is, the robot may head this much toward its wall (sine of the angle).
_LEAST_APPROACH = 0.05


@dataclass(frozen=True)
class TrackerSettings:
    """How the tracker steers; QuietNavError where a value is not positive."""

    #: Kept between the robot's center and the wall.
    wall_distance_m: float = 0.55
    #: Longest drive of a step.
    step_length_m: float = 0.2
    #: Heading wanted per meter of error of the distance.
    gain_rad_per_m: float = 1.2
    #: Cap of that heading.
    max_approach_rad: float = math.radians(28.0)
    #: Cap of one turn along a wall.
    max_turn_rad: float = math.radians(100.0)
    #: The robot's.
    radius_m: float = 0.17
    #: Left free ahead of it.
    margin_m: float = 0.05
    #: Quantile of the free way that a drive must not exceed.
    cautious_share: float = 0.1
    #: A wall ahead nearer than this is turned at ...
    corner_m: float = 0.55
    #: ... when it, or an end, is as likely as this.
    corner_share: float = 0.8
    #: A place can sound like a wall without one, so corners are made sure of from close by: from
    #: this probability on of a wall up to a step farther, steps are half as long.
    doubtful_share: float = 0.15
    #: Before it drives it listens all around, turns by this and listens all around again.
    survey_rad: float = math.radians(45.0)
    #: Until its first corner it follows a wall that runs no farther than this from the way that
    #: the robot pointed at first: near the start other walls can be the louder ones.
    course_rad: float = math.radians(40.0)
    #: A wall that ended this far behind is turned around.
    past_end_m: float = 0.5
    #: A drive this long from an unlucky place at an unlucky heading ...
    approach_m: float = 0.4
    #: ... must not take the robot more than this past the wanted distance.
    overshoot_m: float = 0.1
    #: Quantile of distance and heading that is the unlucky one.
    unlucky_share: float = 0.15
    #: Look ahead when the way of a step is blocked with this probability and the front was not
    #: heard ...
    look_share: float = 0.04
    #: ... of the step and this much more way.
    look_ahead_m: float = 0.2
    #: Where an ear in front heard, turn for a second look from this probability of a wall on ...
    second_look_share: float = 0.15
    #: ... unless it is this sure.
    sure_share: float = 0.97
    #: Look ahead at the latest after so far without having heard the front.
    look_every_m: float = 0.8
    #: The first side is chosen when it is as likely as this ...
    side_share: float = 0.8
    #: ... and another one later when it is as likely as this.
    other_side_share: float = 0.95
    #: Where readings say less than this (nats) on the average the robot waits: it drives by sound,
    #: and what there was to be heard has stopped.
    silent_nats: float = 0.1
    #: After so long it takes one step all the same, as the place may be to blame; where that one
    #: is silent, too, it stays.
    silent_s: float = 65.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')


class Corner(enum.Enum):
    """Why the robot turns at a corner."""

    AHEAD = 'wall ahead'
    ENDED = 'wall ended'


class Stage(enum.Enum):
    """What the tracker is at; the two surveys are the listens all around at the start."""

    FIRST_SURVEY = enum.auto()
    SECOND_SURVEY = enum.auto()
    FOLLOW = enum.auto()
    CORNERED = enum.auto()


class Event(enum.Enum):
    """
    What moves it from stage to stage.

    HEARD: what was heard at a place is in the belief. SURVEYED: it has listened all around.
    STEPPED: it drives on along the wall. TURNED: it turns at a corner.
    """

    HEARD = enum.auto()
    SURVEYED = enum.auto()
    STEPPED = enum.auto()
    TURNED = enum.auto()


#: After a corner the place is the same, so what is heard first there counts less (``CORNERED``).
#: What is not in the table cannot happen. Waiting in silence changes no stage.
TRANSITIONS: dict[tuple[Stage, Event], Stage] = {
    (Stage.FIRST_SURVEY, Event.HEARD): Stage.FIRST_SURVEY,
    (Stage.FIRST_SURVEY, Event.SURVEYED): Stage.SECOND_SURVEY,
    (Stage.SECOND_SURVEY, Event.HEARD): Stage.SECOND_SURVEY,
    (Stage.SECOND_SURVEY, Event.SURVEYED): Stage.FOLLOW,
    (Stage.FOLLOW, Event.HEARD): Stage.FOLLOW,
    (Stage.FOLLOW, Event.STEPPED): Stage.FOLLOW,
    (Stage.FOLLOW, Event.TURNED): Stage.CORNERED,
    (Stage.CORNERED, Event.HEARD): Stage.FOLLOW,
}


@dataclass
class _Place:
    """
    Where the robot stands, and what happened there.

    heard: sides and window starts (ns) that are in the belief. looked: it asked to look around.
    left: a step was given, so that the next call is about another place.
    """

    pose: Pose2D
    heard: set[tuple[Side, int]] = field(default_factory=set)
    looked: bool = False
    left: bool = False


@dataclass(frozen=True)
class _Wish:
    """The turn (rad, in base_link) that the belief asks for, and whether that is at a corner."""

    turn_rad: float
    reason: str
    corner: Corner | None = None


class _Silence:
    """Whether there is nothing to hear: the robot waits, and passes a silent place once."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._since_ns: int | None = None
        self._passed_at: Pose2D | None = None

    def waits(self, readings: Collection[NearWallReading], pose: Pose2D) -> bool:
        """Return whether to wait at a place where these (usable) readings were heard."""
        told = [r.bins.information_nats(r.distance_probabilities) for r in readings]
        if not told or sum(told) / len(told) >= self._settings.silent_nats:
            self._since_ns = self._passed_at = None
            return False
        now_ns = max(reading.end_ns for reading in readings)
        if self._since_ns is None:
            self._since_ns = now_ns
        waited_s = (now_ns - self._since_ns) * 1e-9
        if waited_s >= self._settings.silent_s and self._passed_at in (None, pose):
            self._passed_at = pose
            return False
        return True


class WallTracker:
    """
    Bayes filter over side, distance and heading of the wall, and what to do about it.

    It listens all around twice, then follows: hear, look ahead where the front was not heard and
    the belief leaves too little way, turn at corners, else drive along. ``TRANSITIONS`` has its
    stages.
    ear_offsets_m: how far from the robot's center the ear sits that hears a side; camera_offset_m:
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
        self.stage = Stage.FIRST_SURVEY
        self._offsets_m = dict(ear_offsets_m or {})
        self._camera_offset_m = camera_offset_m
        self._second_look = second_look
        self._silence = _Silence(self.settings)
        self._place: _Place | None = None
        #: The way that the robot pointed at first (yaw in odometry), None from its first corner on.
        self._course_rad: float | None = None
        #: How far it has driven since it heard the front.
        self._unheard_m = math.inf

    @property
    def wall_distance_m(self) -> float:
        """Mean distance of the robot's center to the followed wall in meters."""
        mask = self._followed()
        weights = self.belief.weights[mask]
        return float(np.average(self.belief.particles.u[mask], weights=weights))

    def decide(self, readings: Readings, pose: Pose2D) -> Step | Look:
        first = self._place is None
        place, arrived = self._arrive(pose)
        usable = {s: r for s, r in readings.items() if r.valid and math.isfinite(r.probability)}
        if self._silence.waits(usable.values(), pose):
            place.looked = False
            return Step(reason='nothing is to be heard: waiting', waits=True)
        self._hear(usable, place)
        if first:
            self._course_rad = pose.yaw
        if self._course_rad is not None and arrived:
            self.belief.keep_course(pose.yaw, self._course_rad, self.settings.course_rad)
        self._choose_side()
        heard = Side.FRONT in usable
        # What an ear says of the front another one may doubt; what the camera saw none may.
        ear = not heard or usable[Side.FRONT].modality == Modality.AUDIO
        may_look = not place.looked and (not heard or (self._second_look and ear))
        if self.stage in (Stage.FIRST_SURVEY, Stage.SECOND_SURVEY):
            survey = self._survey(place, may_look, heard)
            if survey is not None:
                return survey
        return self._follow(place, may_look, heard)

    def _go(self, event: Event) -> None:
        self.stage = TRANSITIONS[self.stage, event]

    def _arrive(self, pose: Pose2D) -> tuple[_Place, bool]:
        """Return the place where the robot stands, and whether it is another than before."""
        before = self._place
        if before is not None and not before.left and before.pose == pose:
            return before, False
        if before is not None:
            self.belief.move(before.pose, pose)
            self._unheard_m += before.pose.distance_to(pose)
        self._place = _Place(pose)
        return self._place, True

    def _hear(self, usable: Readings, place: _Place) -> None:
        """Weigh the belief by what is new of the readings."""
        for side, reading in sorted(usable.items()):
            if (side, reading.start_ns) in place.heard:
                continue
            same_place = self.stage == Stage.CORNERED or side in {s for s, _ in place.heard}
            seen = reading.modality == Modality.VISION
            offset_m = self._camera_offset_m if seen else self._offsets_m.get(side, 0.0)
            self.belief.hear(side, reading, offset_m, same_place)
            place.heard.add((side, reading.start_ns))
        self._go(Event.HEARD)

    def _survey(self, place: _Place, may_look: bool, heard: bool) -> Step | Look | None:
        """
        Listen all around at two headings; None when that is done.

        Readings of one heading leave open how the robot stands to the wall that they tell of.
        """
        if may_look:
            place.looked = True
            return Look(Side.FRONT, 'looking around', turned=heard)
        self._go(Event.SURVEYED)
        if self.stage == Stage.FOLLOW:
            return None
        place.left = True
        return Step(self.settings.survey_rad, 0.0, 'looking around')

    def _follow(self, place: _Place, may_look: bool, heard: bool) -> Step | Look:
        """Return the next step along the wall, or the wish to look ahead first."""
        wish = self._wish()
        way_m = self._cautious_way(wish.turn_rad)
        if heard:
            self._unheard_m = 0.0
        # A corner is turned at only where the front was heard just now, not from memory.
        unsure = wish.corner == Corner.AHEAD and not heard
        if may_look and (unsure or self._must_look(wish.turn_rad, heard)):
            place.looked = True
            return Look(Side.FRONT, 'a wall may be ahead', turned=heard)
        place.left = True
        if wish.corner is not None:
            self._course_rad = None
        self._go(Event.STEPPED if wish.corner is None else Event.TURNED)
        turn_rad, way_m = self._safe(wish.turn_rad, way_m)
        return Step(turn_rad, min(way_m, self._step_length_m()), wish.reason)

    def _step_length_m(self) -> float:
        s = self.settings
        doubtful = self.belief.particles.ahead < s.corner_m + s.step_length_m
        doubt = float(self.belief.weights[doubtful].sum())
        return s.step_length_m * (_SHORT_STEP if doubt > s.doubtful_share else 1.0)

    def _followed(self) -> np.ndarray:
        """Return the mask of the particles of the followed side (of the likelier one at first)."""
        left = self.belief.particles.left
        side = self.side or (Side.LEFT if self.belief.left_probability() >= 0.5 else Side.RIGHT)
        mask = left if side == Side.LEFT else ~left
        if not mask.any():
            mask = np.ones_like(left)
        # Between two headings a right angle apart lies none: the likelier counts.
        heading, weights = self.belief.particles.heading, self.belief.weights
        along = abs(heading) <= _APART_RAD
        apart = [mask & (heading < -_APART_RAD), mask & along, mask & (heading > _APART_RAD)]
        return max(apart, key=lambda some: weights[some].sum())

    def _choose_side(self) -> None:
        """Commit to a side when it is likely; change it only when the other is much likelier."""
        left = self.belief.left_probability()
        s = self.settings
        sure = s.side_share if self.side is None else s.other_side_share
        if left > sure:
            self.side = Side.LEFT
        elif left < 1.0 - sure:
            self.side = Side.RIGHT

    def _wish(self) -> _Wish:
        """Return the turn that the mean of the belief asks for, and why."""
        s = self.settings
        mask = self._followed()
        p, weights = self.belief.particles.take(mask), self.belief.weights[mask]
        weights = weights / weights.sum()
        away = float(p.away[0])
        heading = float(weights @ p.heading)
        close = p.ahead < s.corner_m
        if weights @ close > s.corner_share:
            distance = float(weights[close] @ p.ahead[close] / weights[close].sum())
            turn, corner = _SQUARE_RAD + self._approach(distance) - heading, Corner.AHEAD
        elif weights @ (p.end < -s.past_end_m) > s.corner_share:
            turn, corner = -_SQUARE_RAD - heading, Corner.ENDED
        else:
            distance = float(weights @ p.u)
            turn = self._along(p, weights, distance, heading)
            return _Wish(wrap_angle(away * turn), f'wall at {distance:.2f} m')
        return _Wish(wrap_angle(away * turn), corner.value, corner)

    def _along(
        self, p: Particles, weights: np.ndarray, distance_m: float, heading_rad: float
    ) -> float:
        """Return the turn away from the wall (rad) that keeps or regains the wanted distance."""
        s = self.settings
        turn = self._approach(distance_m) - heading_rad
        turn = max(-s.max_turn_rad, min(s.max_turn_rad, turn))
        # Who does not know the heading well must not head for a wall that is near.
        room_m = quantile(p.u, weights, s.unlucky_share) - s.wall_distance_m + s.overshoot_m
        steepest = -math.asin(min(max(room_m / s.approach_m, _LEAST_APPROACH), 1.0))
        unlucky_rad = quantile(p.heading, weights, s.unlucky_share)
        return max(turn, min(steepest - unlucky_rad, s.max_turn_rad))

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
        return s.second_look_share < max(blocked, corner) < s.sure_share

    def _safe(self, turn_rad: float, way_m: float) -> tuple[float, float]:
        """Turn as little farther away from the walls as gives room for half a step."""
        enough = _SHORT_STEP * self._step_length_m()
        if way_m >= enough:
            return turn_rad, way_m
        away = -1.0 if self.belief.particles.left[self._followed()][0] else 1.0
        best = (turn_rad, max(way_m, 0.0))
        for extra in np.radians(_AROUND_DEG):
            turn = wrap_angle(turn_rad + away * float(extra))
            way = self._cautious_way(turn)
            if way >= enough:
                return turn, way
            if way > best[1]:
                best = (turn, way)
        return best
