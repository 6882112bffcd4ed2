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

"""`quiet_nav view`: what the robot hears, of a bag or live, in a browser: Rerun or Foxglove."""

from __future__ import annotations

import os
from pathlib import Path
import sys
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from quiet_nav.perception.rig import Rig
    from quiet_nav.view.bag import BagPlayer, BagView


def main(
    bag: Annotated[
        Path | None,
        typer.Argument(help='rosbag2 folder (mcap, sqlite3) or ROS 1 .bag; none with --live.'),
    ] = None,
    live: Annotated[bool, typer.Option('--live', help='Show the topics of running nodes.')] = False,
    web: Annotated[
        bool, typer.Option('--web', help='In a browser, without account or internet (Rerun).')
    ] = False,
    foxglove: Annotated[
        bool, typer.Option('--foxglove', help='Serve a WebSocket for the Foxglove app instead.')
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help='Write a file to share instead: .rrd for Rerun, .mcap for Foxglove.'),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help='Readings that `quiet_nav replay` made of the bag: OUT/NAME.'),
    ] = None,
    readings: Annotated[str, typer.Option(help='Topic of readings; default: found by type.')] = '',
    odom: Annotated[str, typer.Option(help='Topic of odometry; default: found by type.')] = '',
    rig: Annotated[
        str, typer.Option(help='Rig by name (config/rigs) or a YAML; default: by the sides heard.')
    ] = '',
    room: Annotated[
        str,
        typer.Option(help='Floor plan to show in Rerun (frame map): a room that ships, or a YAML.'),
    ] = '',
    base_frame: Annotated[str, typer.Option(help='Frame of the robot.')] = 'base_link',
    namespace: Annotated[str, typer.Option(help='Namespace of the nodes, with --live.')] = '',
    host: Annotated[str, typer.Option(help='Address to serve at; 0.0.0.0: all.')] = '127.0.0.1',
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help='Port to serve at; default: 9090, Foxglove 8765.'),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help='Of play in Foxglove, times real time.')
    ] = 1.0,
    once: Annotated[
        bool, typer.Option('--once', help='Play a bag once in Foxglove, not again.')
    ] = False,
    overwrite: Annotated[bool, typer.Option('--overwrite', help='Replace OUT.')] = False,
) -> None:
    """
    Show probabilities, distances, fans, path, map, images and sound.

    Without --web Rerun opens a window of its own, where there is a display. Both need neither
    account nor internet.
    """
    from quiet_nav.errors import QuietNavError
    from quiet_nav.view.rerun_scene import need_rerun
    from quiet_nav.view.scene import need_foxglove

    if (bag is None) != live:
        raise QuietNavError('view: give a bag or --live, one of both')
    if web and foxglove:
        raise QuietNavError('view: --web is Rerun, --foxglove is Foxglove: choose one')
    if out is not None and out.suffix not in ('.rrd', '.mcap'):
        raise QuietNavError(f'view: --out {out}: expected a name that ends in .rrd or .mcap')
    in_foxglove = foxglove or (out is not None and out.suffix == '.mcap')
    if room and in_foxglove:
        raise QuietNavError('view: --room is shown by Rerun: leave --foxglove (and .mcap) out')
    (need_foxglove if in_foxglove else need_rerun)()
    at = host, port if port is not None else (8765 if in_foxglove else 9090)
    if live:
        if out is not None or predictions is not None:
            raise QuietNavError('view: --out and --predictions are for bags, not for --live')
        viewer = 'foxglove' if foxglove else 'rerun'
        _become_node(*at, rig, base_frame, namespace, viewer, room)
    asked = (bag, predictions, readings, odom, rig, base_frame)
    if in_foxglove:
        _show_in_foxglove(asked, out, at, speed, once, overwrite)
    else:
        _show_in_rerun(asked, out, at, web, overwrite, room)


def _become_node(
    host: str, port: int, rig: str, base_frame: str, namespace: str, viewer: str, room: str
) -> None:
    """Go on as the node live_view, in this process."""
    import json

    arguments = ['-m', 'quiet_nav.nodes.live_view', '--ros-args']
    values = {'host': host, 'port': port, 'base_frame': base_frame, 'rig': rig or 'trio'}
    for name, value in (values | {'viewer': viewer, 'room': room}).items():
        # JSON is YAML, which is what ROS reads; it cannot read a bare nothing.
        arguments += ['-p', f'{name}:={json.dumps(value)}']
    if namespace:
        arguments += ['-r', f'__ns:=/{namespace.strip("/")}']
    os.execv(sys.executable, [sys.executable, *arguments])


