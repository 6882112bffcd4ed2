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

"""One RealSense camera, or a file recorded from one: opened with profiles, read frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
import threading
import time
from types import TracebackType
from typing import Any

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.sight.realsense.aligning import DepthAligner
from quiet_nav.perception.sight.realsense.library import errors_as, library
from quiet_nav.perception.sight.realsense.profiles import chosen, Profile
from quiet_nav.perception.sight.realsense.stamps import FrameClock

COLOR, DEPTH, ALIGNED = 'color', 'depth', 'aligned_depth_to_color'
#: A camera that starts may take so long, and one that runs is lost after so long without a frame.
FIRST_FRAME_S, LOST_AFTER_S = 6.0, 2.0
#: So many images' time without one is still no loss, however slow the profile.
_LOST_AFTER_IMAGES = 10
#: A file without a frame for so long goes no further.
_FILE_STUCK_S = 15.0
_POLL_MS = 100
#: Older frames give way: who is late wants the newest.
_QUEUE = 4
#: Of a file every image is wanted: a reader may be late by so many.
_FILE_QUEUE = 32
#: Of librealsense's names of formats, those that are published, the best first, and their names in
#: sensor_msgs/Image.
_COLOR_FORMATS = {
    'rgb8': 'rgb8',
    'bgr8': 'bgr8',
    'rgba8': 'rgba8',
    'bgra8': 'bgra8',
    'y8': 'mono8',
}
_MOST_MM = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class CameraRequest:
    """
    Which camera or file, which streams, and how.

    Raises QuietNavError where a profile cannot be read or no stream is wanted.
    """

    #: Serial number; '' takes the first camera.
    serial: str = ''
    #: A recording (.bag) to play instead of a camera; '' for none.
    file: str = ''
    #: Whether color images are wanted.
    color: bool = True
    #: Whether depth images are wanted.
    depth: bool = True
    #: As ``Profile.parse`` reads it (width x height x rate); '' for the usual one.
    color_profile: str = ''
    #: The same of depth.
    depth_profile: str = ''
    #: Depth also in the color image's pixels.
    align: bool = False

    def __post_init__(self) -> None:
        for stream in (COLOR, DEPTH):
            self.profile(stream)
        if not (self.color or self.depth):
            raise QuietNavError('neither color nor depth is wanted: enable one of them')
        if self.align and not (self.color and self.depth):
            raise QuietNavError('depth is aligned to color where both are enabled alone')

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams that the camera is asked for."""
        return tuple(s for s, is_on in ((COLOR, self.color), (DEPTH, self.depth)) if is_on)

    def profile(self, stream: str) -> Profile | None:
        """Return the profile asked for, None for the usual one."""
        text = self.color_profile if stream == COLOR else self.depth_profile
        return Profile.parse(text, f'{stream}_profile')


