"""Digests, checkpoints and decision logs: what a replay and a resumed trainer rely on."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.digest import digest
from streaming.ticks import TICK, make_ticks
from trainers.config import SessionConfig
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.decision_log import DecisionLog, last_end, read_decisions
from trainers.recording.errors import CheckpointError, DecisionLogError, RecordError
from trainers.recording.files import CONFIG, DECISIONS, of_market
from trainers.recording.record import read_record

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


# ---- digests


def test_one_bit_or_one_type_makes_another_digest():
    values = [0.1, np.nextafter(0.1, 1), 1, 1.0, True, "1", None, np.float32([1]), np.float64([1])]
    values += [[1, 2], [[1], 2], {"a": 1}, {"b": 1}, np.zeros((2, 3)), np.zeros((3, 2))]
    assert len({digest(value) for value in values}) == len(values)


def test_the_order_of_keys_and_the_padding_of_rows_are_no_content():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert TICK.itemsize > sum(TICK[name].itemsize for name in TICK.names)
    clean, dirty = make_ticks(2), np.frombuffer(b"\xff" * 2 * TICK.itemsize, TICK).copy()
    for name in TICK.names:
        dirty[name] = clean[name]
    assert digest(clean) == digest(dirty)


def test_a_tensor_has_the_digest_of_its_array_and_an_object_none():
    assert digest(torch.arange(3.0)) == digest(np.arange(3, dtype=np.float32))
    with pytest.raises(TypeError, match="plain data, got object"):
        digest([object()])


# ---- checkpoints


@given(PLAIN)
def test_a_checkpoint_gives_back_what_was_saved(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("checkpoint") / "one"
    saved = {"plain": state, "array": np.arange(3), "tensor": torch.ones(2), "tuple": (1, 2)}
    save_checkpoint(path, saved)
    found = load_checkpoint(path)
    assert digest(found) == digest(saved)
    assert isinstance(found["array"], np.ndarray)
    assert isinstance(found["tensor"], torch.Tensor)


def test_where_nothing_was_saved_there_is_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path / "none") is None


def test_code_is_neither_saved_nor_loaded(tmp_path):
    with pytest.raises(TypeError, match="plain data; got MinMax"):
        save_checkpoint(tmp_path / "one", {"scaler": type("MinMax", (), {})()})
    write_content(tmp_path / "one", {"format": 2, "state": torch.nn.Linear(1, 1)})
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path / "one")


def write_content(path, content):
    """Write a checkpoint that holds something else."""
    data = io.BytesIO()
    torch.save(content, data)
    path.write_bytes(hashlib.sha256(data.getvalue()).digest() + data.getvalue())


def test_a_changed_bit_of_a_weight_is_not_taken_for_another_weight(tmp_path):
    path = tmp_path / "one"
    save_checkpoint(path, {"weights": torch.ones(100)})
    data = bytearray(path.read_bytes())
    at = data.index(b"\x00\x00\x80?\x00\x00\x80?")  # two ones in a row
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="cut off or changed since it was written"):
        load_checkpoint(path)


def test_a_full_disk_leaves_the_old_checkpoint_and_names_the_file(tmp_path):
    path = tmp_path / "one"
    save_checkpoint(path, {"cycle": 1})
    (tmp_path / "one.unfinished").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left on device: '.*one'"):
        save_checkpoint(path, {"cycle": 2})
    save_checkpoint(path, {"cycle": 3})  # there is room again
    assert load_checkpoint(path) == {"cycle": 3}


@pytest.mark.parametrize("keep", [0, 10, -20])
def test_a_damaged_checkpoint_is_named(tmp_path, keep):
    path = tmp_path / "one"
    save_checkpoint(path, {"a": np.arange(1000)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="one: expected a whole checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_of_another_version_is_named(tmp_path):
    write_content(tmp_path / "one", {"format": 99, "state": {}})
    with pytest.raises(CheckpointError, match="expected a checkpoint of format 2, found 99"):
        load_checkpoint(tmp_path / "one")


# ---- decision logs


@pytest.fixture
def path(tmp_path):
    return tmp_path / "BTCUSDT.decisions.jsonl"


@pytest.fixture
def decisions(path):
    log = DecisionLog(path)
    yield log
    log.close()


def test_entries_come_back_in_order_with_every_bit(path, decisions):
    values = [0.1 + 0.2, 1e-300, 2**53 + 1, "a\nb"]
    for value in values:
        decisions.write("cycle", value=value)
    assert read_decisions(path) == [{"do": "cycle", "value": value} for value in values]
    assert decisions.count == len(values)


def test_a_line_torn_by_a_kill_is_not_read_and_cut_off_by_the_next_writer(path, decisions):
    decisions.write("cycle", cycle=1)
    decisions.close()
    with path.open("ab") as file:
        file.write(b'{"do":"end","cy')
    assert read_decisions(path) == [{"do": "cycle", "cycle": 1}]
    again = DecisionLog(path)
    assert (again.torn, again.count) == (15, 1)
    again.write("end", cycle=1)
    again.close()
    assert [entry["do"] for entry in read_decisions(path)] == ["cycle", "end"]
    decisions.__init__(path)


def test_a_log_has_one_writer(path, decisions):
    with pytest.raises(DecisionLogError, match="another process writes it"):
        DecisionLog(path)


def test_a_disk_that_takes_half_an_entry_leaves_the_log_whole(path, decisions, monkeypatch):
    decisions.write("cycle", cycle=1)
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:7]))
    with pytest.raises(OSError, match=r"No space left on device: '.*decisions\.jsonl'"):
        decisions.write("cycle", cycle=2)
    monkeypatch.undo()
    decisions.write("cycle", cycle=3)
    assert [entry["cycle"] for entry in read_decisions(path)] == [1, 3]


def test_a_line_that_was_changed_is_named(path, decisions):
    decisions.write("cycle", cycle=1)
    decisions.write("cycle", cycle=2)
    path.write_bytes(
        path.read_bytes().replace(b'{"do":"cycle","cycle":1}', b'{"do":"cycle","cycle":')
    )
    with pytest.raises(DecisionLogError, match="expected a JSON object in line 1"):
        read_decisions(path)


def test_a_log_of_another_version_is_named(path, decisions):
    decisions.write("began", format=99)
    with pytest.raises(DecisionLogError, match=r"expected format 3, found \[99\]"):
        read_decisions(path)


def test_a_record_of_the_older_format_is_refused_in_a_line_that_names_the_version(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"do":"began","format":1}\n')
    with pytest.raises(RecordError) as refused:
        read_record(tmp_path)
    (line,) = str(refused.value).splitlines()
    assert "found one of format 1, written by tickloop 0.1; replay or resume it with that" in line


def write_cycle(folder, **settings):
    """A market's record of one cycle, without a file of its learners' runs."""
    SessionConfig(**settings).save(folder / CONFIG)
    with contextlib.closing(DecisionLog(of_market(folder, "BTCUSDT", DECISIONS))) as log:
        log.write("end", cycle=1, seconds={}, overran=False, hashes={}, stream={})


def test_a_recording_without_learners_is_a_whole_record_though_it_has_no_runs(tmp_path):
    write_cycle(tmp_path, learners="none")
    assert read_record(tmp_path).markets["BTCUSDT"].runs == {}


def test_a_record_that_lacks_the_runs_of_its_learners_is_refused_by_name(tmp_path):
    write_cycle(tmp_path)
    with pytest.raises(RecordError, match=r"expected the market's BTCUSDT\.runs\.json"):
        read_record(tmp_path)


def test_the_end_of_the_last_cycle_is_read_from_the_end_of_a_log(path, decisions):
    assert last_end(path) is None
    decisions.write("cycle", cycle=1)
    assert last_end(path) is None
    decisions.write("end", cycle=1, hashes={"bars": "x" * 100_000})
    decisions.write("bars", to=5)
    assert last_end(path)["cycle"] == 1
    decisions.write("end", cycle=2)
    with path.open("ab") as file:
        file.write(b'{"do":"end","cyc')  # being written, or torn by a kill
    assert last_end(path) == {"do": "end", "cycle": 2}
