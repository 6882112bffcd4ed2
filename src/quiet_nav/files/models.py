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

"""Running ONNX files that others made: within a time and a memory, and one line where they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import contextlib
import functools
from pathlib import Path
import re
import threading

import numpy as np
import onnxruntime

from quiet_nav.errors import NO_MEMORY, no_memory, QuietNavError
from quiet_nav.files.onnx_graph import check_graph
from quiet_nav.files.opening import MEBIBYTE

#: For everything that models of one process hold and compute.
MOST_MEMORY = 1024 * MEBIBYTE
#: The slowest network of ours takes 3 s for a window on a small computer.
LIMIT_S = 60.0
_NEWER = re.compile(r'IR version|[Oo]pset \d+ is under development|support for domain')


class OnnxModel:
    """
    An ONNX file that is ready to run.

    inputs, outputs: their names. widths: the last axis of inputs where it is fixed, by name.
    properties: the file's metadata, key to text.
    """

    def __init__(
        self, path: str | Path, threads: int = 2, where: str = '', limit_s: float = LIMIT_S
    ) -> None:
        """
        Open a file.

        threads: of one run (onnxruntime would take every core). where: what the file is, for
        errors. limit_s: of one run. Raises QuietNavError where it cannot be read, is no ONNX, or
        could run without end.
        """
        self.path, self.limit_s = Path(path), limit_s
        self.where = where or str(path)
        check_graph(path, self.where)
        self._stops: set[onnxruntime.RunOptions] = set()
        try:
            # Without the fallback, which would print to the terminal and try the same again.
            session = onnxruntime.InferenceSession(
                str(path), _options(threads), providers=['CPUExecutionProvider'], enable_fallback=0
            )
            self.inputs = tuple(item.name for item in session.get_inputs())
            self.outputs = tuple(item.name for item in session.get_outputs())
            last = {item.name: (item.shape or [None])[-1] for item in session.get_inputs()}
            self.widths = {name: size for name, size in last.items() if isinstance(size, int)}
            self.properties: dict[str, str] = session.get_modelmeta().custom_metadata_map
        except Exception as error:
            # onnxruntime raises a dozen classes of its own without a common base.
            raise QuietNavError(f'{self.where}: {_unopened(error)}') from error
        self._session = session

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> list[np.ndarray]:
        """
        Return the outputs, all of them by default.

        Raises QuietNavError where the model cannot be run on that, takes more than its time or
        memory, was stopped, or gives something else than arrays.
        """
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        timer = threading.Timer(self.limit_s, _terminate, (options,))
        timer.daemon = True
        timer.start()
        self._stops.add(options)
        try:
            found = self._session.run(None if outputs is None else list(outputs), feeds, options)
        except Exception as error:
            if options.terminate:
                raise QuietNavError(
                    f'{self.where}: a run took longer than {self.limit_s:g} s or was stopped'
                ) from error
            raise QuietNavError(f'{self.where}: cannot be run ({_reason(error)})') from error
        finally:
            self._stops.discard(options)
            timer.cancel()
        if not all(isinstance(item, np.ndarray) for item in found):
            raise QuietNavError(f'{self.where}: gives something else than arrays')
        return found

    def stop(self) -> None:
        """End the runs of other threads that are under way; ``run`` raises there."""
        for options in list(self._stops):
            _terminate(options)


def _terminate(options: onnxruntime.RunOptions) -> None:
    options.terminate = True


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn a core between two decisions.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    # Errors are raised, too.
    options.log_severity_level = 4
    if _limit_memory():
        options.add_session_config_entry('session.use_env_allocators', '1')
    return options


@functools.cache
def _limit_memory() -> bool:
    """Give all models of this process one memory with an end; False where there is none."""
    with contextlib.suppress(Exception):
        info = onnxruntime.OrtMemoryInfo(
            'Cpu', onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
            onnxruntime.OrtMemType.DEFAULT,
        )  # fmt: skip
        arena = onnxruntime.OrtArenaCfg({'max_mem': MOST_MEMORY})
        onnxruntime.create_and_register_allocator(info, arena)
        return True
    return False


def _unopened(error: Exception) -> str:
    if no_memory(error):
        return f'cannot be opened: {NO_MEMORY}'
    if _NEWER.search(str(error)):
        return (
            f'made for a newer ONNX than onnxruntime {onnxruntime.__version__} reads; update '
            'onnxruntime, or export the model again for an older one'
        )
    return f'corrupt or not ONNX ({_reason(error)}); copy or export it again'


def _reason(error: Exception) -> str:
    text = str(error)
    if 'Available memory' in text or 'Failed to allocate memory' in text:
        return f'it asks for more memory than {MOST_MEMORY // MEBIBYTE} MiB'
    # What ails comes last, behind the name of the node and places in onnxruntime's own source.
    lines = text.splitlines()
    text = ' '.join(lines[0].split()) if lines else type(error).__name__
    return text if len(text) <= 200 else f'{text[:60]} ... {text[-130:]}'
