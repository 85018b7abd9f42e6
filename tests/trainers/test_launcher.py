"""The launcher: a trainer that was killed is forked again, one that is done ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from streaming.events import event_ring
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES

ROOT = Path(__file__).parents[2]

# A launcher whose trainers do what they are told, and write down that they lived.
CODE = """
import os, sys, time
from pathlib import Path
from trainers.session.processes import launcher, restarts
restarts.FIRST_SECONDS = 0.0
lives = Path(sys.argv[1]) / "lives"

def trainer(session, launcher, markets):
    own = lives.with_name(f"lives of {markets[0]}")
    for path in (lives, own):
        with path.open("a") as file:
            file.write("x")
    n = len(own.read_text())
    {does}
    os._exit(0)

def candidate(session, launcher, markets):
    lives.with_name("candidate " + "".join(markets)).open("a").write("x")
    {registers}
    os._exit(0)

sys.exit(launcher.Launcher(Path(sys.argv[1]), {shares}, trainer, candidate).run())
"""


def code_of(does, shares, registers="pass"):
    code = CODE.replace("{does}", does).replace("{shares}", repr(shares))
    return code.replace("{registers}", registers)


def start(folder, does, shares=(("A",),), registers="pass"):
    code = code_of(does, shares, registers)
    return subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT)


def lives(folder, market=None):
    path = folder / (f"lives of {market}" if market else "lives")
    return len(path.read_text()) if path.exists() else 0


def told(folder):
    return [row["text"].decode() for row in event_ring(folder, "launcher").read().rows]


@pytest.mark.parametrize("code, wanted", [(0, 0), (2, 2)])
def test_the_end_of_the_trainer_is_its_own(tmp_path, code, wanted):
    assert start(tmp_path, f"os._exit({code})").wait(30) == wanted
    assert lives(tmp_path) == 1


def test_a_killed_trainer_is_forked_again_and_that_is_an_event(tmp_path):
    often = MOST_FAILURES + 1
    assert start(tmp_path, f"n <= {often} and os.kill(os.getpid(), 9)").wait(30) == 0
    assert lives(tmp_path) == often + 1
    assert told(tmp_path) == ["the trainer ended (signal 9); starting it again in 0.0 s"] * often


def test_one_that_raises_again_and_again_is_given_up(tmp_path):
    assert start(tmp_path, "os._exit(7)").wait(30) == GAVE_UP
    assert lives(tmp_path) == MOST_FAILURES
    assert told(tmp_path)[-1].startswith(f"the trainer failed {MOST_FAILURES} times in a row")


def test_a_signal_ends_the_launcher_and_its_trainer(tmp_path):
    launcher = start(tmp_path, "time.sleep(60)")
    while not lives(tmp_path):
        time.sleep(0.01)
    (trainer,) = psutil.Process(launcher.pid).children()
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(30) == 0
    assert not psutil.pid_exists(trainer.pid)


def test_a_launcher_that_was_killed_leaves_a_fork_that_can_tell(tmp_path):
    launcher = start(tmp_path, "time.sleep(60)")
    while not lives(tmp_path):
        time.sleep(0.01)
    (trainer,) = psutil.Process(launcher.pid).children()
    launcher.kill()
    launcher.wait()
    assert trainer.ppid() != launcher.pid  # what a trainer looks at (streaming.program.process)
    os.kill(trainer.pid, signal.SIGKILL)


TWO = (("A", "C"), ("B",))


def test_two_trainers_are_forked_and_the_one_that_was_killed_again(tmp_path):
    does = "markets == ('B',) and n == 1 and os.kill(os.getpid(), 9)"
    assert start(tmp_path, does, TWO).wait(30) == 0
    assert (lives(tmp_path, "A"), lives(tmp_path, "B")) == (1, 2)
    assert told(tmp_path) == ["trainer 2 of 2 ended (signal 9); starting it again in 0.0 s"]


@pytest.mark.parametrize("code, wanted, often", [(2, 2, 1), (7, GAVE_UP, MOST_FAILURES)])
def test_the_others_end_with_one_that_cannot_go_on(tmp_path, code, wanted, often):
    does = f"time.sleep(60) if 'A' in markets else os._exit({code})"
    assert start(tmp_path, does, TWO).wait(30) == wanted
    assert (lives(tmp_path, "A"), lives(tmp_path, "B")) == (1, often)


def test_one_that_is_done_is_not_forked_again_while_the_others_go_on(tmp_path):
    does = "while 'A' in markets and not lives.with_name('go').exists(): time.sleep(0.01)"
    launcher = start(tmp_path, does, TWO)
    while not lives(tmp_path, "A") or len(psutil.Process(launcher.pid).children()) > 1:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert launcher.wait(30) == 0
    assert (lives(tmp_path, "A"), lives(tmp_path, "B")) == (1, 1)


@pytest.mark.parametrize("attempt", range(5))
def test_a_signal_that_comes_while_they_are_forked_ends_all(tmp_path, attempt):
    launcher = start(tmp_path, "time.sleep(60)", TWO)
    while not lives(tmp_path, "A"):
        pass  # the second is just being forked
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(30) == 0


def test_nothing_is_forked_after_a_signal_that_comes_right_before(tmp_path):
    code = code_of("time.sleep(60)", TWO)
    at_the_second = """
import signal
class Second(restarts.Restarts):
    def started(self):
        super().started()
        signal.raise_signal(signal.SIGTERM)
made = iter([restarts.Restarts, Second, restarts.Restarts])
launcher.Restarts = lambda: next(made)()
sys.exit"""
    code = code.replace("sys.exit", at_the_second)
    started = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert started.wait(30) == 0
    assert lives(tmp_path, "B") == 0


def test_a_signal_reaches_all_of_them(tmp_path):
    launcher = start(tmp_path, "time.sleep(60)", TWO)
    while not (lives(tmp_path, "A") and lives(tmp_path, "B")):
        time.sleep(0.01)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(30) == 0
    assert (lives(tmp_path, "A"), lives(tmp_path, "B")) == (1, 1)


def test_candidates_are_registered_by_one_fork_at_a_time_until_none_waits(tmp_path):
    waiting = tmp_path / "candidates" / "C" / "cnn" / "1.pt"
    waiting.parent.mkdir(parents=True)
    waiting.touch()
    forks = tmp_path / "candidate ACB"
    does = "while not lives.with_name('go').exists(): time.sleep(0.01)"
    registers = f"""
    if lives.with_name("candidate ACB").read_text() == "x":
        os._exit(1)  # the store is away
    time.sleep(0.3)
    os.unlink({str(waiting)!r})"""
    launcher = start(tmp_path, does, TWO, registers)
    children = psutil.Process(launcher.pid).children
    most = 0
    while waiting.exists():
        most = max(most, len(children()))
    assert forks.read_text() == "xx", "it was forked again after it failed"
    assert most == 3, "two trainers and one fork for candidates"
    (tmp_path / "go").touch()
    assert launcher.wait(30) == 0
    assert forks.read_text() == "xx", "none is forked while none waits"
