from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.trainers.ledger_rows import NAMES, SECOND, bar_of, forecasts_of, outcomes_of
from trainers.recording.errors import LedgerError
from trainers.recording.ledger import Ledger, newest_forecasts, read_ledger
from trainers.recording.rows import PAGE
from trainers.scoring.ledger import FORECAST, OUTCOME

PROJECT = Path(__file__).parents[2]

# Appends bars for ever and says the number of each only when it is safe.
WRITER = """
import sys
from pathlib import Path
from tests.trainers.ledger_rows import NAMES, bar_of
from trainers.recording.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), "BTC", NAMES)
second = ledger.last_bar // 10**9 + 1
while True:
    ledger.write(*bar_of(second))
    print(second, flush=True)
    second += 1
"""


def expected(n):
    bars = [bar_of(second) for second in range(n)]
    return tuple(np.concatenate(rows) for rows in zip(*bars, strict=True))


def write(folder, seconds, names=NAMES):
    ledger = Ledger(folder, "BTC", names)
    for second in seconds:
        ledger.write(*bar_of(second))
    return ledger


def test_rows_have_no_byte_that_is_left_as_it_was():
    for dtype, size in ((OUTCOME, 40), (FORECAST, 48)):
        assert dtype.itemsize == size == sum(dtype[name].itemsize for name in dtype.names)
        for name in dtype.names:
            assert dtype.fields[name][1] % dtype[name].itemsize == 0, "aligned"


def test_what_is_written_is_there_for_readers_and_for_the_next_writer(tmp_path):
    ledger = write(tmp_path, range(5))
    outcomes, forecasts = expected(5)
    found = read_ledger(tmp_path, "BTC")
    assert found.outcomes.tobytes() == outcomes.tobytes()
    assert found.forecasts.tobytes() == forecasts.tobytes()
    ledger.close()
    ledger = Ledger(tmp_path, "BTC", NAMES)
    assert ledger.found.outcomes.tobytes() == outcomes.tobytes()
    assert ledger.found.forecasts.tobytes() == forecasts.tobytes()
    assert read_ledger(tmp_path, "BTC").names == NAMES
    assert ledger.last_bar == 4 * SECOND


def test_a_new_ledger_is_empty(tmp_path):
    ledger = Ledger(tmp_path, "BTC", NAMES)
    assert (ledger.last_bar, ledger.torn) == (-1, 0)
    assert [len(rows) for rows in read_ledger(tmp_path, "BTC")] == [3, 0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["BTC.forecasts", "BTC.outcomes"]


def test_it_goes_on_after_it_was_closed(tmp_path):
    write(tmp_path, range(3)).close()
    ledger = write(tmp_path, range(3, 7))
    assert ledger.last_bar == 6 * SECOND
    found = read_ledger(tmp_path, "BTC")
    assert found.outcomes.tobytes() == expected(7)[0].tobytes()
    assert found.forecasts.tobytes() == expected(7)[1].tobytes()


@pytest.mark.parametrize("second", [4, 3])
def test_a_bar_that_is_not_newer_is_refused(tmp_path, second):
    ledger = write(tmp_path, range(5))
    with pytest.raises(LedgerError, match="expected a bar after 4000000000, got"):
        ledger.write(*bar_of(second))


def test_a_bar_computed_again_after_a_restart_is_compared_and_not_written(tmp_path):
    write(tmp_path, range(5)).close()
    size = (tmp_path / "BTC.forecasts").stat().st_size
    ledger = Ledger(tmp_path, "BTC", NAMES)
    outcome, forecasts = bar_of(3)
    forecasts["latency_us"] = 99  # how long it took is no matter
    assert ledger.write(outcome, forecasts) == ""
    forecasts["probability"][1] = 0.9
    assert ledger.write(outcome, forecasts).startswith("probability at bar 3000000000 is")
    outcome["close"] = 1.0
    assert ledger.write(outcome, bar_of(3)[1]).startswith("bar 3000000000 came to")
    assert (tmp_path / "BTC.forecasts").stat().st_size == size
    assert ledger.write(*bar_of(5)) == ""
    assert ledger.last_bar == 5 * SECOND


def test_a_bar_whose_forecasts_a_killed_writer_did_not_write_is_completed(tmp_path):
    ledger = write(tmp_path, range(5))
    ledger.write(bar_of(5)[0], bar_of(5)[1][:0])
    ledger.close()
    ledger = Ledger(tmp_path, "BTC", NAMES)
    assert ledger.write(*bar_of(5)) == ""
    found = read_ledger(tmp_path, "BTC")
    assert found.outcomes.tobytes() == expected(6)[0].tobytes()
    assert found.forecasts.tobytes() == expected(6)[1].tobytes()


def test_forecasts_of_another_bar_are_refused_and_nothing_is_written(tmp_path):
    ledger = write(tmp_path, range(5))
    with pytest.raises(LedgerError, match=r"made at bar 5000000000, got some of \[6000000000\]"):
        ledger.write(bar_of(5)[0], bar_of(6)[1])
    assert len(read_ledger(tmp_path, "BTC").outcomes) == 5


def test_a_bar_without_forecasts_is_a_bar(tmp_path):
    ledger = write(tmp_path, range(2))
    ledger.write(bar_of(2)[0], bar_of(2)[1][:0])
    assert [len(rows) for rows in read_ledger(tmp_path, "BTC")[1:]] == [3, 6]


# ---- kills


def test_a_killed_writer_loses_no_acknowledged_row(tmp_path):
    acknowledged = set()
    for kill in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            cwd=PROJECT, stdout=subprocess.PIPE, text=True,
        ) as writer:  # fmt: skip
            said = [writer.stdout.readline() for _ in range(40 + 77 * kill)]
            os.kill(writer.pid, signal.SIGKILL)
            said += writer.stdout.readlines()
        acknowledged |= {int(line) for line in said if line.endswith("\n")}
        found = read_ledger(tmp_path, "BTC")
        n = len(found.outcomes)
        assert n - max(acknowledged) in (1, 2), "at most one bar was not acknowledged any more"
        outcomes, forecasts = expected(n)
        assert found.outcomes.tobytes() == outcomes.tobytes()
        # A bar that was written but not acknowledged may lack some of its forecasts.
        seconds = found.forecasts["bar"] // SECOND
        at = seconds * len(NAMES) + found.forecasts["learner"]
        assert (np.diff(at) > 0).all()
        assert found.forecasts.tobytes() == forecasts[at].tobytes()
        counts = np.bincount(seconds, minlength=n)
        assert (counts[list(acknowledged)] == len(NAMES)).all()


