"""Hearing: what microphones and rigs hear in a scene, at any place and over any interval."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.ambient_kinds import AMBIENT_KINDS
from quiet_nav.simulation.sound.capsules import Capsule, CAPSULE_HALF
from quiet_nav.simulation.sound.distractors import event_samples
from quiet_nav.simulation.sound.own_hearing import OwnHearing, RobotEars
from quiet_nav.simulation.sound.own_sound import silent
from quiet_nav.simulation.sound.scenes import Scene
from quiet_nav.simulation.sound.sources import Source, source_samples, source_spectrum
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator, stream_key, white_noise

_REFERENCE_POINTS = 4


class Hearing:
    """
    Ears in a scene; what they hear depends on (scene, place, sample index) alone.

    Time is counted in samples at 16 kHz from the scene's beginning. Intervals that follow each
    other join seamlessly, and ears at the same time hear the same sources.
    """

    def __init__(
        self,
        scene: Scene,
        acoustics: RoomAcoustics | None = None,
        reference: np.ndarray | None = None,
    ) -> None:
        """
        Take a scene, and set its level.

        acoustics: from the scene's sources; image sources in its room by default. reference: points
        (n, 3) at which its level is set; ``reference_points`` by default.
        """
        if not scene.sources and silent(scene.own):
            raise QuietNavError('a scene needs at least one source, or a robot that makes noise')
        self.scene = scene
        self.acoustics = acoustics
        self._reference = reference_points(scene) if reference is None else reference
        if scene.sources and acoustics is None:
            places = np.array([source.position for source in scene.sources])
            self.acoustics = RoomAcoustics(scene.room, places)
        self._level = self._calibrate(self.acoustics) if self.acoustics is not None else 0.0
        self.own: OwnHearing | None = None
        if scene.own is not None and not silent(scene.own):
            self.own = OwnHearing(scene.room, scene.own, scene.level_dbfs)
        self._events: dict[int, tuple[RoomAcoustics, float]] = {}

    def at(
        self, mics: np.ndarray, start: int, count: int, looks: np.ndarray | None = None
    ) -> np.ndarray:
        """
        Return the sound in the room at microphones, float32, shape (M, count).

        mics: (M, 3) in metres; looks: (M, 3) directions of cardioids, zeros for omnidirectional.
        Neither microphone noise nor gains are in it. Full scale is 1.0.
        """
        heard = np.zeros((len(np.atleast_2d(mics)), count), np.float32)
        if self.acoustics is not None:
            heard = self.acoustics.render(mics, self.emitted_before(start, count), looks)
        self.add_events(heard, mics, start, looks)
        return heard

    def microphones(
        self,
        mics: np.ndarray,
        start: int,
        count: int,
        looks: np.ndarray | None = None,
        channels: list[int] | None = None,
        robot: Pose2D | None = None,
    ) -> np.ndarray:
        """
        Return what microphones record: ``at`` with each one's gain and noise, (M, count).

        channels: which microphone each is, 0 to M - 1 by default; gain and noise follow it.
        robot: where the robot stands that carries them, whose own sound is then heard, too.
        """
        begin, total = start - self.pad, count + 2 * self.pad
        heard = self.at(mics, begin, total, looks)
        channels = channels or list(range(len(heard)))
        if robot is not None and self.own is not None:
            mics = np.atleast_2d(mics)
            looks = np.zeros_like(mics) if looks is None else looks
            self.own.add(heard, robot, RobotEars.seen_from(robot, mics, looks, channels), begin)
        return self._recorded(heard, channels, start)

    def rig(
        self, rig: Rig, pose: Pose2D, start: int, count: int, motor: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """
        Return what a rig records at a pose, float32, (channels of the rig's ears, count).

        Row i is ``rig.ears[i]``. motor: whether the robot drives, 0 at rest and 1 while it does; a
        number or (count,). Its own sound is heard accordingly.
        Raises QuietNavError where an ear is outside the room or inside a wall.
        """
        ears = RobotEars.of(rig)
        mics, looks = ears.at(pose)
        begin, total = start - self.pad, count + 2 * self.pad
        heard = self.at(mics, begin, total, looks)
        if np.ndim(motor):
            motor = np.pad(np.asarray(motor, np.float32), self.pad, mode='edge')
        if self.own is not None:
            self.own.add(heard, pose, ears, begin, motor)
        self.add_motor(heard, begin, motor)
        return self._recorded(heard, ears.channels, start)

    def along(
        self,
        path: np.ndarray,
        start: int,
        count: int,
        motor: float = 1.0,
        channel: int = 0,
        robots: Sequence[Pose2D] = (),
    ) -> np.ndarray:
        """
        Return what a moving microphone records, float32, shape (count,).

        path: (K, 3) positions in metres, evenly spaced over the interval, K >= 2; between them
        the sound cross-fades, so neighbours should be at most a centimetre or so apart.
        robots: K poses of the robot that carries it, whose own sound is then heard, too.
        """
        path = np.asarray(path, float)
        if path.ndim != 2 or len(path) < 2:
            raise QuietNavError(f'path of shape {path.shape}; expected (K, 3) with K >= 2')
        begin, total = start - self.pad, count + 2 * self.pad
        emitted = self.emitted_before(begin, total)
        own: np.ndarray | None = None
        robot = self.own if robots else None
        if robot is not None:
            looks = np.zeros((1, 3))
            ears = RobotEars.seen_from(robots[0], path[:1], looks, [channel])
            own = robot.emitted(ears, begin, total, motor)
            which = robot.sounding(motor)
        nodes = np.linspace(0, total - 1, len(path)).round().astype(int)
        heard = np.zeros(total, np.float32)
        for k, place in enumerate(path):
            first, last = nodes[max(k - 1, 0)], nodes[min(k + 1, len(nodes) - 1)] + 1
            weight = np.interp(
                np.arange(first, last),
                nodes[max(k - 1, 0) : k + 2],
                [0.0, 1.0, 0.0][(k == 0) : 3 - (k == len(path) - 1)],
            )
            if self.acoustics is not None:
                piece = emitted[:, first : last + self.acoustics.history]
                heard[first:last] += weight * self.acoustics.render(place, piece)[0]
            if robot is not None and own is not None:
                piece = own[:, first : last + robot.history]
                heard[first:last] += weight * robot.render(robots[k], ears, piece, which)[0]
        self.add_events(heard[None], path[len(path) // 2][None], begin)
        self.add_motor(heard[None], begin, motor)
        return self._recorded(heard[None], [channel], start)[0]

    def gain(self, channel: int) -> float:
        """Return the linear gain of a microphone."""
        spread = self.scene.gain_spread_db
        return 10 ** (generator(self.scene.seed, 'gain', channel).uniform(-spread, spread) / 20)

    def emitted(self, start: int, count: int) -> np.ndarray:
        """Return what the sources emit, at the level of the scene, float32, (S, count)."""
        scene = self.scene
        signals = [source_samples(s, scene.seed, start, count, scene.sounds) for s in scene.sources]
        return np.stack(signals) * np.float32(self._level)

    @property
    def pad(self) -> int:
        """How many samples before and after an interval ``record`` needs."""
        return CAPSULE_HALF if self.scene.real_microphones else 0

    def record(self, heard: np.ndarray, channel: int, start: int) -> np.ndarray:
        """
        Return sound with a microphone's response, gain and noise, (n - 2 * pad,).

        start: of what is returned.
        """
        scene, pad = self.scene, self.pad
        noise = white_noise(stream_key(scene.seed, 'mic', channel), start - pad, len(heard))
        if scene.real_microphones:
            heard, noise = Capsule.draw(scene.seed, channel).record(heard, noise)
        noise = noise * np.float32(10 ** (scene.mic_noise_dbfs / 20))
        return heard * np.float32(self.gain(channel)) + noise

    def fingerprint(self, rig: Rig, start: int, count: int) -> np.ndarray:
        """
        Return what a rig records of its standing robot far from any wall, (ears, count).

        The robot's direct sound and the floor's reflection of it, with the microphones' responses,
        gains and noise, and no ambience.
        """
        ears = RobotEars.of(rig)
        heard = np.zeros((len(rig.ears), count + 2 * self.pad), np.float32)
        if self.own is not None:
            heard += self.own.fingerprint(ears, start - self.pad, heard.shape[1])
        return self._recorded(heard, ears.channels, start)

    def _recorded(self, heard: np.ndarray, channels: Sequence[int], start: int) -> np.ndarray:
        rows = [self.record(row, c, start) for row, c in zip(heard, channels, strict=True)]
        return np.stack(rows)

    def emitted_before(self, start: int, count: int) -> np.ndarray:
        """Return what the sources emit over an interval and the history that it needs, (S, n)."""
        if self.acoustics is None:
            return np.empty((0, count), np.float32)
        history = self.acoustics.history
        return self.emitted(start - history, count + history)

    def add_events(
        self, heard: np.ndarray, mics: np.ndarray, start: int, looks: np.ndarray | None = None
    ) -> None:
        """Add what distractors sound like at microphones to ``heard``, (M, count), in place."""
        for index in range(len(self.scene.events)):
            self._add_event(heard, index, mics, looks, start)

    def add_motor(self, heard: np.ndarray, start: int, motor: float | np.ndarray) -> None:
        """
        Add a motor that is in all ears alike, as loud as ``motor`` says, to ``heard``.

        Of scenes whose robot has no own sound with places of its own.
        """
        if np.any(motor) and self.scene.motor is not None and self.scene.own is None:
            own = source_samples(self.scene.motor, self.scene.seed, start, heard.shape[1])
            heard += own * np.asarray(motor, np.float32)

    def _calibrate(self, acoustics: RoomAcoustics) -> float:
        responses = acoustics.impulse_responses(self._reference)
        power = np.abs(np.fft.rfft(responses, 2 ** math.ceil(math.log2(responses.shape[-1])))) ** 2
        frequency = np.linspace(0.0, SAMPLE_RATE / 2, power.shape[-1])
        total = 0.0
        for s, source in enumerate(self.scene.sources):
            spectrum = source_spectrum(source, frequency, self.scene.sounds, self.scene.seed)
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
            acoustics = RoomAcoustics(scene.room, np.array([event.position]))
            responses = acoustics.impulse_responses(reference_points(self.scene))[:, 0]
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


def reference_points(scene: Scene) -> np.ndarray:
    """Return points (n, 3) well inside the room at which levels are defined, the same for a seed."""
    from quiet_nav.simulation.sound.scenes import draw_point

    rng = generator(scene.seed, 'reference')
    points = [draw_point(scene.room, rng, 0.3) for _ in range(_REFERENCE_POINTS)]
    height = min(1.0, scene.room.height / 2)
    return np.column_stack([points, np.full(len(points), height)])


def ears_in_room(rig: Rig, pose: Pose2D) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (n, 3) in m and directions (n, 3; zeros where omni) of a rig's ears."""
    return RobotEars.of(rig).at(pose)


def _source_rms(source: Source) -> float:
    loop = source.recording or source.kind in AMBIENT_KINDS
    hum = 0.0 if loop else sum(a * a for a in source.hum_amplitudes) / 2
    return 10 ** (source.level_db / 20) * math.sqrt(1.0 + hum)
