"""Rolling readings: at a steady rate, still or moving, turned or not, live as in replay."""

import math

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.readings import Context
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.rolling import (
    no_readings,
    RollingListener,
    RollingSettings,
    twins_fault,
)
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.windows import Window

S = 1_000_000_000
RATE = 16_000


@pytest.fixture(scope='module')
def detector(context_model) -> NearWallDetector:
    return NearWallDetector.load(context_model, threads=1)


def sound(seconds: float, channels: int, seed: int = 0) -> np.ndarray:
    return 0.02 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))


def play(listener, frames, pose_at=None, chunk_s=0.1, start_ns=0, odometry_late_s=0.0):
    """Feed sound and odometry as they come in time and return every decision."""
    stream = AudioStream(PcmFormat('F32LE', frames.shape[1], RATE))
    step, decisions, posed = round(chunk_s * RATE), [], 0
    for i in range(0, len(frames), step):
        stream.push(frames[i : i + step], start_ns + i * S // RATE)
        heard_s = (i + step) / RATE
        while pose_at is not None and posed / 20 <= heard_s - odometry_late_s:
            listener.add_odometry(start_ns + posed * S // 20, pose_at(posed / 20))
            posed += 1
        decisions += listener.due(stream)
    return decisions + listener.due(stream, ended=True)


def test_decisions_fall_on_multiples_of_the_period_with_a_reading_an_ear(detector):
    listener = RollingListener(detector.session(), find_rig('trio'))
    decisions = play(listener, sound(5.0, 3), start_ns=100 * S + 123_456_789)
    assert all(abs((d.end_ns + S // 4) % (S // 2) - S // 4) < 70_000 for d in decisions)
    assert len(decisions) == 10
    valid = [d for d in decisions if all(r.valid for r in d.readings)]
    assert len(valid) == 4
    assert all('of sound heard yet' in r.reason for r in decisions[0].readings)
    for decision in valid:
        assert [r.side for r in decision.readings] == [Side.LEFT, Side.RIGHT, Side.FRONT]
        assert decision.still is None and decision.revised == ()


@pytest.mark.parametrize('rate_hz, count', [(1.0, 3), (4.0, 9)])
def test_rate_is_what_was_asked_for(detector, rate_hz, count):
    settings = RollingSettings(rate_hz=rate_hz)
    listener = RollingListener(detector.session(), find_rig('pair'), settings)
    valid = [d for d in play(listener, sound(5.0, 2)) if d.readings[0].valid]
    assert len(valid) == count


def test_chunks_of_any_size_give_the_same_answers(detector):
    def run(chunk_s):
        listener = RollingListener(detector.session(), find_rig('pair'))
        return play(listener, sound(6.0, 2), lambda t: Pose2D(0.2 * max(0.0, t - 4.0)), chunk_s)

    assert run(0.02) == run(0.37) == run(1.0)


def test_moving_robot_publishes_but_learns_nothing(detector):
    def places(pose_at):
        session = detector.session()
        decisions = play(RollingListener(session, find_rig('pair')), sound(6.0, 2), pose_at)
        session.reference.leave()
        assert decisions[-1].readings[0].valid
        return session.reference.places, {d.still for d in decisions[6:]}

    assert places(None) == (1.0, {None})
    assert places(lambda t: Pose2D()) == (1.0, {True})
    assert places(lambda t: Pose2D(0.1 * t)) == (0.0, {False})
    assert places(lambda t: Pose2D(yaw=0.4 * t)) == (0.0, {False})


def test_odometry_that_comes_a_little_late_is_waited_for(detector):
    late = RollingListener(detector.session(), find_rig('pair'))
    prompt = RollingListener(detector.session(), find_rig('pair'))
    frames, pose = sound(6.0, 2), lambda t: Pose2D(0.2 * max(0.0, t - 4.2))
    assert play(late, frames, pose, 0.02, odometry_late_s=0.1) == play(prompt, frames, pose, 0.02)


def test_odometry_that_ends_stops_neither_readings_nor_safety(detector):
    session = detector.session()
    listener = RollingListener(session, find_rig('pair'))
    listener.add_odometry(0, Pose2D())
    decisions = play(listener, sound(5.0, 2))
    assert len(decisions) == 10 and decisions[-1].readings[0].valid
    assert decisions[-1].still is False
    session.reference.leave()
    assert session.reference.places == 0.0


def turning(t: float) -> Pose2D:
    """Left until 4 s, turning for 2 s, right from 6 s on, as the paper's robot listens."""
    return Pose2D(yaw=math.pi / 2 - math.pi * min(max((t - 4.0) / 2.0, 0.0), 1.0))


def test_turned_ear_is_the_other_ears_context_and_the_first_side_is_revised(detector):
    listener = RollingListener(detector.session(), find_rig('single'))
    decisions = play(listener, sound(11.0, 1), turning)
    at = {round(d.end_ns / S, 1): d for d in decisions}
    assert at[4.0].readings[0].context == Context.ALONE and at[4.0].still
    assert not at[6.0].still and at[6.0].readings[0].context == Context.ALONE
    first = at[9.0]
    assert first.still and first.readings[0].context & Context.OTHER_EARS
    assert [r.side for r in (*first.revised, *first.readings)] == [Side.FRONT, Side.FRONT]
    assert first.revised[0].end_ns == at[4.0].end_ns
    assert first.revised[0].context & Context.OTHER_EARS
    assert first.revised[0].probability != at[4.0].readings[0].probability
    assert [d.end_ns for d in decisions if d.revised] == [first.end_ns]
    assert at[10.0].readings[0].context & Context.OTHER_EARS


def test_without_odometry_or_revision_a_turning_ear_runs_on_what_it_has(detector):
    blind = play(RollingListener(detector.session(), find_rig('single')), sound(11.0, 1))
    assert not any(r.context & Context.OTHER_EARS for d in blind for r in d.readings)
    settings = RollingSettings(revise=False)
    once = RollingListener(detector.session(), find_rig('single'), settings)
    decisions = play(once, sound(11.0, 1), turning)
    assert not any(d.revised for d in decisions)
    assert decisions[-1].readings[0].context & Context.OTHER_EARS


def test_place_is_left_by_driving_between_the_sides(detector):
    def drive(t):
        return Pose2D(0.15 * min(max(t - 4.0, 0.0), 1.0), 0.0, turning(t).yaw)

    listener = RollingListener(detector.session(), find_rig('single'))
    decisions = play(listener, sound(11.0, 1), drive)
    assert not any(r.context & Context.OTHER_EARS for d in decisions for r in d.readings)


def test_standing_at_two_headings_teaches_each_window_once(detector):
    session = detector.session()
    play(RollingListener(session, find_rig('single')), sound(20.0, 1), turning)
    session.reference.leave()
    # Noise alike at both headings is one place, however often its windows were context.
    assert session.reference.places == 1.0


def test_stale_sound_gives_no_number_in_a_live_node(detector):
    listener = RollingListener(detector.session(), find_rig('pair'))
    stream = AudioStream(PcmFormat('F32LE', 2, RATE))
    stream.push(sound(4.0, 2), 0)
    decisions = listener.due(stream, now_ns=9 * S)
    assert not any(r.valid for d in decisions for r in d.readings)
    assert decisions[-1].readings[0].reason.startswith('stale')
    assert math.isnan(decisions[-1].readings[0].probability)


def test_rig_with_more_ears_than_channels_reads_nothing_and_says_why(detector):
    listener = RollingListener(detector.session(), find_rig('trio'))
    decisions = play(listener, sound(4.0, 2))
    assert {r.reason for d in decisions for r in d.readings} == {
        'rig trio needs 3 channels, the audio has 2: does the rig fit the microphone?'
    }
    assert not any(r.valid for d in decisions for r in d.readings)


def test_clock_set_back_is_survived(detector):
    listener = RollingListener(detector.session(), find_rig('pair'))
    stream, decisions = AudioStream(PcmFormat('F32LE', 2, RATE)), []
    for start in (1000, 10):
        for i in range(50):
            at = start * S + i * S // 10
            listener.add_odometry(at, Pose2D())
            stream.push(sound(0.1, 2, i), at)
            decisions += listener.due(stream)
    last = decisions[-1]
    assert last.end_ns == pytest.approx(15 * S, abs=S // 2)
    assert last.still and all(r.valid for r in last.readings)


def test_silence_has_a_reading_an_ear_without_a_number():
    readings = no_readings(find_rig('pair'), 1, 2, 'no audio received yet')
    assert [r.side for r in readings] == [Side.LEFT, Side.RIGHT]
    assert not any(r.valid for r in readings) and readings[0].reason == 'no audio received yet'


@pytest.mark.parametrize('rate_hz', [0.0, -1.0, math.nan, 1000.0])
def test_impossible_rates_are_refused(rate_hz):
    with pytest.raises(QuietNavError, match='decisions a second'):
        RollingSettings(rate_hz=rate_hz)


def test_two_channels_that_are_equal_to_the_bit_are_not_two_ears():
    rng = np.random.default_rng(0)
    samples = 0.02 * rng.standard_normal(48_000).astype(np.float32)
    one, twin = (Window(samples.copy(), 0, 3 * 10**9, channel, True) for channel in (0, 1))
    assert 'channels 0 and 1 are equal' in twins_fault((one, twin))
    other = Window(rng.standard_normal(48_000).astype(np.float32), 0, 3 * 10**9, 1, True)
    assert twins_fault((one, other)) == ''
    silent = [Window(np.zeros(48_000, np.float32), 0, 3 * 10**9, c, True) for c in (0, 1)]
    assert twins_fault(tuple(silent)) == ''
