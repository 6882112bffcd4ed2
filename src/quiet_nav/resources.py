"""Where config, models and launch files are: in a checkout, or installed under share/quiet_nav."""

from __future__ import annotations

from pathlib import Path

from quiet_nav.errors import QuietNavError


def shared_folders(name: str) -> list[Path]:
    """Return every folder of that name ('config', 'models', 'config/rooms'), the nearest first.

    A checkout's own folder wins; then share/quiet_nav of the prefix that this package is installed
    in (colcon, apt or a virtual environment).
    """
    here = Path(__file__).resolve()
    roots = [up / 'share' / 'quiet_nav' for up in here.parents]
    checkout = here.parents[2]
    if (checkout / 'package.xml').is_file():
        roots.insert(0, checkout)
    return [root / name for root in roots if (root / name).is_dir()]


def shared_file(name: str) -> Path:
    """Return the path of a shipped file, for example 'config/rigs/pair.yaml'.

    Raises QuietNavError naming what the folder holds instead.
    """
    folder = str(Path(name).parent)
    for candidate in shared_folders(folder):
        if (candidate / Path(name).name).is_file():
            return candidate / Path(name).name
    there = sorted({p.name for f in shared_folders(folder) for p in f.iterdir() if p.is_file()})
    raise QuietNavError(
        f'{name} is not shipped with quiet_nav; {folder} holds {", ".join(there) or "nothing"}'
    )
