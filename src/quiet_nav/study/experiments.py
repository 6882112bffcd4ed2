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

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.report import SNRS_DB
from quiet_nav.study import paper

#: Subsets that an experiment may ask for, by the names used here.
SUBSETS = {'static': 'SFS-Static', 'dense': 'SFS-Dense', 'motion': 'SFS-Motion'}
#: A training's ``init`` that stands for ImageNet weights that the user names.
IMAGENET = 'imagenet'
#: ... and for VGGish's weights of AudioSet, which nothing here reads yet.
AUDIOSET = 'audioset'
FRACTIONS = (0.1, 0.25, 0.5, 1.0)
#: Of the training rooms, as in Fig. 16.
PAPER_FRACTIONS = (0.05, 0.1, 0.2, 0.4, 1.0)
DIFFERENCES_M = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.5)
#: Five ranges, as Fig. 12 has; which ones the paper does not say.
FIVE_DIFFERENCES_M = (0.1, 0.2, 0.5, 1.0, 1.5, 3.5)
#: Clusters of Table 2: chance is 9.45 % there.
PAPER_BINS = ('bins', 10)
BANDS_HZ = ((0.0, 8000.0), (0.0, 1000.0), (1000.0, 2000.0), (2000.0, 4000.0), (4000.0, 8000.0))


@dataclass(frozen=True)
class Training:
    """One network to train: everything of it that an experiment decides."""

    #: Name of a task.
    task: str
    #: What the network gets: audio, images or both.
    inputs: str = 'audio'
    #: Of the task, '' for its first.
    variant: str = ''
    #: Of the data: static, motion ...
    subset: str = 'static'
    #: Of the recipe's network, by name.
    options: tuple[tuple[str, object], ...] = ()
    #: What its encoders start from: another training or a file's name.
    init: Training | str | None = None
    #: Events are mixed in while training (A.7).
    distractors: bool = False

    @property
    def name(self) -> str:
        """Return what it is called in folders and messages."""
        parts = [self.task, self.variant, self.inputs, self.subset]
        parts = [part.replace(' ', '-') for part in parts]
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
_WORDS = {'audio': 'sound', 'image': 'image', 'both': 'sound and image'}


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

    measures: 'energy' takes levels of the data themselves, 'energy-ratio' their share by frequency;
    neither trains anything. absent: lines that cannot be had, each with why.
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
    absent: tuple[tuple[Line, str], ...] = ()

    def without(self, why: Mapping[Line, str]) -> Experiment:
        """Return the experiment with those lines absent that ``why`` says something of."""
        kept = tuple(line for line in self.lines if not why.get(line))
        absent = tuple((line, why[line]) for line in self.lines if why.get(line))
        return dataclasses.replace(self, lines=kept, absent=(*self.absent, *absent))


def _by_input(
    task: str,
    variants: tuple[str, ...] = ('',),
    subset: str = 'static',
    inputs: tuple[str, ...] = ('audio', 'image', 'both'),
) -> tuple[Line, ...]:
    return tuple(
        Line(
            ', '.join(word for word in (task, variant, _WORDS[one]) if word),
            Training(task, one, variant, subset),
        )
        for variant in variants
        for one in inputs
    )


def _table_1(subset: str) -> tuple[Line, ...]:
    """Return near wall and order by sound, image, image begun with ImageNet's weights, and both."""
    lines = []
    for task in ('near-wall', 'order'):
        for one in ('audio', 'image', 'imagenet', 'both'):
            init = IMAGENET if one == 'imagenet' else None
            inputs = 'image' if init else one
            word = f'{_WORDS[inputs]}{" from ImageNet" if init else ""}'
            said = paper.TABLE_1.get((subset, task, one), {})
            training = Training(task, inputs, subset=subset, init=init)
            lines.append(Line(f'{task}, {word}', training, paper=tuple(said.items())))
    return tuple(lines)


def _valued(
    tasks: tuple[str, ...], options: tuple[tuple[str, object], ...] = ()
) -> tuple[Line, ...]:
    """Return the lines of Tables 2 and 3: in motion, by regression and by classification."""
    lines = []
    for (task, variant, one), said in paper.TABLES_2_AND_3.items():
        if task in tasks:
            init = IMAGENET if one == 'imagenet' else None
            inputs = 'image' if init else one
            word = f'{_WORDS[inputs]}{" from ImageNet" if init else ""}'
            training = Training(task, inputs, variant, 'motion', options, init)
            lines.append(Line(f'{task}, {variant}, {word}', training, paper=tuple(said.items())))
    return tuple(lines)


