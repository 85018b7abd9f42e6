"""What every child process of a session does about its parent and about signals."""

from __future__ import annotations

import os
import signal
import threading
import time

CHECK_SECONDS = 0.5


def end_with_parent() -> None:
    """Send this process SIGTERM once its parent is gone, so that no orphan keeps running."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
