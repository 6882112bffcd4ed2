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

"""`quiet_nav listen` on files: lines, bars, wrong input; the same answers as a robot's."""

import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.commands.listen import _played
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.rolling import RollingListener
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.stream import AudioStream

RATE = 16_000


@pytest.fixture
def write(tmp_path):
    def write(seconds=5.0, channels=2, rate=RATE, name='sound.wav', scale=0.02):
        rng = np.random.default_rng(1)
        frames = scale * rng.standard_normal((round(seconds * rate), channels))
        soundfile.write(tmp_path / name, frames, rate, 'PCM_16' if name.endswith('wav') else None)
        return tmp_path / name

    return write


def listen(*arguments):
    """Return exit code and output; a QuietNavError is raised as the command raises it."""
    result = CliRunner().invoke(build_app(), ['listen', *map(str, arguments)])
    if isinstance(result.exception, QuietNavError):
        raise result.exception
    return result.exit_code, result.output


def lines(*arguments):
    code, output = listen('--json', *arguments)
    assert code == 0
    return [json.loads(line) for line in output.splitlines()]


def test_lines_come_every_half_second_with_a_side_each(context_model, write):
    found = lines(write(), '--model', context_model)
    assert [f['time_s'] for f in found[::2]] == pytest.approx(np.arange(0.5, 5.1, 0.5))
    assert [f['side'] for f in found[:2]] == ['left', 'right']
    early, late = found[:10], found[10:]
    assert all(not f['valid'] and f['probability'] is None and f['reason'] for f in early)
    assert len(late) == 10
    for f in late:
        assert f['valid'] and 0.0 <= f['probability'] <= 1.0 and f['reason'] == ''
        assert f['context'] == 'other_ears'


def test_answers_are_those_of_the_detector_on_the_same_sound(context_model, write):
    path = write()
    session = NearWallDetector.load(context_model).session()
    stream = AudioStream(PcmFormat('S16LE', 2, RATE))
    stream.push(soundfile.read(path, dtype='float32')[0], 0)
    decisions = RollingListener(session, find_rig('pair')).due(stream)
    expected = [r.probability for d in decisions for r in d.readings if r.valid]
    found = [f['probability'] for f in lines(path, '--model', context_model) if f['valid']]
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize('channels, sides', [(1, ['front']), (3, ['left', 'right', 'front'])])
def test_rig_follows_the_channels(context_model, write, channels, sides):
    found = lines(write(3.5, channels), '--model', context_model)
    assert [f['side'] for f in found[: len(sides)]] == sides and found[-1]['valid']


def test_other_rates_and_formats_are_read(context_model, write):
    found = lines(write(3.5, 2, 44_100, 'sound.flac'), '--model', context_model, '--rate', 1)
    assert [f['time_s'] for f in found[::2]] == pytest.approx([1, 2, 3])


@pytest.fixture
def moved_clock(monkeypatch):
    """Return a clock that only sleep moves, and how long it slept at a time."""
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    monkeypatch.setattr(time, 'sleep', sleep)
    return slept


def test_real_time_gives_each_chunk_when_it_would_have_been_recorded(write, moved_clock):
    chunks = list(_played(write(3.2, 1), realtime=True))
    assert len(chunks) == len(moved_clock) == 32
    assert moved_clock == pytest.approx([0.1] * 32)


def test_json_is_as_fast_as_possible_and_bars_and_real_time_keep_time(
    context_model, write, moved_clock
):
    path = write(3.2, 1)
    assert lines(path, '--model', context_model) and not moved_clock
    assert lines(path, '--model', context_model, '--realtime')
    assert sum(moved_clock) == pytest.approx(3.2)
    moved_clock.clear()
    assert listen(path, '--model', context_model)[0] == 0
    assert sum(moved_clock) == pytest.approx(3.2)


def test_silence_is_said_and_never_a_number(context_model, write):
    last = lines(write(scale=0.0), '--model', context_model)[-1]
    assert not last['valid'] and last['reason'].startswith('silent') and last['probability'] is None


