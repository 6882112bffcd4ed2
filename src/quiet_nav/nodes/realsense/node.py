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

"""Node `realsense`: publishes a RealSense camera, or a file of one, as realsense2_camera does."""

from __future__ import annotations

from collections.abc import Iterator
import sys
import threading

from rclpy.clock import Clock, ClockType

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.base import ManagedNode, transition
from quiet_nav.nodes.camera_messages import make_bridge
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.failures import one_line, raise_in_executor
from quiet_nav.nodes.parameters import Parameters
from quiet_nav.nodes.realsense.parameters import RealSenseParameters
from quiet_nav.nodes.realsense.topics import CameraTopics
from quiet_nav.nodes.runtime import now_ns, run
from quiet_nav.perception.sight.realsense.camera import (
    ALIGNED,
    CameraInfo,
    DEPTH,
    Frame,
    RealSense,
)
from quiet_nav.perception.sight.realsense.library import library
from quiet_nav.perception.sight.realsense.meter import StreamMeter
from quiet_nav.perception.sight.realsense.profiles import Profile
from quiet_nav.perception.sight.realsense.stamps import FrameStamps

#: Who ends the thread waits so long for it; a camera that hangs is left behind.
_END_S = 5.0
_POLL_S = 0.05


class RealSenseNode(ManagedNode):
    """Reads the camera in a thread of its own, and looks for it again where it is gone."""

    def __init__(self, **options: object) -> None:
        super().__init__('realsense', **options)
        self._topics: CameraTopics | None = None
        self._declared = Parameters(
            self, RealSenseParameters, configured=lambda: self._topics is not None
        )
        self._settings: RealSenseParameters = self._declared.value
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._forget()
        self._diagnostics = Diagnostics(self, 'camera', self._health, hardware_id='realsense')

    def _forget(self) -> None:
        """Begin as a node that has seen nothing."""
        self._fault, self._waits, self._ended, self._reconnects = '', False, False, 0
        self._info, self._profiles = CameraInfo(), dict[str, Profile]()
        self._meters: dict[str, StreamMeter] = {}
        self._delay_s = float('nan')
        self._reported_ns = self._steady.now().nanoseconds

    # Lifecycle

    @transition
    def on_configure(self, _state: object) -> None:
        self._forget()
        p = self._settings = self._declared.value
        request = p.request()
        streams = (*request.streams, *([ALIGNED] if request.align else []))
        self._topics = CameraTopics(self, p.camera_name, streams)
        try:
            library()
            make_bridge()
            if p.file:
                # A file stays what it is, where a camera may be plugged in later.
                self._info = RealSense(request).info
        except QuietNavError as error:
            self._release()
            self._fault = str(error)
            self._diagnostics.publish()
            raise

    @transition
    def on_activate(self, state: object) -> None:
        super().on_activate(state)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(self._stop,), name='camera', daemon=True
        )
        self._thread.start()

    @transition
    def on_deactivate(self, state: object) -> None:
        self._end()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, _state: object) -> None:
        self._release()

    @transition
    def on_shutdown(self, _state: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of camera and topics."""
        self._end()
        self._release()

    def _end(self) -> None:
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(_END_S)
            if thread.is_alive():
                self.log.error('the camera does not let go: it is left behind')

    def _release(self) -> None:
        if self._topics is not None:
            self._topics.destroy()
        self._topics = None
        self._forget()

    # In the camera's thread

    def _work(self, stop: threading.Event) -> None:
        try:
            p = self._settings
            if p.file:
                self._play(stop)
                return
            while not stop.is_set():
                try:
                    self._watch(stop)
                except QuietNavError as error:
                    self._fail(str(error))
                    stop.wait(p.reconnect_timeout)
        except Exception as error:
            # A thread that dies unseen would look like a camera that sees nothing.
            self._fault, self._waits = one_line(error), False
            raise_in_executor(self, error)

    def _play(self, stop: threading.Event) -> None:
        p = self._settings
        try:
            if p.wait_for_subscriber:
                self._fault, self._waits = 'waiting for a subscriber of an image', True
                while self._topics is not None and not self._topics.subscribers:
                    if stop.wait(_POLL_S):
                        return
            self._watch(stop)
            while p.loop and not stop.is_set():
                self._watch(stop)
        except QuietNavError as error:
            self._fail(str(error))
            return
        if not stop.is_set():
            self._ended = True
            self.log.info(f'end of {p.file}')

    def _watch(self, stop: threading.Event) -> None:
        """Publish what the camera sees until it, or its file, has ended."""
        p, topics = self._settings, self._topics
        with RealSense(p.request()) as camera:
            # What a camera counts and stamps begins anew when it is opened.
            stamps = FrameStamps(not p.file and not self.get_parameter('use_sim_time').value)
            seen = False
            for frame in self._begun(camera, stop):
                seen = True
                arrived_ns = now_ns(self)
                stamp_ns = stamps.stamp_ns(frame.stream, frame.time_ns, frame.clock, arrived_ns)
                topics.publish(frame, stamp_ns)
                with self._lock:
                    self._meters.setdefault(frame.stream, StreamMeter()).add(frame)
                    self._delay_s = (now_ns(self) - stamp_ns) / 1e9
        if not seen and not stop.is_set():
            raise QuietNavError(f'{p.file}: no images of {" and ".join(camera.profiles)} in it')

    def _begun(self, camera: RealSense, stop: threading.Event) -> Iterator[Frame]:
        """Yield the camera's frames, and say with the first of them that it is there."""
        with self._lock:
            for meter in self._meters.values():
                meter.begin_again()
        told = False
        for frame in camera.frames(stop):
            if not told:
                told = True
                self._tell(camera)
            yield frame

    def _tell(self, camera: RealSense) -> None:
        p = self._settings
        if p.publish_tf:
            self._topics.publish_frames(camera.color_in_depth)
        lost, self._fault = self._fault, ''
        if p.file and self._profiles:
            return
        self._info, self._profiles = camera.info, camera.profiles
        with self._lock:
            for meter in self._meters.values():
                meter.report()
            self._reported_ns = self._steady.now().nanoseconds
        profiles = ', '.join(f'{name} {profile}' for name, profile in camera.profiles.items())
        again = ' again' if lost and self._reconnects else ''
        self.log.info(f'{camera.info}{again}: {profiles}')

    def _fail(self, text: str) -> None:
        if self._profiles and not self._fault:
            self._reconnects += 1
        self.log.error(text, cause=text)
        self._fault, self._waits = text, False

    # Health

    def _health(self) -> Status:
        if self._topics is None:
            level = Level.ERROR if self._fault else Level.OK
            return Status(level, self._fault or 'not configured')
        p, info, now = self._declared.value, self._info, self._steady.now().nanoseconds
        with self._lock:
            reports = {stream: meter.report() for stream, meter in self._meters.items()}
            elapsed_s, self._reported_ns = max((now - self._reported_ns) / 1e9, 1e-9), now
            delay_s = self._delay_s
        values: dict[str, object] = {
            'source': p.file or 'camera',
            'device': info.name,
            'serial number': info.serial,
            'firmware': info.firmware,
            'USB': info.usb,
            'reconnects': self._reconnects,
            'delay s': delay_s,
        }
        warnings = []
        if info.usb.startswith(('1', '2')) and not p.file:
            warnings.append(f'connected by USB {info.usb}: use a USB 3 port and cable')
        for stream, report in reports.items():
            rate_hz = report.frames / elapsed_s
            values |= {f'{stream} rate_hz': rate_hz, f'{stream} lost': report.lost_in_all}
            if stream not in self._profiles:
                continue
            values[f'{stream} profile'] = profile = self._profiles[stream]
            if report.lost:
                warnings.append(f'{report.lost} {stream} images lost: too slow a port or computer')
            # The report's time need not be a whole number of images.
            if (report.frames + 1) / elapsed_s < p.min_rate * profile.fps:
                warnings.append(f'{rate_hz:.1f} {stream} images a second, {profile.fps} expected')
            if stream == DEPTH:
                values['depth without reading'] = report.unread
                if report.unread > p.max_unread:
                    warnings.append(
                        f'{100.0 * report.unread:.0f} % of the depth image without a reading: '
                        'covered, in the dark or too near?'
                    )
        if self._thread is None:
            return Status(Level.OK, 'inactive', values)
        if self._ended:
            return Status(Level.OK, 'end of the file', values)
        if self._fault:
            return Status(Level.WARN if self._waits else Level.ERROR, self._fault, values)
        if not reports:
            return Status(Level.WARN, 'starting', values)
        level = Level.WARN if warnings else Level.OK
        return Status(level, '; '.join(warnings) or 'seeing', values)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(RealSenseNode, args)


if __name__ == '__main__':
    sys.exit(main())
