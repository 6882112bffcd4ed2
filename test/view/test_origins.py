"""Who may connect to the Foxglove WebSocket: not the pages that happen to be open."""

import asyncio

import pytest

pytest.importorskip('foxglove', reason='the Foxglove SDK is not installed (make setup does)')
pytest.importorskip('tornado', reason='tornado is not installed')

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from quiet_nav.view.origins import may_connect
from quiet_nav.view.serve import into_server

OURS = [
    None, 'file://', 'http://localhost:8080', 'http://127.0.0.1', 'https://[::1]:9090',
    'https://app.foxglove.dev', 'https://foxglove.dev',
]  # fmt: skip
OTHERS = [
    'https://example.com', 'http://app.foxglove.dev', 'https://notfoxglove.dev', 'null',
    'https://localhost.example.com', 'http://192.168.1.5', 'https://foxglove.dev.example.com',
    'http://[', '', 'chrome-extension://abc',
]  # fmt: skip


@pytest.mark.parametrize('origin', OURS)
def test_programs_pages_of_this_machine_and_foxglove_may(origin):
    assert may_connect(origin)


@pytest.mark.parametrize('origin', OTHERS)
def test_other_pages_may_not(origin):
    assert not may_connect(origin)


async def greeting(port, *origins):
    request = HTTPRequest(f'ws://127.0.0.1:{port}')
    for origin in origins:
        request.headers.add('Origin', origin)
    connection = await websocket_connect(request, subprotocols=['foxglove.sdk.v1'])
    message = await connection.read_message()
    connection.close()
    return message


def test_the_server_answers_those_who_may_and_refuses_others():
    with into_server('127.0.0.1', 0) as (_, server):
        for origins in ([], ['http://localhost:3000'], ['https://app.foxglove.dev']):
            assert 'quiet_nav' in asyncio.run(asyncio.wait_for(greeting(server.port, *origins), 60))
        for origins in (['https://example.com'], ['http://localhost', 'https://example.com']):
            with pytest.raises(HTTPClientError, match='403'):
                asyncio.run(asyncio.wait_for(greeting(server.port, *origins), 60))


def test_it_listens_on_this_machine_alone():
    import socket

    with into_server('127.0.0.1', 0) as (_, server), socket.socket() as probe:
        # The port is free on every other address of this machine.
        probe.bind(('127.0.0.2', server.port))
