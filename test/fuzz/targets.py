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

"""Every parser of files with the seeds it is fuzzed from: a small good file of each form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import functools
import io
import json
import math
from pathlib import Path
import struct

import numpy as np
from PIL import Image
import soundfile
import yaml

from quiet_nav.files.opening import read_bytes
from quiet_nav.geometry import Side
from quiet_nav.quiet_campus.lists import read_obstacle_list, read_order_list, Row
from quiet_nav.resources import shared_folders


@dataclass(frozen=True)
class Target:
    """
    A parser: what it reads (a path to a file of that name), and good files.

    form: how values are written (yaml, json), '' where only bytes are changed.
    """

    name: str
    file: str
    parse: Callable[[Path], object]
    seeds: list[bytes]
    values: list[object] = field(default_factory=list)
    form: str = ''
    #: Other files that must lie beside it.
    beside: dict[str, bytes] = field(default_factory=dict)


def targets() -> dict[str, Target]:
    """Return every target whose libraries are installed, by name."""
    found = [*_text(), *_lists(), *_robots(), *_bags(), *_media(), *_models(), *_measured()]
    found += _kept()
    return {target.name: target for target in found}


def _yaml(name: str, parse: Callable[[Path], object], texts: list[str], **more: object) -> Target:
    values = [yaml.safe_load(text) for text in texts]
    return Target(name, f'{name}.yaml', parse, [t.encode() for t in texts], values, 'yaml', **more)


def _json(name: str, file: str, parse: Callable[[Path], object], *values: object) -> Target:
    return Target(name, file, parse, [json.dumps(v).encode() for v in values], list(values), 'json')


def _shipped(folder: str, names: tuple[str, ...]) -> list[str]:
    (first, *_) = shared_folders(folder)
    return [(first / name).read_text() for name in names]


MAP = 'image: room.pgm\nmode: raw\nresolution: 0.05\norigin: [-1.5, 2.25, 0.0]\nnegate: 0\n'
PGM = b'P5\n# made\n3 2\n255\n' + bytes([100, 50, 7, 0, 25, 255])


def _text() -> list[Target]:
    from quiet_nav.perception.maps.files import load_map
    from quiet_nav.perception.model_metadata import ModelMetadata
    from quiet_nav.perception.reference import RoomReference
    from quiet_nav.perception.rig import load_rig
    from quiet_nav.simulation.rooms.plan_files import load_plan

    def metadata(path: Path) -> object:
        # One property, as a text that stands in the file's metadata.
        good = ModelMetadata('window').to_strings()
        key, _, text = read_bytes(path).decode('utf-8', 'replace').partition('=')
        return ModelMetadata.from_strings({**good, key: text}, str(path))

    reference = RoomReference()
    rng = np.random.default_rng(0)
    for _ in range(3):
        for ear in (0, 1):
            reference.hear(ear, rng.normal(-12.0, 2.0, 160))
    kept = json.loads(_saved(reference))
    entries = ModelMetadata('window').to_strings().items()
    found = [
        _yaml('rig', load_rig, _shipped('config/rigs', ('pair.yaml', 'single.yaml'))),
        _yaml('room', load_plan, _shipped('config/rooms', ('hallway.yaml', 'classroom.yaml'))),
        _yaml('map', load_map, [MAP], beside={'room.pgm': PGM}),
        Target('map image', 'room.pgm', lambda p: load_map(p.with_name('map.yaml')), [PGM],
               beside={'map.yaml': MAP.encode()}),
        _json('reference', 'reference.json', RoomReference.load, kept),
        Target('metadata', 'metadata', metadata, [f'{k}={v}'.encode() for k, v in entries]),
    ]  # fmt: skip
    with_recipes = _recipes()
    return found + with_recipes


def _saved(reference: object) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'reference.json')
        reference.save(path)
        return path.read_text()


def _recipes() -> list[Target]:
    try:
        from quiet_nav.learning.recipe import load_recipe
    except ImportError:
        return []
    texts = _shipped('config/learning', ('paper.yaml', 'small.yaml', 'quiet_nav.yaml'))
    return [_yaml('recipe', load_recipe, texts)]


STATIC = 'path,depth,start second,IfObstacle\n./data/SFS-Static/ProcessedData/R/c,0.4,1,1\n'
ROBOT = (
    '"path","depth","start second","channel","side","IfObstacle"\n'
    '"./data/SFS-Robot/ProcessedData/R/p","0.37","0","1","RIGHT","1"\n'
)
MOTION = 'path,depth_path_1,IfObstacle\n./data/SFS-Motion/ProcessedData/s,d030.png,1\n'
ORDER = 'path,clip_1,clip_2,label\nProcessedData/R,a,b,1\n'
MOVING = 'path,depth_path_1,depth_path_2,distance\nProcessedData/s,d015.png,d100.png,-0.19\n'
EAR = {'channel': 0, 'side': 'LEFT', 'distance': 0.4, 'near': True}
ANNOTATION = {
    'depth': 0.4, 'Audio Length': 10.0, 'cell': [1, 2], 'start': 3.0, 'pose': {'x': 1.0, 'y': 2.0},
    'ears': [EAR], 'ears turned': [EAR], 'situation': 'any', 'light': 1.0, 'room': 'R', 'bag': 'b',
}  # fmt: skip
LABELS = {
    'rooms': {'kitchen': 'train'},
    'bags': {'b': {'room': 'kitchen', 'duration': 9.0, 'places': 2, 'kept': 6.0, 'left out': {},
                   'notes': []}},
}  # fmt: skip


def _lists() -> list[Target]:
    from quiet_nav.quiet_campus.annotation import read_annotation
    from quiet_nav.quiet_campus.rows import motion_distances, with_distance
    from quiet_nav.recordings.labeled_set import LabeledSet, read_assignment
    from quiet_nav.simulation.campus.build import _claim
    from quiet_nav.simulation.campus.request import CampusRequest
    from quiet_nav.trials.result_files import read_run, read_trials
    from quiet_nav.trials.tables import trials_to_json

    def annotation(path: Path) -> object:
        row = Row('R', path.parent / 'sound.wav')
        motion_distances(row)
        return read_annotation(path.parent), with_distance(row)

    def labels(path: Path) -> object:
        return LabeledSet(path.parents[1])

    def manifest(path: Path) -> object:
        return _claim(path.parent, CampusRequest('robot', 1, 0))

    def text(name: str, read: Callable[[Path], object], *seeds: str) -> Target:
        return Target(name, 'list.csv', read, [seed.encode() for seed in seeds])

    trial = {
        'room': 'classroom', 'track': 'corner', 'policy': 'tracker', 'rig': 'pair', 'index': 4,
        'offset_m': 0.8, 'heading': 'straight', 'distance_m': 3.5, 'length_m': 8.0,
        'outcome': 'collision', 'steps': 9, 'duration_s': 71.0, 'seed': 0, 'modality': 'audio',
        'switches': 0, 'variant': '', 'detector': 'near_wall',
    }  # fmt: skip
    listened = [{'pose': {'x': 0.0, 'y': 0.0, 'yaw': 0.0}, 'probabilities': [0.5, math.nan]}]
    run = {**trial, 'path': [[0.0, 1.0]], 'listened': listened}

    def trials(path: Path) -> object:
        return trials_to_json(read_trials(path))

    return [
        text('near-wall list', lambda p: read_obstacle_list(p, p.parent), STATIC, ROBOT, MOTION),
        text('order list', lambda p: read_order_list(p, p.parent), ORDER, MOVING),
        text('assignment list', read_assignment, 'bag,room,split\na,kitchen,train\n'),
        _json('annotation', 'annotation.json', annotation, ANNOTATION, {'depth': [0.4, 0.5]}),
        _json('labels', 'SFS-Static/labels.json', labels, LABELS),
        _json('manifest', 'SFS-Robot/manifest.json', manifest, {'request': {'kind': 'robot'}}),
        _json('demo run', 'run.json', read_run, run),
        _json('trials', 'trials.json', trials, {'tables': {}, 'trials': [{**trial, 'share': 0.4}]}),
    ]


HEARD = {
    'robot': 'r', 'rig': 'pair', 'ambience': -45.0, 'silent room': False,
    'ears': [{'channel': 0, 'side': 'LEFT', 'position': [0.0, 0.1, 0.2], 'own level': 3.0}],
    'sources': [{'name': 'fan', 'position': [0.0, 0.0, 0.1], 'standing': -60.0, 'driving': None,
                 'switches': False}],
}  # fmt: skip
CLIPS = 'filename,fold,target,category,esc10,src_file,take\n1-1-A-0.wav,1,0,dog,True,1,A\n'


def _robots() -> list[Target]:
    from quiet_nav.quiet_campus.folders import ROBOTS
    from quiet_nav.quiet_campus.robots import read_robot
    from quiet_nav.simulation.sound import clips
    from quiet_nav.simulation.sound.robot_profile import find_profile

    def robot(path: Path) -> object:
        return read_robot(path.parents[2], path.parent.name)

    def listed(path: Path) -> object:
        clips._esc50.cache_clear()
        return clips.list_clips(path.parents[1], 'event-')

    names = ('fan.sound.yaml', 'turtlebot4.sound.yaml')
    return [
        _yaml('robot profile', find_profile, _shipped('config/robots', names)),
        _json('heard robot', f'{ROBOTS}/R/annotation.json', robot, HEARD),
        Target('list of clips', clips.ESC50_LIST, listed, [CLIPS.encode()]),
    ]


def _bags() -> list[Target]:
    import tempfile

    from bag_recording import Recording, standing

    from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
    from quiet_nav.recordings.playback import events
    from quiet_nav.view.bag import look_into

    def read(path: Path) -> object:
        with Bag(path) as bag:
            return sum(1 for _ in events(bag, find_topics(bag, BagTopics())))

    def looked(path: Path) -> object:
        return sum(1 for _ in look_into(path).messages(sound=True))

    found = []
    with tempfile.TemporaryDirectory() as folder:
        made = Recording()
        made.info(channels=1)
        made.sound(0.5, channels=1)
        made.odometry(standing, 0.5)
        made.depth(lambda _: 0.7, 0.5, size=(4, 6))
        for storage, parse in (('mcap', read), ('mcap', looked), ('sqlite3', read)):
            bag = made.write(Path(folder, f'{len(found)}', 'bag'), storage)
            files = {path.name: path.read_bytes() for path in bag.iterdir()}
            (data,) = (name for name in files if name != 'metadata.yaml')
            about = {'bag/metadata.yaml': files['metadata.yaml']}
            name = f'bag of {storage}' + (', looked at' if parse is looked else '')
            found.append(Target(name, f'bag/{data}', lambda path, parse=parse: parse(path.parent),
                                [files[data]], beside=about))  # fmt: skip
            if len(found) == 1:
                said = files['metadata.yaml']
                found.append(
                    Target('bag metadata', 'bag/metadata.yaml', lambda path: read(path.parent),
                           [said], [yaml.safe_load(said)], 'yaml', {f'bag/{data}': files[data]})
                )  # fmt: skip
        old = made.write(Path(folder, 'old.bag'), 'ros1')
        found.append(Target('bag of ROS 1', 'old.bag', read, [old.read_bytes()]))
    return found


def _measured() -> list[Target]:
    """Measured data of others, in the form that they are published in and in ours."""
    from quiet_nav.evaluation.reality.measurements import load_epuck_wall, load_measured_room

    rng = np.random.default_rng(0)

    def packed(**arrays: np.ndarray) -> list[bytes]:
        found = []
        for save in (np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, **arrays)
            found.append(buffer.getvalue())
        return found

    room = packed(
        responses=rng.integers(-99, 99, (2, 3, 40)).astype(np.int16),
        scale=np.full((2, 3, 1), 1e-4, np.float32),
        absorption_percent=np.array([0, 50]),
        source=np.array(['S000-100', 'S090-100', 'SBG1']),
        source_xy_m=rng.uniform(0.0, 5.0, (3, 2)),
        receiver_xy_m=np.array([6.0, 2.0]),
        room_m=np.array([9.7, 5.5, 2.7]),
    )
    wall = packed(
        distance_m=np.linspace(0.1, 0.4, 4),
        frequency_hz=np.linspace(600.0, 2000.0, 5),
        magnitude=rng.uniform(0.0, 1.0, (4, 5, 2)),
    )
    notes = (
        'frequencies,n_mics,signals_real_vect,signals_imag_vect\n'
        '[1.0 2.0 3.0],2,[0.1 9.0 0.1 0.2 8.0 0.2],[0.0 0.0 0.0 0.0 0.0 0.0]\n'
    )
    names = [f'motors_a_noprops_{10 * number}.csv' for number in range(8)]
    beside = {f'csv_files/{name}': notes.encode() for name in names[1:]}
    return [
        Target('measured room', 'room.npz', load_measured_room, room),
        Target('measured wall', 'wall.npz', load_epuck_wall, wall),
        Target('notes at a wall', f'csv_files/{names[0]}',
               lambda path: load_epuck_wall(path.parent), [notes.encode()], beside=beside),
    ]  # fmt: skip


def _kept() -> list[Target]:
    """Files that quiet_nav itself keeps and reads again."""
    from quiet_nav.perception.fingerprint import Fingerprint
    from quiet_nav.perception.interference import load_places

    fingerprint = {
        'format': 1, 'rig': 'r', 'robot': 'x', 'made_ns': 5,
        'frequency_hz': [100.0 * number for number in range(1, 9)],
        'ears': {'0': [[-3.0] * 8] * 3, '1': [[-3.5] * 8]},
    }  # fmt: skip

    def learned(path: Path) -> object:
        found = Fingerprint.load(path, 'r', 'x')
        return found.get(0), found.get(1)

    found = [
        _json('fingerprint', 'fingerprint.json', learned, fingerprint),
        _yaml('own sound', load_places, _shipped('config/robots', ('turtlebot4.sound.yaml',))),
    ]
    return found + _stop() + _scores()


def _stop() -> list[Target]:
    from quiet_nav.nodes.wall_follower.emergency_stop import EmergencyStop

    def latched(path: Path) -> object:
        # Whatever the file says, the robot stands.
        assert EmergencyStop(path).reason
        return None

    return [_json('emergency stop', 'latch.json', latched, {'reason': 'pressed'})]


def _scores() -> list[Target]:
    try:
        from quiet_nav.study.run import read_scores
    except ImportError:
        return []
    value = {'value': 0.5, 'low': 0.4, 'high': 0.6}
    figure = {'value': value, 'chance': value, 'no_input': None, 'higher_is_better': True}
    part = {
        'low': None, 'high': None, 'task': 'near-wall', 'kind': 'binary', 'rows': 9, 'rooms': 3,
        'figures': {'AP': figure}, 'draws': {'rooms': ['a'], 'values': [0.5, None]},
    }  # fmt: skip
    return [_json('scores', 'scores.json', read_scores, [part])]


def _media() -> list[Target]:
    from quiet_nav.files.images import read_rgb
    from quiet_nav.quiet_campus.rows import duration_s, read_audio, with_distance

    def sound(path: Path) -> object:
        row = Row('R', path, channel=1, side=Side.LEFT)
        return duration_s(row), read_audio(row, 0.1, 3.0)

    def depth(path: Path) -> object:
        return with_distance(Row('R', path.parents[1] / 'Audio' / 'sound.wav', frame=0))

    rng = np.random.default_rng(0)
    samples = 0.02 * rng.standard_normal((3200, 2))
    sounds = []
    for form, subtype in (('WAV', 'PCM_16'), ('WAV', 'FLOAT'), ('FLAC', 'PCM_16'), ('OGG', None)):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, 16_000, format=form, subtype=subtype)
        sounds.append(buffer.getvalue())
    color = rng.integers(0, 256, (16, 12, 3)).astype(np.uint8)
    gray = rng.integers(0, 65536, (16, 12)).astype(np.uint16)
    return [
        Target('sound', 'sound.wav', sound, sounds),
        Target('image', 'RGB.png', read_rgb, [_png(color), _png(color, 'JPEG'), _bomb()]),
        Target('depth image', 'Depth/d007.png', depth, [_png(gray), _png(color), _bomb()]),
    ]


def _png(pixels: np.ndarray, form: str = 'PNG') -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@functools.cache
def _bomb() -> bytes:
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    side = 13_000
    header = struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b'\0' * (side * (1 + side // 8)), 9)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', rows)


def _models() -> list[Target]:
    try:
        import onnx
    except ImportError:
        return []
    from quiet_nav.perception.detector import NearWallDetector
    from quiet_nav.perception.model_metadata import ModelMetadata
    from quiet_nav.perception.sight.image_detector import ImageDetector

    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node('ReduceMean', ['waveform', 'axis'], ['mean'], keepdims=0),
        helper.make_node('Sigmoid', ['mean'], ['probability']),
        helper.make_node('Unsqueeze', ['probability', 'axis'], ['column']),
        helper.make_node('Expand', ['column', 'shape'], ['wide']),
        helper.make_node('Softmax', ['wide'], ['distance_probabilities'], axis=1),
        helper.make_node('Sub', ['mean', 'mean'], ['spread']),
    ]
    constants = {'axis': np.array([1]), 'shape': np.array([1, 12])}
    graph = helper.make_graph(
        nodes,
        'seed',
        [helper.make_tensor_value_info('waveform', real, ['n', 480])],
        [helper.make_tensor_value_info(name, real, None)
         for name in ('probability', 'distance_probabilities', 'spread')],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    for key, text in ModelMetadata('window', 480).to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    data = model.SerializeToString()
    return [
        Target('model', 'model.onnx', NearWallDetector.load, [data]),
        Target('image model', 'model.onnx', ImageDetector.load, [data]),
        *_checkpoints(),
    ]


def _checkpoints() -> list[Target]:
    try:
        import torch

        from quiet_nav.learning.authors.weights import read_authors_checkpoint
        from quiet_nav.learning.checkpoints import load_checkpoint, starting_point, task_of
        from quiet_nav.learning.recipe import Recipe, recipe_to_dict
    except ImportError:
        return []

    def load(path: Path) -> object:
        return task_of(load_checkpoint(path)[2])

    seeds = []
    plain = {'recipe': recipe_to_dict(Recipe())}
    task = {'name': 'order', 'variant': '', 'inputs': 'audio', 'state': {}}
    for parameters in (plain, {**plain, 'task': task}, {'task': 1.5}, 1.5, {'recipe': 2.0}):
        for new in (True, False):
            buffer = io.BytesIO()
            content = {'hyper_parameters': parameters, 'state_dict': {'network.a': torch.zeros(3)}}
            torch.save(content, buffer, _use_new_zipfile_serialization=new)
            seeds.append(buffer.getvalue())
    return [
        Target('checkpoint', 'x.ckpt', load, seeds),
        Target("authors' checkpoint", 'x.pth.tar', read_authors_checkpoint, _published()),
        Target('network to start from', 'x.onnx', starting_point, [_first_network()]),
    ]


def _first_network() -> bytes:
    """Return a model with the one layer by which the network that it is of is known."""
    import onnx

    from quiet_nav.perception.model_metadata import ModelMetadata

    weights = onnx.numpy_helper.from_array(np.zeros((16, 1, 3, 3), np.float32), 'features.0.weight')
    graph = onnx.helper.make_graph([], 'seed', [], [], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)])
    for key, text in ModelMetadata('context', 48_000).to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    return bytes(model.SerializeToString())


def _published() -> list[bytes]:
    """Return files with a few of the names that the authors' have."""
    import torch

    found = []
    for names in (('net.features.0.weight', 'fc.1.weight'), ('net.features.0.weight', 'x')):
        buffer = io.BytesIO()
        torch.save({'state_dict': {f'module.{name}': torch.zeros(3) for name in names}}, buffer)
        found.append(buffer.getvalue())
    return found
