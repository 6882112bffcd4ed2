"""Places of one microphone that faces a wall: what static and dense campuses record."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quiet_nav.quiet_campus.folders import (
    MOTION_DEPTH_M,
    write_annotation,
    write_color,
    write_sound,
    write_static_depth,
)
from quiet_nav.simulation.campus.kinds.kind import CampusKind
from quiet_nav.simulation.campus.recording import (
    Camera,
    distractor_said,
    hearing_of,
    pose_said,
    samples_of,
)
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.sound.hearing import Hearing

#: A grid of places has many more pairs than anyone trains on: so many of a room are listed.
ROOM_PAIRS = 1000


class ClipKind(CampusKind):
    """A kind whose places are clips of one microphone."""

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Record every place; an image beside it where the request has images."""
        mics = np.array([[place.pose.x, place.pose.y, place.height] for place in room.places])
        hearing = hearing_of(room, mics)
        camera = Camera(room) if request.images else None
        for place in room.places:
            write_clip(folder / place.name, place, room, hearing, camera)


def write_clip(
    folder: Path, place: Place, room: RoomPlan, hearing: Hearing, camera: Camera | None
) -> None:
    folder.mkdir()
    pose, scene = place.pose, room.scene
    mic = np.array([[pose.x, pose.y, place.height]])
    start, count = samples_of(place)
    write_sound(folder / 'sound.wav', hearing.microphones(mic, start, count)[0])
    distance = float(scene.room.distance_along(mic[0], pose.yaw))
    annotation = {
        'depth': distance,
        'Audio Length': place.length_s,
        'Max depth in map': MOTION_DEPTH_M,
        'pose': pose_said(pose),
        'height': place.height,
        'start': place.start_s,
        'nearest wall': float(scene.room.nearest_wall(mic[0])[0]),
        'distractor': distractor_said(room, place),
        **place.notes,
    }
    if camera is not None:
        image, depth = camera.take(pose, place.height, place.name)
        write_color(folder / 'RGB.png', image)
        annotation['Max depth in map'] = write_static_depth(folder / 'Depth.png', depth)
    write_annotation(folder / 'annotation.json', annotation)
