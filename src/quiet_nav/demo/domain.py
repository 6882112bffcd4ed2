"""A ROS domain on this machine that nobody else here uses: demos and tests beside each other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from quiet_nav.errors import QuietNavError

#: Domains whose ports lie below Linux's ephemeral ones.
DOMAINS = range(1, 101)


def claim_domain() -> tuple[int, IO[str]]:
    """Return a domain ID and the open file that keeps it: it is free again when that is closed.

    Raises QuietNavError where every domain is taken.
    """
    for attempt in range(len(DOMAINS)):
        domain = DOMAINS[(os.getpid() + attempt) % len(DOMAINS)]
        path = Path(tempfile.gettempdir(), f'quiet_nav_domain_{domain}.lock')
        try:
            lock = open(path, 'w')  # noqa: SIM115
        except OSError:
            # Somebody else's file: their domain.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return domain, lock
    raise QuietNavError('every ROS domain from 1 to 100 is taken on this machine')


@contextmanager
def private_domain() -> Iterator[dict[str, str]]:
    """Give the environment variables of a ROS graph of one's own, seen on this machine alone."""
    domain, lock = claim_domain()
    try:
        yield {'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
    finally:
        lock.close()
