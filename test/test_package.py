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

"""The package as ROS, pip and make see it: its files agree with each other."""

import ast
import dataclasses
import json
import os
from pathlib import Path
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import quiet_nav
from quiet_nav.errors import QuietNavError
from quiet_nav.resources import shared_file, shared_folders

ROOT = Path(__file__).parents[1]
PACKAGE = ET.parse(ROOT / 'package.xml').getroot()
NODES = ROOT / 'src' / 'quiet_nav' / 'nodes'

sys.path.insert(0, str(ROOT / 'tools'))
import pin  # noqa: E402
import relocate_wheels  # noqa: E402


def keys(*tags):
    return {element.text for tag in tags for element in PACKAGE.findall(tag)}


def node_names():
    text = (ROOT / 'CMakeLists.txt').read_text()
    return re.search(r'set\(nodes\s+([^)]*)\)', text).group(1).split()


def defines_main(path):
    tree = ast.parse(path.read_text())
    return any(isinstance(n, ast.FunctionDef) and n.name == 'main' for n in tree.body)


def imported(path):
    """Names of the top-level packages that a module imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split('.')[0])
    return found


def test_package_xml_is_format_3_with_the_run_time_keys():
    assert PACKAGE.get('format') == '3'
    needed = {'realsense2_camera', 'audio_capture', 'audio_common_msgs', 'launch_ros', 'rviz2'}
    needed |= {'rclpy', 'python3-onnxruntime-pip', 'python3-sounddevice-pip', 'python3-soundfile'}
    assert needed <= keys('depend', 'exec_depend')
    assert PACKAGE.find('export/build_type').text == 'ament_cmake'
    assert keys('member_of_group') == {'rosidl_interface_packages'}


def test_every_message_package_that_a_node_imports_is_a_dependency():
    # irobot_create_msgs is there on a TurtleBot 4 only, and imported only there.
    ours = {'quiet_nav', 'rclpy', 'irobot_create_msgs'}
    messages = {
        name
        for path in NODES.rglob('*.py')
        for name in imported(path)
        if name.endswith('_msgs') or name.endswith('_interfaces') or name == 'std_srvs'
    }
    assert {'std_msgs', 'diagnostic_msgs'} & messages
    assert messages - ours <= keys('depend', 'exec_depend')


def test_version_and_license_agree():
    project = (ROOT / 'pyproject.toml').read_text()
    assert PACKAGE.find('version').text == quiet_nav.__version__
    assert f'version = "{quiet_nav.__version__}"' in project
    assert PACKAGE.find('license').text == 'Apache-2.0'
    assert 'Apache License' in (ROOT / 'LICENSE').read_text()


def test_executables_are_exactly_the_modules_with_a_main():
    text = (ROOT / 'CMakeLists.txt').read_text()
    processes = re.search(r'set\(processes ([^)]*)\)', text).group(1).split()
    assert sorted([*node_names(), *processes]) == sorted(
        (p if p.name != '__init__.py' else p.parent).stem
        for p in [*NODES.glob('*.py'), *NODES.glob('*/__init__.py')]
        if defines_main(p)
    )


@pytest.mark.parametrize('name', node_names())
def test_every_parameter_says_what_it_is(name):
    pytest.importorskip('rclpy')
    import importlib

    from quiet_nav.nodes.parameters import describe

    modules = [p.stem for p in NODES.glob(f'{name}.py')]
    modules += [f'{name}.{p.stem}' for p in NODES.glob(f'{name}/*.py') if p.stem != '__main__']
    seen = 0
    for module in modules:
        loaded = importlib.import_module(f'quiet_nav.nodes.{module}')
        for value in vars(loaded).values():
            if not (isinstance(value, type) and dataclasses.is_dataclass(value)):
                continue
            for field in dataclasses.fields(value):
                if 'description' not in field.metadata:
                    continue
                seen += 1
                assert len(describe(field).description) >= 8, f'{name}: {field.name}'
                if isinstance(field.default, float | int) and not isinstance(field.default, bool):
                    assert field.metadata['minimum'] is not None, f'{name}: {field.name}'
    assert seen > 0


@pytest.mark.parametrize('path', [*ROOT.glob('msg/*.msg'), *ROOT.glob('action/*.action')])
def test_every_field_of_a_message_is_commented_with_its_unit(path):
    block, fields = [], 0
    for line in path.read_text().splitlines():
        if not line.strip() or line == '---':
            block = []
        elif line.startswith('#'):
            block.append(line)
        elif not re.match(r'\w+ [A-Z_0-9]+=', line):
            fields += 1
            if 'float' in line or 'int' in line:
                assert re.search(r'\[[^]]+\]', ' '.join(block)), f'{path.name}: {line}'
            assert block, f'{path.name}: {line}'
    assert fields > 5


@pytest.mark.parametrize('layer', ['sound', 'perception', 'navigation', 'simulation', 'evaluation'])
def test_layers_below_the_nodes_import_neither_ros_nor_torch(layer):
    modules = sorted((ROOT / 'src' / 'quiet_nav' / layer).rglob('*.py'))
    assert len(modules) > 5
    for path in modules:
        assert not imported(path) & {'rclpy', 'torch', 'lightning', 'audio_common_msgs'}, path


def test_colcon_meta_names_packages_that_exist():
    names = json.loads((ROOT / 'colcon.meta').read_text())['names']
    there = {ET.parse(p).getroot().find('name').text for p in ROOT.glob('overlay/*/package.xml')}
    assert set(names) == there | {'quiet_nav'}


def test_robot_requirements_are_the_pinned_versions():
    pinned = (ROOT / 'constraints.txt').read_text()
    lines = (ROOT / 'requirements-robot.txt').read_text().splitlines()
    exact = [line for line in lines if '==' in line]
    assert len(exact) >= 5
    assert all(line.split(' ;')[0] in pinned for line in exact)


def test_pip_installs_every_shared_folder():
    text = (ROOT / 'pyproject.toml').read_text()
    for folder in ('config', 'models', 'launch', 'security'):
        for path in (ROOT / folder).rglob('*'):
            if path.is_file() and path.suffix != '.pyc':
                where = path.parent.relative_to(ROOT).as_posix()
                assert f'"share/quiet_nav/{where}" = ["{where}/*' in text, path


def test_shared_files_are_found_and_missing_ones_named():
    assert shared_file('config/rigs/pair.yaml').is_file()
    assert shared_folders('config')[0] == ROOT / 'config'
    with pytest.raises(QuietNavError, match=r'pair\.yaml'):
        shared_file('config/rigs/quartet.yaml')


def test_relocation_points_both_include_folders_here():
    text = (
        'INTERFACE_INCLUDE_DIRECTORIES "${_IMPORT_PREFIX}/include/x;'
        '/opt/python/cp311-cp311/include/python3.11;'
        '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include"'
    )
    moved = relocate_wheels.relocate(text, '/inc/py', '/inc/np')
    assert moved.endswith('"${_IMPORT_PREFIX}/include/x;/inc/py;/inc/np"')
    assert relocate_wheels.relocate(moved, '/other', '/other') == moved


def test_pins_get_a_marker_only_where_pythons_differ():
    free = dict.fromkeys('abcd', '')
    old = pin.Installed('3.10', {'a': '1', 'b': '1', 'c': '1'}, free)
    new = pin.Installed('3.11', {'a': '1', 'b': '2', 'd': '1', 'e': '1'}, {**free, 'e': '>=3.11'})
    assert pin.merged([new, old]) == [
        'a==1',
        'b==1 ; python_version <= "3.10"',
        'b==2 ; python_version >= "3.11"',
        'c==1',
        'd==1',
        'e==1 ; python_version >= "3.11"',
    ]


@pytest.fixture
def checkout(tmp_path):
    """Return a path to the checkout of more than 130 characters with a space in it."""
    if not (ROOT / '.ros' / 'install' / '.ready').is_file():
        pytest.skip('not set up by make setup')
    far = tmp_path / 'my robots' / ('a' * 65) / ('b' * 65) / 'quiet_nav'
    far.parent.mkdir(parents=True)
    far.symlink_to(ROOT)
    assert len(str(far)) > 130
    return far


@pytest.mark.parametrize('home', [{}, {'HOME': '/proc/nohome'}])
def test_commands_run_from_a_far_checkout_with_a_space_and_without_a_home(checkout, home):
    done = subprocess.run(
        ['sh', '-euc', '. ./env.sh; cd /; command -v quiet_nav; quiet_nav --version'],
        cwd=checkout,
        env={'PATH': '/usr/bin:/bin', 'PWD': str(checkout), **home},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stderr == ''
    where, version = done.stdout.splitlines()
    assert where == f'{checkout}/.venv/bin/quiet_nav'
    assert re.search(r'\d+\.\d+\.\d+', version)


def test_environment_script_serves_python_with_messages_and_live_source():
    if not (ROOT / '.ros' / 'install' / '.ready').is_file():
        pytest.skip('not set up by make setup')
    code = (
        'import rclpy, quiet_nav; from quiet_nav.msg import NearWall;'
        'from audio_common_msgs.msg import AudioDataStamped; print(quiet_nav.__file__)'
    )
    done = subprocess.run(
        ['sh', '-euc', f'. ./env.sh; cd /; python -c "{code}"'],
        cwd=ROOT,
        env={'PATH': '/usr/bin:/bin', 'HOME': '/nonexistent'},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(ROOT / 'src' / 'quiet_nav' / '__init__.py')


def test_executables_can_be_run():
    # With --symlink-install the generated script itself is what `ros2 run` starts.
    assert (ROOT / 'cmake' / 'node.in').stat().st_mode & 0o111
    installed = ROOT / '.ros' / 'install' / 'lib' / 'quiet_nav'
    assert all(os.access(path, os.X_OK) for path in installed.glob('*'))


def test_every_link_between_pages_leads_somewhere():
    tracked = subprocess.run(
        ['git', 'ls-files', '*.md', '*.rst'], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    pages = [ROOT / name for name in tracked] or [ROOT / 'README.md', *ROOT.glob('docs/**/*.md')]
    broken, seen = [], 0
    for page in pages:
        text = re.sub(r'```.*?```', '', page.read_text(), flags=re.DOTALL)
        # What goes before a card is read where cards are.
        place = ROOT / 'docs/reference' if page.parent.name == 'models' else page.parent
        for target in re.findall(r'\]\(([^)\s#]+)(?:#[^)]*)?\)', text):
            if re.match(r'[a-z]+:', target) or 'generated/' in target:
                continue
            seen += 1
            if not (place / target).exists():
                broken.append(f'{page.relative_to(ROOT)}: {target}')
    assert not broken
    assert seen > 100


def settings_classes():
    """Yield file, name, fields and the file's lines of every dataclass that sets something."""
    named = re.compile(
        r'^class \w*(Settings|Options|Limits|Request|Ranges|Recipe|Timing|Tolerance|Errors'
        r'|Topics)\b',
        re.MULTILINE,
    )
    for path in sorted((ROOT / 'src' / 'quiet_nav').rglob('*.py')):
        text = path.read_text()
        for node in ast.parse(text).body if named.search(text) else ():
            said = isinstance(node, ast.ClassDef) and named.match(f'class {node.name}')
            if said and node.decorator_list:
                fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                yield path, node.name, fields, text.split('\n')


