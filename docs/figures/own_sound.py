"""
Draw what a wall does to ambience, to a robot's own sound and to both; write two examples.

    OMP_NUM_THREADS=1 python docs/figures/own_sound.py

Writes own_sound.png, robot_near_wall.ogg and robot_far_from_wall.ogg beside this file.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_hearing import RobotEars
from quiet_nav.simulation.sound.own_sound import draw_own_sound, own_spectrum
from quiet_nav.simulation.sound.robot_profile import find_profile
from quiet_nav.simulation.sound.scenes import draw_scene, Scene
from quiet_nav.simulation.sound.sources import source_spectrum
from quiet_nav.sound.windows import SAMPLE_RATE

#: From the wall to the left ear of the pair, which is 0.15 m from the robot's centre.
DISTANCES = np.linspace(0.06, 1.5, 37)
FAR = np.linspace(1.7, 2.3, 7)
FREQUENCIES = np.geomspace(80, 3000, 80)
SIZE = 16_384


def powers(scene: Scene, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of ambience and of own sound at the left ear, (bins,) each."""
    hearing, rig = Hearing(scene), find_rig('pair')
    ears = RobotEars.of(rig)
    y = 0.5 * max(corner[1] for corner in scene.room.footprint)
    # Heading along y its left ear faces the wall x = 0.
    pose = Pose2D(distance + 0.15, y, np.pi / 2)
    bins = np.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE)
    mics, _ = ears.at(pose)
    room = np.abs(np.fft.rfft(hearing.acoustics.impulse_responses(mics[:1])[0], SIZE)) ** 2
    emitted = [
        source_spectrum(replace(s, hum_amplitudes=()), bins) * 10 ** (s.level_db / 10)
        for s in scene.sources
    ]
    ambience = np.einsum('sf,sf->f', room, np.array(emitted))
    ambience *= 10 ** (scene.level_dbfs / 10) / ambience.sum()
    which = hearing.own.sounding(0.0)
    own = np.abs(np.fft.rfft(hearing.own.responses(pose, ears, which)[0], SIZE)) ** 2
    standing = hearing.own.gains(ears)[0]
    spectra = [
        own_spectrum(replace(scene.own.sources[s], tones=()), bins) * standing[s] ** 2
        for s in which
    ]
    return ambience, np.einsum('sf,sf->f', own, np.array(spectra))


def in_bands(power: np.ndarray) -> np.ndarray:
    """Return the mean of bins in third octaves around FREQUENCIES."""
    bins, third = np.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE), 2 ** (1 / 6)
    return np.stack(
        [power[..., (bins >= f / third) & (bins < f * third)].mean(-1) for f in FREQUENCIES], -1
    )


def levels(rooms: int, level_db: float) -> list[np.ndarray]:
    """Return levels over those far from the wall, dB, (distances, frequencies): one of three."""
    found = []
    for seed in range(rooms):
        own = draw_own_sound(find_profile('fan'), seed, level_db)
        scene = replace(draw_scene(seed), own=own)
        places = [powers(scene, d) for d in (*DISTANCES, *FAR)]
        kinds = [np.array(kind) for kind in zip(*places, strict=True)]
        kinds.append(kinds[0] + kinds[1])
        bands = [in_bands(kind) for kind in kinds]
        count = len(DISTANCES)
        found.append([10 * np.log10(b[:count] / b[count:].mean(0)) for b in bands])
    return [np.mean([room[k] for room in found], axis=0) for k in range(3)]


def draw(rooms: int, path: Path) -> None:
    """Draw ambience, own sound and both, 10 dB apart, over frequency and distance."""
    ambience, own, both = levels(rooms, 10.0)
    named = (
        ('ambience alone', ambience),
        ('own sound alone (one fan)', own),
        ('both, own sound 10 dB louder', both),
    )
    figure, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True, layout='constrained')
    for axis, (title, values) in zip(axes, named, strict=True):
        mesh = axis.pcolormesh(
            FREQUENCIES, DISTANCES, values, cmap='RdBu_r', vmin=-6, vmax=6, shading='gouraud'
        )
        axis.set_xscale('log')
        axis.set_title(title)
        axis.set_xlabel('Hz')
    axes[0].set_ylabel('from the wall to the ear, m')
    figure.colorbar(mesh, ax=axes, label='dB over the mean at 1.7 to 2.3 m')
    figure.suptitle(f'What a wall does to the spectrum at an ear: mean of {rooms} simulated rooms')
    figure.savefig(path, dpi=110)


def write_examples(folder: Path) -> None:
    """Write what a TurtleBot 4's left ear hears 0.2 m from a wall and far from it, 4 s each."""
    scene = draw_scene(4)
    own = draw_own_sound(find_profile('turtlebot4'), 4, 10.0)
    hearing = Hearing(replace(scene, own=own, gain_spread_db=0.0))
    length, width = np.max(scene.room.footprint, axis=0)
    near = Pose2D(0.35, width / 2, np.pi / 2)
    far = Pose2D(length / 2, width / 2, np.pi / 2)
    heard = [hearing.rig(find_rig('pair'), p, 0, 4 * SAMPLE_RATE)[0] for p in (near, far)]
    loudest = max(np.abs(samples).max() for samples in heard)
    for name, samples in zip(('robot_near_wall', 'robot_far_from_wall'), heard, strict=True):
        soundfile.write(folder / f'{name}.ogg', 0.5 * samples / loudest, SAMPLE_RATE)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--rooms', type=int, default=20)
    options = parser.parse_args()
    draw(options.rooms, Path(__file__).with_name('own_sound.png'))
    write_examples(Path(__file__).parent)
