from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from streaming.errors import ConfigError, TapeError
from streaming.feed.market.ingest import Ingest
from streaming.quotes import MARK, make_quotes
from streaming.rings.counters import ConnectionState
from streaming.tape import parse_address, write_segment
from streaming.tape.parts import look_at, read_parts
from streaming.tape.segments import SegmentKind
from streaming.ticks import NS_PER_S, make_ticks
from tests.trainers.tapes import (
    ALWAYS,
    QUICK,
    START,
    backtested,
    looked_at,
    market,
    write_csv,
    write_quotes,
)
from tests.trainers.world import Silent
from trainers.config import SessionConfig
from trainers.config.backtest import BacktestConfig
from trainers.engine.events import ChampionInstalled
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.names import Kind
from trainers.recording.checkpoint import load_checkpoint
from trainers.recording.decision_log import DecisionLog, read_decisions
from trainers.recording.files import CHECKPOINT, DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.replay.__main__ import ReplayConfig, replay
from trainers.research.market import MarketBacktest
from trainers.research.played import PlayedSpan, PlayedTape
from trainers.research.workers import Workers, cores
from trainers.scoring.ledger import MISSED
from trainers.session.market.live_market import LiveMarket
from trainers.tracking.runs.search import last_session, runs_of
from trainers.tracking.store import ensure_store

ROOT = Path(__file__).parents[2]


def config_of(**settings):
    return SessionConfig.of(**{**QUICK, "backfill_seconds": 0, **settings})


class Noting(Silent):
    def __init__(self):
        self.found = []

    def log(self, run_id, step, metrics=None, tags=None, wall_ms=None, clears=None):
        self.found.append((run_id, step, dict(metrics or {})))


class Named:
    def make(self, learner, *_):
        return learner


def go_on(live):
    live.take()
    while live.due or live.running:
        live.step()
        live.take()


def lag_behind(live):
    """One step at each row: a cycle lasts some, and bars come within it."""
    live.take()
    if live.due or live.running:
        live.step()


def played_live(folder, tape, config, span=ALWAYS, go_on=go_on):
    """The same rows through a session's own market, which is asked bar by bar; its metrics."""
    folder.mkdir()
    symbol, writer = tape.symbol, Noting()
    ingest = Ingest(folder, symbol, config)
    live = LiveMarket(
        folder,
        DecisionLog(of_market(folder, symbol, DECISIONS)),
        MarketTrainer(config, symbol, make_roster(config, symbol)),
        Named(),
        writer,
        lambda *_: None,
        lambda *_: None,
    )
    for test in live.trainer.roster.tests:
        live.install(ChampionInstalled(test.name, 0, None, 1))
    grace_ns = config.grace_ms * 1_000_000
    for ticks, quotes in PlayedTape(tape, span, grace_ns, quotes=config.quotes).slices():
        for row in range(len(ticks) + 1):  # a tick, and what stands before the next
            here = quotes[(quotes["after"] == row)].copy()
            here["after"] = 0
            for i in range(len(here)):
                ingest.push(make_ticks(0), here[i : i + 1])
                go_on(live)
            ingest.push(ticks[row : row + 1])
            ingest.give_up()
            go_on(live)
    ingest.stats["state"] = ConnectionState.ENDED
    go_on(live)
    live.close()
    ingest.close()
    return writer.found


def logged(found):
    """Metrics by learner and cycle; those that a clock has measured, or the feed, left out."""
    every = {}
    for learner, step, metrics in found:
        kept = {name: value for name, value in metrics.items() if name != "train/seconds"}
        every.setdefault((learner, step), {}).update(kept)
    return every


@pytest.fixture(scope="module")
def quoted(tmp_path_factory):
    """A tape of trades with quotes beside it."""
    folder = tmp_path_factory.mktemp("tapes")
    ticks = market(420)
    ticks = ticks[ticks["id"] % 200 != 77]  # two and more are missing
    write_csv(folder / "AAA-trades.csv", ticks)
    write_quotes(folder / "AAA-quotes.csv", ticks)
    return folder / "AAA-trades.csv"


