"""A room of a simulated campus: its scene, and where in it is recorded, drawn by seed."""

from __future__ import annotations

from dataclasses import replace

from quiet_nav.simulation.campus.kinds import get_kind
from quiet_nav.simulation.campus.request import STEADY, CampusRequest, RoomPlan
from quiet_nav.simulation.sound.scenes import SceneRanges, draw_event, draw_scene, with_events
from quiet_nav.streams import generator


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
    kind = get_kind(request.kind)
    places = kind.places(scene.room, rng, room_seed, request)
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
    waves = bool(generator(room_seed, 'waves').random() < request.waves)
    return RoomPlan(kind.ROOM.format(index), with_events(scene, events), tuple(places), waves)


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
