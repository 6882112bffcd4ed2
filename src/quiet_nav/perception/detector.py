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

"""The detector: windows of a rig's ears in, near-wall readings out; the same wherever it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.clip_reader import ClipReader
from quiet_nav.perception.context import clip_weights, fill_slots, SLOTS
from quiet_nav.perception.model_file import (
    FINGERPRINT,
    ModelFile,
    NEAREST,
    open_model,
    OWN_REFERENCE,
    refuse_other,
    without_context,
)
from quiet_nav.perception.readings import Context, finite, NearWallReading, Question
from quiet_nav.perception.reference import ReferenceSettings, RoomReference
from quiet_nav.perception.standing_sound import band_spectrum, Noted, StandingSound
from quiet_nav.sound.validity import ValidityLimits, window_fault
from quiet_nav.sound.windows import (
    CLIPS_PER_WINDOW,
    Window,
)

#: With fewer places than this a reference that has just grown is worth a second run.
_FEW_PLACES = 4
#: Of a window read in one pass: VGGish's columns are 160 ms apart, a clip is six of them.
SLID_CLIPS = 13


@dataclass(frozen=True)
class HeardWindow:
    """
    A window with what it was asked about.

    side: what the reading is asked about; bearing_rad: direction from the robot's center to the
    ear, in axes that all windows of a listen share; ear: which microphone (its channel).
    learn: whether the room's reference may learn from it: not from a window heard before, nor
    from one in which the robot moved. pose: where the robot stood, by its odometry, if known.
    """

    window: Window
    side: Side
    bearing_rad: float
    ear: int = 0
    learn: bool = True
    pose: Pose2D | None = None


class Detector(Protocol):
    """What reads windows: a model file, or what needs none. name: for tables; source: the file."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def limits(self) -> ValidityLimits: ...

    @property
    def uses_context(self) -> bool: ...

    def session(
        self,
        context: Context = ...,
        reference: RoomReference | None = None,
        seed: int | None = None,
        question: Question = ...,
        standing: StandingSound | None = None,
    ) -> DetectorSession:
        """Begin to listen in a room; see ``NearWallDetector.session``."""
        ...


class NearWallDetector:
    """A model file ready to read windows; what it learns of a room is kept in a ``session``."""

    def __init__(
        self, model: ModelFile, clips: int = CLIPS_PER_WINDOW, limits: ValidityLimits | None = None
    ) -> None:
        if clips < 1:
            raise QuietNavError(f'{clips} clips a window; expected at least 1')
        refuse_other(model, 'audio')
        self.model, self.clips, self.limits = model, clips, limits or ValidityLimits()

    @classmethod
    def load(
        cls,
        path: str | Path,
        threads: int = 2,
        clips: int = CLIPS_PER_WINDOW,
        limits: ValidityLimits | None = None,
    ) -> NearWallDetector:
        """Open a model file; QuietNavError says what is wrong with one that cannot be used."""
        return cls(open_model(path, threads), clips, limits)

    @property
    def name(self) -> str:
        return self.model.path.name

    @property
    def source(self) -> str:
        return str(self.model.path)

    @property
    def version(self) -> str:
        return self.model.metadata.version

    @property
    def uses_context(self) -> bool:
        return self.model.metadata.kind == 'context'

    def spectrum(self, samples: np.ndarray) -> np.ndarray:
        """Return the log spectrum (bands,) of a window (48000,) by a context model's front end."""
        feeds = {
            'waveform': np.ascontiguousarray(samples[None], np.float32),
            'clip_weights': clip_weights(1)[:1],
            'others': np.full((1, len(SLOTS)), -1, np.int64),
            'simultaneous': np.zeros((1, len(SLOTS)), np.float32),
            **without_context(self.model, 1),
            **self.asked(Question.DIRECTION, 1),
        }
        return self.model.model.run(feeds, ['spectrum'])[0][0]

    def asked(self, question: Question, windows: int) -> dict[str, np.ndarray]:
        """Return the input that says which wall is asked about, where the model takes one."""
        if NEAREST not in self.model.metadata.contexts:
            return {}
        return {NEAREST: np.full(windows, question == Question.NEAREST, np.float32)}

    def session(
        self,
        context: Context = Context.REFERENCE | Context.OTHER_EARS,
        reference: RoomReference | None = None,
        seed: int | None = None,
        question: Question = Question.DIRECTION,
        standing: StandingSound | None = None,
    ) -> DetectorSession:
        """
        Begin to listen in a room.

        context: what may be used where it is there. reference: what is known of the room.
        seed: clips are drawn at random instead of evenly spaced (the paper, section 4).
        question: which wall is asked about; a model that knows one question answers that.
        standing: the robot's standing sound, which learns what is heard where readings say far.
        """
        return ModelSession(self, context, reference, seed, question, standing)


