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

"""A model file of clips for tests: how loud a clip is, said as a probability."""

import numpy as np
import onnx
from onnx import helper, TensorProto

from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.sound.windows import CLIP_SAMPLES, WINDOW_SAMPLES


def write_model(path, kind='vggish', full=0.01):
    """
    Says the mean square over ``full`` as probability, 1 at most, and an even distance distribution.

    kind: vggish, of clips, or window, which says a spread of 0, too.
    """
    samples = CLIP_SAMPLES if kind == 'vggish' else WINDOW_SAMPLES
    metadata = ModelMetadata(kind, samples)
    bins = metadata.bins.count
    nodes = [
        helper.make_node('Mul', ['waveform', 'waveform'], ['square']),
        helper.make_node('ReduceMean', ['square', 'axes'], ['mean'], keepdims=0),
        helper.make_node('Div', ['mean', 'full'], ['share']),
        helper.make_node('Min', ['share', 'most'], ['probability']),
        helper.make_node('Unsqueeze', ['probability', 'axes'], ['column']),
        helper.make_node('Mul', ['column', 'zero'], ['nothing']),
        helper.make_node('Add', ['nothing', 'even'], ['distance_probabilities']),
    ]
    outputs = [('probability', ['n']), ('distance_probabilities', ['n', bins])]
    if kind == 'window':
        nodes.append(helper.make_node('Mul', ['probability', 'zero'], ['spread']))
        outputs.append(('spread', ['n']))
    constants = {
        'axes': np.array([1]),
        'full': np.float32(full),
        'most': np.float32(1.0),
        'zero': np.float32(0.0),
        'even': np.full(bins, 1 / bins, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        'loudness',
        [helper.make_tensor_value_info('waveform', TensorProto.FLOAT, ['n', samples])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    for key, value in metadata.to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path
