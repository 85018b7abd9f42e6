"""`mlflow models serve` as a process of its own, and questions to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tests.ports import free_port


class Served:
    """A model that is served, or about to be."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self.log = port, process, log

    def wait(self) -> None:
        """Wait until it answers, which takes seconds."""
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError("not served within a minute")

    def ask(self, raw: NDArray[Any]) -> Any:
        """Return what it says of raw bars."""
        return self.send(json.dumps({"inputs": raw.tolist()}).encode())

    def send(self, body: bytes) -> Any:
        """Return what it says to the body of a request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations",
            body,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["predictions"]


@contextlib.contextmanager
def serving(uri: str, model: str, folder: Path) -> Iterator[Served]:
    """Serve ``models:/...`` of a store for as long as the ``with`` lasts."""
    port = free_port()
    command = ["models", "serve", "-m", model, "--env-manager", "local", "-p", str(port), "-w", "1"]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with (folder / "served.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command], env=environment, cwd=folder,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield Served(port, process, folder / "served.log")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
