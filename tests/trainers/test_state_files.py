"""Files of a session that were cut off or changed: the value, or one named line; nothing else."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streaming.errors import TickloopError
from trainers.config import SessionConfig
from trainers.engine.events import CycleBegun, CycleEnded
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.decision_log import (
    check_logs,
    checked_decisions,
    cycles_done,
    last_end,
)
from trainers.recording.files import (
    CHECKPOINT,
    CONFIG,
    CONTROLS,
    DECISIONS,
    FORMAT,
    OUTBOX,
    RUNS,
    SHARES,
    SUMS,
    append_line,
)
from trainers.recording.ledger import Ledger, read_ledger
from trainers.recording.record import read_runs, read_sums
from trainers.research.tuning.files import BARS, check_bars, keep_trial, kept_trial, trial_file
from trainers.research.tuning.search.trial import Played
from trainers.session.fleet.cluster import NOTE, LocalRay
from trainers.session.fleet.head import shares
from trainers.session.trainer.controls import ControlFile
from trainers.tracking.outbox import Batch, Outbox, left_in

SYMBOL = "BTCUSDT"


def lines(*entries):
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def repeated(entries):
    """Take from each entry what its repetition takes."""
    for entry in entries:
        if entry["do"] == "cycle":
            fields = (name for name in CycleBegun._fields if name != "digests")
            begun = CycleBegun(**{name: entry[name] for name in fields}, digests={})
            for rows in (begun.watermark, begun.oldest):
                rows["ticks"] + rows["quotes"]
        if entry["do"] == "end":
            CycleEnded(entry["seconds"], entry["overran"])


SEEN = {"ticks": 9, "quotes": 4}

# What is in each file, and how it is read.
CONTENTS = {
    f"{SYMBOL}{DECISIONS}": lines(
        {"do": "began", "format": FORMAT, "market": SYMBOL},
        {"do": "bars", "to": 5, "ask": False, "after": "", "watermark": SEEN},
        {
            "do": "cycle",
            "cycle": 1,
            "watermark": SEEN,
            "now": 1,
            "oldest": {"ticks": 0, "quotes": 0},
            "oldest_ts": 1,
            "wall_ms": 1,
            "stats": {"gaps": 0.0},
        },
        {"do": "segment", "name": "a", "sha256": "b"},
        {"do": "control", "name": "pause", "value": "", "seq": 1, "refused": False},
        {"do": "champion", "learner": "cnn", "version": 1, "challenge": 1, "after_bar": 1},
        {"do": "verdict", "learner": "cnn"},
    )
    + b'{"do":"end","cycle":1,"seconds":{"cnn":0.5},"overran":false,"hashes":{},"stream":{}}\n',
    f"{SYMBOL}{RUNS}": json.dumps({"cnn": "0" * 32}).encode(),
    SUMS: lines({"cycle": 1, "of": {SYMBOL: 1}}),
    CONTROLS: lines({"seq": 1, "name": "pause", "value": "", "ts": 1.5}, {"answered": 1}),
    SHARES: json.dumps([[SYMBOL]]).encode(),
    NOTE: b'{"address":"127.0.0.1:1","pid":1,"identity":"b 1 2"}',
    OUTBOX: lines(Batch("r", 1, 2, {"a": 0.5, "b": float("nan")}, {"t": "x"}, {})),
}
TRIAL = "trials/000001.npz"
READ = {
    SHARES: lambda folder: shares(folder, SessionConfig()),
    NOTE: lambda folder: LocalRay(folder).node,
    BARS: lambda folder: check_bars(folder, {}),
    TRIAL: lambda folder: kept_trial(folder, 1, {"updates": 4}),
    CONFIG: lambda folder: SessionConfig.load(folder / CONFIG),
    f"{SYMBOL}{DECISIONS}": lambda folder: (
        check_logs(folder),
        repeated(checked_decisions(folder / f"{SYMBOL}{DECISIONS}")),
        last_end(folder / f"{SYMBOL}{DECISIONS}"),
        cycles_done(folder),
    ),
    f"{SYMBOL}{RUNS}": lambda folder: read_runs(folder, SYMBOL),
    SUMS: read_sums,
    CONTROLS: lambda folder: ControlFile(folder).requests(),
    OUTBOX: lambda folder: left_in(folder / OUTBOX),
    f"{SYMBOL}{CHECKPOINT}": lambda folder: load_checkpoint(folder / f"{SYMBOL}{CHECKPOINT}"),
    f"{SYMBOL}.outcomes": lambda folder: read_ledger(folder, SYMBOL),
    f"{SYMBOL}.forecasts": lambda folder: read_ledger(folder, SYMBOL),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with one whole file of each kind."""
    folder = tmp_path_factory.mktemp("session")
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    SessionConfig().save(folder / CONFIG)
    save_checkpoint(folder / f"{SYMBOL}{CHECKPOINT}", {"entries": 3, "state": {"a": [1, 0.5]}})
    Ledger(folder, SYMBOL, ["cnn"]).close()
    check_bars(folder, {})
    trial_file(folder, 1).parent.mkdir()
    keep_trial(folder, 1, {"updates": 4}, Played(np.zeros(5), {"majority": np.ones(3)}, 0.5))
    return folder


