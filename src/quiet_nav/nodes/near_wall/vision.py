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

"""The half of the node `near_wall` that looks: a camera's images in, readings out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import math
import threading

from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import CompressedImage, Image

from quiet_nav.geometry import Side
from quiet_nav.nodes.base import ManagedNode
from quiet_nav.nodes.diagnostics import Level, Status
from quiet_nav.nodes.failures import Worker
from quiet_nav.nodes.image_input import ImageInput
from quiet_nav.nodes.intake import cause_of
from quiet_nav.nodes.near_wall.parameters import NearWallParameters
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.sight.image_detector import ImageDetector
from quiet_nav.perception.sight.looking import Looker
from quiet_nav.perception.transforms import Transform

#: The model has seen views of about 55 degrees; beyond a fifth of that distances look others.
USUAL_FOV_DEG, MOST_FOV_CHANGE = 55.0, 0.2


class NearWallVision:
    """
    Reads images at the node's rate in its worker; ``say`` gets each reading and its frame.

    Also the camera's place and axis in base_link, None where tf does not know them. Made where the
    node becomes active and destroyed where it ends.
    """

    def __init__(
        self,
        node: ManagedNode,
        detector: ImageDetector,
        p: NearWallParameters,
        worker: Worker,
        say: Callable[[NearWallReading, str, Transform | None], None],
    ) -> None:
        self._node, self._worker, self._say, self._p = node, worker, say, p
        self._looker = Looker(detector, p.looking())
        self._frame = p.frame_id
        self._busy = False
        self._images = self._drops = 0
        self._reasons: set[str] = set()
        self._lock = threading.Lock()
        self._fault = ''
        self._latency_s = math.nan
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._input = ImageInput(
            node,
            self._on_image,
            p.image_topic,
            p.image_transport == 'compressed',
            p.camera_side,
            p.frame_id,
        )
        period_s = 1.0 / p.image_rate_hz
        self._timer = node.create_timer(period_s, self._on_silence, clock=self._steady)

    def destroy(self) -> None:
        self._input.destroy()
        self._node.destroy_timer(self._timer)

    def _on_image(self, message: Image | CompressedImage) -> None:
        now = now_ns(self._node)
        if not self._looker.due(now):
            return
        if self._busy:
            self._drops += 1
            return
        self._busy = True
        self._worker.submit(self._read, message, now)

    def _on_silence(self) -> None:
        """Say that there are no images: silence must not look like all is well."""
        said = self._looker.silence(self._side, now_ns(self._node))
        if said is None or self._busy:
            return
        if not self._input.publishers:
            advice = (
                f': nobody publishes {self._input.topic}; is the camera on, and its topic this?'
            )
            said = replace(said, reason=said.reason + advice)
        self._worker.submit(self._tell, said)

    @property
    def _side(self) -> Side:
        return self._input.side(self._frame)

    # In the worker's thread

    def _read(self, message: Image | CompressedImage, came_ns: int) -> None:
        try:
            begun = self._steady.now().nanoseconds
            self._frame = message.header.frame_id or self._p.frame_id
            picture = self._input.picture(message)
            self._tell(self._looker.look(picture, self._side, came_ns))
            self._latency_s = (self._steady.now().nanoseconds - begun) / 1e9
            self._images += 1
        finally:
            self._busy = False

    def _tell(self, reading: NearWallReading) -> None:
        kind = reading.reason.partition(':')[0]
        if kind != self._fault and not reading.valid:
            self._node.log.warn(f'camera: {reading.reason}', cause=f'camera: {cause_of(kind)}')
        self._fault = kind
        if not reading.valid:
            with self._lock:
                self._reasons.add(reading.reason)
        self._say(reading, self._frame, self._input.axis(self._frame))

    def status(self) -> Status:
        """Return what there is to say of camera and images since the last time."""
        last_ns, fov_deg = self._looker.last_ns, math.degrees(self._input.fov_rad)
        drops, self._drops = self._drops, 0
        values: dict[str, object] = {
            'vision model': self._looker.detector.model.path,
            'camera publishers': self._input.publishers,
            'camera side': self._side.name.lower(),
            'camera side from': 'tf or camera_side'
            if self._input.knows_side(self._frame)
            else 'nobody: taken as front',
            'camera field of view deg': 'no camera_info' if math.isnan(fov_deg) else fov_deg,
            'images read': self._images,
            'image latency s': self._latency_s,
            'image age s': math.inf if last_ns is None else (now_ns(self._node) - last_ns) / 1e9,
        }
        with self._lock:
            reasons, self._reasons = sorted(self._reasons), set()
        if self._looker.silence(self._side, now_ns(self._node)) is not None:
            return Status(Level.ERROR, f'camera: {reasons[-1] if reasons else "silent"}', values)
        if reasons:
            return Status(Level.WARN, 'camera: ' + '; '.join(reasons), values)
        if abs(fov_deg - USUAL_FOV_DEG) > MOST_FOV_CHANGE * USUAL_FOV_DEG:
            text = f'camera: field of view {fov_deg:.0f} degrees, trained with {USUAL_FOV_DEG:.0f}'
            return Status(Level.WARN, text, values)
        if drops:
            text = f'camera: {drops} images dropped: too slow for image_rate_hz'
            return Status(Level.WARN, text, values)
        return Status(Level.OK, 'camera is seen', values)
