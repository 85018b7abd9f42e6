"""What holds the processes that a program has left behind: they end together."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys

import psutil
import pytest

from tests.end_to_end.main_job import wait_for
from trainers.session.processes.programs import DAEMONS

# Leaves two processes behind, the first of which hears no SIGTERM, and ends with a code.
LEAVES = """
import subprocess, sys
from pathlib import Path
STAYS = "import signal, time; signal.signal(signal.SIGTERM, signal.{}); print(1, flush=True); time.sleep(99)"
pids = []
for hears in ("SIG_IGN", "SIG_DFL"):
    left = subprocess.Popen([sys.executable, "-c", STAYS.format(hears)], start_new_session=True, stdout=-1)
    left.stdout.readline()
    pids.append(str(left.pid))
Path(sys.argv[1]).write_text(" ".join(pids))
sys.exit(int(sys.argv[2]))
"""  # noqa: E501


def command(folder, code):
    (folder / "leaves.py").write_text(LEAVES)
    words = [sys.executable, str(folder / "leaves.py"), str(folder / "pids"), str(code)]
    return [sys.executable, "-m", DAEMONS, *words]


class Held:
    """Processes that are held.

    Attributes:
        process: what holds them.
        left: the two.
    """

    def __init__(self, folder, code):
        pids = folder / "pids"
        self.process = subprocess.Popen(command(folder, code))
        wait_for(pids.exists, "two processes")
        wait_for(pids.read_text, "their ids")
        self.left = [psutil.Process(int(pid)) for pid in pids.read_text().split()]

    def all_gone(self):
        return not psutil.wait_procs(self.left, timeout=20)[1]


@pytest.fixture
def hold(tmp_path):
    made = []

    def hold(code):
        made.append(Held(tmp_path, code))
        return made[-1]

    yield hold
    for held in made:
        held.process.kill()
        held.process.wait()
        for left in held.left:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()


def adopted(held):
    wait_for(lambda: all(one.ppid() == held.process.pid for one in held.left), "their new parent")


@pytest.mark.parametrize("nth", [0, 1])
def test_when_one_ends_the_others_end(hold, nth):
    held = hold(0)
    adopted(held)
    held.left[nth].kill()
    assert held.process.wait(20) == 1
    assert held.all_gone()


def test_they_end_with_what_holds_them(hold):
    held = hold(0)
    adopted(held)
    held.process.send_signal(signal.SIGTERM)
    assert held.process.wait(20) == 128 + signal.SIGTERM
    assert held.all_gone()


def test_a_program_that_fails_leaves_nothing_and_its_code_is_told(tmp_path):
    assert subprocess.run(command(tmp_path, 3)).returncode == 3
    assert not any(psutil.pid_exists(int(pid)) for pid in (tmp_path / "pids").read_text().split())
