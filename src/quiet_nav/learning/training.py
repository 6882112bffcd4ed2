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
Running a training from a recipe: loaders, checkpoints, resume, logs, devices.

Lightning takes seconds to import: it is when a training begins, not before its input was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
import logging
from pathlib import Path
import time
from typing import TYPE_CHECKING
import warnings

from rich.console import Console
import torch
from torch.utils.data import DataLoader, Dataset

from quiet_nav.errors import QuietNavError
from quiet_nav.files.renames import as_now
from quiet_nav.files.writing import write_json
from quiet_nav.learning.checkpoints import read_tensors, start_from, task_of
from quiet_nav.learning.detectors.kinds import kind_of
from quiet_nav.learning.detectors.vggish.data import EpochSampler
from quiet_nav.learning.precision import described, FLOAT32, settled
from quiet_nav.learning.recipe import MONITOR, Recipe, recipe_to_dict

if TYPE_CHECKING:
    import lightning

    from quiet_nav.learning.module import NearWallModule

BEST = 'best.ckpt'
LAST = 'last.ckpt'
RESULT = 'result.json'


@dataclass(frozen=True)
class Devices:
    """On what a training runs, as Lightning takes it."""

    #: Kind of processor: auto, cpu, gpu ...
    accelerator: str = 'auto'
    #: How many, or which; auto for all.
    devices: str | int = 'auto'
    #: Machines that train together.
    num_nodes: int = 1


#: Whatever the machine has.
ANY = Devices()


@dataclass(frozen=True)
class TrainingResult:
    """
    Where the best validation model lies, its figure in validation, and what it took.

    figure: which, as it is logged (``val/ap``). precision: in which it was computed, Lightning's.
    """

    best: Path
    val_score: float
    epochs: int
    hours: float
    train_rows: int
    val_rows: int
    figure: str = MONITOR
    precision: str = FLOAT32

    @property
    def val_ap(self) -> float:
        """Return the score of tasks that are judged by average precision."""
        return self.val_score


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    init: str | Path | None = None,
    devices: Devices = ANY,
    progress: bool = True,
    limit_epochs: int | None = None,
) -> TrainingResult:
    """
    Train as the recipe says; goes on from ``out/last.ckpt`` where there is one.

    data: folder in the Quiet Campus layout. out: receives best.ckpt (highest validation AP),
    last.ckpt (every epoch), result.json and a TensorBoard log. init: checkpoint or ONNX file to
    start from. limit_epochs: stop after so many epochs of the schedule (to go on later).
    The same seed, data and machine give the same weights, bit for bit, on a CPU.
    """
    kind = kind_of(recipe)
    train_set, val_set = kind.datasets(Path(data), recipe)

    def build(resumed: bool) -> NearWallModule:
        from quiet_nav.learning.module import NearWallModule

        network = kind.network(recipe.network)
        if init is not None and not resumed:
            start_from(network, init)
        return NearWallModule(network, recipe, train_set.positive_weight)

    return fit(
        build,
        train_set,
        val_set,
        recipe,
        Path(out),
        devices=devices,
        progress=progress,
        limit_epochs=limit_epochs,
    )


