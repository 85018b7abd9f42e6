"""What the page works out from the ledger: it agrees with the trainer's own scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streaming.bars import BarBuilder
from streaming.ticks import NS_PER_S
from tests.ui.book import EVERYBODY, Book
from tests.ui.page_world import walk
from trainers.recording.ledger import read_ledger
from trainers.scoring.direction.calibration import calibration_error
from trainers.scoring.metrics import scores_of
from trainers.scoring.moves import moves_of
from trainers.scoring.promotion.eprocess import judge_control
from trainers.scoring.scored import Cases, Scored, scored_of
from trainers.tracking.reader import RunRecord
from ui.evidence import desk
from ui.evidence.desk import Desk, Judged
from ui.evidence.judging import curve
from ui.evidence.page import evidence
from ui.metrics import Metrics

FEE = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ledger")
    ticks = walk(900 * 20, 1_700_000_000 * NS_PER_S, 1, 64_000.0, np.random.default_rng(1))
    book = Book(folder, "BTCUSDT", EVERYBODY)
    book.write(BarBuilder().update(ticks))
    book.close()
    return folder


@pytest.fixture(scope="module")
def scored(folder: Path) -> dict[str, Scored]:
    names, outcomes, forecasts = read_ledger(folder, "BTCUSDT")
    moves = moves_of(outcomes)
    return {name: scored_of(moves, forecasts, i) for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def judged(folder: Path) -> Judged:
    judge = Desk(folder, "BTCUSDT", ["cnn", "dqn"], FEE)
    judge.look(cycle=1)
    return judge.judged


def test_windows_of_baselines_are_what_the_trainer_would_log(
    judged: Judged, scored: dict[str, Scored]
) -> None:
    for name in ("logistic", "random", "buy_and_hold"):
        wanted = scores_of(scored[name], FEE)
        for key, value in judged.metrics[name].items():
            assert value == pytest.approx(wanted[key]), (name, key)
    assert {"live/10m/accuracy", "live/1h/log_loss_ci"} <= set(judged.metrics["logistic"])
    assert "live/10m/accuracy" not in judged.metrics["random"], "an agent has no accuracy"


def test_profit_at_one_time_the_cost_is_the_trainer_s(
    judged: Judged, scored: dict[str, Scored]
) -> None:
    for name in ("cnn", "dqn"):
        wanted = scores_of(scored[name], FEE)
        free, once, twice = judged.costs[name]
        assert once.value == pytest.approx(wanted["live/pnl_bps"])
        assert once.half_width == pytest.approx(wanted["live/pnl_bps_ci"])
        assert free.value == pytest.approx(wanted["live/gross_bps"])
        assert twice.value - once.value == pytest.approx(once.value - free.value)
        assert free.value > once.value > twice.value


def test_curve_holds_all_cases_and_its_error_is_the_calibration_error(
    judged: Judged, scored: dict[str, Scored]
) -> None:
    points = np.array(judged.curves["cnn"])
    cases = scored["cnn"].cases()
    assert points[:, 3].sum() == len(cases.up)
    off = np.abs(points[:, 0] - points[:, 1]) @ points[:, 3] / points[:, 3].sum()
    assert off == pytest.approx(calibration_error(cases).value, abs=1e-3)
    assert "dqn" not in judged.curves


def test_equal_probabilities_are_one_point() -> None:
    cases = Cases(np.full(50, 0.5), np.r_[np.ones(30), np.zeros(20)], np.zeros(50))
    assert curve(cases) == [[0.5, 0.6, pytest.approx(0.138, abs=0.01), 50]]


def test_agent_is_compared_with_the_best_baseline(
    judged: Judged, scored: dict[str, Scored]
) -> None:
    earned = {
        name: scores_of(scored[name], FEE)["live/pnl_bps"]
        for name in ("dqn", "flat", "buy_and_hold", "random")
    }
    best = max(earned[name] for name in ("flat", "buy_and_hold", "random"))
    assert judged.metrics["dqn"]["live/edge_bps"] == pytest.approx(earned["dqn"] - best)
    assert earned[judged.rivals["dqn"]] == best


def test_canary_bet_in_pieces_is_the_trainer_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "NEWEST_SECONDS", 0.0)
    ticks = walk(600 * 20, 1_700_000_000 * NS_PER_S, 1, 64_000.0, np.random.default_rng(2))
    bars = BarBuilder().update(ticks)
    book, judge = Book(tmp_path, "BTCUSDT", EVERYBODY), Desk(tmp_path, "BTCUSDT", ["cnn"], FEE)
    for cycle, piece in enumerate(np.array_split(bars, 4)):
        book.write(piece)
        judge.look(cycle)
    book.close()
    names, outcomes, forecasts = read_ledger(tmp_path, "BTCUSDT")
    canary, majority = (
        scored_of(moves_of(outcomes), forecasts, names.index(name))
        for name in ("canary", "majority")
    )
    wanted = judge_control(canary, majority)
    assert judge.judged.canary is not None
    assert judge.judged.canary[1:] == (pytest.approx(wanted.log_evidence), wanted.bars)


def test_market_in_which_no_accuracy_pays_says_so_without_an_interval() -> None:
    found = {"live/break_even": 1.4, "live/break_even_ci": 0.3}
    run = RunRecord("r", "RUNNING", {}, found, 1)
    metrics = Metrics(learners={"BTCUSDT": {"cnn": run}})
    texts = evidence("BTCUSDT", metrics, Judged(), ["cnn"]).texts
    assert texts["p.cnn.needed"] == "no accuracy pays the costs"


def test_ledger_is_judged_once_a_cycle(folder: Path) -> None:
    judge = Desk(folder, "BTCUSDT", ["cnn", "dqn"], FEE)
    judge.look(cycle=7)
    first = judge.judged
    judge.look(cycle=7)
    assert judge.judged is first


def test_what_is_not_known_is_words_and_what_cannot_be_is_a_dash() -> None:
    texts = evidence("BTCUSDT", Metrics(), Judged(), ["cnn"]).texts
    assert texts["e.cnn.live/10m/accuracy"] == "none yet"
    assert texts["e.cnn.scored"] == "none yet"
    assert texts["p.cnn.needed"] == texts["v.cnn"] == texts["p.cnn.verdict"] == "not known yet"
    assert texts["canary.text"] == "no bars judged yet"
    agent = evidence("BTCUSDT", Metrics(), Judged(agents=frozenset(["dqn"])), ["dqn"]).texts
    assert agent["e.dqn.live/10m/accuracy"] == agent["e.dqn.scored"] == "—"
    assert agent["e.dqn.live/pnl_bps"] == "none yet"
    assert agent["p.dqn.reached"] == "an agent: it gives no probability"
    assert not [text for text in texts.values() if text in ("0", "0.0 %", "nan", "")]
