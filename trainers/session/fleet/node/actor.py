"""The actor of a shard: keeps one shard's process alive on whatever node Ray has put it.

An actor is named and detached: it outlives the head, and whoever comes next finds it by its name.
Where it is lost, Ray makes it again elsewhere, which calls the constructor; the shard's process
then takes the markets over from the store. It imports nothing heavy.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streaming.program.environment import ONE_THREAD
from streaming.program.process import PARENT
from trainers.session.fleet.node.forked import SOCKET, ensure_server
from trainers.session.fleet.node.homes import Home
from trainers.session.fleet.node.spare import Spare
from trainers.session.fleet.sightings import Look
from trainers.session.processes.programs import FORKED, SHARD

if TYPE_CHECKING:
    from trainers.recording.travel.local_record import News

FOLDER = Path("mlruns") / "fleet"  # of the project's folder on each node
AGAIN_SECONDS = 1.0
MOVED_SECONDS = 10.0  # within which whoever moves a shard takes its actor away
FINAL = (0, 2)  # exit codes after which another start would be of no use


class ShardActor:
    """Runs a shard's process, and starts it again if it fails.

    Args:
        run: the session's run id.
        markets: the shard's markets.
        root: the project's folder, the same on each node.
        name: the actor's name.
    """

    def __init__(self, run: str, markets: Sequence[str], root: str, name: str) -> None:
        import ray  # noqa: PLC0415  (of the extra `fleet`)

        context = ray.get_runtime_context()
        self._node = context.get_node_id()
        self._host: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray
        self._server, self._kept = ensure_server(self._node)
        self._argv = [sys.executable, "-m", FORKED, SHARD, run,
                      "--markets", ",".join(markets),
                      "--holder", f"{name} on {self._node[:8]}"]  # fmt: skip
        self._run, self._root, self._started = run, Path(root), time.time()
        self._ended, self._over = threading.Event(), threading.Event()
        self._moving = False
        self._code: int | None = None
        self._process = self._start()
        threading.Thread(target=self._keep, daemon=True).start()

    def look(self) -> tuple[object, ...]:
        """Return a ``Look``, as a plain tuple."""
        return Look(self._node, self._host, self._process.pid, self._code, self._started)

    def news(self, asked: Mapping[str, Mapping[str, int]]) -> dict[str, News]:
        """Return ``news_of`` what its shard has here."""
        from trainers.recording.travel.local_record import news_of  # noqa: PLC0415  (NumPy)

        return news_of(self._home.path / self._run, asked)

    def stop(self, *, to_move: bool = False) -> None:
        """End the shard soon, with its record in the store; ``look`` then tells the exit code.

        Args:
            to_move: it ends to be made on another node. If this actor is still there a while later,
                whoever wanted that was lost meanwhile, and the shard goes on here.
        """
        if to_move:
            self._moving = True
        else:
            self._over.set()
        self._process.send_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Return whether the shard has no process now: it has ended, or is about to start again."""
        return self._ended.is_set()

    def _start(self) -> subprocess.Popen[bytes]:
        self._home = Home(self._root / FOLDER)
        return subprocess.Popen(
            [*self._argv, "--home", str(self._home.path)],
            cwd=self._root,
            env={**os.environ, **ONE_THREAD, PARENT: str(os.getpid()), SOCKET: self._server},
            start_new_session=True,
        )

    def _keep(self) -> None:
        """Start the shard again after a failure, and after a move that nobody has made."""
        while True:
            code = self._process.wait()
            self._home.close()
            self._ended.set()
            moving = self._moving
            if code in FINAL and not moving:
                break
            if self._over.wait(MOVED_SECONDS if moving else AGAIN_SECONDS):
                break
            self._moving = self._moving and not moving  # asked meanwhile, it stays
            self._ended.clear()
            self._process = self._start()
        self._code = code


def server_here(root: str) -> socket.socket | None:
    """Return a connection that keeps this node's fork server there; None if there is none.

    Args:
        root: the project's folder.
    """
    import ray  # noqa: PLC0415  (of the extra `fleet`)

    os.chdir(root)
    return ensure_server(ray.get_runtime_context().get_node_id())[1]


def wait_until_ready(root: str) -> None:
    """Return once this node's fork server has imported everything, or has ended."""
    if (server := server_here(root)) is not None:
        with server:
            server.recv(1)


class Standby:
    """Keeps a node's fork server there before a shard comes to it, and a process for its actor.

    Args:
        root: the project's folder.
    """

    def __init__(self, root: str) -> None:
        self._ready, self._server = False, server_here(root)
        self._spare = Spare()

    def is_ready(self) -> bool:
        """Return whether the fork server has imported everything, so that it answers."""
        if self._server is None:
            return True  # there is none: a shard imports by itself
        self._ready = self._ready or bool(select.select([self._server], [], [], 0)[0])
        return self._ready

    def close(self) -> None:
        """End the process that is kept for an actor; the fork server ends by itself."""
        self._spare.close()
