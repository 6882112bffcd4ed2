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
The near_wall node: CPU and memory at a steady rate, and one decision beside its period.

Run as `python benchmarks/bench_node.py [--rate 2] [--seconds 30] [--rig pair] [--modality both]`
after `. ./env.sh`. The microphone node plays noise in real time in a process of its own, this one
publishes images of 640 x 480 as a camera does, 6 a second; the node's CPU is what the kernel
charged it between two decisions, its memory the peak of its resident set. `both` is what the
follower's modality auto needs.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from rich.console import Console
from rich.table import Table
import soundfile

from quiet_nav.geometry import Side
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.perception.rig import find_rig
from quiet_nav.resources import shared_file
from quiet_nav.sound.windows import Window, WINDOW_SAMPLES

RATE = 16_000
CAMERA_HZ = 6.0
#: What a robot's computer must have left for everything else.
CPU_LIMIT, MEMORY_LIMIT_MB = 25.0, 300.0


def decision_s(model: Path, ears: int, threads: int) -> tuple[float, float]:
    """Return median wall and mean CPU seconds of one decision for so many ears."""
    session = NearWallDetector.load(model, threads).session()
    rng = np.random.default_rng(0)
    walls, busy = [], []
    for _ in range(60):
        heard = [
            HeardWindow(
                Window.from_samples(0.02 * rng.standard_normal(WINDOW_SAMPLES)),
                side,
                side.yaw_rad,
                int(side),
            )
            for side in (Side.LEFT, Side.RIGHT, Side.FRONT)[:ears]
        ]
        begun, used = time.perf_counter(), time.process_time()
        session.read(heard)
        walls.append(time.perf_counter() - begun)
        busy.append(time.process_time() - used)
    # The first ones warm up.
    return float(np.median(walls[10:])), float(np.mean(busy[10:]))


def cpu_s(process: int) -> float:
    """Return the CPU seconds that a process and its threads have used."""
    fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def memory_mb(process: int, key: str) -> float:
    """Return VmRSS or VmHWM of a process in megabytes (10^6 bytes)."""
    for line in Path(f'/proc/{process}/status').read_text().splitlines():
        if line.startswith(key + ':'):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f'no {key} in /proc/{process}/status')