def test_a_backtest_is_to_the_bit_what_a_live_market_makes_of_the_same_rows(tmp_path, quoted):
    config, tape = config_of(features="book"), looked_at(quoted, "AAA")
    assert tape.parts[0].quotes
    ours, points = backtested(tmp_path / "backtest", tape, config)
    theirs = played_live(tmp_path / "live", tape, config)
    one, other = (read_ledger(tmp_path / name, "AAA") for name in ("backtest", "live"))
    assert ours.trainer.cycle > 8
    assert one.names == other.names
    assert one.outcomes.tobytes() == other.outcomes.tobytes()
    assert set(one.outcomes["gap"].tolist()) == {0, 1}
    for name in one.forecasts.dtype.names:
        if name != "latency_us":
            assert one.forecasts[name].tobytes() == other.forecasts[name].tobytes(), name
    told = logged([(point.learner, point.step, point.metrics) for point in points])
    assert repr(sorted(told.items())) == repr(sorted(logged(theirs).items()))
    hashes = [
        [entry["hashes"] for entry in read_decisions(of_market(tmp_path / name, "AAA", DECISIONS))
         if entry["do"] == "end"]
        for name in ("backtest", "live")
    ]  # fmt: skip
    assert [each["learners"] for each in hashes[0]] == [each["learners"] for each in hashes[1]]


def test_the_record_of_a_backtest_played_again_gives_the_same_bits(tmp_path, quoted):
    config = config_of(learners="none", features="book")
    tape = looked_at(quoted, "AAA")
    backtested(tmp_path / "first", tape, config)
    own = looked_at(tmp_path / "first" / "tape", "AAA")
    assert own.kept
    backtested(tmp_path / "again", own, config)
    ends = [
        [
            (entry["cycle"], entry["hashes"])
            for entry in read_decisions(of_market(tmp_path / name, "AAA", DECISIONS))
            if entry["do"] == "end"
        ]
        for name in ("first", "again")
    ]
    assert len(ends[0]) > 8
    assert ends[0] == ends[1]


def test_at_a_session_s_cuts_a_backtest_of_its_tape_gives_its_forecasts(tmp_path, quoted):
    config = config_of(learners="tests.trainers.own_learner:UpShare,cnn", cycle_seconds=10)
    played_live(tmp_path / "live", looked_at(quoted, "AAA"), config, go_on=lag_behind)
    log = of_market(tmp_path / "live", "AAA", DECISIONS)
    within = [one for one in read_decisions(log) if one["do"] == "bars" and one["after"]]
    assert len(within) > 10  # bars came while learners learned
    own = looked_at(tmp_path / "live" / "tape", "AAA")
    backtested(tmp_path / "at-cuts", own, config, cuts=log)
    backtested(tmp_path / "without", own, config)
    live, at_cuts, without = (
        read_ledger(tmp_path / name, "AAA") for name in ("live", "at-cuts", "without")
    )
    assert live.outcomes.tobytes() == at_cuts.outcomes[: len(live.outcomes)].tobytes()
    made = live.forecasts["status"] != MISSED
    assert made.sum() > 1000
    for name in ("bar", "learner", "status", "signal", "version", "probability"):
        assert (
            live.forecasts[made][name].tobytes()
            == at_cuts.forecasts[: len(made)][made][name].tobytes()
        )
    assert without.forecasts["version"].tolist() != live.forecasts["version"].tolist()


def test_a_span_is_what_lies_in_it(tmp_path, quoted):
    tape = looked_at(quoted, "AAA")
    span = PlayedSpan((START + 100) * NS_PER_S, (START + 300) * NS_PER_S, (START + 300) * NS_PER_S)
    backtested(tmp_path / "part", tape, config_of(learners="none"), span)
    kept = looked_at(tmp_path / "part" / "tape", "AAA").parts
    assert min(part.first for part in kept) >= span.first
    assert max(part.last for part in kept) < span.stop


def test_only_learned_state_is_in_the_checkpoint_at_the_end(tmp_path, quoted):
    config = config_of(learners="none")
    ours, _ = backtested(tmp_path / "first", looked_at(quoted, "AAA"), config)
    saved = load_checkpoint(of_market(tmp_path / "first", "AAA", CHECKPOINT))
    assert saved["state"]["cycles"]["number"] == ours.trainer.cycle


# ---- a tape of many files


