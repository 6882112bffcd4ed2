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


"""The rows of the campaign by section: every cell of components and kinds, and what else breaks."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
import importlib.util
import math
import signal
from typing import Any

from audio_common_msgs.msg import AudioDataStamped
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from fault_campaign.bench import BASE, Bench, EARS, EYES, Fault, ROBOT, Setup
from fault_campaign.verdict import ends_its_step, GOES_ON, goes_on, Promise, refused, stops
from quiet_nav.action import FollowWall
from quiet_nav.msg import NearWall
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.resources import shared_file
from quiet_nav.simulation.robot.failures import KINDS

LOST, WRONG, TIMED = 'ODOMETRY_LOST', 'MOTION_MISMATCH', 'PHASE_TIMEOUT'
UNHEARD = 'NO_READING', 'SENSOR_LOST'
#: What stands in the way of driving at once: the limits of all that names no others.
AT_ONCE = 0.5, 0.08
#: Motion that is not what was commanded.
SOON = 1.0, 0.12
#: Sound or images that stop: the newest window is 2 s old then.
SILENT = stops(2.5, 0.4, 'stands', *UNHEARD)
#: A drive that ends late because control or commands come late by half a second.
LATE_M = 0.73


def cells() -> Iterator[tuple[str, Setup, Promise]]:
    """Yield failures by component and kind, the setup that they matter in, and the promise."""
    found = {
        'odom': {
            'off': stops(*AT_ONCE, LOST),
            'stuck': stops(*SOON, WRONG),
            'garbage': stops(*AT_ONCE, LOST),
            'wrong': stops(*SOON, WRONG, LOST),
            # Every 0.2 s: at the edge of odometry_timeout_s.
            'slow': replace(goes_on(), ends=(GOES_ON, LOST)),
            'delayed': stops(*SOON, LOST, WRONG),
            'intermittent': stops(*SOON, LOST),
            'repeated': stops(*SOON, WRONG),
            'old': goes_on('stamped 10'),
            'misframed': stops(*AT_ONCE, LOST, says='frame map'),
        },
        'twist': {
            'off': goes_on(),
            'stuck': ends_its_step(TIMED),
            'garbage': stops(*AT_ONCE, LOST),
            'wrong': goes_on(),
            'slow': goes_on(),
            'delayed': goes_on(),
            'intermittent': goes_on(),
        },
        'tf': dict.fromkeys(KINDS['tf'], goes_on()),
        'clock': {
            'off': stops(*AT_ONCE, 'stands', says='stood still'),
            'stuck': stops(*AT_ONCE, 'stands', says='stood still'),
            'garbage': stops(*AT_ONCE, 'CLOCK_JUMPED'),
            'wrong': stops(*AT_ONCE, 'CLOCK_JUMPED', says='went back'),
            'slow': goes_on(),
            'delayed': stops(*AT_ONCE, again=True, says='stood still'),
            'intermittent': stops(*AT_ONCE, LOST, 'stands', again=True),
        },
        'audio': {
            'off': SILENT,
            'repeated': SILENT,
            'old': SILENT,
            'delayed': ends_its_step(*UNHEARD),
            'stuck': ends_its_step(*UNHEARD),
            'garbage': ends_its_step(*UNHEARD),
            'wrong': ends_its_step(*UNHEARD),
            'slow': ends_its_step(*UNHEARD),
            'intermittent': ends_its_step(*UNHEARD),
        },
        'audio_info': {
            'off': goes_on(),
            'garbage': ends_its_step(*UNHEARD),
            'wrong': ends_its_step(*UNHEARD),
        },
        'camera': {
            'off': SILENT,
            'repeated': SILENT,
            'old': SILENT,
            'delayed': ends_its_step(*UNHEARD, 'stands'),
            'stuck': ends_its_step(*UNHEARD),
            'garbage': ends_its_step(*UNHEARD),
            'wrong': goes_on(),
            'slow': goes_on(),
            'intermittent': goes_on(),
            'misframed': goes_on(),
        },
        'depth': dict.fromkeys(KINDS['depth'], goes_on()),
        'bump': {
            'off': goes_on(),
            'stuck': goes_on(),
            'wrong': stops(*AT_ONCE, 'BUMP'),
            'delayed': goes_on(),
            'intermittent': goes_on(),
        },
        'cmd_vel': {
            'off': stops(1.0, 0.13, WRONG),
            # A base that does not listen cannot be stopped: it can be told.
            'stuck': Promise(again=True, ends=(TIMED,), drive_m=math.inf),
            'garbage': stops(*SOON, WRONG),
            'wrong': stops(*SOON, WRONG),
            'slow': goes_on(drive_m=LATE_M),
            # What was sent before comes after it was found, too.
            'delayed': stops(2.0, 0.2, WRONG, again=True),
            'intermittent': goes_on(drive_m=LATE_M),
        },
    }
    ear = {
        'off': goes_on('standing', watched_s=12.0),
        'stuck': goes_on('standing', watched_s=12.0),
        'garbage': goes_on('clipped', watched_s=12.0),
        'wrong': goes_on(),
        'intermittent': goes_on('standing', watched_s=12.0),
    }
    setups = {'audio': EARS, 'audio_info': EARS, 'camera': EYES, 'depth': EYES}
    for component, promises in found.items():
        for kind, promise in promises.items():
            yield f'{component}:{kind}', setups.get(component, BASE), promise
    for channel in (0, 1):
        for kind, promise in ear.items():
            yield f'ear{channel}:{kind}', EARS, promise
    for share, promise in (
        ('0', stops(*SOON, WRONG, LOST)),
        ('0.2', stops(2.0, 0.25, WRONG)),
        # The budget of a step: its length and a quarter, and 0.1 m.
        ('0.5', replace(stops(7.0, 0.87, WRONG, TIMED), drive_m=0.87)),
    ):
        yield f'odom:wrong={share}', BASE, promise
    yield 'odom:slow=10', BASE, stops(*SOON, LOST)
    yield 'clock:wrong=3600', BASE, stops(*AT_ONCE, 'CLOCK_JUMPED', says='jumped ahead')
    yield 'tf:garbage', EYES, goes_on()


def _cell(text: str, setup: Setup, promise: Promise) -> Fault:
    eyes = ', driving by sight' if setup is EYES and text.startswith('tf') else ''
    # It has the follower warn of stamps, once a minute: `odom:old`, which is next, is to be heard.
    anew = ('wall_follower',) if text == 'odom:repeated' else ()
    return Fault(f'`{text}`{eyes}', lambda bench: bench.fail(text), promise, setup, anew=anew)


def _signaled(name: str, number: int) -> Callable[[Bench], None]:
    return lambda bench: bench.send_signal(name, number)


def _asked(name: str, number: int) -> Callable[[Bench], None]:
    return lambda bench: bench.change_state(name, number)


def _processes() -> Iterator[Fault]:
    dead = stops(*AT_ONCE, says='no sign of life')
    kill, hang = signal.SIGKILL, signal.SIGSTOP
    yield Fault(
        'near_wall is killed', _signaled('near_wall', kill), dead, EARS, anew=('near_wall',)
    )
    yield Fault(
        'near_wall hangs (SIGSTOP)',
        _signaled('near_wall', hang),
        replace(dead, seconds=0.7, meters=0.11),
        EARS,
        anew=('near_wall',),
    )
    yield Fault(
        'near_wall is deactivated',
        _asked('near_wall', Transition.TRANSITION_DEACTIVATE),
        dead,
        EARS,
        anew=('near_wall',),
    )
    # Nobody is left to stop: the base does when commands stay away.
    yield Fault(
        'wall_follower is killed',
        _signaled('wall_follower', kill),
        stops(1.0, 0.13),
        anew=('wall_follower',),
    )
    yield Fault(
        'wall_follower hangs (SIGSTOP)',
        _signaled('wall_follower', hang),
        stops(1.0, 0.13),
        anew=('wall_follower',),
    )
    for name, number in (('SIGINT', signal.SIGINT), ('SIGTERM', signal.SIGTERM)):
        yield Fault(
            f'wall_follower is ended ({name})',
            _signaled('wall_follower', number),
            stops(*AT_ONCE),
            anew=('wall_follower',),
        )
    yield Fault(
        'wall_follower is deactivated',
        _asked('wall_follower', Transition.TRANSITION_DEACTIVATE),
        stops(*AT_ONCE, 'ERROR', says='deactivated'),
        anew=('wall_follower',),
    )
    yield Fault(
        'wall_follower is asked for a transition that is not allowed',
        _asked('wall_follower', Transition.TRANSITION_CONFIGURE),
        goes_on('refused'),
    )
    yield Fault('the disk is full', Bench.fill_disk, goes_on(), anew=tuple(BASE.nodes))
    yield Fault(
        'the disk is full, then the emergency stop',
        lambda bench: (bench.fill_disk(), press(bench)),
        stops(*AT_ONCE, 'EMERGENCY_STOP', says='would not outlive'),
        then=unlatch,
        anew=tuple(BASE.nodes),
    )
    yield Fault('the network is lost', _lose_network, stops(1.0, 0.13), anew=('near_wall',))


def _lose_network(bench: Bench) -> None:
    bench.send_signal('near_wall', signal.SIGSTOP)
    bench.fail('odom:off', 'tf:off', 'clock:off', 'audio:off', 'bump:off', 'cmd_vel:off')


def _somebody_else() -> Iterator[Fault]:
    def publishes(kind: type, topic: str) -> Callable[[Bench], None]:
        def act(bench: Bench) -> None:
            node = bench.other()
            bench.mark()
            node.create_publisher(kind, topic, 10)

        return act

    conflict = stops(*AT_ONCE, 'CONFLICT', says='somebody_else')
    yield Fault('another publisher of cmd_vel', publishes(TwistStamped, 'cmd_vel'), conflict)
    yield Fault('another publisher of odom', publishes(Odometry, 'odom'), conflict)
    yield Fault('a second /clock', publishes(Clock, '/clock'), conflict)
    yield Fault('a second /clock with another time', _other_clock, stops(
        *AT_ONCE, 'CONFLICT', 'CLOCK_JUMPED'
    ))  # fmt: skip
    yield Fault('a second near_wall', publishes(NearWall, 'near_wall'), goes_on('2 publishers'))
    for words, name in (('the same name', 'wall_follower'), ('another name', 'second_follower')):
        yield Fault(
            f'a second follower of {words}',
            _configure_second,
            stops(*AT_ONCE, 'CONFLICT', says=f'published by /{name}'),
            before=lambda bench, name=name: _start_second(bench, name),
            anew=('second', 'wall_follower'),
        )
    yield Fault(
        'a goal while another publishes cmd_vel',
        publishes(TwistStamped, 'cmd_vel'),
        refused('cmd_vel is published by /somebody_else'),
    )
    yield Fault(
        'the robot expects Twist, TwistStamped is sent',
        lambda bench: None,
        refused('set enable_stamped_cmd_vel'),
        Setup.of(simulated_robot=('enable_stamped_cmd_vel:=false',)),
    )
    yield Fault(
        'near_wall has another rig than the follower',
        lambda bench: bench.spin(lambda: any('rig' in text for text in bench.said), 15.0),
        refused('rig'),
        Setup.of('algorithm1', simulated_robot=('rig:=trio',), near_wall=('rig:=trio',)),
    )


def _other_clock(bench: Bench) -> None:
    node = bench.other()
    publisher = node.create_publisher(Clock, '/clock', 1)
    now_ns = round(bench.truth[0] * 1e9) - 500 * 10**9
    node.create_timer(0.05, lambda: publisher.publish(Clock(clock=ns_to_stamp(now_ns))))


def _start_second(bench: Bench, name: str) -> None:
    bench.start(
        'wall_follower',
        (*BASE.nodes['wall_follower'], 'autostart:=false'),
        'second',
        '-r',
        f'__node:={name}',
        '-r',
        f'/{name}/change_state:=/second/change_state',
    )
    client = bench.node.create_client(ChangeState, 'second/change_state')
    bench.undo.append(lambda: bench.node.destroy_client(client))
    bench.spin(client.service_is_ready, 30.0)


def _configure_second(bench: Bench) -> None:
    """Let it be configured; the fault is when its publisher is seen."""
    bench.change_state('second', Transition.TRANSITION_CONFIGURE)
    count = bench.node.get_publishers_info_by_topic
    bench.spin(lambda: len(count('cmd_vel')) > 1, 10.0)
    bench.mark()


def _clocks() -> Iterator[Fault]:
    for seconds, words in ((-20.0, 'back 20 s'), (-3600.0, 'back 1 h'), (3600.0, 'forward 1 h')):
        way = words.split()[0]
        yield Fault(
            f'the system clock is set {words}',
            lambda bench, seconds=seconds: bench.set_clock(seconds),
            stops(*AT_ONCE, 'CLOCK_JUMPED', says=f'the clock was set {way} by {abs(seconds):g}'),
            ROBOT,
            then=lambda bench, seconds=seconds: bench.set_clock(-seconds),
        )


def _says(change: Callable[[NearWall], object]) -> Callable[[Bench], None]:
    """Return what sends every reading once more, changed."""

    def act(bench: Bench) -> None:
        node = bench.other()
        publisher = node.create_publisher(NearWall, 'near_wall', 10)

        def again(message: NearWall) -> None:
            change(message)
            if message.header.frame_id != 'spoiled':
                message.header.frame_id = 'spoiled'
                publisher.publish(message)

        node.create_subscription(
            NearWall, 'near_wall', lambda m: m.header.frame_id == 'spoiled' or again(m), 10
        )

    return act


def _earlier(seconds: float) -> Callable[[NearWall], None]:
    def change(message: NearWall) -> None:
        for stamp in (message.header.stamp, message.window_start):
            stamp.sec -= math.floor(seconds)
            stamp.nanosec = max(0, stamp.nanosec - round((seconds % 1.0) * 1e9))

    return change


def _distances(change: Callable[[list[float]], list[float]]) -> Callable[[NearWall], None]:
    def spoil(message: NearWall) -> None:
        message.distance_probabilities = change(list(message.distance_probabilities))

    return spoil


def _set(name: str, value: Any) -> Callable[[NearWall], None]:
    return lambda message: setattr(message, name, value)


def _readings() -> Iterator[Fault]:
    for what, change, says in (
        ('an hour old', _earlier(3600.0), 'stamp is'),
        ('2 s ahead of the clock', _earlier(-2.0), 'ahead of the clock'),
        ('of context 255', _set('context', 255), 'context 255'),
        ('of side 9', _set('side', 9), '9 is not a valid Side'),
        ('of probability 1.5', _set('probability', 1.5), 'probability 1.5'),
        ('of probability NaN', _set('probability', math.nan), 'probability nan'),
        ('with distance probabilities NaN', _distances(lambda p: [math.nan, *p[1:]]), 'hold nan'),
        ('with distance probabilities -1', _distances(lambda p: [-1.0, *p[1:]]), 'hold -1.0'),
        ('with too few distance probabilities', _distances(lambda p: p[1:]), 'expected'),
    ):
        # A cause is said once a minute: the next row is to have a follower that has said nothing.
        yield Fault(
            f'readings {what}', _says(change), goes_on(says, watched_s=3.5),
            anew=('wall_follower',),
        )  # fmt: skip
    yield Fault('a second microphone', _second_microphone, replace(
        ends_its_step(), again=True, most_lines=4, watched_s=12.0
    ), EARS)  # fmt: skip
    if importlib.util.find_spec('onnx') is not None:
        yield Fault(
            'a model that says P of 1.5',
            lambda bench: None,
            refused('probability'),
            Setup.of('algorithm1', near_wall=('model:={folder}/above_one.onnx',)),
        )


def _second_microphone(bench: Bench) -> None:
    """Publish noise beside the robot's own microphones, as a second driver does."""
    node = bench.other('second_microphone')
    publisher = node.create_publisher(AudioDataStamped, 'audio/audio_stamped', 10)
    noise = np.random.default_rng(0).integers(-1000, 1000, 3200, np.int16).tobytes()

    def publish() -> None:
        message = AudioDataStamped()
        message.header.stamp = ns_to_stamp(round(bench.truth[0] * 1e9))
        message.audio.data = array('B', noise)
        publisher.publish(message)

    node.create_timer(0.1, publish)


