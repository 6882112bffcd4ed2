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

"""What trains and asks the networks of the study: tasks of ``learning.tasks`` after recipes."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from quiet_nav.errors import QuietNavError
from quiet_nav.files.renames import as_before
from quiet_nav.learning.augment import DistractorBank, SYNTHETIC, TEST_PART, TRAIN_PART
from quiet_nav.quiet_campus.lists import find_lists, find_subset, OBSTACLE, ORDER, SPLITS
from quiet_nav.study.energy import MEASURES
from quiet_nav.study.experiments import Experiment, IMAGENET, SUBSETS, Training
from quiet_nav.study.predictions import Predictions
from quiet_nav.study.run import Found, unserved

if TYPE_CHECKING:
    from quiet_nav.learning.recipe import Recipe
    from quiet_nav.study.tasks.task import Task

#: How often an event is mixed in where a network is retrained with them.
EVENT_SHARE = 0.5


@dataclass(frozen=True)
class TaskRunner:
    """
    Trains with the recipes of a name in ``config/learning`` on the subsets of a folder.

    Raises QuietNavError where the other rooms are those of the data.
    """

    #: Holds SFS-Static and others, or is one of them.
    data: Path
    #: First part of the recipes' names: paper or small.
    recipe: str = 'paper'
    #: Instead of the recipes'.
    epochs: int | None = None
    #: Of recipes and examples.
    seed: int = 0
    #: Folder of distractors; None for synthetic ones.
    events: Path | None = None
    #: Weights of ResNet-18.
    imagenet: Path | None = None
    #: Another such folder, whose test rooms are judged in place of those of ``data`` as far as it
    #: has the subset.
    rooms: Path | None = None

    def __post_init__(self) -> None:
        if self.rooms is not None and self.rooms.resolve() == self.data.resolve():
            raise QuietNavError(f'{self.rooms}: other rooms than those of the data are needed')

    def anywhere(self) -> TaskRunner:
        """Return the same with absolute paths: workers may stand in another folder."""
        paths = {name: getattr(self, name) for name in ('data', 'events', 'imagenet', 'rooms')}
        absolute = {name: path and path.resolve() for name, path in paths.items()}
        return dataclasses.replace(self, **absolute)

    @property
    def has_imagenet(self) -> bool:
        return self.imagenet is not None

    def decides(self, training: Training) -> dict:
        """Return recipe, lists and outer files."""
        from quiet_nav.learning.recipe import recipe_to_dict

        recipe = recipe_to_dict(self._recipe(training))
        said: dict = {'lists': _digest(self.root(training.subset))}
        if training.distractors:
            recipe['augment'].pop('distractors')
            folder = self.events
            named = sorted(p.name for p in folder.glob('event-*')) if folder else [SYNTHETIC]
            said['events'] = [*named, TRAIN_PART]
        if training.init == IMAGENET:
            said['imagenet'] = self.imagenet.name if self.imagenet else ''
        # What was trained before names changed is not trained again.
        return {**said, 'recipe': as_before(recipe)}

    def judges(self, training: Training, subset: str) -> dict:
        """Return what a training like this on the subset would be decided by, and other rooms."""
        said = self.decides(dataclasses.replace(training, subset=subset, init=None))
        rooms = self.judged_rooms(training, subset)
        return said if rooms is None else {**said, 'rooms': _digest(rooms)}

    def judged_rooms(self, training: Training, subset: str) -> Path | None:
        """Return the folder of a subset whose rooms are judged, None for the data's own."""
        if self.rooms is None or self._task(training).KNOWN_ROOMS:
            return None
        found = self.rooms / SUBSETS[subset]
        return found if (found / 'ProcessedData').is_dir() else None

    def root(self, subset: str) -> Path:
        """Return the folder of a subset; QuietNavError where the data do not have it."""
        name = SUBSETS[subset]
        if (self.data / 'ProcessedData').is_dir() and self.data.name != name:
            raise QuietNavError(f'{self.data}: no {name}; name the folder that holds it')
        return find_subset(self.data, name)[0]

    def check(self, training: Training, subset: str) -> None:
        """Look at a subset as training and evaluation will, or evaluation alone."""
        # The data first: a task imports torch, which takes seconds.
        root, task = self.root(subset), self._task(training)
        if training.distractors:
            for part in (TRAIN_PART, TEST_PART):
                DistractorBank.of(self._events + part)
        for split in SPLITS if subset == training.subset else ('train', 'test'):
            task.examples(_campus(root), split, self.seed)
        rooms = self.judged_rooms(training, subset)
        if rooms is not None:
            task.examples(_campus(rooms), 'test', self.seed)

    def train(self, training: Training, out: Path, init: Path | None) -> None:
        """Train, or go on; ``out`` receives best.ckpt, last.ckpt and result.json."""
        from quiet_nav.study.tasks.run import like_trunk, train_task

        recipe = self._recipe(training)
        trunk: str | Path | None = self.imagenet if training.init == IMAGENET else init
        if isinstance(training.init, Training):
            recipe = like_trunk(recipe, init)
        if trunk is None and _is_probe(training):
            trunk = 'random'
        train_task(
            self._task(training),
            recipe,
            self.root(training.subset),
            out,
            trunk=trunk,
            progress=False,
        )

    def predict(
        self, training: Training, checkpoint: Path, subset: str, snr_db: float | None
    ) -> Predictions:
        """Ask a network about the test rooms of a subset."""
        from quiet_nav.study.tasks.run import predict

        return predict(
            checkpoint,
            self.root(subset),
            'test',
            self.seed,
            distractors=None if snr_db is None else self._events + TEST_PART,
            snr_db=snr_db or 0.0,
            rooms=self.judged_rooms(training, subset),
        )

    def measure(self, what: str, subset: str) -> list[Found]:
        """Return one of ``energy.MEASURES``, a line a frequency."""
        return MEASURES[what](self.data, SUBSETS[subset], self.seed)

    @property
    def _events(self) -> str:
        return str(self.events or SYNTHETIC)

    def _task(self, training: Training) -> Task:
        from quiet_nav.study.tasks import get_task

        return get_task(training.task, training.variant, training.inputs)

    def _recipe(self, training: Training) -> Recipe:
        from quiet_nav.study.tasks.options import with_options
        from quiet_nav.study.tasks.run import recipe_for

        found = recipe_for(self._task(training), self.recipe, _is_probe(training))
        found = dataclasses.replace(with_options(found, **dict(training.options)), seed=self.seed)
        if training.init == IMAGENET:
            # ImageNet's weights fit the whole width alone.
            found = with_options(found, image_width=1.0)
        if self.epochs is not None:
            optim = dataclasses.replace(found.optim, epochs=self.epochs)
            found = dataclasses.replace(found, optim=optim)
        if training.distractors:
            augment = dataclasses.replace(
                found.augment,
                distractors=self._events + TRAIN_PART,
                distractor_probability=EVENT_SHARE,
                distractor_snr_db=(-10.0, 30.0),
            )
            found = dataclasses.replace(found, augment=augment)
        return found


