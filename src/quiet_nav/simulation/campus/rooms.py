"""One room of a simulated campus: recorded, photographed, annotated and written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.rig import Rig, load_rig
from quiet_nav.quiet_campus.folders import (
    MOTION_DEPTH_M,
    SUBSETS,
    whole_folder,
    write_annotation,
    write_color,
    write_motion_depth,
    write_sound,
    write_static_depth,
)
from quiet_nav.simulation.campus.places import (
    LATER_S,
    MOTION_FPS,
    MOTION_FRAMES,
    CampusRequest,
    Place,
    RoomPlan,
    plan_room,
)
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sight.raycast import Intrinsics
from quiet_nav.simulation.sound.hearing import Hearing, ears_in_room
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator


def make_room(request: CampusRequest, index: int, out: str) -> str:
    """Record and write one room below ``out`` unless it is there; return its name.

    Made for pools and clusters: it needs its arguments alone and gives the same bytes anywhere.
    Raises QuietNavError where the disk is full.
    """
    room = plan_room(request, index)
    target = Path(out) / SUBSETS[request.kind] / 'ProcessedData' / room.name
    if target.exists():
        return room.name
    if request.kind == 'views':
        with whole_folder(target) as folder:
            _write_views(folder, room)
        return room.name
    hearing = Hearing(room.scene)
    camera = _Camera(room) if request.images else None
    with whole_folder(target) as folder:
        if request.kind == 'robot':
            rig = load_rig(request.rig)
            for place in room.places:
                _write_pose(folder / place.name, place, room, hearing, rig, camera)
        elif request.kind == 'motion':
            _write_motion(folder, room.places[0], room, hearing, camera, request.motor)
        else:
            for place in room.places:
                _write_clip(folder / place.name, place, room, hearing, camera)
    return room.name


def read_annotation(folder: Path) -> dict:
    """Return the annotation of a place that was written."""
    return json.loads((folder / 'annotation.json').read_text())


class _Camera:
    """The room's camera; every place has noise of its own, whatever the order they come in."""

    def __init__(self, room: RoomPlan) -> None:
        from quiet_nav.simulation.sight.camera import Mount, RoomCamera

        self._seed = room.scene.seed
        plan = plan_of(room.scene.room, room.name)
        self._camera = RoomCamera(plan, generator(self._seed, 'camera'))
        self._mount: Callable[[float], Mount] = lambda z: Mount(0.0, 0.0, z, 0.0)
        self._robot = Mount()

    def take(
        self, pose: Pose2D, height: float | None, *names: int | str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return RGB (480, 640, 3) and depth in mm (480, 640); height None: the robot's mount."""
        rng = generator(self._seed, 'image', *names)
        self._camera.mount = self._robot if height is None else self._mount(height)
        return self._camera.color(pose, rng), self._camera.depth(pose, rng)


def plan_of(room: AcousticRoom, name: str):  # type: ignore[no-untyped-def]
    """Return a floor plan of a drawn room, for the camera."""
    from quiet_nav.simulation.rooms.plan import Material, Plan

    usual = ('plaster', 'linoleum', 'acoustic_tile')
    wall, floor, ceiling = usual
    return Plan(
        name,
        room.footprint,
        room.height,
        tuple(Material(wall, a) for a in room.walls),
        Material(floor, room.floor),
        Material(ceiling, room.ceiling),
    )


def _write_clip(
    folder: Path, place: Place, room: RoomPlan, hearing: Hearing, camera: _Camera | None
) -> None:
    folder.mkdir()
    pose, scene = place.pose, room.scene
    mic = np.array([[pose.x, pose.y, place.height]])
    start, count = _samples(place)
    write_sound(folder / 'sound.wav', hearing.microphones(mic, start, count)[0])
    distance = float(scene.room.distance_along(mic[0], pose.yaw))
    annotation = {
        'depth': distance,
        'Audio Length': place.length_s,
        'Max depth in map': MOTION_DEPTH_M,
        'pose': _pose(pose),
        'height': place.height,
        'start': place.start_s,
        'nearest wall': float(scene.room.nearest_wall(mic[0])[0]),
        'distractor': _distractor(room, place),
        **place.notes,
    }
    if camera is not None:
        image, depth = camera.take(pose, place.height, place.name)
        write_color(folder / 'RGB.png', image)
        annotation['Max depth in map'] = write_static_depth(folder / 'Depth.png', depth)
    write_annotation(folder / 'annotation.json', annotation)


def _write_pose(
    folder: Path, place: Place, room: RoomPlan, hearing: Hearing, rig: Rig, camera: _Camera | None
) -> None:
    """One listening pose: the windows of all ears now, later, and later with the robot turned.

    By 180 degrees, as one ear turns to hear its other side, and to the left by 90, as the
    follower looks ahead (``navigation.listening``).
    """
    folder.mkdir()
    start, count = _samples(place)
    later = start + round(LATER_S * SAMPLE_RATE)
    turned, quarter = (
        Pose2D(place.pose.x, place.pose.y, wrap_angle(place.pose.yaw + turn))
        for turn in (math.pi, math.pi / 2.0)
    )
    windows = {
        'sound.wav': (place.pose, start),
        'later.wav': (place.pose, later),
        'turned.wav': (turned, later),
        'quarter.wav': (quarter, later),
    }
    channels = rig.channels
    for name, (pose, begin) in windows.items():
        recorded = np.zeros((channels, count), np.float32)
        recorded[[ear.channel for ear in rig.ears]] = hearing.rig(rig, pose, begin, count)
        write_sound(folder / name, recorded)
    annotation = {
        'Audio Length': place.length_s,
        'pose': _pose(place.pose),
        'rig': rig.name,
        'ears': _ears(rig, place.pose, room.scene.room),
        'ears turned': _ears(rig, turned, room.scene.room),
        'ears quarter': _ears(rig, quarter, room.scene.room),
        'windows': {
            name: [begin / SAMPLE_RATE, begin / SAMPLE_RATE + place.length_s]
            for name, (_, begin) in windows.items()
        },
        'distractor': _distractor(room, place),
        **place.notes,
    }
    annotation['depth'] = float(
        room.scene.room.distance_along([place.pose.x, place.pose.y], place.pose.yaw)
    )
    annotation['Max depth in map'] = MOTION_DEPTH_M
    if camera is not None:
        image, depth = camera.take(place.pose, None, place.name)
        write_color(folder / 'RGB.png', image)
        annotation['Max depth in map'] = write_static_depth(folder / 'Depth.png', depth)
    write_annotation(folder / 'annotation.json', annotation)


def _write_views(folder: Path, room: RoomPlan) -> None:
    """Images of a furnished room without any sound; depth is along the optical axis."""
    from quiet_nav.simulation.campus.views import CAMERA_AHEAD_M, furnished
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
            'pose': _pose(place.pose),
            'height': place.height,
            **notes,
        }
        write_annotation(folder / place.name / 'annotation.json', annotation)