def test_days_in_a_folder_are_one_tape_whatever_their_files_are(tmp_path):
    ticks = market(600)
    cut = len(ticks) // 3
    write_csv(tmp_path / "AAA-trades-2023-11-15.csv", ticks[cut:], ids=False)
    write_csv(tmp_path / "AAA-trades-2023-11-14.csv", ticks[:cut], ids=False)
    write_csv(tmp_path / "BBB-trades-2023-11-14.csv", ticks[:9])
    write_quotes(tmp_path / "AAA-bookTicker-2023-11-14.csv", ticks[:cut])
    tape = looked_at(tmp_path, "aaa")
    assert [part.address.path.name[-6:] for part in tape.parts] == ["14.csv", "15.csv"]
    assert [part.quotes for part in tape.parts] == [True, False]
    read = list(read_parts(tape, quotes=True))
    assert np.concatenate([each["id"] for each, _ in read]).tolist() == list(range(len(ticks)))
    whole = np.concatenate([each["price"] for each, _ in read])
    assert whole.tolist() == ticks["price"].tolist()
    assert looked_at(f"{tmp_path}/AAA*.csv", "AAA").parts == tape.parts


def test_files_that_overlap_are_refused(tmp_path):
    write_csv(tmp_path / "AAA-trades-2023-11-14.csv", market(60))
    write_csv(tmp_path / "AAA-trades-2023-11-15.csv", market(60, start=START + 30))
    with pytest.raises(TapeError, match=r"11-15.csv: expected trades after those of .*11-14.csv"):
        looked_at(tmp_path, "AAA")


def test_a_symbol_that_is_on_no_file_is_refused_with_those_that_are(tmp_path):
    write_csv(tmp_path / "AAA-trades-2023-11-14.csv", market(60))
    write_csv(tmp_path / "BBB-trades-2023-11-15.csv", market(60))
    with pytest.raises(TapeError, match="CCC is not on this tape; it has: AAA, BBB"):
        looked_at(tmp_path, "CCC")


def test_a_folder_without_tapes_says_what_it_wants(tmp_path):
    with pytest.raises(TapeError, match=r"expected files of trades \(.*\.csv.*there are none"):
        looked_at(tmp_path, "AAA")


