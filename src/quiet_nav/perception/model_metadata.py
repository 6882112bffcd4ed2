"""What a model file says about itself in its ONNX metadata: one format for writer and reader."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.distance_bins import STANDARD_BINS, DistanceBins
from quiet_nav.sound.windows import CLIP_SAMPLES, SAMPLE_RATE

FORMAT = '1'
PREFIX = 'quiet_nav.'
#: Keys that files of this format written before them lack.
_MAY_LACK = {'distance_prior'}


@dataclass(frozen=True)
class ModelMetadata:
    """Everything that a user of the file must know.

    kind: which inputs the network takes (``vggish`` clips or ``window`` dense, ``context`` ...).
    input_samples: length of the waveform input. contexts: names that the model can use beside
    the window itself (reference, other_ears). distance_edges_m: upper edges of the distance bins,
    empty where the model says no distances. distance_prior: share of each bin where the model was
    calibrated, one more than edges; empty: that of the shipped detectors. calibration: what was
    done to the probabilities. training: data, seed, recipe, rooms, in words. extra: what one kind
    needs beside that.
    """

    kind: str
    input_samples: int = CLIP_SAMPLES
    sample_rate: int = SAMPLE_RATE
    modality: str = 'audio'
    contexts: tuple[str, ...] = ()
    distance_edges_m: tuple[float, ...] = STANDARD_BINS.edges_m
    near_wall_m: float = 0.5
    calibration: str = 'none'
    training: str = ''
    version: str = ''
    licence: str = 'Apache-2.0'
    extra: dict = field(default_factory=dict)
    distance_prior: tuple[float, ...] = ()

    @property
    def bins(self) -> DistanceBins:
        """The bins of its distances; the standard ones where it says none."""
        if not self.distance_edges_m:
            return STANDARD_BINS
        return DistanceBins(self.distance_edges_m, self.distance_prior)

    def to_strings(self) -> dict[str, str]:
        """Return ONNX metadata properties, JSON values under ``quiet_nav.*`` keys."""
        items = {'format': FORMAT, **dataclasses.asdict(self)}
        return {PREFIX + key: json.dumps(value) for key, value in items.items()}

    @classmethod
    def from_strings(cls, properties: Mapping[str, str], where: str = 'model') -> ModelMetadata:
        """Read ``to_strings`` back.

        Raises QuietNavError naming what is missing, unreadable or of another format.
        """
        raw = {}
        for key, text in properties.items():
            if key.startswith(PREFIX):
                try:
                    raw[key[len(PREFIX) :]] = json.loads(text)
                except ValueError as error:
                    raise QuietNavError(f'{where}: metadata {key} is not JSON') from error
        found = raw.pop('format', None)
        if found != FORMAT:
            raise QuietNavError(
                f'{where}: no metadata of quiet_nav format {FORMAT} in it (found {found!r}); '
                'export it with quiet_nav export or import-checkpoint'
            )
        hints = typing.get_type_hints(cls)
        missing = sorted(set(hints) - set(raw) - _MAY_LACK)
        if missing:
            raise QuietNavError(f'{where}: metadata lack {", ".join(missing)}')
        values = {
            key: _checked(hints[key], raw[key], f'{where}: {key}') for key in hints if key in raw
        }
        return cls(**values)


def _checked(hint: object, value: object, where: str) -> object:
    origin = typing.get_origin(hint)
    if origin is tuple and isinstance(value, list):
        return tuple(value)
    wanted = origin or hint
    if wanted is float and isinstance(value, int):
        value = float(value)
    if isinstance(wanted, types.UnionType) or not isinstance(value, wanted):
        raise QuietNavError(f'{where}: found {value!r}, expected {hint}')
    return value
