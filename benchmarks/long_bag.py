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
Memory of `quiet_nav replay` and `quiet_nav label` over a bag of hours: it must not grow with it.

Run: python benchmarks/long_bag.py [--hours 4] [--keep FOLDER]
The bag has sound of one microphone, odometry of a robot that drives on once a minute (20 Hz) and
small depth images (6 Hz). Each command runs as a process over it, and over one of a quarter of an
hour; what it holds is read every half second. Ends with 1 where the most that it holds grows by
2 MB an hour of the bag.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys
import tempfile
import time

import numpy as np

from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.sound.pcm import encode_pcm

S, RATE = 1_000_000_000, 16_000
TOPICS = {
    '/audio/audio_info': 'audio_common_msgs/msg/AudioInfo',
    '/audio/audio_stamped': 'audio_common_msgs/msg/AudioDataStamped',
    '/odom': 'nav_msgs/msg/Odometry',
    '/camera/camera/depth/image_rect_raw': 'sensor_msgs/msg/Image',
}
INFO, AUDIO, ODOM, DEPTH = TOPICS
SHORT_H, GROWTH_MB = 0.25, 2.0
COMMANDS = {'replay': ('--threads', '1'), 'label': ('--room', 'hall', '--split', 'train')}


class _Messages:
    """Messages of a bag as CDR, by time in nanoseconds."""

    def __init__(self) -> None:
        self._store = bag_typestore()
        noise = 0.02 * np.random.default_rng(0).standard_normal((60 * RATE, 1))
        self._sound = encode_pcm(noise, 'S16LE')

    def info(self) -> bytes:
        return self._cdr(INFO, self._make(TOPICS[INFO], 1, RATE, 'S16LE', 256, 'wave'))

    def sound(self, stamp_ns: int, tenth: int) -> bytes:
        """0.1 s from a minute of noise that begins again and again."""
        part = 2 * RATE // 10
        at = tenth % 600 * part
        data = np.frombuffer(self._sound[at : at + part], np.uint8)
        audio = self._make('audio_common_msgs/msg/AudioData', data)
        return self._cdr(AUDIO, self._make(TOPICS[AUDIO], self._header(stamp_ns), audio))

    def odometry(self, stamp_ns: int, x: float) -> bytes:
        geometry = 'geometry_msgs/msg/'
        zero = self._make(geometry + 'Vector3', 0.0, 0.0, 0.0)
        pose = self._make(
            geometry + 'Pose',
            self._make(geometry + 'Point', x, 0.0, 0.0),
            self._make(geometry + 'Quaternion', 0.0, 0.0, 0.0, 1.0),
        )
        covariance = np.zeros(36)
        message = self._make(
            TOPICS[ODOM],
            self._header(stamp_ns, 'odom'),
            'base_link',
            self._make(geometry + 'PoseWithCovariance', pose, covariance),
            self._make(
                geometry + 'TwistWithCovariance',
                self._make(geometry + 'Twist', zero, zero),
                covariance,
            ),
        )
        return self._cdr(ODOM, message)

    def depth(self, stamp_ns: int, meters: float) -> bytes:
        data = np.full((24, 32), round(1000 * meters), np.uint16).view(np.uint8).ravel()
        message = self._make(
            TOPICS[DEPTH], self._header(stamp_ns, 'camera'), 24, 32, '16UC1', 0, 64, data
        )
        return self._cdr(DEPTH, message)

    def _header(self, time_ns: int, frame: str = '') -> object:
        stamp = self._make('builtin_interfaces/msg/Time', *divmod(time_ns, S))
        return self._make('std_msgs/msg/Header', stamp, frame)

    def _make(self, kind: str, *values: object) -> object:
        return self._store.types[kind](*values)

    def _cdr(self, topic: str, message: object) -> bytes:
        return bytes(self._store.serialize_cdr(message, TOPICS[topic]))


def write_bag(path: Path, hours: float) -> None:
    """Write the drive."""
    made = _Messages()
    with BagWriter(path, [BagTopic(n, k, n == INFO) for n, k in TOPICS.items()]) as bag:
        bag.write(INFO, 0, made.info())
        for tenth in range(round(36_000 * hours)):
            begin_ns = tenth * S // 10
            seconds = tenth / 10
            # Once a minute it drives 0.3 m in five seconds, to and fro before a wall.
            way = 0.3 * min(max(seconds % 60 - 55, 0.0) / 5, 1.0)
            x = way if seconds // 60 % 2 == 0 else 0.3 - way
            for half in (0, 1):
                stamp_ns = begin_ns + half * S // 20
                bag.write(ODOM, stamp_ns, made.odometry(stamp_ns, x))
            if tenth % 5 in (0, 2, 4):
                bag.write(DEPTH, begin_ns, made.depth(begin_ns, 0.75 - x))
            bag.write(AUDIO, begin_ns + S // 10, made.sound(begin_ns, tenth))


def watched(command: list[str]) -> Iterator[tuple[float, float]]:
    """Run a command; yield seconds since its begin and MB (10^6 bytes) that it holds."""
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        status = Path(f'/proc/{process.pid}/status')
        while process.poll() is None:
            lines = status.read_text().splitlines()
            resident = [line for line in lines if line.startswith('VmRSS:')]
            if resident:
                yield time.monotonic() - begin, int(resident[0].split()[1]) * 1024 / 1e6
            time.sleep(0.5)
        if process.returncode:
            raise RuntimeError(f'{command}: {process.stderr.read().decode()}')


def bag_of(hours: float, place: Path) -> Path:
    """Write a bag, unless it was kept."""
    bag = place / f'drive_{hours:g}h'
    if not bag.exists():
        write_bag(bag, hours)
    return bag


def main() -> int:
    """Print what each command held on its way; return 1 where it grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--hours', type=float, default=4.0, help='length of the bag')
    parser.add_argument('--keep', type=Path, help='folder for the bags and the results, kept')
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix='quiet_nav_long_bag_') as folder:
        place = options.keep or Path(folder)
        print('| Command | bag h | took s | MB at 10 % | 25 % | 50 % | 75 % | 90 % | most |')
        print('|---|---|---|---|---|---|---|---|---|')
        for name, more in COMMANDS.items():
            most = []
            for hours in (SHORT_H, options.hours):
                bag = bag_of(hours, place)
                out = place / f'{name}_{hours:g}h'
                command = [sys.executable, '-m', 'quiet_nav.cli', name, str(bag), *more]
                seconds, held = np.array(list(watched([*command, '--out', str(out)]))).T
                most.append(float(held.max()))
                at = np.interp(np.array([0.1, 0.25, 0.5, 0.75, 0.9]) * seconds[-1], seconds, held)
                cells = ' | '.join(f'{mb:.0f}' for mb in (*at, most[-1]))
                print(
                    f'| `quiet_nav {name}` | {hours:g} | {seconds[-1]:.0f} | {cells} |', flush=True
                )
            growth = (most[1] - most[0]) / (options.hours - SHORT_H)
            if growth > GROWTH_MB:
                found.append(f'{name} takes {growth:.1f} MB more an hour; {GROWTH_MB:g} allowed')
    print('\n'.join(found) or 'memory does not grow with the bag')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
