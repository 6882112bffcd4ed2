"""Training recipes: typed dataclasses read from YAML, unknown keys and wrong types refused."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from quiet_nav import resources
from quiet_nav.errors import QuietNavError


@dataclass(frozen=True)
class NetworkRecipe:
    """Which network: ``kind`` as registered in ``kinds``; width multiplies its channels.

    options: what the kind's own network takes beside that.
    """

    kind: str = 'vggish'
    width: float = 1.0
    distance: bool = True
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimRecipe:
    """Optimiser, schedule and loss; the defaults are the paper's (section 4)."""

    name: str = 'sgd'
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = 'cosine'
    epochs: int = 100
    batch_size: int = 256
    #: Lightning's: 32-true, or bf16-mixed where the processor computes with bfloat16.
    precision: str = '32-true'
    #: Weight of a positive in the near-wall loss; None: negatives over positives of the list.
    positive_weight: float | None = None
    distance_weight: float = 0.5


@dataclass(frozen=True)
class AugmentRecipe:
    """What is drawn anew for every training example.

    amplitude: range of a factor (the paper's 0.5-1.5, clipped to full scale). gain_db: range in
    decibels added to that. distractor_*: events from a folder of audio files, mixed with a
    probability at a range of ambient-to-event ratios. band_mask_*: a run of up to so many mel
    bands hidden with a probability. context_drop: probability that each context is withheld.
    """

    amplitude: tuple[float, float] = (0.5, 1.5)
    gain_db: tuple[float, float] = (0.0, 0.0)
    distractors: str | None = None
    distractor_probability: float = 0.0
    distractor_snr_db: tuple[float, float] = (0.0, 30.0)
    band_mask_probability: float = 0.0
    band_mask_bands: int = 16
    context_drop: float = 0.0


@dataclass(frozen=True)
class ImageRecipe:
    """How images are seen, and what is drawn anew for every training example.

    size: pixels across and down that an image is squeezed to. flip: probability of mirroring.
    blur: probability, blur_sigma: pixels of 224. The defaults are the authors' (their public
    code, ``--aug_img``). crop: least share of width and height that is kept. exposure: stops,
    contrast, colour: shares, noise: grey values of 255; each drawn up to that, 0 for none.
    """

    size: int = 224
    flip: float = 0.5
    blur: float = 0.5
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    crop: float = 1.0
    exposure: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0
    noise: float = 0.0


@dataclass(frozen=True)
class DataRecipe:
    """How often every place is visited in an epoch, and with how many loader processes.

    test_rooms: the lists' test rooms train, too: for a detector that is tested on other data.
    """

    repeat: int = 10
    workers: int = 0
    cache_mb: int = 1024
    test_rooms: bool = False


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training gives, but for the data."""

    name: str = 'paper'
    seed: int = 0
    network: NetworkRecipe = NetworkRecipe()
    optim: OptimRecipe = OptimRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    image: ImageRecipe = ImageRecipe()
    data: DataRecipe = DataRecipe()


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe; QuietNavError names the file, the key and what was expected."""
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text())
    except OSError as error:
        raise QuietNavError(f'recipe {path}: cannot be read ({error.strerror})') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise QuietNavError(f'recipe {path}: not YAML ({first})') from error
    return recipe_from_dict(raw or {}, f'recipe {path}')


def recipe_from_dict(raw: object, where: str = 'recipe') -> Recipe:
    """Build a recipe from what the YAML or a checkpoint holds; same errors."""
    recipe = typed(Recipe, raw, where)
    checks = {
        'optim.epochs': recipe.optim.epochs >= 1,
        'optim.batch_size': recipe.optim.batch_size >= 1,
        'optim.learning_rate': recipe.optim.learning_rate > 0,
        'network.width': 0 < recipe.network.width <= 4,
        'data.repeat': recipe.data.repeat >= 1,
        'augment.amplitude': 0 < recipe.augment.amplitude[0] <= recipe.augment.amplitude[1],
        'image.size': 32 <= recipe.image.size <= 1024,
        'image.crop (0.5 to 1)': 0.5 <= recipe.image.crop <= 1.0,
        'optim.name (sgd, adamw)': recipe.optim.name in ('sgd', 'adamw'),
        'optim.precision (32-true, bf16-mixed)': recipe.optim.precision
        in ('32-true', 'bf16-mixed'),
        'optim.schedule (cosine, constant)': recipe.optim.schedule in ('cosine', 'constant'),
        'augment.distractors (needed by distractor_probability)': recipe.augment.distractors
        is not None
        or recipe.augment.distractor_probability == 0,
    }
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise QuietNavError(f'{where}: out of range: {", ".join(wrong)}')
    return recipe


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return plain lists, dicts and numbers, as a checkpoint keeps them."""
    return _plain(dataclasses.asdict(recipe))


def typed(cls: type, raw: object, where: str) -> Any:
    """Build a (nested) dataclass from a mapping, checking every key and type."""
    if not isinstance(raw, dict):
        raise QuietNavError(f'{where}: expected a mapping, found {type(raw).__name__}')
    hints = typing.get_type_hints(cls)
    unknown = sorted(str(key) for key in set(raw) - set(hints))
    if unknown:
        raise QuietNavError(f'{where}: unknown keys {", ".join(unknown)}; known: '
                            f'{", ".join(hints)}')  # fmt: skip
    return cls(**{key: _value(hints[key], value, f'{where}: {key}') for key, value in raw.items()})


def _value(hint: Any, value: object, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return typed(hint, value, where)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value(next(a for a in args if a is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(args):
            raise QuietNavError(f'{where}: expected {len(args)} values, found {value!r}')
        return tuple(_value(a, v, where) for a, v in zip(args, value, strict=True))
    if origin is dict:
        if not isinstance(value, dict):
            raise QuietNavError(f'{where}: expected a mapping, found {value!r}')
        return dict(value)
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3 as a string.
        try:
            value = float(value)
        except ValueError:
            raise QuietNavError(f'{where}: expected a number, found {value!r}') from None
    good = (int, float) if hint is float else hint
    if not isinstance(value, good) or (isinstance(value, bool) and hint is not bool):
        raise QuietNavError(f'{where}: expected {hint.__name__}, found {value!r}')
    return float(value) if hint is float else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def recipe_file(name: str) -> Path:
    """Return the file of a recipe given by path or by name in ``config/learning``."""
    return resources.find(resources.RECIPE, name)
