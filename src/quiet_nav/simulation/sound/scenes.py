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

"""Scenes: a room with its sources, levels and microphones, drawn at random or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
from typing import TYPE_CHECKING

import numpy as np

from quiet_nav.simulation.rooms.absorption import Absorption, draw_absorption
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom, POLYGON_ORDER
from quiet_nav.simulation.sound.clips import list_clips
from quiet_nav.simulation.sound.distractors import Event, FIRST_KINDS
from quiet_nav.simulation.sound.lived_in import furnished, with_hidden_sources
from quiet_nav.simulation.sound.own_sound import OwnSound
from quiet_nav.simulation.sound.sources import Drift, EQUALIZER_HZ, KINDS, Schedule, Source

if TYPE_CHECKING:
    from quiet_nav.simulation.rooms.plan import Plan


@dataclass(frozen=True)
class Scene:
    """
    Everything that decides what is heard where and when in a room.

    level_dbfs: mean RMS of the ambience over the room with every source on. mic_noise_dbfs: RMS
    of each microphone's own white noise. gain_spread_db: gains of the microphones are uniform
    within +- this. motor: noise of the robot while it drives, its level_db in dBFS RMS.
    sounds: the folder of recordings. seed: of every random stream. own: what the robot emits, from
    its places on it; the motor is then not heard. real_microphones: with response curves and noise
    as capsules have them (``capsules``), instead of flat.
    """

    room: AcousticRoom
    sources: tuple[Source, ...]
    seed: int
    level_dbfs: float = -42.0
    mic_noise_dbfs: float = -70.0
    gain_spread_db: float = 0.0
    motor: Source | None = None
    events: tuple[Event, ...] = ()
    sounds: str = ''
    own: OwnSound | None = None
    real_microphones: bool = False

    def silent(self) -> Scene:
        """Return it without ambience and events; levels still refer to what there was."""
        return replace(self, sources=(), events=())


@dataclass(frozen=True)
class SceneRanges:
    """
    What scenes are drawn from; the defaults are those that the project's figures rest on.

    Ranges are (least, most), drawn evenly.
    """

    #: Of the room.
    length_m: tuple[float, float] = (5.0, 12.0)
    #: Of the room.
    width_m: tuple[float, float] = (4.0, 10.0)
    #: Of the room.
    height_m: tuple[float, float] = (2.5, 3.6)
    #: At mid band; less in the bass.
    wall_absorption: tuple[float, float] = (0.03, 0.2)
    #: The same of the floor.
    floor_absorption: tuple[float, float] = (0.03, 0.3)
    #: The same of the ceiling.
    ceiling_absorption: tuple[float, float] = (0.1, 0.7)
    #: Of the image sources.
    order: tuple[int, int] = (12, 14)
    #: How many there are.
    sources: tuple[int, int] = (1, 5)
    #: Power falls as 1/f to this.
    slope: tuple[float, float] = (0.5, 2.5)
    #: Random walk of a source's color.
    equalizer_db_per_octave: float = 2.5
    #: Of sources with harmonics of the mains.
    hum_share: float = 0.5
    #: RMS of the ambience, mean over the room.
    level_dbfs: tuple[float, float] = (-50.0, -35.0)
    #: RMS of a microphone's own noise.
    mic_noise_dbfs: tuple[float, float] = (-75.0, -62.0)
    #: Gains of microphones are uniform within +- this.
    gain_spread_db: float = 3.0
    #: Of sources that change slowly.
    drift_share: float = 0.5
    #: Of sources that come and go.
    switching_share: float = 0.2
    #: Of sources that are recordings, where there are some.
    recording_share: float = 0.3
    #: The driving robot's noise over the ambience.
    motor_above_level_db: tuple[float, float] = (-3.0, 15.0)
    #: Of rooms that lose a corner: two in three of them become L-shaped, with an outer corner, of
    #: the others one corner is cut off. Their images are of ``POLYGON_ORDER``.
    cut_share: float = 0.0
    #: Of rooms all surfaces of which are hard ...
    hard_share: float = 0.0
    #: ... by this, drawn by logarithm.
    hard_absorption: tuple[float, float] = (0.015, 0.08)
    #: With what real rooms have besides (``lived_in``), and microphones as they are.
    lived_in: bool = False


def draw_scene(seed: int, ranges: SceneRanges | None = None, sounds: str = '') -> Scene:
    """
    Return a random shoebox scene, the same for the same seed, ranges and recordings.

    sounds: a folder of ``ambient-*`` clips, some of which then replace noise; '' for none.
    """
    ranges = ranges or SceneRanges()
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5CE4E]))
    drawn = [rng.uniform(*r) for r in (ranges.length_m, ranges.width_m, ranges.height_m)]
    length, width, height = (round(float(s), 3) for s in drawn)
    room = AcousticRoom.shoebox(
        length,
        width,
        height,
        walls=[draw_absorption(rng, *ranges.wall_absorption) for _ in range(4)],
        floor=draw_absorption(rng, *ranges.floor_absorption),
        ceiling=draw_absorption(rng, *ranges.ceiling_absorption),
        order=int(rng.integers(ranges.order[0], ranges.order[1] + 1)),
    )
    surfaces = np.random.default_rng(np.random.SeedSequence([seed, 0x4A8D]))
    if surfaces.random() < ranges.hard_share:
        walls = tuple(_hard(surfaces, ranges) for _ in room.walls)
        floor, ceiling = (_hard(surfaces, ranges) for _ in range(2))
        room = replace(room, walls=walls, floor=floor, ceiling=ceiling)
    shape = np.random.default_rng(np.random.SeedSequence([seed, 0x5A9E]))
    if shape.random() < ranges.cut_share:
        room = _without_corner(room, shape)
    if not ranges.lived_in:
        return draw_sources(room, seed, ranges, sounds)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x11FE]))
    room = furnished(room, rng)
    scene = draw_sources(room, seed, ranges, sounds)
    sources = with_hidden_sources(room, scene.sources, rng)
    return replace(scene, sources=sources, real_microphones=True)


def _hard(rng: np.random.Generator, ranges: SceneRanges) -> Absorption:
    mid = math.exp(rng.uniform(*np.log(ranges.hard_absorption)))
    return draw_absorption(rng, mid, mid)


def _without_corner(room: AcousticRoom, rng: np.random.Generator) -> AcousticRoom:
    """
    Return a shoebox less one corner, turned so that it may be any of the four.

    The arms of an L are at least 1.8 m wide; new walls are made of what those beside them are.
    """
    x, y = room.footprint[2]
    south, east, north, west = room.walls
    if rng.random() < 2.0 / 3.0:
        a, b = (round(float(rng.uniform(1.8, max(0.75 * v, 2.0))), 3) for v in (x, y))
        corners = [(0.0, 0.0), (x, 0.0), (x, b), (a, b), (a, y), (0.0, y)]
        walls = [south, east, north, east, north, west]
    else:
        a, b = (round(float(v - rng.uniform(0.8, min(0.5 * v, 3.0))), 3) for v in (x, y))
        corners = [(0.0, 0.0), (x, 0.0), (x, b), (a, y), (0.0, y)]
        walls = [south, east, east, north, west]
    if rng.random() < 0.5:
        # Seen in a mirror, so counter-clockwise again from the other end.
        corners = [(x - u, v) for u, v in reversed(corners)]
        walls = [*reversed(walls[:-1]), walls[-1]]
    if rng.random() < 0.5:
        corners = [(u, y - v) for u, v in reversed(corners)]
        walls = [*reversed(walls[:-1]), walls[-1]]
    footprint = tuple((round(u, 3), round(v, 3)) for u, v in corners)
    return replace(room, footprint=footprint, walls=tuple(walls), order=POLYGON_ORDER)


def draw_sources(
    room: AcousticRoom,
    seed: int,
    ranges: SceneRanges | None = None,
    sounds: str = '',
    places: Sequence[tuple[str, tuple[float, float, float], float]] = (),
) -> Scene:
    """
    Return a scene in a given room: sources, levels and noises drawn from ``ranges``.

    places: (kind, position, level in dB) of sources that are known; drawn where there are none.
    """
    ranges = ranges or SceneRanges()
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x50CE]))
    clips = list_clips(sounds, 'ambient-') if sounds else []
    if not places:
        kinds = rng.choice(KINDS, size=int(rng.integers(ranges.sources[0], ranges.sources[1] + 1)))
        places = [
            (str(kind), draw_place(room, str(kind), rng), float(rng.uniform(-12.0, 0.0)))
            for kind in kinds
        ]
    sources = tuple(
        _draw_source(rng, ranges, kind, position, level, stream, clips)
        for stream, (kind, position, level) in enumerate(places)
    )
    level_dbfs = float(rng.uniform(*ranges.level_dbfs))
    motor = _draw_motor(rng, level_dbfs + float(rng.uniform(*ranges.motor_above_level_db)))
    return Scene(
        room,
        sources,
        seed,
        round(level_dbfs, 3),
        round(float(rng.uniform(*ranges.mic_noise_dbfs)), 3),
        ranges.gain_spread_db,
        motor,
        sounds=sounds,
    )


def scene_in_plan(
    plan: Plan,
    seed: int,
    ranges: SceneRanges | None = None,
    sounds: str = '',
    order: int | None = None,
) -> Scene:
    """Return a scene in a floor plan: its own sources where it has some, else drawn ones."""
    room = AcousticRoom.of_plan(plan, order)
    places = [(source.kind, source.position, source.level_db) for source in plan.sources]
    return draw_sources(room, seed, ranges, sounds, places)


def draw_place(
    room: AcousticRoom, kind: str, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return a position (m) where a source of a kind can be: on ceiling, wall, window or floor."""
    if kind in ('wall_vent', 'window'):
        corners = np.asarray(room.footprint)
        ends = np.roll(corners, -1, axis=0)
        lengths = np.linalg.norm(ends - corners, axis=1)
        wall = int(rng.choice(len(corners), p=lengths / lengths.sum()))
        along = (ends[wall] - corners[wall]) / lengths[wall]
        out = rng.uniform(0.03, 0.15) if kind == 'wall_vent' else rng.uniform(0.02, 0.06)
        while True:
            x, y = (
                corners[wall]
                + along * rng.uniform(0.05, 0.95) * lengths[wall]
                + out * np.array([-along[1], along[0]])
            )
            if room.contains(np.array([x, y]), 0.01):
                break
        z = (
            rng.uniform(0.6 * room.height, room.height - 0.15)
            if kind == 'wall_vent'
            else rng.uniform(0.8, min(2.0, room.height - 0.2))
        )
    else:
        x, y = draw_point(room, rng, 0.3)
        z = (
            room.height - rng.uniform(0.05, 0.3)
            if kind == 'ceiling_vent'
            else rng.uniform(0.1, 0.6)
        )
    return round(float(x), 4), round(float(y), 4), round(float(z), 4)


