"""What the paper's tasks are: a name and a variant give inputs, examples, target and loss.

A new task is one small class (see ``task.Task``) and one line in ``TASKS``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from quiet_nav.errors import QuietNavError

if TYPE_CHECKING:
    from quiet_nav.study.predictions import Predictions
    from quiet_nav.study.tasks.task import Task

#: Dotted paths, imported when asked for: importing this package imports no torch.
TASKS = {
    'near-wall': 'single:NearWall',
    'distance': 'single:Distance',
    'order': 'pairs:Order',
    'ratio': 'pairs:Ratio',
    'conditional-distance': 'conditional:ConditionalDistance',
    'av-sync': 'audio_visual:AVSync',
    'av-order': 'audio_visual:AVOrder',
    'locate': 'locate:Locate',
}


def get_task(name: str, variant: str = '', inputs: str = '') -> Task:
    """Return a task before training.

    variant: one of the task's ``VARIANTS``, its first by default. inputs: audio, image or both,
    the first of the task's ``INPUTS`` by default.
    Raises QuietNavError naming what there is instead.
    """
    if name not in TASKS:
        raise QuietNavError(f'task {name!r} is none of {", ".join(TASKS)}')
    module, cls = TASKS[name].split(':')
    found = getattr(importlib.import_module(f'{__name__}.{module}'), cls)
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
