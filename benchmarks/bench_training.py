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
Training clips per second: `quiet_nav train` beside a plain PyTorch loop on the same recordings.

Both train VGGish of one width on the near-wall rows of a data set with AdamW. The plain loop reads
every clip from its WAV and takes its log-mel on the fly, in float32, as the published code does
(its transform, too, is in the training step). Ours cuts clips out of log-mels made once and trains
channels last, in float32 and in bfloat16; ``auto`` takes the one that the processor has units for.
The time in which the log-mels are made is told apart.

Run: python benchmarks/bench_training.py --data DIR [--width 0.25] [--threads 2]
"""

import argparse
import dataclasses
import functools
import time

import numpy as np
import soundfile
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from quiet_nav.learning.detectors.vggish.data import EpochSampler
from quiet_nav.learning.detectors.vggish.network import EMBEDDING, Vggish
from quiet_nav.learning.frontend import LogMel
from quiet_nav.learning.precision import AUTO, described
from quiet_nav.learning.recipe import load_recipe, recipe_file
from quiet_nav.sound.windows import CLIP_SAMPLES
from quiet_nav.study.tasks import get_task
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.examples import TaskDataset
from quiet_nav.study.tasks.networks import TaskNetwork
from quiet_nav.study.tasks.options import TaskOptions, with_options
from quiet_nav.study.tasks.views import Views


class PlainClips(Dataset):
    """A clip from a random place of a row's WAV, its amplitude changed."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        free = soundfile.info(str(row.audio)).frames - CLIP_SAMPLES
        start = np.random.randint(max(free, 1))
        audio, _ = soundfile.read(
            row.audio, start=start, frames=CLIP_SAMPLES, dtype='float64', always_2d=True
        )
        audio = np.clip(audio.mean(axis=1) * (np.random.random() + 0.5), -1.0, 1.0)
        return torch.from_numpy(audio.copy()).float(), torch.tensor(float(row.near))


class PlainNetwork(torch.nn.Module):
    """Front end, VGGish, ReLU and one logit."""

    def __init__(self, width):
        super().__init__()
        self.frontend, self.trunk = LogMel('centered'), Vggish(width)
        self.head = torch.nn.Linear(EMBEDDING, 1)

    def forward(self, audio):
        return self.head(torch.relu(self.trunk(self.frontend(audio))))


def plain_step(network, batch):
    audio, near = batch
    return functional.binary_cross_entropy_with_logits(network(audio).squeeze(-1), near)


def clips_per_second(loader, network, step, seconds):
    """Train for a while and return clips a second, the first batch left out."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    count, began = 0, None
    while began is None or time.perf_counter() - began < seconds:
        for batch in loader:
            loss = step(network, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if began is None:
                began = time.perf_counter()
                continue
            count += loader.batch_size
            if time.perf_counter() - began > seconds:
                break
    return count / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', required=True)
    parser.add_argument('--width', type=float, default=0.25)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--rounds', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe = with_options(load_recipe(recipe_file('small_single')), examples=0)
    recipe = dataclasses.replace(
        recipe, network=dataclasses.replace(recipe.network, width=args.width)
    )
    task, data = get_task('near-wall'), TaskData(args.data)
    examples = task.examples(data, 'train')
    task.learn(examples, TaskOptions.of(recipe), Views(recipe, training=False))
    ours = TaskDataset(task, examples, data, recipe, True)
    size = recipe.optim.batch_size
    began = time.perf_counter()
    for example in examples:
        ours.views.log_mels.whole(example.sounds[0])
    print(
        f'log-mels of {len(examples)} recordings, made or read from the disk once: '
        f'{time.perf_counter() - began:.1f} s'
    )

    def our_step(network, batch, bfloat16):
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            output = network(batch)
        return task.loss(output.float(), batch)

    plain = PlainClips([example.sounds[0] for example in examples])
    loaders = {
        'plain': DataLoader(plain, size, shuffle=True, drop_last=True),
        'ours': DataLoader(
            ours, size, sampler=EpochSampler(len(ours), recipe.seed, True), drop_last=True
        ),
    }
    precisions = {'ours, float32': False, 'ours, bfloat16': True}
    rates = {'plain': [], **{name: [] for name in precisions}}
    for _ in range(args.rounds):
        network = PlainNetwork(args.width)
        rates['plain'].append(clips_per_second(loaders['plain'], network, plain_step, args.seconds))
        for name, bfloat16 in precisions.items():
            network = TaskNetwork(task, recipe).train()
            step = functools.partial(our_step, bfloat16=bfloat16)
            rates[name].append(clips_per_second(loaders['ours'], network, step, args.seconds))
    best = {name: max(found) for name, found in rates.items()}
    print(f'width {args.width:g}, batches of {size}, {args.threads} threads')
    for name, found in rates.items():
        print(
            f'{name:14} {best[name]:7.1f} clips/s, {best[name] / best["plain"]:.2f} times plain '
            f'(rounds: {", ".join(f"{r:.1f}" for r in found)})'
        )
    print(f'auto here: {described(AUTO)}')


if __name__ == '__main__':
    main()
