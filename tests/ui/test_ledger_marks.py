"""From the ledger to the chart's marks: each row once, the same account in however many updates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.transitions import Action
from streaming.ticks import NS_PER_S, Side
from trainers.recording.ledger import Ledger
from trainers.recording.tail import LedgerTail
from trainers.scoring.ledger import FORECAST, MADE, MISSED, NO_ACTION, OUTCOME
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of
from ui.live.ledger_marks import LedgerMarks
from ui.live.paper_trades import PaperTrades

START = 1_700_000_000
NAMES = ["cnn", "dqn", "majority"]
ACTIONS = {"B": Action.BUY, "S": Action.SELL, ".": Action.HOLD}


class Writer:
    """Appends bars; each learner's signal by a letter: B, S or a dot."""

    def __init__(self, folder: Path) -> None:
        self.ledger, self.at = Ledger(folder, "BTCUSDT", NAMES), START

    def bar(
        self,
        signals: str = "...",
        probability: float = 0.6,
        *,
        gap: bool = False,
        version: tuple[int, ...] = (1, 1, 1),
        status: int = MADE,
    ) -> None:
        outcome = np.zeros(1, OUTCOME)
        outcome["bar"], outcome["close"], outcome["mid"] = self.at * NS_PER_S, 100.0, 100.0
        outcome["gap"] = gap
        rows = np.zeros(len(NAMES), FORECAST)
        rows["bar"], rows["learner"], rows["status"] = self.at * NS_PER_S, range(3), status
        rows["probability"] = [probability, np.nan, 0.5]
        rows["action"], rows["version"] = NO_ACTION, version
        rows["signal"] = [ACTIONS[letter] for letter in signals]
        self.ledger.write(outcome, rows)
        self.at += 1


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def marks(folder: Path) -> LedgerMarks:
    return LedgerMarks(folder, "BTCUSDT", ["cnn", "dqn"], seconds=900)


def trades(marks: LedgerMarks) -> list[tuple]:
    rows = marks.update().keyed["trades"].values()
    return sorted((row["time"], row["learner"], row["side"]) for row in rows)


def test_tail_hands_out_each_row_once(tmp_path: Path, writer: Writer) -> None:
    tail = LedgerTail(tmp_path, "BTCUSDT")
    writer.bar()
    assert [len(rows) for rows in tail.read()] == [3, 1, 3]
    assert [len(rows) for rows in tail.read()[1:]] == [0, 0]
    writer.bar()
    writer.bar()
    new = tail.read()
    assert (len(new.outcomes), len(new.forecasts)) == (2, 6)
    assert new.outcomes["bar"][0] == (START + 1) * NS_PER_S


def test_no_ledger_yet_is_no_rows(tmp_path: Path) -> None:
    tail = LedgerTail(tmp_path, "BTCUSDT")
    assert len(tail.read().outcomes) == 0
    Writer(tmp_path).bar()
    assert len(tail.read().outcomes) == 1


def test_forecast_stands_at_the_bar_that_it_is_about(tmp_path: Path, writer: Writer) -> None:
    writer.bar(probability=0.61)
    writer.bar(probability=0.9, status=MISSED)
    shown = marks(tmp_path).update()
    assert shown.whole == {"learners": ["cnn", "dqn"]}, "a baseline is no learner"
    rows = list(shown.keyed["forecasts"].values())
    assert rows == [[START + 1, 0.61, None], [START + 2, None, None]], "a missed one has no value"


def test_trades_are_the_paper_account_s(tmp_path: Path, writer: Writer) -> None:
    for signals in ("B..", "BB.", "..B", "S..", ".S.", "BBB", "..."):
        writer.bar(signals)
    assert trades(marks(tmp_path)) == [
        (START, 0, Side.BOUGHT),
        (START + 1, 1, Side.BOUGHT),
        (START + 3, 0, Side.SOLD),
        (START + 4, 1, Side.SOLD),
        (START + 5, 0, Side.BOUGHT),
        (START + 5, 1, Side.BOUGHT),
    ]


def test_gap_closes_a_position(tmp_path: Path, writer: Writer) -> None:
    writer.bar("B..")
    shown = marks(tmp_path)
    shown.update()
    writer.bar(gap=True)
    assert trades(shown) == [(START, 0, Side.SOLD), (START, 0, Side.BOUGHT)]


@pytest.mark.parametrize("seed", range(5))
def test_account_followed_in_pieces_is_the_account_at_once(
    tmp_path: Path, writer: Writer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pieces = marks(tmp_path)
    for _ in range(120):
        writer.bar("".join(rng.choice(list("BS...."), 3)), gap=bool(rng.random() < 0.1))
        if rng.random() < 0.4:
            pieces.update()
    shown = trades(pieces)
    assert shown == trades(marks(tmp_path))
    rows = LedgerTail(tmp_path, "BTCUSDT").read()
    for learner in (0, 1):
        paper = paper_of(scored_of(moves_of(rows.outcomes), rows.forecasts, learner), 0.0)
        mine = [row for row in shown if row[1] == learner]
        assert sum(row[2] == Side.SOLD for row in mine) == len(paper.closed)
        assert len(mine) == int(paper.changes.sum())


def test_cycle_stands_where_newer_weights_first_serve(tmp_path: Path, writer: Writer) -> None:
    for version in ((1, 1, 1), (1, 1, 1), (2, 1, 1), (2, 2, 2), (2, 3, 3)):
        writer.bar(version=version)
    rows = list(marks(tmp_path).update().keyed["cycle_marks"].values())
    assert [(row["cycle"], row["time"], row["version"]) for row in rows] == [
        (1, START, 1), (2, START + 2, 2), (3, START + 4, 2),
    ]  # fmt: skip


def test_marks_go_with_the_bars_that_the_chart_forgets(tmp_path: Path, writer: Writer) -> None:
    writer.bar("B..")
    shown = LedgerMarks(tmp_path, "BTCUSDT", ["cnn"], seconds=10)
    shown.update()
    for _ in range(30):
        writer.bar()
    kept = shown.update().keyed
    assert min(kept["forecasts"]) >= writer.at - 12
    assert kept["trades"] == {}
    assert list(kept["cycle_marks"]) == [1], "the version that serves is still marked"


def test_a_view_model_is_not_changed_by_later_updates(tmp_path: Path, writer: Writer) -> None:
    shown = marks(tmp_path)
    writer.bar()
    before = shown.update()
    writer.bar()
    after = shown.update()
    assert len(before.keyed["forecasts"]) + 1 == len(after.keyed["forecasts"])


def test_nothing_is_followed_without_bars() -> None:
    empty = np.zeros(0, OUTCOME), np.zeros(0, FORECAST)
    assert PaperTrades(0).update(*empty) == []


def test_file_of_another_kind_leaves_the_page_going(tmp_path: Path) -> None:
    for name in ("outcomes", "forecasts"):
        (tmp_path / f"BTCUSDT.{name}").write_bytes(b"something else")
    assert marks(tmp_path).update().keyed == {"forecasts": {}, "trades": {}, "cycle_marks": {}}
