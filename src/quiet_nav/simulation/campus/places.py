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

"""A room of a simulated campus: its scene, and where in it is recorded, drawn by seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from quiet_nav.simulation.campus.kinds import get_kind
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.campus.robots import draw_robot, reach_of
from quiet_nav.simulation.sound.distractors import Event, EVENT_KINDS, FIRST_KINDS
from quiet_nav.simulation.sound.lived_in import with_near_source
from quiet_nav.simulation.sound.scenes import (
    draw_event,
    draw_scene,
    draw_walk,
    Scene,
    SceneRanges,
    with_events,
)
from quiet_nav.streams import generator

#: How often somebody walks by while a place of a lived-in room is recorded, and how loud: the
#: ambience over the steps, dB.
WALKS, WALK_SNR_DB = 0.05, (-5.0, 10.0)
#: Rooms of which one source stands beside a place.
NEAR_SOURCES = 0.35


def plan_room(request: CampusRequest, index: int) -> RoomPlan:
    """
    Return what is recorded in room ``index`` of a campus, the same for the same request.

    ``motion`` has one recording a room, so that its scenes never share one.
    """
    room_seed = int(generator(request.seed, request.kind, index).integers(1 << 62))
    kind = get_kind(request.kind)
    scene = draw_scene(room_seed, _ranges(request), request.sounds)
    rig, own, alone = draw_robot(request, room_seed)
    rng = generator(room_seed, 'places')
    reach_m = reach_of(request, rig, own)
    places = kind.places(scene.room, rng, room_seed, request, reach_m)
    drawn_kinds = FIRST_KINDS if request.plain else EVENT_KINDS
    events = [
        draw_event(
            scene,
            rng,
            place.start_s + rng.uniform(0.0, max(place.length_s - 1.5, 0.1)),
            request.distractor_snr_db,
            kinds=drawn_kinds,
        )
        for place in places
        if rng.random() < request.distractors
    ]
    if not request.plain:
        scene = _with_passers(scene, places, events, generator(room_seed, 'lived in'))
    scene = replace(scene, own=own, sources=() if alone else scene.sources)
    waves = bool(generator(room_seed, 'waves').random() < request.waves)
    name = kind.ROOM.format(index)
    return RoomPlan(name, with_events(scene, events), tuple(places), rig, waves)


def _ranges(request: CampusRequest) -> SceneRanges:
    ranges = SceneRanges(
        cut_share=request.cut,
        hard_share=request.hard,
        sources=(SceneRanges.sources[0], request.most_sources),
        lived_in=not request.plain,
    )
    if request.steady:
        # Sources that never change, as in the rooms of the design's figures.
        ranges = replace(ranges, drift_share=0.0, switching_share=0.0)
    return ranges


def _with_passers(
    scene: Scene, places: list[Place], events: list[Event], rng: np.random.Generator
) -> Scene:
    """Let somebody walk by at some places (added to ``events``); put a source beside another."""
    near, which = rng.random(), int(rng.integers(max(len(places), 1)))
    for place in places:
        if rng.random() < WALKS and place.length_s > 0.0:
            start_s = place.start_s + rng.uniform(-1.0, max(place.length_s - 2.0, 0.0))
            events += draw_walk(scene.room, rng, start_s, float(rng.uniform(*WALK_SNR_DB)))
    if near < NEAR_SOURCES and places:
        pose = places[which].pose
        sources = with_near_source(scene.room, scene.sources, (pose.x, pose.y), rng)
        return replace(scene, sources=sources)
    return scene


def split_rooms(request: CampusRequest) -> dict[str, list[int]]:
    """
    Return the room indices of train, val and test in the official shares 29 : 4 : 9.

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
