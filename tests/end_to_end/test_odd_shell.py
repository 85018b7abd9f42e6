"""A session in a shell as people have it: proxies, a cluster's variables, no home."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading

import pytest

from benchmarks.processes import plain_environment
from tests.end_to_end.main_job import (
    PATIENCE,
    MainJob,
    answers,
    end_registering,
    wait_for,
)
from tests.ports import free_port

SHELL = {
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks://127.0.0.1:9/",
    "http_proxy": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "4242", "SLURM_NODEID": "0",
    "SLURM_LOCALID": "0", "SLURM_PROCID": "0", "SLURM_NODELIST": "n1",
    "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "GROUP_RANK": "0",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "x",
    "MLFLOW_RUN_ID": "0123abcd",
    "PYTHONIOENCODING": "ascii",
}  # fmt: skip


class Terminal(MainJob):
    """A session in a terminal of its own, whose output is kept."""

    def __enter__(self):
        self.master, slave = pty.openpty()
        environ = {name: value for name, value in plain_environment().items() if name != "HOME"}
        (self.folder / "tmp").mkdir()
        (self.folder / "tmp" / "gradio").write_text("somebody else's")
        self.process = subprocess.Popen(
            self.argv, cwd=self.folder, stdin=slave, stdout=slave, stderr=slave,
            env={**environ, **SHELL, "TMPDIR": str(self.folder / "tmp")},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        self.out, self.closed = b"", threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _read(self):
        while not self.closed.is_set():  # a read that waits would keep the terminal open
            if select.select([self.master], [], [], 0.1)[0]:
                self.out += os.read(self.master, 4096)

    def hang_up(self):
        """Close the terminal's window."""
        self.closed.set()
        self.reader.join()
        os.close(self.master)

    def __exit__(self, *_):
        if self.process.poll() is None:
            for process in self.processes():
                process.kill()
        self.process.wait()
        end_registering(self.folder)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a controlling terminal")
def test_a_session_learns_in_an_odd_shell_and_ends_whole_when_its_terminal_is_closed(tmp_path):
    port = free_port()
    with Terminal(tmp_path, speed=10, cycle_seconds=10, page_port=port) as job:
        wait_for(lambda: job.cycles() >= 3, "cycles")
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"), "the page")
        before = job.processes()
        job.hang_up()
        assert job.process.wait(PATIENCE) == 0
        assert not [process for process in before if process.is_running()]
        said = job.out.decode()
    assert "Traceback" not in said, said
    assert "ended (" not in said, said  # no process was started again
    (line,) = (line for line in said.splitlines() if line.startswith("MLFLOW_RUN_ID"))
    assert "run 0123abcd cannot be read" in line
    runs = job.runs()
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {"train/loss", "live/accuracy"} <= runs["cnn"].data.metrics.keys()
    assert "train/loss" in runs["dqn"].data.metrics
    for outbox in job.session_folder().glob("*outbox.jsonl"):
        assert outbox.stat().st_size == 0


OUTPUTS = (">/dev/full 2>&-", "| head -1; exit ${PIPESTATUS[0]}")


def test_a_session_ends_whole_wherever_its_output_goes(tmp_path):
    flags = "--learners flat --speed 20 --cycles 2 --parity false --page_port 0 --mlflow_ui_port 0"
    started = []
    for number, output in enumerate(OUTPUTS):  # all at once, as imports take most of the time
        folder = tmp_path / str(number)
        folder.mkdir()
        line = f'"$0" -m trainers.session {flags} {output}'
        words = ["bash", "-c", line, sys.executable]
        started.append(subprocess.Popen(
            words, cwd=folder, env=plain_environment(), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        ))  # fmt: skip
    try:
        for number, process in enumerate(started):
            _, said = process.communicate(timeout=240)
            assert (process.returncode, said) == (0, ""), OUTPUTS[number]
            runs = MainJob(tmp_path / str(number)).runs()
            assert {run.info.status for run in runs.values()} == {"FINISHED"}
            assert runs["flat"].data.tags["status_text"]
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.communicate()
