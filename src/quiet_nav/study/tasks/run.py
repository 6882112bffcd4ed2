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

"""Training a task, and what a trained one says of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
from dataclasses import dataclass
import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.renames import as_now
from quiet_nav.learning.augment import DistractorBank, mix_at_snr
from quiet_nav.learning.checkpoints import load_weights, PREFIX, read_tensors, strip, task_of
from quiet_nav.learning.recipe import (
    load_recipe,
    NetworkRecipe,
    Recipe,
    recipe_file,
    recipe_from_dict,
)
from quiet_nav.learning.training import ANY, Devices, fit, TrainingResult
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.predictions import Predictions
from quiet_nav.study.tasks import get_task
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.examples import FeatureDataset, TaskDataset
from quiet_nav.study.tasks.networks import FEATURES, MODALITIES, TaskNetwork
from quiet_nav.study.tasks.options import KIND, RANDOM, TaskOptions
from quiet_nav.study.tasks.task import Example, Task
from quiet_nav.study.tasks.views import Change, Views

#: Views that are encoded at once when predicting.
_BATCH = 128
#: Examples of which a probe takes its features' mean and spread.
_STANDARD = 2000


def recipe_for(task: Task, name: str = 'paper', probe: bool = False) -> Recipe:
    """
    Return a recipe by file, or by the name of ``config/learning`` that fits the task best.

    ``small`` is ``small_av_sync`` for that task, else ``small_pair`` for a task of two places,
    ``small_probe`` for a probe, and so on.
    """
    names = [f'{name}_probe'] if probe else [f'{name}_{task.NAME.replace("-", "_")}']
    names += [f'{name}_{task.FAMILY}']
    known = resources.names(resources.RECIPE)
    return load_recipe(recipe_file(next((found for found in names if found in known), name)))


def train_task(
    task: Task,
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    init: str | Path | None = None,
    trunk: str | Path | None = None,
    devices: Devices = ANY,
    progress: bool = True,
    limit_epochs: int | None = None,
) -> TrainingResult:
    """
    Train a task as a recipe says; arguments and resuming as in ``training.train``.

    init: a checkpoint of this very task to go on from. trunk: a checkpoint of any task, or of a
    near-wall detector, or ImageNet's ResNet-18, of which the trunks alone are taken; 'random' says
    that they stay as drawn (a probe has to say which).
    Raises QuietNavError where the data cannot serve the task or a checkpoint is of another task.
    """
    options = TaskOptions.of(recipe)
    if options.probe and trunk is None and init is None:
        raise QuietNavError('a probe needs --trunk: a checkpoint, or "random"')
    if options.probe and task.FAMILY == 'av':
        raise QuietNavError(f'task {task.NAME}: no probe of it; probes are for tasks of distances')
    campus = TaskData(data, options.fraction, recipe.seed)
    # Every split is looked at before any training: a test that cannot be made is found out first.
    examples = task.all_examples(campus, seed=recipe.seed)
    task.learn(examples['train'], options, Views(recipe, training=False))
    torch.manual_seed(recipe.seed)
    network = TaskNetwork(task, recipe)
    if init is not None:
        start(network, task, init)
    if trunk is not None and str(trunk) != RANDOM:
        take_trunks(network, trunk)
    make = FeatureDataset if options.probe else TaskDataset
    extra = {'network': network} if options.probe else {}
    sets = [
        make(task, examples[split], campus, recipe, split == 'train', **extra)
        for split in ('train', 'val')
    ]
    if options.probe:
        network.head.standardize(_features(sets[0]))
    # It imports Lightning, which takes seconds: when everything else is known to be there.
    from quiet_nav.study.tasks.module import MONITORS, TaskModule

    return fit(
        lambda resumed: TaskModule(network, task, recipe),
        *sets,
        recipe,
        Path(out),
        monitor=MONITORS[task.KIND],
        devices=devices,
        progress=progress,
        limit_epochs=limit_epochs,
    )


def start(network: TaskNetwork, task: Task, path: str | Path) -> None:
    """Take over all weights of a checkpoint of the same task (fine-tuning); else refuse by name."""
    loaded = read_tensors(path)
    own = task_of({'hyper_parameters': {'task': task.described()}})
    found = task_of(loaded)
    if found != own:
        raise QuietNavError(
            f'{path}: a checkpoint of the task {found}, expected {own}; --trunk takes the trunk '
            'of another task alone'
        )
    load_weights(network, strip(loaded['state_dict'], PREFIX), str(path))


def take_trunks(network: TaskNetwork, path: str | Path) -> None:
    """Take over the trunks that a checkpoint has of those that the network has, one at least."""
    loaded = read_tensors(path)
    weights = strip(loaded.get('state_dict', {}), PREFIX)
    kind = loaded.get('hyper_parameters', {}).get('recipe', {}).get('network', {}).get('kind')
    near_wall = {'vggish': 'audio', 'resnet': 'image'}.get(kind)
    taken = 0
    for name, encoder in network.encoders.items():
        found = strip(weights, f'encoders.{name}.trunk.')
        if not found and near_wall == name:
            found = strip(weights, 'trunk.')
        if found:
            load_weights(encoder.trunk, found, f'{path}: {name} trunk')
        elif kind is None and name == 'image':
            encoder.trunk.load_imagenet(path)
        else:
            continue
        taken += 1
    if not taken:
        wanted = ' or '.join(network.encoders)
        raise QuietNavError(
            f'{path}: a checkpoint of the task {task_of(loaded)} without a trunk for {wanted}'
        )


def like_trunk(recipe: Recipe, path: str | Path) -> Recipe:
    """Return the recipe with the widths and image size of a checkpoint of ours, if it is one."""
    said = read_tensors(path).get('hyper_parameters', {}).get('recipe')
    if said is None:
        return recipe
    theirs = recipe_from_dict(said, f'{path}: recipe')
    network, image = recipe.network, recipe.image
    options = dict(network.options)
    if theirs.network.kind == KIND:
        options['image_width'] = TaskOptions.of(theirs).image_width
    if theirs.network.kind == 'resnet':
        options['image_width'] = theirs.network.width
    if theirs.network.kind in (KIND, 'vggish'):
        network = dataclasses.replace(network, width=theirs.network.width)
    if theirs.network.kind in (KIND, 'resnet'):
        image = dataclasses.replace(image, size=theirs.image.size)
    network = dataclasses.replace(network, options=options)
    return dataclasses.replace(recipe, network=network, image=image)


@dataclass(frozen=True)
class Trained:
    """A checkpoint of a task: what it was trained for, how, and its network for predictions."""

    task: Task
    recipe: Recipe
    network: nn.Module


def load_trained(path: str | Path) -> Trained:
    """
    Return a trained task, its network in evaluation mode.

    A near-wall detector's checkpoint (VGGish or ResNet-18) counts as the task near-wall.
    """
    loaded = read_tensors(path)
    parameters = loaded.get('hyper_parameters', {})
    if 'recipe' not in parameters or 'state_dict' not in loaded:
        raise QuietNavError(f'{path}: no checkpoint of quiet_nav (recipe or weights missing)')
    recipe = recipe_from_dict(parameters['recipe'], f'{path}: recipe')
    if 'task' not in parameters:
        return _near_wall(path, recipe)
    said = parameters['task']
    task = get_task(said['name'], said['variant'], said['inputs'])
    task.state = as_now(said['state'])
    network = TaskNetwork(task, recipe)
    load_weights(network, strip(loaded['state_dict'], PREFIX), str(path))
    return Trained(task, recipe, network.eval())


def predict(
    checkpoint: str | Path,
    data: str | Path,
    split: str = 'test',
    seed: int = 0,
    input: str = '',
    *,
    task: str = '',
    distractors: str | Path | None = None,
    snr_db: float = 0.0,
    rooms: str | Path | None = None,
) -> Predictions:
    """
    Return what a checkpoint says of a split of a data set.

    input, task: refused where the checkpoint is of another. distractors: 'synthetic' or a folder
    of event sounds; one is mixed into every clip at ``snr_db`` (ambience over event, A.7), which
    the row and the seed decide. rooms: another data set whose split is asked about; of ``data``
    are then the training rows of the baselines alone. The same arguments give the same predictions.
    """
    trained = load_trained(checkpoint)
    own = trained.task
    for what, asked, has in (('task', task, own.NAME), ('input', input, own.inputs)):
        if asked and asked != has:
            raise QuietNavError(
                f'{checkpoint}: a checkpoint of the task {own.title} from {own.inputs}; its {what} '
                f'is {has}, not {asked}'
            )
    options = TaskOptions.of(trained.recipe)
    campus = TaskData(data, options.fraction, trained.recipe.seed)
    judged = None if rooms is None else TaskData(rooms)
    asked = ExamplesRequest(campus, split, seed, distractors, snr_db, judged)
    return predictions_of(own, functools.partial(outputs, trained), asked)


@dataclass(frozen=True)
class ExamplesRequest:
    """Which examples of a task are asked about."""

    #: Of it are the training rows, and the rows asked about unless ``judged`` is given.
    campus: TaskData
    #: train, val or test.
    split: str
    #: Of what is drawn: pairs, events.
    seed: int
    #: Events that are mixed in: 'synthetic' or a folder; None for none.
    distractors: str | Path | None = None
    #: Ambience over event, dB.
    snr_db: float = 0.0
    #: Other rooms that are asked about.
    judged: TaskData | None = None


def predictions_of(
    task: Task,
    ask: Callable[[Sequence[Example], Change | None], np.ndarray],
    asked: ExamplesRequest,
) -> Predictions:
    """Return what anything says of a task's examples: ``ask`` gives outputs (N, outputs)."""
    examples = task.examples(asked.judged or asked.campus, asked.split, asked.seed)
    change = None
    if asked.distractors is not None:
        change = distracting(asked.distractors, asked.snr_db, asked.seed)
    listed = task.listed(asked.campus, 'train', asked.seed)
    found = task.predictions(ask(examples, change), examples, listed)
    if change is None:
        return found
    extra = {**found.extra, 'distractor_snr_db': np.full(len(found), asked.snr_db)}
    return dataclasses.replace(found, extra=extra)


