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

"""The web view as it is served: a client of the WebSocket gets what was played or published."""

import asyncio
import json
import struct

import pytest

pytest.importorskip('foxglove', reason='the Foxglove SDK is not installed (make setup does)')
pytest.importorskip('tornado', reason='tornado is not installed')

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import find_rig
from quiet_nav.view.gate import Gate, may_connect
from quiet_nav.view.scene import Scene
from quiet_nav.view.serve import into_server

pytestmark = pytest.mark.realtime

S = 1_000_000_000
WAIT_S = 60.0


async def first_message(port, topic, say):
    """
    Subscribe as Foxglove does and return the first message of a topic.

    say: called again and again, because a channel comes up with its first message.
    """
    connection = await websocket_connect(f'ws://127.0.0.1:{port}', subprotocols=['foxglove.sdk.v1'])
    pending = asyncio.ensure_future(connection.read_message())
    while True:
        say()
        done, _ = await asyncio.wait({pending}, timeout=0.05)
        if not done:
            continue
        message = pending.result()
        assert message is not None, 'the server closed the connection'
        pending = asyncio.ensure_future(connection.read_message())
        if isinstance(message, str):
            said = json.loads(message)
            ids = [c['id'] for c in said.get('channels', ()) if c['topic'] == topic]
            if ids:
                wanted = [{'id': 7, 'channelId': ids[0]}]
                await connection.write_message(
                    json.dumps({'op': 'subscribe', 'subscriptions': wanted})
                )
        elif message[0] == 1:
            subscription, time_ns = struct.unpack_from('<IQ', message, 1)
            assert subscription == 7
            pending.cancel()
            connection.close()
            return time_ns, json.loads(message[13:])


def get(port, topic, say):
    return asyncio.run(asyncio.wait_for(first_message(port, topic, say), WAIT_S))


def test_a_client_gets_what_is_shown():
    with into_server('127.0.0.1', 0) as (context, server):
        scene = Scene(context, find_rig('pair'))
        reading = NearWallReading(Side.LEFT, 0.25, 0, 3 * S)
        found = get(server.port, '/near_wall/left', lambda: scene.reading(reading, 'base_link'))
    assert found == (3 * S, {'valid': True, 'near': False, 'probability': 0.25, 'hears_by': ''})


@pytest.mark.parametrize(
    'origin',
    [None, 'http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:1', 'https://app.foxglove.dev',
     'file://', 'https://studio.foxglove.dev'],
)  # fmt: skip
def test_programs_pages_of_this_machine_and_foxglove_may_connect(origin):
    assert may_connect(origin)


@pytest.mark.parametrize(
    'origin',
    ['https://example.org', 'null', '', 'http://app.foxglove.dev', 'https://foxglove.dev.evil.org',
     'https://evilfoxglove.dev', 'http://localhost.evil.org', 'http://192.168.1.7', 'http://['],
)  # fmt: skip
def test_other_pages_may_not(origin):
    assert not may_connect(origin)


def test_the_server_refuses_pages_of_other_origins():
    async def connect(port, origin):
        request = HTTPRequest(f'ws://127.0.0.1:{port}', headers={'Origin': origin})
        connection = await websocket_connect(request, subprotocols=['foxglove.sdk.v1'])
        said = await connection.read_message()
        connection.close()
        return json.loads(said)['op']

    with into_server('127.0.0.1', 0) as (_, server):
        run = asyncio.run
        assert run(asyncio.wait_for(connect(server.port, 'http://localhost'), WAIT_S))
        with pytest.raises(HTTPClientError, match='403'):
            run(asyncio.wait_for(connect(server.port, 'https://example.org'), WAIT_S))
        with pytest.raises(QuietNavError, match='choose another --port'):
            Gate('127.0.0.1', server.port, '127.0.0.1', 1)


def test_the_node_shows_what_is_published(ros, node_process):
    pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')
    import re

    from quiet_nav.msg import NearWall
    from quiet_nav.nodes.conversions import reading_to_msg

    process = node_process('live_view', {'port': 0, 'rig': 'pair'})
    robot = ros.node('robot')
    publisher = robot.create_publisher(NearWall, 'near_wall', 10)
    assert ros.spin_until(lambda: publisher.get_subscription_count(), WAIT_S), process.log
    assert ros.spin_until(lambda: re.search(r'ws://localhost:(\d+)', process.log), WAIT_S)
    port = int(re.search(r'ws://localhost:(\d+)', process.log).group(1))
    message = reading_to_msg(NearWallReading(Side.FRONT, 0.5, 2 * S, 5 * S), 'base_link')
    found = get(port, '/near_wall/front', lambda: publisher.publish(message))
    assert found == (5 * S, {'valid': True, 'near': True, 'probability': 0.5, 'hears_by': ''})
    assert process.stop() == 0
    assert 'Traceback' not in process.log


@pytest.mark.parametrize(
    ('option', 'library', 'said'),
    [
        ('--foxglove', 'foxglove', r'ws://localhost:(\d+)'),
        ('--web', 'rerun', r'open http://127\.0\.0\.1:(\d+)/ in a browser'),
    ],
)
def test_the_command_shows_running_nodes(ros, tmp_path, option, library, said):
    import http.client
    import re
    import signal
    import subprocess
    import sys

    pytest.importorskip(library, reason=f'{library} is not installed (make setup does)')
    robot = ros.node('robot')
    arguments = ['view', '--live', option, '--port', '0', '--namespace', 'robot1', '--rig', 'pair']
    with open(tmp_path / 'log', 'w') as log:
        process = subprocess.Popen(
            [sys.executable, '-m', 'quiet_nav.cli', *arguments], stdout=log, stderr=log,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    try:
        read = (tmp_path / 'log').read_text
        assert ros.spin_until(
            lambda: re.search(said, read()) or process.poll() is not None, WAIT_S
        )  # fmt: skip
        found = re.search(said, read())
        assert found, read()
        assert ros.spin_until(
            lambda: ('live_view', '/robot1') in robot.get_node_names_and_namespaces(), WAIT_S
        )
        if option == '--web':
            page = http.client.HTTPConnection('127.0.0.1', int(found.group(1)), timeout=60)
            page.request('GET', '/')
            assert page.getresponse().status == 302
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, read()
        assert 'Traceback' not in read()
    finally:
        process.kill()
        process.wait()