@dataclass(frozen=True)
class Lens:
    """Intrinsics of a stream in pixels, with the distortion as sensor_msgs/CameraInfo names it."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    model: str = 'plumb_bob'
    coefficients: tuple[float, ...] = (0.0,) * 5


@dataclass(frozen=True)
class Frame:
    """
    One image of a stream.

    pixels: color uint8 (h, w[, channels]); depth uint16 (h, w) in millimeters, 0 where there is no
    reading. number counts what the camera sent, so that a gap is a loss. time_ns: of ``clock``.
    """

    stream: str
    pixels: np.ndarray
    encoding: str
    number: int
    time_ns: int
    clock: FrameClock
    lens: Lens


@dataclass(frozen=True)
class CameraInfo:
    """What a camera says of itself; '' and NaN where it does not."""

    name: str = ''
    serial: str = ''
    firmware: str = ''
    usb: str = ''

    def __str__(self) -> str:
        return ' '.join(filter(None, (self.name, self.serial))) or 'the camera'


@dataclass
class _Stream:
    """A stream that runs: its profile, and when its last frame came."""

    profile: Profile
    heard_s: float = field(default_factory=time.monotonic)
    begun: bool = False

    def silent_for_s(self, now_s: float) -> float:
        """Return by how much the stream is silent for too long, negative where it is not."""
        limit_s = max(LOST_AFTER_S, _LOST_AFTER_IMAGES / self.profile.fps)
        return now_s - self.heard_s - (limit_s if self.begun else max(limit_s, FIRST_FRAME_S))


class RealSense:
    """
    A camera or a file, open as a context; ``frames`` yields what it sees.

    Raises QuietNavError where there is no such camera or file, it does not offer a profile (with
    those that it offers), or it cannot be opened.
    """

    def __init__(self, request: CameraRequest) -> None:
        self._request = request
        self._rs = library()
        self._context = make_context()
        self._sensors: list[Any] = []
        self._base: Any = None
        self._device = self._load() if request.file else self._find()
        self.info = self._about(self._device)
        with errors_as(str(self.info)):
            self._chosen = self._choose()
        #: What each stream sends.
        self.profiles = {
            stream: _profile_of(profile) for stream, (_, profile) in self._chosen.items()
        }

    def __enter__(self) -> RealSense:
        request, rs = self._request, self._rs
        self._queue = rs.frame_queue(_FILE_QUEUE if request.file else _QUEUE)
        slowest_fps = min(profile.fps for profile in self.profiles.values())
        self._aligner = DepthAligner(rs, 500.0 / slowest_fps) if request.align else None
        self._ended = threading.Event()
        by_sensor: dict[int, list[Any]] = {}
        for number, profile in self._chosen.values():
            by_sensor.setdefault(number, []).append(profile)
        with errors_as(str(self.info)):
            sensors = list(self._device.query_sensors())
            if request.file:
                self._device.set_status_changed_callback(self._on_status)
            for number, profiles in by_sensor.items():
                sensors[number].open(profiles)
                self._sensors.append(sensors[number])
            if not request.file:
                self._start()
                return self
            # A file would run on while its streams start one after the other.
            playback = self._device.as_playback()
            playback.pause()
            self._start()
            playback.resume()
        return self

    def _start(self) -> None:
        for sensor in self._sensors:
            sensor.start(self._queue)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A camera that is gone cannot be stopped: the library says so for each step.
        for action in ('stop', 'close'):
            for sensor in self._sensors:
                try:
                    getattr(sensor, action)()
                except RuntimeError:
                    continue
        self._sensors.clear()

    @property
    def color_in_depth(self) -> tuple[np.ndarray, np.ndarray] | None:
        """
        Rotation (3, 3) and place (3,) in meters of the color camera in the depth camera's frame.

        In optical axes. None where color does not run, and where the camera does not know.
        """
        if COLOR not in self._chosen or self._base is None:
            return None
        try:
            pose = self._chosen[COLOR][1].get_extrinsics_to(self._base)
        except RuntimeError:
            return None
        # librealsense keeps matrices column by column.
        return np.array(pose.rotation).reshape(3, 3).T, np.array(pose.translation)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """
        Yield frames until ``stop`` is set or the file is over.

        Raises QuietNavError where the camera is gone or a stream has ended.
        """
        running = {stream: _Stream(profile) for stream, profile in self.profiles.items()}
        heard_s = time.monotonic()
        while not stop.is_set():
            with errors_as(str(self.info)):
                came, raw = self._queue.try_wait_for_frame(_POLL_MS)
                found = list(self._read(raw)) if came else []
            now_s = time.monotonic()
            for frame in found:
                if frame.stream in running:
                    running[frame.stream].heard_s = heard_s = now_s
                    running[frame.stream].begun = True
                yield frame
            if self._request.file:
                if not came and self._ended.is_set():
                    return
                if now_s - heard_s > _FILE_STUCK_S:
                    raise QuietNavError(
                        f'{self._request.file}: no frame for {_FILE_STUCK_S:.0f} s; is it damaged?'
                    )
            else:
                self._check_alive(running, now_s)

    def _read(self, raw: Any) -> Iterator[Frame]:
        """Return the frame that the queue gave, and the depth that is aligned by it."""
        frame = raw.as_video_frame()
        stream = _stream_of(frame.get_profile(), self._rs)
        if not stream:
            return
        yield self._frame(frame, stream)
        if self._aligner is not None:
            aligned = self._aligner.add(frame, stream == DEPTH)
            if aligned is not None:
                yield self._frame(aligned, ALIGNED)

    def _frame(self, frame: Any, stream: str) -> Frame:
        profile = frame.get_profile().as_video_stream_profile()
        # The library takes the memory back with the frame.
        pixels = np.array(frame.get_data())
        if stream == COLOR:
            encoding = _COLOR_FORMATS[profile.format().name]
        else:
            encoding = '16UC1'
            pixels = _millimeters(pixels, frame.as_depth_frame().get_units())
        is_own = frame.get_frame_timestamp_domain() == self._rs.timestamp_domain.hardware_clock
        return Frame(
            stream,
            pixels,
            encoding,
            frame.get_frame_number(),
            round(frame.get_timestamp() * 1e6),
            FrameClock.DEVICE if is_own else FrameClock.HOST,
            _lens(profile, self._rs),
        )

    def _check_alive(self, running: dict[str, _Stream], now_s: float) -> None:
        silent = [stream for stream, state in running.items() if state.silent_for_s(now_s) > 0.0]
        if not silent:
            return
        if not self._device.is_connected():
            raise QuietNavError(f'{self.info} was unplugged')
        quiet_s = max(now_s - running[stream].heard_s for stream in silent)
        raise QuietNavError(
            f'{self.info}: no {" and no ".join(silent)} for {quiet_s:.1f} s; was it unplugged, or '
            'is the USB port or cable too slow for the profiles?'
        )

    # What there is

    def _load(self) -> Any:
        path = Path(self._request.file)
        if not path.is_file():
            raise QuietNavError(f'{path}: no such file')
        with errors_as(
            f'{path}: not a recording of a RealSense camera (.bag, .db3), or not a whole one'
        ):
            return self._context.load_device(str(path))

    def _find(self) -> Any:
        with errors_as('the cameras there are cannot be listed'):
            there = [(self._about(device), device) for device in self._context.query_devices()]
        wanted = self._request.serial
        for info, device in there:
            if wanted in ('', info.serial):
                return device
        if there:
            listed = ', '.join(str(info) for info, _ in there)
            raise QuietNavError(f'no camera with serial number {wanted}; there are: {listed}')
        raise QuietNavError(
            'no RealSense camera found: is it plugged in, and may this user open it (udev rules of '
            'librealsense)?'
        )

    def _about(self, device: Any) -> CameraInfo:
        keys = self._rs.camera_info
        values = [
            device.get_info(key) if device.supports(key) else ''
            for key in (
                keys.name, keys.serial_number, keys.firmware_version, keys.usb_type_descriptor,
            )
        ]  # fmt: skip
        return CameraInfo(*values)

    def _choose(self) -> dict[str, tuple[int, Any]]:
        """Return for each stream that is wanted the number of its sensor and its profile."""
        offered: dict[str, list[tuple[int, Any]]] = {COLOR: [], DEPTH: []}
        for number, sensor in enumerate(self._device.query_sensors()):
            for profile in sensor.get_stream_profiles():
                stream = _stream_of(profile, self._rs)
                if stream:
                    offered[stream].append((number, profile.as_video_stream_profile()))
        self._base = offered[DEPTH][0][1] if offered[DEPTH] else None
        found = {}
        for stream in self._request.streams:
            there = offered[stream]
            wanted = chosen(
                self._request.profile(stream),
                [_profile_of(profile) for _, profile in there],
                f'{stream}_profile',
                str(self.info),
            )
            fitting = [item for item in there if _profile_of(item[1]) == wanted]
            found[stream] = min(fitting, key=lambda item: _rank(item[1]))
        return found

    def _on_status(self, status: Any) -> None:
        # Called in the library's thread.
        if status == self._rs.playback_status.stopped:
            self._ended.set()


def make_context() -> Any:
    """Return the library's context, which sees what is plugged in."""
    with errors_as('librealsense cannot begin'):
        return library().context()


