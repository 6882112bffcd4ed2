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

"""The wall follower: runs the `follow_wall` action, one step machine a goal, and keeps it safe."""

from __future__ import annotations

from collections.abc import Callable
import importlib
import sys
import threading
import traceback
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data, QoSProfile
from std_msgs.msg import Bool, Empty

from quiet_nav.action import FollowWall
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.msg import NearWall
from quiet_nav.navigation.control_clock import Clocks, ControlClock
from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.limits import STOP, Twist2D
from quiet_nav.navigation.modality import ModalitySelector, Mode
from quiet_nav.navigation.policies import make_policy
from quiet_nav.navigation.step_machine import Outcome, StepMachine
from quiet_nav.navigation.watch import Watch
from quiet_nav.nodes.base import ManagedNode, transition
from quiet_nav.nodes.diagnostics import Diagnostics, Status
from quiet_nav.nodes.failures import one_line
from quiet_nav.nodes.files import data_folder
from quiet_nav.nodes.heartbeat import ALIVE_QOS, ALIVE_TOPIC
from quiet_nav.nodes.logs import Severity
from quiet_nav.nodes.parameters import Parameters
from quiet_nav.nodes.runtime import read_clocks, run
from quiet_nav.nodes.wall_follower.emergency_stop import EmergencyStop, latch_file
from quiet_nav.nodes.wall_follower.goals import feedback_of, machine_of_goal, result_of
from quiet_nav.nodes.wall_follower.health import Condition, health_of
from quiet_nav.nodes.wall_follower.neighbors import Neighbors
from quiet_nav.nodes.wall_follower.parameters import WallFollowerParameters
from quiet_nav.nodes.wall_follower.runs import AS_WISHED, Awaited, ended_text, Run
from quiet_nav.nodes.wall_follower.senses import Base, Readings
from quiet_nav.nodes.wall_follower.stop_button import StopButton
from quiet_nav.nodes.wall_follower.velocity import Velocity
from quiet_nav.perception.rig import CAMERA_RIG, find_rig, load_rig

#: After a run zeros are sent this long, then the topic is left to others.
ZEROS_AFTER_RUN_S = 1.0
FEEDBACK_PERIOD_S = 0.5
#: Clients ask for the result when their goal is accepted; rclpy would keep it 15 minutes.
RESULT_KEPT_S = 60
#: The steady watch looks so often at simulated time and at who else publishes.
WATCH_PERIOD_S = 0.05
#: irobot_create_msgs/HazardDetection types and what they mean to a run.
HAZARDS = {1: Outcome.BUMP, 2: Outcome.CLIFF, 3: Outcome.BUMP, 4: Outcome.CLIFF}


