from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.transitions import Action
from tests.trainers.ledger_rows import score, score_directions
from trainers.scoring.ledger import MADE, SILENT
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.promotion.differences import ByProfit, by_brier

relaxed = settings(deadline=None)  # the machine may be busy with others
CHANCE = st.floats(0, 1)
SIGNALS = st.lists(
    st.sampled_from([Action.HOLD, Action.BUY, Action.SELL]), min_size=61, max_size=61
)
FEE = 1.0


def test_differences_of_brier_scores_are_as_computed_by_hand():
    ours = score_directions([1, 0, 1], [0.8, 0.5, np.nan])
    other = score_directions([1, 0, 1], [0.5, 0.5, 0.9])
    found = by_brier(ours, other)
    assert found.better.tolist() == pytest.approx([0.25 - 0.04, 0])
    assert found.most.tolist() == pytest.approx([0.64 - 0.25, 0])


@relaxed
@given(CHANCE, CHANCE)
def test_the_most_is_what_the_worse_of_both_outcomes_would_make(p, q):
    found = [by_brier(score_directions([up], [p]), score_directions([up], [q])) for up in (0, 1)]
    most = max(abs(float(one.better[0])) for one in found)
    assert [float(one.most[0]) for one in found] == pytest.approx([most, most])


def agent(signals, *, mids=None, **rows):
    """An agent that follows ``signals`` at consecutive bars, and says HOLD at the newest."""
    mids = moving(len(signals)) if mids is None else mids
    return score(mids, [np.nan] * len(mids), signals=[*signals, Action.HOLD], **rows)


def moving(n, seed=0):
    """``n + 1`` mids that move about a basis point a bar."""
    return 100 * np.exp(1e-4 * np.cumsum(np.random.default_rng(seed).standard_normal(n + 1)))


def test_differences_of_profit_are_as_computed_by_hand():
    # Ours is in for two bars and pays for both ways when it goes in.
    ours = agent(
        [Action.HOLD] * 40 + [Action.BUY, Action.HOLD, Action.SELL],
        mids=[*[100, 101] * 20, 100, 101, 102.01, 102.01],
    )
    flat = agent([Action.SELL] * 43, mids=[*[100, 101] * 20, 100, 101, 102.01, 102.01])
    found = ByProfit(FEE)(ours, flat)
    assert found.gain[-3:].tolist() == pytest.approx([98, 100, 0])
    # 20 typical moves before it, half of them up by 100 bp and half down by 99, and the fee.
    assert found.better[-3] == pytest.approx(98 / (20 * (100 + 1e4 / 101) / 2 + FEE))
    assert found.most.tolist() == [1] * 43


@relaxed
@given(SIGNALS, SIGNALS)
def test_all_gains_are_what_both_accounts_would_be_worth_if_closed(ours, other):
    mids = moving(61)
    accounts = [agent(signals, mids=mids, half_spread_bps=0.5) for signals in (ours, other)]
    papers = [paper_of(account, FEE) for account in accounts]
    worth = [p.net_bps[:-1].sum() - p.position[-2] * (FEE + 0.5) for p in papers]
    gain = ByProfit(FEE)(*accounts).gain.sum()
    assert gain == pytest.approx(worth[0] - worth[1], abs=1e-6)


def test_a_gap_closes_a_position_and_no_cost_is_paid_twice():
    ours, flat = (
        agent(signals, gaps=[2]) for signals in ([Action.BUY, 0, 0, 0], [Action.SELL] * 4)
    )
    gain = ByProfit(FEE)(ours, flat).gain
    first = paper_of(ours, 0.0).gross_bps[0]
    assert gain.tolist() == pytest.approx([first - 2 * FEE, 0, 0, 0])


def test_both_begin_out_of_the_market_when_both_have_spoken():
    status = [SILENT] * 10 + [MADE] * 52
    late = agent([Action.HOLD] * 10 + [Action.BUY] * 51, status=status)
    found = ByProfit(FEE)(agent([Action.BUY] * 61), late)
    assert len(found.gain) == 51
    assert found.gain.tolist() == [0] * 51


def test_nothing_is_bet_before_moves_are_typical():
    found = ByProfit(FEE)(agent([Action.BUY] * 61), agent([Action.SELL] * 61))
    assert found.better[:30].tolist() == [0] * 30
    assert (found.better[30:] != 0).all()
    assert (found.gain != 0).all()


def test_a_move_is_measured_by_those_before_it_and_clipped():
    calm = np.append(moving(60), 200.0)
    found = ByProfit(FEE)(agent([Action.BUY] * 61, mids=calm), agent([Action.SELL] * 61, mids=calm))
    usual = ByProfit(FEE)(agent([Action.BUY] * 60), agent([Action.SELL] * 60))
    assert found.better[-1] == 1
    assert found.gain[-1] == pytest.approx(1e4 * (200 / calm[-2] - 1))
    assert found.better[:60].tolist() == usual.better.tolist()


def test_typical_moves_are_those_of_the_last_ten_minutes():
    mids = 100 * np.cumprod(
        1 + 1e-4 * np.repeat([100.0, 1.0], [700, 700]) * (-1) ** np.arange(1400)
    )
    found = ByProfit(0.0)(
        agent([Action.BUY] * 1399, mids=mids), agent([Action.SELL] * 1399, mids=mids)
    )
    assert np.abs(found.better[[600, 1390]]) == pytest.approx(1 / 20, rel=0.02)


def test_in_a_market_that_stands_still_nothing_is_better():
    mids = [100.0] * 62
    found = ByProfit(0.0)(agent([Action.BUY] * 61, mids=mids), agent([Action.SELL] * 61, mids=mids))
    assert found.better.tolist() == [0] * 61
