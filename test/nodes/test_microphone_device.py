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

pytestmark = pytest.mark.realtime

RATE = 16_000
SOUND_S = 30
#: A machine that stands still for longer loses sound, whatever records it.
STALL_S = 0.1


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

    def keep(self, path):
        """Hand a sound to the server, which plays it itself: no player that could be late."""
        assert self.run('pactl', 'upload-sample', str(path), 'sound').returncode == 0

    def play(self):
        assert self.run('pactl', 'play-sample', 'sound', 'virtual').returncode == 0


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
    ros, node_process, virtual_microphone, parameters, stalls, tmp_path
):
    rng = np.random.default_rng(0)
    noise = rng.integers(-3000, 3000, (RATE * SOUND_S, 2)).astype(np.int16)
    soundfile.write(tmp_path / 'noise.wav', noise, RATE)
    virtual_microphone.keep(tmp_path / 'noise.wav')
    audio = AudioInput(ros.node(), buffer_s=40.0)
    node_process('microphone', parameters)
    assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid, 20)
    began = time.monotonic()
    fault = _captured(ros, virtual_microphone, audio, noise)
    if fault and (stalled_s := stalls.worst_s(since=began)) > STALL_S:
        # Sound is lost where nobody is let run to take it: only a machine that ran proves a fault.
        pytest.skip(f'the machine stood still for {stalled_s:.2f} s: {fault}')
    assert not fault


def _captured(ros, virtual_microphone, audio, noise):
    """Play, record 20 s of it and say what is wrong with them, '' for nothing."""
    virtual_microphone.play()
    breaks, begin_ns, began = audio.stream.break_count, audio.stream.end_ns, time.monotonic()
    if not ros.spin_until(lambda: audio.stream.end_ns > begin_ns + 20 * 10**9, 40):
        return 'no 20 s of sound came within 40 s'
    if abs((took_s := time.monotonic() - began) - 20) > 2:
        return f'20 s of sound took {took_s:.1f} s'
    if audio.stream.break_count != breaks:
        return f'{audio.stream.break_count - breaks} breaks'
    if not -0.1 < audio.age_s < 2.0:
        return f'the sound is {audio.age_s:.1f} s old'
    for channel in (0, 1):
        # The sound begins a little after it was asked for; then every sample is there, in order.
        window = audio.stream.ending_at(begin_ns + 19 * 10**9, channel, samples=16 * RATE)
        if not window.valid:
            return f'channel {channel}: {window.reason}'
        heard = np.rint(window.samples * 32768).astype(np.int64)
        played = noise[:, channel].astype(np.int64)
        (starts,) = np.nonzero(played[: -len(heard)] == heard[0])
        found = [s for s in starts if np.array_equal(played[s : s + 32], heard[:32])]
        if len(found) != 1:
            return f'channel {channel} is not what was played'
        same = played[found[0] : found[0] + len(heard)] == heard
        if not same.all():
            return f'channel {channel} differs from what was played after {same.argmin()} samples'
    return ''


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
