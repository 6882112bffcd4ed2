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

"""Everything that is drawn, in one style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.perception.display.display import PROBABILITY_MAP

if TYPE_CHECKING:
    from quiet_nav.perception.maps.probability_grid import GridMap

#: Colors that people with any color vision can tell apart (Okabe and Ito).
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
#: Forms of pictures, by the ending of the file.
PICTURES = ('.png', '.svg', '.pdf', '.jpg')
#: More points of a line are not to be told apart, and take memory by the hour.
MOST_POINTS = 6000
STYLE = {
    # A line of hours, drawn in one piece, takes memory by its length.
    'agg.path.chunksize': 200,
    'font.size': 11,
    'axes.grid': True,
    'axes.axisbelow': True,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'grid.color': '#dddddd',
    'legend.frameon': False,
    'lines.linewidth': 2.0,
    'figure.dpi': 120,
    'savefig.dpi': 160,
    'svg.hashsalt': 'quiet_nav',
}


def check_picture(path: str | Path) -> None:
    """Raise QuietNavError where a file's name does not end as a picture's; before the work."""
    ending = Path(path).suffix.lower()
    if ending not in PICTURES:
        raise QuietNavError(f'{path}: pictures are {", ".join(PICTURES)}, not {ending or "this"}')


@contextmanager
def figure(
    path: str | Path, width: float = 6.0, height: float = 4.5, overwrite: bool = True, **grid
) -> Iterator:
    """
    Give (figure, axes) in the project's style and write them to ``path`` at the end.

    overwrite: a picture that is there already is replaced. grid: as for
    ``matplotlib.pyplot.subplots`` (nrows, ncols, ...). No display is needed. Raises QuietNavError
    where the path does not end as a picture's, or cannot be written.
    """
    check_picture(path)
    # It warns of a home that cannot be written, which costs it a second and nobody anything.
    logging.getLogger('matplotlib').setLevel(logging.ERROR)
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({'axes.prop_cycle': matplotlib.cycler(color=COLORS), **STYLE}):
        drawn = Figure(figsize=(width, height), layout='constrained')
        FigureCanvasAgg(drawn)
        yield drawn, drawn.subplots(**grid)
        with whole_file(path, overwrite) as part:
            drawn.savefig(part)


def extremes(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """
    Return which values of a long line, shape (N,), to draw: at most ``most``, ascending.

    The lowest and the highest of every so many in a row, so that no peak is lost, and a NaN where
    there is one, so that gaps stay. All of them where there are no more.
    """
    count = len(values)
    if count <= most:
        return np.arange(count)
    chosen = []
    for part in np.array_split(np.arange(count), most // 3):
        known = part[~np.isnan(values[part])]
        chosen += list(np.setdiff1d(part, known)[:1])
        if len(known):
            chosen += [known[np.argmin(values[known])], known[np.argmax(values[known])]]
    return np.unique(chosen)


def reliability(
    path: str | Path, probability: np.ndarray, labels: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray]:
    """
    Draw how often there was a wall against how probable it was said to be.

    Returns the points drawn: mean probability and frequency of every bin that has rows.
    """
    which = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    filled = counts > 0
    said = np.bincount(which, probability, bins)[filled] / counts[filled]
    was = np.bincount(which, np.asarray(labels, float), bins)[filled] / counts[filled]
    with figure(path, 5.0, 5.5, nrows=2, height_ratios=(4, 1), sharex=True) as (_, axes):
        axes[0].plot([0, 1], [0, 1], color='#888888', linewidth=1, linestyle='--')
        axes[0].plot(said, was, marker='o')
        axes[0].set(ylabel='frequency of a near wall', xlim=(0, 1), ylim=(0, 1))
        axes[1].bar((np.arange(bins) + 0.5) / bins, counts, 0.9 / bins, color='#888888')
        axes[1].set(xlabel='near-wall probability', ylabel='rows')
    return said, was


def precision_recall(
    path: str | Path, curves: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """Draw precision against recall, one curve a name of (probabilities, labels); returns APs."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    areas = {}
    with figure(path, 5.5, 5.0) as (_, axes):
        for name, (probability, labels) in curves.items():
            precision, recall, _ = precision_recall_curve(labels, probability)
            areas[name] = float(average_precision_score(labels, probability))
            seen = extremes(precision)
            axes.step(
                recall[seen], precision[seen], where='post', label=f'{name} (AP {areas[name]:.2f})'
            )
        share = float(np.mean(next(iter(curves.values()))[1]))
        axes.axhline(share, color='#888888', linewidth=1, linestyle='--', label='chance')
        axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1.01), ylim=(0, 1.02))
        axes.legend()
    return areas