def probes(
    task: str,
    inputs: str,
    subset: str = 'static',
    variant: str = '',
    options: tuple[tuple[str, object], ...] = (),
    said: Mapping[str, paper.Row] | None = None,
) -> tuple[Line, ...]:
    """
    Return a linear layer's lines on frozen features of several origins.

    said: the paper's figures by the name of the origin.
    """
    origins: dict[str, Training | str | None] = {
        'random': None,
        'AudioSet': AUDIOSET,
        'ImageNet': IMAGENET,
        'AV-Sync': Training('av-sync', 'both', subset=subset),
        'AV-Order': Training('av-order', 'both', subset=subset),
        'supervised (order)': Training('order', inputs, subset=subset),
    }
    if inputs != 'audio':
        del origins['AudioSet']
    if inputs != 'image':
        del origins['ImageNet']
    probe = (('probe', True), *options)
    return tuple(
        Line(
            f'{task}, {_WORDS[inputs]}: {name}',
            Training(task, inputs, variant, subset, probe, init),
            paper=tuple((said or {}).get(name, {}).items()),
        )
        for name, init in origins.items()
    )


def _table_4() -> tuple[Line, ...]:
    tasks, inputs = ('near-wall', 'order'), ('audio', 'image', 'both')
    return tuple(
        line
        for task in tasks
        for one in inputs
        for line in probes(
            task,
            one,
            'motion',
            said={
                origin: row
                for (of, by, origin), row in paper.TABLE_4.items()
                if (of, by) == (task, one)
            },
        )
    )


def _table_5() -> tuple[Line, ...]:
    return tuple(
        line
        for one in ('audio', 'image', 'both')
        for line in probes(
            'ratio',
            one,
            'motion',
            'classification',
            (PAPER_BINS,),
            {origin: row for (by, origin), row in paper.TABLE_5.items() if by == one},
        )
    )


