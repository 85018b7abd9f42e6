from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import RingError
from streaming.rings.ring import HEADER, HEADER_BYTES, Ring, RingWriter
from tests.streaming.samples import ROW, WIDE, rows_from

STATS = np.dtype([("seen", "<i8"), ("lag", "<f8")])
PROJECT = Path(__file__).parents[2]


def spawn(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )


@given(
    capacity=st.integers(1, 40),
    batches=st.lists(st.integers(0, 100), max_size=12),
    start=st.integers(-5, 400),
    stop=st.integers(-5, 400),
)
def test_what_is_read_is_what_was_written(capacity, batches, start, stop):
    with tempfile.TemporaryDirectory() as folder:
        writer = RingWriter(Path(folder, "ring"), ROW, capacity)
        reader = Ring(Path(folder, "ring"), ROW)
        total = 0
        for n in batches:
            assert writer.append(rows_from(total, n)) == total
            total += n
            first, rows = reader.read()
            assert (first, reader.committed) == (max(0, total - capacity), total)
            assert rows.tobytes() == rows_from(first, total - first).tobytes()
            assert len(reader) == len(rows) == min(capacity, total)
            assert reader.tail(3).rows["seq"].tolist() == list(range(max(first, total - 3), total))
        oldest = max(0, total - capacity)
        wanted = [seq for seq in range(oldest, total) if start <= seq < stop]
        assert reader.read(start, stop).rows["seq"].tolist() == wanted
        writer.close()


def test_rows_and_counters_are_there_after_reopening(tmp_path, closing):
    writer = closing(RingWriter(tmp_path / "ring", ROW, 10, STATS))
    writer.append(rows_from(0, 17))
    writer.stats["seen"] = 5
    writer.close()

    writer = closing(RingWriter(tmp_path / "ring", ROW, 10, STATS))
    assert writer.append(rows_from(17, 2)) == 17
    assert writer.stats["seen"] == 5
    assert Ring(tmp_path / "ring", ROW, STATS).read().rows["seq"].tolist() == list(range(9, 19))


def test_counters_are_visible_to_a_reader_that_was_there_before(tmp_path, closing):
    writer = closing(RingWriter(tmp_path / "ring", ROW, 10, STATS))
    reader = Ring(tmp_path / "ring", ROW, STATS)
    writer.stats["seen"] += 3
    writer.stats["lag"] = 1.5
    assert (reader.stats["seen"], reader.stats["lag"]) == (3, 1.5)


def test_a_reader_cannot_write(tmp_path, closing):
    closing(RingWriter(tmp_path / "ring", ROW, 10, STATS))
    with pytest.raises(ValueError, match=r"read-only|readonly"):
        Ring(tmp_path / "ring", ROW, STATS).stats["seen"] = 1


KILLED_WRITER = """
import sys, pathlib, numpy as np
from tests.streaming.samples import ROW, rows_from
from streaming.rings.ring import RingWriter
writer = RingWriter(pathlib.Path(sys.argv[1]), ROW, 1000)
while True:
    writer.append(rows_from(writer.committed, 7))
    print(writer.committed, flush=True)
"""


def test_acknowledged_rows_survive_kill_9_of_the_writer(tmp_path, closing):
    path = tmp_path / "ring"
    child = spawn(KILLED_WRITER, path)
    acknowledged = 0
    while acknowledged < 700:
        acknowledged = int(child.stdout.readline())
    child.kill()
    child.communicate(timeout=10)

    ring = closing(RingWriter(path, ROW, 1000))  # the lock died with the process
    first, rows = ring.read()
    assert ring.committed >= acknowledged
    assert rows.tobytes() == rows_from(first, ring.committed - first).tobytes()
    assert ring.append(rows_from(ring.committed, 3)) == first + len(rows)
    assert Ring(path, ROW).tail(5).rows["seq"].tolist() == list(
        range(ring.committed - 5, ring.committed)
    )


def test_a_writer_killed_amid_an_append_leaves_only_whole_rows(tmp_path, closing):
    path = tmp_path / "ring"
    writer = closing(RingWriter(path, ROW, 10))
    writer.append(rows_from(0, 10))
    writer._header["reserved"] = 25  # it announced 15 rows and wrote none of them
    writer.close()

    assert len(Ring(path, ROW)) == 0
    assert len(Ring(path, ROW).read().rows) == 0
    writer = closing(RingWriter(path, ROW, 10))
    for first in range(10, 40, 3):
        writer.append(rows_from(first, 3))
        first, rows = Ring(path, ROW).read()
        assert rows.tobytes() == rows_from(first, len(rows)).tobytes()
    assert len(rows) == 10


