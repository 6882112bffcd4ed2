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

"""A vision model without a network: says an image's mean over 255 as near-wall probability."""

import numpy as np
import onnx
from onnx import helper, TensorProto

from quiet_nav.perception.model_metadata import ModelMetadata


def write_model(path, metadata=None):
    """Says the mean of the image over 255 as probability, and an even distance distribution."""
    metadata = metadata or ModelMetadata('resnet', modality='vision')
    bins = metadata.bins.count
    nodes = [
        helper.make_node('Cast', ['image'], ['real'], to=TensorProto.FLOAT),
        helper.make_node('ReduceMean', ['real', 'axes'], ['mean'], keepdims=0),
        helper.make_node('Div', ['mean', 'full'], ['probability']),
        helper.make_node('Unsqueeze', ['probability', 'one'], ['column']),
        helper.make_node('Mul', ['column', 'zero'], ['nothing']),
        helper.make_node('Add', ['nothing', 'even'], ['distance_probabilities']),
    ]
    constants = {
        'axes': np.array([1, 2, 3]),
        'full': np.float32(255.0),
        'one': np.array([1]),
        'zero': np.float32(0.0),
        'even': np.full(bins, 1 / bins, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        'mean',
        [helper.make_tensor_value_info('image', TensorProto.UINT8, ['n', 'h', 'w', 3])],
        [
            helper.make_tensor_value_info('probability', TensorProto.FLOAT, ['n']),
            helper.make_tensor_value_info('distance_probabilities', TensorProto.FLOAT, ['n', bins]),
        ],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    for key, value in metadata.to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


def room(level, seed=0, shape=(120, 160, 3)):
    """Something to see: patches of 8 x 8 pixels, no two alike."""
    rng = np.random.default_rng(seed)
    patches = level + 25.0 * rng.standard_normal((-(-shape[0] // 8), shape[1] // 8, 1))
    pixels = np.repeat(np.repeat(patches, 8, axis=0), 8, axis=1)[: shape[0]] * np.ones(3)
    return np.clip(pixels, 0, 255).astype(np.uint8)
