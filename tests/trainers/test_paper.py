from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.mids import BP
from datamodules.transitions import Action
from tests.trainers.ledger_rows import score
from trainers.scoring.batches import Batches
from trainers.scoring.ledger import MADE, MISSED
from trainers.scoring.profit.fall import Fall
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.profit.scores import account

# Mids of powers of two: returns and their sums are exact.
STEPS = st.lists(
    st.tuples(
        st.sampled_from([Action.HOLD, Action.BUY, Action.SELL]),
        st.sampled_from([0.5, 1.0, 2.0]),  # the next mid over this one
        st.booleans() | st.just(False),  # whether the next bar comes after a gap
        st.integers(0, 5),  # half spread, bp
        st.booleans() | st.just(True),  # whether the forecast was made in time
    ),
    max_size=40,
)


def play(steps, fee_bps):
    """The paper account of (signal, growth, gap, half spread, made) steps."""
    mids = np.cumprod([1.0, *(growth for _, growth, *_ in steps)])
    signals = [signal for signal, *_ in steps]
    return paper_of(
        score(
            mids,
            [np.nan] * len(mids),
            signals=[*signals, Action.HOLD],
            status=[*(MADE if made else MISSED for *_, made in steps), MADE],
            gaps=[i + 1 for i, step in enumerate(steps) if step[2]],
            half_spread_bps=[*(spread for *_, spread, _ in steps), 0.0],
        ),
        fee_bps,
    )


@given(STEPS, st.integers(0, 100))
def test_it_is_the_account_kept_step_by_step(steps, fee_bps):
    position, gross, net, changes, profits, entered = 0, 0.0, 0.0, 0, [], 0.0
    for signal, growth, gap, half_spread, made in steps:
        targets = [{Action.BUY: 1, Action.SELL: 0}.get(signal, position) if made else position]
        targets += [0] if gap else []
        for target in targets:
            if target != position:
                entered = net if target else entered
                net -= fee_bps + half_spread
                changes += 1
                if not target:
                    profits.append(net - entered)
            position = target
        earned = 0.0 if gap else position * BP * (growth - 1)
        gross, net = gross + earned, net + earned
    paper = play(steps, fee_bps)
    assert paper.gross_bps.sum() == gross
    assert paper.net_bps.sum() == net
    assert paper.changes.sum() == changes
    assert paper.profit_bps.tolist() == profits
    assert paper.position[-1] == position


@given(STEPS, st.integers(0, 100), st.data())
def test_a_window_has_the_bars_and_the_trades_closed_in_it(steps, fee_bps, data):
    whole = play(steps, fee_bps)
    start = data.draw(st.integers(0, len(steps)))
    early, late = play(steps[:start], fee_bps), whole.since(start)
    assert early.net_bps[:start].sum() + late.net_bps.sum() == whole.net_bps.sum()
    assert (late.closed + start).tolist() == whole.closed[whole.closed >= start].tolist()
    assert late.profit_bps.tolist() == whole.profit_bps[whole.closed >= start].tolist()


def test_a_paper_account_is_as_computed_by_hand():
    signals = [Action.BUY, Action.HOLD, Action.SELL, Action.BUY, Action.HOLD]
    mids = [100, 101, 100.495, 200, 198]
    scored = score(mids, [np.nan] * 5, signals=signals, half_spread_bps=2.0)
    paper = paper_of(scored, fee_bps=3.0)
    assert paper.position.tolist() == [1, 1, 0, 1, 1]
    assert paper.changes.tolist() == [1, 0, 1, 1, 0]
    assert paper.gross_bps.tolist() == pytest.approx([100, -50, 0, -100, 0])
    assert paper.net_bps.tolist() == pytest.approx([95, -50, -5, -105, 0])
    assert paper.closed.tolist() == [2]
    assert paper.profit_bps.tolist() == pytest.approx([40])


def test_a_gap_takes_the_account_out_at_the_last_known_price_and_pays():
    paper = paper_of(
        score([100, 101, 50, 60], [np.nan] * 4, signals=[Action.BUY, 0, 0, 0], gaps=[2]), 1
    )
    assert paper.position.tolist() == [1, 1, 0, 0]
    assert paper.net_bps.tolist() == pytest.approx([99, -1, 0, 0])
    assert (paper.closed.tolist(), paper.profit_bps.tolist()) == ([1], pytest.approx([98]))


def test_what_is_bought_just_before_a_gap_costs_both_ways():
    paper = paper_of(
        score([100, 200], [np.nan] * 2, signals=[Action.BUY, Action.HOLD], gaps=[1]), 1
    )
    assert (paper.changes.tolist(), paper.net_bps.tolist()) == ([2, 0], [-2, 0])
    assert paper.profit_bps.tolist() == [-2]


def test_the_newest_decision_is_paid_for_before_it_can_earn():
    paper = paper_of(score([100, 101], [np.nan] * 2, signals=[Action.HOLD, Action.BUY]), 1)
    assert paper.net_bps.tolist() == [0, -1]


def test_drawdown_is_the_deepest_fall_open_positions_included():
    fall = Fall().plus(np.array([5.0, -3, 1, -6, 20, -7]))
    assert (fall.deepest, fall.top, fall.low) == (8, 1, 4)
    assert Fall().plus(np.array([-4.0, 1])).deepest == 4  # from the beginning on
    assert Fall().plus(np.array([1.0, 2])).deepest == 0


def test_scores_a_bar_are_over_the_bars_that_a_return_is_known_of():
    paper = paper_of(
        score([100, 101, 100], [np.nan] * 3, signals=[Action.BUY, Action.SELL, Action.HOLD]), 1
    )
    bars = Batches.of(paper.net_bps, paper.gross_bps, paper.changes)
    found = account(bars, Fall().plus(paper.net_bps), held=2)
    assert found["pnl_bps"].value == pytest.approx(98)
    assert found["average_reward"].value == pytest.approx(49)
    assert found["turnover"].value == 1