def test_bars_name_every_side_and_its_number(context_model, write):
    code, output = listen(write(3.6), '--model', context_model, '--no-realtime')
    assert code == 0 and 'left' in output and 'right' in output
    number = float(output.split('left')[1].split()[1])
    assert 0.0 <= number <= 1.0 and 'other ears' in output


def test_reference_is_kept_for_the_next_time(context_model, write, tmp_path):
    kept = tmp_path / 'room.json'
    first = lines(write(), '--model', context_model, '--reference', kept)
    assert kept.is_file() and first[-1]['context'] == 'other_ears'
    content = json.loads(kept.read_text())
    for ear in content['ears'].values():
        ear['total'], ear['weight'] = ear['here'], 1.0
    kept.write_text(json.dumps(content))
    again = lines(write(), '--model', context_model, '--reference', kept)
    assert again[-1]['context'] == 'both'


@pytest.mark.parametrize(
    'arguments, said',
    [
        (('nowhere.wav',), 'No such file'),
        (('--device', 'x', '{file}'), 'give one of them'),
        (('{file}', '--rig', 'trio'), 'rig trio needs 3 channels, the audio has 2'),
        (('{file}', '--rig', 'quartet'), "no rig 'quartet'"),
        (('{five}',), '5 channels; name their places by --rig'),
        (('{file}', '--model', '{file}'), 'corrupt or not ONNX'),
        (('{file}', '--model', '{model}', '--context', 'much'), "context 'much'"),
        (('{file}', '--model', '{model}', '--reference', '{file}'), 'not a reference'),
    ],
)
def test_wrong_input_is_one_line(context_model, write, arguments, said):
    places = {
        'file': write(),
        'five': write(1.0, 5, name='five.wav'),
        'model': context_model,
    }
    with pytest.raises(QuietNavError) as found:
        listen(*[a.format(**places) for a in arguments])
    assert said in str(found.value) and '\n' not in str(found.value)


@pytest.mark.slow
def test_process_ends_with_2_on_errors_and_quietly_in_a_closed_pipe(context_model, write):
    command = [sys.executable, '-m', 'quiet_nav.cli', 'listen', '--json']
    wrong = subprocess.run([*command, '/nowhere.wav'], capture_output=True, text=True)
    assert wrong.returncode == 2 and wrong.stderr.count('\n') == 1 and wrong.stdout == ''
    sound = [str(write(60.0, 1)), '--model', str(context_model)]
    process = subprocess.Popen(
        [*command, *sound], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline())['valid'] is False
    process.stdout.close()
    assert process.stderr.read() == ''
    assert process.wait(30) == 0


def test_probability_is_never_not_a_number_in_json():
    from quiet_nav.commands.listen import _fields
    from quiet_nav.geometry import Side
    from quiet_nav.perception.readings import NearWallReading

    fields = _fields(NearWallReading.invalid(Side.LEFT, 0, 1, 'gap'))
    assert not any(isinstance(v, float) and math.isnan(v) for v in fields.values())


def test_a_far_wall_is_beyond_the_last_bin_of_the_model():
    from io import StringIO

    from rich.console import Console

    from quiet_nav.commands.listen import _bars
    from quiet_nav.geometry import Side
    from quiet_nav.perception.distance_bins import DistanceBins
    from quiet_nav.perception.readings import NearWallReading
    from quiet_nav.perception.rolling import Decision

    for edges_m, said in (((0.5, 1.0), '> 1 m'), ((0.5, 1.0, 2.25), '> 2.25 m')):
        bins = DistanceBins(edges_m, (0.1,) * len(edges_m) + (1.0 - 0.1 * len(edges_m),))
        far = (0.0,) * len(edges_m) + (1.0,)
        reading = NearWallReading(Side.LEFT, 0.1, 0, 3, distance_probabilities=far, bins=bins)
        console = Console(file=StringIO(), width=120)
        console.print(_bars(Decision(3, (reading,)), 0.0))
        assert said in console.file.getvalue()
