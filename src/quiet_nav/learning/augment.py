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

"""What is drawn at random for a training example: gains, distractors, hidden bands, contexts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
import re

import numpy as np
import soxr

from quiet_nav.errors import QuietNavError
from quiet_nav.files.sounds import read_sound
from quiet_nav.learning.recipe import AugmentRecipe
from quiet_nav.perception.readings import Context
from quiet_nav.sound.windows import SAMPLE_RATE

SOUND_SUFFIXES = ('.wav', '.flac', '.ogg')
EVENT_PREFIX = 'event-'
#: Instead of a folder: the simulator's own events, so many of each kind.
SYNTHETIC = 'synthetic'
_OF_EACH_KIND = 8
#: Parts that a bank may be split into, by kind, and how the name of a bank says one.
TRAIN_PART, TEST_PART = ':train', ':test'
#: Every so many kinds are of the test.
_TEST_EVERY = 3
_ESC50_NAME = re.compile(r'[0-9]+-[0-9]+-[A-Z]-([0-9]+)')
_NEPERS_PER_DB = np.log(10.0) / 10.0
#: Bands at which a random equalizer is drawn; between them it is straight.
_KNOTS = 9


class DistractorBank:
    """Sounds that may happen beside the ambient sound: float32 mono at 16 kHz."""

    def __init__(self, events: Sequence[np.ndarray], names: Sequence[str] = ()) -> None:
        self.events = [np.asarray(event, np.float32) for event in events]
        self.names = tuple(names) or tuple(str(i) for i in range(len(events)))

    @classmethod
    def of(cls, name: str | Path) -> DistractorBank:
        """
        Return the bank that ``synthetic`` names, or that of a folder.

        A name that ends in ``:train`` or ``:test`` is that part of it: see ``part``.
        """
        text = str(name)
        for part in (TRAIN_PART, TEST_PART):
            if text.endswith(part):
                return cls.of(text.removesuffix(part)).part(part, text)
        return cls.synthetic() if text == SYNTHETIC else cls.from_folder(name)

    def part(self, part: str, where: str = 'events') -> DistractorBank:
        """
        Return the events of two thirds of the kinds (``TRAIN_PART``), or of the others.

        So what is mixed in to judge is another kind, not only another recording. The kind of a
        file is its name without a number at the end; of ESC-50 the class that the name ends in.
        Raises QuietNavError where there are fewer than two kinds.
        """
        kinds = sorted({kind_of_event(name) for name in self.names})
        if len(kinds) < 2:
            raise QuietNavError(
                f'{where}: one kind of event ({", ".join(kinds)}); expected two at least: one to '
                'train with and one to test with'
            )
        tested = set(kinds[1::_TEST_EVERY])
        kept = [
            (event, name)
            for event, name in zip(self.events, self.names, strict=True)
            if (kind_of_event(name) in tested) == (part == TEST_PART)
        ]
        return DistractorBank([event for event, _ in kept], [name for _, name in kept])

    @classmethod
    def synthetic(cls) -> DistractorBank:
        """Return the simulator's events, of every kind, always the same ones."""
        from quiet_nav.simulation.sound.distractors import Event, EVENT_KINDS, event_samples

        drawn = [(kind, stream) for kind in EVENT_KINDS for stream in range(_OF_EACH_KIND)]
        nowhere = (0.0, 0.0, 0.0)
        # 0.1: unit RMS would be beyond full scale.
        events = [0.1 * event_samples(Event(kind, nowhere, 0.0, s), 0) for kind, s in drawn]
        return cls(events, [f'{kind}-{stream}' for kind, stream in drawn])

    @classmethod
    def from_folder(cls, folder: str | Path) -> DistractorBank:
        """
        Read every WAV, FLAC and OGG of a folder (only ``event-*`` where there are such).

        Of ESC-50, as published, those classes that are events.
        """
        from quiet_nav.simulation.sound.clips import ESC50_LIST, list_clips

        folder = Path(folder)
        paths = sorted(p for p in folder.glob('*') if p.suffix.lower() in SOUND_SUFFIXES)
        paths = [p for p in paths if p.name.startswith(EVENT_PREFIX)] or paths
        if (folder / ESC50_LIST).is_file():
            paths = [folder / name for name in list_clips(folder, EVENT_PREFIX)]
        if not paths:
            raise QuietNavError(f'{folder}: no WAV, FLAC or OGG files of distractors in it')
        events = []
        for path in paths:
            samples, rate = read_sound(path)
            events.append(soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE))
        return cls(events, [p.stem for p in paths])

    def draw(self, rng: np.random.Generator, samples: int) -> np.ndarray:
        """Return a piece of an event, shape (samples,), cut or padded at a random place."""
        event = self.events[rng.integers(len(self.events))]
        if len(event) >= samples:
            start = rng.integers(len(event) - samples + 1)
            return event[start : start + samples]
        piece = np.zeros(samples, np.float32)
        start = rng.integers(samples - len(event) + 1)
        piece[start : start + len(event)] = event
        return piece


