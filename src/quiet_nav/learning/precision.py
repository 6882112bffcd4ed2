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

"""In which number format a training computes: the fastest that the device has units for."""

from __future__ import annotations

import torch

AUTO = 'auto'
FLOAT32, BFLOAT16 = '32-true', 'bf16-mixed'
#: Of ``torch.cpu.get_capabilities()``: x86's instructions that multiply bfloat16, and arm's.
_BFLOAT16_UNITS = ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16')


def computes_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16; without such units it is slower."""
    found = torch.cpu.get_capabilities()
    return any(bool(found.get(name, False)) for name in _BFLOAT16_UNITS)


def settled(asked: str, accelerator: str = 'auto') -> str:
    """
    Return Lightning's precision for what a recipe asks: itself, or what ``auto`` comes to.

    accelerator: Lightning's; a CUDA GPU decides where one is used, else the processor does.
    """
    if asked != AUTO:
        return asked
    if accelerator in ('auto', 'gpu', 'cuda') and torch.cuda.is_available():
        return BFLOAT16 if torch.cuda.is_bf16_supported(including_emulation=False) else FLOAT32
    return BFLOAT16 if accelerator in ('auto', 'cpu') and computes_bfloat16() else FLOAT32


def described(asked: str, accelerator: str = 'auto') -> str:
    """Say in a line in which format a training computes, and why."""
    name = {FLOAT32: 'float32', BFLOAT16: 'bfloat16'}[settled(asked, accelerator)]
    if asked != AUTO:
        return f'computes in {name} (as asked)'
    has = 'has units for it' if name == 'bfloat16' else 'has no bfloat16 units'
    return f'computes in {name} (the device {has}; --precision sets another)'
