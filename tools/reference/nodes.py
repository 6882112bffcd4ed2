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

"""
The pages of the nodes: parameters, topics, services and actions, read from nodes that run.

Every node is made, configured and activated in a ROS domain that nobody else sees. What it declares
and creates on the way is what its page says.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
import importlib
import inspect
from pathlib import Path
import re
import sys
from typing import Any

import rclpy
from rclpy.action import ActionClient, ActionServer
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
import yaml

from quiet_nav.nodes import goal_client, runtime
from reference.markdown import cell, code, contents, sentence, table, write

#: Parameters that bring out what a node creates only when asked to.
VARIANTS: dict[str, list[dict[str, object]]] = {
    'near_wall': [{'modality': 'both'}],
    'realsense': [{'align_depth': True}],
    'wall_follower': [{}, {'enable_stamped_cmd_vel': False}],
    'simulated_robot': [{}, {'enable_stamped_cmd_vel': False}],
    'live_view': [{'port': 0}],
}

#: What every node of rclpy has.
COMMON = {'rcl_interfaces', 'lifecycle_msgs', 'type_description_interfaces'}
COMMON_PARAMETERS = {'use_sim_time', 'start_type_description_service'}

UNITS = {
    'hz': 'Hz',
    's': 's',
    'ms': 'ms',
    'm': 'm',
    'rad': 'rad',
    'deg': '°',
    'mps': 'm/s',
    'rps': 'rad/s',
    'mps2': 'm/s²',
    'rps2': 'rad/s²',
    'dbfs': 'dBFS',
    'db': 'dB',
    'px': 'pixels',
    'mb': 'MB',
}


@dataclasses.dataclass(frozen=True, order=True)
class Interface:
    """One topic, service or action of a node."""

    name: str
    kind: str
    role: str
    qos: str = ''


@dataclasses.dataclass
class NodePage:
    """What is known of one node."""

    name: str
    summary: str
    lifecycle: bool = False
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    interfaces: set[Interface] = dataclasses.field(default_factory=set)


def type_name(cls: type) -> str:
    """Return a message, service or action class as ROS names it, `std_msgs/msg/Bool`."""
    parts = cls.__module__.split('.')
    return f'{parts[0]}/{parts[1]}/{cls.__name__}'


def qos_text(qos: QoSProfile | int) -> str:
    """Return a QoS profile in words."""
    if isinstance(qos, int):
        qos = QoSProfile(depth=qos)
    words = ['best effort' if qos.reliability == ReliabilityPolicy.BEST_EFFORT else 'reliable']
    if qos.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        words.append('transient local')
    keep_all = qos.history == HistoryPolicy.KEEP_ALL
    words.append('keep all' if keep_all else f'depth {qos.depth}')
    return ', '.join(words)


@contextlib.contextmanager
def recorded(found: set[Interface], defaults: dict[str, Any]) -> Iterator[None]:
    """Note every interface that is made and every parameter that is declared meanwhile."""
    old = {
        (Node, 'declare_parameter'): Node.declare_parameter,
        (Node, 'create_publisher'): Node.create_publisher,
        (Node, 'create_subscription'): Node.create_subscription,
        (Node, 'create_service'): Node.create_service,
        (Node, 'create_client'): Node.create_client,
        (ActionServer, '__init__'): ActionServer.__init__,
        (ActionClient, '__init__'): ActionClient.__init__,
    }

    def note(role: str, cls: type, name: str, qos: Any = None) -> None:
        if type_name(cls).split('/')[0] not in COMMON:
            found.add(Interface(name, type_name(cls), role, '' if qos is None else qos_text(qos)))

    def wrap(owner: type, method: str, role: str) -> None:
        original = old[owner, method]
        signature = inspect.signature(original)

        def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(self, *args, **kwargs).arguments
            cls = next(v for k, v in given.items() if k in ('msg_type', 'srv_type', 'action_type'))
            name = next(v for k, v in given.items() if k in ('topic', 'srv_name', 'action_name'))
            note(role, cls, name, given.get('qos_profile') if 'topic' in given else None)
            return original(self, *args, **kwargs)

        setattr(owner, method, noted)

    def declare(self: Any, name: str, value: Any = None, *args: Any, **kwargs: Any) -> Any:
        defaults.setdefault(name, () if isinstance(value, Parameter.Type) else value)
        return old[Node, 'declare_parameter'](self, name, value, *args, **kwargs)

    Node.declare_parameter = declare
    wrap(Node, 'create_publisher', 'publishes')
    wrap(Node, 'create_subscription', 'subscribes')
    wrap(Node, 'create_service', 'serves')
    wrap(Node, 'create_client', 'calls')
    wrap(ActionServer, '__init__', 'action server')
    wrap(ActionClient, '__init__', 'action client')
    try:
        yield
    finally:
        for (owner, method), original in old.items():
            setattr(owner, method, original)


def maker(module: Any) -> tuple[Any, Any]:
    """
    Return what a node module's ``main`` would run, and the client that it runs it as, if any.

    ``main`` is called with the functions that run a node replaced, wherever they were imported.
    """
    made: list[tuple[Any, Any]] = []

    def noted(client: Any) -> Any:
        def note(make: Any, *_: Any, kind: Any = client, **__: Any) -> int:
            made.append((make, kind))
            return 0

        return note

    replacements = {
        id(runtime.run): noted(None),
        id(goal_client.run_client): noted(goal_client.GoalClient),
    }
    replaced = [
        (owner, name, value)
        for key, owner in list(sys.modules.items())
        if key.startswith('quiet_nav.nodes')
        for name, value in vars(owner).items()
        if id(value) in replacements
    ]
    for owner, name, value in replaced:
        setattr(owner, name, replacements[id(value)])
    try:
        module.main([])
    finally:
        for owner, name, value in replaced:
            setattr(owner, name, value)
    if len(made) != 1:
        raise SystemExit(f'reference: {module.__name__}.main runs no node that can be read')
    return made[0]


def inspect_node(name: str) -> NodePage:
    """Make a node in each of its variants and return what it declares and creates."""
    module = importlib.import_module(f'quiet_nav.nodes.{name}')
    page = NodePage(name, cell((module.__doc__ or '').strip().split('\n\n')[0]))
    make, client = maker(module)
    defaults: dict[str, Any] = {}
    for variant in VARIANTS.get(name, [{}]):
        arguments = ['--ros-args']
        for key, value in variant.items():
            arguments += ['-p', f'{key}:={value_text(value)}']
        rclpy.init(args=arguments)
        try:
            with recorded(page.interfaces, defaults):
                node = make()
                if client is not None:
                    client(node).close()
                if isinstance(node, LifecycleNode):
                    page.lifecycle = True
                    node.trigger_configure()
                    node.trigger_activate()
            page.parameters = parameters_of(node, defaults)
            if isinstance(node, LifecycleNode):
                node.trigger_shutdown()
            node.destroy_node()
        finally:
            rclpy.try_shutdown()
    return page


def parameters_of(node: Node, defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the declared parameters with descriptor and default, in order of declaration."""
    return {
        name: (node.describe_parameter(name), default)
        for name, default in defaults.items()
        if name not in COMMON_PARAMETERS and not name.startswith('qos_overrides')
    }


