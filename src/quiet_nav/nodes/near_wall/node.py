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

"""Node `near_wall`: listens with a rig, looks with a camera; says how likely a wall is in 0.5 m."""

from __future__ import annotations

from collections import deque
import math
from pathlib import Path
import sys
import threading

from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.qos import qos_profile_sensor_data
from std_srvs.srv import Trigger

from quiet_nav.errors import QuietNavError
from quiet_nav.msg import NearWall
from quiet_nav.nodes.audio_input import AudioInput
from quiet_nav.nodes.base import ManagedNode, transition
from quiet_nav.nodes.camera_messages import make_bridge
from quiet_nav.nodes.conversions import motion_from_msg, reading_to_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Level, merged, Status
from quiet_nav.nodes.failures import Worker
from quiet_nav.nodes.files import below, data_folder
from quiet_nav.nodes.heartbeat import Heartbeat
from quiet_nav.nodes.near_wall.display import NearWallDisplay
from quiet_nav.nodes.near_wall.own_sound import OwnSound
from quiet_nav.nodes.near_wall.parameters import NearWallParameters
from quiet_nav.nodes.near_wall.vision import NearWallVision
from quiet_nav.nodes.parameters import Parameters
from quiet_nav.nodes.runtime import now_ns, run
from quiet_nav.perception.detector import DetectorSession
from quiet_nav.perception.interference_detector import load_detector
from quiet_nav.perception.messages import checked_ns
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import CAMERA_RIG, find_rig, Rig
from quiet_nav.perception.rolling import Decision, no_readings, RollingListener, Tick
from quiet_nav.perception.sight.image_detector import ImageDetector
from quiet_nav.perception.sight.image_validity import ImageLimits
from quiet_nav.perception.transforms import Transform
from quiet_nav.resources import shared_file
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import stale_fault

#: Decisions that may wait for the one that is being computed; older ones are dropped.
BACKLOG = 2
#: A decision that takes longer than this, and than four periods, counts as hung: no heartbeat.
LONGEST_DECISION_S = 2.0


