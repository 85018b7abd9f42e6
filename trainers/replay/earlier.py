"""Replays sessions that have ended; each gets its result as tag ``parity``.

    python -m trainers.replay.earlier RUN_ID ...

A session with a fixed number of cycles is replayed when it ends, while its user waits for the
result. A session that is ended by hand must end at once: it is replayed by this process, which the
next session starts, at a low priority.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from streaming.program.process import LOW_PRIORITY

POLL_SECONDS = 0.1


def replay_at_the_end(session: Path, stopped: Callable[[], bool]) -> None:
    """Replay a session that has just ended; give up once ``stopped()`` is True."""
    process = subprocess.Popen(_replay_of(session.name), start_new_session=True)
    while process.poll() is None and not stopped():
        time.sleep(POLL_SECONDS)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # a replay has nothing to save


def _replay_of(session: str) -> list[str]:
    flags = ["--session", session, "--runs", "false"]
    return [sys.executable, "-m", "trainers.replay", *flags]


def main() -> None:
    """Replay the sessions of the command line; a replay that fails prints the reason itself."""
    os.nice(LOW_PRIORITY)  # nobody waits for it, and a session is learning beside it
    for session in sys.argv[1:]:
        subprocess.run(_replay_of(session), check=False)


if __name__ == "__main__":
    main()