def test_quotes_of_a_session_stay_with_their_ticks_over_segments(tmp_path):
    ticks = market(60)
    quotes = make_quotes(len(ticks) // 2)
    quotes["after"] = np.arange(len(quotes)) * 2
    quotes["flags"][::5] = MARK
    quotes["ts_event"] = ticks["ts_event"][quotes["after"]]
    for first in range(0, len(ticks), 50):
        write_segment(tmp_path, "AAA", first, ticks[first : first + 50])
    for first in range(0, len(quotes), 37):
        write_segment(tmp_path, "AAA", first, quotes[first : first + 37], SegmentKind.QUOTES)
    found, after, before = [], [], 0
    for part, of_part in read_parts(looked_at(tmp_path, "AAA"), quotes=True):
        found.append(part)
        after += (of_part["after"] + before).tolist()
        before += len(part)
    assert np.concatenate(found)["id"].tolist() == ticks["id"].tolist()
    assert after == quotes["after"].tolist()


# ---- settings


@pytest.mark.parametrize(
    "given, said",
    [
        ({"source": "sim"}, "source: got 'sim'; allowed: tape:PATH"),
        ({"speed": 9}, "speed: got 9.0; a backtest has no use for it"),
        ({"from": "yesterday"}, "from: got 'yesterday'; allowed: a date or a time, UTC"),
        ({"from": "2024-01-01", "cuts": "a1"}, "from: got '2024-01-01'; with cuts the tape begins"),
        ({"from": "2024-02-01", "to": "2024-01-01"}, "to: got '2024-01-01'; allowed: later than"),
    ],
)
def test_a_wrong_setting_is_a_line_that_says_what_is_allowed(given, said):
    with pytest.raises(ConfigError) as told:
        BacktestConfig.of(**{"source": "tape:x.csv", **given})
    assert str(told.value).startswith(said)


def test_a_span_is_in_utc():
    config = BacktestConfig.of(source="tape:x.csv", **{"from": "2023-11-14T22:13:20"})
    assert config.span[0] == START * NS_PER_S
    assert config.for_record().source == "tape:x.csv"


def test_workers_are_one_a_core_and_no_more_than_markets():
    assert cores(["A", "B", "C"], 2) == 2
    assert cores(["A"], 8) == 1
    assert cores(["A"] * 999, 0) == len(os.sched_getaffinity(0))


def ledgers(folder, tapes, config, processes):
    """The rows of all markets, each backtested in a process of its own; no measured times."""
    folder.mkdir()

    def of(tape):
        return lambda tell, stopped: MarketBacktest(
            folder, tape.symbol, config, tape, ALWAYS, tell, stopped
        ).run()

    told = []
    work = {tape.symbol: of(tape) for tape in tapes}
    Workers(work, cores(list(work), processes), lambda market, _: told.append(market)).run()
    assert set(told) == set(work)
    found = {}
    for tape in tapes:
        rows = read_ledger(folder, tape.symbol)
        rows.forecasts["latency_us"] = 0
        found[tape.symbol] = rows.outcomes.tobytes(), rows.forecasts.tobytes()
    return found


def test_one_two_and_eight_processes_give_the_same_bits(tmp_path):
    for symbol, seed in (("AAA", 1), ("BBB", 2), ("CCC", 3)):
        write_csv(tmp_path / f"{symbol}-trades-2023-11-14.csv", market(100, seed))
        write_csv(tmp_path / f"{symbol}-trades-2023-11-15.csv", market(60, seed, START + 100))
    tapes = look_at(parse_address(str(tmp_path)), ["AAA", "BBB", "CCC"], quotes=False)
    config = config_of(
        symbols="AAA,BBB,CCC", learners="tests.trainers.own_learner:UpShare", min_ticks=100,
        features="flow", cycle_seconds=20,
    )  # fmt: skip
    one, two, eight = (ledgers(tmp_path / f"by-{n}", tapes, config, n) for n in (1, 2, 8))
    assert all(len(rows[1]) > 1000 for rows in one.values())
    assert one == two == eight


# ---- the whole of it


def test_one_command_for_two_markets_and_any_number_of_processes_and_a_replay(tmp_path):
    for symbol, seed in (("AAA", 1), ("BBB", 2)):
        write_csv(tmp_path / f"{symbol}-trades-2023-11-14.csv", market(400, seed))
    flags = ["--source", f"tape:{tmp_path}", "--symbols", "AAA,BBB", "--learners", "logistic",
             "--min_ticks", "300", "--workers", "2"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "trainers.research.backtest", *flags],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = MlflowClient(ensure_store(tmp_path))
    assert last_session(client) is None  # a backtest is no session that goes on
    (folder,) = (tmp_path / "mlruns" / "sessions").iterdir()
    assert client.get_run(folder.name).data.tags["kind"] == Kind.BACKTEST
    runs = runs_of(client, folder.name)
    assert {run.data.tags["symbol"] for run in runs} == {"AAA", "BBB", "AAA,BBB"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    config = SessionConfig.load(folder / "config.json")
    for tape in look_at(parse_address(str(tmp_path)), ["AAA", "BBB"], quotes=True):
        span = PlayedSpan(0, 1 << 62, max(part.last for part in tape.parts))
        backtested(tmp_path / f"alone-{tape.symbol}", tape, config, span)
        one, other = (
            read_ledger(where, tape.symbol) for where in (folder, tmp_path / f"alone-{tape.symbol}")
        )
        n = min(len(one.forecasts), len(other.forecasts))
        assert n > 1000
        assert one.forecasts[:n].tobytes() == other.forecasts[:n].tobytes()
    assert replay(ReplayConfig(session=folder.name, runs=False), {}, tmp_path) == 0


@pytest.mark.parametrize("path, said", [
    ("none.csv", "none.csv: expected a folder of segments"),
    ("AAA-trades.csv", "row 3, column price: expected a number such as 30000.5; got 'cheap'"),
])  # fmt: skip
def test_a_tape_that_is_wrong_is_one_line_before_anything_starts(tmp_path, path, said):
    write_csv(tmp_path / "AAA-trades.csv", market(60))
    text = (tmp_path / "AAA-trades.csv").read_text().splitlines()
    text[2] = "2,cheap,1,1700000000500,true"
    (tmp_path / "AAA-trades.csv").write_text("\n".join(text))
    with pytest.raises(TapeError) as told:
        looked_at(tmp_path / path, "AAA")
    assert said in str(told.value)
    assert "\n" not in str(told.value)