def value_text(value: Any) -> str:
    """Return a parameter's value as YAML has it."""
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(value, '.6g') if value != int(value) else str(value)
    if isinstance(value, (int,)):
        return str(value)
    return '[' + ', '.join(value_text(v) for v in value) + ']'


def unit(name: str) -> str:
    """Return the unit that a parameter's name says."""
    last = name.rsplit('_', 1)[-1]
    return UNITS.get(last, '') if '_' in name else ''


def number(value: float) -> str:
    """Return a bound as a reader would write it."""
    return str(value) if isinstance(value, int) else format(value, '.6g')


def bounds(descriptor: Any) -> str:
    """Return what values a parameter takes, in words."""
    for limits in (descriptor.floating_point_range, descriptor.integer_range):
        if limits:
            low, high = limits[0].from_value, limits[0].to_value
            return f'{number(low)} to {number(high)}'
    choices = descriptor.additional_constraints.removeprefix('one of ')
    if choices:
        return ', '.join(code(choice or "''") for choice in choices.split(', '))
    return ''


TYPES = {
    Parameter.Type.BOOL: 'bool',
    Parameter.Type.INTEGER: 'int',
    Parameter.Type.DOUBLE: 'float',
    Parameter.Type.STRING: 'string',
    Parameter.Type.BOOL_ARRAY: 'bools',
    Parameter.Type.INTEGER_ARRAY: 'ints',
    Parameter.Type.DOUBLE_ARRAY: 'floats',
    Parameter.Type.STRING_ARRAY: 'strings',
}


def parameter_table(page: NodePage) -> str:
    """Return the table of a node's parameters."""
    rows = []
    for name, (descriptor, value) in page.parameters.items():
        meaning = sentence(descriptor.description)
        if descriptor.read_only:
            meaning += ' Set at start only.'
        kind = TYPES.get(Parameter.Type.from_parameter_value(value), '')
        rows.append(
            (code(name), kind, code(value_text(value)), unit(name), bounds(descriptor), meaning)
        )
    return table(('Parameter', 'Type', 'Default', 'Unit', 'Range', 'Meaning'), rows)


def configured(name: str, page: NodePage, config: Path) -> str:
    """Return how the node's file in config/ departs from the defaults."""
    path = config / f'{name}.yaml'
    if not path.is_file():
        return ''
    given: dict[str, object] = {}
    for section in (yaml.safe_load(path.read_text(encoding='utf-8')) or {}).values():
        given.update((section or {}).get('ros__parameters', {}))
    changed = [
        f'{code(key)} {code(value_text(value))}'
        for key, value in given.items()
        if key in page.parameters and list_or(value) != list_or(page.parameters[key][1])
    ]
    text = f'Launch files read `config/{name}.yaml` first'
    return text + (f'; it sets {", ".join(changed)}.' if changed else ', which holds the defaults.')


