"""The wall follower: runs the `follow_wall` action, one step machine a goal, and keeps it safe."""

from __future__ import annotations

import importlib
import math
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from quiet_nav.action import FollowWall
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.msg import NearWall
from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.limits import STOP, Twist2D
from quiet_nav.navigation.modality import ModalitySelector
from quiet_nav.navigation.policies import make_policy
from quiet_nav.navigation.step_machine import Outcome, Phase, StepMachine
from quiet_nav.navigation.watch import Watch
from quiet_nav.nodes.conversions import pose_from_msg, reading_from_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Status
from quiet_nav.nodes.parameters import Parameters
from quiet_nav.nodes.runtime import now_ns, run, transition
from quiet_nav.nodes.wall_follower.goals import feedback_of, machine_of_goal, result_of
from quiet_nav.nodes.wall_follower.health import health_of
from quiet_nav.nodes.wall_follower.parameters import WallFollowerParameters
from quiet_nav.perception.rig import CAMERA_RIG, find_rig, load_rig

#: After a run zeros are sent this long, then the topic is left to others.
ZEROS_AFTER_RUN_S = 1.0
FEEDBACK_PERIOD_S = 0.5
#: irobot_create_msgs/HazardDetection types and what they mean to a run.
HAZARDS = {1: Outcome.BUMP, 2: Outcome.CLIFF, 3: Outcome.BUMP, 4: Outcome.CLIFF}


@dataclass
class Run:
    """One goal on its way."""

    handle: object
    guarded: GuardedRun
    fed_back_ns: int = 0
    phase: Phase | None = None
    switches: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def machine(self) -> StepMachine:
        return self.guarded.machine


