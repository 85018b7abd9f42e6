"""Replays sessions that have ended, to see that they replay to the same, and tags them ``parity``.

    python -m trainers.replay.earlier RUN_ID ...

A session of a fixed number of cycles is replayed at its end. One that was ended by hand has to be
gone at once; the next session has it replayed beside it, by this process. Both give way to all
other work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.1


def replay_at_the_end(session: Path, stopped: Callable[[], bool]) -> None:
    """Replay a session that has just ended, until it is done or ``stopped()``."""
    process = subprocess.Popen(_replay_of(session.name), start_new_session=True)
    while process.poll() is None and not stopped():
        time.sleep(POLL_SECONDS)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # it has nothing to lose


def _replay_of(session: str) -> list[str]:
    flags = ["--session", session, "--runs", "false"]
    return ["nice", "-n", "19", sys.executable, "-m", "trainers.replay", *flags]


def main() -> None:
    """Replay the sessions named; the replay of one that cannot be replayed says so itself."""
    for session in sys.argv[1:]:
        subprocess.run(_replay_of(session), check=False)


if __name__ == "__main__":
    main()
