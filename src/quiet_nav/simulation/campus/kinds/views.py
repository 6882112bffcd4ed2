"""Images alone: a camera in furnished rooms (SFS-Views)."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.folders import (
    MOTION_DEPTH_M,
    SUBSETS,
    write_annotation,
    write_color,
)
from quiet_nav.quiet_campus.listing import write_place_lists
from quiet_nav.simulation.campus.kinds.clip import ROOM_PAIRS
from quiet_nav.simulation.campus.kinds.kind import CampusKind, listed_places
from quiet_nav.simulation.campus.recording import pose_said
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.campus.views import CAMERA_AHEAD_M, draw_looks, furnished
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sight.raycast import Intrinsics
from quiet_nav.streams import generator


class ViewsKind(CampusKind):
    """Furnished rooms as a robot's camera sees them, a place an image."""

    NAME = 'views'
    SUBSET = SUBSETS['views']
    OPTIONS = ('camera_height', 'facing_within_deg')

    def check(self, request: CampusRequest) -> None:
        """Refuse a campus of images without images."""
        if not request.images:
            raise QuietNavError('kind views holds images alone: leave --no-images out')

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """Draw where the camera looks in the furnished room."""
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

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Draw the images."""
        _write_views(folder, room)

    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Every image with its label."""
        listed = {room: listed_places(root, room) for room in rooms}
        write_place_lists(root, self.SUBSET, listed, split, False, ROOM_PAIRS, rng)


def _write_views(folder: Path, room: RoomPlan) -> None:
    """Images of a furnished room without any sound; depth is along the optical axis."""
    from quiet_nav.simulation.sight.camera import Mount, RoomCamera

    scene = room.scene
    plan = furnished(scene.seed, room.name, scene.room.footprint, scene.room.height)
    notes = room.places[0].notes
    color = mounted(notes['focal'], notes['pitch'])
    camera = RoomCamera(plan, generator(scene.seed, 'camera'), color=color)
    for place in room.places:
        (folder / place.name).mkdir()
        camera.mount = Mount(CAMERA_AHEAD_M, 0.0, place.height, 0.0)
        rng = generator(scene.seed, 'image', place.name)
        image = camera.color(place.pose, rng, place.notes['light'])
        write_color(folder / place.name / 'RGB.png', halved(image))
        notes = {key: value for key, value in place.notes.items() if key != 'distance'}
        annotation = {
            'depth': place.notes['distance'],
            'Audio Length': 0.0,
            'Max depth in map': MOTION_DEPTH_M,
            'pose': pose_said(place.pose),
            'height': place.height,
            **notes,
        }
        write_annotation(folder / place.name / 'annotation.json', annotation)


def mounted(focal: float, pitch: float) -> Intrinsics:
    """
    Return a colour camera of a share of the data sheet's focal length, pitched up by radians.

    Rays are cast by a level camera; a degree of pitch moves its picture and does little else.
    """
    from quiet_nav.simulation.sight.camera import D415_COLOR

    fx, fy = D415_COLOR.fx * focal, D415_COLOR.fy * focal
    return replace(D415_COLOR, fx=fx, fy=fy, cy=D415_COLOR.cy + fy * math.tan(pitch))


def halved(image: np.ndarray) -> np.ndarray:
    """Return uint8 (h, w, 3) at half the size, each pixel the mean of four."""
    import cv2

    h, w = image.shape[0] // 2, image.shape[1] // 2
    return cv2.resize(image[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)


KIND = ViewsKind()
