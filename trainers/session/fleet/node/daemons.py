"""Holds the processes that ``ray start`` leaves behind: they end together, and with this one.

    python -m trainers.session.fleet.node.daemons RAY start [ARGUMENT ...]

Ray's own ``--block`` does it too, in a process that has imported all of Ray: 150 MB to wait. This
one becomes the parent of what its children leave behind (Linux, prctl(2): PR_SET_CHILD_SUBREAPER).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

import psutil

from streaming.program import interrupt
from streaming.program.entry_point import entry_point

PR_SET_CHILD_SUBREAPER = 36
END_SECONDS = 2.0  # some of Ray's processes hear no SIGTERM


def adopt_orphans() -> None:
    """Become the parent of the processes that this one's descendants leave behind.

    Raises:
        OSError: if the kernel does not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def wait_for_any(pids: set[int]) -> None:
    """Return once one of some children has ended; others are taken leave of, too."""
    while os.waitpid(-1, 0)[0] not in pids:
        pass


def end_all() -> None:
    """End all descendants: SIGTERM, then SIGKILL."""
    every = psutil.Process().children(recursive=True)
    for one in every:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGTERM)
    _, deaf = psutil.wait_procs(every, END_SECONDS)
    for one in deaf:
        one.kill()
    psutil.wait_procs(deaf, END_SECONDS)


@entry_point("ray")
def main() -> int:
    """Start them, wait until one of them or this process is ended, end the others."""
    interrupt.install()
    adopt_orphans()
    try:
        code = subprocess.run(sys.argv[1:]).returncode
        if code == 0:
            wait_for_any({child.pid for child in psutil.Process().children()})
            code = 1  # they are not meant to end
        return code
    finally:
        end_all()


if __name__ == "__main__":
    main()
