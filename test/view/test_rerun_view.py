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

"""What Rerun is given, read back; and its page in a real browser, which asks nobody else."""

import http.client
import io
import math
import re
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip('rerun', reason='the Rerun SDK is not installed (make setup does)')

from typer.testing import CliRunner
from viewed_bag import BEGIN, heard, S, write_viewed_bag

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.display.display import colors
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.transforms import Transform
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.stream import AudioStream
from quiet_nav.view.bag import BagPlayer, look_into, root_of
from quiet_nav.view.rerun_layout import layout, SIDE_COLORS
from quiet_nav.view.rerun_scene import (
    level_dbfs,
    RerunScene,
    spectrum,
    spectrum_at,
    SPECTRUM_DBFS,
)

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)


class Recorder:
    """Stands for a recording: keeps what is logged, by entity."""

    def __init__(self):
        self.time_ns, self.logged, self.static, self.blueprints = None, {}, {}, []

    def set_time(self, timeline, timestamp):
        assert timeline == 'stamp'
        self.time_ns = int(timestamp.astype('datetime64[ns]').astype(np.int64))

    def log(self, entity, *archetypes, static=False):
        for archetype in archetypes:
            kind = type(archetype).__name__
            if static:
                self.static[entity, kind] = archetype
            else:
                self.logged.setdefault((entity, kind), []).append((self.time_ns, archetype))

    def send_blueprint(self, blueprint):
        self.blueprints.append(blueprint)

    def values(self, entity):
        return [
            (time_ns, a.scalars.as_arrow_array().to_pylist()[0])
            for time_ns, a in self.logged[entity, 'Scalars']
        ]

    def frame(self, entity):
        return self.static[entity, 'CoordinateFrame'].frame.as_arrow_array().to_pylist()[0]


def points(batch):
    return np.array(batch.as_arrow_array().to_pylist())


@pytest.fixture
def bag(tmp_path):
    return write_viewed_bag(tmp_path / 'bag')


@pytest.fixture
def shown(bag):
    view, recorder = look_into(bag), Recorder()
    player = BagPlayer(view, RerunScene(recorder, find_rig('pair')), find_rig('pair'))
    for item in view.messages(sound=True):
        player.show(*item)
    player.finish()
    return recorder


def test_probability_and_distance_stand_at_the_end_of_their_window(shown):
    assert shown.values('probability/left') == [(BEGIN + 4 * S, 0.75)]
    [(time_ns, distance_m)] = shown.values('distance/left')
    assert time_ns == BEGIN + 4 * S and distance_m == pytest.approx(0.35)
    assert shown.values('distance/camera') == [(BEGIN + S, 0.75)]
    [(_, right)] = shown.values('probability/right')
    assert math.isnan(right)
    [(_, reason)] = shown.logged['reasons', 'TextLog']
    assert reason.text.as_arrow_array().to_pylist() == ['right: clipped']


def test_fans_stand_at_their_ears_and_where_the_robot_was(shown):
    [(_, fan)] = shown.logged['ears/left/fan', 'Mesh3D']
    assert shown.frame('ears/left/fan') == 'base_link'
    corners = points(fan.vertex_positions)
    # The left ear of the pair is 0.15 m to the left; the fan of 0.75 is 0.4 m long.
    assert corners[:, 1].min() == pytest.approx(0.15, abs=1e-6)
    assert corners[:, 1].max() == pytest.approx(0.55, abs=1e-6)
    color = fan.albedo_factor.as_arrow_array().to_pylist()[0]
    assert [color >> 24, color >> 16 & 255, color >> 8 & 255] == [
        round(255 * v) for v in colors(np.array(0.75))
    ]
    [(_, left)] = shown.logged['trace/left/0', 'Mesh3D']
    assert shown.frame('trace/left/0') == 'odom'
    corners = points(left.vertex_positions)
    # The robot stands at (1, 2) and heads along y: its left is -x.
    assert corners[:, 0].min() == pytest.approx(0.45, abs=1e-6)
    assert corners[:, 1].mean() == pytest.approx(2.0, abs=1e-6)
    assert ('trace/right/0', 'Mesh3D') not in shown.logged


