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

"""The `follow_wall` action and the step machine: goals in, feedback and results out."""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np

from quiet_nav.action import FollowWall
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.modality import ModalitySelector, Mode
from quiet_nav.navigation.policies import POLICIES
from quiet_nav.navigation.step_machine import GoalLimits, StepMachine
from quiet_nav.nodes.wall_follower.parameters import WallFollowerParameters
from quiet_nav.perception.readings import Modality
from quiet_nav.perception.rig import Rig

_SIDES = {
    FollowWall.Goal.SIDE_ANY: None,
    FollowWall.Goal.SIDE_LEFT: Side.LEFT,
    FollowWall.Goal.SIDE_RIGHT: Side.RIGHT,
}


def machine_of_goal(
    goal: FollowWall.Goal,
    parameters: WallFollowerParameters,
    rig: Rig,
    camera: Rig,
    make_policy: Callable,
) -> StepMachine:
    """
    Return the step machine that does what a goal asks. rig: the ears; camera: the camera.

    Raises QuietNavError where the goal makes no sense.
    """
    limits = (goal.max_distance, goal.max_duration)
    if not all(math.isfinite(value) and value >= 0.0 for value in limits):
        raise QuietNavError(f'limits {limits}; expected finite numbers, 0 for none')
    if goal.modality not in tuple(Mode):
        raise QuietNavError(f'modality {goal.modality}; expected one of the MODALITY_ constants')
    if goal.side not in _SIDES:
        raise QuietNavError(f'side {goal.side}; expected SIDE_LEFT, SIDE_RIGHT or SIDE_ANY')
    name = goal.algorithm or parameters.algorithm
    if name not in POLICIES:
        raise QuietNavError(f'algorithm {name!r}; expected one of {", ".join(POLICIES)}')
    mode = Mode(goal.modality)
    policy = make_policy(
        name,
        np.random.default_rng(parameters.seed),
        camera if mode == Mode.VISION else rig,
        _SIDES[goal.side],
        parameters.policies(),
        camera,
    )
    senses = ModalitySelector(
        mode, {Modality.AUDIO: rig, Modality.VISION: camera}, parameters.modality()
    )
    ends = GoalLimits(
        goal.max_distance or math.inf, goal.max_steps or math.inf, goal.max_duration or math.inf
    )
    return StepMachine(policy, senses, parameters.limits(), parameters.timing(), ends)


def feedback_of(machine: StepMachine) -> FollowWall.Feedback:
    """Return the feedback of a machine that runs."""
    said = machine.readings
    left, right = (
        said[side].probability if side in said else math.nan for side in (Side.LEFT, Side.RIGHT)
    )
    return FollowWall.Feedback(
        phase=int(machine.phase),
        probability_left=float(left),
        probability_right=float(right),
        angle=float(machine.step.turn_rad),
        distance=machine.distance_m,
        steps=machine.steps,
        wall_distance=float(machine.policy.wall_distance_m),
        modality=int(machine.senses.modality),
        modality_reason=machine.senses.reason,
        modality_switches=machine.senses.switches,
    )


def result_of(machine: StepMachine, duration_s: float) -> FollowWall.Result:
    """Return the result of a machine that has finished."""
    return FollowWall.Result(
        outcome=int(machine.outcome),
        reason=machine.reason,
        distance=machine.distance_m,
        steps=machine.steps,
        duration=duration_s,
    )