@pytest.mark.parametrize(
    "name, n_outcomes, n_forecasts, torn", [("outcomes", 4, 12, 1), ("forecasts", 4, 9, 3)]
)
def test_torn_last_rows_are_cut_off_with_those_written_together_and_counted(
    tmp_path, name, n_outcomes, n_forecasts, torn
):
    write(tmp_path, range(4)).close()
    path = tmp_path / f"BTC.{name}"
    if name == "outcomes":
        with path.open("ab") as file:
            file.write(bar_of(4)[0].tobytes()[:-1])
    else:
        os.truncate(path, path.stat().st_size - 1)
    ledger = Ledger(tmp_path, "BTC", NAMES)
    assert ledger.torn == torn
    assert [len(rows) for rows in ledger.found[1:]] == [n_outcomes, n_forecasts]
    ledger.write(*bar_of(4))
    ledger.close()
    assert read_ledger(tmp_path, "BTC").outcomes.tobytes() == expected(5)[0].tobytes()
    assert Ledger(tmp_path, "BTC", NAMES).torn == 0


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    ledger = write(tmp_path, range(4))
    size = (tmp_path / "BTC.outcomes").stat().st_size
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:7]))
    with pytest.raises(OSError, match=r"No space left on device: '.*BTC\.outcomes'"):
        ledger.write(*bar_of(4))
    monkeypatch.undo()
    assert (tmp_path / "BTC.outcomes").stat().st_size == size
    ledger.write(*bar_of(4))
    assert read_ledger(tmp_path, "BTC").outcomes.tobytes() == expected(5)[0].tobytes()


# ---- others


def read_beside(folder, began, stop, answers):
    """Read until told to stop; say how often it was, and what was wrong."""
    reads, wrong = 0, 0
    while not stop.is_set():
        found = read_ledger(Path(folder), "BTC")
        seconds = np.arange(len(found.outcomes))
        wrong += not np.array_equal(found.outcomes["close"], 100.0 + seconds)
        wrong += not np.array_equal(found.forecasts["version"] * SECOND, found.forecasts["bar"])
        wrong += len(found.forecasts) > 3 * len(found.outcomes)
        reads += 1
        began.set()
    answers.put((reads, wrong))