def test_a_second_writer_is_refused(tmp_path, closing):
    path = tmp_path / "ring"
    writer = closing(RingWriter(path, ROW, 10))
    with pytest.raises(RingError, match="ring: another process writes"):
        RingWriter(path, ROW, 10)
    child = spawn(KILLED_WRITER, path)
    out, err = child.communicate(timeout=20)
    assert out == ""
    assert "another process writes" in err
    writer.close()
    RingWriter(path, ROW, 10).close()


def test_another_layout_is_refused(tmp_path):
    path = tmp_path / "ring"
    RingWriter(path, ROW, 10).close()
    with pytest.raises(RingError, match=r"ring: expected .* move it away"):
        Ring(path, np.dtype([("x", "<f8")]))
    with pytest.raises(RingError, match="expected"):
        RingWriter(path, np.dtype([("x", "<f8")]), 10)


@pytest.mark.parametrize("content", [b"", b"short", b"not a ring\n" * 1000], ids=len)
def test_a_file_that_is_no_ring_is_refused(tmp_path, content):
    path = tmp_path / "ring"
    path.write_bytes(content)
    with pytest.raises(RingError, match="ring: expected"):
        Ring(path, ROW)


@pytest.mark.parametrize("size", [HEADER.itemsize, HEADER_BYTES, HEADER_BYTES + 5 * ROW.itemsize])
def test_a_ring_that_was_cut_off_is_refused(tmp_path, size):
    path = tmp_path / "ring"
    RingWriter(path, ROW, 10).close()
    with path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(RingError, match="ring: expected"):
        Ring(path, ROW)


def test_a_reader_of_a_missing_ring_gets_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Ring(tmp_path / "ring", ROW)


def test_a_ring_has_its_room_on_the_disk_from_the_start(tmp_path):
    path = tmp_path / "ring"
    RingWriter(path, ROW, 10_000).close()
    assert path.stat().st_blocks * 512 >= path.stat().st_size
    sparse = tmp_path / "sparse"  # as older versions made them
    sparse.write_bytes(path.read_bytes()[:HEADER_BYTES])
    os.truncate(sparse, path.stat().st_size)
    assert sparse.stat().st_blocks * 512 < path.stat().st_size
    RingWriter(sparse, ROW, 10_000).close()
    assert sparse.stat().st_blocks * 512 >= path.stat().st_size


def test_a_ring_without_room_is_refused_in_one_line_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # as a full disk would
    try:
        with pytest.raises(RingError, match=r"ring: the ring cannot be written \(.+\)$") as error:
            RingWriter(tmp_path / "ring", ROW, 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["no/such/folder/ring", "file/ring", "."])
def test_a_ring_where_no_file_can_be_is_refused_in_one_line(tmp_path, path):
    (tmp_path / "file").touch()
    with pytest.raises(RingError, match="ring"):
        RingWriter(tmp_path / path, ROW, 10)


def test_counters_larger_than_the_header_page_are_refused(tmp_path):
    with pytest.raises(RingError, match="do not fit"):
        RingWriter(tmp_path / "ring", ROW, 10, np.dtype([("x", "<f8", 1000)]))
    assert not (tmp_path / "ring").exists()


BUSY_WRITER = """
import sys, pathlib, itertools, numpy as np
from tests.streaming.samples import WIDE
from streaming.rings.ring import RingWriter
writer = RingWriter(pathlib.Path(sys.argv[1]), WIDE, 512)
print("ready", flush=True)
for n in itertools.cycle([1, 200, 3, 500, 77]):
    seq = writer.committed
    writer.append(np.repeat(np.arange(seq, seq + n), 16).view(WIDE))
"""


def test_no_reader_ever_sees_a_torn_row(tmp_path):
    """A writer laps a small ring while the test reads; all fields of a row must agree."""
    child = spawn(BUSY_WRITER, tmp_path / "ring")
    try:
        assert child.stdout.readline() == "ready\n"
        ring = Ring(tmp_path / "ring", WIDE)
        n_read, overtaken, before, until = 0, 0, -1, time.monotonic() + 30.0
        # A reader that does not cut off what was overwritten is found out within 3 such reads.
        while overtaken < 50 or ring.committed <= 100 * ring.capacity:
            assert time.monotonic() < until
            first, rows = ring.read()
            fields = rows.view("<i8").reshape(-1, 16)  # (n, 16)
            wanted = np.arange(first, first + len(rows))
            torn = np.flatnonzero((fields != wanted[:, None]).any(axis=1))
            assert len(torn) == 0, f"seq {first + torn[0]}: {fields[torn[0]]}"
            n_read += len(rows)
            overtaken += first != before
            before = first
        assert child.poll() is None
        assert ring.committed > 100 * ring.capacity
        assert n_read > 1000
    finally:
        child.kill()
        child.communicate(timeout=10)
