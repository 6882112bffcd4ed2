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

"""A bag in the web view: what it holds, in order of time, into a scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
import heapq
import itertools
from pathlib import Path
from typing import Protocol

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.maps.placing import MapSettings, NearWallMapper
from quiet_nav.perception.maps.probability_grid import GridMap, ProbabilityGrid
from quiet_nav.perception.messages import (
    checked_ns,
    FrameListener,
    grid_from_msg,
    pixels_from_msg,
    reading_from_msg,
)
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.transforms import Transform
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.depth import recorded_wall_distance
from quiet_nav.recordings.playback import events, hear, Info, Sound
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream

#: What sound of a bag is called among its topics.
SOUND = '(sound)'
_NEAR_WALL = 'quiet_nav/msg/NearWall'
_RANGE, _GRID = 'sensor_msgs/msg/Range', 'nav_msgs/msg/OccupancyGrid'
_MARKERS, _TF = 'visualization_msgs/msg/MarkerArray', 'tf2_msgs/msg/TFMessage'
#: A map is made this often of what was heard so far.
_MAP_EVERY_NS = 1_000_000_000
#: By then every frame of a robot has been told.
_FRAME_MESSAGES = 1000


@dataclass(frozen=True)
class BagView:
    """
    What is shown of bags, by topic; '' what is not there.

    bags: the recording and, where given, the predictions that `quiet_nav replay` made of it. notes:
    what a user should know of them, once they were read.
    """

    bags: tuple[Path, ...]
    readings: str
    topics: BagTopics
    tf: tuple[str, str]
    distance: str
    grid: str
    markers: str = ''
    room: str = ''
    notes: dict[str, None] = field(default_factory=dict, compare=False)

    @property
    def has(self) -> set[str]:
        """Return what there is to show: 'readings', 'wall', 'camera', 'sound', 'reasons'."""
        parts = {
            'readings': self.readings,
            'reasons': self.readings,
            'wall': self.distance or self.topics.depth,
            'camera': self.topics.color,
            'sound': self.topics.audio and (self.topics.info or self.topics.format),
        }
        return {name for name, there in parts.items() if there}

    def messages(self, sound: bool = False) -> Iterator[tuple[int, str, object]]:
        """
        Yield time of recording (ns), topic and message of all bags, in order.

        sound: with what is heard, as events of ``playback`` under the name SOUND. Afterwards
        ``notes`` holds what a user should know of the bags.
        """
        wanted = (
            self.readings, self.topics.odometry, self.topics.color, self.topics.depth,
            *self.tf, self.distance, self.grid, self.markers, self.room,
        )  # fmt: skip

        def of(path: Path) -> Iterator[tuple[int, str, object]]:
            with Bag(path) as bag:
                for topic, time_ns, message in bag.messages([name for name in wanted if name]):
                    yield time_ns, topic, message
                self.notes.update(dict.fromkeys(bag.notes))

        def heard() -> Iterator[tuple[int, str, object]]:
            with Bag(self.bags[0]) as bag:
                for time_ns, event in events(bag, replace(self.topics, odometry=''), depth=False):
                    yield time_ns, SOUND, event
                self.notes.update(dict.fromkeys(bag.notes))

        sources = [of(path) for path in self.bags]
        if sound and 'sound' in self.has:
            sources.append(heard())
        yield from heapq.merge(*sources, key=lambda item: item[0])


def look_into(
    path: Path, predictions: Path | None = None, readings: str = '', odometry: str = ''
) -> BagView:
    """
    Return what can be shown of a bag.

    predictions: bag of `quiet_nav replay` (or the folder it wrote for one bag), whose readings are
    then shown. readings: topic of them where there are several. Raises QuietNavError, saying what
    the bag holds, where there is neither a reading nor anything else to show.
    """
    second = predictions
    if second is not None and (second / 'predictions').is_dir():
        second = second / 'predictions'
    with Bag(path) as bag:
        topics = find_topics(bag, BagTopics(odometry=odometry))
        said = ''
        if second is None:
            said = bag.pick('readings', (_NEAR_WALL,), ('/near_wall', ''), readings, '--readings')
        tf = tuple(_first(bag, _TF, name) for name in ('/tf', '/tf_static'))
        distance = _first(bag, _RANGE, '/wall_distance')
        grid = _first(bag, _GRID, '/near_wall/map')
        room = _first(bag, _GRID, '/map', without=grid)
        markers = _first(bag, _MARKERS, '/near_wall/markers')
        contents = bag.contents
    if second is not None:
        with Bag(second) as bag:
            said = bag.pick('readings', (_NEAR_WALL,), ('/near_wall', ''), readings, '--readings')
            distance = _first(bag, _RANGE, '/wall_distance') or distance
            if not said:
                raise QuietNavError(f'bag {second}: no readings ({_NEAR_WALL}); {bag.contents}')
    if not any((said, topics.odometry, topics.color, distance, grid, *tf)):
        raise QuietNavError(
            f'bag {path}: nothing to show: no {_NEAR_WALL}, odometry, tf, images or distances; '
            f'{contents}. `quiet_nav replay` makes readings of recorded sound; show them with '
            '--predictions'
        )
    bags = (path,) if second is None else (path, second)
    return BagView(bags, said, topics, tf, distance, grid, markers, room)


def root_of(view: BagView, base_frame: str = 'base_link') -> str:
    """Return the frame above all others of the robot, as the beginning of the bag has it."""
    parents: dict[str, str] = {}
    frames = FrameListener(base_frame, lambda parent, frame, *_: parents.update({frame: parent}))
    takers = {
        view.tf[0]: frames.on_tf,
        view.tf[1]: frames.on_tf_static,
        view.topics.odometry: frames.on_odom,
    }
    takers.pop('', None)
    for path in view.bags:
        with Bag(path) as bag:
            found = bag.messages(list(takers))
            for topic, _, message in itertools.islice(found, _FRAME_MESSAGES):
                takers[topic](message)
    return top_frame(base_frame, parents)


def top_frame(frame: str, parents: Mapping[str, str]) -> str:
    """Return the last of a frame's ancestors."""
    passed: set[str] = set()
    while frame in parents and frame not in passed:
        passed.add(frame)
        frame = parents[frame]
    return frame