def few_shot(
    task: str,
    origins: dict[str, Training | None],
    fractions: tuple[float, ...] = FRACTIONS,
) -> tuple[Line, ...]:
    """Return a line an origin of the trunk and share of the training rooms."""
    return tuple(
        Line(
            f'{share * 100:g} % of the rooms, {name}',
            Training(task, options=(('fraction', share),) if share < 1 else (), init=init),
            x=share * 100,
            series=name,
        )
        for name, init in origins.items()
        for share in fractions
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


def _generalization() -> tuple[Line, ...]:
    order = tuple(
        Line(f'{trained} to {judged}', Training('order', subset=trained), subset=judged)
        for trained in SUBSETS
        for judged in SUBSETS
    )
    near = tuple(
        Line(
            f'near-wall, {trained} to {judged}',
            Training('near-wall', subset=trained),
            subset=judged,
        )
        for trained, judged in (('motion', 'static'), ('static', 'motion'))
    )
    said = {
        'motion to static': paper.MOTION_TO_STATIC['order'],
        'near-wall, motion to static': paper.MOTION_TO_STATIC['near-wall'],
    }
    return tuple(_said(line, said.get(line.label, {})) for line in (*order, *near))


def _dense() -> tuple[Line, ...]:
    said = {
        ('dense', 'dense'): paper.DENSE_TO_DENSE,
        ('static', 'dense'): paper.STATIC_TO_DENSE,
        ('dense', 'static'): paper.DENSE_TO_STATIC,
    }
    return tuple(
        Line(
            f'near-wall, {trained} to {judged}',
            Training('near-wall', subset=trained),
            subset=judged,
            paper=tuple(row.items()),
        )
        for (trained, judged), row in said.items()
    )


def _said(line: Line, row: paper.Row) -> Line:
    return dataclasses.replace(line, paper=tuple(row.items()))


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        'near-wall-and-order',
        'Is a wall near, and which of two places is nearer to one',
        'Table 1, static',
        _table_1('static'),
        'AP',
    ),
    Experiment(
        'ratio',
        'The logarithm of the ratio of two distances, by regression and by classification',
        'Table 2, but static and of 8 bins',
        _by_input('ratio', ('regression', 'classification'), inputs=('audio', 'image')),
        'MAE',
        unit='of the natural logarithm',
    ),
    Experiment(
        'distance',
        'The distance to the wall ahead, by regression and by classification',
        'Table 3, but static',
        _by_input('distance', ('regression', 'classification'), inputs=('audio', 'image')),
        'MAE',
        unit='m',
    ),
    Experiment(
        'ratio-motion',
        'The logarithm of the ratio of two distances in motion, by regression and in 10 clusters',
        'Table 2',
        _valued(('ratio',), (PAPER_BINS,)),
        'MAE',
        unit='of the natural logarithm',
    ),
    Experiment(
        'distance-motion',
        'The distance to the wall ahead in motion, without and with a reference of known distance',
        'Table 3',
        _valued(('distance', 'conditional-distance')),
        'MAE',
        unit='m',
    ),
    Experiment(
        'conditional-distance',
        'The distance with and without a reference sound of the room at a known distance',
        'A.8, but static',
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
            *(
                _said(
                    Line(
                        f'{title} as in the paper, {subset}',
                        Training(task, 'both', 'as in the paper', subset),
                    ),
                    paper.AV_ORDER if (task, subset) == ('av-order', 'motion') else {},
                )
                for subset in ('static', 'motion')
                for task, title in (('av-sync', 'AV-Sync'), ('av-order', 'AV-Order'))
            ),
            Line('AV-Sync, motion', Training('av-sync', 'both', subset='motion')),
            Line('AV-Order, motion', Training('av-order', 'both', subset='motion')),
        ),
        'AP',
    ),
    Experiment(
        'probes',
        'A linear layer on frozen features',
        'Table 4, but static',
        (*probes('order', 'audio'), *probes('order', 'image'), *probes('near-wall', 'audio')),
        'AP',
    ),
    Experiment(
        'probes-motion',
        'A linear layer on frozen features, in motion: near wall and order',
        'Table 4',
        _table_4(),
        'AP',
    ),
    Experiment(
        'probes-ratio',
        'A linear layer on frozen features, in motion: the ratio of two distances in 10 clusters',
        'Table 5',
        _table_5(),
        'top-1',
    ),
    Experiment(
        'few-shot',
        'Order of two sounds, learned from few rooms',
        'Fig. 16, but static',
        few_shot('order', {'from scratch': None, 'from AV-Order': AV_ORDER}, PAPER_FRACTIONS),
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
        'Fig. 12, but static',
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
        'depth-difference-motion',
        'Order of two places in motion by how much their distances differ, in five ranges',
        'Fig. 12',
        tuple(
            dataclasses.replace(
                line, between=('depth_difference_m', FIVE_DIFFERENCES_M), series=line.label
            )
            for line in _by_input('order', subset='motion', inputs=('audio',))
        ),
        'accuracy',
        'difference of the distances, m',
    ),
    Experiment(
        'distractors',
        'Order of two sounds with events over the ambience, with and without training on them',
        'Fig. 13',
        _distractors(),
        'AP',
        'ambience over event, dB',
    ),
    Experiment(
        'energy',
        'Level of the ambient sound by frequency, near a wall and far from it',
        'not of the paper',
        measures='energy',
        figure='level',
        x_label='frequency, Hz',
    ),
    *(
        Experiment(
            f'energy-ratio{"" if subset == "motion" else f"-{subset}"}',
            'Share of the magnitude of the ambient sound by frequency',
            f'Fig. 17{"" if subset == "motion" else f", but {subset}"}',
            measures='energy-ratio',
            on=subset,
            figure='energy ratio',
            x_label='frequency, Hz',
        )
        for subset in ('motion', 'static')
    ),
    Experiment(
        'motion',
        'Table 1 while the microphone moves',
        'Table 1, motion',
        _table_1('motion'),
        'AP',
    ),
    Experiment(
        'generalization',
        'Order and near wall by sound: trained on one kind of recordings, judged on another',
        'Table 8',
        _generalization(),
        'AP',
    ),
    Experiment(
        'dense',
        'Near wall by sound at any heading, in rooms divided into a grid',
        'Table 6',
        _dense(),
        'AP',
    ),
    Experiment(
        'locate',
        'In which part of a known room: by later seconds, and by later recordings',
        'Table 7',
        tuple(
            _said(Line(f'locate, {variant}', Training('locate', 'audio', variant, 'dense')), row)
            for variant, row in (('together', paper.TOGETHER), ('later', paper.LATER))
        ),
        'meters',
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
