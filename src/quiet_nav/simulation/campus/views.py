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

"""What the campus of images holds: furnished rooms, and where in them a camera looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.simulation.rooms.plan import Furniture, Material, Panel, Plan, rectangle
from quiet_nav.simulation.rooms.plan_check import check_plan
from quiet_nav.streams import generator

WALLS = ('plaster', 'plasterboard', 'brick', 'concrete', 'wood')
FLOORS = ('linoleum', 'carpet', 'parquet', 'concrete')
CEILINGS = ('acoustic_tile', 'plasterboard', 'plaster')
#: Places in a room: three rounds of these. Facing a wall is one image; at the others the camera
#: is turned to the left, ahead and to the right (paper, A.2: the image model saw other directions
#: at each place, too; our robot looks so).
SITUATIONS = ('along', 'facing', 'facing', 'any', 'facing', 'facing')
ROUNDS, TURNS_RAD = 3, (math.pi / 2, 0.0, -math.pi / 2)
#: Where the robot's camera sits: meters ahead of its center.
CAMERA_AHEAD_M = 0.08
#: How far mounts differ: share of the height, degrees of pitch, share of the focal length. An
#: image without floor says nothing of distance to who does not know how high its camera is.
_HEIGHT_SPREAD, _PITCH_DEG, _FOCAL_SPREAD = 0.07, 1.0, 0.03
#: Nothing is nearer than this to the robot's center when it looks around.
_CLEARANCE_M = 0.2
_TRIES = 400


@dataclass(frozen=True)
class Look:
    """
    One image: the robot's pose (turned to look), and how the camera is mounted and lit.

    height: above the floor. pitch: of the optical axis, radians, up. light: share of the room's
    light that is on. focal: of the data sheet's; single cameras differ.
    distance_m: along the optical axis from the camera to whatever stands there.
    """

    pose: Pose2D
    height: float
    pitch: float
    light: float
    focal: float
    distance_m: float
    situation: str


def furnished(
    seed: int, name: str, footprint: Sequence[tuple[float, float]], height: float
) -> Plan:
    """
    Return a room of a shoebox footprint with materials, panels and furniture drawn by seed.

    Three in ten lose a corner, so that there are outer corners to look at.
    """
    rng = generator(seed, 'furnished')
    size = np.ptp(np.asarray(footprint, float), axis=0)
    corners = _footprint(rng, size)
    usual = str(rng.choice(WALLS))
    walls = tuple(
        Material.named(usual if rng.random() < 0.7 else str(rng.choice(WALLS))) for _ in corners
    )
    floor, ceiling = (Material.named(str(rng.choice(names))) for names in (FLOORS, CEILINGS))
    plan = Plan(name, corners, height, walls, floor, ceiling)
    for _ in range(int(rng.integers(0, 7))):
        plan = _with_panel(plan, rng)
    for number in range(int(rng.integers(0, 8))):
        plan = _with_furniture(plan, rng, number)
    return plan


def draw_looks(plan: Plan, seed: int, camera_height: float, facing_within_rad: float) -> list[Look]:
    """
    Return where images are taken in ``ROUNDS`` of ``SITUATIONS``, the same for the same seed.

    A room has one camera, about ``camera_height`` meters up. It stands mostly within a meter of a
    wall: along it, at any heading, or facing it within ``facing_within_rad``.
    """
    rng = generator(seed, 'looks')
    light = 1.0 if rng.random() < 0.75 else float(10.0 ** rng.uniform(-1.7, -0.1))
    focal = float(1.0 + _FOCAL_SPREAD * rng.uniform(-1.0, 1.0))
    height = float(camera_height * (1.0 + _HEIGHT_SPREAD * rng.uniform(-1.0, 1.0)))
    pitch = math.radians(_PITCH_DEG * rng.uniform(-1.0, 1.0))
    looks: list[Look] = []
    for situation in ROUNDS * SITUATIONS:
        turns = (0.0,) if situation == 'facing' else TURNS_RAD
        for _ in range(_TRIES):
            pose = _pose(plan, rng, situation, facing_within_rad)
            turned = [replace(pose, yaw=wrap_angle(pose.yaw + turn)) for turn in turns]
            eyes = [turn.compose(Pose2D(CAMERA_AHEAD_M, 0.0, 0.0)) for turn in turned]
            points = np.array([[eye.x, eye.y] for eye in eyes])
            clear = plan.clearance(np.array([[pose.x, pose.y]])).min() >= _CLEARANCE_M
            if clear and plan.clearance(points, height).min() > 0.05:
                break
        else:
            raise QuietNavError(f'{plan.name}: no place for a camera in it')
        for look, eye in zip(turned, eyes, strict=True):
            ahead = np.array([eye.x, eye.y])
            distance = float(plan.ray_distances(ahead, eye.yaw, height))
            looks.append(Look(look, height, pitch, light, focal, distance, situation))
    return looks


def _footprint(rng: np.random.Generator, size: np.ndarray) -> tuple[tuple[float, float], ...]:
    x, y = (round(float(v), 3) for v in size)
    if rng.random() >= 0.3:
        return (0.0, 0.0), (x, 0.0), (x, y), (0.0, y)
    a, b = (round(float(v * rng.uniform(0.4, 0.7)), 3) for v in size)
    return (0.0, 0.0), (x, 0.0), (x, b), (a, b), (a, y), (0.0, y)


def _with_panel(plan: Plan, rng: np.random.Generator) -> Plan:
    """Return the room with a door, window or board more, where it fits."""
    kind = str(rng.choice(['door', 'door', 'window', 'board']))
    wall = int(rng.integers(len(plan.footprint)))
    low, high = {'door': (0.8, 1.2), 'window': (0.8, 2.5), 'board': (1.0, 3.0)}[kind]
    width = round(float(rng.uniform(low, high)), 3)
    length = float(plan.wall_lengths[wall])
    if length < width + 0.4:
        return plan
    offset = round(float(rng.uniform(0.1, length - width - 0.1)), 3)
    bottom = 0.0 if kind == 'door' else round(float(rng.uniform(0.1, 1.0)), 3)
    top = min(plan.height - 0.1, 2.05 if kind == 'door' else bottom + rng.uniform(0.9, 1.6))
    others = [p for p in plan.panels if p.wall == wall]
    if any(offset < p.offset + p.width and p.offset < offset + width for p in others):
        return plan
    panel = Panel(kind, wall, offset, width, round(float(top - bottom), 3), bottom)
    return replace(plan, panels=(*plan.panels, panel))


def _with_furniture(plan: Plan, rng: np.random.Generator, number: int) -> Plan:
    """Return the room with a box more, at a wall or free, where it does not stand in another."""
    name = str(rng.choice(['desk', 'cupboard', 'sofa', 'shelf', 'table']))
    material = 'curtain' if name == 'sofa' else str(rng.choice(['wood', 'wood', 'plaster']))
    low, high = (0.9, 2.0) if name in ('cupboard', 'shelf') else (0.4, 0.9)
    height = min(float(rng.uniform(low, high)), plan.height)
    length, depth = float(rng.uniform(0.5, 2.4)), float(rng.uniform(0.35, 0.9))
    wall = int(rng.integers(len(plan.footprint)))
    starts, ends = plan.wall_segments
    along = (ends[wall] - starts[wall]) / plan.wall_lengths[wall]
    inward = np.array([-along[1], along[0]])
    away = 0.02 if rng.random() < 0.6 else float(rng.uniform(0.5, 2.5))
    at = starts[wall] + along * rng.uniform(0, plan.wall_lengths[wall])
    center = at + inward * (away + depth / 2)
    yaw = math.atan2(along[1], along[0])
    yaw += 0.0 if away < 0.1 else float(rng.uniform(-0.6, 0.6))
    footprint = rectangle((float(center[0]), float(center[1])), length, depth, yaw)
    box = Furniture(
        f'{name}_{number}', footprint, min(height, plan.height), Material.named(material)
    )
    tried = replace(plan, furniture=(*plan.furniture, box))
    edge = np.array(footprint)
    points = np.concatenate(
        [edge + s * (np.roll(edge, -1, 0) - edge) for s in (0, 0.25, 0.5, 0.75)]
    )
    if plan.clearance(points).min() < 0.01:
        return plan
    try:
        check_plan(tried)
    except QuietNavError:
        return plan
    return tried


def _pose(plan: Plan, rng: np.random.Generator, situation: str, facing_within_rad: float) -> Pose2D:
    starts, ends = plan.wall_segments
    wall = int(rng.integers(len(starts)))
    along = (ends[wall] - starts[wall]) / plan.wall_lengths[wall]
    inward = np.array([-along[1], along[0]])
    near = rng.random() < 0.6
    distance = float(rng.uniform(_CLEARANCE_M, 0.8 if near else 2.0))
    x, y = starts[wall] + along * rng.uniform(0, plan.wall_lengths[wall]) + distance * inward
    yaw = math.atan2(along[1], along[0]) + math.pi * int(rng.integers(2))
    if situation == 'along':
        yaw += math.radians(rng.uniform(-35.0, 35.0))
    elif situation == 'facing':
        yaw = math.atan2(-inward[1], -inward[0]) + facing_within_rad * rng.uniform(-1.0, 1.0)
    else:
        yaw = rng.uniform(-math.pi, math.pi)
    return Pose2D(float(x), float(y), wrap_angle(float(yaw)))
