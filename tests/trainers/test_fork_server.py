"""A process of a fork server is one like any other to who has asked for it: code, signals, end."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.processes import words_of
from trainers.session.fleet.node.forked import SOCKET, connect, socket_of

ROOT = Path(__file__).parents[2]

# The server without its imports, which are all that takes long.
SERVER = """
import socket, sys
from trainers.session.fleet.node.fork_server import ForkServer
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print("listens", flush=True)
    ForkServer(listener).serve()
"""
PROGRAM = """
import os, signal, sys
def main():
    if sys.argv[1] == "exit":
        print("in", os.getcwd(), os.environ["SAID"], flush=True)
        sys.exit(int(sys.argv[2]))
    print(os.getpid(), flush=True)
    signal.pause()
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forks")
    (folder / "program_of_a_test.py").write_text(PROGRAM)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    path = str(folder / "socket")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, path], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "listens\n"
        yield {**environment, SOCKET: path, "SAID": "what its asker has in its environment"}
        process.kill()


def asked(environment, folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "trainers.session.fleet.node.forked", "program_of_a_test", *words],
        env=environment, cwd=folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("code", [0, 2, 75])
def test_output_and_exit_code_are_those_of_the_program(server, folder, code):
    with asked(server, folder, "exit", str(code)) as process:
        out = process.communicate(timeout=180)[0]
    assert out == f"in {folder} {server['SAID']}\n"
    assert process.returncode == code


def test_a_signal_reaches_the_program(server, folder):
    with asked(server, folder, "wait") as process:
        assert psutil.Process(int(process.stdout.readline())).is_running()
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 128 + signal.SIGTERM


def test_a_program_ends_with_who_has_asked_for_it(server, folder):
    with asked(server, folder, "wait") as process:
        program = psutil.Process(int(process.stdout.readline()))
        process.kill()
    program.wait(180)
    assert not program.is_running()


# As a process of Ray, which ends its children with itself.
STARTER = """
import sys
import psutil
from trainers.session.fleet.node.forked import ensure_server
ensure_server(sys.argv[1])
for child in psutil.Process().children():
    child.kill()
    child.wait()
"""


def test_a_server_outlives_the_process_that_has_started_it():
    """All shards of a node are its forks, and any of their actors may have started it."""
    node = secrets.token_hex(8)
    try:
        subprocess.run([sys.executable, "-c", STARTER, node], cwd=ROOT, check=True, timeout=180)
        connection = connect(str(socket_of(node)), [])
        assert connection is not None
        connection.close()
    finally:
        for process in psutil.process_iter():
            if str(socket_of(node)) in words_of(process):
                process.kill()
        for left in socket_of(node).parent.glob(f"{node}.*"):
            left.unlink()


def test_without_a_server_the_program_runs_all_the_same(server, folder):
    with asked({**server, SOCKET: str(folder / "none")}, folder, "exit", "3") as process:
        assert process.communicate(timeout=180)[0].startswith("in ")
    assert process.returncode == 3
    assert connect(str(folder / "none"), []) is None