def test_a_reader_beside_the_writer_sees_whole_rows_only(tmp_path):
    ledger = write(tmp_path, range(1))
    processes = multiprocessing.get_context("spawn")
    began, stop, answers = processes.Event(), processes.Event(), processes.Queue()
    reader = processes.Process(target=read_beside, args=(str(tmp_path), began, stop, answers))
    reader.start()
    assert began.wait(300)
    for second in range(1, 20_000):
        ledger.write(*bar_of(second))
    stop.set()
    reads, wrong = answers.get(timeout=300)
    reader.join()
    assert reads > 1
    assert wrong == 0


def test_a_second_writer_is_refused(tmp_path):
    ledger = write(tmp_path, range(1))
    with pytest.raises(LedgerError, match="another process writes it; end that first"):
        Ledger(tmp_path, "BTC", NAMES)
    ledger.write(*bar_of(1))
    ledger.close()
    assert Ledger(tmp_path, "BTC", NAMES).last_bar == SECOND


def test_other_learners_are_refused_and_the_lock_is_given_up(tmp_path):
    write(tmp_path, range(1)).close()
    with pytest.raises(LedgerError, match=r"expected the learners \['cnn'\], found \['cnn', 'dqn'"):
        Ledger(tmp_path, "BTC", ["cnn"])
    assert Ledger(tmp_path, "BTC", NAMES).last_bar == 0


def test_the_lock_is_given_up_if_only_the_other_file_is_wrong(tmp_path):
    (tmp_path / "BTC.forecasts").write_bytes(b"")
    with pytest.raises(LedgerError):
        Ledger(tmp_path, "BTC", NAMES)
    (tmp_path / "BTC.forecasts").unlink()
    assert Ledger(tmp_path, "BTC", NAMES).last_bar == -1


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "BTC.outcomes").write_bytes(b"PAR1" * 2000)
    with pytest.raises(LedgerError, match=r"BTC.outcomes: expected a file that begins with .*PAR1"):
        Ledger(tmp_path, "BTC", NAMES)
    assert (tmp_path / "BTC.outcomes").stat().st_size == 8000, "left alone"


@pytest.mark.parametrize(
    "wrong", [b"", b"tickloop ledger 1\n{}", b"tickloop ledger 2\n".ljust(PAGE)]
)
def test_a_header_that_is_cut_off_or_of_another_version_is_refused(tmp_path, wrong):
    write(tmp_path, range(1)).close()
    (tmp_path / "BTC.forecasts").write_bytes(wrong)
    for opens in (lambda: Ledger(tmp_path, "BTC", NAMES), lambda: read_ledger(tmp_path, "BTC")):
        with pytest.raises(LedgerError, match="not a ledger of this version: restore it"):
            opens()


def test_rows_of_another_layout_are_refused(tmp_path):
    write(tmp_path, range(1)).close()
    (tmp_path / "BTC.outcomes").rename(tmp_path / "ETH.forecasts")
    (tmp_path / "BTC.forecasts").rename(tmp_path / "ETH.outcomes")
    with pytest.raises(LedgerError, match=r"expected rows of .*close.*found .*learner"):
        read_ledger(tmp_path, "ETH")


def test_names_that_do_not_fit_the_header_are_refused(tmp_path):
    with pytest.raises(LedgerError, match="give them shorter names"):
        Ledger(tmp_path, "BTC", ["x" * 50] * 100)


def test_the_newest_forecasts_are_read_without_those_before(tmp_path):
    bars = range(50_000)
    rows = forecasts_of([0.5] * len(bars), bars=bars)
    with contextlib.closing(write(tmp_path, [])) as ledger:
        ledger.extend(outcomes_of([100.0] * len(bars), bars=bars), rows)
    before = bytes_read()
    names, newest = newest_forecasts(tmp_path, "BTC", 4)
    assert bytes_read() - before < 10 * PAGE < rows.nbytes
    assert names == NAMES
    assert newest.tobytes() == rows[-4:].tobytes()
    assert newest_forecasts(tmp_path, "BTC", 0)[1].tobytes() == rows.tobytes()
    assert newest_forecasts(tmp_path, "BTC", 10**6)[1].tobytes() == rows.tobytes()


def bytes_read():
    return int(Path("/proc/self/io").read_text().split()[1])


def test_there_is_nothing_to_read_before_the_writer_came(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_ledger(tmp_path, "BTC")
