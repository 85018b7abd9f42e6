"""The window of newest bars is what all bars together would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datamodules.samples import random_bars
from trainers.engine import bar_window
from trainers.engine.bar_window import BarWindow

BARS = random_bars(300, seed=2)


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(1, 80), st.integers(0, 30))
def test_the_newest_bars_are_there_and_what_was_handed_out_stays(lengths, most, room):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bar_window, "ROOM", room)
        window, taken, handed_out = BarWindow(most), 0, []
        for n in lengths:
            new = BARS[taken % 200 : taken % 200 + n]
            window.append(new)
            taken += n
            handed_out.append((window.bars, window.bars.copy()))
            assert len(window.bars) == min(taken, most)
            assert (window.newest(n) == new).all()
            assert not window.bars.flags.writeable
        for found, then in handed_out:
            assert found.tobytes() == then.tobytes()


def test_the_bars_before_the_new_ones_are_kept_to_the_last():
    window = BarWindow(100)
    for i in range(0, 300, 7):
        window.append(BARS[i : i + 7])
    assert (window.bars == BARS[200:300]).all()
    assert (window.newest(10_000)[-107:] == BARS[193:300]).all()


def test_a_new_window_is_empty():
    assert BarWindow(5).bars.tolist() == np.zeros(0, BARS.dtype).tolist()
