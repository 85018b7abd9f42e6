"""Ray on this machine, for a fleet without an address: one node that outlives a killed head.

    FOLDER/ray.json    its address and process, for the next head
    FOLDER/ray.token   without which nobody may give it work; readable by its owner only

Everything listens on loopback, nothing is reported to anybody, there is no dashboard.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from streaming.errors import ProgramError
from streaming.program.environment import LOOPBACK
from streaming.program.process import identity
from streaming.program.whole_file import write_whole
from trainers.session.addresses import free_ports
from trainers.session.processes.programs import DAEMONS

NOTE, TOKEN, LOG = "ray.json", "ray.token", "ray.log"
STORE_BYTES = 75 << 20  # the least that Ray takes; nothing of ours is in its object store
START_SECONDS, STOP_SECONDS = 120.0, 30.0
CPUS = 64  # shards are placed by their number, not by cores

# Before Ray is imported: by default it listens on all interfaces, and reports its use.
ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0",
               "RAY_AUTH_MODE": "token"}  # fmt: skip
# A lost node is found after 1.5 to 2 s, where Ray's own settings take 17. Actors have the priority
# of other processes, where Ray's give way to all (nice 15): forecasts have to be made in time.
SYSTEM = {"health_check_period_ms": 500, "health_check_timeout_ms": 500,
          "health_check_failure_threshold": 3, "health_check_initial_delay_ms": 1000,
          "worker_niceness": 0}  # fmt: skip


class Node(msgspec.Struct):
    """A node on this machine: its address, its process, and what tells that from others."""

    address: str
    pid: int
    identity: str | None


class LocalRay:
    """The node of a session on this machine.

    Args:
        session: the session's folder.
        cpus: how many shards it may have.
    """

    def __init__(self, session: Path, cpus: int = CPUS) -> None:
        self._session, self._note, self._cpus = session, session / NOTE, cpus
        self._process: subprocess.Popen[bytes] | None = None  # if this process has started it

    def address(self) -> str:
        """Return its address; start it unless an earlier head has.

        Raises:
            ProgramError: if it does not start.
        """
        os.environ.update(ENVIRONMENT, RAY_AUTH_TOKEN_PATH=str(self._session / TOKEN))
        known = self.node
        if known and identity(known.pid) == known.identity:
            return known.address
        return self._start()

    @property
    def node(self) -> Node | None:
        """The node that this or an earlier head has started; None if that is not known."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return msgspec.json.decode(self._note.read_bytes(), type=Node)
        return None

    def stop(self) -> None:
        """End it, with all that it has started."""
        known = self.node
        if known is None:
            return
        if identity(known.pid) == known.identity:
            top = psutil.Process(known.pid)
            every = [*top.children(recursive=True), top]
            top.send_signal(signal.SIGTERM)
            for left in psutil.wait_procs(every, STOP_SECONDS)[1]:
                left.kill()
            if self._process is not None:
                self._process.wait()
        self._note.unlink()

    def _start(self) -> str:
        token = self._session / TOKEN
        token.touch(0o600)
        token.write_text(secrets.token_hex(32))
        # The second is where Ray's client would connect: by default another Ray here has that port.
        port, unused = free_ports(2)
        # Ray's sockets are files whose paths may have 107 bytes.
        files = tempfile.mkdtemp(prefix="tickloop-ray-")
        flags = {"node-ip-address": LOOPBACK, "port": port, "include-dashboard": "false",
                 "include-log-monitor": "false", "ray-client-server-port": unused,
                 "object-store-memory": STORE_BYTES, "num-cpus": self._cpus, "temp-dir": files,
                 "system-config": json.dumps(SYSTEM)}  # fmt: skip
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--head"]
        argv = [sys.executable, "-m", DAEMONS, *ray, "--disable-usage-stats", "--no-monitor",
                *(f"--{name}={value}" for name, value in flags.items())]  # fmt: skip
        with (self._session / LOG).open("ab") as log:
            process = self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait(process, port)
        address = f"{LOOPBACK}:{port}"
        started = Node(address, process.pid, identity(process.pid))
        write_whole(self._note, msgspec.json.encode(started))
        return address

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((LOOPBACK, port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        process.kill()
        raise ProgramError(f"Ray does not start; see {self._session / LOG}")
