"""Fixtures for tests of recordings."""

from pathlib import Path

import pytest
from bag_recording import Recording

from quiet_nav.resources import shared_file


@pytest.fixture
def recording() -> Recording:
    """An empty recording to fill and write."""
    return Recording()


@pytest.fixture(scope='session')
def model() -> Path:
    """The detector that ships."""
    return shared_file('models/near_wall.onnx')
