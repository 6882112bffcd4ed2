"""`quiet_nav view`: what the robot hears, in a web view (Foxglove): of a bag, or live."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def main(
    bag: Annotated[
        Path | None,
        typer.Argument(help='rosbag2 folder (mcap, sqlite3) or ROS 1 .bag; none with --live.'),
    ] = None,
    live: Annotated[bool, typer.Option('--live', help='Show the topics of running nodes.')] = False,
    out: Annotated[
        Path | None, typer.Option(help='Write an MCAP file for Foxglove instead of serving.')
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help='Readings that `quiet_nav replay` made of the bag: OUT/NAME.'),
    ] = None,
    readings: Annotated[str, typer.Option(help='Topic of readings; default: found by type.')] = '',
    odom: Annotated[str, typer.Option(help='Topic of odometry; default: found by type.')] = '',
    rig: Annotated[
        str, typer.Option(help='single, pair, trio or a YAML file; default: by the sides heard.')
    ] = '',
    base_frame: Annotated[str, typer.Option(help='Frame of the robot.')] = 'base_link',
    namespace: Annotated[str, typer.Option(help='Namespace of the nodes, with --live.')] = '',
    host: Annotated[str, typer.Option(help='Address to serve at; 0.0.0.0: all.')] = '127.0.0.1',
    port: Annotated[int, typer.Option(min=0, max=65535, help='Port to serve at.')] = 8765,
    speed: Annotated[float, typer.Option(min=0.01, help='Of play, times real time.')] = 1.0,
    once: Annotated[bool, typer.Option('--once', help='Play a bag once, not again.')] = False,
) -> None:
    """Show probabilities, distances, fans, path, map and images in Foxglove.

    Without --out a WebSocket is served that the Foxglove app or app.foxglove.dev connects to.
    """
    from quiet_nav.errors import QuietNavError
    from quiet_nav.view.scene import need_foxglove

    if (bag is None) != live:
        raise QuietNavError('view: give a bag or --live, one of both')
    need_foxglove()
    if live:
        if out is not None or predictions is not None:
            raise QuietNavError('view: --out and --predictions are for bags, not for --live')
        _become_node(host, port, rig, base_frame, namespace)
    _show_bag(bag, out, predictions, readings, odom, rig, base_frame, (host, port), speed, once)


def _become_node(host: str, port: int, rig: str, base_frame: str, namespace: str) -> None:
    """Go on as the node live_view, in this process."""
    arguments = ['-m', 'quiet_nav.nodes.live_view', '--ros-args']
    values = {'host': host, 'port': port, 'base_frame': base_frame, 'rig': rig or 'trio'}
    for name, value in values.items():
        arguments += ['-p', f'{name}:={value}']
    if namespace:
        arguments += ['-r', f'__ns:=/{namespace.strip("/")}']
    os.execv(sys.executable, [sys.executable, *arguments])


def _show_bag(
    bag: Path,
    out: Path | None,
    predictions: Path | None,
    readings: str,
    odom: str,
    rig: str,
    base_frame: str,
    at: tuple[str, int],
    speed: float,
    once: bool,
) -> None:
    from quiet_nav.view.bag import BagPlayer, look_into, rig_of
    from quiet_nav.view.scene import Scene
    from quiet_nav.view.serve import ended, how_to_look, into_file, into_server, paced

    view = look_into(bag, predictions, readings, odom)
    ears = rig_of(view, rig)
    if out is not None:
        with into_file(out) as context:
            player = BagPlayer(view, Scene(context, ears, base_frame), ears, base_frame)
            for item in view.messages():
                player.show(*item)
            player.finish()
        shown = ', '.join(f'{topic} {count}' for topic, count in sorted(player.shown.items()))
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
