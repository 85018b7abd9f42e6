"""The Markets view without a browser: what a line says, what is sent, what is read for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.rings.counters import ConnectionState
from tests.ui.mlflow_runs import VERDICT, typical
from tests.ui.page_world import Stream, World
from trainers.config import SessionConfig
from trainers.names import Kind, LearnerKind, Tag
from trainers.states import State
from trainers.tracking.reader import RunRecord, SessionReader
from ui.market_reader import Counters, MarketReader
from ui.markets.market_lines import Leading, leading, line_of, market_state
from ui.markets.overview import Overview, discovered, headline, sums
from ui.mlflow.metrics_reader import MetricsReader
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.view_model import changes

COUNTERS = Counters(
    connection=ConnectionState.CONNECTED.name, ticks=700, bars=40, ticks_per_second=20.0,
    span_seconds=40.0, gaps=2, repaired=14, late=0, reconnects=0, rejected=0, lag_ms=3.0,
    silent_seconds=0.5, price=64.25,
)  # fmt: skip
CONFIG = SessionConfig(symbols="BTCUSDT,ETHUSDT", stale_seconds=60)
BOTH = Leading("cnn", "dqn")


def run(name: str, cycle: int = 7, **metrics: float) -> RunRecord:
    kind = LearnerKind.AGENT if name == "dqn" else LearnerKind.FORECASTER
    tags = {Tag.LEARNER: name, Tag.LEARNER_KIND: kind, Tag.KIND: Kind.LEARNER}
    named = {key.replace("__", "/"): value for key, value in metrics.items()}
    return RunRecord(name, "RUNNING", {**tags, Tag.SYMBOL: "BTCUSDT"}, named, cycle)


def line(state: State = State.LIVE, *, proven: bool = False, **runs: RunRecord) -> dict:
    return line_of(BOTH, runs, COUNTERS, state, proven=proven)


@given(value=st.floats(-1, 1), width=st.floats(0.001, 1))
def test_a_market_leads_earns_or_loses_only_where_the_whole_interval_says_so(
    value: float, width: float
) -> None:
    marks = line(
        cnn=run("cnn", live__edge=value, live__edge_ci=width),
        dqn=run("dqn", live__pnl_bps=value, live__pnl_bps_ci=width, live__trades=40),
    )["marks"]
    assert ("leads" in marks) == (value - width > 0) == ("earns" in marks)
    assert ("loses" in marks) == (value + width < 0)


def test_a_market_earns_or_loses_whichever_learner_it_is_and_says_which() -> None:
    loses = {"live__pnl_bps": -9.0, "live__pnl_bps_ci": 4.0, "live__trades": 40}
    found = line(cnn=run("cnn", **loses), dqn=run("dqn"))
    assert found["marks"] == ["loses"]
    assert (found["whose"], found["side"]) == ({"earns": "", "loses": "cnn"}, 0)
    earns = {**loses, "live__pnl_bps": 9.0}
    found = line(cnn=run("cnn", **loses), dqn=run("dqn", **earns))
    assert found["marks"] == ["earns", "loses"]
    assert (found["whose"], found["side"]) == ({"earns": "dqn", "loses": "cnn"}, 1)


def test_sums_are_those_of_the_lines_that_are_shown() -> None:
    shown = [[0, 37.0, 59.0], [1, 31.0, None], [2, None, 48.0]]
    faster = dict.fromkeys("AB", dataclasses.replace(COUNTERS, ticks_per_second=99.0, lag_ms=1.0))
    texts = sums(shown, faster, SessionMetrics())
    assert (texts["markets.rate"], texts["markets.lag"]) == ("68", "59 ms")
    assert sums([], faster, SessionMetrics())["markets.rate"] == "not known yet"


def test_a_score_of_few_bars_is_only_their_number() -> None:
    cells = line(cnn=run("cnn", live__edge=0.5, live__accuracy=0.7, live__scored=17))["cells"]
    assert cells["accuracy"][0] == cells["edge"][0] == "n = 17, too few"
    assert cells["edge"][1:] == [0.5, "n = 17: +0.5000"]


def test_a_market_without_an_interval_has_no_mark() -> None:
    cnn = run("cnn", live__edge=0.5)
    dqn = run("dqn", live__pnl_bps=-90.0, live__trades=40)
    assert line(cnn=cnn, dqn=dqn)["marks"] == []


@pytest.mark.parametrize("state", [State.FAILED, State.STALLED])
def test_a_market_errs_whose_stream_stands_or_whose_learner_failed(state: State) -> None:
    assert line(state, proven=True)["marks"] == ["proven", "errs"]


def test_a_market_s_state_is_the_worst_of_its_stream_and_learners() -> None:
    healthy, failing = run("cnn", live__edge=0.1), run("dqn", live__trades=1)
    failing.tags[Tag.STATUS] = "ERROR"
    silent = dataclasses.replace(COUNTERS, silent_seconds=61.0)
    both = {"cnn": healthy, "dqn": run("dqn", live__trades=1)}
    assert market_state(CONFIG, both, COUNTERS, State.LIVE, None) == State.LIVE
    assert market_state(CONFIG, both, silent, State.LIVE, None) == State.STALLED
    assert market_state(CONFIG, {}, COUNTERS, State.WARMING_UP, None) == State.WARMING_UP
    assert market_state(CONFIG, {}, None, State.STARTING, None) == State.STARTING
    mixed = {"cnn": healthy, "dqn": failing}
    assert market_state(CONFIG, mixed, COUNTERS, State.LIVE, None) == State.FAILED
    assert market_state(CONFIG, mixed, COUNTERS, State.LIVE, State.ENDED) == State.ENDED


def test_what_is_not_known_is_a_dash_that_is_ordered_last() -> None:
    cells = line_of(BOTH, {}, None, State.STARTING, proven=False)["cells"]
    assert {text for text, *_ in cells.values()} == {"—"}
    assert {order for _, order, _ in cells.values()} == {None}
    unscored = line(cnn=run("cnn", live__accuracy=0.0, live__scored=0))["cells"]["accuracy"]
    assert unscored[:2] == ["no bars scored yet", None]


def test_a_verdict_is_ordered_by_how_far_its_evidence_is_from_the_threshold() -> None:
    cnn = run("cnn")
    cnn.tags[Tag.VERDICT] = json.dumps(VERDICT)
    text, order, whole = line(cnn=cnn)["cells"]["verdict"]
    assert (text, order) == ("wait 1.8 / 3.0", -1.16)
    assert "not enough evidence yet" in whole
    cnn.tags[Tag.VERDICT] = "{broken"
    assert line(cnn=cnn)["cells"]["verdict"][:2] == ["—", None]


def test_scores_are_those_of_the_first_forecaster_profits_those_of_the_first_agent() -> None:
    metrics = SessionMetrics(learners={"BTCUSDT": {"cnn": run("cnn"), "dqn": run("dqn")}})
    assert leading(CONFIG, metrics) == BOTH
    alone = SessionConfig(symbols="BTCUSDT,ETHUSDT", learners="cnn")
    assert leading(alone, metrics) == Leading("cnn", "cnn")
    agents = SessionConfig(symbols="BTCUSDT,ETHUSDT", learners="dqn")
    assert leading(agents, metrics) == Leading("", "dqn")


def session(**tags: str) -> SessionMetrics:
    logged = {"promotion/discoveries": 12.0, "promotion/markets": 100.0}
    return SessionMetrics(session=RunRecord("s", "RUNNING", tags, logged, 3))


def test_the_headline_is_what_the_session_logged_with_its_bound() -> None:
    known = session(discoveries='["BTCUSDT"]')
    assert discovered(known) == ["BTCUSDT"]
    assert headline(known, ["BTCUSDT"])["markets.headline"] == (
        "Better than the best baseline on 12 of 100, false discoveries at most 5 %"
    )
    for unknown in (session(), session(discoveries="{"), session(discoveries='"x"')):
        assert discovered(unknown) is None
        assert headline(unknown, None)["markets.headline"].endswith("not known before a cycle")


@pytest.fixture
def streams(tmp_path: Path) -> list[Stream]:
    made = [Stream(tmp_path, symbol, 100.0) for symbol in CONFIG.symbol_list]
    for stream in made:
        stream.history(120)
    yield made
    for stream in made:
        stream.close()


def overview(folder: Path) -> Overview:
    return Overview(CONFIG, {name: MarketReader(folder, name) for name in CONFIG.symbol_list})


def test_only_what_changed_is_sent(tmp_path: Path, streams: list[Stream]) -> None:
    view, metrics = overview(tmp_path), SessionMetrics()
    first = view._made(metrics, None, 5)
    assert [row[0] for row in changes(None, first)["prices"]] == [0, 1]
    view._streams = (float("-inf"), {})
    assert changes(first, view._made(metrics, None, 5)) == {}
    streams[1].feed(1)
    view._streams = (float("-inf"), {})
    sent = changes(first, view._made(metrics, None, 7))  # a second that is the turn of neither
    assert sent == {"prices": [[1, streams[1].price]]}


def test_all_who_ask_within_half_a_second_get_the_same(tmp_path: Path, streams: list) -> None:
    view = overview(tmp_path)
    assert view.view_model(SessionMetrics(), None) is view.view_model(SessionMetrics(), None)


def test_small_lines_begin_with_the_closes_of_the_last_five_minutes(
    tmp_path: Path, streams: list[Stream]
) -> None:
    found = overview(tmp_path).sparks(SessionMetrics())
    closes = streams[0].bars.tail(10_000).rows["close"]
    assert found["prices"][0][-1] == closes[-1]
    assert 24 <= len(found["prices"][0]) <= 26  # of two minutes
    assert found["edges"] == [[], []]


class Counting(SessionReader):
    """A reader that counts the histories it reads."""

    looked_up = 0

    def history(self, *args: object, **kwargs: object) -> dict[int, float]:
        self.looked_up += 1
        return super().history(*args, **kwargs)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.runs = typical(world, cycles=3)
    yield world
    world.close()


def test_histories_are_read_once_and_then_followed_by_the_runs_own_values(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.uri)
    reader = Counting(world.root)
    metrics = MetricsReader(reader, world.run_id)
    few = metrics.read().cycles["BTCUSDT"]
    assert (few.scores, few.bets) == ({}, {})
    unlooked = reader.looked_up
    assert unlooked == 1, "of a market that nobody looks at, the edge alone"
    metrics.look_at("BTCUSDT")
    assert [row[0] for row in metrics.read().cycles["BTCUSDT"].scores.values()] == [1, 2, 3]
    before = reader.looked_up
    world.log(world.runs["cnn"], 4, live__edge=0.25, live__edge_ci=0.5, live__accuracy=0.75)
    found = metrics.read().cycles["BTCUSDT"]
    assert found.edges["cnn", 4] == ["cnn", 4, 0.25, 0.5]
    assert found.scores[4][1] == 0.75
    assert reader.looked_up == before
    for cycle in (5, 6):
        world.log(world.runs["cnn"], cycle, live__edge=cycle / 100)
    assert [metrics.read().cycles["BTCUSDT"].edges["cnn", n][2] for n in (5, 6)] == [0.05, 0.06]
    assert reader.looked_up == before + 1, "a cycle between two looks is read"