def make_models(bench: Bench) -> None:
    """Write the model whose probabilities are greater than 1, where ONNX is there."""
    if importlib.util.find_spec('onnx') is None:
        return
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(shared_file('models/near_wall.onnx')))
    (made,) = [n for n in model.graph.node if 'probability' in n.output]
    made.output[list(made.output).index('probability')] = 'probability_of_before'
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1.5), 'too_much'))
    model.graph.node.append(
        helper.make_node('Max', ['probability_of_before', 'too_much'], ['probability'])
    )
    onnx.save(model, str(bench.folder / 'above_one.onnx'))


def press(bench: Bench) -> None:
    """Press the emergency stop as a best-effort publisher does."""
    qos = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    button = bench.node.create_publisher(Bool, 'emergency_stop', qos)
    bench.undo.append(lambda: bench.node.destroy_publisher(button))
    bench.spin(button.get_subscription_count, 5.0)
    bench.mark()
    button.publish(Bool(data=True))


def unlatch(bench: Bench) -> None:
    """Release the emergency stop by its service."""
    bench.call(bench.release, SetBool.Request(data=False))


def _restart_latched(bench: Bench) -> None:
    """Press, kill the follower, begin again."""
    press(bench)
    bench.spin(timeout_s=1.0)
    bench.send_signal('wall_follower', signal.SIGKILL)
    bench.end('wall_follower')
    bench.begin(BASE)
    bench.mark()