def list_or(value: object) -> object:
    return list(value) if isinstance(value, (tuple, list)) else value


class Descriptions:
    """What the topics, services and actions are for, from a file beside the pages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: dict[str, str] = yaml.safe_load(path.read_text(encoding='utf-8'))
        self._used: set[str] = set()
        self._missing: set[str] = set()

    def of(self, name: str) -> str:
        """Return the description of a name."""
        if name not in self._texts:
            self._missing.add(name)
            return ''
        self._used.add(name)
        return self._texts[name]

    def check(self) -> None:
        """Raise SystemExit where a line is missing, or is of something that no node has."""
        if self._missing:
            raise SystemExit(
                f'reference: {self._path} has no line for {", ".join(sorted(self._missing))}'
            )
        unused = sorted(self._texts.keys() - self._used)
        if unused:
            raise SystemExit(
                f'reference: {self._path} describes what no node has: {", ".join(unused)}'
            )


ROLES = (
    ('publishes', 'Published topics'),
    ('subscribes', 'Subscribed topics'),
    ('serves', 'Services'),
    ('calls', 'Services called'),
    ('action server', 'Actions'),
    ('action client', 'Actions called'),
)


def about(page: NodePage) -> str:
    """Return what a node does, without its name before."""
    return re.sub(rf'^(?:The )?[Nn]ode `+{page.name}`+: ', '', page.summary)


def node_text(page: NodePage, descriptions: Descriptions, config: Path) -> str:
    """Return a node's page."""
    name = page.name
    summary = about(page)
    lines = [f'# {name}\n\n', sentence(summary), '\n\n']
    lines.append(f'```sh\nros2 run quiet_nav {name}\n```\n\n')
    if page.lifecycle:
        lines.append(
            'A lifecycle node. With `autostart` it configures and activates itself at start.\n\n'
        )
    note = configured(name, page, config)
    lines.append('## Parameters\n\n')
    if note:
        lines.append(note + '\n\n')
    lines.append(parameter_table(page))
    for role, title in ROLES:
        interfaces = sorted(i for i in page.interfaces if i.role == role)
        if not interfaces:
            continue
        lines.append(f'## {title}\n\n')
        rows = [
            (code(i.name), code(i.kind), i.qos, sentence(descriptions.of(i.name)))
            for i in interfaces
        ]
        lines.append(table(('Name', 'Type', 'QoS', 'Meaning'), rows))
    return ''.join(lines)


def interfaces_text(pages: list[NodePage], descriptions: Descriptions) -> str:
    """Return the page of all topics, services and actions."""
    lines = [
        '# Topics, services and actions\n\n',
        'Names are relative, except those that begin with `/`; launch files give the namespace. '
        'A name that a parameter sets stands with its default.\n\n',
    ]
    groups = (
        ('Topics', ('publishes', 'subscribes'), ('Published by', 'Read by')),
        ('Services', ('serves', 'calls'), ('Served by', 'Called by')),
        ('Actions', ('action server', 'action client'), ('Served by', 'Called by')),
    )
    for title, (giver, taker), (by, for_) in groups:
        found: dict[str, list[tuple[NodePage, Interface]]] = {}
        for page in pages:
            for interface in page.interfaces:
                if interface.role in (giver, taker):
                    found.setdefault(interface.name, []).append((page, interface))
        rows = []
        for name, users in sorted(found.items(), key=lambda item: item[0].lstrip('/')):
            kinds = sorted({i.kind for _, i in users})
            who = {
                role: sorted({p.name for p, i in users if i.role == role})
                for role in (giver, taker)
            }
            rows.append(
                (
                    code(name),
                    ' or '.join(code(kind) for kind in kinds),
                    sentence(descriptions.of(name)),
                    ', '.join(f'[{n}](nodes/{n}.md)' for n in who[giver]),
                    ', '.join(f'[{n}](nodes/{n}.md)' for n in who[taker]),
                )
            )
        lines.append(f'## {title}\n\n' + table(('Name', 'Type', 'Meaning', by, for_), rows))
    return ''.join(lines)


def write_nodes(names: list[str], out: Path, root: Path) -> None:
    """Write a page a node, their index, and the page of all interfaces."""
    descriptions = Descriptions(root / 'docs' / 'reference' / 'interfaces.yaml')
    pages = [inspect_node(name) for name in sorted(names)]
    for page in pages:
        write(out / 'nodes' / f'{page.name}.md', node_text(page, descriptions, root / 'config'))
    write(out / 'interfaces.md', interfaces_text(pages, descriptions))
    rows = [
        (f'[{p.name}]({p.name}.md)', sentence(about(p)),
         'yes' if p.lifecycle else '')
        for p in pages
    ]  # fmt: skip
    write(
        out / 'nodes' / 'index.md',
        '# Nodes\n\nEvery node says once a second on `/diagnostics` how it is. '
        '`ros2 param describe /NODE PARAMETER` prints what these pages say.\n\n'
        + table(('Node', 'What it does', 'Lifecycle'), rows)
        + contents(p.name for p in pages),
    )
    descriptions.check()
