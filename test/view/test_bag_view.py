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

"""The web view read back: what a bag holds is what Foxglove gets, in the colors of RViz."""

import json
import math

import numpy as np
import pytest

pytest.importorskip('foxglove', reason='the Foxglove SDK is not installed (make setup does)')
pytest.importorskip('mcap_protobuf', reason='mcap-protobuf-support is not installed')

from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from typer.testing import CliRunner
from viewed_bag import BEGIN, heard, S, write_viewed_bag

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import colors, TRACE_LENGTH, TRACE_SHEETS_S
from quiet_nav.perception.display.overlay import NEAR_COLOR
from quiet_nav.perception.rig import find_rig
from quiet_nav.view.scene import Scene
from quiet_nav.view.serve import into_file, paced


@pytest.fixture
def bag(tmp_path):
    return write_viewed_bag(tmp_path / 'bag')


def read(path):
    """Return the messages of an MCAP file of Foxglove's: topic to [(time, message)]."""
    found = {}
    with open(path, 'rb') as file:
        decoders, factory = {}, DecoderFactory()
        for schema, channel, message in make_reader(file).iter_messages():
            if channel.message_encoding == 'json':
                decode = json.loads
            else:
                decode = decoders.setdefault(
                    schema.name, factory.decoder_for(channel.message_encoding, schema)
                )
            found.setdefault(channel.topic, []).append((message.log_time, decode(message.data)))
    return found


@pytest.fixture
def shown(bag, tmp_path):
    out = tmp_path / 'view.mcap'
    result = CliRunner().invoke(build_app(), ['view', str(bag), '--out', str(out)])
    assert result.exit_code == 0, result.output
    assert '/near_wall 2' in result.output
    return read(out)


def rgb(color):
    return [color.r, color.g, color.b]


def test_probability_and_distance_of_every_side_lie_at_the_end_of_their_window(shown):
    [(time_ns, left)] = shown['/near_wall/left']
    assert time_ns == BEGIN + 4 * S
    assert left == {
        'valid': True,
        'near': True,
        'probability': 0.75,
        'distance_m': 0.35,
        'hears_by': '',
    }
    [(_, right)] = shown['/near_wall/right']
    assert right == {'valid': False, 'near': False, 'reason': 'clipped'}
    [(_, seen)] = shown['/wall_distance']
    assert seen == {'distance_m': 0.75}


def test_fans_have_the_colors_places_and_lifetimes_of_the_markers(shown):
    (_, update), (_, silent) = shown['/near_wall/markers']
    by_id = {entity.id: entity for entity in update.entities}
    live = by_id['near_wall/left']
    [sector], [text] = live.triangles, live.texts
    assert rgb(sector.color) == pytest.approx(list(colors(np.array(0.75))))
    assert (sector.pose.position.x, sector.pose.position.y) == pytest.approx((0.0, 0.15))
    assert max(math.hypot(p.x, p.y) for p in sector.points) == pytest.approx(0.4)
    assert 2 * math.atan2(sector.pose.orientation.z, sector.pose.orientation.w) == pytest.approx(
        math.pi / 2
    )
    assert text.text == '0.75' and text.pose.position.y > 0.55
    assert live.frame_locked and live.frame_id == 'base_link' and live.lifetime.seconds == 3
    assert live.timestamp.seconds == 1004
    left_behind = [e for e in update.entities if e.id.startswith('trace/left/')]
    assert [e.lifetime.seconds for e in left_behind] == list(TRACE_SHEETS_S)
    assert not any(e.frame_locked for e in left_behind)
    [dimmed] = silent.entities
    assert dimmed.triangles[0].color.a < 0.5 and 'clipped' in dimmed.texts[0].text


@pytest.mark.slow
def test_map_is_made_of_the_readings_where_the_robot_stood(shown):
    _, grid = shown['/near_wall/map'][-1]
    assert grid.frame_id == 'odom' and [f.name for f in grid.fields] == [
        'red', 'green', 'blue', 'alpha',
    ]  # fmt: skip
    cells = np.frombuffer(grid.data, np.uint8).reshape(-1, grid.column_count, 4)
    # Left of a robot at (1, 2) that heads along y is -x: 0.15 m to the ear, 0.25 m on.
    column = round((0.6 - grid.pose.position.x) / grid.cell_size.x - 0.5)
    row = round((2.0 - grid.pose.position.y) / grid.cell_size.y - 0.5)
    expected = [*np.round(255 * colors(np.array(0.75))), 255]
    assert cells[row, column].tolist() == expected
    # Right of it nothing valid was heard.
    right = round((1.4 - grid.pose.position.x) / grid.cell_size.x - 0.5)
    assert right >= cells.shape[1] or cells[row, right, 3] == 0


def test_path_frames_and_image_are_there(shown):
    _, frame = shown['/tf'][0]
    assert (frame.parent_frame_id, frame.child_frame_id) == ('odom', 'base_link')
    assert (frame.translation.x, frame.translation.y) == pytest.approx((1.0, 2.0))
    assert len(shown['/tf']) == 51
    # A robot that stands has a path of one point.
    [(_, path)] = shown['/path']
    assert len(path.entities[0].lines[0].points) == 1
    [(_, image)] = shown['/near_wall/image']
    pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
    assert (pixels[0] == NEAR_COLOR).all() and (pixels[40, 40] == 77).all()


def test_an_hour_keeps_no_more_than_a_minute(tmp_path):
    with into_file(tmp_path / 'hour.mcap') as context:
        from quiet_nav.perception.transforms import Transform

        scene = Scene(context, find_rig('pair'))
        for i in range(1200):
            scene.reading(heard(Side.LEFT, 0.5, BEGIN + 3 * i * S), 'base_link')
            scene.placed('odom', 'base_link', BEGIN + 3 * i * S, Transform(x=0.2 * i))
        assert len(scene._points) <= 100 and len(scene._trace) == 1
    found = read(tmp_path / 'hour.mcap')
    ids = {e.id for _, update in found['/near_wall/markers'] for e in update.entities}
    assert len(ids) == 1 + TRACE_LENGTH * len(TRACE_SHEETS_S)
    pieces = {e.id: e for _, update in found['/path'] for e in update.entities}
    points = sum(len(e.lines[0].points) for e in pieces.values())
    # Neighboring pieces share a point.
    assert points == 1200 + len(pieces) - 1


def test_play_keeps_the_times_and_cuts_long_gaps():
    waited = []
    items = [(0, 'a', None), (S, 'b', None), (100 * S, 'c', None)]
    assert list(paced(iter(items), 2.0, waited.append)) == items
    assert waited[0] == pytest.approx(0.5, abs=0.4) and waited[1] == pytest.approx(2.0, abs=1.0)
    assert list(paced(iter(items), 2.0, lambda _: True)) == items[:1]


def test_what_cannot_be_shown_says_why(bag, tmp_path):
    app = build_app()
    for arguments, said in (
        (['view'], 'a bag or --live'),
        (['view', str(bag), '--live'], 'a bag or --live'),
        (['view', str(bag), '--readings', '/odom', '--out', 'x.mcap'], '/odom is nav_msgs'),
        (['view', str(tmp_path / 'none')], 'no such bag'),
    ):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, QuietNavError) and said in str(result.exception)