def _people() -> Iterator[Fault]:
    yield Fault(
        'emergency stop, best effort', press, stops(*AT_ONCE, 'EMERGENCY_STOP'), then=unlatch
    )
    yield Fault(
        'emergency stop, then the follower is killed and started',
        _restart_latched,
        refused('emergency stop'),
        then=unlatch,
    )
    leaves = Setup.of(wall_follower=('stop_without_client:=true',))
    again = ('wall_follower',)
    yield Fault(
        "the goal's client is gone", _client_leaves, goes_on(), sends=_by_another, anew=again
    )
    yield Fault(
        "the goal's client is gone, `stop_without_client`",
        _client_leaves,
        stops(*AT_ONCE, 'CLIENT_GONE'),
        leaves,
        sends=_by_another,
        anew=again,
    )
    # What is killed cannot say so: DDS finds out when its lease of 20 s is over.
    yield Fault(
        "the goal's client is killed, `stop_without_client`",
        _signaled('follow_wall', signal.SIGKILL),
        Promise(25.0, 4.0, again=True, ends=('CLIENT_GONE',), watched_s=30.0),
        leaves,
        sends=lambda bench: (bench.leave(), bench.start('follow_wall', _GOAL)),
        anew=again,
    )


_GOAL = 'algorithm:=straight', 'use_sim_time:=true'


def _by_another(bench: Bench) -> None:
    """Send the goal by a client that can leave."""
    bench.leave()
    bench.client = ActionClient(bench.other('client'), FollowWall, 'follow_wall')
    bench.spin(bench.client.server_is_ready, 20.0)
    bench.send(bench.client)


def _client_leaves(bench: Bench) -> None:
    bench.client.destroy()


SECTIONS: dict[str, tuple[Fault, ...]] = {
    'Components by kind': tuple(_cell(*cell) for cell in cells()),
    'Processes, disk and network': tuple(_processes()),
    'Somebody else': tuple(_somebody_else()),
    'The system clock': tuple(_clocks()),
    'Readings and sound': tuple(_readings()),
    'People and clients': tuple(_people()),
}