def draw_point(room: AcousticRoom, rng: np.random.Generator, margin: float) -> np.ndarray:
    """Return a random point (2,) of the floor at least ``margin`` m from every wall."""
    low, high = np.min(room.footprint, axis=0), np.max(room.footprint, axis=0)
    while True:
        point = rng.uniform(low, high)
        if room.contains(point, margin):
            return point


def draw_event(
    scene: Scene,
    rng: np.random.Generator,
    start_s: float,
    snr_db: float,
    kind: str | None = None,
    kinds: Sequence[str] = FIRST_KINDS,
) -> Event:
    """
    Return a distractor somewhere in the room, 1 to 1.8 m high for speech, lower for a dog.

    kind: one of ``kinds``, drawn where None. Recordings ``event-*`` of the scene's folder are used
    where there are some of that kind.
    """
    kind = kind or str(rng.choice(kinds))
    clips = list_clips(scene.sounds, f'event-{kind}') if scene.sounds else []
    x, y = draw_point(scene.room, rng, 0.4)
    z = rng.uniform(0.3, 0.6) if kind == 'dog' else rng.uniform(1.0, 1.8)
    return Event(
        kind,
        (round(float(x), 3), round(float(y), 3), round(float(z), 3)),
        float(start_s),
        int(rng.integers(1 << 31)),
        float(snr_db),
        str(rng.choice(clips)) if clips else '',
    )