class DetectorSession(ABC):
    """One run of listening: readings of it depend on the windows so far and nothing else."""

    def __init__(
        self,
        detector: Detector,
        context: Context,
        reference: RoomReference | None,
        seed: int | None,
        question: Question = Question.DIRECTION,
        standing: StandingSound | None = None,
    ) -> None:
        self.detector = detector
        self.question = question
        self.context = context if detector.uses_context else Context.ALONE
        self.reference = reference or RoomReference(ReferenceSettings())
        self.standing = standing
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._spectra: dict[tuple[int, int], np.ndarray] = {}

    def read(
        self, heard: Sequence[HeardWindow], now_ns: int | None = None
    ) -> list[NearWallReading]:
        """
        Return a reading per window, in order.

        Windows of one listen belong together: those of other bearings serve as each other's
        context, heard at once or one after the other. Windows that must not be used give readings
        with valid=False and the reason. now_ns: to find windows that are stale.
        """
        faults = [window_fault(h.window, self.detector.limits, now_ns) for h in heard]
        good = [h for h, fault in zip(heard, faults, strict=True) if not fault]
        self._spectra.clear()
        left = iter(self._with_standing(good, self._read(good)) if good else ())
        return [
            NearWallReading.invalid(h.side, h.window.start_ns, h.window.end_ns, fault)
            if fault
            else next(left)
            for h, fault in zip(heard, faults, strict=True)
        ]

    @abstractmethod
    def _read(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        """Return a reading a window; all may be used, and there is one at least."""

    def spectrum(self, heard: HeardWindow) -> np.ndarray:
        """Return a window's log power in the bands of fingerprints; computed once a call."""
        key = heard.ear, heard.window.start_ns
        if key not in self._spectra:
            self._spectra[key] = band_spectrum(heard.window.samples)
        return self._spectra[key]

    def _with_standing(
        self, heard: list[HeardWindow], read: list[NearWallReading]
    ) -> list[NearWallReading]:
        """Return the readings with what they live by; the standing sound learns from them."""
        standing = self.standing
        if standing is None:
            return read
        spectra = [self.spectrum(h) for h in heard]
        said = [
            replace(r, hears_by=standing.hears_by(h.ear, spectrum)) if r.valid else r
            for h, r, spectrum in zip(heard, read, spectra, strict=True)
        ]
        standing.note(
            [
                Noted(h.ear, spectrum, r.probability, h.window.end_ns, h.pose, h.learn)
                for h, r, spectrum in zip(heard, read, spectra, strict=True)
                if r.valid
            ]
        )
        return said


class ModelSession(DetectorSession):
    """One run of listening by a model file."""

    detector: NearWallDetector

    def __init__(
        self,
        detector: NearWallDetector,
        context: Context,
        reference: RoomReference | None,
        seed: int | None,
        question: Question = Question.DIRECTION,
        standing: StandingSound | None = None,
    ) -> None:
        super().__init__(detector, context, reference, seed, question, standing)
        self._clips = ClipReader(detector.model.run, detector.clips, self._rng)
        bands = self.reference.bands
        if self.detector.uses_context and bands not in (None, detector.model.bands):
            raise QuietNavError(
                f'reference of {bands} bands, {detector.name} takes {detector.model.bands}: it is '
                'of another model; leave it out or make it again'
            )

    def _read(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        if self.detector.uses_context:
            return self._with_context(heard)
        if self.detector.model.metadata.kind == 'window':
            return self._whole(heard)
        return self._by_clips(heard)

    def _with_context(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        others, simultaneous = fill_slots(
            [h.bearing_rad for h in heard], [h.window.start_ns for h in heard]
        )
        if not self.context & Context.OTHER_EARS:
            others[:], simultaneous[:] = -1, 0.0
        inputs = {
            'waveform': np.stack([h.window.samples for h in heard]).astype(np.float32),
            'clip_weights': clip_weights(self.detector.clips, self._rng),
            'others': others,
            'simultaneous': simultaneous,
            **self.detector.asked(self.question, len(heard)),
            **self._fingerprints(heard),
        }
        run = self.detector.model.run
        references = self._references(heard)
        outputs = run({**inputs, **references})
        if self.context & Context.REFERENCE and self._learn(heard, *outputs[2:]):
            references = self._references(heard)
            outputs = run({**inputs, **references})
        known = references['has_reference']
        probability, distance = outputs[:2]
        return [
            self._reading(
                h,
                probability[i],
                distance[i, 0],
                Context(
                    Context.REFERENCE * int(known[i])
                    | Context.OTHER_EARS * int(others[i].max() >= 0)
                ),
            )
            for i, h in enumerate(heard)
        ]

    def _references(self, heard: list[HeardWindow]) -> dict[str, np.ndarray]:
        feeds = without_context(self.detector.model, len(heard))
        for i, h in enumerate(heard):
            found = self.reference.get(h.ear) if self.context & Context.REFERENCE else None
            if found is not None:
                feeds['reference'][i], feeds['has_reference'][i] = found, 1.0
                if OWN_REFERENCE in feeds:
                    feeds[OWN_REFERENCE][i] = self.reference.own(h.ear)
        return {name: v for name, v in feeds.items() if FINGERPRINT not in name}

    def _fingerprints(self, heard: list[HeardWindow]) -> dict[str, np.ndarray]:
        """Return what is known of the robot's own sound at each ear, where the model takes it."""
        feeds = without_context(self.detector.model, len(heard))
        if FINGERPRINT not in feeds:
            return {}
        for i, h in enumerate(heard):
            known = None if self.standing is None else self.standing.fingerprint.get(h.ear)
            if known is not None:
                feeds[FINGERPRINT][i], feeds['has_fingerprint'][i] = known, 1.0
        return {name: v for name, v in feeds.items() if FINGERPRINT in name}

    def _learn(self, heard: list[HeardWindow], spectra: np.ndarray, transients: np.ndarray) -> bool:
        """Tell the reference; returns whether it grew so much that a second run is worth it."""
        before = self.reference.places
        for h, spectrum, transient in zip(heard, spectra, transients, strict=True):
            # A model that gives no finite spectrum has said so by its reading.
            if h.learn and np.all(np.isfinite(spectrum)):
                self.reference.hear(h.ear, spectrum, float(transient))
        return before < _FEW_PLACES and self.reference.places > before

    def _reading(
        self, heard: HeardWindow, runs: np.ndarray, distance: np.ndarray, context: Context
    ) -> NearWallReading:
        """Return what the whole window decides; its clips say how sure that is."""
        window = heard.window
        reading = NearWallReading(
            side=heard.side,
            probability=float(runs[0]),
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            spread=float(np.std(runs[1:])),
            clips=len(runs) - 1,
            context=context,
            distance_probabilities=tuple(float(p) for p in distance),
            bins=self.detector.model.metadata.bins,
        )
        return finite(reading)

    def _by_clips(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        """Return the means over the clips of a network of single clips (the paper's)."""
        read = self._clips.read([h.window for h in heard], [h.ear for h in heard])
        return [
            self._mean(
                h, clips.near.mean(), clips.near.std(), clips.distance.mean(0), len(clips.near)
            )
            for h, clips in zip(heard, read, strict=True)
        ]

    def _whole(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        """Return what a network says that slides over the window itself, in its own steps."""
        windows = np.stack([h.window.samples for h in heard]).astype(np.float32)
        mean, distance, spread = self.detector.model.run({'waveform': windows})
        return [
            self._mean(h, mean[i], spread[i], distance[i], SLID_CLIPS) for i, h in enumerate(heard)
        ]

    def _mean(
        self, heard: HeardWindow, near: float, spread: float, distance: np.ndarray, clips: int
    ) -> NearWallReading:
        return finite(
            NearWallReading(
                side=heard.side,
                probability=float(near),
                start_ns=heard.window.start_ns,
                end_ns=heard.window.end_ns,
                spread=float(spread),
                clips=clips,
                context=Context.ALONE,
                distance_probabilities=tuple(float(p) for p in distance),
                bins=self.detector.model.metadata.bins,
            )
        )
