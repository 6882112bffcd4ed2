"""The kinds of campus: a module each, found by its ``KIND``."""

from __future__ import annotations

from functools import cache
import importlib
import pkgutil

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.campus.kinds.kind import CampusKind


@cache
def kinds() -> dict[str, CampusKind]:
    """Return every kind of campus by its name."""
    modules = (
        importlib.import_module(f'{__name__}.{info.name}')
        for info in pkgutil.iter_modules(__path__)
    )
    with_kind = [module.KIND for module in modules if hasattr(module, 'KIND')]
    return {kind.NAME: kind for kind in with_kind}


def get_kind(name: str) -> CampusKind:
    """Return a kind by name; QuietNavError names those there are."""
    if name not in kinds():
        raise QuietNavError(f'kind {name!r} is none of {", ".join(kinds())}')
    return kinds()[name]
