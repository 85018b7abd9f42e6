"""The order of a ring's steps on machines that do not keep it by themselves."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from streaming.errors import RingError
from streaming.rings import fence as fences
from streaming.rings.fence import LIBRARY, make_fence
from streaming.rings.ring import Ring, RingWriter

ROW = np.dtype([("x", "<i8")])


@pytest.fixture
def on_arm(monkeypatch):
    """A machine that calls itself aarch64, with the library that Debian has for it."""
    code = f"import ctypes; ctypes.CDLL({LIBRARY!r})"
    if subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode:
        pytest.skip(f"needs {LIBRARY}")
    monkeypatch.setattr(fences.platform, "machine", lambda: "aarch64")


def test_x86_64_needs_no_fence():
    assert make_fence("x86_64", "no such library")() is None


def test_on_arm_the_steps_of_writer_and_reader_are_kept_apart(on_arm, tmp_path, monkeypatch):
    real, calls = make_fence(), []
    monkeypatch.setattr("streaming.rings.ring.make_fence", lambda: lambda: calls.append(real()))
    writer = RingWriter(tmp_path / "ring", ROW, 10)
    writer.append(np.arange(7).view(ROW))
    assert len(calls) == 2  # reserved | rows | committed
    assert Ring(tmp_path / "ring", ROW).read().rows["x"].tolist() == list(range(7))
    assert len(calls) == 4  # committed | rows | reserved
    writer.close()


def test_a_machine_without_a_fence_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(fences.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr("streaming.rings.ring.make_fence", lambda: make_fence(library="no-such.so"))
    with pytest.raises(RingError, match=r"riscv64 need a memory fence from no-such\.so") as error:
        RingWriter(tmp_path / "ring", ROW, 10)
    assert "\n" not in str(error.value)
