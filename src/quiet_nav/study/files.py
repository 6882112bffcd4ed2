"""What a study leaves behind: a table, its figures as JSON and a picture for each experiment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from quiet_nav.errors import QuietNavError
from quiet_nav.study.plots import draw
from quiet_nav.study.run import Outcome
from quiet_nav.study.tables import conclusions, table

#: Said below every table: no figure of the paper's is to be compared with ours one by one.
NOTE = (
    'Test rooms were never heard in training, but for locate; 95 % intervals by bootstrap over '
    'rooms. The paper measured real rooms (Quiet Campus); – where its value is not known here.'
)


def write_study(outcomes: Sequence[Outcome], out: Path, console: Console) -> None:
    """Write NAME.txt, NAME.json and NAME.png of every experiment and summary.txt, and print them.

    Raises QuietNavError where the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for outcome in outcomes:
            name = outcome.experiment.name
            with console.capture() as caught:
                console.print(table(outcome))
            text = caught.get() + NOTE + '\n'
            (out / f'{name}.txt').write_text(text)
            (out / f'{name}.json').write_text(json.dumps(outcome.to_json(), indent=1) + '\n')
            draw(out / f'{name}.png', outcome)
            console.print(text, markup=False, highlight=False)
        said = [str(one) for one in conclusions(outcomes)]
        (out / 'summary.txt').write_text('\n'.join(said) + '\n')
    except OSError as error:
        raise QuietNavError(f'{out}: cannot be written ({error.strerror})') from error
    for line in said:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
