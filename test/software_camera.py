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

"""
A RealSense camera made of software, through librealsense's own software device.

As a program it is the node `realsense` with such a camera, plugged in while a file is there:
``python software_camera.py PLUGGED OPTIONS --ros-args ...``, OPTIONS of ``SoftwareCamera`` in JSON.
"""

import json
from pathlib import Path
import sys
import threading
import time

import numpy as np
import pyrealsense2 as rs

WIDTH, HEIGHT, FPS = 64, 48, 15
FOCAL = 60.0
#: The color camera's place in the depth camera's optical frame (m): to the right of it.
COLOR_PLACE = (0.015, 0.0, 0.0)
NAMES = {
    rs.camera_info.name: 'Software D435',
    rs.camera_info.serial_number: '0123',
    rs.camera_info.firmware_version: '5.16.0.1',
    rs.camera_info.usb_type_descriptor: '3.2',
    rs.camera_info.product_id: '0B07',
    rs.camera_info.physical_port: '2-1',
}


def _stream(kind, pixel, number, bytes_per_pixel, fps):
    stream = rs.video_stream()
    stream.type, stream.fmt, stream.index, stream.uid = kind, pixel, 0, number
    stream.width, stream.height, stream.fps, stream.bpp = WIDTH, HEIGHT, fps, bytes_per_pixel
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy = WIDTH, HEIGHT, FOCAL, FOCAL
    lens.ppx, lens.ppy = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    lens.model, lens.coeffs = rs.distortion.brown_conrady, [0.1, 0.0, 0.0, 0.0, 0.0]
    stream.intrinsics = lens
    return stream


class SoftwareCamera:
    """
    Depth and color at 15 Hz: a wall at depth_m, brightness by frame number.

    unit_m: of the depth image. own_clock: frames bear the camera's own time, which begins at 1 s;
    otherwise the computer's. unread: share of rows without depth. skip: every so many-th frame is
    lost on its way. usb: as it says.
    """

    def __init__(
        self, depth_m=0.4, unit_m=0.001, own_clock=True, unread=0.0, skip=0, usb='3.2', fps=FPS
    ):
        self._unit_m, self._skip, self._fps, self._own_clock = unit_m, skip, fps, own_clock
        self.depth_units = round(depth_m / unit_m)
        self._unread_rows = round(unread * HEIGHT)
        self.device = rs.software_device()
        for key, value in {**NAMES, rs.camera_info.usb_type_descriptor: usb}.items():
            self.device.register_info(key, value)
        self._stereo = self.device.add_sensor('Stereo Module')
        self._rgb = self.device.add_sensor('RGB Camera')
        self._stereo.add_read_only_option(rs.option.depth_units, unit_m)
        self._depth = self._stereo.add_video_stream(
            _stream(rs.stream.depth, rs.format.z16, 0, 2, FPS)
        )
        self._color = self._rgb.add_video_stream(
            _stream(rs.stream.color, rs.format.rgb8, 1, 3, FPS)
        )
        self._rgb.add_video_stream(_stream(rs.stream.color, rs.format.rgb8, 2, 3, 2 * FPS))
        to_color = rs.extrinsics()
        to_color.rotation = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        to_color.translation = [-c for c in COLOR_PLACE]
        self._depth.register_extrinsics_to(self._color, to_color)
        self.device.create_matcher(rs.matchers.dlr_c)

    def depth_image(self):
        pixels = np.full((HEIGHT, WIDTH), self.depth_units, np.uint16)
        pixels[: self._unread_rows] = 0
        return pixels

    @staticmethod
    def color_image(number):
        # Noise, so that it looks neither covered nor dark nor the same again.
        return np.random.default_rng(number).integers(0, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)

    def _video(self, profile, pixels, number):
        frame = rs.software_video_frame()
        frame.profile = profile.as_video_stream_profile()
        frame.pixels, frame.frame_number = pixels, number
        frame.bpp = pixels.dtype.itemsize * (pixels.shape[2] if pixels.ndim == 3 else 1)
        frame.stride = WIDTH * frame.bpp
        if self._own_clock:
            frame.timestamp = 1000.0 + 1000.0 * number / self._fps
            frame.domain = rs.timestamp_domain.hardware_clock
        else:
            frame.timestamp = 1000.0 * time.time()
            frame.domain = rs.timestamp_domain.global_time
        if pixels.ndim == 2:
            frame.depth_units = self._unit_m
        return frame

    def shoot(self, number):
        """Send one image of each."""
        if self._skip and number % self._skip == 0:
            return
        self._stereo.on_video_frame(self._video(self._depth, self.depth_image(), number))
        self._rgb.on_video_frame(self._video(self._color, self.color_image(number), number))

    def run(self, stop, plugged=lambda: True):
        """Send images until told to stop."""
        number = 0
        while not stop.wait(1.0 / self._fps):
            if plugged():
                number += 1
                self.shoot(number)


def write_recording(path, images=20, **options):
    """Record a camera into a file (.db3: what librealsense writes today)."""
    camera = SoftwareCamera(**options)
    recorder = rs.recorder(str(path), camera.device, True)
    sensors = list(recorder.query_sensors())
    for sensor in sensors:
        sensor.open([p for p in sensor.get_stream_profiles() if p.fps() == FPS])
        sensor.start(lambda frame: None)
    for number in range(images):
        camera.shoot(number)
        # Recorded times are those of arrival.
        time.sleep(1.0 / FPS)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del recorder, sensors
    return path


def software_context(camera, plugged=lambda: True):
    """Return librealsense's context as if a software camera (None: no camera) were plugged in."""

    class Context:
        """What librealsense calls a context, of one device."""

        def query_devices(self):
            return [camera.device] if camera is not None and plugged() else []

    return Context()


def main():
    from quiet_nav.nodes.realsense import main as run_node
    from quiet_nav.perception.sight.realsense import camera as module

    file, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    camera = SoftwareCamera(**options)
    module.make_context = lambda: software_context(camera, file.exists)
    sender = threading.Thread(target=camera.run, args=(threading.Event(), file.exists), daemon=True)
    sender.start()
    return run_node([sys.argv[0], *sys.argv[3:]])


if __name__ == '__main__':
    sys.exit(main())