def test_frames_path_and_image_are_there(shown):
    assert {key[0] for key in shown.logged} >= {'/tf/base_link', 'camera', 'map'}
    assert shown.frame('map') == 'odom'
    [(_, image)] = shown.logged['camera', 'EncodedImage']
    assert image.media_type.as_arrow_array().to_pylist() == ['image/jpeg']


def test_the_map_lies_as_it_is():
    recorder = Recorder()
    scene = RerunScene(recorder, find_rig('pair'))
    probability = np.array([[0.0, 1.0, np.nan], [np.nan, 0.5, np.nan]])
    scene.map(GridMap(probability, -1.0, 2.0, 0.05), 'odom', 5)
    [(time_ns, grid)] = recorder.logged['map', 'GridMap']
    assert time_ns == 5 and grid.translation.as_arrow_array().to_pylist() == [[-1.0, 2.0, 0.0]]
    data = np.array(grid.data.as_arrow_array().to_pylist()[0], np.uint8).reshape(2, 3, 3)
    # An image begins at its top, a map at its bottom.
    expected = np.round(255 * colors(np.array([0.0, 1.0])))
    assert np.array_equal(data[1, :2], expected) and (data[0, 0] == data[1, 2]).all()


def test_a_fan_without_news_is_taken_away():
    recorder = Recorder()
    scene = RerunScene(recorder, find_rig('pair'))
    scene.reading(heard(Side.LEFT, 0.75), 'base_link')
    for seconds in (5, 8):
        at = Transform.of_pose(Pose2D(0.1 * seconds, 0.0, 0.0))
        scene.placed('odom', 'base_link', BEGIN + seconds * S, at)
    [(time_ns, _)] = recorder.logged['ears/left', 'Clear']
    assert time_ns == BEGIN + 8 * S
    [(_, line)] = recorder.logged['path/0', 'LineStrips3D']
    assert points(line.strips)[0].tolist() == pytest.approx(
        np.array([[0.5, 0.0, 0.02], [0.8, 0.0, 0.02]])
    )


