"""Messages to and from readings and poses, without loss."""

from dataclasses import replace
import math

import pytest

pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')

from builtin_interfaces.msg import Time

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.nodes.conversions import (
    pose_from_msg,
    pose_to_msg,
    reading_from_msg,
    reading_to_msg,
    transform_to_msg,
)
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.readings import Context, Modality, NearWallReading
from quiet_nav.perception.rig import find_rig

READING = NearWallReading(
    Side.RIGHT,
    0.1 + 1e-12,
    start_ns=1_700_000_000_000_000_001,
    end_ns=1_700_000_003_000_000_001,
    spread=0.03,
    clips=20,
    context=Context.REFERENCE | Context.OTHER_EARS,
    distance_probabilities=(1.0 / STANDARD_BINS.count,) * STANDARD_BINS.count,
    modality=Modality.FUSION,
)


def test_reading_survives_the_message_bit_for_bit():
    assert reading_from_msg(reading_to_msg(READING, 'mic')) == READING


def test_a_reading_in_other_bins_keeps_them_and_their_prior():
    bins = DistanceBins((*STANDARD_BINS.edges_m, 2.0), (0.04,) * 12 + (0.52,))
    reading = replace(READING, distance_probabilities=(1.0 / 13,) * 13, bins=bins)
    assert reading_from_msg(reading_to_msg(reading, 'mic')) == reading


def test_header_is_the_end_of_the_window_in_the_microphones_frame():
    message = reading_to_msg(READING, 'left_mic')
    assert message.header.frame_id == 'left_mic'
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_700_000_003, 1)
    assert (message.window_start.sec, message.window_start.nanosec) == (1_700_000_000, 1)


def test_a_message_says_the_rig_and_rigs_that_differ_say_so():
    pair, trio = find_rig('pair'), find_rig('trio')
    assert reading_to_msg(READING, 'mic', pair.identity).rig == pair.identity
    assert pair.identity.startswith('pair#') and pair.identity == find_rig('pair').identity
    moved = replace(pair, ears=(replace(pair.ears[0], x=0.01), *pair.ears[1:]))
    assert len({pair.identity, trio.identity, moved.identity}) == 3


def test_invalid_reading_keeps_its_reason_and_has_no_number():
    message = reading_to_msg(NearWallReading.invalid(Side.LEFT, 1, 2, 'audio is stale'), 'mic')
    assert math.isnan(message.probability)
    back = reading_from_msg(message)
    assert not back.valid
    assert back.reason == 'audio is stale'


@pytest.mark.parametrize('side', list(Side))
def test_message_constants_are_the_enums_numbers(side):
    assert getattr(NearWall, f'SIDE_{side.name}') == side
    assert all(getattr(NearWall, f'MODALITY_{m.name}') == m for m in Modality)
    assert all(
        getattr(NearWall, f'CONTEXT_{name}') == getattr(Context, name)
        for name in ('ALONE', 'REFERENCE', 'OTHER_EARS')
    )


@pytest.mark.parametrize(
    'change, said',
    [
        ({'side': 9}, '9'),
        ({'modality': 7}, '7'),
        ({'probability': math.nan}, 'valid'),
        ({'probability': 1.5}, '1.5'),
        ({'distance_edges': [1.0], 'distance_prior': []}, '12 distance probabilities; expected 2'),
        ({'distance_edges': [0.5, 0.4]}, 'ascend from above 0'),
        ({'distance_prior': [0.5, 0.5]}, 'expected 12 shares'),
        ({'context': 255}, 'context 255'),
        ({'spread': math.nan}, 'spread nan'),
        ({'window_start': Time()}, 'window_start lies'),
        ({'window_start': Time(sec=1_800_000_000)}, 'window_start lies'),
        ({'window_start': Time(sec=-1)}, 'window_start: stamp'),
        ({'distance_probabilities': [0.1]}, '1 distance'),
        ({'distance_probabilities': [math.nan] * STANDARD_BINS.count}, 'nan'),
        ({'distance_probabilities': [-1.0] + [0.1] * (STANDARD_BINS.count - 1)}, '-1'),
        ({'distance_probabilities': [0.5] * STANDARD_BINS.count}, 'sum to 6'),
    ],
)
def test_messages_that_make_no_sense_are_refused(change, said):
    message = reading_to_msg(READING, 'mic')
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(QuietNavError, match=said):
        reading_from_msg(message)


@pytest.mark.parametrize('yaw', [-3.0, -math.pi / 2, 0.0, 0.3, math.pi])
def test_plane_pose_survives_the_message(yaw):
    back = pose_from_msg(pose_to_msg(Pose2D(1.5, -2.0, yaw), z=0.2))
    assert (back.x, back.y) == (1.5, -2.0)
    assert back.yaw == pytest.approx(yaw)


def test_transform_places_the_child_in_the_parent():
    message = transform_to_msg(Pose2D(1.0, 2.0, math.pi / 2), 1_500_000_000, 'odom', 'base_link')
    assert (message.header.frame_id, message.child_frame_id) == ('odom', 'base_link')
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)
    assert message.transform.translation.y == 2.0
    assert message.transform.rotation.z == pytest.approx(math.sqrt(0.5))
