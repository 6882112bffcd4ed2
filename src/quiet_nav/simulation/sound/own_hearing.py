"""What a robot's ears hear of its own sound: directly, and from every surface around it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import (
    LATENCY,
    SPEED_OF_SOUND,
    block_plan,
    overlap_save,
    response_bins,
    responses_of,
)
from quiet_nav.simulation.sound.moving_images import MovingImages, free_field
from quiet_nav.simulation.sound.own_sound import (
    OwnSound,
    amplitude_of,
    body_colouring_db,
    own_samples,
    own_spectrum,
)
from quiet_nav.simulation.rooms.absorption import BANDS_HZ
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


class OwnHearing:
    """A robot's own sound in a room; what is heard depends on place and sample index alone.

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
        self._colours: dict[RobotEars, np.ndarray] = {}
        self._gains: dict[RobotEars, np.ndarray] = {}
        self._places: OrderedDict[tuple[Pose2D, RobotEars], np.ndarray] = OrderedDict()
        self._spectra: dict[tuple[Pose2D, RobotEars, int], np.ndarray] = {}

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
        """Add what the ears hear of the robot at a pose to ``heard``, (M, count), in place.

        driving: 0 while it stands, 1 while it drives, between as it starts; a number, (count,), or
        (history + count,) where what came before matters, too.
        Raises QuietNavError where a source or an ear is in a wall.
        """
        count = heard.shape[1]
        heard += self.render(pose, ears, self.emitted(ears, start, count, driving))

    def render(self, pose: Pose2D, ears: RobotEars, signals: np.ndarray) -> np.ndarray:
        """Return what the ears hear at a pose of what ``emitted`` gave, (M, count)."""
        plan = block_plan(self.length, signals.shape[1] - self.history, len(signals))
        transfer = self._transfer(pose, ears, plan[0])
        return overlap_save(signals, transfer, len(ears.positions), plan)

    def emitted(
        self, ears: RobotEars, start: int, count: int, driving: float | np.ndarray
    ) -> np.ndarray:
        """Return what each source emits, full scale 1.0 at 1 m, float32, (S, history + count)."""
        driving = np.asarray(driving, np.float32)
        if driving.ndim and len(driving) == count:
            driving = np.concatenate([np.full(self.history, driving[0], np.float32), driving])
        standing, moving = self.gains(ears)
        first, total = start - self.history, self.history + count
        signals = np.zeros((len(self.own.sources), total), np.float32)
        for s, source in enumerate(self.own.sources):
            gain = standing[s] + driving * (moving[s] - standing[s])
            if np.any(gain):
                signals[s] = own_samples(source, self.own.seed, first, total) * gain
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
        """Return how far the standing robot is above the ambience at each ear, dB, (M,).

        With everything that can be on. pose None: far from any wall.
        """
        if pose is None:
            responses = self.fingerprint_responses(ears)
        else:
            responses = self.responses(pose, ears)
        power = self._power(responses, self.gains(ears)[0])
        return 10 * np.log10(np.maximum(power, 1e-20)) - self._level_dbfs

    def fingerprint(self, ears: RobotEars, start: int, count: int) -> np.ndarray:
        """Return what the ears hear of the standing robot far from any wall, (M, count).

        Its direct sound and the floor's reflection, everything on that can be on.
        """
        always = tuple(
            replace(s, noise=replace(s.noise, schedule=None)) for s in self.own.sources
        )
        gains = self.gains(ears)[0]
        signals = np.zeros((len(always), self.history + count), np.float32)
        for s, source in enumerate(always):
            if gains[s]:
                first = start - self.history
                signals[s] = own_samples(source, self.own.seed, first, signals.shape[1]) * gains[s]
        plan = block_plan(self.length, count, len(signals))
        spectra = fft.rfft(self.fingerprint_responses(ears), plan[0], axis=-1)
        return overlap_save(signals, spectra, len(ears.positions), plan)

    def responses(self, pose: Pose2D, ears: RobotEars) -> np.ndarray:
        """Return impulse responses of every source to every ear, float32, (M, S, length)."""
        key = pose, ears
        if key not in self._places:
            mics, looks = ears.at(pose)
            sources = np.array([(*pose.transform(*p[:2]), p[2]) for p in self._source_places])
            self._room.require_inside(mics, 'microphone')
            self._room.require_inside(sources, f'own source of robot {self.own.name}')
            self._places[key] = self._respond(
                ears, mics, looks, sources, lambda source, mic: self._images.of(source, mic)
            )
            while len(self._places) > _KEPT_PLACES:
                gone, _ = self._places.popitem(last=False)
                for size in [k for k in self._spectra if k[:2] == gone]:
                    del self._spectra[size]
        return self._places[key]

    def fingerprint_responses(self, ears: RobotEars) -> np.ndarray:
        """Return the responses far from any wall, (M, S, length)."""
        mics, looks = ears.at(Pose2D())
        return self._respond(
            ears,
            mics,
            looks,
            np.array(self._source_places),
            lambda source, mic: free_field(self._room, source, mic),
        )

    @property
    def _source_places(self) -> list[tuple[float, float, float]]:
        return [source.position for source in self.own.sources]

    def _respond(self, ears, mics, looks, sources, images_of) -> np.ndarray:  # type: ignore[no-untyped-def]
        self._refuse_touching(mics, sources, ears)
        colours = self._colours_of(ears)
        direct = self._direct_of(ears)
        out = np.empty((len(mics), len(sources), self.length), np.float32)
        for m, mic in enumerate(mics):
            images = []
            for s, source in enumerate(sources):
                image = images_of(source, mic)
                if image.orders[0] == 0:
                    amplitudes = image.amplitudes.copy()
                    amplitudes[0] *= direct[m, s]
                    image = replace(image, amplitudes=amplitudes)
                images.append(image)
            out[m] = responses_of(
                images, mic, looks[m], self._air, self.length, True, colours[m]
            )
        return out

    def _transfer(self, pose: Pose2D, ears: RobotEars, size: int) -> np.ndarray:
        responses = self.responses(pose, ears)
        key = pose, ears, size
        if key not in self._spectra:
            self._spectra[key] = fft.rfft(responses, size, axis=-1)
        return self._spectra[key]

    def _power(self, responses: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
        """Mean power at each ear of sources of so large amplitudes at 1 m, (M,)."""
        transfer = np.abs(np.fft.rfft(responses, 2 ** math.ceil(math.log2(self.length)))) ** 2
        frequency = np.linspace(0.0, SAMPLE_RATE / 2, transfer.shape[-1])
        emitted = np.array([own_spectrum(source, frequency) for source in self.own.sources])
        return np.einsum('msf,sf->m', transfer, emitted * amplitudes[:, None] ** 2)

    def _colours_of(self, ears: RobotEars) -> np.ndarray:
        """The body's colouring of every path, linear, (M, S, bins)."""
        if ears not in self._colours:
            frequency = response_bins(self.length)
            self._colours[ears] = self._bodies(ears, frequency, False).astype(np.float32)
        return self._colours[ears]

    def _direct_of(self, ears: RobotEars) -> np.ndarray:
        return self._bodies(ears, np.asarray(BANDS_HZ), True).astype(np.float32)

    def _bodies(self, ears: RobotEars, frequency: np.ndarray, direct: bool) -> np.ndarray:
        sources = range(len(self.own.sources))
        levels = [
            [body_colouring_db(self.own, s, channel, frequency, direct) for s in sources]
            for channel in ears.channels
        ]
        return 10 ** (np.array(levels) / 20)

    def _refuse_touching(self, mics: np.ndarray, sources: np.ndarray, ears: RobotEars) -> None:
        away = np.linalg.norm(mics[:, None] - sources, axis=-1)
        for m, s in np.argwhere(away < _NEAREST_M):
            raise QuietNavError(
                f'robot {self.own.name}: source {self.own.sources[s].name} is {away[m, s]:.3f} m '
                f'from the ear of channel {ears.channels[m]}; expected {_NEAREST_M} m or more'
            )