class WallFollower(LifecycleNode):
    """Drives along a wall; `make_policy` is what builds the policy of a goal."""

    def __init__(self, policies: Callable = make_policy, **options: object) -> None:
        super().__init__('wall_follower', **options)
        self._declared = Parameters(self, WallFollowerParameters)
        self._make_policy = policies
        self._lock = threading.RLock()
        self._control = MutuallyExclusiveCallbackGroup()
        self._run: Run | None = None
        self._next: StepMachine | None = None
        self._last: tuple[Outcome, str] = (Outcome.UNKNOWN, '')
        self._latched = ''
        self._active = self._closed = False
        self._server: ActionServer | None = None
        self._zeros_until_ns = 0
        self._pose, self._twist = Pose2D(), Twist2D()
        self._cmd_vel = self._watch = None
        self._entities: list[tuple[Callable, object]] = []
        self._diagnostics = Diagnostics(self, 'wall follower', self._health)

    # Lifecycle

    @transition
    def on_configure(self, _state: object) -> None:
        p = self._declared.value
        self._rig = find_rig(p.rig)
        self._camera = load_rig(p.camera_rig) if p.camera_rig else CAMERA_RIG
        self._watch = Watch(p.limits(), p.odometry_timeout_s, p.sensor_timeout_s)
        self._stamped = p.enable_stamped_cmd_vel
        kind = TwistStamped if self._stamped else Twist
        # A plain publisher: zero velocity must go out in every state.
        self._cmd_vel = self.create_publisher(kind, 'cmd_vel', 1)
        self._configured = [
            (self.destroy_publisher, self._cmd_vel),
            self._subscription(Bool, 'emergency_stop', self._on_emergency_stop, 10),
        ]
        service = self.create_service(
            SetBool, 'set_emergency_stop', self._on_set_emergency_stop, callback_group=self._control
        )
        self._configured.append((self.destroy_service, service))
        if self._server is None:
            self._server = self._action_server()

    @transition
    def on_activate(self, state: object) -> None:
        p = self._declared.value
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
            self.get_logger().info('no irobot_create_msgs: hazard_detection is not listened to')
        self._entities = [self._subscription(*topic, qos_profile_sensor_data) for topic in topics]
        period_s = 1.0 / p.control_rate_hz
        timer = self.create_timer(period_s, self._tick, callback_group=self._control)
        self._entities.append((self.destroy_timer, timer))
        self._active = True
        super().on_activate(state)

    @transition
    def on_deactivate(self, state: object) -> None:
        self._give_up('the node was deactivated')
        self._active = False
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities = []
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, _state: object) -> None:
        self._release()

    @transition
    def on_shutdown(self, state: object) -> None:
        self._give_up('the node was shut down')
        self._release()

    def before_shutdown(self) -> None:
        """Stop the robot while messages still leave the process (SIGINT, SIGTERM, exception)."""
        self._give_up('the node is being shut down')
        with self._lock:
            self._closed = True
            for _ in range(3):
                self._send(STOP)

    def _action_server(self) -> ActionServer:
        """Return the server of the node's life: rclpy cannot destroy one beside a running wait.

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
        )

    def _subscription(self, kind: type, topic: str, callback: Callable, qos: object) -> tuple:
        """Return what destroys a new subscription, and the subscription."""
        return self.destroy_subscription, self.create_subscription(
            kind, topic, callback, qos, callback_group=self._control
        )

    def _release(self) -> None:
        for destroy, entity in getattr(self, '_configured', []):
            destroy(entity)
        self._configured, self._cmd_vel, self._watch = [], None, None

    def _give_up(self, reason: str) -> None:
        """End the run, stop, and wait a moment for the client's answer."""
        with self._lock:
            active = self._run
            self._send(STOP)
            if active is not None:
                active.machine.finish(Outcome.ERROR, reason)
                self._end(active)
        if active is not None:
            active.answered.wait(0.5)

    # Goals

    def _on_goal(self, goal: FollowWall.Goal) -> GoalResponse:
        try:
            with self._lock:
                self._next = self._accept(goal)
        except QuietNavError as error:
            self.get_logger().warn(f'goal refused: {error}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _accept(self, goal: FollowWall.Goal) -> StepMachine:
        """Return the machine of a goal; QuietNavError where it cannot be followed now."""
        if self._closed:
            raise QuietNavError('the node is being shut down')
        if not self._active:
            raise QuietNavError('the node is not active; activate it first')
        if not now_ns(self):
            raise QuietNavError('no time yet: use_sim_time is set and /clock is silent')
        if self._latched:
            raise QuietNavError(f'{self._latched} holds; release it with set_emergency_stop false')
        if self._run is not None or self._next is not None:
            raise QuietNavError('another goal is being followed; cancel it first')
        p = self._declared.value
        return machine_of_goal(goal, p, self._rig, self._camera, self._make_policy)

    def _on_accepted(self, handle: object) -> None:
        with self._lock:
            guarded = GuardedRun(self._next, self._watch, now_ns(self))
            handle.run = Run(handle, guarded)
            self._run, self._next = handle.run, None
        handle.execute()

    def _execute(self, handle: object) -> FollowWall.Result:
        """Wait for the end of the run and answer; runs beside the control callbacks."""
        active: Run = handle.run
        active.done.wait()
        machine = active.machine
        if machine.outcome == Outcome.LIMIT_REACHED:
            handle.succeed()
        elif machine.outcome == Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        active.answered.set()
        return result_of(machine, (now_ns(self) - active.guarded.accepted_ns) * 1e-9)

    def _end(self, active: Run) -> None:
        """Close a run whose machine has finished: stop, log, let the client know."""
        machine = active.machine
        self._run, self._last = None, (machine.outcome, machine.reason)
        self._zeros_until_ns = now_ns(self) + int(ZEROS_AFTER_RUN_S * 1e9)
        self._send(STOP)
        good = machine.outcome in (Outcome.LIMIT_REACHED, Outcome.CANCELED)
        log = self.get_logger().info if good else self.get_logger().error
        log(
            f'{machine.outcome.name}: {machine.reason}; {machine.steps} steps, '
            f'{machine.distance_m:.2f} m'
        )
        active.done.set()

    # Control

    def _tick(self) -> None:
        with self._lock:
            if self._closed:
                return
            now, active = now_ns(self), self._run
            if active is None:
                if self._latched or now < self._zeros_until_ns:
                    self._send(STOP)
                return
            try:
                command = self._command(active, now)
                self._feed_back(active, now)
            except Exception as error:
                self.get_logger().error(traceback.format_exc())
                command = STOP
                active.machine.finish(Outcome.ERROR, f'{type(error).__name__}: {error}')
            if active.machine.running:
                self._send(command)
            else:
                self._end(active)

    def _command(self, active: Run, now: int) -> Twist2D:
        held = active.guarded.holds
        if active.handle.is_cancel_requested:
            active.machine.finish(Outcome.CANCELED, 'cancelled by the client')
        command = active.guarded.update(now, self._pose, self._twist)
        senses = active.machine.senses
        if senses.switches != active.switches:
            active.switches = senses.switches
            self._say_modality(senses)
        if active.guarded.holds and not held:
            age_s = self._watch.sensor_age_s(now, *senses.used)
            self.get_logger().warn(f'no fresh reading for {age_s:.1f} s: standing still')
        return command

    def _say_modality(self, senses: ModalitySelector) -> None:
        """Tell people and monitors that the robot drives by something else now."""
        name = senses.modality.name.lower()
        if senses.reason:
            self.get_logger().warn(f'driving by {name} from here: {senses.reason}')
        else:
            self.get_logger().info(f'driving by {name} again')
        self._diagnostics.publish()

    def _send(self, twist: Twist2D) -> None:
        if self._cmd_vel is None:
            return
        message = Twist()
        message.linear.x, message.angular.z = twist.linear_mps, twist.angular_rps
        if self._stamped:
            message = TwistStamped(twist=message)
            message.header.stamp = self.get_clock().now().to_msg()
            message.header.frame_id = self._declared.value.base_frame
        self._cmd_vel.publish(message)

    def _feed_back(self, active: Run, now: int) -> None:
        machine = active.machine
        due = (now - active.fed_back_ns) * 1e-9 >= FEEDBACK_PERIOD_S
        if machine.phase == active.phase and not due:
            return
        active.phase, active.fed_back_ns = machine.phase, now
        active.handle.publish_feedback(feedback_of(machine))

    # What arrives

    def _on_near_wall(self, message: NearWall) -> None:
        try:
            reading = reading_from_msg(message)
        except QuietNavError as error:
            self.get_logger().warn(str(error), throttle_duration_sec=5.0)
            return
        with self._lock:
            if self._run is not None:
                self._watch.reading(reading)
                self._run.machine.add_reading(reading)

    def _on_odom(self, message: Odometry) -> None:
        with self._lock:
            if self._watch is None:
                return  # Cleaned up while the message was on its way.
            twist = message.twist.twist
            self._twist = Twist2D(twist.linear.x, twist.angular.z)
            pose = pose_from_msg(message.pose.pose)
            self._watch.odometry(now_ns(self), pose)
            if all(map(math.isfinite, (pose.x, pose.y, pose.yaw))):
                self._pose = pose

    def _on_contact(self, outcome: Outcome, is_pressed: bool) -> None:
        with self._lock:
            if self._watch is None:
                return  # Cleaned up while the message was on its way.
            self._watch.pressed(outcome, is_pressed)
            if is_pressed and self._run is not None:
                self._send(STOP)
                self._run.machine.finish(outcome, f'{outcome.name.lower()} reported by the robot')

    def _on_hazards(self, message: object) -> None:
        found = {HAZARDS.get(detection.type) for detection in message.detections}
        for outcome in (Outcome.BUMP, Outcome.CLIFF):
            self._on_contact(outcome, outcome in found)

    def _on_emergency_stop(self, message: Bool) -> None:
        if message.data:
            self._latch('emergency stop by topic')

    def _on_set_emergency_stop(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        if request.data:
            self._latch('emergency stop by service')
        else:
            self._latched = ''
        response.success = True
        response.message = self._latched or 'released'
        return response

    def _latch(self, reason: str) -> None:
        with self._lock:
            self._latched = self._latched or reason
            self._send(STOP)
            if self._run is not None:
                self._run.machine.finish(Outcome.EMERGENCY_STOP, self._latched)

    def _health(self) -> Status:
        with self._lock:
            machine = None if self._run is None else self._run.machine
            age_s = None
            if self._watch is not None:
                used = () if machine is None else machine.senses.used
                age_s = self._watch.sensor_age_s(now_ns(self), *used)
            return health_of(machine, self._latched, self._last, age_s)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(WallFollower, args, threads=4)


if __name__ == '__main__':
    sys.exit(main())
