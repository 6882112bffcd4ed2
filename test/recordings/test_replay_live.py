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

"""The readings of a replay are those that the live node publishes on the same bag."""

from bag_recording import AUDIO, INFO, ODOM, S
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock

from quiet_nav.msg import NearWall
from quiet_nav.nodes.audio_input import AUDIO_QOS, INFO_QOS
from quiet_nav.nodes.conversions import reading_from_msg, reading_to_msg
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.predictions import near_wall_message
from quiet_nav.recordings.replay import replay, ReplaySettings

pytestmark = pytest.mark.realtime

KINDS = {AUDIO: AudioDataStamped, INFO: AudioInfo, ODOM: Odometry}


def turns(seconds):
    """
    Stands, turns round at 5.2 s within a second, stands again.

    No window ends or begins next to the turn: odom is best effort, and a pose may be lost.
    """
    return 0.0, 0.0, np.pi * np.clip(seconds - 5.2, 0.0, 1.0)


def key(reading):
    return reading.end_ns, int(reading.side), reading.valid, int(reading.context)


def test_replay_equals_the_live_node(recording, tmp_path, ros, node_process, model):
    recording.info().sound(11.0).odometry(turns, 11.0)
    path = recording.write(tmp_path / 'drive')
    found = replay(path, ReplaySettings(model, threads=1))
    wanted = [r for _, d in found.decisions for r in (*d.revised, *d.readings)]
    assert any(d.revised for _, d in found.decisions)

    node = ros.node('player')
    clock = node.create_publisher(Clock, '/clock', 10)
    publishers = {
        AUDIO: node.create_publisher(AudioDataStamped, 'audio/audio_stamped', AUDIO_QOS),
        INFO: node.create_publisher(AudioInfo, 'audio/audio_info', INFO_QOS),
        ODOM: node.create_publisher(Odometry, 'odom', 10),
    }
    said: list[NearWallReading] = []
    node.create_subscription(NearWall, 'near_wall', lambda m: said.append(reading_from_msg(m)), 100)
    live = node_process(
        'near_wall',
        {'model': model, 'rig': 'pair', 'threads': 1, 'use_sim_time': True},
    )
    assert ros.spin_until(
        lambda: (
            all(p.get_subscription_count() for p in (*publishers.values(), clock))
            and node.count_publishers('near_wall')
        ),
        60.0,
    ), live.log

    def due(time_ns):
        """Return readings that the node owes once it has heard so much."""
        done = [d for _, d in found.decisions if d.end_ns + S // 4 <= time_ns]
        return sum(len(d.revised) + len(d.readings) for d in done)

    def matched():
        ends = {r.end_ns for r in wanted}
        return [r for r in said if r.end_ns in ends]

    for time_ns, topic, message in recording.ordered():
        clock.publish(Clock(clock=ns_to_stamp(time_ns)))
        data = bytes(recording.cdr(topic, message))
        publishers[topic].publish(deserialize_message(data, KINDS[topic]))
        if topic == AUDIO:
            # No faster than it decides: a node that falls behind drops what is old.
            ros.spin_until(lambda t=time_ns: len(matched()) >= due(t), 5.0)
        ros.spin_for(0.002)
    ros.spin_until(lambda: len(matched()) >= len(wanted) - 2, 5.0)

    got = {key(r): r for r in matched()}
    # The last windows wait for odometry of their end; a replay knows that none will come.
    missing = [r for r in wanted if key(r) not in got]
    assert all(r.end_ns > recording.start_ns + 10.4 * S for r in missing), live.log
    assert sum(r.valid for r in wanted) - len(missing) >= 25
    for reading in wanted:
        other = got.get(key(reading))
        if other is None:
            continue
        assert other.start_ns == reading.start_ns and other.reason == reading.reason
        if reading.valid:
            assert other.probability == pytest.approx(reading.probability, abs=1e-6)
            assert other.spread == pytest.approx(reading.spread, abs=1e-6)
            assert other.distance_probabilities == pytest.approx(
                reading.distance_probabilities, abs=1e-6
            )


@pytest.mark.parametrize('valid', [True, False])
def test_a_reading_in_a_bag_is_the_message_of_ros(recording, tmp_path, model, valid):
    path = recording.info().sound(3.2).write(tmp_path / 'drive')
    found = replay(path, ReplaySettings(model, threads=1))
    reading = next(r for _, d in found.decisions for r in d.readings if r.valid == valid)
    store = bag_typestore()
    ours = bytes(
        store.serialize_cdr(
            near_wall_message(store, reading, 'base_link'), 'quiet_nav/msg/NearWall'
        )
    )
    back = reading_from_msg(deserialize_message(ours, NearWall))
    assert serialize_message(deserialize_message(ours, NearWall)) == serialize_message(
        reading_to_msg(reading, 'base_link')
    )
    assert back.end_ns == reading.end_ns
