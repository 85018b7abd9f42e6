"""Which process keeps a run alive: the tag ``tickloop.owner``, ``HOST BOOT PID TICKS``.

No time of day is in it: a clock that is set neither ends a living session nor revives a dead one.
"""

from __future__ import annotations

import os
import platform

from streaming.program.process import identity


def owner_of_this_process() -> str:
    """Return the tag's value for runs that this process keeps alive."""
    return f"{platform.node()} {identity(os.getpid())}"


def may_live(owner: str) -> bool:
    """Return whether the process that a tag's value names may still run."""
    try:
        host, known = owner.split(" ", 1)
        pid = int(known.split(" ")[1])
    except (ValueError, IndexError):
        return True  # no tag of Tickloop's
    if host != platform.node():
        return True  # a process of another machine cannot be checked from here
    return identity(pid) == known