class WallFollower(ManagedNode):
    """
    Drives along a wall; `make_policy` is what builds the policy of a goal.

    clocks: reads the steady clock and the node's at the same moment; both of the system where it
    is None.
    """

    def __init__(
        self,
        policies: Callable = make_policy,
        clocks: Callable[[], Clocks] | None = None,
        **options: object,
    ) -> None:
        super().__init__('wall_follower', **options)
        self._velocity: Velocity | None = None
        self._declared = Parameters(
            self,
            WallFollowerParameters,
            locked=self._why_locked,
            configured=lambda: self._velocity is not None,
        )
        self._make_policy = policies
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._clocks = clocks or (lambda: read_clocks(self, self._steady))
        self._lock = threading.RLock()
        self._control = MutuallyExclusiveCallbackGroup()
        self._beside = MutuallyExclusiveCallbackGroup()
        self._run: Run | None = None
        self._next: Awaited | None = None
        self._last: tuple[Outcome, str] = (Outcome.UNKNOWN, '')
        self._active = self._closed = False
        self._server: ActionServer | None = None
        self._zeros_until_ns = 0
        self._pose, self._twist = Pose2D(), Twist2D()
        self._watch: Watch | None = None
        self._neighbors: Neighbors | None = None
        self._time = ControlClock()
        self._conflict = self._warning = ''
        self._entities: list[tuple[Callable, object]] = []
        folder = data_folder(self._declared.value.data_folder)
        latch = EmergencyStop(latch_file(folder, self.get_fully_qualified_name()))
        self._stop = StopButton(self, latch, self._on_stop)
        self._diagnostics = Diagnostics(self, 'wall follower', self._health)

    # Lifecycle

    @transition
    def on_configure(self, _state: object) -> None:
        p = self._declared.value
        self._rig = find_rig(p.rig)
        self._camera = load_rig(p.camera_rig) if p.camera_rig else CAMERA_RIG
        self._watch = p.watch()
        self._readings = Readings(self._rig.identity, p.reading_ahead_s)
        self._base = Base(p.odom_frame, p.base_frame)
        self._velocity = Velocity(self, p.enable_stamped_cmd_vel, p.base_frame)
        if self._server is None:
            self._server = self._action_server()

    @transition
    def on_activate(self, state: object) -> None:
        p = self._declared.value
        # Set while inactive, limits count from here on.
        self._watch = p.watch()
        simulated = bool(self.get_parameter('use_sim_time').value)
        self._time = ControlClock(simulated)
        kind, alone = self._velocity.kind, not p.allow_other_cmd_vel
        self._neighbors = Neighbors(self, kind, simulated, alone)
        topics = [
            (NearWall, 'near_wall', self._on_near_wall),
            (Odometry, 'odom', self._on_odom),
            (Bool, 'bump', lambda m: self._on_contact(Outcome.BUMP, m.data)),
            (Bool, 'cliff', lambda m: self._on_contact(Outcome.CLIFF, m.data)),
        ]
        try:
            messages = importlib.import_module('irobot_create_msgs.msg')
            topics.append((messages.HazardDetectionVector, 'hazard_detection', self._on_hazards))
        except ImportError:
            self.log.info('no irobot_create_msgs: hazard_detection is not listened to')
        self._entities = [self._listen(*topic, qos_profile_sensor_data) for topic in topics]
        self._entities.append(
            self._listen(Empty, ALIVE_TOPIC, self._on_alive, ALIVE_QOS, self._beside)
        )
        for period_s, callback, clock, group in (
            # In simulated time control keeps step with it, and the steady watch with both.
            (
                1.0 / p.control_rate_hz,
                self._tick,
                self.get_clock() if simulated else self._steady,
                self._control,
            ),
            (WATCH_PERIOD_S, self._look_around, self._steady, self._beside),
        ):
            timer = self.create_timer(period_s, callback, clock=clock, callback_group=group)
            self._entities.append((self.destroy_timer, timer))
        self._active = True
        super().on_activate(state)

    @transition
    def on_deactivate(self, state: object) -> None:
        self._deactivate('the node was deactivated')
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, _state: object) -> None:
        self._release()

    @transition
    def on_shutdown(self, _state: object) -> None:
        self._deactivate('the node was shut down')
        self._release()

    def release(self) -> None:
        """Stop the robot and let go of all, for a node that has failed."""
        try:
            self._deactivate(f'the node failed: {self.failure}', Severity.ERROR)
        finally:
            self._release()

    def before_shutdown(self) -> None:
        """Stop the robot while messages still leave the process (SIGINT, SIGTERM, exception)."""
        self._give_up('the node is being shut down')
        with self._lock:
            self._closed = True
            for _ in range(3):
                self._send(STOP)
            if self._velocity is not None:
                self._velocity.wait_until_received(0.2)

    def _why_locked(self) -> str:
        return 'read-only while the node is active; deactivate it first' if self._active else ''

    def _action_server(self) -> ActionServer:
        """
        Return the server of the node's life: rclpy cannot destroy one beside a running wait.

        The goal's callback waits for its end, so requests must be served beside it.
        """
        return ActionServer(
            self,
            FollowWall,
            'follow_wall',
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            handle_accepted_callback=self._on_accepted,
            callback_group=ReentrantCallbackGroup(),
            result_timeout=RESULT_KEPT_S,
        )

    def _listen(
        self, kind: type, topic: str, handle: Callable, qos: QoSProfile, group: Any = None
    ) -> tuple[Callable, object]:
        """Return what destroys a new subscription, and the subscription; messages are checked."""
        return self.destroy_subscription, self.create_subscription(
            kind,
            topic,
            self.intake.checked(topic, handle),
            qos,
            callback_group=group or self._control,
        )

    def _deactivate(self, reason: str, severity: Severity = Severity.INFO) -> None:
        self._active = False
        self._give_up(reason, severity)
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities = []

    def _release(self) -> None:
        with self._lock:
            if self._velocity is not None:
                self._velocity.destroy()
            self._velocity = self._watch = self._neighbors = None

    def _give_up(self, reason: str, severity: Severity = Severity.INFO) -> None:
        """
        End the run, stop, and wait a moment for the client's answer.

        severity: of the line that says so; to be told to end is no error.
        """
        with self._lock:
            active = self._run
            self._send(STOP)
            if active is not None:
                active.machine.finish(Outcome.ERROR, reason)
                self._end(active, severity)
        if active is not None:
            active.answered.wait(0.5)

    # Goals

    def _on_goal(self, goal: FollowWall.Goal) -> GoalResponse:
        try:
            neighbors = self._neighbors if self._active else None
            objection = '' if neighbors is None else neighbors.objection()
            with self._lock:
                machine = self._accept(goal, objection)
                self._next = Awaited(machine, self._clocks().steady_ns)
        except QuietNavError as error:
            self.log.warn(f'goal refused: {error}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _accept(self, goal: FollowWall.Goal, objection: str) -> StepMachine:
        """
        Return the machine of a goal; QuietNavError where it cannot be followed now.

        objection: why who else is in the graph forbids it.
        """
        if self._closed:
            raise QuietNavError('the node is being shut down')
        if not self._active:
            raise QuietNavError('the node is not active; activate it first')
        clocks = self._clocks()
        if not clocks.ros_ns:
            raise QuietNavError('no time yet: use_sim_time is set and /clock is silent')
        if self._stop.reason:
            raise QuietNavError(
                f'{self._stop.reason} holds; release it with set_emergency_stop false'
            )
        waits = self._next is not None and not self._next.overdue(clocks.steady_ns)
        if self._run is not None or waits:
            raise QuietNavError('another goal is being followed; cancel it first')
        heard = '' if goal.modality == int(Mode.VISION) else self._readings.fault
        # Odometry that has not come (yet) is waited for; what is there must be right.
        for fault in (objection, heard, self._base.frame_fault):
            if fault:
                raise QuietNavError(fault)
        p = self._declared.value
        return machine_of_goal(goal, p, self._rig, self._camera, self._make_policy)

    def _on_accepted(self, handle: Any) -> None:
        neighbors = self._neighbors
        clients = frozenset() if neighbors is None else neighbors.clients()
        with self._lock:
            if self._next is None or self._watch is None:
                # Deactivated, or failed, in between.
                handle.run = None
            else:
                self._time.update(self._clocks())
                self._time.begin()
                self._conflict = ''
                guarded = GuardedRun(self._next.machine, self._watch, self._time.now_ns)
                handle.run = self._run = Run(handle, guarded, clients)
            self._next = None
        handle.execute()

    def _execute(self, handle: Any) -> FollowWall.Result:
        """Wait for the end of the run and answer; runs beside the control callbacks."""
        active: Run | None = handle.run
        if active is None:
            handle.abort()
            reason = 'the node stopped before the goal began'
            return FollowWall.Result(outcome=int(Outcome.ERROR), reason=reason)
        active.done.wait()
        machine = active.machine
        if machine.outcome == Outcome.LIMIT_REACHED:
            handle.succeed()
        elif machine.outcome == Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        active.answered.set()
        # The handle is kept with the result: not so the policy's particles.
        handle.run = None
        return result_of(machine, (self._time.now_ns - active.guarded.accepted_ns) * 1e-9)

    def _end(self, active: Run, severity: Severity = Severity.ERROR) -> None:
        """
        Close a run whose machine has finished: stop, log, let the client know.

        severity: of the line that says so, where it did not end as wished.
        """
        machine = active.machine
        self._run, self._last = None, (machine.outcome, machine.reason)
        try:
            self._zeros_until_ns = self._clocks().steady_ns + int(ZEROS_AFTER_RUN_S * 1e9)
            self._send(STOP)
            good = machine.outcome in AS_WISHED
            self.log.say(Severity.INFO if good else severity, ended_text(machine))
        finally:
            # Whatever breaks, nobody waits for ever.
            active.done.set()

    # Control

    def _tick(self) -> None:
        with self._lock:
            if self._closed:
                return
            clocks, active = self._clocks(), self._run
            now = self._time.update(clocks)
            if active is None:
                if self._stop.reason or clocks.steady_ns < self._zeros_until_ns:
                    self._send(STOP)
                return
            try:
                command = self._command(active, now, clocks.steady_ns)
                self._feed_back(active, now)
            except Exception as error:
                self.log.debug(traceback.format_exc())
                command = STOP
                active.machine.finish(Outcome.ERROR, one_line(error))
            if active.machine.running:
                self._send(command)
            else:
                self._end(active)

    def _command(self, active: Run, now: int, steady_ns: int) -> Twist2D:
        held = active.guarded.holds
        if active.handle.is_cancel_requested:
            active.machine.finish(Outcome.CANCELED, 'canceled by the client')
        if self._time.jump:
            active.machine.finish(Outcome.CLOCK_JUMPED, self._time.jump)
        if self._conflict:
            active.machine.finish(Outcome.CONFLICT, self._conflict)
        command = active.guarded.update(now, self._pose, self._twist, steady_ns)
        senses = active.machine.senses
        if senses.switches != active.switches:
            active.switches = senses.switches
            self._say_modality(senses)
        if active.guarded.holds and not held:
            self.log.warn(f'standing still: {active.guarded.hold_reason}')
        return command

    def _look_around(self) -> None:
        """
        Watch what control cannot see: time that stands, others that drive, a client that left.

        On the steady clock, so that it goes on whatever time does.
        """
        neighbors, driving = self._neighbors, self._run is not None
        if neighbors is None or not (driving or self._next or self._time.simulated):
            return
        found = neighbors.conflict() if driving else ''
        self._warning = neighbors.warning() if driving else ''
        if self._warning:
            self.log.warn(self._warning, cause='two near_wall')
        with self._lock:
            active, clocks = self._run, self._clocks()
            self._conflict = found
            if self._next is not None and self._next.overdue(clocks.steady_ns):
                self._next = None
            stands = self._stands(clocks)
            if active is None:
                if stands and (self._stop.reason or clocks.steady_ns < self._zeros_until_ns):
                    self._send(STOP)
                return
            if found:
                active.machine.finish(Outcome.CONFLICT, found)
            if self._client_gone(active, neighbors):
                active.machine.finish(Outcome.CLIENT_GONE, 'the client that sent the goal is gone')
            if stands:
                self._send(STOP)
                self.log.warn(f'standing still: {stands}', cause='simulated time stands')
                if active.handle.is_cancel_requested:
                    active.machine.finish(Outcome.CANCELED, 'canceled by the client')
            if not active.machine.running:
                self._end(active)

    def _stands(self, clocks: Clocks) -> str:
        """Return that simulated time stands still; control is not called then, so look here."""
        if self._time.simulated and clocks.ros_ns == self._time.now_ns:
            return self._time.stands(clocks.steady_ns)
        return ''

    def _client_gone(self, active: Run, neighbors: Neighbors) -> bool:
        if not (self._declared.value.stop_without_client and active.clients):
            return False
        return not neighbors.clients() & active.clients

    def _say_modality(self, senses: ModalitySelector) -> None:
        """Tell people and monitors that the robot drives by something else now."""
        name = senses.modality.name.lower()
        if senses.reason:
            self.log.warn(f'driving by {name} from here: {senses.reason}')
        else:
            self.log.info(f'driving by {name} again')
        self._diagnostics.publish()

    def _send(self, twist: Twist2D) -> None:
        if self._velocity is not None:
            self._velocity.send(twist)

    def _feed_back(self, active: Run, now: int) -> None:
        machine = active.machine
        due = (now - active.fed_back_ns) * 1e-9 >= FEEDBACK_PERIOD_S
        if machine.phase == active.phase and not due:
            return
        active.phase, active.fed_back_ns = machine.phase, now
        active.handle.publish_feedback(feedback_of(machine))

    # What arrives

    def _on_near_wall(self, message: NearWall) -> None:
        with self._lock:
            if self._watch is None:
                return  # Cleaned up while the message was on its way.
            clocks = self._clocks()
            if not clocks.ros_ns:
                return  # Simulated time has not come yet: no stamp can be judged.
            reading = self._readings.take(message, self._time, clocks.ros_ns)
            self._watch.life.message(clocks.steady_ns, reading.modality)
            if self._run is not None:
                self._watch.reading(reading)
                self._run.machine.add_reading(reading)

    def _on_alive(self, _message: Empty) -> None:
        with self._lock:
            if self._watch is not None:
                self._watch.life.beat(self._clocks().steady_ns)

    def _on_odom(self, message: Odometry) -> None:
        with self._lock:
            if self._watch is None:
                return
            clocks = self._clocks()
            now = self._time.update(clocks)
            try:
                self._pose, self._twist = self._base.take(message, clocks.ros_ns)
            except QuietNavError as error:
                self._watch.odometry_refused(str(error))
                raise
            self._watch.odometry(now, self._pose, self._twist)
        if self._base.warning:
            self.log.warn(self._base.warning, cause='odometry stamps')

    def _on_contact(self, outcome: Outcome, is_pressed: bool) -> None:
        with self._lock:
            if self._watch is None:
                return
            self._watch.pressed(outcome, is_pressed)
            if is_pressed and self._run is not None:
                self._send(STOP)
                self._run.machine.finish(outcome, f'{outcome.name.lower()} reported by the robot')

    def _on_hazards(self, message: Any) -> None:
        found = {HAZARDS.get(detection.type) for detection in message.detections}
        for outcome in (Outcome.BUMP, Outcome.CLIFF):
            self._on_contact(outcome, outcome in found)

    def _on_stop(self, reason: str) -> None:
        """Stand still at once: the emergency stop was pressed."""
        with self._lock:
            self._send(STOP)
            if self._run is not None:
                self._run.machine.finish(Outcome.EMERGENCY_STOP, reason)

    def _health(self) -> Status:
        with self._lock:
            active = self._run
            machine = None if active is None else active.machine
            age_s = None
            if self._watch is not None:
                used = () if machine is None else machine.senses.used
                age_s = self._watch.sensor_age_s(self._time.now_ns, *used)
            warnings = [self._stop.fault]
            if self._active:
                clocks = self._clocks()
                warnings += [
                    self._stands(clocks),
                    self._readings.fault,
                    self._base.frame_fault or self._base.warning,
                    '' if active is None else active.guarded.hold_reason,
                    '' if active is None else self._warning,
                ]
            found = Condition(
                self._stop.reason, self._last, age_s, tuple(text for text in warnings if text)
            )
        return health_of(machine, found)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(WallFollower, args, threads=4)


if __name__ == '__main__':
    sys.exit(main())
