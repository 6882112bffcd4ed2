"""From a trained image network to a model file: calibrate on val rooms, export, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from quiet_nav import __version__
from quiet_nav.errors import QuietNavError
from quiet_nav.learning import onnx_export
from quiet_nav.learning.calibration import fit_class_temperature, fit_platt, Platt
from quiet_nav.learning.detectors.resnet.data import image_datasets, ImageDataset
from quiet_nav.learning.detectors.resnet.kind import exportable, NearWallResnet
from quiet_nav.learning.detectors.vggish.deploy import describe, export_verified
from quiet_nav.learning.detectors.vggish.kind import UNCHANGED
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.model_metadata import ModelMetadata

_BATCH = 64


@dataclass(frozen=True)
class ImageOutcome:
    """What was fitted, how large the file is, and how far it is from PyTorch."""

    calibration: Platt
    distance_temperature: float
    megabytes: float
    difference: float
    compared: tuple[str, ...]


def deploy_images(
    network: NearWallResnet,
    recipe: Recipe,
    out: str | Path,
    data: str | Path | None = None,
    limit_mb: float = onnx_export.MAX_MEGABYTES,
) -> ImageOutcome:
    """
    Fit the calibration on the validation rooms of ``data``, export, compare with PyTorch.

    Without data nothing is calibrated. Raises QuietNavError where the exported model differs from
    PyTorch by more than 1e-4 or the file is too large; no file is left then.
    """
    network = network.eval()
    fitted, temperature, compared, bins = UNCHANGED, 1.0, (), STANDARD_BINS
    if data is not None:
        fitted, temperature, compared, bins = calibrate(network, image_datasets(data, recipe)[1])
    item = exportable(network, recipe.image.size, fitted, temperature)
    metadata = ModelMetadata(
        kind='resnet',
        input_samples=0,
        sample_rate=0,
        modality='vision',
        distance_edges_m=bins.edges_m if recipe.network.distance else (),
        distance_prior=bins.prior if recipe.network.distance else (),
        calibration='none' if data is None else describe(fitted),
        training=f'recipe {recipe.name}, seed {recipe.seed}',
        version=__version__,
        extra={
            'recipe': recipe.name,
            'seed': recipe.seed,
            'size': recipe.image.size,
            'width': recipe.network.width,
            'distance_temperature': temperature,
        },
    )
    path = Path(out)
    # Patches, not noise: squeezed noise is the same grey everywhere.
    patches = np.random.default_rng(0).integers(0, 256, (3, 12, 16, 3), np.uint8)
    images = np.repeat(np.repeat(patches, 20, axis=1), 20, axis=2)
    difference = export_verified(item, path, metadata, {'image': images})
    try:
        size = onnx_export.refuse_large(path, limit_mb)
    except QuietNavError:
        path.unlink()
        raise
    return ImageOutcome(fitted, temperature, size, difference, tuple(compared))


def calibrate(
    network: NearWallResnet, val: ImageDataset
) -> tuple[Platt, float, tuple[str, ...], DistanceBins]:
    """Return temperature and shift, the distances' temperature, a report, and the bins' prior."""
    near, distance = logits_of(network, val)
    labels = np.array([bool(row.near) for row in val.rows])
    bins = np.array([int(val[i]['distance_bin']) for i in range(len(val))])
    fitted, temperature = fit_platt(near, labels), 1.0
    known = bins >= 0
    if distance.shape[1] and known.any():
        temperature = fit_class_temperature(distance[known], bins[known])
    lines = (
        f'{len(val)} validation images: log loss {_log_loss(UNCHANGED(near), labels):.4f} before, '
        f'{_log_loss(fitted(near), labels):.4f} after; temperature {fitted.temperature:.3f}, '
        f'shift {fitted.shift:+.3f}; of the distances {temperature:.3f}',
    )
    return fitted, temperature, lines, STANDARD_BINS.counted(bins)


def logits_of(network: NearWallResnet, images: ImageDataset) -> tuple[np.ndarray, np.ndarray]:
    """Return near-wall logits (N,) and distance logits (N, bins) of a data set's images."""
    near, distance = [], []
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            items = range(start, min(start + _BATCH, len(images)))
            logits = network.from_batch({'image': torch.stack([images[i]['image'] for i in items])})
            near.append(logits.near.numpy())
            distance.append(logits.distance.numpy())
    return np.concatenate(near).astype(float), np.concatenate(distance).astype(float)


def _log_loss(probability: np.ndarray, labels: np.ndarray) -> float:
    chosen: Sequence[float] = np.where(labels, probability, 1.0 - probability)
    return float(-np.mean(np.log(np.maximum(chosen, 1e-12))))
