"""What a simulated campus records where: rooms, positions and listening poses, drawn by seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.scenes import (
    Scene,
    SceneRanges,
    draw_event,
    draw_scene,
    with_events,
)
from quiet_nav.streams import generator

KINDS = ('static', 'dense', 'motion', 'robot', 'views')
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
STATIC_LENGTH_S, DENSE_LENGTH_S, WINDOW_S = 10.0, 5.0, 3.0
#: When the second windows of a listening pose begin, after the first ones.
LATER_S = 6.0
CELL_M, HEADINGS = 1.5, 8
MOTION_FPS, MOTION_FRAMES = 15, 292
#: Sources that never change, as in the rooms of the design's figures.
STEADY = SceneRanges(drift_share=0.0, switching_share=0.0)
#: Where a motion recording is nearest to the wall, as quantiles, and how far from there it goes
#: (the official pairs of a recording differ by up to 0.6 to 1.4 m).
_STOP_M = tuple(0.2 + 0.25 * q for q in QUANTILES)
_TRAVEL_M = (0.8, 1.4)
#: From 1 (away) by 0 (nearest) to 1 again, or half of it; of 222 official recordings 175 go to the
#: wall and back, 40 to it and 5 away from it.
_DIRECTIONS = {'there and back': (-1.0, 1.0), 'toward': (-1.0, 0.0), 'away': (0.0, 1.0)}
_DIRECTION_SHARES = (0.79, 0.18, 0.03)
#: The distance left grows with the time to the nearest point to this power: slower near the wall.
_SLOWNESS = 1.5
_TRIES = 2000


@dataclass(frozen=True)
class CampusRequest:
    """What was asked for; the files that come of it follow from this alone.

    distractors: share of places with a distractor event, at distractor_snr_db (ambience over
    event). steady: no source drifts, starts or stops. cut: share of rooms that lose a corner;
    hard: of rooms all surfaces of which are hard. most_sources: a room has 1 to so many. sounds:
    folder of recordings or ''. rig: YAML of a rig (``robot``). camera_height, facing_within_deg:
    of the robot's camera, metres, and how obliquely it faces a wall (``views``). motor: a robot
    carries the microphone and its own noise is heard (``motion``). test_only: every room is in the
    test lists.
    """

    kind: str
    rooms: int
    seed: int
    images: bool = True
    sounds: str = ''
    rig: str = ''
    distractors: float = 0.0
    distractor_snr_db: float = 0.0
    steady: bool = False
    camera_height: float = 0.3
    facing_within_deg: float = 70.0
    motor: bool = False
    test_only: bool = False
    cut: float = 0.0
    hard: float = 0.0
    most_sources: int = 5

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise QuietNavError(f'kind {self.kind!r} is none of {", ".join(KINDS)}')
        if self.kind == 'views' and not self.images:
            raise QuietNavError('kind views holds images alone: leave --no-images out')
        if self.rooms < 1:
            raise QuietNavError(f'{self.rooms} rooms; expected at least 1')
        if not 0.0 <= self.distractors <= 1.0:
            raise QuietNavError(f'distractors {self.distractors}; expected a share from 0 to 1')
        for name in ('cut', 'hard'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise QuietNavError(f'{name} {getattr(self, name)}; expected a share from 0 to 1')
        if self.most_sources < 1:
            raise QuietNavError(f'at most {self.most_sources} sources; expected 1 or more')
        if not 0.05 <= self.camera_height <= 2.0:
            raise QuietNavError(f'camera height {self.camera_height} m; expected 0.05 to 2')
        if not 0.0 <= self.facing_within_deg < 90.0:
            raise QuietNavError(f'facing within {self.facing_within_deg} degrees; expected 0 to 90')


@dataclass(frozen=True)
class Place:
    """One recording: where, when and how long.

    pose: of the microphone, or of the robot's base for ``robot``, facing ``pose.yaw``.
    path: (x, y) of the microphone over time (``motion``). notes go into the annotation.
    """

    name: str
    pose: Pose2D
    height: float
    start_s: float
    length_s: float
    path: tuple[tuple[float, float], ...] = ()
    notes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RoomPlan:
    """A room of the campus: its name, scene and the places that are recorded in it."""

    name: str
    scene: Scene
    places: tuple[Place, ...]


def plan_room(request: CampusRequest, index: int) -> RoomPlan:
    """Return what is recorded in room ``index`` of a campus, the same for the same request.

    ``motion`` has one recording a room, so that its scenes never share one.
    """
    room_seed = int(generator(request.seed, request.kind, index).integers(1 << 62))
    ranges = STEADY if request.steady else SceneRanges()
    sources = (ranges.sources[0], request.most_sources)
    ranges = replace(ranges, cut_share=request.cut, hard_share=request.hard, sources=sources)
    scene = draw_scene(room_seed, ranges, request.sounds)
    rng = generator(room_seed, 'places')
    draw: Callable[..., list[Place]] = {
        'static': _static,
        'dense': _dense,
        'motion': _motion,
        'robot': _robot,
        'views': lambda room, _: _views(room, room_seed, request),
    }[request.kind]
    places = draw(scene.room, rng)
    events = [
        draw_event(
            scene,
            rng,
            place.start_s + rng.uniform(0.0, max(place.length_s - 1.5, 0.1)),
            request.distractor_snr_db,
        )
        for place in places
        if rng.random() < request.distractors
    ]
    name = f'scene-{index:04d}' if request.kind == 'motion' else f'SIM-{index:04d}'
    return RoomPlan(name, with_events(scene, events), tuple(places))


def split_rooms(request: CampusRequest) -> dict[str, list[int]]:
    """Return the room indices of train, val and test in the official shares 29 : 4 : 9.

    All of them are to test on where the request says so.
    """
    if request.test_only:
        return {'train': [], 'val': [], 'test': list(range(request.rooms))}
    order = generator(request.seed, 'split').permutation(request.rooms).tolist()
    val = max(1, round(request.rooms * 4 / 42)) if request.rooms > 1 else 0
    test = max(1, round(request.rooms * 9 / 42)) if request.rooms > 2 else 0
    return {
        'train': sorted(order[val + test :]),
        'val': sorted(order[:val]),
        'test': sorted(order[val : val + test]),
    }


def _static(room: AcousticRoom, rng: np.random.Generator) -> list[Place]:
    count, places = int(rng.integers(16, 31)), []
    start = 0.0
    for i in range(count):
        table = NEAR_M if i % 2 == 0 else FAR_M
        pose = _facing_nearest(room, rng, table)
        start += rng.uniform(20.0, 60.0)
        height = float(rng.uniform(0.2, 1.2))
        places.append(Place(f'clip-{i:03d}', pose, height, round(start, 3), STATIC_LENGTH_S))
    return places


def _facing_nearest(
    room: AcousticRoom, rng: np.random.Generator, table: tuple[float, ...]
) -> Pose2D:
    """A pose that faces its nearest wall at a distance drawn from quantiles ``table``."""
    corners = np.asarray(room.footprint)
    ends = np.roll(corners, -1, axis=0)
    lengths = np.linalg.norm(ends - corners, axis=1)
    for _ in range(_TRIES):
        distance = float(np.interp(rng.random(), QUANTILES, table))
        wall = int(rng.choice(len(corners), p=lengths / lengths.sum()))
        along = (ends[wall] - corners[wall]) / lengths[wall]
        inward = np.array([-along[1], along[0]])
        x, y = corners[wall] + along * rng.uniform(0, lengths[wall]) + distance * inward
        point = np.array([x, y])
        if room.contains(point, distance - 1e-6):
            return Pose2D(float(x), float(y), math.atan2(-inward[1], -inward[0]))
    raise QuietNavError('no place in the room is as far from walls as asked')


def _dense(room: AcousticRoom, rng: np.random.Generator) -> list[Place]:
    low, high = np.min(room.footprint, axis=0), np.max(room.footprint, axis=0)
    columns, rows = (int(n) for n in np.maximum((high - low) // CELL_M, 1))
    offset = low + (high - low - CELL_M * np.array([columns, rows])) / 2
    turn, height = rng.uniform(0, 2 * np.pi / HEADINGS), float(rng.uniform(0.2, 1.2))
    places, start = [], 0.0
    for cell in range(columns * rows):
        corner = offset + CELL_M * np.array([cell % columns, cell // columns])
        x, y = corner + rng.uniform(0.2, CELL_M - 0.2, 2)
        if not room.contains(np.array([x, y]), 0.2):
            continue
        for heading in range(HEADINGS):
            start += 10.0
            yaw = wrap_angle(turn + 2 * np.pi * heading / HEADINGS)
            places.append(
                Place(
                    f'clip-{len(places):03d}',
                    Pose2D(float(x), float(y), yaw),
                    height,
                    start,
                    DENSE_LENGTH_S,
                    notes={'cell': [cell % columns, cell // columns]},
                )
            )
    return places


def _motion(room: AcousticRoom, rng: np.random.Generator) -> list[Place]:
    """One straight way to a wall and back, or one of the two, as the official recordings have it.

    A third of the time is spent near the wall.
    """
    for _ in range(_TRIES):
        end = _facing_nearest(room, rng, _STOP_M)
        yaw = wrap_angle(end.yaw + math.radians(rng.uniform(-20.0, 20.0)))
        travel = rng.uniform(*_TRAVEL_M)
        far = (end.x - travel * math.cos(yaw), end.y - travel * math.sin(yaw))
        if room.contains(np.array(far), 0.3):
            break
    else:
        raise QuietNavError('no straight path to a wall in the room')
    direction = str(rng.choice(list(_DIRECTIONS), p=_DIRECTION_SHARES))
    begin, stop = _DIRECTIONS[direction]
    steps = math.ceil((stop - begin) * _SLOWNESS * travel / 0.01)
    left = np.abs(np.linspace(begin, stop, steps + 1)) ** _SLOWNESS
    path = tuple(
        (float(end.x + s * (far[0] - end.x)), float(end.y + s * (far[1] - end.y))) for s in left
    )
    return [
        Place(
            'recording',
            Pose2D(*path[0], yaw),
            float(rng.uniform(0.2, 1.2)),
            10.0,
            MOTION_FRAMES / MOTION_FPS,
            path,
            {'direction': direction},
        )
    ]


def _robot(room: AcousticRoom, rng: np.random.Generator) -> list[Place]:
    """Poses 0.2 to 2 m from a wall: along it, at any heading, or in a corner, in turns."""
    places, start = [], 0.0
    for i in range(int(rng.integers(16, 25))):
        situation = ('along', 'any', 'corner')[int(rng.choice(3, p=(0.4, 0.4, 0.2)))]
        pose = _near_pose(room, rng, situation)
        start += rng.uniform(12.0, 30.0)
        places.append(
            Place(
                f'pose-{i:03d}',
                pose,
                0.0,
                round(start, 3),
                WINDOW_S,
                notes={'situation': situation},
            )
        )
    return places


def _views(room: AcousticRoom, seed: int, request: CampusRequest) -> list[Place]:
    """Images alone: a camera in a furnished room, a place an image."""
    from quiet_nav.simulation.campus.views import draw_looks, furnished

    plan = furnished(seed, '', room.footprint, room.height)
    within = math.radians(request.facing_within_deg)
    looks = draw_looks(plan, seed, request.camera_height, within)
    return [
        Place(
            f'view-{i:03d}',
            look.pose,
            look.height,
            0.0,
            0.0,
            notes={
                'situation': look.situation,
                'pitch': look.pitch,
                'light': look.light,
                'focal': look.focal,
                'distance': look.distance_m,
            },
        )
        for i, look in enumerate(looks)
    ]


def _near_pose(room: AcousticRoom, rng: np.random.Generator, situation: str) -> Pose2D:
    corners = np.asarray(room.footprint)
    ends = np.roll(corners, -1, axis=0)
    for _ in range(_TRIES):
        wall = int(rng.integers(len(corners)))
        length = float(np.linalg.norm(ends[wall] - corners[wall]))
        along = (ends[wall] - corners[wall]) / length
        distance = rng.uniform(0.2, 1.0 if situation == 'corner' else 2.0)
        reach = rng.uniform(0.2, 1.0) if situation == 'corner' else rng.uniform(0.2, length - 0.2)
        if situation == 'corner' and rng.random() < 0.5:
            reach = length - reach
        x, y = corners[wall] + along * reach + distance * np.array([-along[1], along[0]])
        if room.contains(np.array([x, y]), 0.2 - 1e-6):
            yaw = rng.uniform(-np.pi, np.pi)
            if situation == 'along':
                yaw = math.atan2(along[1], along[0]) + math.radians(rng.uniform(-30.0, 30.0))
                yaw += math.pi * int(rng.integers(2))
            return Pose2D(float(x), float(y), wrap_angle(float(yaw)))
    raise QuietNavError('no pose in the room is 0.2 m from every wall')
