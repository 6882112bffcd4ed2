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

"""A domain of one's own: free of others, not the shell's, and out of reach of its settings."""

import fcntl
import os
import socket
import subprocess
import sys

import pytest

from quiet_nav.demo import domain as domains
from quiet_nav.demo.domain import (
    busy_domains,
    claim_domain,
    DOMAINS,
    others_in,
    private_domain,
    private_environment,
    private_names,
)
from quiet_nav.errors import QuietNavError


def next_domain(monkeypatch):
    """Return the domain that would be claimed, and make it the first that is tried."""
    domain, lock = claim_domain()
    lock.close()
    monkeypatch.setattr(domains.os, 'getpid', lambda: domain - DOMAINS[0])
    return domain


def test_domains_of_two_at_once_differ_and_are_free_again_afterwards(monkeypatch):
    first = next_domain(monkeypatch)
    with private_domain() as one, private_domain() as other:
        assert one == first
        assert other != first
    with private_domain() as again:
        assert again == first


@pytest.mark.parametrize('kind', [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize('offset', [0, 1, 10, 11, 24])
def test_a_domain_with_a_participant_is_never_taken(monkeypatch, kind, offset):
    domain = next_domain(monkeypatch)
    address = '127.0.0.1' if kind == socket.AF_INET else '::1'
    with socket.socket(kind, socket.SOCK_DGRAM) as participant:
        try:
            participant.bind((address, 7400 + 250 * domain + offset))
        except OSError as error:
            pytest.skip(f'no such address here: {error}')
        assert domain in busy_domains()
        with private_domain() as taken:
            assert taken != domain


@pytest.mark.skipif(not os.path.exists('/proc/locks'), reason='no /proc/locks here')
@pytest.mark.parametrize('kind', ['el', 'sl'])
def test_a_domain_whose_participant_is_in_shared_memory_alone_is_never_taken(
    monkeypatch, tmp_path, kind
):
    domain = next_domain(monkeypatch)
    monkeypatch.setattr(domains, '_SHARED_MEMORY', tmp_path)
    with open(tmp_path / f'fastrtps_port{7400 + 250 * domain + 11}_{kind}', 'w') as port:
        # The file of a participant that was killed stays, and nobody locks it.
        assert domain not in busy_domains()
        fcntl.flock(port, fcntl.LOCK_EX if kind == 'el' else fcntl.LOCK_SH)
        assert domain in busy_domains()
        assert not others_in(domain)
        with private_domain() as taken:
            assert taken != domain
    assert domain not in busy_domains()


def test_ports_of_this_process_are_not_anothers():
    with private_domain() as domain, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        assert not others_in(domain)
        own.bind(('127.0.0.1', 7400 + 250 * domain + 10))
        assert domain in busy_domains()
        assert not others_in(domain)
        hold = (
            'import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); '
            f"s.bind(('127.0.0.1', {7400 + 250 * domain + 12})); print('bound', flush=True); "
            'sys.stdin.read()'
        )
        with subprocess.Popen(
            [sys.executable, '-c', hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout.readline() == b'bound\n'
            assert others_in(domain)
            other.stdin.close()


def test_the_domain_of_the_shell_is_never_taken(monkeypatch):
    domain = next_domain(monkeypatch)
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    with private_domain() as taken:
        assert taken != domain


def test_a_machine_without_a_free_domain_is_said(monkeypatch):
    monkeypatch.setattr(domains, 'busy_domains', lambda: set(DOMAINS))
    with pytest.raises(QuietNavError, match='every ROS domain'):
        claim_domain()


def test_nothing_is_written_for_a_domain(monkeypatch, tmp_path):
    for name in ('TMPDIR', 'XDG_RUNTIME_DIR', 'HOME'):
        monkeypatch.setenv(name, str(tmp_path))
    with private_domain():
        assert list(tmp_path.iterdir()) == []


def test_no_discovery_setting_of_the_shell_is_left():
    outside = {
        'ROS_DOMAIN_ID': '30',
        'ROS_DISCOVERY_SERVER': '127.0.0.1:11811;',
        'ROS_SUPER_CLIENT': 'True',
        'ROS_STATIC_PEERS': '127.0.0.1',
        'ROS_LOCALHOST_ONLY': '0',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
        'ROS_SECURITY_ENABLE': 'true',
        'FASTRTPS_DEFAULT_PROFILES_FILE': 'a.xml',
        'FASTDDS_DEFAULT_PROFILES_FILE': 'a.xml',
        'FASTDDS_ENVIRONMENT_FILE': 'a.json',
        'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4',
        'CYCLONEDDS_URI': 'a.xml',
        'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp',
        'ZENOH_CONFIG_OVERRIDE': 'x',
    }
    kept = {'PATH': '/bin', 'ROS_DISTRO': 'jazzy', 'AMENT_PREFIX_PATH': ''}
    assert private_environment(77, outside | kept) == {
        **kept,
        'ROS_DOMAIN_ID': '77',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'SKIP_DEFAULT_XML_FILE': '1',
    }


def test_fast_dds_is_chosen_where_it_is(tmp_path):
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'rmw_typesupport'
    index.mkdir(parents=True)
    (index / 'rmw_fastrtps_cpp').touch()
    made = private_environment(77, {'AMENT_PREFIX_PATH': f'/nowhere:{tmp_path}'})
    assert made['RMW_IMPLEMENTATION'] == 'rmw_fastrtps_cpp'


def test_tests_themselves_run_in_a_domain_of_their_own():
    assert int(os.environ['ROS_DOMAIN_ID']) in DOMAINS
    assert private_environment(int(os.environ['ROS_DOMAIN_ID']), os.environ) == dict(os.environ)


def test_every_absolute_topic_of_the_nodes_moves_into_the_namespace():
    rules = private_names()[1::2]
    assert rules == [
        '__ns:=/quiet_nav_demo', '/clock:=clock', '/diagnostics:=diagnostics', '/tf:=tf',
        '/tf_static:=tf_static',
    ]  # fmt: skip
