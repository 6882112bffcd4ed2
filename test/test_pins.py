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

"""What pip installs: each version with its hashes, a bill of it all, known faults looked up."""

import json
from pathlib import Path
import re
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tools'))
import audit  # noqa: E402
import lock  # noqa: E402


def pins(name):
    return lock.read_pins(ROOT / 'pins' / f'{name}.txt')


def test_every_version_of_the_constraints_is_pinned_by_hash_in_one_file():
    wanted = set(lock.read_pins(ROOT / 'constraints.txt'))
    setup, learn = set(pins('setup')), set(pins('learn'))
    assert not setup & learn
    assert wanted - setup - learn == {pin for pin in wanted if pin.name in lock.UNHASHED}, (
        'constraints.txt has changed: make pins'
    )
    assert setup | learn <= wanted, 'constraints.txt has changed: make pins'


def test_a_robot_gets_the_same_versions():
    versions = {(pin.name, pin.version) for pin in lock.read_pins(ROOT / 'constraints.txt')}
    robot = pins('robot')
    assert {(pin.name, pin.version) for pin in robot} <= versions
    asked = {lock.canonicalize_name(wanted.name) for wanted in lock.requirements(
        ROOT / 'requirements-robot.txt')}  # fmt: skip
    assert asked - lock.FROM_APT <= {pin.name for pin in robot}
    assert not lock.FROM_APT & {pin.name for pin in robot}


@pytest.mark.parametrize('name', ['setup', 'learn', 'robot', 'tools'])
def test_every_pin_has_a_hash(name):
    text = (ROOT / 'pins' / f'{name}.txt').read_text()
    entries = [e for e in re.split(r'\n(?=\S)', text) if e and not e.startswith('#')]
    assert len(entries) == len(pins(name)) > 30
    for entry in entries:
        assert re.search(r'--hash=sha256:[0-9a-f]{64}', entry), entry


@pytest.mark.skipif(sys.version_info < (3, 11), reason='tomllib comes with Python 3.11')
def test_what_the_project_asks_for_is_pinned_with_all_that_it_needs():
    project = lock.tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    asked = [*project['dependencies']]
    for extra in project['optional-dependencies'].values():
        asked += extra
    python = '.'.join(map(str, sys.version_info[:2]))
    needed = lock.needed(map(lock.Requirement, asked), [python])
    pinned = {pin.name for name in ('setup', 'learn') for pin in pins(name)} | lock.UNHASHED
    # What PyTorch brings is its index's.
    assert {name for name in needed - pinned if not re.match('nvidia|cuda|triton', name)} <= {
        'setuptools', 'pip',
    }  # fmt: skip


@pytest.mark.parametrize(
    'path', ['tools/setup.sh', 'tools/robot.sh', 'docker/Dockerfile', 'tools/release.sh']
)
def test_installing_takes_nothing_without_a_hash(path):
    text = re.sub(r'\\\n\s*', '', (ROOT / path).read_text())
    lines = [line for line in text.splitlines() if re.search(r'pip .*install.* -r ', line)]
    assert lines
    for line in lines:
        assert '--require-hashes' in line
        assert '--no-deps' in line


def test_what_shows_rerun_on_a_robot_with_numpy_1_is_whole_and_hashed():
    path = ROOT / 'pins' / 'robot_view.txt'
    wanted = lock.groups(lock.read_pins(ROOT / 'constraints.txt'))['robot_view']
    assert lock.read_pins(path) == wanted, 'constraints.txt has changed: make pins'
    entries = re.split(r'\n(?=[a-z])', path.read_text())[1:]
    assert len(entries) == len(wanted)
    assert all(re.search(r'--hash=sha256:[0-9a-f]{64}', entry) for entry in entries)
    assert lock.Pin('pyarrow', lock.WITH_NUMPY_1['pyarrow']) in wanted


def test_lines_with_markers_and_hashes_are_read(tmp_path):
    path = tmp_path / 'pins.txt'
    path.write_text(
        'a==1 \\\n    --hash=sha256:0 \\\n    --hash=sha256:1\n'
        'b-c==2 ; python_version >= "3.11" \\\n    --hash=sha256:2\n'
    )
    assert lock.read_pins(path) == [
        lock.Pin('a', '1'), lock.Pin('b-c', '2', 'python_version >= "3.11"'),
    ]  # fmt: skip
    assert not lock.read_pins(path)[1].holds('3.10')


FOUND = [
    {'name': 'a', 'version': '1', 'vulns': []},
    {
        'name': 'b',
        'version': '2',
        'vulns': [{'id': 'PYSEC-1', 'aliases': ['GHSA-1'], 'fix_versions': ['3']}],
    },
    {'name': 'c', 'version': '3', 'skip_reason': 'not found'},
]


def test_a_known_vulnerability_stands_unless_it_is_accepted_by_any_of_its_names():
    assert audit.report(FOUND, {}) == (2, ['b 2: PYSEC-1 = GHSA-1; fixed in 3'])
    assert audit.report(FOUND, {'GHSA-1': 'a reason'}) == (2, [])


@pytest.mark.parametrize(
    ('found', 'why_not', 'code', 'words'),
    [
        (FOUND, '', 1, 'b 2: PYSEC-1'),
        (FOUND[:1], '', 0, '1 versions looked up'),
        (FOUND[2:], '', 0, '1 of 1 versions could NOT be looked up'),
        ([], 'no answer', 0, 'could NOT be looked up (no answer)'),
    ],
)
def test_an_audit_fails_by_what_it_found_and_not_by_what_it_could_not_reach(
    monkeypatch, capsys, found, why_not, code, words
):
    monkeypatch.setattr(audit, 'look_up', lambda path: (found, why_not))
    assert audit.main() == code
    assert words in capsys.readouterr().out


def test_what_is_accepted_has_a_reason(tmp_path):
    assert audit.accepted(ROOT / 'pins' / 'accepted.yaml') == {}
    path = tmp_path / 'accepted.yaml'
    path.write_text('GHSA-1: ok\n')
    with pytest.raises(SystemExit, match='GHSA-1 needs a reason'):
        audit.accepted(path)


@pytest.mark.slow
def test_the_same_checkout_gives_the_same_bill_of_materials():
    python = ROOT / '.tools' / 'bin' / 'python'
    if not python.is_file():
        pytest.skip('its library is in .tools, which make sbom makes')
    code = 'import sbom; one = sbom.bill(); assert one == sbom.bill(); print(one)'
    done = subprocess.run(
        [python, '-c', code], cwd=ROOT / 'tools', capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    there = {(c['name'], c.get('version', '')) for c in json.loads(done.stdout)['components']}
    pinned = {(pin.name, pin.version) for pin in lock.read_pins(ROOT / 'constraints.txt')}
    assert there == pinned | {(path.name, '') for path in (ROOT / 'models').glob('*.onnx')}
