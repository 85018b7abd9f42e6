"""Records are joined and copied as NumPy would, and never shared."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.records import copied, join
from streaming.ticks import Ticks, make_ticks


@st.composite
def ticks(draw: st.DrawFn) -> Ticks:
    sides = draw(st.lists(st.integers(-1, 1), max_size=5))
    made = make_ticks(len(sides))
    made["id"], made["side"] = range(len(sides)), sides
    made["price"] = np.add(sides, 0.1)
    return made


@given(st.lists(ticks(), min_size=1, max_size=4))
def test_joined_rows_are_those_of_numpy(parts):
    joined, wanted = join(*parts), np.concatenate(parts)
    assert joined.dtype == wanted.dtype
    assert joined.tolist() == wanted.tolist()


@given(ticks(), st.sampled_from([slice(None), slice(None, None, -1), slice(1, None, 2)]))
def test_what_is_made_of_rows_is_not_theirs(rows, part):
    wanted = rows[part].tolist()
    made = [copied(rows[part]), join(rows[part])]
    rows["id"] += 1
    assert [each.tolist() for each in made] == [wanted] * 2
