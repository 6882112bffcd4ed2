"""The node `wall_follower`: drives along walls."""

from __future__ import annotations


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    from quiet_nav.nodes.wall_follower.node import main as run_node

    return run_node(args)
