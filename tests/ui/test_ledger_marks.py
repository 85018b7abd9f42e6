"""From the ledger to the chart's marks: each row once, the same account in however many updates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.transitions import Action
from streaming.ticks import NS_PER_S, Side
from trainers.recording.ledger import Ledger
from trainers.recording.tail import LedgerTail
from trainers.scoring.ledger import FORECAST, MADE, MISSED, NO_ACTION, OUTCOME
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of
from ui.chart.ledger_marks import LedgerMarks
from ui.trades.paper_account import GAP, SIGNAL, Equity, PaperAccount, Trade
from ui.trades.trade_list import curve, trades_of
from ui.views.view_model import ViewModel

START = 1_700_000_001
FEE = 1.5
NAMES = ["cnn", "dqn", "majority"]
ACTIONS = {"B": Action.BUY, "S": Action.SELL, ".": Action.HOLD}


class Writer:
    """Appends bars; each learner's signal by a letter: B, S or a dot."""

    def __init__(self, folder: Path, names: list[str] = NAMES) -> None:
        self.ledger, self.at = Ledger(folder, "BTCUSDT", names), START

    def bar(
        self,
        signals: str = "...",
        probability: float = 0.6,
        *,
        gap: bool = False,
        version: tuple[int, ...] = (1, 1, 1),
        status: int = MADE,
        price: float = 100.0,
    ) -> None:
        outcome = np.zeros(1, OUTCOME)
        outcome["bar"], outcome["close"], outcome["mid"] = self.at * NS_PER_S, price, price
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
    return LedgerMarks(folder, "BTCUSDT", ["cnn", "dqn"], FEE)


def shown(marks: LedgerMarks, seconds: int = 1, since: int = 0) -> ViewModel:
    marks.update()
    return marks.view(seconds, since)


def followed(folder: Path) -> PaperAccount:
    found = marks(folder)
    found.update()
    return found.accounts[0]


def trades(marks: LedgerMarks) -> list[tuple]:
    rows = shown(marks).keyed["trades"].values()
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
    found = shown(marks(tmp_path))
    assert found.whole == {"learners": ["cnn", "dqn"]}, "a baseline is no learner"
    rows = list(found.keyed["forecasts"].values())
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
    followed = marks(tmp_path)
    followed.update()
    writer.bar(gap=True)
    assert trades(followed) == [(START, 0, Side.SOLD), (START, 0, Side.BOUGHT)]


def rounded(trade: Trade) -> Trade:
    return trade._replace(pnl_bps=round(trade.pnl_bps, 6))


@pytest.mark.parametrize("seed", range(5))
def test_account_followed_in_pieces_is_the_account_at_once(
    tmp_path: Path, writer: Writer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pieces = marks(tmp_path)
    for _ in range(120):
        signals = "".join(rng.choice(list("BS...."), 3))
        writer.bar(signals, gap=bool(rng.random() < 0.1), price=100 + rng.normal())
        if rng.random() < 0.4:
            pieces.update()
    pieces.update()
    at_once = marks(tmp_path)
    at_once.update()
    rows = LedgerTail(tmp_path, "BTCUSDT").read()
    moves = moves_of(rows.outcomes)
    for column, account in pieces.accounts.items():
        whole = at_once.accounts[column].trades
        assert [rounded(trade) for trade in account.trades] == [rounded(t) for t in whole]
        paper = paper_of(scored_of(moves, rows.forecasts, column), FEE)
        assert account.equity.bps == pytest.approx(paper.net_bps.cumsum())
        closed = [trade for trade in account.trades if trade.closed is not None]
        assert [trade.pnl_bps for trade in closed] == pytest.approx(paper.profit_bps)
        assert [trade.closed for trade in closed] == (moves.bar[paper.closed] // NS_PER_S).tolist()
        assert len(account.trades) + len(closed) == int(paper.changes.sum())


def test_trade_has_its_prices_its_forecasts_and_its_profit(tmp_path: Path, writer: Writer) -> None:
    writer.bar("B..", 0.7, price=100.0)
    writer.bar("...", 0.5, price=101.0)
    writer.bar("S..", 0.2, price=101.0)
    writer.bar()
    account = followed(tmp_path)
    (trade,) = account.trades
    assert trade[:6] == (START, 100.0, 0.7, START + 2, 101.0, 0.2)
    assert (trade.pnl_bps, trade.reason) == (pytest.approx(100 - 2 * FEE), SIGNAL)


def test_trade_that_is_held_has_its_profit_so_far(tmp_path: Path, writer: Writer) -> None:
    writer.bar("B..", price=100.0)
    writer.bar(price=102.0)
    (trade,) = followed(tmp_path).trades
    assert (trade.closed, trade.pnl_bps) == (None, pytest.approx(200 - FEE))


def test_trade_that_a_gap_ended_says_so(tmp_path: Path, writer: Writer) -> None:
    writer.bar("B..")
    writer.bar(gap=True)
    (trade,) = followed(tmp_path).trades
    assert (trade.closed, trade.reason) == (START, GAP)


def test_list_of_trades_is_sorted_and_says_how_many_there_are(
    tmp_path: Path, writer: Writer
) -> None:
    for i, price in enumerate((100.0, 99.0, 99.0, 103.0, 103.0, 101.0, 101.0)):
        writer.bar("B.." if i % 2 == 0 else "S..", price=price)
    found = trades_of({"cnn": followed(tmp_path)}, "pnl_bps", rising=True, most=2)
    profits = [row[found["columns"].index("pnl_bps")] for row in found["rows"]]
    assert len(profits) == 2
    assert profits[0] == pytest.approx(1e4 * (101 / 103 - 1) - 2 * FEE)
    assert profits[1] == pytest.approx(1e4 * (99 / 100 - 1) - 2 * FEE)
    assert found["total"] == 4
    closed, profit, so_far, fall = found["sums"]["cnn"]
    assert (closed, so_far) == (3, pytest.approx(profit - FEE))
    assert fall > 0
    newest = trades_of({"cnn": followed(tmp_path)}, "closed", rising=False, most=9)
    assert newest["rows"][-1][found["columns"].index("closed")] is None


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=2000))
def test_curve_is_short_and_keeps_the_end_and_the_deepest_fall(net: list[float]) -> None:
    level = np.cumsum(net)
    points = curve(Equity(np.arange(len(net)), level))
    assert len(points) <= 600
    assert points[-1][1] == pytest.approx(level[-1], abs=0.01)
    assert all(time % (points[1][0] - points[0][0]) == 0 for time, _, _ in points[1:])
    peak = np.maximum(np.maximum.accumulate(level), 0)
    assert max(point[2] for point in points) == pytest.approx((peak - level).max(), abs=0.01)


