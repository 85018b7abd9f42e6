"""Other processes of a comparison: started, spoken to by lines, and ended; only our own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measuring import NotMeasuredError

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".bench"


class Worker:
    """A process that prints one line of JSON when it is ready and one for each line it is sent.

    Args:
        argv: arguments after the interpreter.
        python: the interpreter, this one by default.
        environment: additions to the environment.
    """

    def __init__(
        self,
        argv: Sequence[str],
        python: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = " ".join(argv[:2])
        self.process = subprocess.Popen(
            [str(python or sys.executable), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            | dict(environment or {}),
        )
        self.ready: Any = None

    def send(self, line: str = "") -> None:
        """Send one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def receive(self, timeout: float) -> Any:
        """Return the next line of JSON.

        Raises:
            NotMeasuredError: if none comes in time, or the process has ended.
        """
        assert self.process.stdout is not None
        # Lines are one at a time, so nothing waits in the reader's own buffer.
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise NotMeasuredError(f"{self.name}: no answer within {timeout:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise NotMeasuredError(f"{self.name} ended with code {self.process.wait(5)}")
        return json.loads(line)

    def ask(self, line: str = "", timeout: float = 120) -> Any:
        """Send one line and return the answer."""
        self.send(line)
        return self.receive(timeout)

    def close(self) -> None:
        """End the process."""
        end(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def worker(
    argv: Sequence[str],
    python: Path | None = None,
    timeout: float = 120,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Worker]:
    """Start a worker, wait until it is ready, and end it afterwards."""
    started = Worker(argv, python, environment)
    try:
        started.ready = started.receive(timeout)
        yield started
    finally:
        started.close()


def plain_environment() -> dict[str, str]:
    """Return the variables of a process with this project's modules and no MLflow store named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    # Programs of the environment (MLflow runs some by name) before others of the same name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PYTHONPATH": str(ROOT), "PATH": path}


def end(process: subprocess.Popen[bytes], timeout: float = 5) -> None:
    """End a process that we started: SIGTERM, then SIGKILL."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def environment(name: str, packages: Sequence[str]) -> Path:
    """Return the interpreter of a peer's own environment, made on demand under ``.bench/``.

    Raises:
        NotMeasuredError: if it cannot be made (no network, no wheel).
    """
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "made-by-bench"
    wanted = " ".join(packages)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"  making the environment {folder} ({wanted}): minutes, once", flush=True)
    started = time.monotonic()
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    for step in ([sys.executable, "-m", "venv", str(folder)], [str(python), *install]):
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=1200)
        except subprocess.TimeoutExpired as e:
            raise NotMeasuredError(f"no environment {name}: pip took over 20 min") from e
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise NotMeasuredError(f"no environment {name}: {last[:200]}")
    stamp.write_text(wanted, encoding="utf-8")
    print(f"  made in {time.monotonic() - started:.0f} s", flush=True)
    return python


def words_of(process: psutil.Process) -> list[str]:
    """Return a process's command line; a forked trainer's title is one word, and is split too."""
    try:
        return " ".join(process.cmdline()).split()
    except psutil.Error:  # it has ended
        return []
