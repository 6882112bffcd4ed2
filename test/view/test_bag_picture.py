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

"""RViz's view drawn from messages: what is alive, where, and that the command draws it."""

from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.transforms import Transform
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.view.picture import draw, PictureScene

S = 1_000_000_000
STORE = bag_typestore()
ARRAY, TF = 'visualization_msgs/msg/MarkerArray', 'tf2_msgs/msg/TFMessage'


def kind(name):
    return STORE.types[name]


def header(time_ns, frame):
    stamp = kind('builtin_interfaces/msg/Time')(*divmod(time_ns, S))
    return kind('std_msgs/msg/Header')(stamp=stamp, frame_id=frame)


def quaternion(z=0.0, w=1.0):
    return kind('geometry_msgs/msg/Quaternion')(0.0, 0.0, z, w)


def marker(number, stamp_s, lifetime_s=0, locked=False, action=0):
    """Return a triangle from 0.5 m left of base_link on."""
    point, color = kind('geometry_msgs/msg/Point'), kind('std_msgs/msg/ColorRGBA')
    red = color(1.0, 0.0, 0.0, 1.0)
    return kind('visualization_msgs/msg/Marker')(
        header=header(stamp_s * S, 'base_link'),
        ns='near_wall', id=number, type=11, action=action,
        pose=kind('geometry_msgs/msg/Pose')(point(0.0, 0.5, 0.0), quaternion()),
        scale=kind('geometry_msgs/msg/Vector3')(1.0, 1.0, 1.0),
        color=red,
        lifetime=kind('builtin_interfaces/msg/Duration')(lifetime_s, 0),
        frame_locked=locked,
        points=[point(0.0, 0.0, 0.0), point(0.3, 0.0, 0.0), point(0.0, 0.3, 0.0)],
        colors=[red, red, red],
        texture_resource='',
        texture=kind('sensor_msgs/msg/CompressedImage')(
            header(0, ''), '', np.zeros(0, np.uint8)
        ),
        uv_coordinates=[], text='', mesh_resource='',
        mesh_file=kind('visualization_msgs/msg/MeshFile')('', np.zeros(0, np.uint8)),
        mesh_use_embedded_materials=False,
    )  # fmt: skip


def array(*markers):
    return kind(ARRAY)(list(markers))


@pytest.fixture
def scene():
    """Return a robot that drove from (0, 0) at 0 s to (4, 0) at 4 s."""
    found = PictureScene()
    for i in range(9):
        found.placed('odom', 'base_link', i * S // 2, Transform(x=0.5 * i))
    found.now_ns = 4 * S
    return found


def test_markers_lie_where_their_frame_was_and_locked_ones_where_it_is(scene):
    scene.markers(S, array(marker(1, 1), marker(2, 1, locked=True)))
    places = {m.id: pose for m, pose in scene.alive()}
    assert places == {1: Pose2D(1.0, 0.5, 0.0), 2: Pose2D(4.0, 0.5, 0.0)}


def test_markers_go_when_their_time_is_over_or_they_are_deleted(scene):
    scene.markers(S, array(marker(1, 1, lifetime_s=2), marker(2, 1, lifetime_s=4), marker(3, 1)))
    assert [m.id for m, _ in scene.alive()] == [2, 3]
    scene.markers(2 * S, array(marker(3, 1, action=2)))
    assert [m.id for m, _ in scene.alive()] == [2]
    scene.markers(2 * S, array(marker(0, 1, action=3), marker(4, 1)))
    assert [m.id for m, _ in scene.alive()] == [4]


def test_picture_has_the_markers_color_on_the_map(scene, tmp_path):
    import matplotlib.image

    scene.markers(S, array(marker(1, 1)))
    scene.map(GridMap(np.array([[0.0, 1.0]]), 0.0, 0.0, 0.5), 'odom', S)
    assert draw(tmp_path / 'view.png', scene) == 1
    pixels = matplotlib.image.imread(tmp_path / 'view.png')[..., :3]
    assert np.all(pixels == (1.0, 0.0, 0.0), axis=-1).sum() > 100


@pytest.mark.slow
def test_command_draws_a_bag_or_says_that_there_is_nothing(tmp_path):
    def transform(time_ns):
        vector = kind('geometry_msgs/msg/Vector3')
        moved = kind('geometry_msgs/msg/Transform')(vector(1.0, 0.0, 0.0), quaternion())
        stamped = kind('geometry_msgs/msg/TransformStamped')
        return kind(TF)([stamped(header(time_ns, 'odom'), 'base_link', moved)])

    topics = [BagTopic('/tf', TF), BagTopic('/near_wall/markers', ARRAY)]
    with BagWriter(tmp_path / 'bag', topics) as bag:
        for second in range(4):
            message = transform(second * S)
            bag.write('/tf', second * S, bytes(STORE.serialize_cdr(message, TF)))
        message = array(marker(1, 2))
        bag.write('/near_wall/markers', 3 * S, bytes(STORE.serialize_cdr(message, ARRAY)))
    arguments = ['draw-view', str(tmp_path / 'bag'), '--out', str(tmp_path / 'view.png')]
    result = CliRunner().invoke(build_app(), [*arguments, '--rig', 'pair'])
    assert result.exit_code == 0, result.output
    assert '1 markers, path of 4 poses' in result.output.replace('\n', ' ')
    with_map = [*arguments, '--map', str(tmp_path / 'map.png')]
    result = CliRunner().invoke(build_app(), with_map)
    assert 'view.png is there already' in str(result.exception)
    result = CliRunner().invoke(build_app(), [*with_map, '--overwrite'])
    assert isinstance(result.exception, QuietNavError) and 'no near-wall map' in str(
        result.exception
    )
    with pytest.raises(QuietNavError, match='no odometry'):
        draw(tmp_path / 'x.png', PictureScene())


def test_an_hour_of_markers_keeps_what_their_ids_allow(scene):
    for i in range(3600):
        scene.markers(i * S, SimpleNamespace(markers=[marker(i % 30, i)]))
    assert len(scene.shown) == 30
