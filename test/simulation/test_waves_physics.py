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

"""Waves against closed forms: modes, decay, images, a wall in a diffuse field, a screen, energy."""

import numba
import numpy as np
import pytest
from scipy import signal, special

from quiet_nav.simulation.rooms.plan import Furniture, Material, Plan, rectangle, shoebox
from quiet_nav.simulation.sound.acoustics import LATENCY
from quiet_nav.simulation.sound.waves import kernel
from quiet_nav.simulation.sound.waves.admittance import diffuse_absorption, fit_admittance
from quiet_nav.simulation.sound.waves.scheme import make_scheme
from quiet_nav.simulation.sound.waves.solver import (
    LOW_RATE,
    low_share,
    WaveSettings,
    WaveSolver,
)
from quiet_nav.simulation.sound.waves.voxels import voxels_of

C = 343.0


def material(absorption: float) -> Material:
    return Material('test', (absorption,) * 7)


def swallowing(admittance: float) -> Material:
    return material(float(diffuse_absorption(np.array(admittance))))


def box(size, surface, furniture=()) -> Plan:
    return shoebox('box', size, surface, surface, surface, furniture=furniture)


def solve(plan, sources, ears, **settings):
    return WaveSolver(plan, WaveSettings(**settings)).responses(np.array(sources), np.array(ears))


def spectrum(response, size=1 << 15):
    return np.fft.rfftfreq(size, 1 / LOW_RATE), np.fft.rfft(response, size, axis=-1)


@pytest.mark.slow
def test_modes_of_a_rigid_box_are_where_theory_has_them():
    size = (1.9, 1.37, 1.11)
    near_corner = np.array([0.06, 0.05, 0.07])
    heard = solve(box(size, material(0.0)), [near_corner], [near_corner], length_s=4.0)[0, 0]
    frequency, level = spectrum(heard * np.hanning(2 * len(heard))[len(heard) :])
    level = np.abs(level) * (frequency > 30)
    peaks = frequency[signal.find_peaks(level, prominence=0.02 * level.max())[0]]
    orders = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing='ij'), -1).reshape(-1, 3)
    modes = np.sort(C / 2 * np.linalg.norm(orders / np.array(size), axis=1))
    modes = modes[(modes > 30) & (modes < 560)]
    alone = [m for m in modes if np.sum(np.abs(modes - m) < 4.0) == 1]
    assert len(alone) > 12
    for mode in alone:
        assert np.abs(peaks - mode).min() < max(0.15, 2e-3 * mode)


@pytest.mark.slow
@pytest.mark.parametrize('mode', [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 1, 1)])
def test_modes_of_a_lossy_box_decay_as_theory_has_them(mode):
    size, admittance = np.array([2.3, 1.7, 1.3]), 0.01
    corner = np.array([0.03, 0.04, 0.03])
    heard = solve(box(tuple(size), swallowing(admittance)), [corner], [corner], length_s=1.6)[0, 0]
    frequency = C / 2 * np.linalg.norm(np.array(mode) / size)
    band = signal.butter(2, [frequency - 6, frequency + 6], 'bandpass', fs=LOW_RATE, output='sos')
    envelope = np.abs(signal.hilbert(signal.sosfiltfilt(band, heard)))
    time = np.arange(len(envelope)) / LOW_RATE
    kept = (time > 0.15) & (time < 0.7)
    rate = -np.polyfit(time[kept], np.log(envelope[kept]), 1)[0]
    expected = C * admittance * sum((2 if n else 1) / s for n, s in zip(mode, size, strict=True))
    assert rate == pytest.approx(expected, rel=0.04)


