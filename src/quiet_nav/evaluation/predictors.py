"""What can be evaluated: anything that gives near-wall probabilities for rows of a data set."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.distance_bins import STANDARD_BINS, DistanceBins
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import (
    CLIPS_PER_WINDOW,
    WINDOW_S,
    clip_batch,
    clip_starts,
)

#: Changes a window before it is judged (a distractor, a band removed): (samples, row) -> samples.
Change = Callable[[np.ndarray, Row], np.ndarray]

#: Model kinds (``ModelMetadata.kind``) and the predictor that serves each, as dotted paths.
PREDICTORS = {
    'context': 'quiet_nav.evaluation.context_predictor:ContextPredictor',
    'resnet': 'quiet_nav.evaluation.image_predictor:ImagePredictor',
    'vggish': 'quiet_nav.evaluation.predictors:ClipPredictor',
    'window': 'quiet_nav.evaluation.predictors:WindowPredictor',
}
#: Kinds that compare two places instead (``quiet_nav.study.tasks.imported``).
PAIR_KINDS = ('order', 'av-order')


@dataclass(frozen=True)
class Predictions:
    """near: probabilities, shape (N,), in the rows' order; distance: (N, bins.count) or None."""

    near: np.ndarray
    distance: np.ndarray | None = None
    bins: DistanceBins = STANDARD_BINS


class Predictor(Protocol):
    """Anything that can be evaluated."""

    #: Every combination of contexts that it can be asked with.
    contexts: tuple[Context, ...]

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of rows; ``change`` applies to every window that is read."""
        ...


class OnnxPredictor(ABC):
    """A model file of ours run on 3 s windows: the base of the predictors below."""

    contexts: tuple[Context, ...] = (Context.ALONE,)

    def __init__(self, path: str | Path, threads: int = 2, clips: int = CLIPS_PER_WINDOW) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options)
        self.metadata = read_metadata(path)
        self.clips = clips

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of windows of 3 s that begin where the rows say (or at 0 s)."""
        if context not in self.contexts:
            raise QuietNavError(f'the model takes no context {context.name}')
        near, distance = [], []
        for row in rows:
            window = read_audio(row, row.start_s or 0.0, WINDOW_S)
            if change is not None:
                window = change(window, row)
            one, bins = self.window(np.ascontiguousarray(window, np.float32))
            near.append(one)
            distance.append(bins)
        stacked = np.stack(distance)
        told = stacked if stacked.shape[1] else None
        return Predictions(np.array(near), told, self.metadata.bins)

    @abstractmethod
    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the near-wall probability and the distance distribution of one window."""


class ClipPredictor(OnnxPredictor):
    """The mean over a window's clips; one clip is the paper's protocol, where the row begins."""

    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        starts = clip_starts(len(samples), self.clips) if self.clips > 1 else np.zeros(1, int)
        near, distance = self.session.run(None, {'waveform': clip_batch(samples, starts)})[:2]
        return float(near.mean()), distance.mean(axis=0)


class WindowPredictor(OnnxPredictor):
    """A model that takes the whole window."""

    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        near, distance = self.session.run(None, {'waveform': samples[None]})[:2]
        return float(near[0]), distance[0]


def read_metadata(path: str | Path) -> ModelMetadata:
    """Return a model file's metadata; QuietNavError where it is missing, corrupt or not ours."""
    import onnxruntime

    path = Path(path)
    if not path.is_file():
        raise QuietNavError(f'{path}: no such model')
    try:
        session = onnxruntime.InferenceSession(str(path))
    except Exception as error:  # onnxruntime's errors share no base of their own
        first = str(error).splitlines()[0][:160]
        raise QuietNavError(f'{path}: not an ONNX model ({first})') from error
    return ModelMetadata.from_strings(session.get_modelmeta().custom_metadata_map, str(path))


def load_predictor(path: str | Path, threads: int = 2, clips: int = CLIPS_PER_WINDOW) -> Predictor:
    """Return the predictor that serves a model file's kind."""
    metadata = read_metadata(path)
    dotted = PREDICTORS.get(metadata.kind)
    if metadata.kind in PAIR_KINDS:
        raise QuietNavError(f'{path}: kind {metadata.kind!r} compares two places; expected one of '
                            f'{", ".join(PREDICTORS)}')  # fmt: skip
    if dotted is None:
        raise QuietNavError(f'{path}: kind {metadata.kind!r} is none of {", ".join(PREDICTORS)}')
    module, name = dotted.split(':')
    return getattr(importlib.import_module(module), name)(path, threads=threads, clips=clips)
