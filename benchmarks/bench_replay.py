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
Time `quiet_nav replay` on a 10-minute stereo bag at two readings a second a side.

Run: python benchmarks/bench_replay.py [MINUTES]
Printed beside it: the same readings at the pace at which the robot makes them, which is what a
play of the bag to the live node takes.
"""

from pathlib import Path
import sys
import tempfile
import time

import numpy as np

from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.recordings.replay import replay, ReplaySettings
from quiet_nav.sound.pcm import encode_pcm

S, RATE, CHUNK = 1_000_000_000, 16_000, 1600
AUDIO, INFO = '/audio/audio_stamped', '/audio/audio_info'
TYPES = {AUDIO: 'audio_common_msgs/msg/AudioDataStamped', INFO: 'audio_common_msgs/msg/AudioInfo'}


def write_bag(path: Path, minutes: float) -> None:
    """Write noise in 0.1 s chunks of two channels, as the microphone node publishes it."""
    store = bag_typestore()
    types, rng = store.types, np.random.default_rng(0)

    def cdr(topic: str, message: object) -> bytes:
        return bytes(store.serialize_cdr(message, TYPES[topic]))

    with BagWriter(path, [BagTopic(INFO, TYPES[INFO], True), BagTopic(AUDIO, TYPES[AUDIO])]) as bag:
        bag.write(INFO, 0, cdr(INFO, types[TYPES[INFO]](2, RATE, 'S16LE', 512, 'wave')))
        for i in range(round(minutes * 60 * RATE / CHUNK)):
            stamp = i * CHUNK * S // RATE
            time_ = types['builtin_interfaces/msg/Time'](*divmod(stamp, S))
            header = types['std_msgs/msg/Header'](time_, '')
            pcm = encode_pcm(0.01 * rng.standard_normal((CHUNK, 2)), 'S16LE')
            data = types['audio_common_msgs/msg/AudioData'](np.frombuffer(pcm, np.uint8))
            bag.write(AUDIO, stamp + S // 10, cdr(AUDIO, types[TYPES[AUDIO]](header, data)))


def main() -> None:
    """Print how many times faster than real time, by wall clock and by the processor's time."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    settings = ReplaySettings()
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder, 'bag')
        write_bag(bag, minutes)
        detector: NearWallDetector = settings.load()
        wall, cpu = time.perf_counter(), time.process_time()
        found = replay(bag, settings, None, detector)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = sum(f.stat().st_size for f in bag.iterdir()) / 1e6
    readings = sum(len(d.readings) for _, d in found.decisions)
    print(f'{minutes:g} minutes of stereo sound, {size:.0f} MB, {readings} readings')
    print(f'live    {60 * minutes:8.1f} s     1.0 x real time')
    print(f'replay  {wall:8.1f} s  {60 * minutes / wall:6.1f} x real time (wall clock)')
    print(f'        {cpu:8.1f} s  {60 * minutes / cpu:6.1f} x real time (processor time)')


if __name__ == '__main__':
    main()
