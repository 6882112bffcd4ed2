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
What the paper's tasks are: a name and a variant give inputs, examples, target and loss.

A task is one class (see ``task.Task``) with a ``NAME``, found in whichever module here has it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
import importlib
import importlib.util
import inspect
import pkgutil
from typing import TYPE_CHECKING

from quiet_nav.errors import QuietNavError

if TYPE_CHECKING:
    from quiet_nav.study.predictions import Predictions
    from quiet_nav.study.tasks.task import Task


def task_modules() -> dict[str, str]:
    """
    Return in which module here each task stands, by its name, sorted.

    Read from the sources: nothing is imported, as torch takes seconds.
    """
    found = {}
    for info in pkgutil.iter_modules(__path__):
        spec = importlib.util.find_spec(f'{__name__}.{info.name}')
        tree = ast.parse(spec.loader.get_source(spec.name))
        assigned = [
            part
            for item in tree.body
            if isinstance(item, ast.ClassDef)
            for part in item.body
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant)
        ]
        found |= {
            part.value.value: spec.name
            for part in assigned
            if [target.id for target in part.targets if isinstance(target, ast.Name)] == ['NAME']
        }
    return dict(sorted(found.items()))


@cache
def tasks() -> dict[str, type[Task]]:
    """Return every task by its name, sorted; importing this package alone imports no torch."""
    from quiet_nav.study.tasks.task import Task

    found: dict[str, type[Task]] = {}
    for module in dict.fromkeys(task_modules().values()):
        for value in vars(importlib.import_module(module)).values():
            if inspect.isclass(value) and issubclass(value, Task) and 'NAME' in vars(value):
                found[value.NAME] = value
    return dict(sorted(found.items()))


def refuse_unknown(name: str, known: Iterable[str] | None = None) -> None:
    """
    Raise QuietNavError naming the tasks that there are where this is none.

    known: their names; by default as ``task_modules`` finds them, without torch.
    """
    known = task_modules() if known is None else known
    if name not in known:
        raise QuietNavError(f'task {name!r} is none of {", ".join(known)}')


def get_task(name: str, variant: str = '', inputs: str = '') -> Task:
    """
    Return a task before training.

    variant: one of the task's ``VARIANTS``, its first by default. inputs: audio, image or both,
    the first of the task's ``INPUTS`` by default.
    Raises QuietNavError naming what there is instead.
    """
    known_tasks = tasks()
    refuse_unknown(name, known_tasks)
    found = known_tasks[name]
    for what, said, known in (
        ('variant', variant, found.VARIANTS),
        ('input', inputs, found.INPUTS),
    ):
        if said and said not in known:
            listed = ', '.join(known) or 'none: leave it out'
            raise QuietNavError(f'task {name}: {what} {said!r} is none of {listed}')
    return found(variant or next(iter(found.VARIANTS), ''), inputs or found.INPUTS[0])


def predict(*args: object, **kwargs: object) -> Predictions:
    """Return what a checkpoint says of a split; see ``run.predict``."""
    from quiet_nav.study.tasks import run

    return run.predict(*args, **kwargs)
