"""
Fuzzes one parser by coverage: in `test`, `python -m fuzz.guided rig -max_total_time=60`.

Needs atheris (`pip install atheris`), which is no dependency. Arguments after the target's name are
libFuzzer's. New inputs start from the seeds of the target.
"""

from __future__ import annotations

from pathlib import Path
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=['quiet_nav', 'yaml', 'json', 'csv']):
    from .targets import targets
    from .test_parsers import check


def main() -> None:
    """Fuzz the parser that the first argument names, for ever without a limit."""
    known = targets()
    name = sys.argv[1] if len(sys.argv) > 1 else ''
    if name not in known:
        sys.exit(f'no target {name!r}; targets: {", ".join(known)}')
    target = known[name]
    folder = Path(tempfile.mkdtemp(prefix='quiet_nav_fuzz_'))
    corpus = folder / 'corpus'
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f'seed_{number}').write_bytes(seed)
    atheris.Setup(
        [sys.argv[0], *sys.argv[2:], str(corpus)], lambda data: check(target, folder / 'file', data)
    )
    print(f'{name}: in {folder}')
    atheris.Fuzz()


if __name__ == '__main__':
    main()