class NearWallNode(ManagedNode):
    """Publishes `near_wall`, a message an ear and decision, or image; computes in a worker."""

    def __init__(self, **options: object) -> None:
        super().__init__('near_wall', **options)
        self._publisher = None
        self._declared = Parameters(
            self, NearWallParameters, configured=lambda: self._publisher is not None
        )
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._settings: NearWallParameters = self._declared.value
        self._fault = ''
        self._rig: Rig | None = None
        self._kept: Path | None = None
        self._session: DetectorSession | None = None
        self._eyes: ImageDetector | None = None
        self._own: OwnSound | None = None
        self._stop_listening()
        self.create_service(Trigger, 'near_wall/calibrate', self._on_calibrate)
        self._diagnostics = Diagnostics(self, 'detector', self._health)

    def _stop_listening(self) -> None:
        self._audio: AudioInput | None = None
        self._listener: RollingListener | None = None
        self._vision: NearWallVision | None = None
        self._worker: Worker | None = None
        self._heart: Heartbeat | None = None
        self._display: NearWallDisplay | None = None
        self._entities: list = []
        self._ticks: deque[Tick] = deque()
        self._lock = threading.Lock()
        self._last: Decision | None = None
        self._reasons: set[str] = set()
        self._decisions = self._drops = self._drops_reported = 0
        self._latency_s = self._delay_s = math.nan

    # Lifecycle

    @transition
    def on_configure(self, _state: object) -> None:
        p = self._settings = self._declared.value
        try:
            self._kept = _file_of(p)
            if p.hears:
                self._rig = find_rig(p.rig)
                detector = load_detector(p.model, p.threads, p.clips, p.limits())
                self._own = OwnSound.of(self, p, self._rig)
                self._session = detector.session(
                    p.context_wanted(),
                    _reference(self._kept),
                    p.seed_or_none(),
                    p.question_asked(),
                    self._own.standing,
                )
            if p.sees:
                make_bridge()
                model = p.vision_model or shared_file('models/near_wall_vision.onnx')
                self._eyes = ImageDetector.load(model, p.threads, ImageLimits(p.max_age_s))
        except QuietNavError as error:
            self._fault = str(error)
            self._diagnostics.publish()
            raise
        self._publisher = self.create_lifecycle_publisher(NearWall, 'near_wall', 10)
        self._fault = ''
        if self._session is not None:
            self.log.info(f'{self._session.detector.source}, rig {self._rig.name}: ready')
        if self._eyes is not None:
            self.log.info(f'{self._eyes.model.path}, camera {p.image_topic}: ready')

    @transition
    def on_activate(self, state: object) -> None:
        p = self._settings
        self._worker = Worker(self, 'detector')
        self._display = NearWallDisplay(
            self,
            self._rig or CAMERA_RIG,
            p.frame_id,
            sees=self._eyes is not None,
            image_topic=p.image_topic,
            compressed=p.image_transport == 'compressed',
        )
        if self._session is not None:
            self._listen()
        if self._eyes is not None:
            self._vision = NearWallVision(self, self._eyes, p, self._worker, self._publish_seen)
        limit_s = max(LONGEST_DECISION_S, 4.0 / (p.rate_hz if p.hears else p.image_rate_hz))
        worker = self._worker
        self._heart = Heartbeat(self, lambda: worker.busy_s < limit_s)
        super().on_activate(state)

    def _listen(self) -> None:
        p = self._settings
        self._listener = RollingListener(self._session, self._rig, p.rolling())
        self._audio = AudioInput(self, self._on_sound)
        timer = self.create_timer(1.0 / p.rate_hz, self._on_silence, clock=self._steady)
        self._entities = [(self.destroy_timer, timer)]
        if p.use_odometry:
            odometry = self.create_subscription(
                Odometry,
                'odom',
                self.intake.checked('odom', self._on_odom),
                qos_profile_sensor_data,
            )
            self._entities.append((self.destroy_subscription, odometry))

    @transition
    def on_deactivate(self, state: object) -> None:
        self._end()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, _state: object) -> None:
        self._release()

    @transition
    def on_shutdown(self, _state: object) -> None:
        self._end()
        self._release()

    def release(self) -> None:
        """Let go of all, for a node that has failed; nobody is told anything any more."""
        self._end()
        self._release()

    def _end(self) -> None:
        """Stop to listen and look, and keep what was learned of the room."""
        if self._worker is None:
            return
        if self._heart is not None:
            self._heart.destroy()
        for half in (self._audio, self._vision):
            if half is not None:
                half.destroy()
        for destroy, entity in self._entities:
            destroy(entity)
        with self._lock:
            self._ticks.clear()
        finished = self._worker.close()
        if self._display is not None:
            self._display.destroy()
        self._stop_listening()
        if not finished:
            self.log.error('the detector is still computing: it is left behind')
            return
        if self._own is not None:
            self._own.keep_learned()
        if self._kept is not None and self._session is not None:
            try:
                self._kept.parent.mkdir(parents=True, exist_ok=True)
                self._session.reference.save(self._kept)
            except (QuietNavError, OSError) as error:
                self.log.error(str(error))

    def _release(self) -> None:
        if self._publisher is not None:
            self.destroy_lifecycle_publisher(self._publisher)
        self._publisher = self._session = self._rig = self._eyes = None
        self._own = None

    # What arrives

    def _on_odom(self, message: Odometry) -> None:
        time_ns = checked_ns(message.header.stamp, 'odometry')
        pose, _ = motion_from_msg(message)
        if self._listener is not None:
            self._listener.add_odometry(time_ns, pose)

    def _on_calibrate(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self._own is None or self._worker is None:
            response.message = 'near_wall does not listen: activate it first'
        else:
            response.success, response.message = self._own.ask()
        return response

    def _on_sound(self, stream: AudioStream) -> None:
        listener, worker = self._listener, self._worker
        for tick in listener.collect(stream) if listener else ():
            with self._lock:
                self._ticks.append(tick)
                if len(self._ticks) > BACKLOG:
                    self._ticks.popleft()
                    self._drops += 1
                    continue
            worker.submit(self._decide)

    def _on_silence(self) -> None:
        """Say that there is no sound: silence of this node must not look like all is well."""
        limit_s = self._settings.max_age_s
        if self._audio is None or self._audio.age_s <= limit_s:
            return
        now, stream = now_ns(self), self._audio.stream
        end_ns, reason = now, self._audio.fault or 'no sound heard yet'
        if stream is not None and stream.has_sound:
            end_ns = stream.end_ns
            reason = stale_fault(end_ns, now, limit_s)
        decision = Decision(end_ns, no_readings(self._rig, end_ns, end_ns, reason))
        self._worker.submit(self._publish, decision)

    # What is said; in the worker's thread

    def _decide(self) -> None:
        with self._lock:
            tick = self._ticks.popleft() if self._ticks else None
        if tick is None:
            return
        begun = self._steady.now().nanoseconds
        self._own.before_decision()
        self._publish(self._listener.decide(tick, now_ns(self)))
        self._own.after_decision()
        self._latency_s = (self._steady.now().nanoseconds - begun) / 1e9
        self._delay_s = (now_ns(self) - tick.end_ns) / 1e9
        self._decisions += 1

    def _publish(self, decision: Decision) -> None:
        frame_id, rig = self._settings.frame_id, self._rig.identity
        for reading in (*decision.revised, *decision.readings):
            self._publisher.publish(reading_to_msg(reading, frame_id, rig))
        self._last = decision
        with self._lock:
            self._reasons |= {r.reason for r in decision.readings if not r.valid}
        self._display.show(decision.readings, decision.still)

    def _publish_seen(self, reading: NearWallReading, frame: str, camera: Transform | None) -> None:
        self._publisher.publish(reading_to_msg(reading, frame))
        ears = () if self._rig is None else self._rig.ears
        if reading.side not in {ear.side for ear in ears}:
            self._display.show((reading,), camera=camera)

    def _health(self) -> Status:
        if self._fault:
            p = self._settings
            models = {'model': p.model, 'vision model': p.vision_model}
            return Status(Level.ERROR, self._fault, models)
        if self._session is None and self._eyes is None:
            return Status(Level.OK, 'not configured')
        if self._worker is None:
            return Status(Level.OK, 'inactive', self._hearing().values if self._session else {})
        found = [self._hearing()] if self._session is not None else []
        if self._vision is not None:
            found.append(self._vision.status())
        return merged(found)

    def _hearing(self) -> Status:
        """Return what there is to say of sound and the readings of it."""
        detector, reference = self._session.detector, self._session.reference
        values: dict[str, object] = {
            'model': detector.source,
            'model version': detector.version,
            'rig': self._rig.name,
            'reference places': reference.places,
            'windows refused by the reference': reference.refused,
            **self._own.values(),
        }
        audio, last = self._audio, self._last
        if audio is None:
            return Status(Level.OK, 'inactive', values)
        heard = audio.status()
        drops, self._drops_reported = self._drops - self._drops_reported, self._drops
        values |= {
            'decisions': self._decisions,
            'drops': self._drops,
            'latency s': self._latency_s,
            'delay s': self._delay_s,
            **{f'audio {key}': value for key, value in heard.values.items()},
        }
        if last is not None:
            values |= {
                'context': ', '.join(r.context.text for r in last.readings),
                'hears by': ', '.join(r.hears_by or 'not known' for r in last.readings),
                'robot': {None: 'no odometry', True: 'still', False: 'moves'}[last.still],
                'window age s': (now_ns(self) - last.end_ns) / 1e9,
            }
        # Every reason since the last report: one that lasted half a second must not go unsaid.
        with self._lock:
            reasons, self._reasons = sorted(self._reasons - {heard.message}), set()
        reasons += self._own.warnings()
        if last is not None and last.odometry_fault is not None:
            reasons.append(last.odometry_fault.text)
        if heard.level == Level.ERROR:
            return Status(heard.level, '; '.join([heard.message, *reasons]), values)
        if reasons:
            return Status(Level.WARN, '; '.join(reasons), values)
        if drops:
            return Status(Level.WARN, f'{drops} decisions dropped: too slow for rate_hz', values)
        return Status(heard.level, heard.message, values)


def _file_of(p: NearWallParameters) -> Path | None:
    """Return where the room's reference is kept, None where it is not."""
    if not p.reference_file:
        return None
    return below(data_folder(p.data_folder), p.reference_file, 'reference_file')


def _reference(path: Path | None) -> RoomReference | None:
    """Return what is known of the room; a file that is not there yet is made later."""
    return RoomReference.load(path) if path is not None and path.exists() else None


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(NearWallNode, args)


if __name__ == '__main__':
    sys.exit(main())