def test_cycle_stands_where_newer_weights_first_serve(tmp_path: Path, writer: Writer) -> None:
    for version in ((1, 1, 1), (1, 1, 1), (2, 1, 1), (2, 2, 2), (2, 3, 3)):
        writer.bar(version=version)
    rows = list(shown(marks(tmp_path)).keyed["cycle_marks"].values())
    assert [(row["cycle"], row["time"]) for row in rows] == [
        (1, START), (2, START + 2), (3, START + 4),
    ]  # fmt: skip


def test_champion_s_version_is_no_cycle(tmp_path: Path) -> None:
    ledger = Writer(tmp_path, ["cnn", "cnn.champion", "majority"])
    for version in ((1, 0, 1), (1, 7, 1), (2, 7, 2), (2, 0, 2)):
        ledger.bar(version=version)
    found = shown(marks(tmp_path)).keyed
    assert list(found["cycle_marks"]) == [1, 2]
    assert [(row["version"], row["time"]) for row in found["champion_marks"].values()] == [
        (7, START + 1), (0, START + 3),
    ]  # fmt: skip


def test_a_part_of_the_chart_has_its_marks_only(tmp_path: Path, writer: Writer) -> None:
    for signals in ("B..", "...", "S..", "...", "B.."):
        writer.bar(signals)
    kept = shown(marks(tmp_path), since=START + 2).keyed
    assert min(kept["forecasts"]) == START + 2
    assert [row["at"] for row in kept["trades"].values()] == [START + 2, START + 4]
    assert kept["cycle_marks"] == {}


def test_marks_stand_at_the_candle_that_holds_them(tmp_path: Path, writer: Writer) -> None:
    for i in range(20):
        writer.bar("B.." if i == 7 else "...", probability=0.4 + 0.01 * i)
    found = shown(marks(tmp_path), seconds=5).keyed
    start = START // 5 * 5
    assert [row["time"] for row in found["trades"].values()] == [(START + 7) // 5 * 5]
    first = found["forecasts"][start]
    assert first[1] == pytest.approx(np.mean([0.4 + 0.01 * i for i in range(3)]), abs=1e-4)


def test_candle_without_a_forecast_in_time_has_none(tmp_path: Path, writer: Writer) -> None:
    for i in range(13):
        writer.bar(status=MISSED if i >= 3 else MADE)
    rows = list(shown(marks(tmp_path), seconds=5).keyed["forecasts"].values())
    assert [row[1] for row in rows] == [0.6, None, None]


def test_a_view_model_is_not_changed_by_later_updates(tmp_path: Path, writer: Writer) -> None:
    followed = marks(tmp_path)
    writer.bar()
    before = shown(followed)
    writer.bar()
    after = shown(followed)
    assert len(before.keyed["forecasts"]) + 1 == len(after.keyed["forecasts"])


def test_nothing_is_followed_without_bars() -> None:
    account = PaperAccount(0, FEE)
    account.update(np.zeros(0, OUTCOME), np.zeros(0, FORECAST))
    assert (account.trades, len(account.equity.bps)) == ([], 0)


def test_file_of_another_kind_leaves_the_page_going(tmp_path: Path) -> None:
    for name in ("outcomes", "forecasts"):
        (tmp_path / f"BTCUSDT.{name}").write_bytes(b"something else")
    assert not any(shown(marks(tmp_path)).keyed.values())
