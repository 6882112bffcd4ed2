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

"""The parameters of the node `realsense`."""

from __future__ import annotations

from dataclasses import dataclass

from quiet_nav.nodes.parameters import parameter
from quiet_nav.perception.sight.realsense.camera import CameraRequest

_PROFILE = (
    'WIDTHxHEIGHTxFPS of the {} images, as 640x480x6; empty: of those that the camera offers the '
    'one nearest to 640x480x6, of a file what was recorded'
)


@dataclass(frozen=True)
class RealSenseParameters:
    """Set them before configuring; a change later counts from the next configuration on."""

    camera_name: str = parameter(
        'camera', 'topics are camera/NAME/..., frames NAME_...', read_only=True
    )
    serial_no: str = parameter(
        '', 'serial number of the camera; empty: the first one', number_is_text=True
    )
    file: str = parameter('', 'recording (.bag, .db3) to publish instead of a camera')
    loop: bool = parameter(False, 'begin the file again at its end')
    wait_for_subscriber: bool = parameter(
        True, 'begin the file when one of its images has a subscriber'
    )
    enable_color: bool = parameter(True, 'publish color images')
    enable_depth: bool = parameter(True, 'publish depth images')
    color_profile: str = parameter('', _PROFILE.format('color'))
    depth_profile: str = parameter('', _PROFILE.format('depth'))
    align_depth: bool = parameter(False, 'publish depth also in the pixels of the color image')
    publish_tf: bool = parameter(True, 'publish the frames of the camera below NAME_link')
    reconnect_timeout: float = parameter(
        2.0, 'a camera that is gone is looked for every so often (s)', minimum=0.1, maximum=60.0
    )
    min_rate: float = parameter(
        0.6, "share of the profile's images a second below which to warn", minimum=0.0, maximum=1.0
    )
    max_unread: float = parameter(
        0.9, 'share of depth pixels without a reading above which to warn', minimum=0.0, maximum=1.0
    )

    def __post_init__(self) -> None:
        self.request()

    def request(self) -> CameraRequest:
        """Return what the camera is asked for; QuietNavError where that cannot be."""
        return CameraRequest(
            self.serial_no,
            self.file,
            self.enable_color,
            self.enable_depth,
            self.color_profile,
            self.depth_profile,
            self.align_depth,
        )
