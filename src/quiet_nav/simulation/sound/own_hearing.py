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

"""What a robot's ears hear of its own sound: directly, and from every surface around it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import functools
import math

import numpy as np
from scipy import fft

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.rooms.absorption import BANDS_HZ
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import (
    block_plan,
    LATENCY,
    overlap_save,
    response_bins,
    responses_of,
)
from quiet_nav.simulation.sound.images import ImageSources
from quiet_nav.simulation.sound.moving_images import free_field, MovingImages
from quiet_nav.simulation.sound.own_sound import (
    amplitude_of,
    body_coloring_db,
    own_samples,
    own_spectrum,
    OwnSound,
)
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

#: A point source is louder than any real one where an ear all but touches it.
_NEAREST_M = 0.01
#: Places whose responses are kept: a robot listens again, or turns and comes back.
_KEPT_PLACES = 4


@dataclass(frozen=True)
class RobotEars:
    """Ears on a robot: positions and directions (zeros where omni) in base_link, channels."""

    positions: tuple[tuple[float, float, float], ...]
    looks: tuple[tuple[float, float, float], ...]
    channels: tuple[int, ...]

    @classmethod
    def of(cls, rig: Rig) -> RobotEars:
        """Return a rig's ears."""
        looks = tuple(
            (math.cos(e.yaw_rad), math.sin(e.yaw_rad), 0.0)
            if e.pattern == 'cardioid'
            else (0.0, 0.0, 0.0)
            for e in rig.ears
        )
        places = tuple((e.x, e.y, e.z) for e in rig.ears)
        return cls(places, looks, tuple(e.channel for e in rig.ears))

    @classmethod
    def seen_from(
        cls, robot: Pose2D, mics: np.ndarray, looks: np.ndarray, channels: Sequence[int]
    ) -> RobotEars:
        """Return microphones of the room, (n, 3) in m, as ears of a robot at a pose."""
        back = robot.inverse()
        turn = Pose2D(0.0, 0.0, back.yaw)

        def seen(frame: Pose2D, points: np.ndarray) -> tuple[tuple[float, float, float], ...]:
            # Rounded, so that a robot that goes on is known again.
            moved = [(*frame.transform(x, y), z) for x, y, z in points.tolist()]
            return tuple((round(x, 6), round(y, 6), round(z, 6)) for x, y, z in moved)

        return cls(seen(back, mics), seen(turn, looks), tuple(channels))

    def at(self, pose: Pose2D) -> tuple[np.ndarray, np.ndarray]:
        """Return positions (n, 3) in m and directions (n, 3) in the room."""
        mics = [(*pose.transform(x, y), z) for x, y, z in self.positions]
        turned = Pose2D(0.0, 0.0, pose.yaw)
        looks = [(*turned.transform(x, y), z) for x, y, z in self.looks]
        return np.array(mics), np.array(looks)


#: Where a robot stands, its ears, and which of its sources make noise there.
_Place = tuple[Pose2D, RobotEars, tuple[int, ...]]


