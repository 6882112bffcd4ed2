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

"""A bag of two hours: labeled and replayed in under 1 GB of memory."""

import subprocess
import sys

from bag_recording import AUDIO, DEPTH, INFO, ODOM, RATE, Recording, TYPES
import numpy as np
import pytest

from quiet_nav.recordings.bag_writer import BagTopic, BagWriter

HOURS = 2
LIMIT_BYTES = 1_000_000_000

# What the process held at most is asked of the process itself; getrusage's ru_maxrss would count
# what the parent held when it forked.
RUN = """
import re, sys
from quiet_nav.cli import main
sys.argv = sys.argv[1:]
try:
    main()
finally:
    status = open('/proc/self/status').read()
    print('peak', int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) * 1024)
"""


@pytest.fixture(scope='module')
def long_bag(tmp_path_factory):
    """Sound in chunks of 5 s, full depth images every 30 s; the robot moves on once a minute."""
    path = tmp_path_factory.mktemp('long') / 'drive'
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.standard_normal((1, 5 * RATE))
    pixels = np.full((480, 640), 600, np.uint16)
    names = AUDIO, INFO, DEPTH, ODOM
    with BagWriter(path, [BagTopic(name, TYPES[name]) for name in names]) as bag:
        made = Recording().info(channels=1)
        for second in range(0, HOURS * 3600, 5):
            made.chunk(second, noise)
            for at_s in range(second, second + 5):
                x = 0.3 * (at_s // 60) + (0.15 if at_s % 60 > 55 else 0.0)
                for quarter in range(4):
                    made.pose(at_s + quarter / 4, x, 0.0, 0.0)
            if second % 30 == 0:
                made.image(second + 2, pixels)
            for time_ns, topic, message in made.ordered():
                bag.write(topic, time_ns, bytes(made.cdr(topic, message)))
            made.messages.clear()
    return path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='/proc is of Linux')
def test_two_hours_are_labeled_in_less_than_a_gigabyte(long_bag, tmp_path):
    found = subprocess.run(
        [sys.executable, '-c', RUN, 'quiet_nav', 'label', long_bag, '--room', 'hall', '--split',
         'train', '--out', tmp_path / 'data', '--motion'],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    peak = int(found.stdout.split('peak')[1])
    places = list((tmp_path / 'data/SFS-Static/ProcessedData/hall').iterdir())
    assert len(places) >= 100 and peak < LIMIT_BYTES, peak / 1e6
