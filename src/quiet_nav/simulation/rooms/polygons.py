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

"""Vectorized plane geometry of polygons, segments and rays: no rooms, no robots."""

from __future__ import annotations

import numpy as np

EPSILON = 1e-9


def signed_area(corners: np.ndarray) -> float:
    """Return the area of a polygon, shape (n, 2), in m2; negative where it runs clockwise."""
    x, y = np.asarray(corners, dtype=float).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def first_crossing(corners: np.ndarray) -> tuple[int, int] | None:
    """
    Return the first two edges of a closed polygon that touch or cross beyond a shared corner.

    Edge i runs from corner i to corner i + 1. Neighbors cross where one folds back on the other.
    """
    corners = np.asarray(corners, dtype=float)
    n = len(corners)
    ends = np.roll(corners, -1, axis=0)
    for i in range(n):
        for j in range(i + 1, n):
            neighbors = j == i + 1 or (i == 0 and j == n - 1)
            if neighbors:
                first, second = (i, j) if j == i + 1 else (j, i)
                a, b = ends[first] - corners[first], ends[second] - corners[second]
                if abs(_cross(a, b)) < EPSILON and float(a @ b) < 0.0:
                    return i, j
            elif _segments_touch(corners[i], ends[i], corners[j], ends[j]):
                return i, j
    return None


def points_inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return for points of shape (..., 2) whether each lies inside a polygon of shape (n, 2)."""
    points = np.asarray(points, dtype=float)
    x, y = points[..., 0, None], points[..., 1, None]
    x0, y0 = np.asarray(corners, dtype=float).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    straddles = (y0 > y) != (y1 > y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    return np.sum(straddles & (x < x0 + (y - y0) / rise * (x1 - x0)), axis=-1) % 2 == 1


def nearest_on_segments(
    points: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (n, s) and nearest points (n, s, 2) from points (n, 2) to s segments."""
    points = np.asarray(points, dtype=float)[:, None, :]
    along = ends - starts
    share = np.sum((points - starts) * along, axis=-1) / np.sum(along * along, axis=-1)
    feet = starts + np.clip(share, 0.0, 1.0)[..., None] * along
    return np.linalg.norm(points - feet, axis=-1), feet


def ray_hits(
    origins: np.ndarray, directions: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """
    Return how far along each ray (n, 2) each of s segments lies, shape (n, s).

    The distance is in units of the direction's length; infinite where the ray misses the segment.
    A ray that runs along a segment misses it.
    """
    along = ends - starts
    to_start = starts - np.asarray(origins, dtype=float)[:, None, :]
    directions = np.asarray(directions, dtype=float)[:, None, :]
    denominator = _cross(directions, along)
    safe = np.where(np.abs(denominator) < 1e-12, np.inf, denominator)
    distance = _cross(to_start, along) / safe
    share = _cross(to_start, directions) / safe
    hit = np.isfinite(safe) & (distance >= 0.0) & (share >= -EPSILON) & (share <= 1.0 + EPSILON)
    return np.where(hit, distance, np.inf)


def offset_polyline(points: np.ndarray, distance: float) -> np.ndarray:
    """Return an open polyline (n, 2) moved to its left by ``distance`` meters, corners mitred."""
    points = np.asarray(points, dtype=float)
    steps = np.diff(points, axis=0)
    normals = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    before = np.concatenate([normals[:1], normals])
    after = np.concatenate([normals, normals[-1:]])
    mitre = before + after
    mitre /= np.sum(mitre * before, axis=1, keepdims=True)
    return points + distance * mitre


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _segments_touch(p0: np.ndarray, p1: np.ndarray, q0: np.ndarray, q1: np.ndarray) -> bool:
    d = p1 - p0, q1 - q0
    sides = (
        _cross(d[0], q0 - p0),
        _cross(d[0], q1 - p0),
        _cross(d[1], p0 - q0),
        _cross(d[1], p1 - q0),
    )
    if sides[0] * sides[1] < 0.0 and sides[2] * sides[3] < 0.0:
        return True
    ends = ((p0, p1, q0), (p0, p1, q1), (q0, q1, p0), (q0, q1, p1))
    return any(
        float(nearest_on_segments(point[None], start[None], end[None])[0][0, 0]) < 1e-6
        for start, end, point in ends
    )
