"""What a child process of a session does when its parent is gone.

    python -m streaming.process PROGRAM [ARGUMENT ...]

runs a program that knows nothing of its parent, and ends it, with all that it started, when the
parent is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

CHECK_SECONDS = 0.5

# Names the parent's process id, for a child that asks for it after its parent has gone.
PARENT = "TICKLOOP_PARENT"


def end_with_parent() -> None:
    """Send this process SIGTERM once its parent is gone, so that no orphan goes on running."""

    def watch() -> None:
        wait_for_orphanage()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def wait_for_orphanage() -> None:
    """Wait until the parent of this process is gone."""
    parent = int(os.environ.get(PARENT) or os.getppid())
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)


def main() -> None:
    """Run a program in this process' group, and end the group with the parent."""

    def watch() -> None:
        wait_for_orphanage()
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    sys.exit(subprocess.run(sys.argv[1:]).returncode)


if __name__ == "__main__":
    main()
