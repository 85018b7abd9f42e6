"""What the page computes from the ledger agrees with the trainer's own scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import orjson
import pytest

from streaming.bars import BarBuilder
from streaming.ticks import NS_PER_S
from tests.trainers.whole import judge_control, scores_of
from tests.ui.ledger_writer import EVERYBODY, LedgerWriter
from tests.ui.page_world import walk
from trainers.names import LearnerKind, Tag
from trainers.recording.ledger import read_ledger
from trainers.scoring.direction.calibration import calibration_error
from trainers.scoring.direction.cases import Directions
from trainers.scoring.ledger import FORECAST
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import Samples, Scored, scored_of
from trainers.tracking.reader import RunRecord
from ui.evidence import ledger_scores
from ui.evidence.diagnostics import curve
from ui.evidence.evidence_view import evidence
from ui.evidence.ledger_scores import LedgerScorer, LedgerScores
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.learner_names import MAJORITY, PERMUTED_LABELS

FEE = 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ledger")
    ticks = walk(900 * 20, 1_700_000_000 * NS_PER_S, 1, 64_000.0, np.random.default_rng(1))
    writer = LedgerWriter(folder, "BTCUSDT", EVERYBODY)
    writer.write(BarBuilder().update(ticks))
    writer.close()
    return folder


@pytest.fixture(scope="module")
def scored(folder: Path) -> dict[str, Scored]:
    names, outcomes, forecasts = read_ledger(folder, "BTCUSDT")
    moves = moves_of(outcomes)
    return {name: scored_of(moves, forecasts, i) for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def ledger(folder: Path) -> LedgerScores:
    scorer = LedgerScorer(folder, "BTCUSDT", ["cnn", "dqn"], FEE)
    scorer.update(cycle=1)
    return scorer.scores


def test_windows_of_baselines_are_what_the_trainer_would_log(
    ledger: LedgerScores, scored: dict[str, Scored]
) -> None:
    for name in ("logistic", "random", "buy_and_hold"):
        wanted = scores_of(scored[name], FEE)
        for key, value in ledger.windows[name].items():
            assert value == pytest.approx(wanted[key]), (name, key)
    assert {"live/10m/accuracy", "live/1h/log_loss_ci"} <= set(ledger.windows["logistic"])
    assert "live/10m/accuracy" not in ledger.windows["random"], "an agent has no accuracy"


def test_profit_at_one_time_the_cost_is_the_trainer_s(
    ledger: LedgerScores, scored: dict[str, Scored]
) -> None:
    for name in ("cnn", "dqn"):
        wanted = scores_of(scored[name], FEE)
        free, once, twice = ledger.costs[name]
        assert once.value == pytest.approx(wanted["live/pnl_bps"])
        assert once.half_width == pytest.approx(wanted["live/pnl_bps_ci"])
        assert free.value == pytest.approx(wanted["live/gross_bps"])
        assert twice.value - once.value == pytest.approx(once.value - free.value)
        assert free.value > once.value > twice.value


def test_curve_holds_all_cases_and_its_error_is_the_calibration_error(
    ledger: LedgerScores, scored: dict[str, Scored]
) -> None:
    assert json.loads(orjson.dumps(ledger.curves)) == ledger.curves, "it goes out as JSON"
    points = np.array(ledger.curves["cnn"])
    samples = scored["cnn"].samples()
    assert points[:, 3].sum() == len(samples.up)
    off = np.abs(points[:, 0] - points[:, 1]) @ points[:, 3] / points[:, 3].sum()
    assert off == pytest.approx(calibration_error(Directions.of(samples)).value, abs=1e-3)
    assert "dqn" not in ledger.curves


def test_equal_probabilities_are_one_point() -> None:
    samples = Samples(np.full(50, 0.5), np.r_[np.ones(30), np.zeros(20)], np.zeros(50))
    assert curve(Directions.of(samples).grid) == [[0.5, 0.6, pytest.approx(0.138, abs=0.01), 50]]


def test_bet_on_the_control_in_pieces_is_the_trainer_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_scores, "NEWEST_SECONDS", 0.0)
    ticks = walk(600 * 20, 1_700_000_000 * NS_PER_S, 1, 64_000.0, np.random.default_rng(2))
    bars = BarBuilder().update(ticks)
    writer = LedgerWriter(tmp_path, "BTCUSDT", EVERYBODY)
    scorer = LedgerScorer(tmp_path, "BTCUSDT", ["cnn"], FEE)
    for cycle, piece in enumerate(np.array_split(bars, 4)):
        writer.write(piece)
        scorer.update(cycle)
    writer.close()
    names, outcomes, forecasts = read_ledger(tmp_path, "BTCUSDT")
    control, majority = (
        scored_of(moves_of(outcomes), forecasts, names.index(name))
        for name in (PERMUTED_LABELS, MAJORITY)
    )
    wanted = judge_control(control, majority)
    assert scorer.scores.control is not None
    assert scorer.scores.control[1:] == (pytest.approx(wanted.log_evidence), wanted.bars)


def test_bar_whose_forecasts_are_half_written_is_scored_once_they_are_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_scores, "NEWEST_SECONDS", 0.0)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "BTCUSDT.forecasts"
    whole = path.read_bytes()
    path.write_bytes(whole[: -3 * FORECAST.itemsize])  # of three learners it is missing
    scorer, at_once = (LedgerScorer(f, "BTCUSDT", ["cnn", "dqn"], FEE) for f in (tmp_path, folder))
    scorer.update(1)
    at_once.update(1)
    assert scorer.scores.costs != at_once.scores.costs
    path.write_bytes(whole)
    scorer.update(2)
    assert scorer.scores == at_once.scores


def test_market_in_which_no_accuracy_pays_is_shown_so_without_an_interval() -> None:
    found = {"live/break_even": 1.4, "live/break_even_ci": 0.3}
    run = RunRecord("r", "RUNNING", {}, found, 1)
    metrics = SessionMetrics(learners={"BTCUSDT": {"cnn": run}})
    texts = evidence("BTCUSDT", metrics, LedgerScores(), ["cnn"]).texts
    assert texts["p.cnn.needed"] == "over 100 %: a move costs more than it is worth"


def test_ledger_is_scored_once_a_cycle(folder: Path) -> None:
    scorer = LedgerScorer(folder, "BTCUSDT", ["cnn", "dqn"], FEE)
    scorer.update(cycle=7)
    first = scorer.scores
    scorer.update(cycle=7)
    assert scorer.scores is first


def test_a_table_without_baselines_says_that_they_are_not_logged() -> None:
    def told(**options: bool) -> bool:
        shown = evidence("BTCUSDT", SessionMetrics(), LedgerScores(), ["cnn"], **options)
        return bool(shown.whole["scores"]["baselines_logged"])

    assert told()
    assert not told(baselines_logged=False)


def test_what_is_not_known_is_text_and_what_cannot_be_is_a_dash() -> None:
    texts = evidence("BTCUSDT", SessionMetrics(), LedgerScores(), ["cnn"]).texts
    assert texts["e.cnn.live/10m/accuracy"] == "none yet"
    assert texts["e.cnn.scored"] == "none yet"
    assert texts["p.cnn.needed"] == texts["v.cnn"] == texts["p.cnn.verdict"] == "not known yet"
    assert texts["leak.text"] == "no bars judged yet"
    run = RunRecord("r", "RUNNING", {Tag.LEARNER_KIND: LearnerKind.AGENT}, {}, None)
    begun = SessionMetrics(learners={"BTCUSDT": {"dqn": run}})
    agent = evidence("BTCUSDT", begun, LedgerScores(), ["dqn"]).texts
    assert agent["e.dqn.live/10m/accuracy"] == agent["e.dqn.scored"] == "—"
    assert agent["e.dqn.live/pnl_bps"] == "no trades yet"
    assert agent["p.dqn.each"] == "an agent: it gives no probability"
    assert not [text for text in texts.values() if text in ("0", "0.0 %", "nan", "")]
