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

"""The parameters of the node `near_wall`; all are read when it is configured."""

from __future__ import annotations

from dataclasses import dataclass
import functools

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.nodes import parameters
from quiet_nav.nodes.files import DATA_FOLDER
from quiet_nav.nodes.image_input import IMAGE_TOPIC
from quiet_nav.perception.readings import (
    Context,
    CONTEXT_NAMES,
    parse_context,
    parse_question,
    Question,
    QUESTIONS,
)
from quiet_nav.perception.rolling import RollingSettings
from quiet_nav.perception.sight.looking import LookingSettings
from quiet_nav.sound.validity import ValidityLimits

MODALITIES = ('audio', 'vision', 'both')
#: Whatever the detector is made of is read when the node is configured.
parameter = functools.partial(parameters.parameter, at_configure=True)


@dataclass(frozen=True)
class NearWallParameters:
    """Read when the node is configured; they can be set before, and again after a cleanup."""

    modality: str = parameter(
        'audio', 'what readings are made of: audio, vision or both', choices=MODALITIES
    )
    model: str = parameter(
        '',
        'a model that ships, by name, an ONNX file, or interference (by own sound, no model); '
        'empty: near_wall',
    )
    rig: str = parameter('pair', 'where the ears are: a rig by name (config/rigs), or a YAML file')
    rate_hz: float = parameter(2.0, 'decisions a second', minimum=0.1, maximum=10.0)
    clips: int = parameter(
        20,
        'clips of 0.96 s of a window: a model of clips (vggish) answers with their mean; one that '
        'reads the whole window (near_wall) decides without them and says by them how sure it is',
        minimum=1,
        maximum=100,
    )
    threads: int = parameter(2, 'threads of onnxruntime', minimum=1, maximum=64)
    seed: int = parameter(
        -1,
        'clips drawn at random from this seed, as in the paper; -1: evenly spaced, which lets a '
        'model of clips reuse those that the last windows held, too',
        minimum=-1,
        maximum=2**31 - 1,
    )
    context: str = parameter(
        'both',
        'what may be used beside the window: alone, reference, other_ears, both',
        choices=tuple(CONTEXT_NAMES),
    )
    question: str = parameter(
        'direction',
        'which wall: the one in the direction of the ear, or the nearest (one ear that faces it)',
        choices=QUESTIONS,
    )
    max_age_s: float = parameter(
        1.0, 'older sound (or an older image) gives no valid reading (s)', minimum=0.1, maximum=60.0
    )
    max_clipped: float = parameter(
        0.001, 'largest share of samples at full scale', minimum=0.0, maximum=1.0
    )
    silence_dbfs: float = parameter(
        -90.0, 'level below which a microphone is dead (dBFS)', minimum=-200.0, maximum=0.0
    )
    use_odometry: bool = parameter(
        True, 'learn the room only while odom says that the robot stands; remember headings'
    )
    revise: bool = parameter(
        True, 'after a turn, publish better readings of the headings heard before, too'
    )
    place_m: float = parameter(
        0.1, 'windows of other headings count until so far away (m)', minimum=0.0, maximum=2.0
    )
    place_s: float = parameter(
        30.0, 'windows of other headings count for so long (s)', minimum=0.0, maximum=600.0
    )
    data_folder: str = parameter('', DATA_FOLDER, read_only=True)
    reference_file: str = parameter(
        '',
        "the room's reference below data_folder, read on configure and written on deactivate; "
        'empty: none',
    )
    own_sound: str = parameter(
        '',
        'profile of the robot whose own standing sound the ears hear: turtlebot4, a .sound.yaml '
        'file; empty: it is not looked for',
    )
    fingerprint_file: str = parameter(
        '',
        'what the ears hear of the own sound far from walls, below data_folder, read on configure, '
        'written after ~/calibrate and, where it was learned, on deactivate; empty: none',
    )
    frame_id: str = parameter(
        'base_link', "frame of the messages about sound; an image's have the camera's"
    )
    vision_model: str = parameter('', 'ONNX file for images; empty: the one that ships')
    image_rate_hz: float = parameter(2.0, 'images read a second', minimum=0.1, maximum=30.0)
    image_topic: str = parameter(IMAGE_TOPIC, 'images; camera_info is looked for beside them')
    image_transport: str = parameter(
        'raw', 'compressed: IMAGE_TOPIC/compressed', choices=('raw', 'compressed')
    )
    camera_side: str = parameter(
        '',
        'where the camera looks: front, left, right, back; empty: ask tf, front where it is silent',
        choices=('', *(side.name.lower() for side in Side)),
    )

    def __post_init__(self) -> None:
        if self.image_topic.endswith(('/compressed', '/compressedDepth')):
            raise QuietNavError(
                f'image_topic {self.image_topic}: expected the topic of the raw image; for its '
                'compressed one set image_transport to compressed'
            )

    @property
    def hears(self) -> bool:
        return self.modality != 'vision'

    @property
    def sees(self) -> bool:
        return self.modality != 'audio'

    def looking(self) -> LookingSettings:
        return LookingSettings(self.image_rate_hz, self.max_age_s)

    def limits(self) -> ValidityLimits:
        return ValidityLimits(self.max_age_s, self.max_clipped, self.silence_dbfs)

    def rolling(self) -> RollingSettings:
        return RollingSettings(self.rate_hz, self.revise, self.place_m, self.place_s)

    def context_wanted(self) -> Context:
        return parse_context(self.context)

    def question_asked(self) -> Question:
        return parse_question(self.question)

    def seed_or_none(self) -> int | None:
        return None if self.seed < 0 else self.seed