def draw_walk(
    room: AcousticRoom, rng: np.random.Generator, start_s: float, snr_db: float
) -> tuple[Event, ...]:
    """Return the steps of somebody who walks a straight way across the room, 4 to 9 of them."""
    begin, end = draw_point(room, rng, 0.4), draw_point(room, rng, 0.4)
    way = float(np.linalg.norm(end - begin))
    count, pace = int(np.clip(way / 0.7, 4, 9)), float(rng.uniform(0.45, 0.65))
    steps = []
    for i in range(count):
        x, y = begin + (end - begin) * min(0.7 * i / max(way, 0.7), 1.0)
        if room.contains(np.array([x, y]), 0.1):
            place = (round(float(x), 3), round(float(y), 3), 0.05)
            stream = int(rng.integers(1 << 31))
            steps.append(Event('step', place, round(start_s + i * pace, 4), stream, snr_db))
    return tuple(steps)


def with_events(scene: Scene, events: Sequence[Event]) -> Scene:
    """Return the scene with these events instead of those it had."""
    return replace(scene, events=tuple(events))


def _draw_source(
    rng: np.random.Generator,
    ranges: SceneRanges,
    kind: str,
    position: tuple[float, float, float],
    level_db: float,
    stream: int,
    clips: list[str],
) -> Source:
    equalizer = _smooth_walk(rng, ranges.equalizer_db_per_octave)
    drifts = rng.random() < ranges.drift_share
    source = Source(
        kind,
        position,
        stream,
        round(level_db, 3),
        round(float(rng.uniform(*ranges.slope)), 4),
        equalizer,
        _smooth_walk(rng, 1.0) if drifts else (),
        gain_db=_draw_drift(rng, 1.0, drifts),
        spectral=_draw_drift(rng, 0.5, drifts),
    )
    if rng.random() < ranges.hum_share:
        hum = float(rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(20.0, 70.0)]))
        count = int(rng.integers(3, 13))
        weight = rng.uniform(0.2, 1.0, count) / np.arange(1, count + 1) ** rng.uniform(0.3, 1.5)
        weight *= math.sqrt(2.0) * 10 ** (rng.uniform(-15, 0) / 20) / np.linalg.norm(weight)
        source = replace(
            source,
            hum_hz=round(hum, 3),
            hum_amplitudes=tuple(round(float(w), 6) for w in weight),
            hum_phases_rad=tuple(round(float(p), 4) for p in rng.uniform(0, 2 * np.pi, count)),
        )
    if rng.random() < ranges.switching_share:
        on_s, off_s = rng.uniform(20, 120), rng.uniform(10, 60)
        source = replace(
            source,
            schedule=Schedule(
                round(on_s, 2),
                round(off_s, 2),
                round(float(rng.uniform(0, on_s + off_s)), 2),
                round(float(rng.uniform(0.2, 2.0)), 2),
            ),
        )
    if clips and rng.random() < ranges.recording_share:
        source = replace(source, recording=str(rng.choice(clips)))
    return source


