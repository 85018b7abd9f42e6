from __future__ import annotations

import json

import pytest

from streaming.events import Code, EventWriter
from trainers.tracking.event_tag import CYCLES_SHOWN, EVENTS_SHOWN, TAG_CHARS, EventTag, tag_of


@pytest.fixture
def writers(tmp_path):
    made = {name: EventWriter(tmp_path, name) for name in ("feed", "trainer")}
    yield made
    for writer in made.values():
        writer.close()


def shown(tag):
    return [(event["ts"], event["code"], event["text"]) for event in json.loads(tag)]


def test_events_of_all_processes_are_shown_in_the_order_of_time(tmp_path, writers):
    tag = EventTag(tmp_path)
    assert tag.new() is None
    writers["trainer"].say(Code.CYCLE, "cycle 1", 2 * 10**9)
    writers["feed"].say(Code.GAP, "gap, trades 1 to 2", 10**9)
    assert shown(tag.new()) == [(1.0, "gap", "gap, trades 1 to 2"), (2.0, "cycle", "cycle 1")]
    assert tag.new() is None
    writers["feed"].say(Code.CONNECTED, "connected", 3 * 10**9)
    assert [code for _, code, _ in shown(tag.new())] == ["gap", "cycle", "connected"]


def test_cycles_leave_room_for_what_else_happened(tmp_path, writers):
    tag = EventTag(tmp_path)
    writers["feed"].say(Code.GAP, "gap, trades 1 to 2", 0)
    for i in range(1, EVENTS_SHOWN + 5):
        writers["trainer"].say(Code.CYCLE, f"cycle {i}", i * 10**9)
        newest = tag.new()
    last = range(EVENTS_SHOWN + 5 - CYCLES_SHOWN, EVENTS_SHOWN + 5)
    assert [text for _, _, text in shown(newest)] == [
        "gap, trades 1 to 2", *(f"cycle {i}" for i in last)
    ]  # fmt: skip


def test_the_newest_are_shown_and_a_new_process_shows_the_same(tmp_path, writers):
    for i in range(EVENTS_SHOWN + 5):
        writers["feed"].say(Code.REPAIRED, f"event {i}", i * 10**9)
    wanted = [(float(i), "repaired", f"event {i}") for i in range(5, EVENTS_SHOWN + 5)]
    assert shown(EventTag(tmp_path).new()) == wanted
    assert shown(EventTag(tmp_path).new()) == wanted


def test_events_too_long_for_a_tag_lose_the_oldest_first():
    events = [{"ts": 0.0, "code": "cycle", "text": f"{i} " + "x" * 1000} for i in range(20)]
    tag = tag_of(events)
    kept = [event["text"].split()[0] for event in json.loads(tag)]
    assert len(tag) <= TAG_CHARS
    assert kept == [str(i) for i in range(20 - len(kept), 20)]
    assert len(kept) > 5
