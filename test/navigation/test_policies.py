"""Policies by name: each is a module of its own, and adding one adds a module."""

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.algorithms import Algorithm2Settings, AlgorithmSettings
import quiet_nav.navigation.policies as package
from quiet_nav.navigation.policies import (
    find_policy,
    KNOBS,
    make_policy,
    POLICIES,
    policy_kinds,
    PolicySettings,
)
from quiet_nav.perception.rig import find_rig

#: All that a new policy takes.
CIRCLE = """
import math
from dataclasses import dataclass

from quiet_nav.navigation.policies.registry import PolicyKind
from quiet_nav.navigation.policy import Step


@dataclass(frozen=True)
class CircleSettings:
    turn_rad: float = 0.3
    step_length_m: float = 0.2


@dataclass
class Circle:
    settings: CircleSettings
    name = 'circle'
    sides = frozenset()
    wall_distance_m = math.nan

    def decide(self, readings, pose):
        return Step(self.settings.turn_rad, self.settings.step_length_m, 'round and round')


KIND = PolicyKind(
    'circle', 'round and round', lambda asked: Circle(asked.settings.of(CircleSettings)),
    CircleSettings, {'step': 'step_length_m'},
)
"""


@pytest.mark.parametrize('name', POLICIES)
def test_every_policy_has_the_name_that_users_write(name):
    policy = make_policy(name, np.random.default_rng(0), find_rig('pair'))
    assert policy.name == name
    kind = find_policy(name)
    assert kind.what
    assert set(kind.knobs) <= set(KNOBS)
    assert all(hasattr(kind.settings(), field) for field in kind.knobs.values())


def test_a_policy_is_added_by_adding_one_module(tmp_path, monkeypatch):
    (tmp_path / 'circle.py').write_text(CIRCLE)
    monkeypatch.setattr(package, '__path__', [*package.__path__, str(tmp_path)])
    assert set(policy_kinds()) == {*POLICIES, 'circle'}
    out = tmp_path / 'trials.json'
    done = CliRunner().invoke(build_app(), [
        'trials', '--policy', 'circle', '--step', '0.1', '--detector', 'ideal', '--trials', '1',
        '--workers', '1', '--json', str(out)])  # fmt: skip
    assert done.exit_code == 0, done.output
    (trial,) = json.loads(out.read_text())['trials']
    assert trial['policy'] == 'circle'
    assert trial['steps'] > 3


def test_unknown_policies_are_refused_with_the_known_ones():
    with pytest.raises(QuietNavError, match='tracker'):
        make_policy('follow', np.random.default_rng(0), find_rig('pair'))
    with pytest.raises(QuietNavError, match='BACK'):
        make_policy('tracker', np.random.default_rng(0), find_rig('pair'), Side.BACK)


def test_settings_are_found_by_their_class_and_the_rest_is_the_default():
    mine = AlgorithmSettings(threshold=0.4)
    settings = PolicySettings(mine)
    assert settings.of(AlgorithmSettings) is mine
    assert settings.of(Algorithm2Settings) == Algorithm2Settings()
    assert settings.but(Algorithm2Settings(gain_rad=3.0)).of(Algorithm2Settings).gain_rad == 3.0
    assert settings.of(Algorithm2Settings) == Algorithm2Settings()


def test_a_knob_turns_the_policies_that_have_it_and_no_other():
    values = {'threshold': 0.4, 'dead_band': 0.0, 'gain': 2.0, 'max_turn': 30.0, 'step': 0.1}
    first = find_policy('algorithm1').tuned(PolicySettings(), values).of(AlgorithmSettings)
    assert first == AlgorithmSettings(0.4, 0.0, 2.0, math.radians(30.0), 0.1)
    straight = find_policy('straight').tuned(PolicySettings(), values).of(AlgorithmSettings)
    assert straight == AlgorithmSettings(step_length_m=0.1)
    with pytest.raises(QuietNavError, match='gain_rad'):
        find_policy('algorithm2').tuned(PolicySettings(), {'gain': math.nan})
