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

"""Models that others made end within their time and memory, or are refused before they run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.files import models
from quiet_nav.files.models import OnnxModel
from quiet_nav.files.onnx_graph import check_graph

onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)')
helper, FLOAT, BOOL = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.BOOL
ONES = {'x': np.ones((2, 8), np.float32)}


def save(path, nodes, **constants):
    values = [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(
        nodes,
        'graph',
        [helper.make_tensor_value_info('x', FLOAT, ['n', 8])],
        [helper.make_tensor_value_info('y', FLOAT, None)],
        values,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    onnx.save(model, str(path))
    return path


def endless(path):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node('Identity', ['go'], ['on']),
            helper.make_node('Add', ['v', 'v'], ['twice']),
        ],
        'body',
        [info('i', onnx.TensorProto.INT64, []), info('go', BOOL, []), info('v', FLOAT, None)],
        [info('on', BOOL, []), info('twice', FLOAT, None)],
    )
    return save(path, [helper.make_node('Loop', ['', 'true', 'x'], ['y'], body=body)], true=True)


def test_a_graph_that_may_never_end_is_refused_before_it_runs(tmp_path):
    with pytest.raises(QuietNavError, match=r'loop\.onnx: its graph has a Loop'):
        OnnxModel(endless(tmp_path / 'loop.onnx'))


def test_a_run_ends_by_its_time_or_when_it_is_told_to(tmp_path, monkeypatch):
    monkeypatch.setattr(models, 'check_graph', lambda *_: None)
    model = OnnxModel(endless(tmp_path / 'loop.onnx'), limit_s=0.2)
    with pytest.raises(QuietNavError, match=r'took longer than 0\.2 s or was stopped'):
        model.run(ONES)
    model.limit_s = 60.0
    timer = threading.Timer(0.2, model.stop)
    timer.start()
    with pytest.raises(QuietNavError, match='was stopped'):
        model.run(ONES)


def test_a_run_that_asks_for_more_memory_than_there_is_ends(tmp_path):
    for name, shape in (('large', [50_000, 20_000]), ('huge', [2**31, 2**31])):
        nodes = [
            helper.make_node('ReduceMean', ['x'], ['mean'], keepdims=0),
            helper.make_node('Expand', ['mean', 'shape'], ['y']),
        ]
        model = OnnxModel(save(tmp_path / f'{name}.onnx', nodes, shape=np.array(shape)))
        with pytest.raises(QuietNavError, match=rf'{name}\.onnx: cannot be run') as found:
            model.run(ONES)
        assert '\n' not in str(found.value)


def test_weights_in_other_files_are_refused(tmp_path):
    node = helper.make_node('Add', ['x', 'one'], ['y'])
    path = save(tmp_path / 'inside.onnx', [node], one=np.ones(8, np.float32))
    assert np.array_equal(OnnxModel(path).run(ONES)[0], np.full((2, 8), 2.0))
    model = onnx.load(str(path))
    onnx.save(
        model, str(tmp_path / 'out.onnx'), save_as_external_data=True, size_threshold=0,
        location='weights.bin',
    )  # fmt: skip
    with pytest.raises(QuietNavError, match=r'out\.onnx: it keeps weights in other files'):
        OnnxModel(tmp_path / 'out.onnx')


def test_inputs_that_do_not_fit_are_one_line(tmp_path):
    model = OnnxModel(save(tmp_path / 'x.onnx', [helper.make_node('Identity', ['x'], ['y'])]))
    for feeds in ({}, {'x': np.ones(3)}, {'x': np.ones((2, 7), np.float32)}):
        with pytest.raises(QuietNavError, match=r'x\.onnx: cannot be run') as found:
            model.run(feeds)
        assert '\n' not in str(found.value)


def test_files_that_are_cut_anywhere_are_one_line(tmp_path):
    whole = endless(tmp_path / 'loop.onnx').read_bytes()
    path = tmp_path / 'cut.onnx'
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(QuietNavError, match=r'^model: .*') as found:
            OnnxModel(path, where='model')
        assert '\n' not in str(found.value)


@pytest.mark.slow
def test_a_message_of_millions_of_fields_is_given_up(tmp_path):
    (tmp_path / 'x.onnx').write_bytes(b'\x08\x01' * 3_000_000)
    with pytest.raises(QuietNavError, match='too large'):
        check_graph(tmp_path / 'x.onnx')


def test_onnxruntime_reports_to_nobody_unless_the_user_lets_it():
    code = (
        'import os, sys, quiet_nav; early = "onnxruntime" in sys.modules; '
        'import quiet_nav.files.models; print(early, os.environ["ORT_DISABLE_TELEMETRY"])'
    )
    environment = {k: v for k, v in os.environ.items() if k != 'ORT_DISABLE_TELEMETRY'}
    # It says so in red where it finds no place to keep the number of the device.
    environment['HOME'] = environment['XDG_CACHE_HOME'] = '/proc/nohome'
    for given, wanted in (({}, '1'), ({'ORT_DISABLE_TELEMETRY': '0'}, '0')):
        done = subprocess.run(
            [sys.executable, '-c', code], env=environment | given, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout == f'False {wanted}\n'
        assert wanted == '0' or 'telemetry' not in done.stderr
