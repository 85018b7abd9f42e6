"""Forks a node's processes from one that has imported everything: a lost shard is back in seconds.

    python -m trainers.session.fleet.node.fork_server SOCKET

    forked.py ── socket ── fork server ── fork: a shard, a launcher of trainers

Imports of torch, Lightning and MLflow take longer than all else in a takeover. The server does them
once a node; it has one thread and opens nothing but its sockets, so that a fork of it is as good as
a new process. A connection stands for a process: the exit code comes over it, and when it closes
the process is told to end. Without a connection for a while the server ends itself.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec
from setproctitle import getproctitle, setproctitle

from streaming.program.entry_point import import_all
from streaming.program.process import end_signals
from trainers.session.fleet.node.forked import ForkRequest
from trainers.session.processes.fork import exit_after, run_program
from trainers.session.processes.programs import LAUNCHER, SHARD

IDLE_SECONDS = 15.0
POLL_SECONDS = 0.02
REQUEST_BYTES = 1 << 20
READY = b"ready"  # to who only keeps us here: from now on a fork is made at once
OUTPUTS = 2  # the file descriptors that come with a request: stdout and stderr
IMPORTED = (SHARD, LAUNCHER)


class ForkServer:
    """Serves one socket.

    Args:
        listener: the socket, listening.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._forks: dict[socket.socket, int] = {}  # process ids; 0 of who only keeps us here
        self._leaving: set[int] = set()  # processes whose connection is gone

    def serve(self) -> None:
        """Serve until nobody has been connected for ``IDLE_SECONDS``."""
        used = time.monotonic()
        while time.monotonic() - used < IDLE_SECONDS:
            for key, _ in self._selector.select(POLL_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.fileobj)
            self._reap()
            if self._forks or self._leaving:
                used = time.monotonic()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with contextlib.suppress(OSError, msgspec.DecodeError):
            data, outputs, *_ = socket.recv_fds(connection, REQUEST_BYTES, OUTPUTS)
            request = msgspec.json.decode(data, type=ForkRequest)
            pid = self._fork(request, connection, outputs) if request.argv else 0
            if not pid:
                connection.sendall(READY)
            for number in outputs:
                os.close(number)
            self._forks[connection] = pid
            self._selector.register(connection, selectors.EVENT_READ)

    def _fork(self, request: ForkRequest, connection: socket.socket, outputs: list[int]) -> int:
        server, pid = os.getpid(), os.fork()
        if pid == 0:
            self._selector.close()
            for each in (self._listener, connection, *self._forks):
                each.close()
            for number, output in enumerate(outputs, 1):
                os.dup2(output, number)
            become(request, server)
        return pid

    def _read(self, connection: object) -> None:
        """Pass a signal on; end the process of a connection that has closed."""
        assert isinstance(connection, socket.socket)
        try:
            data = connection.recv(64)
        except OSError:
            data = b""
        pid = self._forks[connection]
        if not data:
            self._forget(connection)
            self._leaving |= {pid} - {0}
        for number in data or ([signal.SIGTERM] if pid else []):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self) -> None:
        ended = {}
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                ended[found[0]] = os.waitstatus_to_exitcode(found[1])
        self._leaving -= ended.keys()
        for connection, pid in list(self._forks.items()):
            if pid in ended:
                with contextlib.suppress(OSError):
                    connection.sendall(json.dumps(ended[pid]).encode())
                self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        del self._forks[connection]
        self._selector.unregister(connection)
        connection.close()


def become(request: ForkRequest, server: int) -> NoReturn:
    """Run a program in this process, which is a fork, then exit."""
    exit_after(lambda: _run(request, server))


def _run(request: ForkRequest, server: int) -> None:
    os.setsid()
    for number in end_signals():
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    program, *words = request.argv
    run_program(program, words, server)


def main() -> None:
    """Leave who has started this, then listen: who asks while the imports go on waits for them.

    A process of Ray ends its children with itself, and every shard of the node is a fork of ours.
    """
    if os.fork():
        return
    path = Path(sys.argv[1])
    setproctitle(getproctitle())  # before a fork clears the environment, whose place titles take
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        import_all(IMPORTED)
        import_all(importlib.import_module(IMPORTED[1]).PRELOADED)
        ForkServer(listener).serve()
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
