"""Odometry that cannot tell whether the robot stood says so, with its numbers."""

import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.odometry import OdometryFaultKind, OdometryTrack, rate_fault

S = 1_000_000_000


def track(hz, seconds=5.0, begin_s=1000.0):
    found = OdometryTrack()
    for i in range(round(hz * seconds)):
        found.add(round((begin_s + i / hz) * S), Pose2D(0.0, 0.0, 0.0))
    return found


def test_odometry_that_is_there_has_no_fault():
    assert track(20).fault(1005 * S) is None
    assert OdometryTrack().fault(1005 * S) is None
    # Sound may come late, by a while.
    assert track(20).fault(1001 * S) is None


@pytest.mark.parametrize(
    ('hz', 'end_s', 'kind', 'text'),
    [
        (2, 1005, OdometryFaultKind.SLOW, '2.0 Hz, at least 4 Hz needed'),
        (3, 1005, OdometryFaultKind.SLOW, '3.0 Hz'),
        (20, 1905, OdometryFaultKind.BEHIND, '900.0 s behind the sound'),
        (20, 1005.45, OdometryFaultKind.BEHIND, '0.5 s behind the sound'),
        (20, 105, OdometryFaultKind.AHEAD, '900.0 s ahead of the sound'),
    ],
)
def test_odometry_that_cannot_tell_says_why(hz, end_s, kind, text):
    fault = track(hz).fault(round(end_s * S))
    assert fault.kind is kind and text in fault.text


def test_a_pause_now_and_then_is_no_slow_odometry():
    times = [i * S // 20 for i in range(20)] + [3 * S + i * S // 20 for i in range(20)]
    assert rate_fault(times) == '' and rate_fault([]) == rate_fault([5]) == ''