def mounted(focal: float, pitch: float) -> Intrinsics:
    """Return a colour camera of a share of the data sheet's focal length, pitched up by radians.

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


def _write_motion(
    folder: Path,
    place: Place,
    room: RoomPlan,
    hearing: Hearing,
    camera: _Camera | None,
    motor: bool,
) -> None:
    for name in ('Audio', 'RGB', 'Depth'):
        (folder / name).mkdir()
    path = np.column_stack([np.array(place.path), np.full(len(place.path), place.height)])
    start, count = _samples(place)
    heard = hearing.along(path, start, count, motor=float(motor))
    write_sound(folder / 'Audio' / 'sound.wav', heard)
    share = np.arange(MOTION_FRAMES) / (MOTION_FRAMES - 1)
    nodes = np.linspace(0.0, 1.0, len(path))
    at = np.column_stack([np.interp(share, nodes, path[:, k]) for k in range(2)])
    depth_m = room.scene.room.distance_along(at, place.pose.yaw)
    if camera is not None:
        for frame in range(MOTION_FRAMES):
            pose = Pose2D(float(at[frame, 0]), float(at[frame, 1]), place.pose.yaw)
            image, depth = camera.take(pose, place.height, frame)
            write_color(folder / 'RGB' / f'c{frame:03d}.png', image)
            write_motion_depth(folder / 'Depth' / f'd{frame:03d}.png', depth)
    annotation = {
        'Audio Length': place.length_s,
        'depth': [round(float(d), 6) for d in depth_m],
        'frames a second': MOTION_FPS,
        'heading': place.pose.yaw,
        'height': place.height,
        'path': [[round(float(v), 6) for v in point] for point in at],
        'start': place.start_s,
        'distractor': _distractor(room, place),
        'motor': motor,
        **place.notes,
    }
    write_annotation(folder / 'annotation.json', annotation)


def _ears(rig: Rig, pose: Pose2D, room: AcousticRoom) -> list[dict[str, object]]:
    """Say for each ear where it is and how far the wall is in the direction of its side.

    distance: along the ray from the microphone in the side's direction; near says whether it is
    at most 0.5 m: the label. nearest wall: in whatever direction.
    """
    mics, _ = ears_in_room(rig, pose)
    said = []
    for ear, mic in zip(rig.ears, mics, strict=True):
        bearing = wrap_angle(pose.yaw + ear.side.yaw_rad)
        distance = float(room.distance_along(mic, bearing))
        said.append(
            {
                'channel': ear.channel,
                'side': ear.side.name,
                'position': [round(float(v), 6) for v in mic],
                'bearing': bearing,
                'distance': distance,
                'near': distance <= NEAR_WALL_M,
                'nearest wall': float(room.nearest_wall(mic)[0]),
            }
        )
    return said


def _samples(place: Place) -> tuple[int, int]:
    return round(place.start_s * SAMPLE_RATE), round(place.length_s * SAMPLE_RATE)


def _pose(pose: Pose2D) -> dict[str, float]:
    return {'x': pose.x, 'y': pose.y, 'yaw': pose.yaw}


def _distractor(room: RoomPlan, place: Place) -> dict[str, object] | None:
    """Say which event, if any, begins while a place is recorded."""
    for event in room.scene.events:
        if place.start_s <= event.start_s < place.start_s + place.length_s:
            return {
                'kind': event.kind,
                'recording': event.recording,
                'snr': event.snr_db,
                'start': event.start_s - place.start_s,
            }
    return None
