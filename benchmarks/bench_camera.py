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

"""
Time the simulated camera beside the straightforward ways to the same depth image.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_camera.py
"""

import math
import time

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera import D415_DEPTH, RoomCamera

ROOM, POSE = 'classroom', Pose2D(2.6, 1.0, 0.9)
LOOP_STRIDE = 16


def loop_depth(plan, pose, z, camera, stride=1):
    """One ray after the other, every face asked in turn."""
    prisms = [(plan.footprint, plan.height)] + [(f.footprint, f.height) for f in plan.furniture]
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    image = np.empty((camera.height // stride, camera.width // stride))
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            across = (j * stride - camera.cx) / camera.fx
            down = (i * stride - camera.cy) / camera.fy
            dx, dy = c + across * s, s - across * c
            best = (z if down > 0 else plan.height - z) / abs(down)
            for corners, height in prisms:
                for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
                    det = dx * (y1 - y0) - dy * (x1 - x0)
                    t = ((x0 - pose.x) * (y1 - y0) - (y0 - pose.y) * (x1 - x0)) / (det or 1e-12)
                    u = ((x0 - pose.x) * dy - (y0 - pose.y) * dx) / (det or 1e-12)
                    if 0 < t < best and 0 <= u <= 1 and 0 <= z - t * down <= height:
                        best = t
            image[i, j] = best
    return image


def array_depth(plan, pose, z, camera):
    """Every pixel against every face, in arrays."""
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    across = ((np.arange(camera.width) - camera.cx) / camera.fx)[None]
    down = ((np.arange(camera.height) - camera.cy) / camera.fy)[:, None]
    dx, dy = c + across * s + 0 * down, s - across * c + 0 * down
    best = np.where(down > 0, z, plan.height - z) / np.abs(down) + 0 * across
    prisms = [(plan.footprint, plan.height)] + [(f.footprint, f.height) for f in plan.furniture]
    for corners, height in prisms:
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            det = dx * (y1 - y0) - dy * (x1 - x0)
            t = ((x0 - pose.x) * (y1 - y0) - (y0 - pose.y) * (x1 - x0)) / det
            u = ((x0 - pose.x) * dy - (y0 - pose.y) * dx) / det
            up = z - t * down
            met = (t > 0) & (t < best) & (u >= 0) & (u <= 1) & (up >= 0) & (up <= height)
            best = np.where(met, t, best)
    return best


def cpu_ms(work, repeats):
    """Median CPU time of this thread in ms, so that a busy machine does not count."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(1e3 * (time.thread_time() - start))
    return float(np.median(times))


def main():
    import cv2

    cv2.setNumThreads(1)
    plan = load_plan(ROOM)
    start = time.thread_time()
    camera = RoomCamera(plan, np.random.default_rng(0))
    bake_ms = 1e3 * (time.thread_time() - start)
    rng = np.random.default_rng(1)
    eye = POSE.compose(Pose2D(camera.mount.x, camera.mount.y, camera.mount.yaw))
    z = camera.mount.z
    exact = camera.true_depth(POSE)
    assert np.abs(array_depth(plan, eye, z, D415_DEPTH) - exact).max() < 1e-3
    assert (
        np.abs(
            loop_depth(plan, eye, z, D415_DEPTH, LOOP_STRIDE) - exact[::LOOP_STRIDE, ::LOOP_STRIDE]
        ).max()
        < 1e-3
    )

    depth = cpu_ms(lambda: camera.true_depth(POSE), 21)
    arrays = cpu_ms(lambda: array_depth(plan, eye, z, D415_DEPTH), 5)
    loop = cpu_ms(lambda: loop_depth(plan, eye, z, D415_DEPTH, LOOP_STRIDE), 3) * LOOP_STRIDE**2
    noisy = cpu_ms(lambda: camera.depth(POSE, rng), 21)
    color = cpu_ms(lambda: camera.color(POSE, rng), 21)
    print(f'{ROOM}, 640 x 480, one core, CPU time')
    print(f'exact depth, columns and rows (ours)   {depth:9.1f} ms')
    print(f'exact depth, every pixel x every face  {arrays:9.1f} ms  ({arrays / depth:.0f} x)')
    print(
        f'exact depth, plain loop over rays      {loop:9.0f} ms  ({loop / depth:.0f} x; '
        f'1 ray in {LOOP_STRIDE**2} timed)'
    )
    print(f'depth image with noise and holes       {noisy:9.1f} ms')
    print(f'color image with texture and noise    {color:9.1f} ms')
    print(f'both                                   {noisy + color:9.1f} ms')
    print(f'a new room (textures, light)           {bake_ms:9.0f} ms, once')


if __name__ == '__main__':
    main()
