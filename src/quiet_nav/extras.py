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

"""Optional libraries: who brings a missing one, as a command for this very Python."""

from __future__ import annotations

from pathlib import Path
import sys

import numpy as np

#: The extras of pyproject.toml, each with the modules that its code imports.
EXTRAS = {
    'simulation': ('numba pyroomacoustics', ('numba', 'pyroomacoustics')),
    'cluster': ('dask distributed', ('dask', 'distributed')),
    'learn': (
        'lightning onnx onnxscript scikit-learn tensorboard torch torchmetrics transformers',
        ('lightning', 'onnx', 'onnxscript', 'sklearn', 'tensorboard', 'torch', 'torchmetrics',
         'transformers'),
    ),
    'realsense': ('pyrealsense2', ('pyrealsense2',)),
    'view': ('foxglove-sdk rerun-sdk', ('foxglove', 'rerun', 'rerun_cli')),
}  # fmt: skip


def how_to_get(module: str) -> str:
    """
    Return in one line that a module is missing and the command that installs it here.

    Empty where no extra brings it.
    """
    if module.startswith('rerun') and np.__version__.startswith('1.'):
        # cv_bridge of this ROS is built against NumPy 1, and pip would replace that.
        return (
            f'{module} is not installed, and what it asks for would replace the NumPy 1 of this '
            'ROS; these versions run beside it (660 MB): '
            f'{sys.executable} -m pip install --require-hashes --no-deps '
            f'-r {_checkout()}/pins/robot_view.txt; --foxglove works without'
        )
    for packages, modules in EXTRAS.values():
        if module.partition('.')[0] in modules:
            return f'{module} is not installed: {sys.executable} -m pip install {packages}'
    return ''


def _checkout() -> str:
    """Return the folder of the sources, or where the README says that they are."""
    root = Path(__file__).resolve().parents[2]
    return str(root) if (root / 'pyproject.toml').is_file() else '~/ws/src/quiet_nav'
