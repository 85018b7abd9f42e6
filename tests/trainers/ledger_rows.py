"""Rows of a ledger, made from what a test is about."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from datamodules.target import NEXT_BAR
from datamodules.transitions import Action
from trainers.engine.commands import LedgerRows
from trainers.recording.ledger import LedgerContents
from trainers.scoring.ledger import FORECAST, MADE, NO_ACTION, OUTCOME
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of

SECOND = 10**9
NAMES = ["cnn", "dqn", "majority"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([Action.HOLD, Action.BUY, Action.SELL]),
        st.sampled_from([0.5, 1.0, 2.0]),  # the next mid over this one: exact sums
        st.booleans() | st.just(False),  # whether the next bar comes after a gap
    ),
    min_size=1,
    max_size=30,
)


def rows_among(commands):
    """The outcomes and forecasts that an engine's commands hold."""
    rows = [each for each in commands if isinstance(each, LedgerRows)]
    return (
        np.concatenate([np.zeros(0, OUTCOME), *(each.outcome for each in rows)]),
        np.concatenate([np.zeros(0, FORECAST), *(each.forecasts for each in rows)]),
    )


def outcomes_of(closes, *, mids=None, gaps=(), half_spread_bps=0.0, bars=None):
    """Outcomes of consecutive bars; ``gaps`` are indices of bars, ``bars`` are seconds."""
    rows = np.zeros(len(closes), OUTCOME)
    rows["bar"] = np.arange(len(closes)) * SECOND if bars is None else np.array(bars) * SECOND
    rows["close"] = closes
    rows["mid"] = closes if mids is None else mids
    rows["half_spread_bps"] = half_spread_bps
    rows["gap"][list(gaps)] = 1
    return rows


def forecasts_of(probabilities, *, signals=Action.HOLD, status=MADE, learner=0, bars=None):
    """Forecasts of consecutive bars, NaN for an agent's."""
    rows = np.zeros(len(probabilities), FORECAST)
    rows["bar"] = np.arange(len(rows)) * SECOND if bars is None else np.array(bars) * SECOND
    rows["probability"], rows["signal"] = probabilities, signals
    rows["status"], rows["learner"], rows["action"] = status, learner, NO_ACTION
    return rows


def score(closes, probabilities, *, signals=Action.HOLD, status=MADE, target=NEXT_BAR, **outcomes):
    """Join one learner's forecasts with outcomes."""
    rows = outcomes_of(closes, **outcomes)
    forecasts = forecasts_of(probabilities, signals=signals, status=status)
    forecasts["bar"] = rows["bar"]
    return scored_of(moves_of(rows, target), forecasts, 0)


def score_directions(up, probabilities):
    """Join forecasts with bars that move by a thousandth of 1 up or down."""
    closes = 1000 + np.concatenate([[0], np.cumsum(2.0 * np.asarray(up) - 1)]) / 1000
    return score(closes, [*probabilities, np.nan])


def bar_of(second):
    """One bar: its outcome and a forecast of each learner, all told by its number."""
    outcome = outcomes_of([100.0 + second], bars=[second])
    forecasts = forecasts_of([second / 1e6] * len(NAMES), bars=[second] * len(NAMES))
    forecasts["learner"], forecasts["version"] = range(len(NAMES)), second
    return outcome, forecasts


def ledger_of(*learners):
    """The ledger of learners who gave ``learners[i]``, ``STEPS``, on the first's market."""
    growth = [step[1] for step in learners[0]]
    mids = np.cumprod([1.0, *growth])
    gaps = [i + 1 for i, step in enumerate(learners[0]) if step[2]]
    rows = [
        forecasts_of(
            [0.7] * len(mids), signals=[*(step[0] for step in steps), Action.HOLD], learner=i
        )
        for i, steps in enumerate(learners)
    ]
    merged = np.sort(np.concatenate(rows), order=["bar", "learner"])
    return LedgerContents([f"l{i}" for i in range(len(rows))], outcomes_of(mids, gaps=gaps), merged)
