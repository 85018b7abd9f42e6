"""Events as other processes read them."""

from __future__ import annotations

from streaming.events import EVENT, EVENTS_KEPT, Code, EventWriter, event_ring, hindrance


def test_an_event_is_read_as_it_was_said(tmp_path):
    writer = EventWriter(tmp_path, "feed")
    writer.say(Code.GAP, "X: gap", 7)
    (row,) = event_ring(tmp_path, "feed").read().rows
    assert (row["ts"], Code(row["code"].decode()), row["text"].decode()) == (7, Code.GAP, "X: gap")
    writer.close()


def test_a_long_text_is_cut_between_two_characters(tmp_path):
    writer = EventWriter(tmp_path, "feed")
    writer.say(Code.GAP, "x" + 200 * "é", 7)
    (row,) = event_ring(tmp_path, "feed").read().rows
    assert row["text"].decode() == "x" + 123 * "é"
    writer.close()


def test_the_newest_events_are_kept(tmp_path):
    writer = EventWriter(tmp_path, "feed")
    for ts in range(EVENTS_KEPT + 5):
        writer.say(Code.CYCLE, "", ts)
    assert event_ring(tmp_path, "feed").read().rows["ts"].tolist() == list(
        range(5, EVENTS_KEPT + 5)
    )
    writer.close()


def test_every_code_fits_its_field():
    assert max(len(code.encode()) for code in Code) <= EVENT["code"].itemsize


def test_why_no_trade_comes_is_what_the_feed_said_last_of_it(tmp_path):
    assert hindrance(tmp_path) == ""  # there is no feed yet
    writer = EventWriter(tmp_path, "feed")
    assert hindrance(tmp_path) == ""
    writer.say(Code.DISCONNECTED, "no connection: HTTP 503", 1)
    writer.say(Code.REFUSED, "no connection: HTTP 451", 2)
    writer.say(Code.CLOCK_OFF, "our clock is 2.0 s behind", 3)
    assert hindrance(tmp_path) == "no connection: HTTP 451"
    writer.say(Code.CONNECTED, "connected", 4)
    assert hindrance(tmp_path) == ""
    writer.close()
