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

"""The paper's experiments as a list: what is trained, and what is evaluated how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.report import SNRS_DB
from quiet_nav.evaluation.tables import PAPER_NEAR_WALL_AP, PAPER_ORDER_AP

#: Subsets that an experiment may ask for, by the names used here.
SUBSETS = {'static': 'SFS-Static', 'dense': 'SFS-Dense', 'motion': 'SFS-Motion'}
#: A training's ``init`` that stands for ImageNet weights that the user names.
IMAGENET = 'imagenet'
FRACTIONS = (0.1, 0.25, 0.5, 1.0)
DIFFERENCES_M = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.5)
BANDS_HZ = ((0.0, 8000.0), (0.0, 1000.0), (1000.0, 2000.0), (2000.0, 4000.0), (4000.0, 8000.0))


@dataclass(frozen=True)
class Training:
    """
    One network to train: everything of it that an experiment decides.

    options: of the recipe's network, by name. init: what its encoders start from. distractors:
    events are mixed in while training (A.7).
    """

    task: str
    inputs: str = 'audio'
    variant: str = ''
    subset: str = 'static'
    options: tuple[tuple[str, object], ...] = ()
    init: Training | str | None = None
    distractors: bool = False

    @property
    def name(self) -> str:
        """Return what it is called in folders and messages."""
        parts = [self.task, self.variant, self.inputs, self.subset]
        parts += [f'{key}-{_short(value)}' for key, value in self.options]
        parts += ['distractors'] if self.distractors else []
        if self.init is not None:
            parts.append(f'from-{self.init if isinstance(self.init, str) else self.init.task}')
        return '-'.join(part for part in parts if part)

    def needed(self) -> list[Training]:
        """Return what must be trained before, and itself, in that order."""
        before = self.init.needed() if isinstance(self.init, Training) else []
        return [*before, self]


#: What probes and few-shot learning start from, learned without labels.
AV_ORDER = Training('av-order', 'both')


@dataclass(frozen=True)
class Line:
    """
    One line of a table, or one point of a curve.

    subset: evaluated on (the training's own by default). snr_db: ambience over an event that is
    mixed in. between: rows are told apart by a value, between edges: a line for each. x, series:
    where a curve has it. paper: the paper's value of a figure, as text.
    """

    label: str
    training: Training
    subset: str = ''
    snr_db: float | None = None
    between: tuple[str, tuple[float, ...]] | None = None
    x: float | None = None
    series: str = ''
    paper: tuple[tuple[str, str], ...] = ()

    @property
    def judged_on(self) -> str:
        return self.subset or self.training.subset


@dataclass(frozen=True)
class Experiment:
    """
    One table or figure: ``figure`` (in ``unit``) is drawn, over ``x`` where it has a label.

    measures: 'energy' takes levels of the data themselves and trains nothing.
    """

    name: str
    title: str
    source: str
    lines: tuple[Line, ...] = ()
    figure: str = ''
    x_label: str = ''
    measures: str = ''
    on: str = 'static'
    unit: str = ''


def _by_input(
    task: str,
    variants: tuple[str, ...] = ('',),
    subset: str = 'static',
    inputs: tuple[str, ...] = ('audio', 'image', 'both'),
) -> tuple[Line, ...]:
    words = {'audio': 'sound', 'image': 'image', 'both': 'sound and image'}
    return tuple(
        Line(
            ', '.join(word for word in (task, variant, words[one]) if word),
            Training(task, one, variant, subset),
        )
        for variant in variants
        for one in inputs
    )


def _paper(line: Line, **values: str) -> Line:
    return dataclasses.replace(line, paper=tuple(values.items()))


def _table_1() -> tuple[Line, ...]:
    near, order = _by_input('near-wall'), _by_input('order')
    pair = ' / '.join(f'{value:.1f}' for value in PAPER_ORDER_AP)
    return (
        _paper(near[0], AP=f'{PAPER_NEAR_WALL_AP:.1f}'),
        *near[1:],
        _paper(order[0], AP=pair),
        *order[1:],
    )


def probes(task: str, inputs: str) -> tuple[Line, ...]:
    """Return a linear layer's lines on frozen features of several origins."""
    origins: dict[str, Training | str | None] = {
        'random': None,
        'AV-Sync': Training('av-sync', 'both'),
        'AV-Order': AV_ORDER,
        'supervised (order)': Training('order', inputs),
    }
    if inputs == 'image':
        origins['ImageNet'] = IMAGENET
    probe = (('probe', True),)
    word = 'sound' if inputs == 'audio' else 'image'
    return tuple(
        Line(f'{task}, {word}: {name}', Training(task, inputs, options=probe, init=init))
        for name, init in origins.items()
    )


def few_shot(task: str, origins: dict[str, Training | None]) -> tuple[Line, ...]:
    """Return a line an origin of the trunk and share of the training rooms."""
    return tuple(
        Line(
            f'{share * 100:g} % of the rooms, {name}',
            Training(task, options=(('fraction', share),) if share < 1 else (), init=init),
            x=share * 100,
            series=name,
        )
        for name, init in origins.items()
        for share in FRACTIONS
    )


def _bands() -> tuple[Line, ...]:
    lines = []
    for low, high in BANDS_HZ:
        whole = (low, high) == BANDS_HZ[0]
        options = () if whole else (('band_hz', (low, high)),)
        name = 'all frequencies' if whole else f'{low:g}-{high:g} Hz'
        lines.append(Line(name, Training('order', options=options)))
    return tuple(lines)


def _distractors() -> tuple[Line, ...]:
    return tuple(
        Line(
            f'{snr:g} dB, {name}',
            Training('order', distractors=retrained),
            snr_db=snr,
            x=snr,
            series=name,
        )
        for name, retrained in (('as trained', False), ('retrained with events', True))
        for snr in SNRS_DB
    )


def _generalisation() -> tuple[Line, ...]:
    return tuple(
        Line(f'{trained} to {judged}', Training('order', subset=trained), subset=judged)
        for trained in SUBSETS
        for judged in SUBSETS
    )


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        'near-wall-and-order',
        'Is a wall near, and which of two places is nearer to one',
        'Table 1',
        _table_1(),
        'AP',
    ),
    Experiment(
        'ratio',
        'The logarithm of the ratio of two distances, by regression and by classification',
        'relative depth',
        _by_input('ratio', ('regression', 'classification'), inputs=('audio', 'image')),
        'MAE',
        unit='of the natural logarithm',
    ),
    Experiment(
        'distance',
        'The distance to the wall ahead, by regression and by classification',
        'absolute depth',
        _by_input('distance', ('regression', 'classification'), inputs=('audio', 'image')),
        'MAE',
        unit='m',
    ),
    Experiment(
        'conditional-distance',
        'The distance with and without a reference sound of the room at a known distance',
        'A.8',
        (
            *_by_input('distance', ('regression',), inputs=('audio',)),
            *_by_input('conditional-distance', inputs=('audio',)),
        ),
        'MAE',
        unit='m',
    ),
    Experiment(
        'self-supervision',
        'What is learned without labels: do sound and image, or two of each, belong together',
        'Fig. 4 and 15',
        (
            Line('AV-Sync', Training('av-sync', 'both')),
            Line('AV-Order', AV_ORDER),
        ),
        'AP',
    ),
    Experiment(
        'probes',
        'A linear layer on frozen features',
        'linear probes',
        (*probes('order', 'audio'), *probes('order', 'image'), *probes('near-wall', 'audio')),
        'AP',
    ),
    Experiment(
        'few-shot',
        'Order of two sounds, learned from few rooms',
        'few-shot curves',
        few_shot('order', {'from scratch': None, 'from AV-Order': AV_ORDER}),
        'AP',
        'training rooms, %',
    ),
    Experiment(
        'pretraining',
        'Near wall by sound, learned from few rooms, beginning with the trunk of another task',
        'not of the paper',
        few_shot(
            'near-wall',
            {'from scratch': None, 'from AV-Order': AV_ORDER, 'from order': Training('order')},
        ),
        'AP',
        'training rooms with near-wall labels, %',
    ),
    Experiment(
        'bands',
        'Order of two sounds, trained and judged on a band alone',
        'Fig. 8',
        _bands(),
        'AP',
    ),
    Experiment(
        'depth-difference',
        'Order of two places by how much their distances differ',
        'accuracy against depth difference',
        tuple(
            dataclasses.replace(
                line, between=('depth_difference_m', DIFFERENCES_M), series=line.label
            )
            for line in _by_input('order', inputs=('audio', 'image'))
        ),
        'accuracy',
        'difference of the distances, m',
    ),
    Experiment(
        'distractors',
        'Order of two sounds with events over the ambience, with and without training on them',
        'A.7',
        _distractors(),
        'AP',
        'ambience over event, dB',
    ),
    Experiment(
        'energy',
        'Level of the ambient sound by frequency, near a wall and far from it',
        'energy by frequency',
        measures='energy',
        figure='level',
        x_label='frequency, Hz',
    ),
    Experiment(
        'motion',
        'Table 1 while the microphone moves',
        'Table 1, motion',
        (
            *_by_input('near-wall', subset='motion', inputs=('audio', 'image')),
            *_by_input('order', subset='motion', inputs=('audio', 'image')),
        ),
        'AP',
    ),
    Experiment(
        'generalisation',
        'Order of two sounds: trained on one kind of recordings, judged on another',
        'static, dense, motion',
        _generalisation(),
        'AP',
    ),
    Experiment(
        'locate',
        'In which part of a known room: by later seconds, and by later recordings',
        'A.4',
        tuple(
            Line(f'locate, {variant}', Training('locate', 'audio', variant, 'dense'))
            for variant in ('together', 'later')
        ),
        'metres',
    ),
)


def chosen(names: list[str]) -> list[Experiment]:
    """Return experiments by name, in the list's order; QuietNavError names what is not known."""
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise QuietNavError(f'{", ".join(wrong)}: none of {", ".join(known)}')
    return [experiment for name, experiment in known.items() if name in names]


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return '-'.join(f'{part:g}' for part in value)
    return f'{value:g}' if isinstance(value, float) else str(value).lower()
