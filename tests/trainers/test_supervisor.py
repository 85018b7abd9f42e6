from __future__ import annotations

import sys
import time

import pytest

from streaming.events import event_ring
from trainers.session.processes import restarts
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts
from trainers.session.processes.supervisor import Child, Supervisor

FOREVER = "import time; time.sleep(60)"


def child(name, code, **how):
    return Child(name, ["-c", code], **how)


def run(folder, children, *, until=lambda: False, seconds=15):
    """Run until the session ends, ``until()`` is true, or too long; return code and events."""
    supervisor = Supervisor(folder, children)
    end = time.monotonic() + seconds

    def on_tick():
        if until() or time.monotonic() > end:
            supervisor.stop()

    code = supervisor.run(on_tick)
    texts = [row["text"].decode() for row in event_ring(folder, "supervisor").read().rows]
    return code, texts


def test_the_end_of_the_trainer_ends_all_and_gives_the_exit_code(tmp_path):
    for ended, wanted in ((0, 0), (2, 2)):
        other = child("feed", FOREVER)
        trainer = child("trainer", f"raise SystemExit({ended})")
        assert run(tmp_path, [other, trainer])[0] == wanted
        assert other.ended() == -15
        (tmp_path / "supervisor.events").unlink()


def counting(lives, how):
    return f"import os; open({str(lives)!r}, 'a').write('x'); {how}"


def test_a_trainer_that_raises_again_and_again_ends_the_session(tmp_path, monkeypatch):
    monkeypatch.setattr(restarts, "FIRST_SECONDS", 0.0)
    lives = tmp_path / "lives"
    code, events = run(tmp_path, [child("trainer", counting(lives, "raise SystemExit(7)"))])
    assert (code, len(lives.read_text())) == (1, MOST_FAILURES)
    assert events[-1] == f"the trainer failed {MOST_FAILURES} times in a row; the session ends"


def test_a_launcher_that_has_given_up_its_trainer_ends_the_session_with_1(tmp_path):
    assert run(tmp_path, [child("trainer", f"raise SystemExit({GAVE_UP})")])[0] == 1


def test_a_trainer_that_is_killed_is_started_again_however_often(tmp_path, monkeypatch):
    monkeypatch.setattr(restarts, "FIRST_SECONDS", 0.0)
    lives = tmp_path / "lives"
    often = MOST_FAILURES + 2
    code, events = run(
        tmp_path,
        [child("trainer", counting(lives, "os.kill(os.getpid(), 9)"))],
        until=lambda: lives.exists() and len(lives.read_text()) > often,
    )
    assert code == 0
    assert len(events) >= often
    assert events[0].startswith("the trainer ended (signal 9); starting it again")


def test_a_child_that_somebody_else_ends_is_started_again_however_often(tmp_path, monkeypatch):
    monkeypatch.setattr(restarts, "FIRST_SECONDS", 0.0)
    lives, often = tmp_path / "lives", MOST_FAILURES + 2
    ended = "import sys; from streaming.program.process import code_after; sys.exit(code_after(15))"
    code, events = run(
        tmp_path,
        [child("page", counting(lives, ended)), child("trainer", FOREVER)],
        until=lambda: lives.exists() and len(lives.read_text()) > often,
    )
    assert code == 0
    assert len(events) >= often
    assert events[0].startswith("the page ended (code 143); starting it again")


def test_a_child_that_dies_is_started_again_and_that_is_an_event(tmp_path, capsys):
    lives = tmp_path / "lives"
    code = f"open({str(lives)!r}, 'a').write('x'); raise SystemExit(3)"
    children = [child("feed", code), child("trainer", FOREVER)]
    ended, events = run(
        tmp_path, children, until=lambda: lives.exists() and len(lives.read_text()) > 1
    )
    assert ended == 0
    assert len(lives.read_text()) > 1
    assert events[0].startswith("the feed ended (code 3); starting it again in ")
    assert events[0] in capsys.readouterr().out


def test_a_child_that_is_done_is_not_started_again(tmp_path):
    lives = tmp_path / "lives"
    children = [
        child("exchange", f"open({str(lives)!r}, 'a').write('x')"),
        child("trainer", "import time; time.sleep(1.5)"),
    ]
    assert run(tmp_path, children) == (0, [])
    assert lives.read_text() == "x"


def test_a_child_with_a_wrong_setting_ends_the_session_with_2(tmp_path):
    children = [child("page", "raise SystemExit(2)"), child("trainer", FOREVER)]
    assert run(tmp_path, children) == (2, [])


def test_a_child_that_does_not_listen_is_killed_with_those_it_started(tmp_path):
    ready = tmp_path / "ready"
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"p = subprocess.Popen([sys.executable, '-c', {FOREVER!r}]);"
        f"open({str(ready)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    )
    stubborn = child("feed", deaf, patience=0.3)
    started = time.monotonic()
    code, _ = run(
        tmp_path,
        [stubborn, child("trainer", FOREVER)],
        until=lambda: ready.exists() and ready.read_text(),
    )
    assert code == 0
    assert time.monotonic() - started < 30
    assert stubborn.process.wait(5) == -9
    assert not _runs(int(ready.read_text()))  # it is gone when the session's end is reported


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_process_that_lived_long_starts_its_backoff_anew(monkeypatch):
    monkeypatch.setattr(restarts, "PROVEN_SECONDS", 0.0)
    fresh = Restarts()
    fresh.started()
    assert all(fresh.later() <= 0.5 for _ in range(20))
    monkeypatch.setattr(restarts, "PROVEN_SECONDS", 1e9)
    assert max(fresh.later() for _ in range(20)) > 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_each_child_has_a_process_group_of_its_own_so_ctrl_c_reaches_the_session_alone(tmp_path):
    told = tmp_path / "group"
    code = f"import os; open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{os.getpgrp()}}')"
    run(tmp_path, [child("trainer", code)])
    pid, group = told.read_text().split()
    assert pid == group
