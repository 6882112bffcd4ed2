"""Hearing: what microphones and rigs hear in a scene, at any place and over any interval."""

from __future__ import annotations

import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.distractors import event_samples
from quiet_nav.simulation.sound.scenes import Scene
from quiet_nav.simulation.sound.sources import Source, source_samples, source_spectrum
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator, stream_key, white_noise

_REFERENCE_POINTS = 4


class Hearing:
    """Ears in a scene; what they hear depends on (scene, place, sample index) alone.

    Time is counted in samples at 16 kHz from the scene's beginning. Intervals that follow each
    other join seamlessly, and ears at the same time hear the same sources.
    """

    def __init__(self, scene: Scene) -> None:
        if not scene.sources:
            raise QuietNavError('a scene needs at least one source')
        self.scene = scene
        self.acoustics = RoomAcoustics(scene.room, [s.position for s in scene.sources])
        self._level = self._calibrate()
        self._events: dict[int, tuple[RoomAcoustics, float]] = {}

    def at(
        self, mics: np.ndarray, start: int, count: int, looks: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the sound in the room at microphones, float32, shape (M, count).

        mics: (M, 3) in metres; looks: (M, 3) directions of cardioids, zeros for omnidirectional.
        Neither microphone noise nor gains are in it. Full scale is 1.0.
        """
        history = self.acoustics.history
        heard = self.acoustics.render(mics, self.emitted(start - history, count + history), looks)
        self.add_events(heard, mics, start, looks)
        return heard

    def microphones(
        self,
        mics: np.ndarray,
        start: int,
        count: int,
        looks: np.ndarray | None = None,
        channels: list[int] | None = None,
    ) -> np.ndarray:
        """Return what microphones record: ``at`` with each one's gain and noise, (M, count).

        channels: which microphone each is, 0 to M - 1 by default; gain and noise follow it.
        """
        heard = self.at(mics, start, count, looks)
        for row, channel in enumerate(channels or range(len(heard))):
            heard[row] = self.record(heard[row], channel, start)
        return heard

    def rig(
        self, rig: Rig, pose: Pose2D, start: int, count: int, motor: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Return what a rig records at a pose, float32, (channels of the rig's ears, count).

        Row i is ``rig.ears[i]``. motor: how much the robot's own noise is heard, 0 at rest and
        1 while it drives; a number or (count,).
        Raises QuietNavError where an ear is outside the room or inside a wall.
        """
        mics, looks = ears_in_room(rig, pose)
        heard = self.at(mics, start, count, looks)
        self.add_motor(heard, start, motor)
        for row, ear in enumerate(rig.ears):
            heard[row] = self.record(heard[row], ear.channel, start)
        return heard

    def along(
        self, path: np.ndarray, start: int, count: int, motor: float = 1.0, channel: int = 0
    ) -> np.ndarray:
        """Return what a moving microphone records, float32, shape (count,).

        path: (K, 3) positions in metres, evenly spaced over the interval, K >= 2; between them
        the sound cross-fades, so neighbours should be at most a centimetre or so apart.
        """
        path = np.asarray(path, float)
        if path.ndim != 2 or len(path) < 2:
            raise QuietNavError(f'path of shape {path.shape}; expected (K, 3) with K >= 2')
        history = self.acoustics.history
        emitted = self.emitted(start - history, count + history)
        nodes = np.linspace(0, count - 1, len(path)).round().astype(int)
        heard = np.zeros(count, np.float32)
        for k, place in enumerate(path):
            first, last = nodes[max(k - 1, 0)], nodes[min(k + 1, len(nodes) - 1)] + 1
            piece = emitted[:, first : last + history]
            weight = np.interp(
                np.arange(first, last),
                nodes[max(k - 1, 0) : k + 2],
                [0.0, 1.0, 0.0][(k == 0) : 3 - (k == len(path) - 1)],
            )
            heard[first:last] += weight * self.acoustics.render(place, piece)[0]
        self.add_events(heard[None], path[len(path) // 2][None], start)
        self.add_motor(heard[None], start, motor)
        return self.record(heard, channel, start)

    def gain(self, channel: int) -> float:
        """Return the linear gain of a microphone."""
        spread = self.scene.gain_spread_db
        return 10 ** (generator(self.scene.seed, 'gain', channel).uniform(-spread, spread) / 20)

    def emitted(self, start: int, count: int) -> np.ndarray:
        """Return what the sources emit, at the level of the scene, float32, (S, count)."""
        scene = self.scene
        signals = [source_samples(s, scene.seed, start, count, scene.sounds) for s in scene.sources]
        return np.stack(signals) * np.float32(self._level)

    def record(self, heard: np.ndarray, channel: int, start: int) -> np.ndarray:
        """Return sound (count,) with a microphone's gain and its noise."""
        noise = white_noise(stream_key(self.scene.seed, 'mic', channel), start, len(heard))
        noise = noise * np.float32(10 ** (self.scene.mic_noise_dbfs / 20))
        return heard * np.float32(self.gain(channel)) + noise

    def add_events(
        self, heard: np.ndarray, mics: np.ndarray, start: int, looks: np.ndarray | None = None
    ) -> None:
        """Add what distractors sound like at microphones to ``heard``, (M, count), in place."""
        for index in range(len(self.scene.events)):
            self._add_event(heard, index, mics, looks, start)

    def add_motor(self, heard: np.ndarray, start: int, motor: float | np.ndarray) -> None:
        """Add the robot's own noise, as loud as ``motor`` says, to ``heard``, (M, count)."""
        if np.any(motor) and self.scene.motor is not None:
            own = source_samples(self.scene.motor, self.scene.seed, start, heard.shape[1])
            heard += own * np.asarray(motor, np.float32)

    def _reference_points(self) -> np.ndarray:
        """Points well inside the room at which levels are defined, the same for a seed."""
        from quiet_nav.simulation.sound.scenes import draw_point

        rng = generator(self.scene.seed, 'reference')
        points = [draw_point(self.scene.room, rng, 0.3) for _ in range(_REFERENCE_POINTS)]
        height = min(1.0, self.scene.room.height / 2)
        return np.column_stack([points, np.full(len(points), height)])

    def _calibrate(self) -> float:
        responses = self.acoustics.impulse_responses(self._reference_points())
        power = np.abs(np.fft.rfft(responses, 2 ** math.ceil(math.log2(responses.shape[-1])))) ** 2
        frequency = np.linspace(0.0, SAMPLE_RATE / 2, power.shape[-1])
        total = 0.0
        for s, source in enumerate(self.scene.sources):
            spectrum = source_spectrum(source, frequency, self.scene.sounds)
            rms = _source_rms(source)
            total += rms**2 * float((power[:, s] * spectrum).sum(axis=-1).mean())
        return 10 ** (self.scene.level_dbfs / 20) / math.sqrt(total)

    def _add_event(
        self, heard: np.ndarray, index: int, mics: np.ndarray, looks: np.ndarray | None, start: int
    ) -> None:
        scene = self.scene
        event = scene.events[index]
        emitted = event_samples(event, scene.seed, scene.sounds)
        first = round(event.start_s * SAMPLE_RATE) - start
        if index not in self._events:
            acoustics = RoomAcoustics(scene.room, [event.position])
            responses = acoustics.impulse_responses(self._reference_points())[:, 0]
            size = 2 ** math.ceil(math.log2(responses.shape[-1] + len(emitted)))
            energy = np.abs(np.fft.rfft(responses, size) * np.fft.rfft(emitted, size)) ** 2
            rms = math.sqrt(2 * energy.sum(axis=-1).mean() / size / len(emitted))
            level = 10 ** ((scene.level_dbfs - event.snr_db) / 20) / rms
            self._events[index] = acoustics, level
        acoustics, level = self._events[index]
        count = heard.shape[1]
        if first >= count or first + len(emitted) + acoustics.history <= 0:
            return
        signals = np.zeros((1, acoustics.history + count), np.float32)
        at = first + acoustics.history
        begin, end = max(at, 0), min(at + len(emitted), signals.shape[1])
        signals[0, begin:end] = emitted[begin - at : end - at] * level
        heard += acoustics.render(mics, signals, looks)


def ears_in_room(rig: Rig, pose: Pose2D) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (n, 3) in m and directions (n, 3; zeros where omni) of a rig's ears."""
    mics, looks = [], []
    for ear in rig.ears:
        x, y = pose.transform(ear.x, ear.y)
        mics.append((x, y, ear.z))
        yaw = pose.yaw + ear.yaw_rad
        looks.append(
            (math.cos(yaw), math.sin(yaw), 0.0) if ear.pattern == 'cardioid' else (0.0, 0.0, 0.0)
        )
    return np.array(mics), np.array(looks)


def _source_rms(source: Source) -> float:
    hum = sum(a * a for a in source.hum_amplitudes) / 2 if not source.recording else 0.0
    return 10 ** (source.level_db / 20) * math.sqrt(1.0 + hum)
