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

"""What the paper says in its tables, row by row, as text: its value and its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping

#: Figures of merit by the names of ``scores``, as text.
Row = Mapping[str, str]


def _binary(ap: float, ap_95: float, accuracy: float, accuracy_95: float) -> Row:
    return {'AP': f'{ap} ±{ap_95}', 'accuracy': f'{accuracy} ±{accuracy_95}'}


def _value(mae: str, median: str, r2: str) -> Row:
    return {'MAE': mae, 'median error': median, 'R2': r2}


def _classes(first: str, fifth: str, away: str) -> Row:
    return {'top-1': first, 'top-5': fifth, 'bin distance': away}


#: Table 1 by subset, task and input; 'imagenet': an image network that began with its weights.
TABLE_1: Mapping[tuple[str, str, str], Row] = {
    ('static', 'near-wall', 'audio'): _binary(68.3, 1.3, 60.0, 0.9),
    ('static', 'near-wall', 'image'): _binary(99.2, 0.2, 95.5, 0.5),
    ('static', 'near-wall', 'imagenet'): _binary(99.5, 0.1, 98.4, 0.4),
    ('static', 'order', 'audio'): _binary(85.5, 1.0, 77.2, 0.8),
    ('static', 'order', 'image'): _binary(94.6, 0.5, 86.4, 0.7),
    ('static', 'order', 'imagenet'): _binary(97.7, 0.2, 92.1, 0.5),
    ('motion', 'near-wall', 'audio'): _binary(65.6, 1.4, 64.5, 0.9),
    ('motion', 'near-wall', 'image'): _binary(73.4, 1.2, 68.2, 1.0),
    ('motion', 'near-wall', 'imagenet'): _binary(88.6, 0.7, 78.5, 0.8),
    ('motion', 'order', 'audio'): _binary(87.1, 1.0, 81.3, 0.8),
    ('motion', 'order', 'image'): _binary(87.9, 0.9, 81.2, 0.8),
    ('motion', 'order', 'imagenet'): _binary(97.1, 0.3, 90.6, 0.6),
}
#: Tables 2 (ratio) and 3 (distance, conditional distance), motion, by task, variant and input.
TABLES_2_AND_3: Mapping[tuple[str, str, str], Row] = {
    ('ratio', 'regression', 'audio'): _value('0.55 ±.01', '0.44 ±.01', '0.48 ±.02'),
    ('ratio', 'regression', 'image'): _value('0.54 ±.01', '0.42 ±.01', '0.49 ±.02'),
    ('ratio', 'regression', 'imagenet'): _value('0.39 ±.01', '0.29 ±.01', '0.72 ±.01'),
    ('ratio', 'classification', 'audio'): _classes('22.8 ±0.8', '80.7 ±0.7', '1.66 ±.03'),
    ('ratio', 'classification', 'image'): _classes('26.6 ±0.8', '83.6 ±0.7', '1.47 ±.02'),
    ('ratio', 'classification', 'imagenet'): _classes('34.2 ±0.9', '90.5 ±0.6', '1.15 ±.02'),
    ('distance', 'regression', 'audio'): _value('0.28', '0.25', '-0.34'),
    ('distance', 'regression', 'image'): _value('0.31', '0.27', '-0.67'),
    ('distance', 'regression', 'imagenet'): _value('0.26', '0.21', '-0.24'),
    ('distance', 'classification', 'audio'): _classes('30.8', '88.3', '1.11'),
    ('distance', 'classification', 'image'): _classes('35.6', '95.9', '1.05'),
    ('distance', 'classification', 'imagenet'): _classes('50.8', '99.2', '0.62'),
    ('conditional-distance', 'regression', 'audio'): _value('0.21', '0.17', '0.19'),
    ('conditional-distance', 'regression', 'image'): _value('0.22', '0.18', '0.12'),
    ('conditional-distance', 'regression', 'imagenet'): _value('0.18', '0.14', '0.39'),
    ('conditional-distance', 'classification', 'audio'): _classes('36.9', '90.0', '1.17'),
    ('conditional-distance', 'classification', 'image'): _classes('38.2', '95.5', '0.93'),
    ('conditional-distance', 'classification', 'imagenet'): _classes('51.7', '99.8', '0.59'),
}
#: Table 4, motion, by task, input and origin of the features, none begun with ImageNet's weights.
TABLE_4: Mapping[tuple[str, str, str], Row] = {
    ('near-wall', 'audio', 'random'): _binary(61.9, 1.5, 60.3, 0.9),
    ('near-wall', 'audio', 'AudioSet'): _binary(59.0, 1.5, 56.7, 1.0),
    ('near-wall', 'audio', 'AV-Sync'): _binary(69.1, 1.4, 64.0, 0.9),
    ('near-wall', 'audio', 'AV-Order'): _binary(63.4, 1.4, 61.5, 0.9),
    ('near-wall', 'image', 'random'): _binary(70.1, 1.3, 64.0, 0.9),
    ('near-wall', 'image', 'ImageNet'): _binary(80.4, 1.2, 74.5, 0.8),
    ('near-wall', 'image', 'AV-Sync'): _binary(77.1, 1.1, 69.2, 0.9),
    ('near-wall', 'image', 'AV-Order'): _binary(76.8, 1.1, 68.8, 0.9),
    ('near-wall', 'both', 'AV-Order'): _binary(77.1, 1.1, 69.1, 0.9),
    ('order', 'audio', 'random'): _binary(78.0, 1.4, 73.1, 0.9),
    ('order', 'audio', 'AudioSet'): _binary(67.7, 1.4, 64.5, 0.9),
    ('order', 'audio', 'AV-Sync'): _binary(80.2, 1.3, 74.1, 0.8),
    ('order', 'audio', 'AV-Order'): _binary(84.2, 1.2, 79.4, 0.7),
    ('order', 'image', 'random'): _binary(79.7, 1.1, 71.5, 0.9),
    ('order', 'image', 'ImageNet'): _binary(94.0, 0.5, 85.8, 0.7),
    ('order', 'image', 'AV-Sync'): _binary(85.3, 0.9, 76.1, 0.8),
    ('order', 'image', 'AV-Order'): _binary(87.4, 0.9, 79.1, 0.8),
    ('order', 'both', 'AV-Order'): _binary(89.0, 0.8, 80.8, 0.8),
}
#: Table 5, motion: the ratio of two distances as classes, by input and origin of the features.
TABLE_5: Mapping[tuple[str, str], Row] = {
    ('audio', 'random'): _classes('19.2 ±0.8', '72.8 ±0.8', '2.33 ±.04'),
    ('audio', 'AudioSet'): _classes('15.6 ±0.7', '54.0 ±1.0', '3.59 ±.05'),
    ('audio', 'AV-Sync'): _classes('19.2 ±0.7', '72.7 ±0.8', '2.07 ±.03'),
    ('audio', 'AV-Order'): _classes('22.2 ±0.9', '79.6 ±0.8', '1.86 ±.03'),
    ('image', 'random'): _classes('18.5 ±0.8', '70.8 ±0.8', '2.66 ±.05'),
    ('image', 'ImageNet'): _classes('27.4 ±0.9', '87.1 ±0.7', '1.60 ±.03'),
    ('image', 'AV-Sync'): _classes('22.2 ±0.8', '76.8 ±0.8', '1.85 ±.03'),
    ('image', 'AV-Order'): _classes('24.7 ±0.8', '80.2 ±0.8', '1.71 ±.03'),
    ('both', 'AV-Order'): _classes('23.8 ±0.8', '81.5 ±0.7', '1.59 ±.03'),
}
#: Section 5.2: the pretext task itself, begun at random.
AV_ORDER: Row = {'AP': '80.3', 'accuracy': '70.7'}
#: Table 6, one recording at a time; section 5.1 says 86.1 and 72.9 of static to dense.
DENSE_TO_DENSE: Row = {'AP': '96.4', 'accuracy': '83.9'}
STATIC_TO_DENSE: Row = {'AP': '93.9 (5.1: 86.1)', 'accuracy': '84.6 (5.1: 72.9)'}
#: A.3: a model of static-dense recordings, judged on static ones.
DENSE_TO_STATIC: Row = {'AP': '62.8', 'accuracy': '60.9'}
#: Table 7, its three rooms: at the times of training, and an hour to a week later.
TOGETHER: Row = {
    'top-1': '32.3, 29.5, 34.3', 'top-5': '77.7, 70.8, 74.3', 'meters': '1.23, 1.98, 1.31',
}  # fmt: skip
LATER: Row = {
    'top-1': '18.3, 18.8, 22.8', 'top-5': '50.3, 51.8, 55.6', 'meters': '1.71, 2.17, 1.87',
}  # fmt: skip
#: Table 8: trained in motion, judged on static recordings.
MOTION_TO_STATIC: Mapping[str, Row] = {
    'near-wall': {'AP': '61.3', 'accuracy': '51.9'},
    'order': {'AP': '78.8', 'accuracy': '70.2'},
}
#: A.10: of the energy of its spectrograms, below 1000 Hz.
BELOW_1_KHZ = '70'
