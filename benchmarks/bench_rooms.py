"""
Rooms a minute: quiet_nav's acoustics beside the straightforward pyroomacoustics loop.

Every room has 20 microphones and 3 sources of 3 s. The loop is ``pyroomacoustics`` (its own
defaults) and ``scipy.signal.fftconvolve`` for each microphone and source, on one core. Both get
the same source signals; printed are rooms a minute, how far the samples differ, the memory, and how
much a robot that is heard itself adds to the listening poses of a campus.

    OMP_NUM_THREADS=1 python benchmarks/bench_rooms.py [--rooms 6] [--workers 2]
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
import os
import resource
import sys
import time

import numpy as np
from scipy import signal

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.rig import Ear, find_rig, Rig
from quiet_nav.simulation.rooms.absorption import BANDS_HZ
from quiet_nav.simulation.sound.acoustics import LATENCY, RoomAcoustics
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_sound import draw_own_sound, draw_profile
from quiet_nav.simulation.sound.scenes import draw_point, draw_scene, Scene, SceneRanges
from quiet_nav.simulation.sound.sources import source_samples

MICS, SOURCES, SAMPLES = 20, 3, 48_000


def draw(seed: int) -> tuple[Scene, np.ndarray]:
    """Return a scene and microphones 0.2 to 1.2 m high, anywhere in it."""
    scene = draw_scene(seed, SceneRanges(sources=(SOURCES, SOURCES)))
    rng = np.random.default_rng(seed)
    places = [draw_point(scene.room, rng, 0.2) for _ in range(MICS)]
    return scene, np.column_stack([places, rng.uniform(0.2, 1.2, MICS)])


def emitted(scene: Scene) -> tuple[RoomAcoustics, np.ndarray]:
    """Return the room and what its sources emit, early enough for its reverberation."""
    acoustics = RoomAcoustics(scene.room, [s.position for s in scene.sources])
    count = acoustics.history + SAMPLES
    return acoustics, np.stack([source_samples(s, scene.seed, 0, count) for s in scene.sources])


def ours(seed: int) -> float:
    """Return the seconds that one room takes us, without drawing it."""
    scene, mics = draw(seed)
    _, signals = emitted(scene)
    begin = time.perf_counter()
    RoomAcoustics(scene.room, [s.position for s in scene.sources]).render(mics, signals)
    return time.perf_counter() - begin


def theirs(seed: int) -> tuple[float, np.ndarray]:
    """Return the seconds and the samples of the straightforward loop."""
    import pyroomacoustics as pra

    pra.constants.set('num_threads', 1)
    scene, mics = draw(seed)
    acoustics, signals = emitted(scene)
    begin = time.perf_counter()
    room = scene.room
    surfaces = (*room.walls, room.floor, room.ceiling)
    names = ('south', 'east', 'north', 'west', 'floor', 'ceiling')
    materials = {
        name: pra.Material({'coeffs': list(a), 'center_freqs': list(BANDS_HZ)})
        for name, a in zip(names, surfaces, strict=True)
    }
    size = [*np.max(room.footprint, axis=0), room.height]
    box = pra.ShoeBox(
        size, fs=16_000, materials=materials, max_order=room.order, air_absorption=True
    )
    for source in scene.sources:
        box.add_source(source.position)
    box.add_microphone_array(mics.T)
    box.compute_rir()
    heard = np.zeros((MICS, SAMPLES))
    for m in range(MICS):
        for s in range(SOURCES):
            full = signal.fftconvolve(signals[s], box.rir[m][s])
            heard[m] += full[acoustics.history : acoustics.history + SAMPLES]
    return time.perf_counter() - begin, heard


def difference_db(seed: int, heard: np.ndarray) -> float:
    """Return the level of the difference of the two, below the level of the sound."""
    scene, mics = draw(seed)
    acoustics, signals = emitted(scene)
    error = acoustics.render(mics, signals) - heard
    return 20 * np.log10(np.linalg.norm(error) / np.linalg.norm(heard))


def rig_seconds(seed: int) -> float:
    """Return the seconds for 3 s of three ears and three sources, sources and noise included."""
    scene, _ = draw(seed)
    hearing = Hearing(replace(scene, events=()))
    ears = [(0.0, 0.15, Side.LEFT), (0.0, -0.15, Side.RIGHT), (0.15, 0.0, Side.FRONT)]
    rig = Rig('trio', tuple(Ear(i, x, y, 0.25, side) for i, (x, y, side) in enumerate(ears)))
    spent = []
    for i in range(5):
        begin = time.perf_counter()
        hearing.rig(rig, Pose2D(1.5 + 0.1 * i, 1.5, 0.3 * i), i * SAMPLES, SAMPLES)
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent))


def own_sound_times(seeds: range, cut: float) -> float:
    """
    Return how many times the seconds of poses are with robots that are heard themselves.

    Poses as a campus records them: two windows at one heading, one at each of two others; three
    ears, scenes of 1 to 5 sources, robots of 1 to 3 parts that stand and sound.
    """
    rig, spent = find_rig('trio'), np.zeros(2)
    for seed in seeds:
        scene = draw_scene(seed, SceneRanges(cut_share=cut))
        own = draw_own_sound(draw_profile(seed), seed, 10.0)
        both = [Hearing(scene), Hearing(replace(scene, own=own))]
        rng = np.random.default_rng(seed)
        for place in range(4):
            x, y = draw_point(scene.room, rng, 0.3)
            start = 4 * place * SAMPLES
            for kind, hearing in enumerate(both):  # in turns, so that both have a busy machine
                begin = time.perf_counter()
                for turn, later in ((0.0, 0), (0.0, 1), (np.pi, 1), (np.pi / 2, 1)):
                    hearing.rig(rig, Pose2D(x, y, turn), start + 2 * later * SAMPLES, SAMPLES)
                if place:  # the first compiles, and calibrates
                    spent[kind] += time.perf_counter() - begin
    return float(spent[1] / spent[0])


def memory_mb() -> float:
    """Return the most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(seed: int) -> float:
    ours(seed)
    return memory_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rooms', type=int, default=6)
    parser.add_argument('--workers', type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = range(options.rooms)
    ours(0)  # compile
    mine, loop, differences = [], [], []
    for seed in seeds:  # in turns, so that a busy machine is busy for both
        seconds, heard = theirs(seed)
        loop.append(seconds)
        mine.append(ours(seed))
        differences.append(difference_db(seed, heard))
    with ProcessPoolExecutor(options.workers, get_context('spawn')) as pool:
        list(pool.map(work, range(options.workers * 2)))
        many = range(options.rooms * 5)
        begin = time.perf_counter()
        memory = max(pool.map(work, many))
        parallel = (time.perf_counter() - begin) / len(many)
    reference = 60 / np.mean(loop)
    rows = [
        ('pyroomacoustics + fftconvolve, 1 core', reference),
        ('quiet_nav, 1 core', 60 / np.mean(mine)),
        (f'quiet_nav, {options.workers} processes, sources drawn, too', 60 / parallel),
    ]
    print(f'{MICS} microphones x {SOURCES} sources x 3 s, {options.rooms} rooms of order 12-14')
    for name, rate in rows:
        print(f'{name:52s} {rate:8.0f} rooms/min  {rate / reference:6.1f} x')
    print(f'largest difference of the samples: {max(differences):.1f} dB (latency {LATENCY})')
    print(f'three ears, three sources, 3 s, all included: {rig_seconds(0) * 1000:.0f} ms')
    for name, cut in (('boxes', 0.0), ('rooms of other shapes', 1.0)):
        times = own_sound_times(seeds, cut)
        print(f"with the robots' own sound, {name}: {times:.2f} times the time without")
        if times > 1.5:
            sys.exit('own sound costs more than 1.5 times the rendering without it')
    print(f'memory of a worker: {memory:.0f} MB')
    if max(differences) > -60:
        sys.exit('the samples differ by more than -60 dB')


if __name__ == '__main__':
    main()