def fit(
    build: Callable[[bool], lightning.LightningModule],
    train_set: Dataset,
    val_set: Dataset,
    recipe: Recipe,
    out: Path,
    *,
    monitor: tuple[str, str] = (MONITOR, 'max'),
    devices: Devices = ANY,
    progress: bool = True,
    limit_epochs: int | None = None,
) -> TrainingResult:
    """
    Train any Lightning module; goes on from ``out/last.ckpt`` where there is one.

    build: makes the module, after the seed was set; told whether weights come from ``last.ckpt``.
    monitor: the logged figure that picks ``best.ckpt``, and whether its 'max' or 'min' is best.
    """
    import lightning
    from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
    from lightning.pytorch.loggers import TensorBoardLogger

    out.mkdir(parents=True, exist_ok=True)
    resume = resume_from(out, recipe)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    module = build(resume is not None)
    refuse_other_task(resume, module)
    figure, mode = monitor
    best = ModelCheckpoint(out, 'best', monitor=figure, mode=mode, enable_version_counter=False)
    last = ModelCheckpoint(out, 'last', enable_version_counter=False, save_on_train_epoch_end=True)
    callbacks = [best, last, LearningRateMonitor('epoch')]
    if progress:
        callbacks.append(_progress())
        Console(stderr=True).print(described(recipe.optim.precision, devices.accelerator))
    _quiet_lightning()
    trainer = lightning.Trainer(
        **asdict(devices),
        precision=settled(recipe.optim.precision, devices.accelerator),
        max_epochs=min(recipe.optim.epochs, limit_epochs or recipe.optim.epochs),
        callbacks=callbacks,
        logger=TensorBoardLogger(str(out), name='', version='tensorboard'),
        enable_progress_bar=progress,
        enable_model_summary=False,
        deterministic=True,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    began = time.monotonic()
    trainer.fit(
        module,
        loader(train_set, recipe, shuffle=True),
        loader(val_set, recipe, shuffle=False),
        ckpt_path=str(resume) if resume else None,
        weights_only=True if resume else None,
    )
    result = TrainingResult(
        best=out / BEST,
        val_score=float('nan') if best.best_model_score is None else float(best.best_model_score),
        epochs=trainer.current_epoch,
        hours=(time.monotonic() - began) / 3600.0,
        train_rows=len(train_set),
        val_rows=len(val_set),
        figure=figure,
        precision=settled(recipe.optim.precision, devices.accelerator),
    )
    if trainer.is_global_zero:
        write_json(out / RESULT, {**asdict(result), 'best': BEST}, overwrite=True, indent=2)
    return result


def loader(dataset: Dataset, recipe: Recipe, shuffle: bool) -> DataLoader:
    """
    Return batches in the order that seed and epoch decide.

    A data set with ``whole_batches`` draws a batch an item.
    """
    whole = getattr(dataset, 'whole_batches', False)
    return DataLoader(
        dataset,
        batch_size=None if whole else recipe.optim.batch_size,
        sampler=EpochSampler(len(dataset), recipe.seed, shuffle),
        num_workers=recipe.data.workers,
        persistent_workers=recipe.data.workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def resume_from(out: Path, recipe: Recipe) -> Path | None:
    """Return ``out/last.ckpt`` where a training with this very recipe can go on, else None."""
    last = out / LAST
    if not last.is_file():
        return None
    kept = as_now(read_tensors(last).get('hyper_parameters', {}).get('recipe'))
    if kept != recipe_to_dict(recipe):
        changed = sorted(_differences(kept or {}, recipe_to_dict(recipe)))
        raise QuietNavError(
            f'{last}: begun with another recipe (differs in {", ".join(changed)}); take another '
            'folder or remove this one'
        )
    return last


def refuse_other_task(resume: Path | None, module: lightning.LightningModule) -> None:
    """Raise QuietNavError where ``last.ckpt`` is of another task than the module."""
    if resume is None:
        return
    kept = task_of(read_tensors(resume))
    own = task_of({'hyper_parameters': dict(module.hparams)})
    if kept != own:
        raise QuietNavError(
            f'{resume}: begun for the task {kept}, not {own}; take another folder or remove this '
            'one'
        )


def _progress() -> lightning.Callback:
    """Return Lightning's bar without the log's folder name."""
    from lightning.pytorch.callbacks import RichProgressBar

    class Progress(RichProgressBar):
        """The progress bar without the number of the log folder."""

        def get_metrics(self, trainer, module):
            metrics = super().get_metrics(trainer, module)
            metrics.pop('v_num', None)
            return metrics

    return Progress()


def _quiet_lightning() -> None:
    """Keep advertisements and notices that no user can act upon off the terminal."""
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    for text in ('Checkpoint directory', '.*LeafSpec', '.*does not have many workers'):
        warnings.filterwarnings('ignore', message=f'.*{text}')


def _differences(one: dict, other: dict, prefix: str = '') -> set[str]:
    keys = set()
    for key in set(one) | set(other):
        a, b = one.get(key), other.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            keys |= _differences(a, b, f'{prefix}{key}.')
        elif a != b:
            keys.add(f'{prefix}{key}')
    return keys
