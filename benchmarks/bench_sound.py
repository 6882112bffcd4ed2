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

"""
Sound: samples per second into the ring buffer beside librosa.resample; the microphone's CPU.

Run as `python benchmarks/bench_sound.py [--seconds 60] [--no-ros]` after `. ./env.sh`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import os
from pathlib import Path
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import librosa
import numpy as np
import soundfile

from quiet_nav.sound.logmel import log_mel
from quiet_nav.sound.pcm import encode_pcm, PcmFormat
from quiet_nav.sound.stream import AudioStream

RATE, CHANNELS, CHUNK_S, REPEATS = 48_000, 2, 0.02, 5


def ours(chunks: list[bytes]) -> AudioStream:
    """Decode, resample and keep the sound chunk by chunk, as a node does."""
    stream = AudioStream(PcmFormat('S16LE', CHANNELS, RATE))
    for number, chunk in enumerate(chunks):
        stream.push_bytes(chunk, round(number * CHUNK_S * 1e9))
    return stream


def plain(data: bytes) -> np.ndarray:
    """Decode and resample the whole recording at once with librosa's default."""
    samples = np.frombuffer(data, '<i2').reshape(-1, CHANNELS).T.astype(np.float32) / 32768
    return librosa.resample(samples, orig_sr=RATE, target_sr=16_000)


def plain_chunks(chunks: list[bytes]) -> None:
    """Do the same chunk by chunk, as plain librosa would have to in real time (with seams)."""
    for chunk in chunks:
        plain(chunk)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the median time of several runs after a first one."""
    work()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def bench_stream(duration_s: float) -> None:
    rng = np.random.default_rng(0)
    sound = (0.05 * rng.standard_normal((round(duration_s * RATE), CHANNELS))).astype(np.float32)
    data = encode_pcm(sound, 'S16LE')
    size = round(CHUNK_S * RATE) * 2 * CHANNELS
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    print(f'{duration_s:.0f} s of {RATE} Hz stereo S16LE, chunks of {1000 * CHUNK_S:.0f} ms')
    rows = {
        'ours: decode + resample + timed ring, in chunks': lambda: ours(chunks),
        'librosa.resample, all at once': lambda: plain(data),
        'librosa.resample, in chunks': lambda: plain_chunks(chunks),
    }
    for name, work in rows.items():
        took_s = seconds_of(work)
        rate = sound.size / took_s / 1e6
        print(f'  {name:50s} {rate:7.1f} M samples/s  {duration_s / took_s:7.0f} x real time')
    window = ours(chunks).latest()
    expected = plain(data)[0]
    shift = round(window.start_ns * 16_000 / 1e9)
    error = np.abs(window.samples - expected[shift : shift + len(window.samples)]).max()
    print(f'  largest difference of the samples: {error:.1e}')


def bench_log_mel() -> None:
    window = np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    mel = {'n_fft': 512, 'hop_length': 160, 'win_length': 400, 'n_mels': 64, 'htk': True}
    rows = {
        'ours: log_mel': lambda: log_mel(window),
        'librosa melspectrogram + log': lambda: np.log(
            librosa.feature.melspectrogram(y=window, sr=16_000, norm=None, **mel) + 1e-10
        ),
    }
    print('log-mel of one 3 s window')
    for name, work in rows.items():
        print(f'  {name:50s} {1000 * seconds_of(work):7.2f} ms')


def cpu_seconds(pid: int) -> float:
    """Return user and system time that a process has used so far."""
    fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def bench_microphone(duration_s: float = 10.0) -> None:
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    import rclpy

    from quiet_nav.nodes.audio_input import AudioInput

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'noise.wav')
        noise = 0.02 * np.random.default_rng(0).standard_normal((16_000 * 10, 2))
        soundfile.write(path, noise, 16_000)
        command = [sys.executable, '-m', 'quiet_nav.nodes.microphone', '--ros-args']
        process = subprocess.Popen([*command, '-p', f'file:={path}', '-p', 'loop:=true'])
        rclpy.init()
        node = rclpy.create_node('bench')
        audio = AudioInput(node)
        try:
            while audio.stream is None or not audio.stream.latest().valid:
                rclpy.spin_once(node, timeout_sec=0.1)
            begin, used, own = time.monotonic(), cpu_seconds(process.pid), time.process_time()
            while time.monotonic() - begin < duration_s:
                rclpy.spin_once(node, timeout_sec=0.1)
            took_s = time.monotonic() - begin
            share = (cpu_seconds(process.pid) - used) / took_s
            own_share = (time.process_time() - own) / took_s
            print('16 kHz stereo over DDS, 50 messages a second, share of one core')
            print(f'  {"microphone node":50s} {100 * share:7.1f} %')
            print(f'  {"its subscriber (AudioInput in rclpy)":50s} {100 * own_share:7.1f} %')
            print(f'  breaks seen: {audio.stream.break_count}')
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(10)
            node.destroy_node()
            rclpy.try_shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=60.0, help='length of the recording')
    parser.add_argument('--no-ros', action='store_true', help='leave the microphone node out')
    options = parser.parse_args()
    bench_stream(options.seconds)
    bench_log_mel()
    if not options.no_ros:
        bench_microphone()


if __name__ == '__main__':
    main()