def test_settings_say_each_field_beside_the_field():
    found = list(settings_classes())
    assert len(found) > 25
    silent = [
        f'{path.relative_to(ROOT)}: {name}.{ast.unparse(field.target)}'
        for path, name, fields, lines in found
        for field in fields
        if not lines[field.lineno - 2].strip().startswith('#:')
    ]
    assert not silent


def test_every_module_is_under_the_contracts_on_imports():
    tomllib = pytest.importorskip('tomllib')
    contracts = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['importlinter'][
        'contracts'
    ]
    there = {path.stem for path in (ROOT / 'src' / 'quiet_nav').iterdir()} - {
        '__init__', '__pycache__', 'py',
    }  # fmt: skip
    free = {'rclpy': {'nodes'}, 'torch': {'learning', 'study'}}
    for contract in contracts:
        if contract['type'] == 'layers':
            assert contract['exhaustive']
            floors = {name.strip() for layer in contract['layers'] for name in layer.split('|')}
            assert floors == there
        if contract['type'] == 'forbidden':
            bound = {name.removeprefix('quiet_nav.') for name in contract['source_modules']}
            may = set.union(*(free.get(name, set()) for name in contract['forbidden_modules']))
            assert bound == there - may


def test_files_that_the_newcomers_page_names_are_there():
    page = (ROOT / 'docs' / 'development' / 'ten_changes.md').read_text()
    rows = [line for line in page.split('\n') if line.startswith('| [')]
    assert len(rows) == 10
    named = re.findall(r'`((?:src/quiet_nav|config|test)/[\w./]*)`', page)
    named += [
        f'src/quiet_nav/{path}'
        for path in re.findall(r'`((?:nodes|recordings|study|policies)/[\w./]+)`', page)
    ]
    named = [path.replace('quiet_nav/policies', 'quiet_nav/navigation/policies') for path in named]
    assert len(named) > 20
    for path in named:
        # NAME is the newcomer's own; files like it are there already.
        folder, name = (ROOT / path).parent, Path(path).name
        like = re.sub('NAME|NODE', '*', name)
        assert list(folder.glob(like)) if like else folder.is_dir(), path
    for word in re.findall(r'`(_[A-Z]+|PROBABILITY_MAP)`', page):
        code = [
            ROOT / path
            for path in named
            if path.endswith('.py') and 'NAME' not in path and 'NODE' not in path
        ]
        assert any(re.search(rf'^{word}\b', path.read_text(), re.M) for path in code), word
