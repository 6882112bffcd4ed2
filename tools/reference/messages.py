"""The page of the messages and actions, from their definitions."""

from __future__ import annotations

from pathlib import Path
import re

from reference.markdown import code, sentence, table, write

FIELD = re.compile(
    r'^(?P<type>[\w/]+(?:\[\d*\])?)\s+(?P<name>\w+)\s*(?P<rest>=?\s*[^#]*?)\s*'
    r'(?:#\s*(?P<note>.*))?$'
)
UNIT = re.compile(r' \[([^\]]+)\]')
PARTS = ('Goal', 'Result', 'Feedback')


def definition(text: str) -> tuple[str, list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return what comes before the first blank line, the constants, and the fields with notes."""
    head: list[str] = []
    constants, fields = [], []
    comment: list[str] = []
    shared = ''
    started = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith('#'):
            comment.append(line.lstrip('#').strip())
        elif not line:
            if comment and comment[0].startswith('Copyright'):
                comment = []
                continue
            if not started and comment and not head:
                head = comment
            comment, shared = [], ''
            started = True
        elif found := FIELD.match(line):
            started = True
            note = found['note'] or ''
            if comment:
                shared = ' '.join(comment)
            rest = found['rest']
            if rest.startswith('='):
                constants.append(
                    (found['name'], found['type'], rest.lstrip('= '), note or ' '.join(comment))
                )
            else:
                fields.append((found['name'], found['type'], rest, note or shared))
            comment = []
    return ' '.join(head), constants, fields


def section(text: str) -> tuple[str, str]:
    """Return the introduction and the tables of one definition."""
    head, constants, fields = definition(text)
    lines = []
    if fields:
        rows = []
        for name, kind, default, note in fields:
            unit = UNIT.search(note)
            shown = '' if not unit or unit.group(1) == '-' else unit.group(1)
            note = UNIT.sub('', note)
            rows.append((code(name), code(kind), code(default), shown, sentence(note)))
        lines.append(table(('Field', 'Type', 'Default', 'Unit', 'Meaning'), rows))
    if constants:
        rows = [(code(n), code(v), sentence(note)) for n, _, v, note in constants]
        lines.append(table(('Constant', 'Value', 'Meaning'), rows))
    return head, ''.join(lines)


def write_messages(root: Path, out: Path) -> None:
    """Write one page with every message, service and action of the package."""
    lines = ['# Messages, services and actions\n\n']
    for path in sorted(root.glob('msg/*.msg')):
        head, tables = section(path.read_text(encoding='utf-8'))
        lines += [f'## quiet_nav/msg/{path.stem}\n\n', sentence(head), '\n\n', tables]
    for folder, names in (('srv', ('Request', 'Response')), ('action', PARTS)):
        for path in sorted(root.glob(f'{folder}/*.{folder}')):
            parts = re.split(r'^---$', path.read_text(encoding='utf-8'), flags=re.MULTILINE)
            found = [section(part) for part in parts]
            head = found[0][0]
            lines += [f'## quiet_nav/{folder}/{path.stem}\n\n', sentence(head), '\n\n']
            for name, (_, tables) in zip(names, found, strict=True):
                lines += [f'### {path.stem}: {name}\n\n', tables]
    write(out / 'messages.md', ''.join(lines))
