"""Fixtures of the wall follower's tests: a namespace, the bench around it, the node itself."""

import itertools

import pytest

_numbers = itertools.count()


@pytest.fixture
def space():
    """Return a namespace of its own a test: killed nodes of tests before linger in discovery."""
    return f'/t{next(_numbers)}'


@pytest.fixture
def bench(ros, space, stalls):
    from follower_bench import Bench

    return Bench(ros, space, stalls)


@pytest.fixture
def follower(node_process, space):
    from follower_bench import QUICK

    return node_process('wall_follower', QUICK, '-r', f'__ns:={space}')
