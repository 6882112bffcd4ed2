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
Time a decision on one camera image: the shipped vision detector beside a plain full-size one.

Run: python benchmarks/bench_vision.py
Plain: ResNet-18 of the paper's width at 224 x 224, float32, exported without graph optimization,
run by onnxruntime as it is, images squeezed by Pillow. Ours: validity checks, squeezing inside the
graph, network. Two threads each, 640 x 480 images of the simulated camera's size.
"""

from pathlib import Path
import statistics
import tempfile
import time

from bench_detector import session, THREADS
import numpy as np
import onnxruntime

from quiet_nav.geometry import Side
from quiet_nav.perception.sight.image_detector import ImageDetector, LookedImage
from quiet_nav.perception.sight.image_validity import image_fault

ROUNDS, WARM = 40, 5
MODEL = Path(__file__).parents[1] / 'models' / 'near_wall_vision.onnx'


def plain_session(folder: Path) -> onnxruntime.InferenceSession:
    """Return the paper's network with random weights: the time does not depend on them."""
    import torch

    from quiet_nav.learning import onnx_export
    from quiet_nav.learning.detectors.resnet.kind import NearWallResnet
    from quiet_nav.perception.model_metadata import ModelMetadata

    class Plain(torch.nn.Module):
        """The network without its front end."""

        def __init__(self) -> None:
            super().__init__()
            self.network = NearWallResnet(1.0)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(self.network(image).near)

    torch.manual_seed(0)
    item = onnx_export.Exportable(Plain(), {'image': torch.zeros(2, 3, 224, 224)}, ('near',))
    path = onnx_export.export(item, folder / 'plain.onnx', ModelMetadata('resnet'))
    return session(path, optimized=False)


def main() -> None:
    """Print milliseconds a decision, the quickest and the middle of the rounds."""
    try:
        from quiet_nav.learning.detectors.resnet.images import normalize, squeeze, to_tensor
    except ImportError:
        print('needs the learning extra (PyTorch): skipped')
        return
    if not MODEL.is_file():
        print(f'{MODEL} is not there: skipped')
        return
    rng = np.random.default_rng(0)
    patches = rng.normal(120.0, 30.0, (60, 80, 1)).repeat(8, axis=0).repeat(8, axis=1)
    images = [
        np.clip(patches + 4.0 * rng.standard_normal((480, 640, 3)), 0, 255).astype(np.uint8)
        for _ in range(ROUNDS)
    ]
    ours = ImageDetector.load(MODEL, THREADS)
    with tempfile.TemporaryDirectory() as folder:
        full = plain_session(Path(folder))

        def plain(pixels: np.ndarray) -> None:
            small = normalize(to_tensor(squeeze(pixels))[None]).numpy()
            full.run(None, {'image': small})

        def decide(pixels: np.ndarray) -> None:
            assert ours.read([LookedImage(pixels, Side.FRONT, 0)])[0].valid

        works = {
            'plain ResNet-18, 224, not optimized': plain,
            'shipped detector, checks and all': decide,
            'of that: checks alone': lambda pixels: image_fault(pixels),
            'of that: squeezing and network': ours.probabilities,
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for pixels in images:
            for name, work in works.items():
                began = time.perf_counter()
                work(pixels)
                times[name].append(1e3 * (time.perf_counter() - began))
    print(f'{THREADS} threads, 640 x 480; quickest and middle of {ROUNDS - WARM} rounds, ms')
    for name, taken in times.items():
        print(f'{name:38} {min(taken[WARM:]):7.1f} {statistics.median(taken[WARM:]):7.1f}')


if __name__ == '__main__':
    main()