def outputs(
    trained: Trained, examples: Sequence[Example], change: Change | None = None
) -> np.ndarray:
    """Return the network's outputs, (N, outputs); a view that many examples share goes in once."""
    network, task = trained.network, trained.task
    views = Views(trained.recipe, training=False, change=change, levels=task.levels)
    embeddings = {
        'audio': _embedded(network, views, [e.sounds for e in examples], 'audio'),
        'image': _embedded(network, views, [e.images for e in examples], 'image'),
    }
    parts = []
    with torch.no_grad():
        for first in range(0, len(examples), 4 * _BATCH):
            chosen = range(first, min(first + 4 * _BATCH, len(examples)))
            batch = {
                name: torch.tensor([examples[i].known[name] for i in chosen])
                for name in examples[0].known
            }
            for name in MODALITIES:
                if embeddings[name]:
                    batch[name + FEATURES] = torch.stack([embeddings[name][i] for i in chosen])
            parts.append(network(batch).float())
    found = torch.cat(parts).numpy()
    if not np.isfinite(found).all():
        raise QuietNavError(f'task {task.title}: the network says numbers that are not finite')
    return found


def distracting(events: str | Path, snr_db: float, seed: int) -> Change:
    """Return what mixes an event into a clip; which and where, the clip's row and seed decide."""
    bank = DistractorBank.of(events)

    def change(row: Row, wave: np.ndarray) -> np.ndarray:
        place = f'{row.room}/{row.folder.name}/{row.start_s}/{row.frame}'
        rng = np.random.default_rng([seed, *place.encode()])
        return mix_at_snr(wave, bank.draw(rng, len(wave)), snr_db)

    return change


