"""The microphone node on a virtual device: 20 s without a gap, unplugged and plugged in again."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')
pytest.importorskip('sounddevice', reason='PortAudio is absent: apt install libportaudio2',
                    exc_type=OSError)  # fmt: skip
if not all(map(shutil.which, ('pulseaudio', 'pactl', 'paplay'))):
    pytest.skip('no virtual microphone: apt install pulseaudio', allow_module_level=True)

from diagnostic_msgs.msg import DiagnosticArray

from quiet_nav.nodes.audio_input import AudioInput

RATE = 16_000


class VirtualMicrophone:
    """A sound server of its own with a null sink, whose monitor is what the node records."""

    def __init__(self, folder):
        self._folder = folder
        self._socket = folder / 'socket'
        self._script = folder / 'script.pa'
        self._script.write_text(
            f'load-module module-native-protocol-unix socket={self._socket} auth-anonymous=1\n'
            f'load-module module-null-sink sink_name=virtual rate={RATE} channels=2 format=s16le\n'
        )
        self.environment = {
            'PULSE_SERVER': f'unix:{self._socket}',
            'PULSE_SOURCE': 'virtual.monitor',
            'PULSE_RUNTIME_PATH': str(folder),
            'PULSE_STATE_PATH': str(folder),
            'XDG_CONFIG_HOME': str(folder),
            'HOME': str(folder),
        }
        self._server = None

    def start(self):
        options = '-n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes'
        self._server = subprocess.Popen(
            ['pulseaudio', *options.split(), '-F', str(self._script)],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(100):
            found = self.run('pactl', 'list', 'short', 'sources')
            if b'virtual.monitor' in found.stdout:
                return
            time.sleep(0.1)
        pytest.skip('the sound server does not start here')

    def stop(self):
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def run(self, *command):
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, timeout=60
        )

    def play(self, path):
        return subprocess.Popen(
            ['paplay', '-d', 'virtual', str(path)], env=os.environ | self.environment
        )


@pytest.fixture
def virtual_microphone(tmp_path, monkeypatch):
    microphone = VirtualMicrophone(tmp_path)
    microphone.start()
    for name, value in microphone.environment.items():
        monkeypatch.setenv(name, value)
    listed = microphone.run(
        sys.executable, '-c', 'import sounddevice as s; print(s.query_devices())'
    )
    if b'pulse' not in listed.stdout:
        microphone.stop()
        pytest.skip('PortAudio has no pulse device: apt install libasound2-plugins')
    yield microphone
    microphone.stop()


@pytest.fixture
def parameters():
    return {'device': 'pulse', 'channels': 2, 'sample_rate': RATE}


def test_twenty_seconds_are_captured_in_real_time_without_a_gap(
    ros, node_process, virtual_microphone, parameters, tmp_path
):
    rng = np.random.default_rng(0)
    noise = rng.integers(-3000, 3000, (RATE * 40, 2)).astype(np.int16)
    soundfile.write(tmp_path / 'noise.wav', noise, RATE)
    player = virtual_microphone.play(tmp_path / 'noise.wav')
    audio = AudioInput(ros.node(), buffer_s=40.0)
    node_process('microphone', parameters)
    try:
        assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid, 20)
        breaks, begin_ns = audio.stream.break_count, audio.stream.end_ns
        began = time.monotonic()
        held = ros.spin_until(lambda: audio.stream.end_ns > begin_ns + 20 * 10**9, 40)
        assert held and time.monotonic() - began == pytest.approx(20, abs=2)
        assert audio.stream.break_count == breaks
    finally:
        player.kill()
        player.wait()
    assert -0.1 < audio.age_s < 2.0
    # What was played came through sample for sample: the capture is found in it, in one piece.
    for channel in (0, 1):
        stream = audio.stream
        heard = [stream.ending_at(begin_ns + k * 3 * 10**9, channel).samples for k in (1, 2, 3, 4)]
        heard = np.rint(np.concatenate(heard) * 32768).astype(np.int64)
        played = noise[:, channel].astype(np.int64)
        key = heard[:32]
        (starts,) = np.nonzero(played[: -len(heard)] == key[0])
        match = [s for s in starts if np.array_equal(played[s : s + 32], key)]
        assert len(match) == 1
        assert np.array_equal(played[match[0] : match[0] + len(heard)], heard)


def test_unplugged_device_is_an_error_and_comes_back_by_itself(
    ros, node_process, virtual_microphone, parameters
):
    node, statuses, breaks = ros.node(), [], []
    node.create_subscription(
        DiagnosticArray, '/diagnostics', lambda m: statuses.extend(m.status), 10
    )
    audio = AudioInput(node, on_break=breaks.append)
    process = node_process('microphone', parameters)
    assert ros.spin_until(lambda: audio.stream and audio.stream.has_sound, 20), process.log
    virtual_microphone.stop()
    assert ros.spin_until(lambda: any(s.level == b'\2' for s in statuses), 15)
    error = next(s for s in statuses if s.level == b'\2')
    assert 'unplugged' in error.message or 'no input device' in error.message
    breaks.clear()
    virtual_microphone.start()
    assert ros.spin_until(lambda: breaks, 40), process.log
    assert ros.spin_until(lambda: audio.stream.latest().valid, 20)
    assert process.stop(signal.SIGINT) == 0
