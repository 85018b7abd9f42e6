"""What a trainer prints while it waits for its first cycle."""

from __future__ import annotations

from streaming.events import Code, EventWriter
from trainers.session.market.warm_up import WarmUp


def test_the_waiting_line_says_why_nothing_comes_while_nothing_comes(tmp_path):
    warm_up = WarmUp(tmp_path, 500)
    feed = EventWriter(tmp_path, "feed")
    feed.say(Code.REFUSED, "no connection: HTTP 451", 1)
    warm_up.line([("X", 0)])
    found = warm_up.line([("X", 0)])
    assert found == "gathering ticks for the first cycle: X 0/500 (no connection: HTTP 451)"
    assert warm_up.line([("X", 20)]) == "gathering ticks for the first cycle: X 20/500"
    feed.say(Code.CONNECTED, "connected", 2)
    assert warm_up.line([("X", 20)]) == "gathering ticks for the first cycle: X 20/500"
    feed.close()


def test_the_waiting_line_names_the_markets_that_lack_most_and_counts_the_others(tmp_path):
    found = [(f"M{n}", 100 - n) for n in range(7)]
    line = WarmUp(tmp_path, 50).line([("FULL", 900), *found])
    assert line.endswith(": M6 50/50, M5 50/50, M4 50/50, M3 50/50, M2 50/50 and 3 more markets")
    assert WarmUp(tmp_path, 500).status(found) == "warming up 94/500 ticks"


def test_the_waiting_line_is_due_once_within_its_seconds(tmp_path):
    warm_up = WarmUp(tmp_path, 500)
    assert [warm_up.is_due(), warm_up.is_due()] == [True, False]