def served(
    experiments: Sequence[Experiment], runner: TaskRunner
) -> tuple[list[Experiment], list[str]]:
    """Return the experiments with the lines that the data can serve, and why others cannot be."""
    why = unserved(experiments, runner)
    kept, left = [], []
    for one in experiments:
        if not one.measures and all(why[line] for line in one.lines):
            left.append(f'{one.name}: {why[one.lines[0]]}')
            continue
        if one.measures:
            try:
                runner.root(one.on)
            except QuietNavError as error:
                left.append(f'{one.name}: {error}')
                continue
        left += [f'{one.name}, {line.label}: {why[line]}' for line in one.lines if why[line]]
        kept.append(one.without(why))
    if not kept:
        raise QuietNavError('the data serve no experiment: ' + '; '.join(left))
    return kept, left


def _is_probe(training: Training) -> bool:
    return dict(training.options).get('probe', False) is True


@functools.lru_cache(maxsize=8)
def _campus(root: Path) -> object:
    from quiet_nav.study.tasks.data import TaskData

    return TaskData(root)


@functools.lru_cache(maxsize=8)
def _digest(root: Path) -> str:
    found = hashlib.sha256()
    for task in (OBSTACLE, ORDER):
        for split in SPLITS:
            found.update((find_lists(root, task) / f'{split}.csv').read_bytes())
    return found.hexdigest()[:16]
