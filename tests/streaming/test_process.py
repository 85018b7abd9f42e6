"""Processes: which one is alive, and what ends one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from streaming.program.process import PARENT, identity

WAITS = """
import signal
from streaming.program.process import on_end
class Ended(Exception): pass
def end(number, frame): raise Ended(signal.Signals(number).name)
on_end(end)
try:
    print("ready", flush=True)
    signal.pause()
except Ended as e:
    print(e)
"""

# Ends with its parent; says that it stays once it was an orphan for some of the parent's checks.
ORPHAN = """
import os, sys, time
from streaming.program.process import CHECK_SECONDS, end_with_parent
sys.stderr = sys.stdout
parent = os.getppid()
end_with_parent()
print("ready", flush=True)
while os.getppid() == parent:
    time.sleep(0.01)
time.sleep(4 * CHECK_SECONDS)
print("stays", flush=True)
"""
SHELL = f"""
import subprocess, sys
how = input().split()
subprocess.Popen([*how, sys.executable, "-c", {ORPHAN!r}], stderr=subprocess.DEVNULL).wait()
"""


@pytest.fixture
def start():
    """Start a Python program; it is ended with the test."""
    started = []

    def run(code, *shell):
        process = subprocess.Popen(
            [*shell, sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_each_signal_that_ends_a_process_is_handled(start, name):
    process = start(WAITS)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.Signals[name])
    assert process.stdout.readline() == f"{name}\n"
    assert process.wait(10) == 0


def test_under_nohup_a_closed_terminal_ends_nothing(start):
    process = start(WAITS, "nohup")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "SIGTERM\n"


@pytest.mark.parametrize("how, ends", [("", True), ("nohup", False)])
def test_what_was_started_by_hand_ends_with_its_shell_and_says_so_unless_under_nohup(
    start, how, ends
):
    shell = start(SHELL, "env", "-u", PARENT)
    shell.stdin.write(f"{how}\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "ready\n"
    shell.send_signal(signal.SIGKILL)
    shell.wait()
    said = shell.stdout.readline()  # of the program, whose output is the shell's
    assert said == (
        "ends, as what started it has ended; under nohup it would stay\n" if ends else "stays\n"
    )


def test_a_process_has_an_identity_until_it_ends(start):
    process = start("input()")
    known = identity(process.pid)
    assert known == identity(process.pid) != identity(os.getpid())
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: it is not waited for
    assert identity(process.pid) is None
    process.wait()
    assert identity(process.pid) is None


def test_a_program_s_name_may_have_blanks_and_parentheses(tmp_path, start):
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to(sys.executable)
    process = subprocess.Popen([odd, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        boot, pid, ticks = identity(process.pid).split()
        assert (len(boot), int(pid), ticks.isdigit()) == (36, process.pid, True)
    finally:
        process.kill()
        process.communicate()