def kind_of_event(name: str) -> str:
    """Return the kind of an event by its name ('event-dog-3' is 'event-dog')."""
    esc50 = _ESC50_NAME.fullmatch(name)
    return esc50[1] if esc50 else name.rstrip('0123456789').rstrip('-_ ') or name


def mix_at_snr(audio: np.ndarray, event: np.ndarray, snr_db: float) -> np.ndarray:
    """Return audio plus an event scaled so that audio's power over the event's is ``snr_db``."""
    power_audio = float(np.mean(np.square(audio, dtype=np.float64)))
    power_event = float(np.mean(np.square(event, dtype=np.float64)))
    if power_audio == 0.0 or power_event == 0.0:
        return audio
    scale = np.sqrt(power_audio / power_event * 10.0 ** (-snr_db / 10.0))
    return (audio + scale * event).astype(np.float32)


class Augment:
    """Waveform and band augmentation after a recipe; every draw comes from the generator given."""

    def __init__(self, recipe: AugmentRecipe, bank: DistractorBank | None = None) -> None:
        self.recipe = recipe
        if bank is None and recipe.distractor_probability > 0 and recipe.distractors:
            bank = DistractorBank.of(recipe.distractors)
        self.bank = bank

    def waveform(self, rng: np.random.Generator, audio: np.ndarray) -> np.ndarray:
        """Return float32 audio with a distractor, a gain and a clip to full scale."""
        r = self.recipe
        audio = self.distracted(rng, audio)
        factor = rng.uniform(*r.amplitude) * 10.0 ** (rng.uniform(*r.gain_db) / 20.0)
        return np.clip(audio * np.float32(factor), -1.0, 1.0)

    def distracted(self, rng: np.random.Generator, audio: np.ndarray) -> np.ndarray:
        """Return audio with a distractor, as often and as loud as the recipe says."""
        r = self.recipe
        if self.bank is not None and rng.random() < r.distractor_probability:
            event = self.bank.draw(rng, len(audio))
            audio = mix_at_snr(audio, event, rng.uniform(*r.distractor_snr_db))
        return audio

    def level(self, rng: np.random.Generator, bands: int, equalizer_db: float = 0.0) -> np.ndarray:
        """
        Return what a gain and a random equalizer add to a log-mel, nepers: float32, (bands,).

        equalizer_db: spread of the equalizer, which is straight between a few bands; sources
        differ by one, so that what is learned with it asks less what the sources sound like.
        """
        r = self.recipe
        factor = rng.uniform(*r.amplitude) * 10.0 ** (rng.uniform(*r.gain_db) / 20.0)
        added = np.full(bands, 2.0 * np.log(factor), np.float32)
        if equalizer_db > 0.0:
            knots = rng.normal(0.0, equalizer_db * _NEPERS_PER_DB, _KNOTS)
            places = np.linspace(0.0, _KNOTS - 1.0, bands)
            added += np.interp(places, np.arange(_KNOTS), knots).astype(np.float32)
        return added

    def keep_bands(self, rng: np.random.Generator, bands: int) -> np.ndarray:
        """Return float32 of shape (bands,), 0 over a run of hidden bands, 1 elsewhere."""
        keep = np.ones(bands, np.float32)
        if rng.random() < self.recipe.band_mask_probability:
            width = int(rng.integers(1, self.recipe.band_mask_bands + 1))
            start = int(rng.integers(0, bands - width + 1))
            keep[start : start + width] = 0.0
        return keep

    def context(self, rng: np.random.Generator, available: Context) -> Context:
        """Return the contexts left after each was withheld with the recipe's probability."""
        kept = Context.ALONE
        for flag in (Context.REFERENCE, Context.OTHER_EARS):
            if available & flag and rng.random() >= self.recipe.context_drop:
                kept |= flag
        return kept


def hide_bands(clips: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """
    Return log-mels (V, T, 64) whose bands not in ``keep`` (64,) have each clip's mean level.

    The mean is that of the bands kept: what is hidden says nothing.
    """
    if keep.all():
        return clips
    mean = clips[..., keep].mean(axis=(1, 2), keepdims=True) if keep.any() else np.float32(0.0)
    return np.where(keep, clips, mean)