def _stream_of(profile: Any, rs: Any) -> str:
    """Return which of our streams a profile is of; '' for what is not published."""
    if not profile.is_video_stream_profile():
        return ''
    kind, name = profile.stream_type(), profile.format().name
    if kind == rs.stream.depth and name == 'z16':
        return DEPTH
    return COLOR if kind == rs.stream.color and name in _COLOR_FORMATS else ''


def _profile_of(profile: Any) -> Profile:
    return Profile(profile.width(), profile.height(), profile.fps())


def _rank(profile: Any) -> int:
    name = profile.format().name
    return list(_COLOR_FORMATS).index(name) if name in _COLOR_FORMATS else 0


def _lens(profile: Any, rs: Any) -> Lens:
    found = profile.get_intrinsics()
    fish = found.model == rs.distortion.kannala_brandt4
    coefficients = tuple(map(float, found.coeffs))
    return Lens(
        found.width,
        found.height,
        found.fx,
        found.fy,
        found.ppx,
        found.ppy,
        'equidistant' if fish else 'plumb_bob',
        coefficients[:4] if fish else coefficients,
    )


def _millimeters(depth: np.ndarray, units_m: float) -> np.ndarray:
    """Return depth, uint16 in units of so many meters, in millimeters; 0 where it is too far."""
    per_unit = units_m * 1000.0
    if abs(per_unit - 1.0) < 1e-3:
        return depth
    scaled = np.rint(depth * np.float32(per_unit))
    return np.where(scaled > _MOST_MM, 0, scaled).astype(np.uint16)
