"""Reading lists (CSV) that others wrote."""

from __future__ import annotations

from collections.abc import Collection
import csv
import io
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import MEBIBYTE, read_text
from quiet_nav.files.values import short

MOST_BYTES = 64 * MEBIBYTE
_MOST_VALUES = 4_000_000


def read_csv(
    path: str | Path, needed: Collection[str], where: str = '', most_bytes: int = MOST_BYTES
) -> list[tuple[int, dict[str, str]]]:
    """
    Return the rows of a list as (line number, {column: value}); empty lines are left out.

    needed: columns that must be there; others may be. where: what the file is, for errors.
    Raises QuietNavError naming file, line and what is wrong: columns that are missing or stand
    twice, rows shorter or longer than the header.
    """
    where = where or str(path)
    reader = csv.reader(io.StringIO(read_text(path, where, most_bytes), newline=''))
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        columns = next(reader, [])
        _check_columns(columns, needed, where)
        for values in reader:
            if not values:
                continue
            if len(values) != len(columns):
                raise QuietNavError(
                    f'{where}: line {reader.line_num} has {len(values)} values, expected '
                    f'{len(columns)}: {_listed(columns)}'
                )
            if (len(rows) + 1) * len(columns) > _MOST_VALUES:
                raise QuietNavError(f'{where}: more than {_MOST_VALUES} values')
            rows.append((reader.line_num, dict(zip(columns, values, strict=True))))
    except csv.Error as error:
        raise QuietNavError(f'{where}: line {reader.line_num} is no CSV ({error})') from error
    return rows


def _listed(columns: list[str]) -> str:
    text = ', '.join(columns)
    return text if len(text) <= 200 else short(columns)


def _check_columns(columns: list[str], needed: Collection[str], where: str) -> None:
    if not set(needed) <= set(columns):
        hint = '; separate them by commas' if len(columns) == 1 and ';' in columns[0] else ''
        raise QuietNavError(
            f'{where}: columns {", ".join(sorted(needed))} expected, found '
            f'{short(columns) if columns else "nothing"}{hint}'
        )
    if len(set(columns)) != len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise QuietNavError(f'{where}: the column {short(twice[0])} stands twice')