def start(node: str, **parameters: object) -> subprocess.Popen:
    command = [sys.executable, '-m', f'quiet_nav.nodes.{node}', '--ros-args']
    for name, value in parameters.items():
        command += ['-p', f'{name}:={str(value).lower() if isinstance(value, bool) else value}']
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Counter:
    """Counts the valid messages of near_wall and how late they are."""

    def __init__(self, hears: bool, sees: bool) -> None:
        import rclpy

        from quiet_nav.msg import NearWall

        rclpy.init()
        self._waits = {NearWall.MODALITY_AUDIO} if hears else set()
        self._waits |= {NearWall.MODALITY_VISION} if sees else set()
        self._rclpy, self._node = rclpy, rclpy.create_node('bench')
        self.valid, self.invalid, self.delays_s = 0, 0, []
        self.reasons: collections.Counter[str] = collections.Counter()
        self._node.create_subscription(NearWall, 'near_wall', self._on_message, 100)
        if sees:
            self._begin_camera()

    def _begin_camera(self) -> None:
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image

        from quiet_nav.nodes.camera_messages import image_to_msg

        publisher = self._node.create_publisher(
            Image, 'camera/camera/color/image_raw', qos_profile_sensor_data
        )
        rng = np.random.default_rng(0)
        patches = rng.uniform(30.0, 220.0, (4, 60, 80, 3)).repeat(8, axis=1).repeat(8, axis=2)
        images = itertools.cycle(patches.astype(np.uint8))
        shots = itertools.count()

        def shoot() -> None:
            stamp, image = self._node.get_clock().now().to_msg(), next(images)
            # No two images of a camera are the same.
            image[0, 0] = next(shots) % 251
            publisher.publish(image_to_msg(image, 'rgb8', stamp, 'camera'))

        self._node.create_timer(1.0 / CAMERA_HZ, shoot)

    def _on_message(self, message: object) -> None:
        if not message.valid:
            self.invalid += 1
            self.reasons[re.sub(r'[\d.]+', 'N', message.reason.partition(':')[0])] += 1
            return
        self.valid += 1
        self._waits.discard(message.modality)
        end = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        self.delays_s.append(time.time() - end)

    def expect_sound(self) -> None:
        """Let ``spin_until_valid`` wait for a reading of sound once more."""
        from quiet_nav.msg import NearWall

        self._waits = {NearWall.MODALITY_AUDIO}

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._rclpy.spin_once(self._node, timeout_sec=0.1)

    def spin_until_valid(self, timeout_s: float) -> None:
        """Wait for a valid reading of each sense: the first window of sound takes 3 s."""
        end = time.monotonic() + timeout_s
        while self._waits and time.monotonic() < end:
            self._rclpy.spin_once(self._node, timeout_sec=0.1)
        if self._waits:
            raise RuntimeError(f'no valid reading of each kind within {timeout_s} s')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', type=Path, default=None)
    parser.add_argument('--modality', choices=('audio', 'vision', 'both'), default='audio')
    parser.add_argument('--vision-model', type=Path, default=None)
    parser.add_argument('--rig', default='pair')
    parser.add_argument('--rate', type=float, default=2.0)
    parser.add_argument('--seconds', type=float, default=30.0)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    model = options.model or shared_file('models/near_wall.onnx')
    ears = len(find_rig(options.rig).ears)
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    wall_s, busy_s = decision_s(model, ears, options.threads)

    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / 'noise.wav'
        rng = np.random.default_rng(0)
        soundfile.write(sound, 0.02 * rng.standard_normal((20 * RATE, ears)), RATE, 'PCM_16')
        hears, sees = options.modality != 'vision', options.modality != 'audio'
        counter = Counter(hears, sees)
        known = {'modality': options.modality, 'image_rate_hz': options.rate}
        if sees:
            known['vision_model'] = options.vision_model or shared_file(
                'models/near_wall_vision.onnx'
            )
        node = start('near_wall', model=model, rig=options.rig, rate_hz=options.rate,
                     threads=options.threads, **known)  # fmt: skip
        microphone = start('microphone', file=sound, loop=True)
        try:
            counter.spin_until_valid(60.0)
            counter.valid, counter.invalid, counter.delays_s = 0, 0, []
            counter.reasons.clear()
            begun, used = time.monotonic(), cpu_s(node.pid)
            counter.spin(options.seconds)
            elapsed = time.monotonic() - begun
            share = 100.0 * (cpu_s(node.pid) - used) / elapsed
            resident, peak = memory_mb(node.pid, 'VmRSS'), memory_mb(node.pid, 'VmHWM')
        finally:
            for process in (node, microphone):
                process.send_signal(signal.SIGINT)
            for process in (node, microphone):
                process.wait(20)

    wanted = options.rate * (ears * hears + sees)
    table = Table(
        title=f'near_wall, {options.modality}, rig {options.rig}, '
        f'{options.rate:g} decisions a second'
    )
    for name in ('what', 'measured', 'limit'):
        table.add_column(name)
    reasons = ', '.join(f'{count} {reason}' for reason, count in counter.reasons.most_common(3))
    said = f'{counter.invalid}' + (f' ({reasons})' if reasons else '')
    late = np.percentile(counter.delays_s, [50, 95]) * 1e3
    rows = [
        ('CPU of the node, percent of one core', f'{share:.1f}', f'{CPU_LIMIT:.0f}'),
        ('memory, resident (peak), MB', f'{resident:.0f} ({peak:.0f})', f'{MEMORY_LIMIT_MB:.0f}'),
        ('valid readings a second', f'{counter.valid / elapsed:.2f}', f'{wanted:.2f}'),
        ('readings not valid', said, '0'),
        ('window end to message, median (95 %), ms', f'{late[0]:.0f} ({late[1]:.0f})', ''),
        (f'a decision by sound alone, {options.threads} threads, wall (CPU), ms',
         f'{1e3 * wall_s:.1f} ({1e3 * busy_s:.1f})', f'{1e3 / options.rate:.0f}'),
    ]  # fmt: skip
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


if __name__ == '__main__':
    main()