def _first(bag: Bag, kind: str, ending: str, without: str = '') -> str:
    """Return the topic of a type whose name ends so, the shortest one; '' where there is none."""
    named = (n for n, k in bag.topics.items() if k == kind and n != without)
    found = [n for n in named if ('/' + n).endswith(ending)]
    return min(found, key=len, default='')


class Showing(Protocol):
    """What messages are shown on; times are integer nanoseconds."""

    def reading(self, reading: NearWallReading, frame: str, still: bool | None = None) -> None:
        """Show a reading."""

    def wall_distance(self, time_ns: int, meters: float) -> None:
        """Show what the depth camera saw."""

    def placed(self, parent: str, frame: str, time_ns: int | None, at: Transform) -> None:
        """Show where a frame is."""

    def map(self, grid: GridMap, frame: str, time_ns: int) -> None:
        """Show a near-wall map."""

    def room(self, grid: GridMap, frame: str, time_ns: int) -> None:
        """Show the room's own map."""

    def image(self, pixels: np.ndarray, frame: str, time_ns: int) -> None:
        """Show an image."""

    def sound(self, stream: AudioStream) -> None:
        """Show the newest sound."""


class BagPlayer:
    """
    Puts messages into a scene; makes the near-wall map where the bag holds none.

    After the last message ``finish`` places what was still waiting. ``shown`` counts by topic,
    ``left_out`` messages that could not be shown by why.
    """

    def __init__(
        self, view: BagView, scene: Showing, rig: Rig, base_frame: str = 'base_link'
    ) -> None:
        self._view, self._scene = view, scene
        self._frames = FrameListener(base_frame, self._placed)
        self._base_frame, self._fixed_frame = base_frame, ''
        self._rig, self._mapper = rig, None
        self._map_ns = self._drawn = 0
        self._receiver = AudioReceiver()
        self.shown: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        topics = view.topics
        self._handlers = {
            view.readings: self._on_reading,
            topics.odometry: self._frames.on_odom,
            topics.color: self._on_image,
            view.tf[0]: self._frames.on_tf,
            view.tf[1]: self._frames.on_tf_static,
            view.grid: self._on_grid,
            view.room: self._on_room,
            topics.depth: self._on_depth,
            SOUND: self._on_sound,
        }
        if view.distance:
            # What was measured live or by the replay needs no second look at the images.
            self._handlers.pop(topics.depth, None)
            self._handlers[view.distance] = self._on_distance
        self._handlers.pop('', None)

    def show(self, time_ns: int, topic: str, message: object) -> None:
        """Show a message that was recorded at a time."""
        handler = self._handlers.get(topic)
        if handler is None:
            return
        try:
            handler(message)
            self.shown[topic] += 1
        except QuietNavError as error:
            self.left_out[f'{topic}: {error}'] += 1
        if self._mapper is not None and not 0 <= time_ns - self._map_ns < _MAP_EVERY_NS:
            self._map_ns = time_ns
            self._draw_map()

    def finish(self) -> None:
        """Show the whole map."""
        self._draw_map()

    @property
    def notes(self) -> list[str]:
        """Return what a user should know of what was not shown."""
        return [f'{count} left out: {why}' for why, count in self.left_out.most_common()]

    def _on_reading(self, message: object) -> None:
        reading = reading_from_msg(message)
        frame = message.header.frame_id.lstrip('/') or self._base_frame
        self._scene.reading(reading, frame)
        if self._mapper is not None:
            self._mapper.add(reading, frame)

    def _placed(self, parent: str, frame: str, time_ns: int | None, at: object) -> None:
        self._scene.placed(parent, frame, time_ns, at)
        if frame == self._base_frame and parent != self._fixed_frame and not self._view.grid:
            self._fixed_frame = parent
            settings = MapSettings(parent, self._base_frame)
            self._mapper = NearWallMapper(
                ProbabilityGrid(), self._frames.buffer, self._rig, settings
            )
            self._drawn = 0

    def _draw_map(self) -> None:
        mapper = self._mapper
        if mapper is None:
            return
        mapper.settle()
        if mapper.changes != self._drawn:
            self._drawn = mapper.changes
            self._scene.map(mapper.grid.map(), self._fixed_frame, mapper.newest_ns)

    def _on_grid(self, message: object) -> None:
        frame, stamp = message.header.frame_id, checked_ns(message.header.stamp, 'header')
        self._scene.map(grid_from_msg(message), frame, stamp)

    def _on_room(self, message: object) -> None:
        frame, stamp = message.header.frame_id, checked_ns(message.header.stamp, 'header')
        self._scene.room(grid_from_msg(message), frame, stamp)

    def _on_image(self, message: object) -> None:
        header = message.header
        self._scene.image(
            pixels_from_msg(message), header.frame_id, checked_ns(header.stamp, 'header')
        )

    def _on_sound(self, event: Info | Sound) -> None:
        hear(self._receiver, event)
        stream = self._receiver.stream
        if stream is not None and stream.has_sound:
            self._scene.sound(stream)

    def _on_depth(self, message: object) -> None:
        distance = recorded_wall_distance(message)
        self._scene.wall_distance(checked_ns(message.header.stamp, 'header'), distance.distance_m)

    def _on_distance(self, message: object) -> None:
        self._scene.wall_distance(checked_ns(message.header.stamp, 'header'), message.range)


def rig_of(view: BagView, name: str, sides: Sequence[int] = ()) -> Rig:
    """Return the rig named, else the smallest that ships with an ear for every side heard."""
    from quiet_nav.perception.rig import find_rig

    if name:
        return find_rig(name)
    heard = set(sides) or {m.side for _, topic, m in view.messages() if topic == view.readings}
    rigs = [find_rig(one) for one in ('single', 'pair', 'trio')]
    return next((rig for rig in rigs if heard <= {e.side for e in rig.ears}), rigs[-1])
