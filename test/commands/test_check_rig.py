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


"""`quiet_nav check-rig` on recordings, and `quiet_nav devices`: output, files, exit codes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tapped
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.rig import find_rig, load_rig
from quiet_nav.sound import devices

PAIR = find_rig('pair')
NEW = ('--ear', 'LEFT=0,0.15,0.25', '--ear', 'RIGHT=0,-0.15,0.25')


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """Taps at the pair, its channels swapped, as a file."""
    path = tmp_path_factory.mktemp('taps') / 'taps.wav'
    soundfile.write(path, tapped.plain(PAIR, 2)[:, ::-1], tapped.RATE, 'PCM_16')
    return path


def run(*arguments):
    """Return exit code and output; a QuietNavError is raised as the command raises it."""
    result = CliRunner().invoke(build_app(), list(map(str, arguments)))
    if isinstance(result.exception, QuietNavError):
        raise result.exception
    return result.exit_code, result.output


def check(*arguments):
    return run('check-rig', *arguments)


def test_swapped_ears_are_said_and_the_mended_rig_passes(recording, tmp_path):
    out = tmp_path / 'mine.yaml'
    code, output = check('--rig', 'pair', '--recording', recording, '--out', out)
    assert code == 1
    assert 'LEFT is channel 1 and not 0' in output and 'exchange the channel numbers' in output
    assert [ear.channel for ear in load_rig(out).ears] == [1, 0]
    code, output = check('--rig', out, '--recording', recording)
    assert code == 0 and 'the ears can be used' in output


def test_a_new_rig_is_written_with_the_channels_that_were_tapped(recording, tmp_path):
    out = tmp_path / 'mine.yaml'
    code, output = check(*NEW, '--name', 'mine', '--recording', recording, '--out', out)
    assert code == 0, output
    rig = load_rig(out)
    assert rig.name == 'mine'
    assert [(e.side.name, e.channel) for e in rig.ears] == [('LEFT', 1), ('RIGHT', 0)]


def test_a_rig_that_is_there_stays_unless_asked(recording, tmp_path):
    out = tmp_path / 'mine.yaml'
    out.write_text('mine')
    with pytest.raises(QuietNavError, match='--overwrite replaces it'):
        check(*NEW, '--recording', recording, '--out', out)
    assert out.read_text() == 'mine'
    check(*NEW, '--recording', recording, '--out', out, '--overwrite')
    assert load_rig(out).channels == 2


def test_nothing_is_written_where_taps_tell_nothing(tmp_path):
    out, sound = tmp_path / 'mine.yaml', tmp_path / 'quiet.wav'
    noise = 0.01 * np.random.default_rng(0).standard_normal((28 * tapped.RATE, 2))
    soundfile.write(sound, noise, tapped.RATE)
    code, output = check(*NEW, '--recording', sound, '--out', out)
    assert code == 1 and 'not written' in output and 'no tap was heard' in output
    assert not out.exists()


def test_json_holds_every_finding_with_its_figures(recording):
    code, output = check('--rig', 'pair', '--recording', recording, '--json')
    said = json.loads(output)
    assert code == 1 and said['serious'] and said['judged']
    assert said['channels'] == {'0 LEFT': 1, '1 RIGHT': 0}
    assert [f['kind'] for f in said['findings']] == ['swapped']
    assert said['findings'][0]['figures']['margin_db'] > 8.0


def test_the_script_is_told_without_a_device():
    code, output = check('--rig', 'pair', '--script')
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == [
        '0',
        '5',
        '9',
        '13',
        '17',
        '21',
        '27',
    ]


@pytest.mark.parametrize(
    'arguments, said',
    [
        ((), 'name the rig to check by --rig'),
        (('--rig', 'pair', *NEW), 'name the rig to check by --rig'),
        (('--ear', 'LEFT=1'), 'expected a side and x, y, z|position'),
        (('--rig', 'pair', '--recording', 'no.wav', '--device', '1'), 'goes without --device'),
        (('--rig', 'pair', '--recording', 'no.wav'), 'no.wav'),
    ],
)
def test_wrong_arguments_are_one_line(arguments, said):
    with pytest.raises(QuietNavError, match=said) as found:
        check(*arguments)
    assert '\n' not in str(found.value)


class FakeSoundDevice:
    """Stands in for the sounddevice module: what a robot has plugged in."""

    class PortAudioError(Exception):
        pass

    def __init__(self, inputs, rates=(48_000,)):
        self._inputs, self._rates = inputs, rates

    def query_hostapis(self):
        return ({'name': 'ALSA'},)

    def query_devices(self, device=None, kind=None):
        if device is None and kind is None:
            return self._inputs
        if device is None:
            if not self._inputs:
                raise self.PortAudioError('Error querying device -1')
            return self._inputs[0]
        return self._inputs[device]

    def check_input_settings(self, device, channels, dtype, samplerate):
        if samplerate not in self._rates:
            raise self.PortAudioError('Invalid sample rate [PaErrorCode -9997]')


def plugged(index, name, channels=2):
    return {'index': index, 'name': name, 'max_input_channels': channels,
            'default_samplerate': 48_000.0, 'hostapi': 0}  # fmt: skip


@pytest.fixture
def plug(monkeypatch):
    """Return a function that plugs inputs in."""

    def plug(*inputs, rates=(48_000,)):
        fake = FakeSoundDevice(list(inputs), rates)
        monkeypatch.setattr(devices, '_portaudio', lambda: fake)

    return plug


def test_devices_say_rates_that_open_and_what_to_write(plug):
    plug(
        plugged(0, 'ReSpeaker 4 Mic Array (UAC1.0): USB Audio (hw:1,0)', 6),
        plugged(1, 'USB PnP Sound Device: Audio (hw:2,0)'),
        plugged(2, 'USB PnP Sound Device: Audio (hw:3,0)'),
        rates=(16_000, 48_000),
    )
    code, output = run('devices')
    assert code == 0
    assert '0 *' in output and '16 48' in output and 'resampled' not in output
    assert "0: --device 'ReSpeaker 4 Mic Array (UAC1.0)'" in output
    # Two cards of one name: the index tells them apart.
    assert "1: --device '1'" in output and "2: --device '2'" in output
    said = json.loads(run('devices', '--json')[1])
    assert (said[0]['channels'], said[0]['rates']) == (6, [16_000, 48_000])
    assert [d['is_default'] for d in said] == [True, False, False]


def test_devices_without_16_khz_are_said_to_be_resampled(plug):
    plug(plugged(0, 'Webcam'))
    assert '48, resampled' in run('devices')[1]
    plug(plugged(0, 'Webcam'), rates=())
    assert 'in use, or it cannot record so' in run('devices')[1]


def test_no_devices_are_one_line(plug):
    plug()
    code, output = run('devices')
    assert code == 0 and output.count('\n') == 1 and 'no sound input' in output
    assert json.loads(run('devices', '--json')[1]) == []


def test_without_portaudio_devices_and_check_rig_say_how_to_get_it(monkeypatch):
    def absent():
        raise QuietNavError('PortAudio is not installed: apt install libportaudio2')

    monkeypatch.setattr(devices, '_portaudio', absent)
    for arguments in (('devices',), ('check-rig', '--rig', 'pair')):
        with pytest.raises(QuietNavError, match='apt install libportaudio2'):
            run(*arguments)


def test_a_device_is_recorded_while_the_user_is_told_what_to_do(
    plug, recording, monkeypatch, tmp_path
):
    plug(plugged(0, 'USB PnP Sound Device: Audio (hw:2,0)'))
    samples, rate = soundfile.read(recording)
    pcm = devices.encode_pcm(samples, 'S16LE')

    class Capture:
        """A device that plays what was recorded."""

        def __init__(self, device, pcm_format, chunk_s, clock, device_rate):
            assert (device, pcm_format.channels, pcm_format.sample_rate) == ('0', 2, rate)
            self.name = 'USB PnP Sound Device: Audio (hw:2,0)'

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def chunks(self, stop):
            step = 4 * rate // 10
            for begin in range(0, len(pcm), step):
                yield SimpleNamespace(data=pcm[begin : begin + step], overflow=False)

    monkeypatch.setattr(devices, 'DeviceCapture', Capture)
    save = tmp_path / 'kept.wav'
    code, output = check('--rig', 'pair', '--save', save)
    assert code == 1 and 'LEFT is channel 1' in output
    told = [output.index(word) for word in ('quiet for', 'LEFT: snap', 'RIGHT: snap', 'done')]
    assert told == sorted(told)
    assert np.array_equal(soundfile.read(save)[0], samples)
