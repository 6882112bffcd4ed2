"""Node `near_wall`: listens with a rig, looks with a camera; says how likely a wall is in 0.5 m."""

from __future__ import annotations

import math
import sys
import threading
import traceback
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_profile_sensor_data

from quiet_nav.errors import QuietNavError
from quiet_nav.msg import NearWall
from quiet_nav.nodes.audio_input import AudioInput
from quiet_nav.nodes.conversions import pose_from_msg, reading_to_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status, merged
from quiet_nav.nodes.image_input import make_bridge
from quiet_nav.nodes.near_wall.display import NearWallDisplay
from quiet_nav.nodes.near_wall.parameters import NearWallParameters
from quiet_nav.nodes.near_wall.vision import NearWallVision
from quiet_nav.nodes.parameters import Parameters
from quiet_nav.nodes.runtime import now_ns, run, transition
from quiet_nav.perception.detector import DetectorSession, NearWallDetector
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import CAMERA_RIG, Rig, find_rig
from quiet_nav.perception.rolling import Decision, RollingListener, Tick, no_readings
from quiet_nav.perception.sight.image_detector import ImageDetector
from quiet_nav.perception.sight.image_validity import ImageLimits
from quiet_nav.perception.transforms import Transform
from quiet_nav.resources import shared_file
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import stale_fault

#: Decisions that may wait for the one that is being computed; older ones are dropped.
BACKLOG = 2


class NearWallNode(LifecycleNode):
    """Publishes `near_wall`, a message an ear and decision, or image; computes in a worker."""

    def __init__(self, **options: object) -> None:
        super().__init__('near_wall', **options)
        self._declared = Parameters(self, NearWallParameters)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._settings: NearWallParameters = self._declared.value
        self._fault = ''
        self._rig: Rig | None = None
        self._session: DetectorSession | None = None
        self._eyes: ImageDetector | None = None
        self._publisher = None
        self._stop_listening()
        self._diagnostics = Diagnostics(self, 'detector', self._health)

    def _stop_listening(self) -> None:
        self._audio: AudioInput | None = None
        self._listener: RollingListener | None = None
        self._vision: NearWallVision | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._display: NearWallDisplay | None = None
        self._entities: list = []
        self._ticks: deque[Tick] = deque()
        self._lock = threading.Lock()
        self._last: Decision | None = None
        self._reasons: set[str] = set()
        self._failure = ''
        self._decisions = self._drops = self._drops_reported = 0
        self._latency_s = self._delay_s = math.nan

    # Lifecycle

    @transition
    def on_configure(self, _state: object) -> None:
        p = self._settings = self._declared.value
        try:
            if p.hears:
                self._rig = find_rig(p.rig)
                model = p.model or shared_file('models/near_wall.onnx')
                detector = NearWallDetector.load(model, p.threads, p.clips, p.limits())
                self._session = detector.session(
                    p.context_wanted(), _reference(p), p.seed_or_none(), p.question_asked()
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
            path = self._session.detector.model.path
            self.get_logger().info(f'{path}, rig {self._rig.name}: ready')
        if self._eyes is not None:
            self.get_logger().info(f'{self._eyes.model.path}, camera {p.image_topic}: ready')

    @transition
    def on_activate(self, state: object) -> None:
        p = self._settings
        self._worker = ThreadPoolExecutor(1, thread_name_prefix='detector')
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
        super().on_activate(state)

    def _listen(self) -> None:
        p = self._settings
        self._listener = RollingListener(self._session, self._rig, p.rolling())
        self._audio = AudioInput(self, self._on_sound)
        timer = self.create_timer(1.0 / p.rate_hz, self._on_silence, clock=self._steady)
        self._entities = [(self.destroy_timer, timer)]
        if p.use_odometry:
            odometry = self.create_subscription(
                Odometry, 'odom', self._on_odom, qos_profile_sensor_data
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

    def _end(self) -> None:
        """Stop to listen and look, and keep what was learnt of the room."""
        if self._worker is None:
            return
        for half in (self._audio, self._vision):
            if half is not None:
                half.destroy()
        for destroy, entity in self._entities:
            destroy(entity)
        self._ticks.clear()
        self._worker.shutdown(wait=True)
        self._display.destroy()
        self._stop_listening()
        path = self._settings.reference_file
        if path and self._session is not None:
            try:
                self._session.reference.save(path)
            except QuietNavError as error:
                self.get_logger().error(str(error))

    def _release(self) -> None:
        if self._publisher is not None:
            self.destroy_publisher(self._publisher)
        self._publisher = self._session = self._rig = self._eyes = None

    # What arrives

    def _on_odom(self, message: Odometry) -> None:
        time_ns = stamp_to_ns(message.header.stamp)
        if self._listener is not None:
            self._listener.add_odometry(time_ns, pose_from_msg(message.pose.pose))

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
        try:
            with self._lock:
                tick = self._ticks.popleft() if self._ticks else None
            if tick is None:
                return
            begun = self._steady.now().nanoseconds
            self._publish(self._listener.decide(tick, now_ns(self)))
            self._latency_s = (self._steady.now().nanoseconds - begun) / 1e9
            self._delay_s = (now_ns(self) - tick.end_ns) / 1e9
            self._decisions += 1
        except Exception:
            # A worker that dies unseen would look like a quiet room.
            self._failure = traceback.format_exc(limit=-1).strip().splitlines()[-1]
            self.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _publish(self, decision: Decision) -> None:
        frame_id = self._settings.frame_id
        for reading in (*decision.revised, *decision.readings):
            self._publisher.publish(reading_to_msg(reading, frame_id))
        self._last = decision
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
        meta, reference = self._session.detector.model.metadata, self._session.reference
        values: dict[str, object] = {
            'model': self._session.detector.model.path,
            'model version': meta.version,
            'rig': self._rig.name,
            'reference places': reference.places,
            'windows refused by the reference': reference.refused,
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
                'robot': {None: 'no odometry', True: 'still', False: 'moves'}[last.still],
                'window age s': (now_ns(self) - last.end_ns) / 1e9,
            }
        if self._failure:
            return Status(Level.ERROR, self._failure, values)
        # Every reason since the last report: one that lasted half a second must not go unsaid.
        reasons, self._reasons = sorted(self._reasons - {heard.message}), set()
        if heard.level == Level.ERROR:
            return Status(heard.level, '; '.join([heard.message, *reasons]), values)
        if reasons:
            return Status(Level.WARN, '; '.join(reasons), values)
        if drops:
            return Status(Level.WARN, f'{drops} decisions dropped: too slow for rate_hz', values)
        return Status(heard.level, heard.message, values)


def _reference(p: NearWallParameters) -> RoomReference | None:
    """Return what is known of the room; a file that is not there yet is made later."""
    if not p.reference_file or not Path(p.reference_file).exists():
        return None
    return RoomReference.load(p.reference_file)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(NearWallNode, args)


if __name__ == '__main__':
    sys.exit(main())