def near_wall_map(
    path: str | Path,
    grid: GridMap,
    title: str = '',
    overwrite: bool = True,
    walls: Sequence[Sequence[float]] | np.ndarray | None = None,
    numbers: bool = False,
) -> None:
    """
    Draw a near-wall map to scale (paper, Fig. 6), in the colors of RViz's fans.

    overwrite: as for ``figure``. walls: corners of the room, (n, 2), in the map's frame. numbers:
    the mean is written into every cell. Cells that no reading was about stay white. Raises
    QuietNavError where the map is empty.
    """
    if not grid.probability.size:
        raise QuietNavError('the map is empty')
    left, right, bottom, top = grid.extent
    scale = 7.0 / max(right - left, top - bottom)
    width, height = max(scale * (right - left), 3.0), max(scale * (top - bottom), 3.0)
    with figure(path, width + 1.6, height + 0.8, overwrite) as (drawn, axes):
        cells = axes.imshow(
            grid.probability, origin='lower', extent=grid.extent, cmap=PROBABILITY_MAP,
            vmin=0.0, vmax=1.0, interpolation='nearest', zorder=2,
        )  # fmt: skip
        drawn.colorbar(cells, ax=axes, label='near-wall probability, mean', shrink=0.8)
        axes.set(xlabel='x, m', ylabel='y, m', title=title)
        axes.set_aspect('equal')
        if walls is not None:
            corners = np.asarray(walls, float)
            axes.plot(*np.vstack([corners, corners[:1]]).T, color='#000000', linewidth=3, zorder=3)
        if numbers:
            for (i, j), value in np.ndenumerate(grid.probability):
                if np.isfinite(value):
                    x, y = (grid.x, grid.y) + grid.resolution_m * (np.array([j, i]) + 0.5)
                    # Bright cells take dark letters.
                    axes.text(x, y, f'{value:.2f}', ha='center', va='center', zorder=4,
                              color='#000000' if value > 0.6 else '#ffffff')  # fmt: skip


@dataclass(frozen=True)
class WallSpectra:
    """What is heard at distances from a wall, measured and expected."""

    #: Shape (frequencies,).
    frequencies_hz: np.ndarray
    #: Shape (distances,).
    distances_m: np.ndarray
    #: Levels over the mean of the room, (distances, frequencies).
    measured_db: np.ndarray
    #: The same by a closed form.
    expected_db: np.ndarray


def wall_spectra(
    path: str | Path,
    spectra: WallSpectra,
    title: str,
    expected_title: str,
    rows_m: Sequence[float] = (0.1, 0.3, 0.5, 1.2),
) -> None:
    """
    Draw spectra against the distance to a wall, measured beside expected, and some as lines.

    rows_m: distances that are drawn as lines.
    """
    frequencies_hz, distances_m = spectra.frequencies_hz, spectra.distances_m
    measured_db, expected_db = spectra.measured_db, spectra.expected_db
    with figure(path, 14.0, 4.4, ncols=3) as (drawn, axes):
        for axis, levels, text in (
            (axes[0], measured_db, title),
            (axes[1], expected_db, expected_title),
        ):
            axis.grid(False)
            # Filled contours: a smooth mesh of the same would be a file of nearly a megabyte.
            image = axis.contourf(
                frequencies_hz, distances_m, levels, np.linspace(-3.125, 3.125, 26), cmap='RdBu_r',
                extend='both',
            )  # fmt: skip
            axis.set(xscale='log', xlabel='frequency, Hz', ylabel='distance to the wall, m')
            axis.set_title(text, fontsize=11)
        bar = drawn.colorbar(image, ax=list(axes[:2]), label='level over the mean of the room, dB')
        bar.set_ticks(range(-3, 4))
        for meters in rows_m:
            row = np.argmin(np.abs(distances_m - meters))
            (line,) = axes[2].semilogx(frequencies_hz, measured_db[row], label=f'{meters} m')
            axes[2].semilogx(frequencies_hz, expected_db[row], ':', color=line.get_color())
        axes[2].set(xlabel='frequency, Hz', ylabel='level over the mean of the room, dB')
        axes[2].set_title('Rooms (lines) and closed form (dots)', fontsize=11)
        axes[2].legend(title='distance to the wall')
