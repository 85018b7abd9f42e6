"""Stands for a process that the node's fork server runs: its signals, its exit code, its end.

    python -m trainers.session.fleet.node.forked MODULE [ARGUMENT ...]

It imports nothing heavy, so it is there at once. Where there is no fork server it runs the module
itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from streaming.program.environment import ONE_THREAD
from streaming.program.process import end_signals, end_with_parent, on_end
from trainers.session.processes.programs import FORK_SERVER

SOCKET = "TICKLOOP_FORK_SERVER"  # names the socket
LISTEN_SECONDS = 30.0


class ForkRequest(msgspec.Struct):
    """What a fork server is asked for.

    Attributes:
        argv: a module and its arguments; nothing only keeps the server there.
        environment: all variables of the process.
        folder: the folder to work in.
    """

    argv: list[str]
    environment: dict[str, str]
    folder: str


def connect(path: str, argv: list[str]) -> socket.socket | None:
    """Ask the fork server at ``path`` for a process; no ``argv`` only keeps the server there.

    Returns:
        The connection; None if there is no server.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        asked = ForkRequest(argv, dict(os.environ), os.getcwd())
        socket.send_fds(connection, [msgspec.json.encode(asked)], [1, 2])
    except OSError:
        connection.close()
        return None
    return connection


def socket_of(node: str) -> Path:
    """Return where the fork server of a node of this machine listens, given the node's name."""
    return Path(tempfile.gettempdir()) / f"tickloop-{os.getuid()}" / f"{node[:16]}.socket"


def ensure_server(node: str) -> tuple[str, socket.socket | None]:
    """Start a node's fork server unless it is there.

    Args:
        node: the node's name.

    Returns:
        The path of its socket, and a connection that keeps the server there.
    """
    where = socket_of(node)
    where.parent.mkdir(mode=0o700, exist_ok=True)
    if where.parent.stat().st_uid != os.getuid():
        return "", None  # another user's: do without
    path = str(where)
    with where.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := connect(path, [])) is not None:
            return path, found
        subprocess.run(
            [sys.executable, "-m", FORK_SERVER, path],
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )
        deadline = time.monotonic() + LISTEN_SECONDS
        while (found := connect(path, [])) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return path, found


def main() -> None:
    """Run as a child of an actor or of a shard."""
    argv = sys.argv[1:]
    # Held back until they are passed on: the program may have begun before ``connect`` returns.
    signal.pthread_sigmask(signal.SIG_BLOCK, end_signals())
    connection = connect(os.environ.get(SOCKET, ""), argv)
    if connection is not None:
        on_end(lambda number, _: connection.send(bytes([number])))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, end_signals())
    if connection is None:
        sys.argv = argv
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
        return
    end_with_parent()
    told = b""
    with contextlib.suppress(OSError):
        while data := connection.recv(64):
            told += data
    code = int(told) if told else 1
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
