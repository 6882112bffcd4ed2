"""Floor plans from YAML: reading ``config/rooms/*.yaml`` and saying what is wrong with one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.simulation.rooms.absorption import MATERIALS, absorption
from quiet_nav.simulation.rooms.plan import (
    PANEL_KINDS,
    SOURCE_KINDS,
    Furniture,
    Material,
    Panel,
    Plan,
    Source,
    rectangle,
)
from quiet_nav.simulation.rooms.plan_check import check_plan
from quiet_nav.simulation.rooms.tracks import PAPER_HEADINGS_RAD, PAPER_OFFSETS_M, Track

_KEYS = {
    'room': (
        *('name', 'description', 'height', 'footprint', 'size', 'materials', 'walls', 'floor'),
        *('ceiling', 'panels', 'furniture', 'sources', 'tracks'),
    ),
    'panel': ('kind', 'wall', 'offset', 'width', 'height', 'bottom', 'material'),
    'furniture': (
        *('name', 'footprint', 'centre', 'length', 'width', 'yaw_deg', 'height', 'material'),
    ),
    'source': ('name', 'position', 'kind', 'level_db'),
    'track': ('name', 'centre', 'width', 'side', 'offsets', 'headings_deg'),
}
_USUAL_PANEL = {'door': 'wood', 'window': 'glass', 'board': 'plasterboard'}

Lookup = Callable[[object, str], Material]


def room_names() -> list[str]:
    """Return the names of the rooms that ship with the package."""
    return resources.names(resources.ROOM)


def load_plan(room: str | Path) -> Plan:
    """Read and check a floor plan: a YAML file, or the name of a room that ships with us.

    A name that ends in ``_mirrored`` is that room in a mirror, so that walls change sides.
    Raises QuietNavError in one line: no such room (with those there are), an unknown key (with the
    known ones), or what is impossible about the room.
    """
    name = str(room)
    if name.endswith('_mirrored') and name not in room_names():
        return load_plan(name[: -len('_mirrored')]).mirrored()
    path = resources.find(resources.ROOM, room)
    try:
        raw = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError) as error:
        raise QuietNavError(f'room {path}: cannot be read ({error})') from error
    except yaml.YAMLError as error:
        raise QuietNavError(f'room {path}: not YAML ({" ".join(str(error).split())})') from error
    return plan_from_dict(raw, where=f'room {path.name}', name=path.stem)


def plan_from_dict(raw: object, where: str = 'room', name: str = 'room') -> Plan:
    """Build and check a plan from what the YAML holds; same errors as ``load_plan``."""
    raw = _mapping(raw, 'room', where)
    material = _materials(raw.get('materials') or {}, where)
    footprint = _footprint(raw, where)
    walls = raw.get('walls', 'plaster')
    walls = walls if isinstance(walls, list) else [walls] * len(footprint)
    if len(walls) != len(footprint):
        raise QuietNavError(
            f'{where}: walls: {len(walls)} materials for {len(footprint)} walls; '
            'give one for all or one for each'
        )
    plan = Plan(
        name=str(raw.get('name', name)),
        description=' '.join(str(raw.get('description', '')).split()),
        footprint=footprint,
        height=_number(raw.get('height'), f'{where}: height'),
        walls=tuple(material(value, f'{where}: walls') for value in walls),
        floor=material(raw.get('floor', 'linoleum'), f'{where}: floor'),
        ceiling=material(raw.get('ceiling', 'acoustic_tile'), f'{where}: ceiling'),
        panels=tuple(_panel(*item, material) for item in _items(raw, 'panels', 'panel', where)),
        furniture=tuple(
            _furniture(*item, material) for item in _items(raw, 'furniture', 'furniture', where)
        ),
        sources=tuple(_source(*item) for item in _items(raw, 'sources', 'source', where)),
        tracks=tuple(_track(*item) for item in _items(raw, 'tracks', 'track', where)),
    )
    try:
        check_plan(plan)
    except QuietNavError as error:
        raise QuietNavError(f'{where}: {error}') from error
    return plan


def _materials(raw: object, where: str) -> Lookup:
    materials = {name: Material(name, values) for name, values in MATERIALS.items()}
    for name, values in _mapping(raw, None, f'{where}: materials').items():
        try:
            materials[str(name)] = Material(str(name), absorption(values))
        except QuietNavError as error:
            raise QuietNavError(f"{where}: material '{name}': {error}") from error

    def material(name: object, what: str) -> Material:
        if not isinstance(name, str) or name not in materials:
            known = ', '.join(sorted(materials))
            raise QuietNavError(f'{what}: unknown material {name!r}; known: {known}')
        return materials[name]

    return material


def _footprint(raw: Mapping, where: str) -> tuple[tuple[float, float], ...]:
    if ('footprint' in raw) == ('size' in raw):
        raise QuietNavError(f'{where}: give either footprint (corners) or size (length and width)')
    if 'footprint' in raw:
        return _points(raw['footprint'], 3, f'{where}: footprint')
    length, width = _numbers(raw['size'], 2, f'{where}: size')
    return (0.0, 0.0), (length, 0.0), (length, width), (0.0, width)


def _panel(raw: Mapping, where: str, material: Lookup) -> Panel:
    kind = _choice(raw.get('kind'), PANEL_KINDS, f'{where}: kind')
    wall = raw.get('wall')
    if not isinstance(wall, int) or isinstance(wall, bool):
        raise QuietNavError(f'{where}: wall is the number of a wall, not {wall!r}')
    return Panel(
        kind,
        wall,
        offset=_number(raw.get('offset'), f'{where}: offset'),
        width=_number(raw.get('width'), f'{where}: width'),
        height=_number(raw.get('height'), f'{where}: height'),
        bottom=_number(raw.get('bottom', 0.0), f'{where}: bottom'),
        material=material(raw.get('material', _USUAL_PANEL[kind]), where),
    )


def _furniture(raw: Mapping, where: str, material: Lookup) -> Furniture:
    if 'footprint' in raw:
        footprint = _points(raw['footprint'], 3, f'{where}: footprint')
    else:
        centre = _numbers(raw.get('centre'), 2, f'{where}: centre')
        length, width = (_number(raw.get(key), f'{where}: {key}') for key in ('length', 'width'))
        yaw = math.radians(_number(raw.get('yaw_deg', 0.0), f'{where}: yaw_deg'))
        footprint = rectangle((centre[0], centre[1]), length, width, yaw)
    height = _number(raw.get('height'), f'{where}: height')
    surface = material(raw.get('material', 'wood'), where)
    return Furniture(str(raw.get('name', 'furniture')), footprint, height, surface)


def _source(raw: Mapping, where: str) -> Source:
    kind = _choice(raw.get('kind'), SOURCE_KINDS, f'{where}: kind')
    x, y, z = _numbers(raw.get('position'), 3, f'{where}: position')
    level = _number(raw.get('level_db', 0.0), f'{where}: level_db')
    return Source(str(raw.get('name', kind)), (x, y, z), kind, level)


def _track(raw: Mapping, where: str) -> Track:
    side = _choice(str(raw.get('side')).upper(), ('LEFT', 'RIGHT'), f'{where}: side')
    headings: tuple[float, ...] = PAPER_HEADINGS_RAD
    if 'headings_deg' in raw:
        values = _numbers(raw['headings_deg'], None, f'{where}: headings_deg')
        headings = tuple(math.radians(value) for value in values)
    offsets = tuple(_numbers(raw.get('offsets', PAPER_OFFSETS_M), None, f'{where}: offsets'))
    centre = _points(raw.get('centre'), 2, f'{where}: centre')
    width = _number(raw.get('width'), f'{where}: width')
    return Track(str(raw.get('name', 'track')), centre, width, Side[side], offsets, headings)


def _items(raw: Mapping, key: str, kind: str, where: str) -> list[tuple[Mapping, str]]:
    values = raw.get(key) or []
    if not isinstance(values, list):
        raise QuietNavError(f'{where}: {key} must be a list')
    names = [f'{where}: {kind} {i}' for i in range(len(values))]
    return [(_mapping(value, kind, name), name) for value, name in zip(values, names, strict=True)]


def _mapping(raw: object, kind: str | None, where: str) -> Mapping:
    if not isinstance(raw, Mapping):
        raise QuietNavError(f'{where}: expected a mapping of keys to values')
    known_keys = _KEYS[kind] if kind else tuple(raw)
    unknown = [str(key) for key in raw if key not in known_keys]
    if unknown:
        known = ', '.join(known_keys)
        raise QuietNavError(f"{where}: unknown key '{unknown[0]}'; known: {known}")
    return raw


def _number(value: object, where: str) -> float:
    if value is None:
        raise QuietNavError(f'{where} is missing')
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QuietNavError(f'{where}: expected a number, found {value!r}')
    return float(value)


def _numbers(values: object, count: int | None, where: str) -> list[float]:
    if not isinstance(values, list | tuple) or len(values) != (count or len(values)):
        expected = f'{count} numbers' if count else 'a list of numbers'
        raise QuietNavError(f'{where}: expected {expected}, found {values!r}')
    return [_number(value, where) for value in values]


def _points(values: object, least: int, where: str) -> tuple[tuple[float, float], ...]:
    if not isinstance(values, list | tuple) or len(values) < least:
        raise QuietNavError(f'{where}: expected at least {least} points [x, y], found {values!r}')
    pairs = [_numbers(value, 2, where) for value in values]
    return tuple((x, y) for x, y in pairs)


def _choice(value: object, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        raise QuietNavError(f'{where}: {value!r} is none of {", ".join(known)}')
    return str(value)
