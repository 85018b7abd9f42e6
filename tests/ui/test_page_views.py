"""What is shown, without a browser: texts, differences, the forming bar."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.bars import BarBuilder, bars_of
from streaming.market_clock import CLOCK, MarketClock
from streaming.ticks import NS_PER_S, make_ticks
from tests.ui.page_world import COUNTERS, Stream, apart
from trainers.config import SessionConfig
from trainers.names import Tag
from trainers.tracking.reader import RunRecord
from ui.chart.chart_rows import ChartRows
from ui.live.header import header, stream
from ui.live.learner_cards import cards, newest_events
from ui.live.tape_progress import TapeProgress
from ui.market_reader import Counters, MarketReader
from ui.mlflow.session_metrics import SessionMetrics
from ui.server.broadcaster import Broadcaster, Subscriber, Topic
from ui.views.formatting import bp, clock, duration, exact_duration, plain
from ui.views.metric_cards import CARDS
from ui.views.view_model import ViewModel, changes, merged


def shown(counters: Counters | None = COUNTERS, metrics: SessionMetrics | None = None) -> ViewModel:
    config, metrics = SessionConfig(), metrics or SessionMetrics()
    first = ViewModel({**header([], metrics, 2), **stream(counters)})
    return merged(first, cards(config, "BTCUSDT", counters, metrics))


def learned(**metrics: float) -> SessionMetrics:
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    run = RunRecord("r", "RUNNING", {"symbol": "BTCUSDT", "learner": "cnn"}, named, 1)
    return SessionMetrics(learners={"BTCUSDT": {"cnn": run, "dqn": run}})


@pytest.mark.parametrize("counters", [None, COUNTERS])
def test_what_is_not_known_is_text_not_a_number(counters: Counters | None) -> None:
    texts = shown(counters).texts
    learner = {k: text for k, text in texts.items() if k.startswith(("cnn.", "dqn."))}
    assert not [text for text in learner.values() if text in ("0", "0.0 %", "-", "nan")]
    assert texts["stream.lag"] in ("waiting for the stream", "not measured yet")
    assert texts["notice"] == "waiting for MLflow"


def test_zero_that_was_logged_is_shown() -> None:
    texts = shown(metrics=learned(live__win_rate=0.0, train__episodes=0.0)).texts
    assert texts["dqn.live/win_rate"] == "0.0 %"
    assert texts["dqn.train/episodes"] == "0"


def test_gaps_say_what_was_repaired() -> None:
    assert shown().texts["stream.gaps"] == "2 not repaired, 140 repaired"


def test_no_gap_is_not_said_where_a_loss_does_not_show() -> None:
    none = dataclasses.replace(COUNTERS, gaps=0, repaired=0)
    assert stream(none)["stream.gaps"] == "0"
    assert stream(none, proof=False)["stream.gaps"] == "not provable here"
    assert stream(COUNTERS, proof=False)["stream.gaps"].endswith("repaired, not provable here")


def test_a_tape_says_how_far_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    progress = TapeProgress(tmp_path)
    assert progress.texts(over=False) == {"stream.tape": ""}  # the exchange has not begun
    hour = 3600 * NS_PER_S
    for seconds in range(0, 100, 10):  # 2 s of market a second, then 4
        played = (2 if seconds < 60 else 4) * seconds * NS_PER_S
        MarketClock(seconds * NS_PER_S, played, 10.0, 0, hour).save(tmp_path / CLOCK)
        shown = progress.texts(over=False)["stream.tape"]
    assert shown == "10 % at 4.0 x, 13.5 min left"
    assert progress.texts(over=True) == {"stream.tape": "10 % played"}  # nobody waits any more
    MarketClock(0, 5, 10.0, 0).save(tmp_path / CLOCK)
    assert progress.texts(over=False) == {"stream.tape": ""}  # a simulated market has no end


def test_events_are_shown_newest_first_and_a_broken_tag_shows_none() -> None:
    old = {"ts": 7.2, "text": "trades are missing"}  # of a session that logged no codes
    new = {"ts": 9.0, "code": "gap", "text": "3 trades are missing"}
    cycle = {"ts": 9.5, "code": "cycle", "text": "the cards show it"}
    session = RunRecord("r", "RUNNING", {Tag.EVENTS: json.dumps([old, 5])}, {}, None)
    metrics = SessionMetrics(session=session)
    assert metrics.events == []
    session.tags[Tag.EVENTS] = json.dumps([old, new, cycle])
    assert newest_events(metrics.events) == [new, {"code": "", **old}]


def test_changes_applied_to_the_old_view_model_give_the_new() -> None:
    old = ViewModel({"a": "1", "b": "2"}, {"n": [1], "m": 1}, {"rows": {1: [1, 5], 2: [2, 6]}})
    new = ViewModel({"a": "1", "b": "3"}, {"n": [1], "m": 2}, {"rows": {2: [2, 7], 3: [3, 8]}})
    assert changes(old, new) == {"texts": {"b": "3"}, "m": 2, "rows": [[2, 7], [3, 8]]}
    assert changes(new, new) == {}
    assert changes(None, new) == {
        "texts": new.texts, "n": [1], "m": 2, "rows": [[2, 7], [3, 8]],
    }  # fmt: skip


@pytest.mark.parametrize("layout", ["cards", "scores"])
def test_new_places_come_with_all_texts(layout: str) -> None:
    before = ViewModel({"a": "1", "b": "2"}, {layout: ["x"]})
    after = ViewModel({"a": "1", "b": "3"}, {layout: ["x", "y"]})
    assert changes(before, after)["texts"] == after.texts


def test_what_is_false_or_empty_is_sent_as_well() -> None:
    before, after = ViewModel(whole={"running": True}), ViewModel(whole={"running": False})
    assert changes(before, after) == {"running": False}


def test_slow_subscriber_begins_again_with_the_whole() -> None:
    async def run() -> list[str | None]:
        broadcaster = Broadcaster(lambda *topic: ViewModel({"n": str(next(numbers))}), ["A"])
        numbers = iter(range(100))
        slow: Subscriber = broadcaster.subscribe("A")
        for _ in range(3):
            broadcaster.publish(Topic("A", 1))
        broadcaster.close()
        return [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]

    assert apart(run) == [None]


def test_who_subscribes_between_two_messages_gets_what_the_others_have() -> None:
    async def run() -> list[str | None]:
        numbers = iter(range(100))
        broadcaster = Broadcaster(lambda *topic: ViewModel({"n": str(next(numbers))}), ["A"])
        first = broadcaster.subscribe("A")
        broadcaster.publish(Topic("A", 1))
        later = [broadcaster.subscribe("A") for _ in range(2)]
        assert first.queue.get_nowait() != later[0].queue.get_nowait()
        return [first.queue.get_nowait(), later[1].queue.get_nowait()]

    delta, whole = apart(run)
    assert '"n":"1"' in (delta or "")
    assert '"n":"1"' in (whole or "")
    assert '"symbol":"A"' in (whole or "")


def test_forming_bar_and_carried_seconds(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "BTCUSDT", 100.0)
    stream.at = 1_700_000_000 * NS_PER_S
    stream.feed(70)  # three bars and a half, at 20 a second
    market = MarketReader(tmp_path, "BTCUSDT")
    expected = bars_of(stream.cache.tail(70).rows)
    assert [row[0] for row in market.rows(10)] == (expected["ts_open"] // NS_PER_S).tolist()
    assert market.rows(10)[-1][4] == expected["close"][-1]
    assert len(market.rows(10)) == stream.bars.committed + 1
    late = make_ticks(1)  # the feed wrote this tick, and not yet the bars it made final
    late["ts_event"], late["price"], late["size"] = stream.at + 3 * NS_PER_S, 101.0, 1.0
    stream.cache.append(late)
    times = [row[0] for row in market.rows(10)]
    assert times == list(range(times[0], times[-1] + 1))
    assert market.rows(10)[-1][4] == 101.0
    stream.close()


def test_forming_bars_while_the_feed_waits_for_late_ticks(tmp_path: Path) -> None:
    grace = NS_PER_S // 2
    stream = Stream(tmp_path, "BTCUSDT", 100.0)
    stream.builder = BarBuilder(grace)
    stream.at = 1_700_000_000 * NS_PER_S
    for _ in range(9):
        stream.feed(9)
        rows = MarketReader(tmp_path, "BTCUSDT", grace).rows(100)
        if stream.bars.committed:
            expected = bars_of(stream.cache.tail(500).rows, grace_ns=grace)
            assert [row[4] for row in rows] == expected["close"].tolist()
            assert [row[9] for row in rows] == expected["trades"].tolist()
    stream.close()


@given(
    fed=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 90)), max_size=12),
    limit=st.integers(1, 12),
    grace=st.sampled_from([0, NS_PER_S // 2]),
)
def test_rows_of_a_chart_that_is_updated_are_those_of_a_new_one(
    fed: list[tuple[int, int]], limit: int, grace: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(Path(folder), "BTCUSDT", 100.0)
        stream.builder = BarBuilder(grace)
        market = MarketReader(Path(folder), "BTCUSDT", grace)
        chart = ChartRows(market, 1, limit)
        for silent, ticks in fed:
            stream.at += silent * NS_PER_S
            stream.feed(ticks)  # 20 a second
            assert chart.update() == market.rows(limit)
        stream.close()


def test_chart_begins_with_what_a_short_ring_still_has(tmp_path: Path) -> None:
    stream = Stream(tmp_path, "BTCUSDT", 100.0, kept=100)
    for _ in range(30):
        stream.feed(90)
    market = MarketReader(tmp_path, "BTCUSDT")
    assert market.oldest > 0
    chart = ChartRows(market, 1, 900)
    for _ in range(5):
        rows, expected = chart.update(), market.rows(900)
        assert [row[0] for row in rows] == list(range(rows[0][0], rows[-1][0] + 1))
        assert rows[-40:] == expected[-40:]  # of older ones the ring lacks what averages need
        stream.feed(37)
    stream.close()


def test_numbers_are_written_as_people_read_them() -> None:
    assert [exact_duration(s) for s in (90, 600, 3600)] == ["90 s", "10 min", "1 h"]
    assert [duration(s) for s in (42, 600, 10_800)] == ["42 s", "10.0 min", "3.0 h"]
    assert [plain(v) for v in (0.001, 12.3456, 1234.5)] == ["0.001", "12.35", "1,234"]
    assert [bp(v) for v in (12.34, -1234.5)] == ["+12.3 bp", "-1,234 bp"]
    assert clock(1_700_000_000) == "2023-11-14 22:13"
    assert all(line.unknown for card in CARDS.values() for line in card.lines)