def _draw_motor(rng: np.random.Generator, level_dbfs: float) -> Source:
    count = int(rng.integers(4, 10))
    weight = rng.uniform(0.2, 1.0, count) / np.sqrt(np.arange(1, count + 1))
    return Source(
        'motor',
        (0.0, 0.0, 0.0),
        1 << 20,
        round(level_dbfs, 3),
        round(float(rng.uniform(0.5, 1.5)), 3),
        _smooth_walk(rng, 3.0),
        hum_hz=round(float(rng.uniform(80.0, 400.0)), 2),
        hum_amplitudes=tuple((weight / np.linalg.norm(weight)).round(5).tolist()),
        hum_phases_rad=tuple(rng.uniform(0, 2 * np.pi, count).round(4).tolist()),
    )


def _smooth_walk(rng: np.random.Generator, db_per_octave: float) -> tuple[float, ...]:
    walk = np.cumsum(rng.normal(0.0, db_per_octave, len(EQUALIZER_HZ)))
    return tuple((walk - walk.mean()).round(3).tolist())


def _draw_drift(rng: np.random.Generator, size: float, wanted: bool) -> Drift:
    if not wanted:
        return Drift()
    return Drift(
        tuple(rng.uniform(0.2 * size, size, 2).round(3).tolist()),
        tuple(rng.uniform((8.0, 30.0), (30.0, 180.0)).round(2).tolist()),
        tuple(rng.uniform(0, 2 * np.pi, 2).round(4).tolist()),
    )