def test_level_and_spectrum_are_those_of_a_known_tone():
    recorder = Recorder()
    scene = RerunScene(recorder, find_rig('pair'))
    stream = AudioStream(PcmFormat('F32LE', 2, 16_000))
    tone = 0.1 * np.sin(2 * np.pi * 500.0 * np.arange(32_000) / 16_000)
    for i in range(0, len(tone), 1600):
        part = np.stack([tone[i : i + 1600], np.zeros(1600)], axis=1)
        stream.push(part, BEGIN + i * S // 16_000)
        scene.sound(stream)
    left, right = recorder.values('level/left'), recorder.values('level/right')
    assert left[-1][1] == pytest.approx(-20.0, abs=0.1) and right[-1][1] == -120.0
    assert len(left) < 10
    hz, dbfs = spectrum(tone.astype(np.float32))
    assert hz[dbfs.argmax()] == pytest.approx(500.0, abs=8.0)
    assert dbfs.max() == pytest.approx(-20.0, abs=0.5)
    line = points(recorder.logged['spectrum/left', 'LineStrips2D'][-1][1].strips)[0]
    assert line[:, 1].min() == pytest.approx(-250.0 * (SPECTRUM_DBFS[1] + 120.0) / 100.0, abs=2.0)
    assert math.isnan(level_dbfs(np.zeros(0)))


def test_live_views_are_laid_out_as_things_appear(bag):
    recorder = Recorder()
    scene = RerunScene(recorder, find_rig('pair'), live=True)
    scene.reading(heard(Side.LEFT, 0.75), 'base_link')
    scene.reading(NearWallReading.invalid(Side.LEFT, 0, S, 'clipped'), 'base_link')
    count = len(recorder.blueprints)
    scene.reading(heard(Side.LEFT, 0.5), 'base_link')
    assert count == len(recorder.blueprints) == 2
    view = look_into(bag)
    assert root_of(view) == 'odom' and view.has == {'readings', 'reasons', 'wall', 'camera'}
    assert layout('odom', view.has) is not None


@pytest.mark.slow
def test_a_file_to_share_is_written_whole_or_not_at_all(bag, tmp_path):
    out = tmp_path / 'view.rrd'
    arguments = ['view', str(bag), '--out', str(out)]
    found = CliRunner().invoke(build_app(), arguments)
    assert found.exit_code == 0 and '/near_wall 2' in found.output
    assert out.read_bytes()[:4] == b'RRF2'
    again = CliRunner().invoke(build_app(), arguments)
    assert isinstance(again.exception, QuietNavError) and 'is there already' in str(again.exception)
    missing = CliRunner().invoke(build_app(), ['view', str(bag), '--out', '/proc/none/x.rrd'])
    assert isinstance(missing.exception, QuietNavError) and '\n' not in str(missing.exception)


def test_options_that_do_not_go_together_are_said(bag, monkeypatch):
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    for options, message in (
        (['--web', '--foxglove'], 'choose one'),
        (['--out', 'x.png'], r'ends in .rrd or .mcap'),
        ([], 'no display'),
    ):
        found = CliRunner().invoke(build_app(), ['view', str(bag), *options])
        assert message in str(found.exception)


@pytest.fixture
def page(bag):
    """Run the command with --web and yield its port."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    command = [sys.executable, '-m', 'quiet_nav.cli', 'view', str(bag), '--web']
    process = subprocess.Popen(
        [*command, '--port', str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = ''
    for line in process.stdout:
        said += line
        if 'open http' in line:
            break
    assert f'open http://127.0.0.1:{port}/ in a browser' in said, said
    yield port
    process.terminate()
    assert process.wait(60) == 0


def asked(port, path='/', host=None):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('GET', path, headers={} if host is None else {'Host': host})
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.mark.slow
def test_the_page_comes_from_this_machine_alone(page):
    answer, _ = asked(page)
    where = answer.getheader('Location')
    assert answer.status == 302 and where.endswith(f'127.0.0.1%3A{page}%2Fbag.rrd')
    answer, content = asked(page, where)
    assert answer.status == 200 and b'<canvas' in content
    assert not re.search(rb'<link[^>]*https://', content)
    assert "default-src 'self'" in answer.getheader('Content-Security-Policy')
    answer, content = asked(page, '/bag.rrd')
    assert answer.status == 200 and content[:4] == b'RRF2'
    # A page of the internet whose name leads to this machine gets nothing.
    for name in ('evil.example.com', f'evil.example.com:{page}', '192.168.7.7'):
        assert asked(page, '/bag.rrd', name)[0].status == 403
    with socket.socket() as probe:
        # The port is free on every other address of this machine.
        probe.bind(('127.0.0.2', page))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason='no browser here: apt install chromium')
def test_a_real_browser_draws_it_and_asks_nobody_else(page):
    sync_api = pytest.importorskip('playwright.sync_api', reason='Playwright is not installed')
    from PIL import Image

    options = (
        '--headless=new --no-sandbox --use-gl=angle --use-angle=swiftshader '
        '--enable-unsafe-swiftshader --disable-quic --no-first-run '
        '--disable-background-networking --disable-component-update --disable-sync'
    )
    asked_for, answered = [], []
    with sync_api.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=options.split())
        # A small page: a software rasterizer takes as long as there are pixels.
        tab = browser.new_page(viewport={'width': 900, 'height': 580}, color_scheme='dark')
        tab.on('request', lambda request: asked_for.append(request.url))
        tab.on('response', lambda response: answered.append(response.url))
        tab.goto(f'http://127.0.0.1:{page}/')
        end = time.monotonic() + 300.0
        seen = {}
        while time.monotonic() < end and not all(count > 20 for count in seen.values() or [0]):
            tab.wait_for_timeout(3000)
            picture = Image.open(io.BytesIO(tab.screenshot(timeout=120_000))).convert('RGB')
            pixels = np.asarray(picture).astype(int)
            left, right = pixels[:, :535], pixels[:, 545:]
            seen = {
                'fan in space': near(left, 255 * colors(np.array(0.75)), 60),
                'left in time': near(right, SIDE_COLORS[Side.LEFT], 40),
                'right in time': near(right, SIDE_COLORS[Side.RIGHT], 40),
            }
        assert tab.title() == 'Rerun Viewer'
        browser.close()
    assert all(count > 20 for count in seen.values()), seen
    assert f'http://127.0.0.1:{page}/bag.rrd' in answered
    assert all(url.split('/')[2].startswith('127.0.0.1:') for url in answered if '://' in url)


def near(pixels, color, most):
    """How many pixels are of about a color."""
    return int((np.abs(pixels - np.asarray(color)).sum(axis=-1) < most).sum())


def test_a_floor_plan_stands_in_its_frame_below_everything():
    recorder = Recorder()
    plan = load_plan('classroom')
    RerunScene(recorder, find_rig('pair')).plan(plan)
    assert recorder.frame('room/walls') == 'map'
    drawn = recorder.static['room/walls', 'LineStrips3D'].strips.as_arrow_array().to_pylist()
    walls = [np.array(strip) for strip in drawn]
    assert np.allclose([wall[0, :2] for wall in walls], plan.corners)
    assert np.allclose([wall[1, :2] for wall in walls], np.roll(plan.corners, -1, axis=0))
    assert ('room/tracks', 'LineStrips3D') in recorder.static


def test_the_rooms_own_map_is_told_apart_from_the_near_wall_map():
    recorder = Recorder()
    probability = np.array([[0.0, 1.0], [np.nan, 0.0]])
    RerunScene(recorder, find_rig('pair')).room(GridMap(probability, 0.0, 0.0, 0.05), 'map', 5)
    [(_, grid)] = recorder.logged['room/map', 'GridMap']
    data = np.array(grid.data.as_arrow_array().to_pylist()[0], np.uint8).reshape(2, 2, 3)
    free, occupied, unknown = data[1, 0], data[1, 1], data[0, 0]
    assert (data[0, 1] == free).all() and occupied.mean() > free.mean() > unknown.mean()
    assert grid.translation.as_arrow_array().to_pylist()[0][2] < 0.0


def test_a_spectrum_stands_over_what_its_ear_heard_far_from_walls():
    recorder = Recorder()
    scene = RerunScene(recorder, find_rig('pair'))
    stream = AudioStream(PcmFormat('F32LE', 2, 16_000))
    fan = 0.05 * np.sin(2 * np.pi * 250.0 * np.arange(16_000 * 15) / 16_000)
    stream.push(np.stack([fan, 0.0 * fan], axis=1), BEGIN)
    scene.sound(stream)
    at = Transform.of_pose(Pose2D(0.0, 0.0, 0.0))
    for place, p in enumerate((0.1, 0.9, 0.1, 0.1)):
        end_ns = BEGIN + (place + 1) * 3 * S
        scene.placed('odom', 'base_link', end_ns, at)
        assert ('spectrum/far/left', 'LineStrips2D') not in recorder.logged
        scene.reading(heard(Side.LEFT, p, end_ns), 'base_link')
    # A place that is called near teaches nothing; three that are far are enough.
    [(time_ns, line)] = recorder.logged['spectrum/far/left', 'LineStrips2D']
    assert time_ns == BEGIN + 12 * S
    hz, dbfs = spectrum(fan[:48_000].astype(np.float32))
    assert np.allclose(points(line.strips)[0], spectrum_at(hz, dbfs), atol=1.0)