class _Detector(nn.Module):
    """A near-wall detector's network as predictions take one."""

    def __init__(self, network: nn.Module, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind

    def encode(self, name: str, views: torch.Tensor) -> torch.Tensor:
        if self.kind == 'vggish':
            return self.network.heads(self.network.trunk(views)).near[:, None]
        return self.network(views).near[:, None]

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        name = 'audio' if self.kind == 'vggish' else 'image'
        return batch[name + FEATURES][:, 0]


def _near_wall(path: str | Path, recipe: Recipe) -> Trained:
    from quiet_nav.learning.checkpoints import load_checkpoint

    kind = recipe.network.kind
    if kind not in ('vggish', 'resnet'):
        raise QuietNavError(
            f'{path}: a near-wall detector of kind {kind}, which hears more than a clip; evaluate '
            'its exported model (quiet_nav export, quiet_nav evaluate)'
        )
    network, _, _ = load_checkpoint(path)
    task = get_task('near-wall', inputs='audio' if kind == 'vggish' else 'image')
    plain = dataclasses.replace(recipe, network=NetworkRecipe(KIND, recipe.network.width))
    return Trained(task, plain, _Detector(network, kind).eval())


def _embedded(
    network: nn.Module, views: Views, rows: Sequence[tuple[Row, ...]], name: str
) -> list[torch.Tensor]:
    """Return the embeddings of every example's rows, (V, E) each; every view is encoded once."""
    if not rows[0]:
        return []
    rng = np.random.default_rng(0)

    def key(row: Row) -> tuple[object, ...]:
        if name == 'image':
            return (row.image,)
        return row.audio, row.channel, round(views.start_s(row, rng), 4)

    unique = {key(row): row for example in rows for row in example}
    found: dict[tuple[object, ...], torch.Tensor] = {}
    keys = list(unique)
    with torch.no_grad():
        for first in range(0, len(keys), _BATCH):
            part = keys[first : first + _BATCH]
            if name == 'audio':
                plain = [views.plain(unique[k], views.start_s(unique[k], rng)) for k in part]
                made = torch.from_numpy(np.stack(plain))
            else:
                made = torch.cat([views.seen((unique[k],), rng) for k in part])
            found.update(zip(part, network.encode(name, made).float(), strict=True))
    return [torch.stack([found[key(row)] for row in example]) for example in rows]


def _features(dataset: FeatureDataset) -> torch.Tensor:
    """Return features of training examples as a probe's layer takes them, (N, features)."""
    count = min(len(dataset), _STANDARD)
    places = np.linspace(0, len(dataset) - 1, count).round().astype(int)
    items = [dataset[(0, int(i))] for i in places]
    names = [name + FEATURES for name in MODALITIES if name + FEATURES in items[0]]
    return torch.stack([torch.cat([item[n].flatten() for n in names]) for item in items])
