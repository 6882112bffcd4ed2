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
A model of clips at two decisions a second: what a decision costs with clips reused, and without.

Two ears hear noise; windows of 3 s follow one another by half a second, as in `near_wall`. Told:
CPU time of a decision, the share of a core that it is at two a second, and the largest difference
of a probability to the mean over 20 clips asked about one by one.

Run: python benchmarks/bench_clips.py [--model vggish] [--seconds 10] [--threads 2]
"""

import argparse
import time

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.resources import model_file
from quiet_nav.sound.windows import (
    clip_batch,
    clip_starts,
    SAMPLE_RATE,
    Window,
    WINDOW_SAMPLES,
)

RATE_HZ = 2.0
EARS = (Side.LEFT, Side.RIGHT)


def listens(seconds):
    """Yield the windows of two ears, one after the other, as a detector is asked about them."""
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((len(EARS), round((3.0 + seconds) * SAMPLE_RATE)))
    sound = (0.01 * np.cumsum(sound, axis=1) / 50.0 + 0.003 * sound).astype(np.float32)
    for at in range(0, sound.shape[1] - WINDOW_SAMPLES + 1, round(SAMPLE_RATE / RATE_HZ)):
        start_ns = round(at * 1e9 / SAMPLE_RATE)
        yield [
            HeardWindow(
                Window.from_samples(heard[at : at + WINDOW_SAMPLES], start_ns, ear),
                side,
                side.yaw_rad,
                ear,
            )
            for ear, (heard, side) in enumerate(zip(sound, EARS, strict=True))
        ]


def decide(detector, asked, reuse):
    """Return every reading's probability and the median CPU time of a decision, seconds."""
    session, found, costs = detector.session(), [], []
    for heard in asked:
        if not reuse:
            session = detector.session()
        began = time.process_time()
        found.append([r.probability for r in session.read(heard)])
        costs.append(time.process_time() - began)
    return np.array(found), float(np.median(costs[1:]))


def one_by_one(detector, asked):
    """Return the mean over the clips of every window, each clip in a run of its own."""
    found = []
    for heard in asked:
        for one in heard:
            starts = clip_starts(WINDOW_SAMPLES, start_ns=one.window.start_ns)
            clips = clip_batch(one.window.samples, starts)
            near = [detector.model.run({'waveform': clip[None]})[0][0] for clip in clips]
            found.append(np.mean(near))
    return np.reshape(found, (-1, len(EARS)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='vggish')
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--threads', type=int, default=2)
    args = parser.parse_args()
    detector = NearWallDetector.load(model_file(args.model), args.threads)
    asked = list(listens(args.seconds))
    print(f'{len(asked)} decisions for {len(EARS)} ears, {args.threads} threads')
    for name, reuse in (('clips reused', True), ('every clip anew', False)):
        found, cost_s = decide(detector, asked, reuse)
        print(
            f'{name:16} {1e3 * cost_s:6.1f} ms of CPU a decision, '
            f'{100.0 * cost_s * RATE_HZ:5.1f} % of a core at {RATE_HZ:g} a second'
        )
        if reuse:
            reused = found
    few = asked[:: max(len(asked) // 4, 1)]
    difference = np.abs(reused[:: max(len(asked) // 4, 1)] - one_by_one(detector, few)).max()
    print(f'largest difference to 20 clips asked about one by one: {difference:.1e}')


if __name__ == '__main__':
    main()
