"""The node `near_wall`: listens with a rig, looks with a camera."""

from __future__ import annotations


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    from quiet_nav.nodes.near_wall.node import main as run_node

    return run_node(args)