def images(source, ear, size, length_s, samples):
    """Return the exact response of a rigid box in the low band, by all images within reach."""
    axes = []
    for s, side in zip(source, size, strict=True):
        n = np.arange(-int(length_s * C / side) - 2, int(length_s * C / side) + 3)
        axes.append(np.concatenate([2 * n * side + s, 2 * n * side - s]))
    places = np.stack(np.meshgrid(*axes, indexing='ij'), -1).reshape(-1, 3)
    distance = np.linalg.norm(places - ear, axis=1)
    distance = distance[distance < length_s * C]
    frequency = np.fft.rfftfreq(4096, 1 / LOW_RATE)
    total = sum(
        (np.exp(-2j * np.pi * np.outer(frequency, part) / C) / part).sum(1)
        for part in np.array_split(distance, max(1, len(distance) // 500))
    )
    total *= low_share(frequency, 700.0) * np.exp(-2j * np.pi * frequency * LATENCY / 16000) / 8
    return np.fft.irfft(total, 4096)[:samples]


@pytest.mark.slow
@pytest.mark.parametrize('ear', [(3.4, 2.9, 1.5), (0.2, 1.0, 0.3), (4.85, 3.5, 0.1)])
def test_response_of_a_rigid_box_is_that_of_its_images(ear):
    size, source = (5.0, 3.7, 2.6), (2.13, 1.31, 1.07)
    heard = solve(box(size, material(0.0)), [source], [ear], length_s=0.12)[0, 0][:180]
    exact = images(source, np.array(ear), size, 0.2, len(heard))
    sos = signal.butter(2, 30, 'highpass', fs=LOW_RATE, output='sos')
    heard, exact = signal.sosfilt(sos, heard), signal.sosfilt(sos, exact)
    assert 20 * np.log10(np.linalg.norm(heard - exact) / np.linalg.norm(exact)) < -28


@pytest.mark.slow
def test_level_in_front_of_a_rigid_wall_in_a_diffuse_field():
    """Mean square pressure is 1 + sin(2kd)/(2kd) times that far from walls."""
    distance = np.array([0.03, 0.1, 0.17, 0.25, 0.35, 0.45])
    y, z = np.meshgrid(np.linspace(0.8, 2.6, 8), np.linspace(0.7, 1.9, 6))
    along = np.column_stack([y.ravel(), z.ravel()])
    far = np.array([1.0, 1.2, 1.5, 1.8])
    places = np.concatenate(
        [np.column_stack([np.full(len(along), d), along]) for d in (*distance, *far)]
    )
    size = np.array([3.9, 3.4, 2.6])
    sources = np.random.default_rng(1).uniform(0.1, size - 0.1, (16, 3))
    sources = sources[sources[:, 0] > 1.0]
    heard = solve(box(tuple(size), swallowing(0.01)), sources, places, length_s=0.2)
    frequency, level = spectrum(heard, 2048)
    band = (frequency > 330) & (frequency < 560)
    energy = (np.abs(level[..., band]) ** 2).mean(axis=0).reshape(-1, len(along), band.sum())
    energy = energy.mean(axis=1)
    measured = energy[: len(distance)] / energy[len(distance) :].mean(axis=0)
    kd = 2 * np.pi * frequency[band] / C * distance[:, None]
    expected = 1 + np.sin(2 * kd) / (2 * kd)
    off = 10 * np.log10(measured.mean(axis=1) / expected.mean(axis=1))
    assert np.abs(off).max() < 0.5, off


def edge_loss_db(frequency, source, ear, edge):
    """
    Loss behind a thin hard half-plane below ``edge`` (x, z), over the direct sound, dB.

    MacDonald's exact solution for a point source, source and ear in a plane across the edge.
    """
    radius, angle = [], []
    for x, _, z in (source, ear):
        radius.append(np.hypot(x - edge[0], z - edge[1]))
        angle.append(np.arctan2(x - edge[0], -(z - edge[1])) % (2 * np.pi))
    direct = np.hypot(source[0] - ear[0], source[2] - ear[2])
    losses = []
    for k in 2 * np.pi * frequency / C:
        total = 0.0
        for turn in (angle[0] - angle[1], angle[0] + angle[1]):
            away = np.sqrt(
                radius[0] ** 2 + radius[1] ** 2 - 2 * radius[0] * radius[1] * np.cos(turn)
            )
            end = np.sign(np.cos(turn / 2)) * np.sqrt(k * (sum(radius) - away))
            u = np.linspace(-40, end, 20001)
            wave = special.hankel2(1, k * away + u * u) / np.sqrt(u * u + 2 * k * away)
            total += k * np.trapezoid(wave * np.exp(-((np.maximum(0, -u - 20) / 8) ** 2)), u)
        losses.append(-20 * np.log10(np.abs(total) * direct))
    return np.array(losses)


@pytest.mark.slow
@pytest.mark.parametrize('below', [0.3, 0.6, 0.9])
def test_screen_takes_what_diffraction_at_its_edge_leaves(below):
    """A hard screen a cell thick, everything else absorbing, windowed in time."""
    opening, hard = material(1.0), material(0.0)
    size, edge = (5.6, 5.6, 4.2), (2.765, 2.1)
    screen = Furniture('screen', rectangle((edge[0], 2.8), 0.07, 5.6), edge[1], hard)
    ear = [edge[0] + 1.0, 2.8, edge[1] - below]
    source = [edge[0] - 1.0, 2.8, ear[2]]
    level = {}
    for name, furniture in (('free', ()), ('screen', (screen,))):
        heard = solve(box(size, opening, furniture), [source], [ear], length_s=0.06)[0, 0]
        time = np.arange(len(heard)) / LOW_RATE - LATENCY / 16000 - 2.0 / C
        fade = np.cos(np.pi / 2 * np.clip((time - 0.006) / 0.008, 0, 1))
        frequency, s = spectrum(heard * fade, 4096)
        level[name] = np.abs(s)
    band = np.flatnonzero((frequency > 250) & (frequency < 580))[::16]
    loss = 20 * np.log10(level['free'] / level['screen'])[band].mean()
    exact = edge_loss_db(frequency[band], source, ear, edge).mean()
    assert loss == pytest.approx(exact, abs=1.5)


def furnished(surface: Material, scale: float = 1.0) -> Plan:
    corners = ((0.0, 0.0), (3.2, 0.0), (3.2, 1.5), (1.9, 1.5), (1.4, 2.0), (1.4, 2.9), (0.0, 2.9))
    corners = tuple((scale * x, scale * y) for x, y in corners)
    boxes = tuple(
        Furniture(name, rectangle((scale * x, scale * y), *size, yaw), scale * height, surface)
        for name, x, y, size, yaw, height in (
            ('table', 0.8, 0.9, (0.5 * scale, 0.3 * scale), 0.4, 0.7),
            ('thin', 2.3, 0.3, (0.11 * scale, 0.6 * scale), 0.0, 1.2),
        )
    )
    return Plan('L', corners, 1.8 * scale, (surface,) * 7, surface, surface, furniture=boxes)


@pytest.mark.slow
def test_response_is_the_same_with_source_and_ear_exchanged():
    plan = furnished(Material('test', (0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1)))
    one, other = [[0.4, 0.3, 1.1]], [[2.9, 1.3, 0.2], [1.35, 2.7, 1.6]]
    ahead, back = (
        WaveSolver(plan, WaveSettings(length_s=0.2)).runs(np.array(a), np.array(b))
        for a, b in ((one, other), (other, one))
    )
    assert np.abs(ahead[0] - np.concatenate(back)).max() < 2e-4 * np.abs(ahead[0]).max()


def energies(plan, steps, crossover_hz=700.0):
    """Return the scheme's energy after every 100 steps that follow a burst."""
    scheme = make_scheme(voxels_of(plan, C / crossover_hz / 7))
    before, memory, *rest = scheme.walls
    walls = (before.copy(), memory.copy(), *rest)
    p, q = (np.zeros(scheme.air.shape, np.float32) for _ in range(2))
    inside = np.flatnonzero(scheme.air.ravel())
    rng = np.random.default_rng(3)
    cells = rng.choice(inside, 5)
    none = np.zeros((0, 1), np.int64)
    volume = scheme.volumes[inside]

    def run(count, pulse=0.0):
        nonlocal p, q
        drive = np.zeros(count, np.float32)
        drive[: min(count, 40)] = pulse * np.hanning(40)[:count] * rng.choice([-1, 1], 40)[:count]
        kernel.march(
            p, q, drive, scheme.grid, walls, scheme.edges, cells,
            np.ones(5, np.float32), none, none.astype(np.float32), 1, np.zeros((0, count)),
        )  # fmt: skip
        if count % 2:
            p, q = q, p
        return p.ravel()[inside].astype(float)

    def energy():
        old, now = run(1), run(1)
        new = run(1)
        change = new - 2 * now + old
        return float((volume * ((new - now) ** 2 - new * change)).sum())

    run(60, 1.0)
    found = [energy()]
    for _ in range(steps // 100):
        run(97)
        found.append(energy())
    return np.array(found), scheme


@pytest.mark.slow
def test_energy_of_a_rigid_room_of_any_shape_stays_the_same():
    found, scheme = energies(furnished(material(0.0)), 1500)
    assert len(scheme.edges[0]) > 0
    assert found / found[0] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_energy_of_a_room_with_walls_that_swallow_only_falls():
    carpet = Material('test', (0.05, 0.12, 0.25, 0.35, 0.4, 0.4, 0.4))
    found, _ = energies(furnished(carpet), 1500)
    assert np.all(np.diff(found) < 0)
    assert found[-1] < 0.05 * found[0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_million_steps_stay_stable():
    # Few cells, one thread: what a step leaves behind must not grow, whatever its size.
    numba.set_num_threads(1)
    corners = ((0.0, 0.0), (3.2, 0.0), (3.2, 1.5), (1.4, 2.9), (0.0, 2.9))
    box = Furniture('box', rectangle((0.9, 0.9), 0.9, 0.8, 0.4), 0.9, material(0.0))
    rigid = material(0.0)
    plan = Plan('small', corners, 1.8, (rigid,) * 5, rigid, rigid, furniture=(box,))
    try:
        found, _ = energies(plan, 1_000_000, crossover_hz=150.0)
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert found[-1] == pytest.approx(found[0], rel=0.05)


@pytest.mark.parametrize(
    'absorption',
    [
        (0.02, 0.02, 0.03, 0.04),
        (0.18, 0.10, 0.05, 0.04),
        (0.04, 0.08, 0.17, 0.24),
        (0.20, 0.35, 0.55, 0.65),
        (0.6, 0.6, 0.6, 0.6),
    ],
)
def test_admittances_swallow_what_materials_say_and_are_passive(absorption):
    fitted = fit_admittance((*absorption, 0.1, 0.1, 0.1))
    bands = np.array([125.0, 250.0, 500.0, 1000.0])
    assert diffuse_absorption(fitted.at(bands)) == pytest.approx(absorption, abs=0.05, rel=0.2)
    assert np.all(fitted.at(np.geomspace(1, 1e5, 99)).real >= 0)
