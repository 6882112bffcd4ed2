"""Optional libraries: who brings a missing one, as a command for this very Python."""

from __future__ import annotations

import sys

#: The extras of pyproject.toml, each with the modules that its code imports.
EXTRAS = {
    'simulation': ('numba pyroomacoustics', ('numba', 'pyroomacoustics')),
    'cluster': ('dask distributed', ('dask', 'distributed')),
    'learn': (
        'lightning onnx onnxscript scikit-learn tensorboard torch torchmetrics transformers',
        ('lightning', 'onnx', 'onnxscript', 'sklearn', 'tensorboard', 'torch', 'torchmetrics',
         'transformers'),
    ),
    'view': ('foxglove-sdk', ('foxglove',)),
}  # fmt: skip


def how_to_get(module: str) -> str:
    """
    Return in one line that a module is missing and the command that installs it here.

    Empty where no extra brings it.
    """
    for packages, modules in EXTRAS.values():
        if module.partition('.')[0] in modules:
            return f'{module} is not installed: {sys.executable} -m pip install {packages}'
    return ''