@pytest.mark.parametrize("name", READ)
def test_a_whole_file_is_read(whole, name):
    READ[name](whole)


@st.composite
def damages(draw):
    """A function that cuts a file off, changes some of its bytes, or puts others in their place."""
    keep = draw(st.none() | st.integers(0, 400))
    flips = draw(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=4))
    other = draw(st.none() | st.binary(max_size=40))

    def damage(data: bytes) -> bytes:
        found = bytearray(data if other is None else other)
        for at, bits in flips:
            if found:
                found[at % len(found)] ^= bits
        return bytes(found[:keep])

    return damage


@pytest.mark.parametrize("name", READ)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(damage=lambda data: b"")
@example(damage=lambda data: data[: len(data) // 2])
@example(damage=lambda data: b"[]")
@example(damage=lambda data: b"[]\n")
@example(damage=lambda data: b"{}\n")
@example(damage=lambda data: b"null\n")
@example(damage=lambda data: b'{"do":1}\n')
@example(damage=lambda data: b'{"learner":[]}')
@example(damage=lambda data: b'{"learner":"ab"}')
@example(damage=lambda data: b'{"learner":{"cnn":[[1]]}}')
@example(damage=lambda data: b'{"symbols":null}')
@example(damage=lambda data: b"[" * 100_000 + b"\n")
@example(damage=lambda data: b"\xff\xfe\n")
@given(damage=damages())
def test_a_damaged_file_is_read_or_named_in_one_line(whole, name, damage):
    path = whole / name
    before = path.read_bytes()
    path.write_bytes(damage(before))
    said = name
    try:
        READ[name](whole)
    except TickloopError as e:
        said = str(e)
    finally:
        path.write_bytes(before)
    assert name in said
    assert "\n" not in said


@pytest.mark.parametrize("name", [CONFIG, f"{SYMBOL}{DECISIONS}", f"{SYMBOL}{CHECKPOINT}"])
@pytest.mark.parametrize("keep", [0, 9])
def test_what_is_cut_off_is_named_with_what_to_do(whole, tmp_path, name, keep):
    for path in filter(Path.is_file, whole.iterdir()):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((whole / name).read_bytes()[:keep] + b"\n")
    with pytest.raises(TickloopError, match=r"restore it|remove it"):
        READ[name](tmp_path)


# ---- lines


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=5),
       st.binary(max_size=10).filter(lambda torn: b"\n" not in torn))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_line_does_not_spoil_the_next(tmp_path_factory, written, torn):
    path = tmp_path_factory.mktemp("lines") / "one"
    for line in written:
        append_line(path, line)
    with path.open("ab") as file:
        file.write(torn)
    append_line(path, b"next")
    assert path.read_bytes().split(b"\n") == [*written, b"next", b""]


def test_a_full_disk_takes_no_line_and_none_of_those_before(tmp_path):
    with contextlib.ExitStack() as opened:
        outbox = Outbox(tmp_path / OUTBOX)
        opened.callback(outbox.close)
        outbox.put(Batch("r", 1, 1, {}, {}, {}))
        (tmp_path / SUMS).symlink_to("/dev/full")
        with pytest.raises(OSError, match=r"No space left on device: '.*sums.jsonl'"):
            append_line(tmp_path / SUMS, b"{}")
        assert len(left_in(tmp_path / OUTBOX)) == 1
