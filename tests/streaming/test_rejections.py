"""When dropped messages are said."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from streaming.feed.files.rejections import ENOUGH, TRIFLE, Rejections


def test_the_first_of_each_reason_is_said():
    rejections = Rejections()
    dropped = Counter({("X", "bad_price"): 1, ("", "malformed"): 2})
    assert [told.text for told in rejections.add(5000, dropped)] == [
        "dropped a trade of X: bad_price; further ones are counted",
        "dropped a message of the venue: malformed; further ones are counted",
    ]
    assert list(rejections.add(5000, dropped)) == []


def test_more_than_a_trifle_is_said_once_with_reason_and_share():
    rejections = Rejections()
    told = [
        told.text
        for _ in range(100)
        for told in rejections.add(100, Counter({("X", "not_market"): 4}))
    ]
    assert told[1:] == ["dropped 12 of 300 messages (4.0%): not_market"]


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 3)), max_size=50))
def test_a_share_is_said_exactly_if_it_was_ever_more_than_a_trifle(batches):
    rejections, said, messages, dropped, ever = Rejections(), [], 0, 0, False
    for n, bad in batches:
        rejected = Counter({("X", "bad_size"): min(n, bad)}) if bad else Counter()
        said += [told for told in rejections.add(n, rejected) if "%" in told.text]
        messages, dropped = messages + n, dropped + min(n, bad)
        ever |= bool(bad) and dropped >= ENOUGH and dropped > TRIFLE * messages
    assert len(said) == ever
