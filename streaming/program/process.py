"""How a process of a session is known, and how it ends: by a signal, or with its parent.

    python -m streaming.program.process PROGRAM [ARGUMENT ...]

runs a program that knows nothing of its parent, and ends it, with all that it started, when the
parent is gone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from streaming.program.console import say

if TYPE_CHECKING:  # every process would import it, and few have a loop
    from asyncio import AbstractEventLoop

CHECK_SECONDS = 0.5
LOW_PRIORITY = 10  # nice: gives way to others, but is not kept out by them

# Names the parent's process id, for a child that asks for it after its parent has gone.
PARENT = "TICKLOOP_PARENT"

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STARTED = 19  # of the fields of /proc/PID/stat that follow the program's name


def end_signals() -> list[signal.Signals]:
    """Return the signals that end a process; a hang-up is none where `nohup` has turned it off."""
    ends = [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT]
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return ends if ignored else [*ends, signal.SIGHUP]


def on_end(handle: Callable[[int, FrameType | None], object]) -> None:
    """Call ``handle`` on the signals that would end the process."""
    for number in end_signals():
        signal.signal(number, handle)


def on_end_in(loop: AbstractEventLoop, handle: Callable[[], object]) -> Callable[[], int]:
    """Call ``handle`` on those signals, in a loop; what is returned tells the exit code then.

    It is 0 as long as none has come, else ``code_after`` the first.
    """
    came: list[int] = []

    def end(number: int) -> None:
        came.append(number)
        handle()

    for number in end_signals():
        loop.add_signal_handler(number, end, number)
    return lambda: code_after(came[0]) if came else 0


def code_after(number: int) -> int:
    """Return the exit code of a process that has ended in order because of a signal.

    In a session it is 128 + ``number``, as shells have it: only the session knows whether it was
    meant to end, and starts it again if not. By itself the process has done what was asked: 0.
    """
    return 128 + number if PARENT in os.environ else 0


def identity(pid: int) -> str | None:
    """Return what tells a running process from all before and after it; None if it has ended.

    It is the boot, the process id and the start in ticks since the boot: no clock that people or
    NTP may set has a part in it.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    ended = fields[0] in "ZX"  # nobody has taken its exit code yet
    return None if ended else f"{BOOT_ID.read_text().strip()} {pid} {fields[STARTED]}"


def end_with_parent() -> None:
    """Send this process SIGTERM once its parent is gone, so that no orphan goes on running.

    What somebody has started by hand under `nohup` stays when the shell ends; without it, it says
    why it ends.
    """
    by_hand = PARENT not in os.environ
    if by_hand and signal.SIGHUP not in end_signals():
        return

    def watch() -> None:
        wait_for_orphanage()
        if by_hand:
            say("ends, as what started it has ended; under nohup it would stay", error=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def wait_for_orphanage() -> None:
    """Wait until the parent of this process is gone."""
    parent = int(os.environ.get(PARENT) or os.getppid())
    while os.getppid() == parent:
        time.sleep(CHECK_SECONDS)


@contextlib.contextmanager
def memory_for(most: int) -> Iterator[None]:
    """Let this process take at most so many bytes of addresses more; what asks for more fails.

    It is for libraries that take what foreign bytes claim to need.
    """
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (taken + most, before, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))


def main() -> None:
    """Run a program in this process' group, and end the group with the parent."""

    def watch() -> None:
        wait_for_orphanage()
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    sys.exit(subprocess.run(sys.argv[1:]).returncode)


if __name__ == "__main__":
    main()
