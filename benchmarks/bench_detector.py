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
Time a decision on one 3 s window: the dense, compressed VGGish beside the plain one on 20 clips.

Run: python benchmarks/bench_detector.py [CHECKPOINT DATA]
With a trained checkpoint and recordings it also tells the AP before and after, which the weights
decide; the times are those of the paper's full width, with random weights, two threads.
"""

from pathlib import Path
import statistics
import sys
import tempfile
import time

import numpy as np
import onnxruntime

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.windows import clip_batch, clip_starts, WINDOW_SAMPLES

THREADS, ROUNDS = 2, 12
MODEL = Path(__file__).parents[1] / 'models' / 'near_wall.onnx'


def session(path: Path, optimized: bool = True) -> onnxruntime.InferenceSession:
    """Return plain onnxruntime on a file, as it is or with its graph optimized."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options)


def main() -> None:
    """Print milliseconds a decision, the quickest and the middle of the rounds."""
    try:
        import torch
    except ImportError:
        print('needs the learning extra (PyTorch): skipped')
        return
    from quiet_nav.learning.detectors.vggish.deploy import (
        Compression,
        export_checked,
        export_compressed,
    )
    from quiet_nav.learning.detectors.vggish.network import NearWallVggish
    from quiet_nav.perception.model_metadata import ModelMetadata

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = NearWallVggish().eval()
    level = 10 ** rng.uniform(-3, -1, (8, 1))
    waves = (level * rng.standard_normal((8, WINDOW_SAMPLES))).astype(np.float32)
    metadata = ModelMetadata('window')
    with tempfile.TemporaryDirectory() as folder:
        names = {
            'plain VGGish, batch of 20 clips': Path(folder, 'plain.onnx'),
            'dense, float, rank 64': Path(folder, 'dense.onnx'),
            'dense, int8, rank 64': Path(folder, 'int8.onnx'),
        }
        plain, dense, int8 = names.values()
        export_checked(network, plain, metadata)
        export_compressed(network, dense, metadata, Compression(64, 'none'), limit_mb=30)
        export_compressed(network, int8, metadata, Compression(64, 'static'), examples=waves)
        sessions = {name: session(path) for name, path in names.items()}
        clips = clip_batch(waves[0], clip_starts(WINDOW_SAMPLES))
        inputs = dict(zip(names, (clips, waves[:1], waves[:1]), strict=True))
        times = {name: [] for name in names}
        # In turns, so that what else the machine does falls on all of them alike.
        for _ in range(ROUNDS):
            for name, one in sessions.items():
                begin = time.perf_counter()
                one.run(None, {'waveform': inputs[name]})
                times[name].append(1e3 * (time.perf_counter() - begin))
        base = min(times['plain VGGish, batch of 20 clips'])
        middle = statistics.median(times['plain VGGish, batch of 20 clips'])
        for name, path in names.items():
            low, mid = min(times[name]), statistics.median(times[name])
            print(
                f'{name:34} {path.stat().st_size / 1e6:6.1f} MB  best {low:6.1f} ms '
                f'({base / low:4.1f}x)  median {mid:6.1f} ms ({middle / mid:4.1f}x)'
            )
        shipped(plain, clips)


def shipped(plain: Path, clips: np.ndarray) -> None:
    """Print the shipped detector's whole decision, references and readings included."""
    from quiet_nav.geometry import Side
    from quiet_nav.perception.detector import HeardWindow, NearWallDetector
    from quiet_nav.sound.windows import Window

    rng = np.random.default_rng(1)
    listening = NearWallDetector.load(MODEL, THREADS).session()
    paper = session(plain)

    def windows(sides: tuple[Side, ...]) -> list[HeardWindow]:
        return [
            HeardWindow(
                Window.from_samples(0.01 * rng.standard_normal(WINDOW_SAMPLES)), s, s.yaw_rad, i
            )
            for i, s in enumerate(sides)
        ]

    rows = {'plain VGGish, one window': lambda: paper.run(None, {'waveform': clips})}
    for name, sides in (
        ('shipped, one ear', (Side.LEFT,)),
        ('shipped, both sides with context', (Side.LEFT, Side.RIGHT)),
    ):
        heard = windows(sides)
        rows[name] = lambda heard=heard: listening.read(heard)
    times = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, decide in rows.items():
            begin = time.perf_counter()
            decide()
            times[name].append(1e3 * (time.perf_counter() - begin))
    base = min(times['plain VGGish, one window'])
    for name, taken in times.items():
        print(
            f'{name:34}            best {min(taken):6.1f} ms ({base / min(taken):4.1f}x)  '
            f'median {statistics.median(taken):6.1f} ms'
        )


def compare(checkpoint: str, data: str) -> None:
    """Print what ``quiet_nav export`` says of AP before and after."""
    from quiet_nav.learning.checkpoints import load_checkpoint
    from quiet_nav.learning.detectors.vggish.deploy import Compression, deploy

    network, recipe, _ = load_checkpoint(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        outcome = deploy(network, recipe, Path(folder, 'm.onnx'), Compression(), Path(data))
    print('\n'.join(outcome.compared))


if __name__ == '__main__':
    main()
    if len(sys.argv) == 3:
        try:
            compare(*sys.argv[1:])
        except QuietNavError as error:
            sys.exit(f'bench_detector: {error}')
