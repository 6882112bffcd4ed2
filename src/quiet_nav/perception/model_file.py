"""Opening a model file: every way in which it can be wrong is refused here, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import DISTANCE_EDGES_M, NEAR_WALL_M
from quiet_nav.sound.windows import SAMPLE_RATE

#: What a context model may take beside these, where its metadata name it among the contexts.
NEAREST = 'nearest'
#: Inputs that a kind of model takes.
INPUTS = {
    'context': (
        'waveform',
        'clip_weights',
        'reference',
        'has_reference',
        'others',
        'simultaneous',
    ),
    'resnet': ('image',),
    'vggish': ('waveform',),
    'window': ('waveform',),
}


@dataclass(frozen=True)
class ModelFile:
    """An ONNX session with what the file says about itself."""

    path: Path
    metadata: ModelMetadata
    session: onnxruntime.InferenceSession


def open_model(path: str | Path, threads: int = 2) -> ModelFile:
    """Open an ONNX file of quiet_nav.

    threads: of one run (onnxruntime would take every core).
    Raises QuietNavError where the file is missing, empty, no ONNX, of another project, or takes
    other inputs than its metadata say.
    """
    path = Path(path)
    if not path.is_file():
        raise QuietNavError(f'model {path}: no such file; expected an ONNX file of quiet_nav')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn a core between two decisions.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=['CPUExecutionProvider']
        )
    except Exception as error:
        # onnxruntime raises a dozen classes of its own without a common base.
        first = str(error).splitlines()[0][:160]
        if 'bad_alloc' in first or isinstance(error, MemoryError):
            raise QuietNavError(
                f'model {path}: not enough memory to open it: give the process more'
            ) from error
        raise QuietNavError(
            f'model {path}: corrupt or not ONNX ({first}); copy or export it again'
        ) from error
    where = f'model {path}'
    metadata = ModelMetadata.from_strings(session.get_modelmeta().custom_metadata_map, where)
    found = tuple(item.name for item in session.get_inputs())
    expected = INPUTS.get(metadata.kind)
    if expected is None:
        raise QuietNavError(
            f'{where}: kind {metadata.kind!r} is unknown here; expected one of {", ".join(INPUTS)}'
        )
    if NEAREST in metadata.contexts:
        expected = (*expected, NEAREST)
    if sorted(found) != sorted(expected):
        raise QuietNavError(
            f'{where}: takes {", ".join(found)}; its metadata say {metadata.kind}, which takes '
            f'{", ".join(expected)}'
        )
    return ModelFile(path, metadata, session)


def refuse_other(model: ModelFile, modality: str) -> None:
    """Raise QuietNavError where a model reads another modality or means other distances."""
    meta = model.metadata
    wrong = {
        f'modality {meta.modality}, expected {modality}': meta.modality != modality,
        f'near wall at {meta.near_wall_m} m, expected {NEAR_WALL_M}': meta.near_wall_m
        != NEAR_WALL_M,
        'other distance bins than this version': bool(meta.distance_edges_m)
        and tuple(meta.distance_edges_m) != DISTANCE_EDGES_M,
        f'sample rate {meta.sample_rate} Hz, expected {SAMPLE_RATE}': modality == 'audio'
        and meta.sample_rate != SAMPLE_RATE,
    }
    if any(wrong.values()):
        found = '; '.join(text for text, bad in wrong.items() if bad)
        raise QuietNavError(f'model {model.path}: {found}')
