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

"""The robots of a campus: where their ears are and what they emit, one robot a room."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.rig import Ear, load_rig, Rig
from quiet_nav.quiet_campus.folders import write_annotation, write_sound
from quiet_nav.simulation.campus.request import CampusRequest, RoomPlan
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_hearing import RobotEars
from quiet_nav.simulation.sound.own_sound import (
    amplitude_of,
    draw_own_sound,
    draw_profile,
    OwnSound,
)
from quiet_nav.simulation.sound.robot_profile import find_profile
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: From arrays in the middle of a robot to bars wider than it, meters from its center.
OFFSET_M = (0.03, 0.25)
HEIGHT_M = (0.08, 0.4)
#: Where a robot carries a single microphone of the kinds that have no rig.
CARRIED_M = 0.05
#: Sources are drawn anew until none is nearer to an ear.
_APART_M = 0.03
FINGERPRINT_S = 12.0
_TRIES = 200


def draw_robot(request: CampusRequest, seed: int) -> tuple[Rig, OwnSound | None, bool]:
    """
    Return a room's robot: its ears, its own sound, and whether it is heard alone.

    Raises QuietNavError where no robot of the profile asked for keeps its sources off its ears.
    """
    rng = generator(seed, 'own')
    share = rng.random()
    level = float(rng.uniform(*request.own_level_db))
    noisy, alone = share < request.own_sound, share < request.silent_rooms
    profile = find_profile(request.robot) if request.robot else None
    given = load_rig(request.rig) if request.rig else _carried()
    for attempt in range(_TRIES):
        rig = given
        if request.rig and not request.plain:
            rig = moved(given, generator(seed, 'rig', attempt))
        if not noisy:
            return rig, None, False
        robot_seed = int(generator(seed, 'robot', attempt).integers(1 << 62))
        drawn = profile or draw_profile(robot_seed, _radius(robot_seed))
        if _apart([s.position for s in drawn.sources], rig, bool(request.rig)):
            return rig, draw_own_sound(drawn, robot_seed, level), alone
    raise QuietNavError(
        f'robot {request.robot or "drawn"} with rig {given.name}: a source is within {_APART_M} m '
        'of an ear; move one of them'
    )


def moved(rig: Rig, rng: np.random.Generator) -> Rig:
    """Return a rig whose farthest ear is OFFSET_M from the robot's center, and HEIGHT_M high."""
    reach = max(math.hypot(ear.x, ear.y) for ear in rig.ears)
    wanted = math.exp(rng.uniform(*np.log(OFFSET_M)))
    height = round(float(rng.uniform(*HEIGHT_M)), 4)
    scale = wanted / reach if reach > 0.0 else 1.0
    ears = (
        replace(ear, x=round(ear.x * scale, 4), y=round(ear.y * scale, 4), z=height)
        for ear in rig.ears
    )
    return replace(rig, ears=tuple(ears))


def reach_of(request: CampusRequest, rig: Rig, own: OwnSound | None) -> float:
    """
    Return how far from its center a robot has ears or sources, in meters.

    Of one that carries a single microphone: from the microphone. 0 where nothing is known to be
    farther out than plain rooms leave room for.
    """
    sources = [] if own is None else [math.hypot(*s.position[:2]) for s in own.sources]
    if not request.rig:
        return max((reach + CARRIED_M for reach in sources), default=0.0)
    ears = [] if request.plain else [math.hypot(ear.x, ear.y) for ear in rig.ears]
    return max([*sources, *ears], default=0.0)


def carrier(pose: Pose2D) -> Pose2D:
    """Return the pose of a robot that carries a single microphone, at the microphone's."""
    return pose.compose(Pose2D(-CARRIED_M, 0.0, 0.0))


def write_robot(folder: Path, room: RoomPlan) -> None:
    """Write a room's robot: ``fingerprint.wav``, a channel an ear, and what is known of it."""
    hearing = Hearing(room.scene)
    own, rig = room.scene.own, room.rig
    if own is None or hearing.own is None:
        raise QuietNavError(f'room {room.name} has no robot that makes noise')
    recorded = np.zeros((rig.channels, round(FINGERPRINT_S * SAMPLE_RATE)), np.float32)
    channels = [ear.channel for ear in rig.ears]
    recorded[channels] = hearing.fingerprint(rig, 0, recorded.shape[1])
    write_sound(folder / 'fingerprint.wav', recorded)
    ears = RobotEars.of(rig)
    standing, driving = hearing.own.gains(ears)
    levels = hearing.own.levels_db(None, ears)
    write_annotation(
        folder / 'annotation.json',
        {
            'Audio Length': FINGERPRINT_S,
            'robot': own.name,
            'rig': rig.name,
            'ambience': room.scene.level_dbfs,
            'silent room': not room.scene.sources,
            'ears': [
                {
                    'channel': ear.channel,
                    'side': ear.side.name,
                    'position': [ear.x, ear.y, ear.z],
                    'own level': round(float(level), 3),
                }
                for ear, level in zip(rig.ears, levels, strict=True)
            ],
            'sources': [
                {
                    'name': source.name,
                    'position': list(source.position),
                    'standing': _dbfs(standing[i] * math.sqrt(source.power)),
                    'driving': _dbfs(driving[i] * math.sqrt(source.power)),
                    'switches': source.noise.schedule is not None,
                }
                for i, source in enumerate(own.sources)
            ],
        },
    )


def own_said(
    room: RoomPlan,
    hearing: Hearing,
    pose: Pose2D,
    ears: RobotEars,
    windows: dict[str, tuple[int, int]],
) -> dict[str, object] | None:
    """
    Say how loud the robot is at each ear at a pose, and what of it is on in each window.

    level: dB over the room's ambience with everything on that stands and can be on; windows: first
    sample and number of samples of each by name; on: share of it that each source is on.
    """
    if hearing.own is None or room.scene.own is None:
        return None
    sources = room.scene.own.sources
    on = {}
    for name, (start, count) in windows.items():
        time = np.linspace(start, start + count, 64) / SAMPLE_RATE
        gates = [
            1.0 if s.noise.schedule is None else float(s.noise.schedule.at(time).mean())
            for s in sources
        ]
        on[name] = [
            round(gate if source.standing_db is not None else 0.0, 3)
            for gate, source in zip(gates, sources, strict=True)
        ]
    return {
        'robot': room.scene.own.name,
        'level': [round(float(v), 3) for v in hearing.own.levels_db(pose, ears)],
        'on': on,
    }


def _carried() -> Rig:
    return Rig('carried', (Ear(0, CARRIED_M, 0.0, 0.25, Side.FRONT),))


def _radius(seed: int) -> float:
    return round(float(generator(seed, 'radius').uniform(0.1, 0.2)), 3)


def _apart(places: list[tuple[float, float, float]], rig: Rig, heights: bool) -> bool:
    """Whether no source touches an ear; ears without a height of their own count at every one."""
    for ear in rig.ears:
        for x, y, z in places:
            away = math.hypot(ear.x - x, ear.y - y)
            if math.hypot(away, ear.z - z if heights else 0.0) < _APART_M:
                return False
    return True


def _dbfs(amplitude: float) -> float | None:
    return None if amplitude <= amplitude_of(None) else round(20.0 * math.log10(amplitude), 3)
