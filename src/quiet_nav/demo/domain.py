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
A ROS graph of one's own on this machine, for demos and tests: a free domain, no outside setting.

Nobody who drives a robot here may hear them: not by the domain, which has no participant and is not
the shell's own, not by a discovery setting of the shell, and, for the demo, not by a topic's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import re
import socket

from quiet_nav.errors import QuietNavError

#: Above those that robots' manuals name, and with ports below Linux's ephemeral ones.
DOMAINS = range(41, 101)
#: Where the demo's nodes live: no driver listens to a velocity there.
NAMESPACE = '/quiet_nav_demo'
#: Absolute names of ROS that the demo moves into its namespace, too.
GLOBAL_TOPICS = ('/clock', '/diagnostics', '/tf', '/tf_static')
#: RTPS (2.5, section 9.6.2.3): UDP ports of domain d begin at 7400 + 250 d.
_FIRST_PORT, _PORTS_A_DOMAIN = 7400, 250
_PORT_TABLES = (Path('/proc/net/udp'), Path('/proc/net/udp6'))
#: Fast DDS has the same ports in shared memory, each with a file that its participant keeps locked:
#: FASTDDS_BUILTIN_TRANSPORTS=SHM, and profiles of that kind, open no other.
_SHARED_MEMORY, _LOCKS = Path('/dev/shm'), Path('/proc/locks')
_PORT_LOCK = re.compile(r'fastrtps_port(\d+)_[es]l')
#: Variables that lead a participant elsewhere: names, and beginnings of names.
_OUTSIDE = (
    'CYCLONEDDS_',
    'FASTDDS_',
    'FASTRTPS_',
    'NDDS_',
    'RMW_',
    'ROS_AUTOMATIC_DISCOVERY_RANGE',
    'ROS_DISCOVERY_SERVER',
    'ROS_DOMAIN_ID',
    'ROS_LOCALHOST_ONLY',
    'ROS_SECURITY_',
    'ROS_STATIC_PEERS',
    'ROS_SUPER_CLIENT',
    'SKIP_DEFAULT_XML',
    'ZENOH_',
)


def busy_domains() -> set[int]:
    """Return the domains in which somebody on this machine has a DDS port open."""
    return {domain for domain, _ in _open_ports()}


def others_in(domain: int) -> bool:
    """Return whether another process on this machine has a DDS port of a domain open."""
    own = set()
    for entry in Path('/proc/self/fd').glob('*'):
        # One that has just been closed is nobody's.
        with suppress(OSError):
            own.add(os.readlink(entry))
    return any(d == domain and opened not in own for d, opened in _open_ports())


def _open_ports() -> Iterator[tuple[int, str]]:
    """
    Yield the domain of every port that could be a participant's, and what is open for it.

    As the descriptors of its process in ``/proc`` name it.
    """
    for port, opened in (*_udp_ports(), *_shared_memory_ports()):
        if port >= _FIRST_PORT:
            yield (port - _FIRST_PORT) // _PORTS_A_DOMAIN, opened


def _udp_ports() -> Iterator[tuple[int, str]]:
    for table in _PORT_TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            # No such protocol, or not Linux.
            continue
        for fields in map(str.split, lines):
            yield int(fields[1].rpartition(':')[2], 16), f'socket:[{fields[9]}]'


def _shared_memory_ports() -> Iterator[tuple[int, str]]:
    """Yield the ports in shared memory that somebody keeps; files of the dead stay behind."""
    try:
        locked = {line.split()[-3].rpartition(':')[2] for line in _LOCKS.read_text().splitlines()}
        names = os.listdir(_SHARED_MEMORY)
    except OSError:
        return
    for found in filter(None, map(_PORT_LOCK.fullmatch, names)):
        path = _SHARED_MEMORY / found[0]
        # One that has just been removed is nobody's.
        with suppress(OSError):
            if str(path.stat().st_ino) in locked:
                yield int(found[1]), str(path)


def claim_domain() -> tuple[int, socket.socket]:
    """
    Return a domain ID and the socket that keeps it: it is free again when that is closed.

    Never the one of this shell (ROS_DOMAIN_ID), nor one with participants on this machine.
    Raises QuietNavError where none is left.
    """
    busy = busy_domains() | {own_domain()}
    for attempt in range(len(DOMAINS)):
        domain = DOMAINS[(os.getpid() + attempt) % len(DOMAINS)]
        if domain in busy:
            continue
        lock = _lock(domain)
        if lock is not None:
            return domain, lock
    raise QuietNavError(
        f'every ROS domain from {DOMAINS[0]} to {DOMAINS[-1]} is taken on this machine; '
        'stop demos, tests or ROS nodes that are not needed'
    )


def own_domain() -> int:
    """Return the domain of this shell."""
    try:
        return int(os.environ.get('ROS_DOMAIN_ID') or 0)
    except ValueError:
        return 0


def _lock(domain: int) -> socket.socket | None:
    """
    Return what keeps a domain from others, None where they keep it.

    A name of Linux's abstract socket space: it is no file that others could plant or that stays
    behind, it is the same for every user, and has the extent of the ports: a network namespace.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f'\0quiet_nav_domain_{domain}')
    except OSError:
        lock.close()
        return None
    return lock


def private_environment(domain: int, environment: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables for processes in a domain that only this machine sees.

    Everything in ``environment`` that leads to other participants is left out: discovery server
    and peers, profile files (also the one in the working folder), security, another middleware.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith(_OUTSIDE)}
    kept |= graph_variables(domain) | {'SKIP_DEFAULT_XML_FILE': '1'}
    if any(
        Path(prefix, 'share/ament_index/resource_index/rmw_typesupport/rmw_fastrtps_cpp').is_file()
        for prefix in kept.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
        if prefix
    ):
        kept['RMW_IMPLEMENTATION'] = 'rmw_fastrtps_cpp'
    return kept


def graph_variables(domain: int) -> dict[str, str]:
    """Return the variables with which another shell on this machine looks on."""
    return {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}


@contextmanager
def private_domain() -> Iterator[int]:
    """Give a domain that is nobody else's while the context lasts."""
    domain, lock = claim_domain()
    with lock:
        yield domain


def private_names() -> list[str]:
    """Return the ROS arguments that put a node's topics, clock and transforms into NAMESPACE."""
    rules = [f'__ns:={NAMESPACE}', *(f'{name}:={name[1:]}' for name in GLOBAL_TOPICS)]
    return [argument for rule in rules for argument in ('-r', rule)]
