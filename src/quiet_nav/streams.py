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

"""Random streams that can be read at any time: noise as a function of seed, stream and sample."""

from __future__ import annotations

import functools

import numpy as np

BLOCK = 8192


def stream_key(seed: int, *names: int | str) -> int:
    """Return a 128-bit key that differs for every seed and every list of names."""
    words = [int(seed) & 0xFFFFFFFFFFFFFFFF]
    for name in names:
        words.append(name if isinstance(name, int) else int.from_bytes(name.encode(), 'little'))
    state = np.random.SeedSequence(words).generate_state(2, np.uint64)
    return int(state[0]) << 64 | int(state[1])


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """Return a generator of its own for a seed and names."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, *names)))


def white_noise(key: int, start: int, count: int) -> np.ndarray:
    """
    Return samples start .. start + count of unit white Gaussian noise, float32, (count,).

    The same key and sample index always give the same value; start may be negative.
    """
    first, last = start // BLOCK, (start + count - 1) // BLOCK
    noise = np.concatenate([_block(key, block) for block in range(first, last + 1)])
    return noise[start - first * BLOCK :][:count]


@functools.lru_cache(maxsize=256)
def _block(key: int, block: int) -> np.ndarray:
    counter = (block + 2**62) << 128
    bits = np.random.Philox(key=key, counter=counter)
    noise = np.random.Generator(bits).standard_normal(BLOCK, dtype=np.float32)
    noise.flags.writeable = False
    return noise
