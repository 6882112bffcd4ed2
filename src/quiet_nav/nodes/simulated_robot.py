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

"""A TurtleBot in a floor plan, with the topics of the real one: drives, hears, sees, bumps."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
import math
import sys
import time
from typing import TypeVar

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data, QoSDurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.camera_messages import (
    camera_info_to_msg,
    image_to_msg,
    optical_rotation,
)
from quiet_nav.nodes.conversions import pose_to_msg, transform_to_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import NS_PER_S, ns_to_stamp, run
from quiet_nav.perception.rig import find_rig, Rig
from quiet_nav.simulation.robot.drive import RobotSettings, RobotState
from quiet_nav.simulation.robot.failures import (
    EXPECTED,
    FailingLine,
    Failure,
    Failures,
    FalseWay,
    Motion,
    spoiled_bump,
    spoiled_ears,
    spoiled_image,
    spoiled_info,
    spoiled_sound,
    spoiled_time,
    spoiled_twist,
    Stamped,
)
from quiet_nav.simulation.robot.world import SimulatedWorld, TICK_NS
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera import D415_COLOR_LEFT_M
from quiet_nav.simulation.sight.camera_faults import CAMERA_FAULTS, CameraFault
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_sound import own_sound_of
from quiet_nav.simulation.sound.scenes import Scene, scene_in_plan
from quiet_nav.simulation.sound.waves.solved_room import hearing_in_plan
from quiet_nav.sound.pcm import encode_pcm
from quiet_nav.sound.windows import SAMPLE_RATE

T = TypeVar('T')

ODOMETRY_TICKS = 2
#: Most ticks in one go, so that commands are heard between them.
MOST_TICKS = 10
#: A machine that falls this far behind stops trying to catch up; time then runs slower. Short:
#: while it catches up, time runs ahead of every other node that the same machine held back.
MOST_LAG_S = 0.2
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
COLOR_FRAME, DEPTH_FRAME = 'camera_color_optical_frame', 'camera_depth_optical_frame'
#: What images name that are misframed: tf does not know it.
NO_FRAME = 'camera_of_another_robot'


@dataclass(frozen=True)
class SimulatedRobotParameters:
    """Parameters of the node."""

    room: str = parameter('classroom', 'room that ships, or a floor plan (.yaml)', read_only=True)
    track: str = parameter('', 'track in the room; empty for its first', read_only=True)
    start: int = parameter(
        4, "which of the track's start poses, from 0; used by reset too", minimum=0, maximum=99
    )
    pose: tuple[float, ...] = parameter(
        (), 'x, y, yaw in the room (m, rad) to start at instead of a start pose'
    )
    rig: str = parameter('pair', 'microphones: a rig by name, or a YAML file', read_only=True)
    seed: int = parameter(
        0, 'of sources, looks, slip and drift', minimum=0, maximum=2**31 - 1, read_only=True
    )
    sounds: str = parameter('', 'folder of recordings to use as sources', read_only=True)
    own_sound: str = parameter(
        'none',
        'what the robot itself emits: none, dB over the ambience at its ears, or a robot profile '
        '(turtlebot4 ...); its motors are then heard from where they are',
        read_only=True,
    )
    silent_room: bool = parameter(
        False, 'no ambience: own_sound is all that there is to hear', read_only=True
    )
    waves: bool = parameter(
        False,
        'what is heard below 700 Hz is solved by waves, furniture and all: once, for minutes, then '
        'from a cache (QUIET_NAV_CACHE)',
        read_only=True,
    )
    perfect: bool = parameter(False, 'no slip and no drift', read_only=True)
    enable_stamped_cmd_vel: bool = parameter(
        True, 'cmd_vel is TwistStamped; false for Twist', read_only=True
    )
    time_factor: float = parameter(
        1.0, 'speed of time; what the machine cannot do runs slower', minimum=0.1, maximum=50.0
    )
    clock_rate_hz: float = parameter(
        50.0,
        '/clock messages a simulated second; fewer cost nodes less, and time goes in larger steps',
        minimum=5.0,
        maximum=50.0,
        read_only=True,
    )
    camera_rate_hz: float = parameter(6.0, 'images a second', minimum=0.1, maximum=30.0)
    light: float = parameter(1.0, "share of the room's light that is on", minimum=0.0, maximum=1.0)
    audio: bool = parameter(True, 'false stops audio, as a microphone that fails')
    camera: bool = parameter(True, 'false stops images, as a camera that fails')
    camera_fault: str = parameter(
        'none',
        'what befalls the camera: dark (lights off), covered, killed, back (killed for a while)',
        choices=CAMERA_FAULTS,
    )
    camera_fault_s: float = parameter(
        30.0, 'when, from the start of the simulation (s)', minimum=0.0, maximum=86400.0
    )
    camera_away_s: float = parameter(
        60.0, 'how long a camera that comes back is away (s)', minimum=0.0, maximum=86400.0
    )
    odometry: bool = parameter(True, 'false stops odom and its tf, as a base that fails')
    failures: tuple[str, ...] = parameter(
        (),
        f'what fails: {EXPECTED}; SECONDS from the start of the simulation, at once without; '
        'the first of a component that holds counts; an empty list ends them all',
    )

    def fault(self) -> CameraFault:
        back = self.camera_fault == 'back'
        back_s = self.camera_fault_s + self.camera_away_s if back else math.inf
        return CameraFault(self.camera_fault, self.camera_fault_s, back_s)

    def __post_init__(self) -> None:
        if self.silent_room and self.own_sound == 'none':
            raise QuietNavError(
                'parameter silent_room: nothing is left to hear by; set own_sound, too'
            )
        if len(self.pose) not in (0, 3):
            raise QuietNavError(f'parameter pose: {len(self.pose)} numbers; expected x, y, yaw')
        channels = find_rig(self.rig).channels
        for failure in self.wrong():
            if failure.base == 'ear' and failure.channel >= channels:
                raise QuietNavError(
                    f'parameter failures: {failure.component}; rig {self.rig} has {channels} '
                    'channels, from ear0'
                )

    def wrong(self) -> list[Failure]:
        return [Failure.parse(text) for text in self.failures if text]


class SimulatedRobot(PlainNode):
    """Publishes what a robot's drivers publish, in time that the node itself makes."""

    def __init__(self) -> None:
        super().__init__('simulated_robot')
        self._settings = Parameters(self, SimulatedRobotParameters, self._retime)
        p = self._settings.value
        self._plan = load_plan(p.room)
        self._start = self._start_pose()
        scene = scene_in_plan(self._plan, p.seed, sounds=p.sounds)
        scene = replace(
            scene.silent() if p.silent_room else scene, own=own_sound_of(p.own_sound, p.seed)
        )
        rig = find_rig(p.rig)
        self._world = SimulatedWorld(
            self._plan,
            scene,
            rig,
            self._start,
            p.seed,
            settings=RobotSettings.perfect() if p.perfect else RobotSettings(),
            hearing=self._solved(scene, rig) if p.waves else None,
        )
        # Stamps begin at the system's time: at factor 1 they suit nodes without use_sim_time too.
        self._epoch_ns = time.time_ns()
        self._ticks = 0
        self._clock_ticks = max(round(NS_PER_S / TICK_NS / p.clock_rate_hz), 1)
        self._bump: bool | None = None
        self._said_info: tuple[int, int] | None = None
        self._next_image_ns = 0
        self._failures = Failures(p.wrong())
        self._make_lines(p.seed)
        self._make_interfaces()
        self._publish_static_frames()
        self._publish_audio_info()
        self._diagnostics = Diagnostics(self, 'simulation', self._status)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._begin_timing()
        self._timer = self.create_timer(TICK_NS / NS_PER_S, self._advance, clock=self._steady)
        self._retime(p)
        # Set at the start, they hold from the simulation's first moment.
        self._failures = Failures(p.wrong())

    def _solved(self, scene: Scene, rig: Rig) -> Hearing:
        """Return ears in the room as waves have it; the first time takes minutes."""
        heights = tuple(ear.z for ear in rig.ears)
        return hearing_in_plan(self._plan, scene, heights, tell=self.log.info)

    def _make_interfaces(self) -> None:
        stamped = self._settings.value.enable_stamped_cmd_vel
        kind = TwistStamped if stamped else Twist
        handle = self.intake.checked('cmd_vel', lambda m: self._on_twist(m.twist if stamped else m))
        self.create_subscription(kind, 'cmd_vel', handle, qos_profile_sensor_data)
        self.create_service(Trigger, 'reset', self._on_reset)
        self._clock_pub = self.create_publisher(ClockMessage, '/clock', 1)
        self._odom_pub = self.create_publisher(Odometry, 'odom', 10)
        self._truth_pub = self.create_publisher(Odometry, 'ground_truth', 10)
        self._tf_pub = self.create_publisher(TFMessage, '/tf', 100)
        self._static_tf_pub = self.create_publisher(TFMessage, '/tf_static', LATCHED)
        self._bump_pub = self.create_publisher(Bool, 'bump', LATCHED)
        self._audio_pub = self.create_publisher(AudioDataStamped, 'audio/audio_stamped', 10)
        self._info_pub = self.create_publisher(AudioInfo, 'audio/audio_info', LATCHED)
        prefix = 'camera/camera'
        self._color_pub = self.create_publisher(Image, f'{prefix}/color/image_raw', 2)
        self._color_info_pub = self.create_publisher(CameraInfo, f'{prefix}/color/camera_info', 2)
        self._depth_pub = self.create_publisher(Image, f'{prefix}/depth/image_rect_raw', 2)
        self._depth_info_pub = self.create_publisher(CameraInfo, f'{prefix}/depth/camera_info', 2)

    def _make_lines(self, seed: int) -> None:
        """Make the ways of all values on which they may fail."""
        self._noise = noise = np.random.default_rng([seed, 1])
        way, frame = FalseWay(), FalseWay()
        self._odometry_line = FailingLine[Motion](
            'odom', lambda motion, failure: replace(motion, pose=way(motion.pose, failure))
        )
        self._twist_line = FailingLine[Twist2D]('twist', spoiled_twist)
        self._tf_line = FailingLine[Pose2D]('tf', frame)
        self._clock_line = FailingLine[int]('clock', spoiled_time(noise))
        self._audio_line = FailingLine[np.ndarray]('audio', spoiled_sound(noise))
        self._color_line = FailingLine[np.ndarray]('camera', spoiled_image(noise))
        self._depth_line = FailingLine[np.ndarray]('depth', spoiled_image(noise))
        self._bump_line = FailingLine[bool]('bump', spoiled_bump)
        self._command_line = FailingLine[Twist2D]('cmd_vel', spoiled_twist)

    # Time

    @property
    def _time_s(self) -> float:
        return self._world.time_ns / NS_PER_S

    @property
    def now_ns(self) -> int:
        """Return the simulation's time as a stamp, integer nanoseconds."""
        return self._epoch_ns + self._world.time_ns

    def _begin_timing(self) -> None:
        self._began_wall_ns = self._steady.now().nanoseconds
        self._began_ns = self._world.time_ns

    def _retime(self, parameters: SimulatedRobotParameters) -> None:
        if not hasattr(self, '_timer'):
            return
        self._failures = Failures(parameters.wrong(), self._time_s)
        for text in parameters.failures:
            self.log.warn(f'fails by request: {text}')
        self._begin_timing()
        period_ns = TICK_NS / parameters.time_factor
        self._timer.timer_period_ns = int(min(max(period_ns, 2_000_000), TICK_NS))

    def _advance(self) -> None:
        wall_ns = self._steady.now().nanoseconds - self._began_wall_ns
        factor = self._settings.value.time_factor
        late_ns = wall_ns * factor - (self._world.time_ns - self._began_ns)
        for _ in range(min(int(late_ns // TICK_NS), MOST_TICKS)):
            self._tick()
        if late_ns > MOST_LAG_S * NS_PER_S * max(factor, 1.0):
            self._begin_timing()

    def _tick(self) -> None:
        state = self._world.tick()
        self._ticks += 1
        if self._ticks % self._clock_ticks == 0:
            for item in self._through(self._clock_line, self.now_ns):
                self._clock_pub.publish(ClockMessage(clock=ns_to_stamp(item.value)))
        self._command(None)
        if self._ticks % ODOMETRY_TICKS == 0:
            self._publish_motion(state)
        for bump in self._through(self._bump_line, state.bump):
            if bump.value != self._bump:
                self._bump = bump.value
                self._bump_pub.publish(Bool(data=bump.value))
        self._publish_audio_info()
        if self._world.chunk_due:
            self._publish_audio()
        if self.now_ns >= self._next_image_ns:
            self._publish_images()

    # Commands

    def _on_twist(self, twist: Twist) -> None:
        self._command(Twist2D(twist.linear.x, twist.angular.z))

    def _command(self, command: Twist2D | None) -> None:
        """Let the robot do what comes through of a command; None: of those before."""
        for item in self._through(self._command_line, command):
            self._world.robot.command(item.value.linear_mps, item.value.angular_rps)

    def _through(self, line: FailingLine[T], value: T | None) -> list[Stamped[T]]:
        return line.through(self._failures, self._time_s, self.now_ns, value)

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            pose = self._start_pose()
            self._world.robot.place(pose)
        except QuietNavError as error:
            response.message = str(error)
            return response
        self._start = pose.compose(self._world.robot.state.odometry.inverse())
        self._publish_static_frames()
        response.success = True
        response.message = f'at {pose.x:.2f}, {pose.y:.2f}, {math.degrees(pose.yaw):.0f} degrees'
        return response

    def _start_pose(self) -> Pose2D:
        p = self._settings.value
        if p.pose:
            return Pose2D(*p.pose)
        starts = self._plan.track(p.track or None).starts()
        if p.start >= len(starts):
            raise QuietNavError(
                f'parameter start: {p.start}; the track has start poses 0 to {len(starts) - 1}'
            )
        return starts[p.start].pose

    # What drivers publish

    def _publish_motion(self, state: RobotState) -> None:
        now_ns = self.now_ns
        self._truth_pub.publish(_odometry(state.pose, state, now_ns, 'map'))
        if not self._settings.value.odometry:
            return
        # A twist that does not come is one that odometry does not know: zero.
        twists = self._through(self._twist_line, Twist2D(state.linear_mps, state.angular_rps))
        twist = twists[-1].value if twists else Twist2D(0.0, 0.0)
        for item in self._through(self._odometry_line, Motion(state.odometry, twist)):
            frame_id = self._failures.frame('odom', self._time_s, 'odom', 'map')
            self._odom_pub.publish(_odometry_of(item.value, item.stamp_ns, frame_id))
        for frame in self._through(self._tf_line, state.odometry):
            transform = transform_to_msg(frame.value, frame.stamp_ns, 'odom', 'base_link')
            self._tf_pub.publish(TFMessage(transforms=[transform]))

    def _publish_audio(self) -> None:
        if not (self._settings.value.audio and self._audio_pub.get_subscription_count()):
            self._world.pass_over()
            return
        chunk, ears = self._world.listen(), self._failures.ears(self._time_s)
        samples = spoiled_ears(chunk.samples, ears, self._time_s, self._noise)
        start_ns = self._epoch_ns + chunk.start_ns
        for item in self._audio_line.through(self._failures, self._time_s, start_ns, samples):
            message = AudioDataStamped()
            message.header.stamp = ns_to_stamp(item.stamp_ns)
            message.audio.data = array('B', encode_pcm(item.value.T, 'S16LE'))
            self._audio_pub.publish(message)

    def _publish_audio_info(self) -> None:
        """Say what the sound is, at the start and whenever a failure says something else."""
        info, failure = (
            (self._world.rig.channels, SAMPLE_RATE),
            self._failures.now('audio_info', self._time_s),
        )
        if failure is not None:
            if failure.kind == 'off':
                return
            info = spoiled_info(info, failure)
        if info == self._said_info:
            return
        self._said_info = info
        channels, rate = info
        self._info_pub.publish(
            AudioInfo(
                channels=channels,
                sample_rate=rate,
                sample_format='S16LE',
                bitrate=channels * rate * 16 // 1000,
                coding_format='wave',
            )
        )

    def _publish_images(self) -> None:
        p = self._settings.value
        period_ns = int(NS_PER_S / p.camera_rate_hz)
        # Counted from when the last was due, so that ticks do not round the rate down.
        self._next_image_ns = max(self._next_image_ns, self.now_ns - period_ns) + period_ns
        wrong = p.fault().now(self._world.time_ns / NS_PER_S)
        if not p.camera or wrong == 'killed':
            return
        stamp = ns_to_stamp(self.now_ns)
        if self._color_pub.get_subscription_count():
            image = self._world.color_image(p.light, wrong)
            for item in self._through(self._color_line, image):
                frame = self._failures.frame('camera', self._time_s, COLOR_FRAME, NO_FRAME)
                message = image_to_msg(item.value, 'rgb8', ns_to_stamp(item.stamp_ns), frame)
                self._color_pub.publish(message)
        if self._depth_pub.get_subscription_count():
            for item in self._through(self._depth_line, self._world.depth_image()):
                frame = self._failures.frame('depth', self._time_s, DEPTH_FRAME, NO_FRAME)
                message = image_to_msg(item.value, '16UC1', ns_to_stamp(item.stamp_ns), frame)
                self._depth_pub.publish(message)
        if self._color_info_pub.get_subscription_count():
            camera = self._world.camera.color_intrinsics
            self._color_info_pub.publish(camera_info_to_msg(camera, stamp, COLOR_FRAME))
        if self._depth_info_pub.get_subscription_count():
            camera = self._world.camera.depth_intrinsics
            self._depth_info_pub.publish(camera_info_to_msg(camera, stamp, DEPTH_FRAME))

    def _publish_static_frames(self) -> None:
        """Where odom is in the room, and where ears and camera are on the robot."""
        now_ns = self.now_ns
        frames = [transform_to_msg(self._start, now_ns, 'map', 'odom')]
        for ear in self._world.rig.ears:
            pose = Pose2D(ear.x, ear.y, ear.side.yaw_rad)
            frame = transform_to_msg(pose, now_ns, 'base_link', f'microphone_{ear.channel}')
            frame.transform.translation.z = ear.z
            frames.append(frame)
        mount = self._world.mount
        for name, left in ((COLOR_FRAME, D415_COLOR_LEFT_M), (DEPTH_FRAME, 0.0)):
            pose = Pose2D(mount.x, mount.y, mount.yaw).compose(Pose2D(0.0, left, 0.0))
            frame = transform_to_msg(pose, now_ns, 'base_link', name)
            frame.transform.translation.z = mount.z
            frame.transform.rotation = optical_rotation(mount.yaw)
            frames.append(frame)
        self._static_tf_pub.publish(TFMessage(transforms=frames))

    def _status(self) -> Status:
        wall_ns = max(self._steady.now().nanoseconds - self._began_wall_ns, 1)
        wanted = self._settings.value.time_factor
        factor = (self._world.time_ns - self._began_ns) / wall_ns
        state = self._world.robot.state
        slow = wall_ns > NS_PER_S and factor < 0.9 * wanted
        values = {
            'room': self._plan.name,
            'time factor': factor,
            'x': state.pose.x,
            'y': state.pose.y,
            'bump': state.bump,
        }
        if slow:
            return Status(Level.WARN, f'time runs at {factor:.2f} instead of {wanted:g}', values)
        return Status(Level.OK, 'running', values)


def _odometry(pose: Pose2D, state: RobotState, now_ns: int, frame: str) -> Odometry:
    twist = Twist2D(state.linear_mps, state.angular_rps)
    return _odometry_of(Motion(pose, twist), now_ns, frame)


def _odometry_of(motion: Motion, now_ns: int, frame: str) -> Odometry:
    message = Odometry(child_frame_id='base_link')
    message.header.stamp = ns_to_stamp(now_ns)
    message.header.frame_id = frame
    message.pose.pose = pose_to_msg(motion.pose)
    message.twist.twist.linear.x = motion.twist.linear_mps
    message.twist.twist.angular.z = motion.twist.angular_rps
    return message


def main(args: list[str] | None = None) -> int:
    """Run the node."""
    return run(SimulatedRobot, args)


if __name__ == '__main__':
    sys.exit(main(sys.argv))