class OwnHearing:
    """
    A robot's own sound in a room; what is heard depends on place and sample index alone.

    level_dbfs: of the room's ambience, beside which the robot's levels are meant.
    """

    def __init__(self, room: AcousticRoom, own: OwnSound, level_dbfs: float) -> None:
        self.own = own
        self._room = room
        self._level_dbfs = level_dbfs
        self._images = MovingImages(room)
        reach = self._images.reach_m / SPEED_OF_SOUND * SAMPLE_RATE
        self.length = int(reach) + 2 * LATENCY + 3
        self._air = np.asarray(room.air, np.float64)
        self._colors: dict[RobotEars, tuple[np.ndarray, np.ndarray]] = {}
        self._gains: dict[RobotEars, np.ndarray] = {}
        self._everything = tuple(range(len(own.sources)))
        #: Motors are silent where a robot stands: nobody needs to know how they would sound.
        self._standing = tuple(
            s for s, source in enumerate(own.sources) if source.standing_db is not None
        )
        self._places: OrderedDict[_Place, np.ndarray] = OrderedDict()
        self._spectra: dict[tuple[_Place, int], np.ndarray] = {}

    @property
    def history(self) -> int:
        """How many samples before the first one heard have a part in it."""
        return self.length - 1

    def add(
        self,
        heard: np.ndarray,
        pose: Pose2D,
        ears: RobotEars,
        start: int,
        driving: float | np.ndarray = 0.0,
    ) -> None:
        """
        Add what the ears hear of the robot at a pose to ``heard``, (M, count), in place.

        driving: 0 while it stands, 1 while it drives, between as it starts; a number, (count,), or
        (history + count,) where what came before matters, too.
        Raises QuietNavError where a source or an ear is in a wall.
        """
        count = heard.shape[1]
        which = self.sounding(driving)
        if which:
            signals = self.emitted(ears, start, count, driving)
            heard += self.render(pose, ears, signals, which)

    def sounding(self, driving: float | np.ndarray) -> tuple[int, ...]:
        """Return which sources make noise while the robot drives so."""
        return self._everything if np.any(driving) else self._standing

    def render(
        self, pose: Pose2D, ears: RobotEars, signals: np.ndarray, which: tuple[int, ...]
    ) -> np.ndarray:
        """Return what the ears hear at a pose of what ``emitted`` gave, (M, count)."""
        plan = block_plan(self.length, signals.shape[1] - self.history, len(signals))
        transfer = self._transfer((pose, ears, which), plan[0])
        return overlap_save(signals, transfer, len(ears.positions), plan)

    def emitted(
        self, ears: RobotEars, start: int, count: int, driving: float | np.ndarray
    ) -> np.ndarray:
        """
        Return what each of ``sounding`` emits, float32, (len(sounding), history + count).

        Full scale is 1.0, at 1 m.
        """
        driving = np.asarray(driving, np.float32)
        if driving.ndim and len(driving) == count:
            driving = np.concatenate([np.full(self.history, driving[0], np.float32), driving])
        standing, moving = self.gains(ears)
        first, total = start - self.history, self.history + count
        which = self.sounding(driving)
        signals = np.empty((len(which), total), np.float32)
        for signal, s in zip(signals, which, strict=True):
            gain = standing[s] + driving * (moving[s] - standing[s])
            signal[:] = own_samples(self.own.sources[s], self.own.seed, first, total) * gain
        return signals

    def gains(self, ears: RobotEars) -> np.ndarray:
        """Return amplitudes at 1 m of each source standing and driving, (2, S), full scale 1.0."""
        if ears not in self._gains:
            own = self.own
            levels = np.array(
                [
                    [amplitude_of(source.standing_db) for source in own.sources],
                    [amplitude_of(source.driving_db) for source in own.sources],
                ]
            )
            scale = 10 ** ((self._level_dbfs - own.ambience_db) / 20)
            if own.level_db is not None:
                power = self._power(self.fingerprint_responses(ears), levels[0]).mean()
                if power > 0.0:
                    wanted = 10 ** ((self._level_dbfs + own.level_db) / 20)
                    scale = wanted / math.sqrt(power)
            self._gains[ears] = levels * scale
        return self._gains[ears]

    def levels_db(self, pose: Pose2D | None, ears: RobotEars) -> np.ndarray:
        """
        Return how far the standing robot is above the ambience at each ear, dB, (M,).

        With everything that can be on. pose None: far from any wall.
        """
        if pose is None:
            responses = self.fingerprint_responses(ears)
        else:
            responses = self.responses(pose, ears, self._standing)
        power = self._power(responses, self.gains(ears)[0])
        return 10 * np.log10(np.maximum(power, 1e-20)) - self._level_dbfs

    def fingerprint(self, ears: RobotEars, start: int, count: int) -> np.ndarray:
        """
        Return what the ears hear of the standing robot far from any wall, (M, count).

        Its direct sound and the floor's reflection, everything on that can be on.
        """
        gains = self.gains(ears)[0]
        signals = np.empty((len(self._standing), self.history + count), np.float32)
        for signal, s in zip(signals, self._standing, strict=True):
            source = self.own.sources[s]
            always = replace(source, noise=replace(source.noise, schedule=None))
            first = start - self.history
            signal[:] = own_samples(always, self.own.seed, first, len(signal)) * gains[s]
        plan = block_plan(self.length, count, len(signals))
        spectra = fft.rfft(self.fingerprint_responses(ears), plan[0], axis=-1)
        return overlap_save(signals, spectra, len(ears.positions), plan)

    def responses(self, pose: Pose2D, ears: RobotEars, which: tuple[int, ...]) -> np.ndarray:
        """Return impulse responses of sources to every ear, float32, (M, len(which), length)."""
        key = pose, ears, which
        if key not in self._places:
            mics, looks = ears.at(pose)
            sources = self._source_places(which, pose)
            self._room.require_inside(mics, 'microphone')
            self._room.require_inside(sources, f'own source of robot {self.own.name}')
            self._places[key] = self._respond(ears, mics, looks, which, sources, self._images.of)
            while len(self._places) > _KEPT_PLACES:
                gone, _ = self._places.popitem(last=False)
                for kept in [k for k in self._spectra if k[0] == gone]:
                    del self._spectra[kept]
        return self._places[key]

    def fingerprint_responses(self, ears: RobotEars) -> np.ndarray:
        """Return the responses of what sounds while it stands far from any wall."""
        mics, looks = ears.at(Pose2D())
        sources = self._source_places(self._standing, Pose2D())
        images_of = functools.partial(free_field, self._room)
        return self._respond(ears, mics, looks, self._standing, sources, images_of)

    def _source_places(self, which: tuple[int, ...], pose: Pose2D) -> np.ndarray:
        places = [self.own.sources[s].position for s in which]
        return np.array([(*pose.transform(x, y), z) for x, y, z in places]).reshape(-1, 3)

    def _respond(
        self,
        ears: RobotEars,
        mics: np.ndarray,
        looks: np.ndarray,
        which: tuple[int, ...],
        sources: np.ndarray,
        images_of: Callable[[np.ndarray, np.ndarray], ImageSources],
    ) -> np.ndarray:
        self._refuse_touching(mics, sources, ears, which)
        colors, direct = self._colors_of(ears)
        out = np.empty((len(mics), len(which), self.length), np.float32)
        for m, mic in enumerate(mics):
            images = []
            for s, source in zip(which, sources, strict=True):
                image = images_of(source, mic)
                if len(image.orders) and image.orders[0] == 0:
                    amplitudes = image.amplitudes.copy()
                    amplitudes[0] *= direct[m, s]
                    image = replace(image, amplitudes=amplitudes)
                images.append(image)
            if images:
                out[m] = responses_of(
                    images, mic, looks[m], self._air, self.length, True, colors[m, list(which)]
                )
        return out

    def _transfer(self, place: _Place, size: int) -> np.ndarray:
        responses = self.responses(*place)
        if (place, size) not in self._spectra:
            self._spectra[place, size] = fft.rfft(responses, size, axis=-1)
        return self._spectra[place, size]

    def _power(self, responses: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
        """Mean power at each ear of what stands, at amplitudes (S,) at 1 m, (M,)."""
        transfer = np.abs(np.fft.rfft(responses, 2 ** math.ceil(math.log2(self.length)))) ** 2
        frequency = np.linspace(0.0, SAMPLE_RATE / 2, transfer.shape[-1])
        power = np.zeros(len(responses))
        for row, s in enumerate(self._standing):
            emitted = own_spectrum(self.own.sources[s], frequency) * amplitudes[s] ** 2
            power += transfer[:, row] @ emitted
        return power

    def _colors_of(self, ears: RobotEars) -> tuple[np.ndarray, np.ndarray]:
        """Return the body's coloring of every path (M, S, bins), and of the direct one besides."""
        if ears not in self._colors:
            bins = response_bins(self.length)
            every = self._bodies(ears, bins, False).astype(np.float32)
            self._colors[ears] = every, self._bodies(ears, np.asarray(BANDS_HZ), True)
        return self._colors[ears]

    def _bodies(self, ears: RobotEars, frequency: np.ndarray, direct: bool) -> np.ndarray:
        levels = [
            [body_coloring_db(self.own, s, channel, frequency, direct) for s in self._everything]
            for channel in ears.channels
        ]
        return 10 ** (np.array(levels) / 20)

    def _refuse_touching(
        self, mics: np.ndarray, sources: np.ndarray, ears: RobotEars, which: tuple[int, ...]
    ) -> None:
        away = np.linalg.norm(mics[:, None] - sources, axis=-1)
        for m, row in np.argwhere(away < _NEAREST_M):
            raise QuietNavError(
                f'robot {self.own.name}: source {self.own.sources[which[row]].name} is '
                f'{away[m, row]:.3f} m from the ear of channel {ears.channels[m]}; '
                f'expected {_NEAREST_M} m or more'
            )