#: Bag, predictions, topics of readings and odometry, rig, frame of the robot.
Asked = tuple[Path, Path | None, str, str, str, str]


def _opened(asked: Asked) -> tuple[BagView, Rig]:
    from quiet_nav.view.bag import look_into, rig_of

    bag, predictions, readings, odom, rig, _ = asked
    view = look_into(bag, predictions, readings, odom)
    return view, rig_of(view, rig)


def _play_all(view: BagView, player: BagPlayer, sound: bool, out: Path) -> str:
    """Play everything at once into a file and return in words what was shown."""
    from quiet_nav.errors import QuietNavError
    from quiet_nav.files.writing import check_space

    for number, item in enumerate(view.messages(sound)):
        if number % 100 == 0:
            check_space(out)
        player.show(*item)
    player.finish()
    notes = [*view.notes, *player.notes]
    if not player.shown:
        raise QuietNavError(f'bag {view.bags[0]}: nothing could be shown: {"; ".join(notes)}')
    for note in notes:
        print(f'quiet_nav: {note}', file=sys.stderr)
    return ', '.join(f'{topic} {count}' for topic, count in sorted(player.shown.items()))


def _show_in_rerun(
    asked: Asked,
    out: Path | None,
    at: tuple[str, int],
    web: bool,
    overwrite: bool,
    room: str,
) -> None:
    import tempfile

    from quiet_nav.errors import QuietNavError
    from quiet_nav.simulation.rooms.plan_files import load_plan
    from quiet_nav.view.bag import BagPlayer, root_of
    from quiet_nav.view.rerun_layout import layout
    from quiet_nav.view.rerun_scene import PLAN_FRAME, RerunScene
    from quiet_nav.view.rerun_serve import file_page, has_display, into_rrd, window
    from quiet_nav.view.serve import ended

    view, ears = _opened(asked)
    plan, root = load_plan(room) if room else None, root_of(view, asked[-1])
    if plan is not None and root != PLAN_FRAME:
        print(
            f'quiet_nav: the plan is not shown: nothing in the bag says where {root} is in the '
            f'frame {PLAN_FRAME} of floor plans',
            file=sys.stderr,
        )
    if out is None and not web and not has_display():
        raise QuietNavError('view: no display for a window here: --web shows it in a browser')

    def write(path: Path) -> str:
        views = layout(root, view.has)
        with into_rrd(path, views, overwrite) as recording:
            scene = RerunScene(recording, ears, asked[-1])
            if plan is not None:
                scene.plan(plan)
            return _play_all(view, BagPlayer(view, scene, ears, asked[-1]), True, path)

    if out is not None:
        print(f'{out}: {write(out)}')
        return
    with tempfile.TemporaryDirectory(prefix='quiet_nav-view-') as folder:
        path = Path(folder) / f'{asked[0].resolve().stem}.rrd'
        print(write(path), flush=True)
        if not web:
            window(path)
            return
        with file_page(path, *at) as page:
            print(f'open {page.address} in a browser; Ctrl-C ends it', flush=True)
            ended().wait()


def _show_in_foxglove(
    asked: Asked,
    out: Path | None,
    at: tuple[str, int],
    speed: float,
    once: bool,
    overwrite: bool,
) -> None:
    from quiet_nav.view.bag import BagPlayer
    from quiet_nav.view.scene import Scene
    from quiet_nav.view.serve import ended, how_to_look, into_file, into_server, paced

    view, ears = _opened(asked)
    base_frame = asked[-1]
    if out is not None:
        with into_file(out, overwrite) as context:
            scene = Scene(context, ears, base_frame)
            shown = _play_all(view, BagPlayer(view, scene, ears, base_frame), False, out)
        print(f'{out}: {shown}')
        return
    with into_server(*at) as (context, server):
        print(how_to_look(server, at[0]), flush=True)
        stop = ended()
        scene = Scene(context, ears, base_frame)
        while not stop.is_set():
            player = BagPlayer(view, scene, ears, base_frame)
            for item in paced(view.messages(), speed, stop.wait):
                server.broadcast_time(item[0])
                player.show(*item)
            player.finish()
            if once or stop.wait(1.0):
                break
            # Foxglove forgets what it has: time begins again.
            server.clear_session()
            scene.begin_again()
