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

"""Reading YAML that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any

import yaml

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import MEBIBYTE, read_text
from quiet_nav.files.values import check_values, MOST_DEPTH, short

MOST_BYTES = 2 * MEBIBYTE
#: An alias may stand for a whole branch, over and over.
_MOST_VALUES = 1_000_000
_MOST_MERGED = 1_000
_Base: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]  # which of the two it is shows when it runs
    """PyYAML's safe loader, without dates, with numbers as YAML 1.2 writes them."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve `<<`; here because nobody sees a mapping before, nor its keys as written."""
        checked = self.__dict__.setdefault('_checked', set())
        if id(node) not in checked:
            checked.add(id(node))
            _refuse_twice(node)
        own = len(node.value)
        super().flatten_mapping(node)
        if own < len(node.value) > _MOST_MERGED:
            raise yaml.constructor.ConstructorError(
                None, None, f'more than {_MOST_MERGED} keys are merged', node.start_mark
            )


def _refuse_twice(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != 'tag:yaml.org,2002:merge':
            if (key.tag, key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key {short(key.value)} stands twice', key.start_mark
                )
            seen.add((key.tag, key.value))


_Loader.yaml_implicit_resolvers = {
    first: [item for item in items if item[0] != 'tag:yaml.org,2002:timestamp']
    for first, items in _Base.yaml_implicit_resolvers.items()
}
# YAML 1.1 reads 1e-3 as text.
_Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float',
    re.compile(r'^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$'),
    list('-+0123456789'),
)


def read_yaml(path: str | Path, where: str = '', most_bytes: int = MOST_BYTES) -> Any:
    """
    Return what a YAML file holds: mappings, lists, text, finite numbers, truth values, None.

    where: what the file is, for errors. Raises QuietNavError naming it where it cannot be read,
    is no YAML, or holds what no format of ours does.
    """
    where = where or str(path)
    return parse_yaml(read_text(path, where, most_bytes), where)


def parse_yaml(text: str, where: str) -> Any:
    """Return what YAML text holds; as ``read_yaml``."""
    try:
        _refuse_deep(yaml.parse(text, _Loader), where)
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise QuietNavError(f'{where}: not YAML ({_line(error)})') from error
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError) as error:
        # PyYAML's own constructors: a number of 5000 digits, base 60 without digits and the like.
        raise QuietNavError(f'{where}: not YAML ({_line(error)})') from error
    check_values(content, where, most_values=_MOST_VALUES)
    return content


def _refuse_deep(events: Iterator[yaml.Event], where: str) -> None:
    # Before anything is built of it: that recurses.
    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            raise QuietNavError(f'{where}: nested deeper than {MOST_DEPTH} levels')


def _line(error: Exception) -> str:
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f'{text[:197]}...'
