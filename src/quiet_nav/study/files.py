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

"""What a study leaves behind: a table, its figures as JSON and a picture for each experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from quiet_nav.files.writing import write_file, write_json
from quiet_nav.study.plots import draw
from quiet_nav.study.run import Outcome
from quiet_nav.study.tables import absences, conclusions, table

#: Said below every table: no figure of the paper's is to be compared with ours one by one.
NOTE = (
    'Test rooms were never heard in training, but for locate; 95 % intervals by bootstrap over '
    'rooms. The paper measured real rooms (Quiet Campus); – where its value is not known here.'
)


def write_study(outcomes: Sequence[Outcome], out: Path, console: Console) -> None:
    """
    Write NAME.txt, NAME.json and NAME.png of every experiment and summary.txt, and print them.

    Raises QuietNavError where the folder cannot be written.
    """
    # The folder is this command's own: run again it goes on there.
    for outcome in outcomes:
        name = outcome.experiment.name
        with console.capture() as caught:
            console.print(table(outcome))
        text = '\n'.join([caught.get().rstrip('\n'), *absences(outcome), NOTE]) + '\n'
        write_file(out / f'{name}.txt', text, overwrite=True)
        write_json(out / f'{name}.json', outcome.to_json(), overwrite=True)
        draw(out / f'{name}.png', outcome)
        console.print(text, markup=False, highlight=False)
    said = [str(one) for one in conclusions(outcomes)]
    write_file(out / 'summary.txt', '\n'.join(said) + '\n', overwrite=True)
    for line in said:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
