"""The scores of a market as bars come: the same bits as all at once, and the same cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.target import Target
from tests.trainers.ledger_rows import forecasts_of, outcomes_of
from tests.trainers.whole import scores_of
from trainers.scoring import batches, moves
from trainers.scoring.ledger import FAILED, MADE, MISSED, SILENT, rows_between
from trainers.scoring.market import scores as market_scores
from trainers.scoring.market.margins import AgentMargins, ForecasterMargins
from trainers.scoring.market.scores import MarketScores
from trainers.scoring.metrics import WINDOWS
from trainers.scoring.moves import moves_of
from trainers.scoring.promotion.differences import ByProfit, by_brier
from trainers.scoring.promotion.pairwise import CHAMPION, Comparisons
from trainers.scoring.scored import scored_of

relaxed = settings(deadline=None, max_examples=30)  # the machine may be busy with others
FEE = 0.5
NAMES = ("ours", "other", "rival")


@pytest.fixture(scope="module")
def small():
    """Few batches and typical moves of few bars, so that short ledgers outgrow both."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST", 8)
        patch.setattr(moves, "TYPICAL_BARS", 5)
        patch.setattr(moves, "FEWEST_MOVES", 2)
        patch.setattr(market_scores, "TYPICAL_BARS", 5)
        yield


BARS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 900]),  # seconds since the bar before
        st.sampled_from([-0.02, -0.01, 0.0, 0.01]),  # the close's move
        st.booleans() | st.just(False),  # whether trades are missing
        st.lists(
            st.tuples(
                st.sampled_from([0.0, 0.3, 0.5, 0.5001, 0.8, np.nan]),
                st.sampled_from([0, 1, 2]),
                st.sampled_from([MADE, MADE, MADE, MISSED, SILENT, FAILED]),
            ),
            min_size=3,
            max_size=3,
        ),
        st.booleans() | st.just(True),  # whether its forecasts were written
    ),
    min_size=1,
    max_size=60,
)
HORIZONS = st.sampled_from([1, 1, 2, 3, 9])
CUTS = st.lists(st.integers(0, 60), max_size=6)


def ledger_of(bars):
    """The outcomes and forecasts of drawn bars."""
    seconds = np.cumsum([bar[0] for bar in bars])
    outcomes = outcomes_of(
        100 + np.cumsum([bar[1] for bar in bars]),
        half_spread_bps=0.25,
        bars=seconds,
        gaps=[i for i, bar in enumerate(bars) if bar[2]],
    )
    rows = []
    for i in range(3):
        probabilities, signals, status = (
            np.array([bar[3][i][column] for bar in bars]) for column in range(3)
        )
        rows.append(
            forecasts_of(probabilities, signals=signals, status=status, learner=i, bars=seconds)
        )
    forecasts = np.stack(rows, axis=1)[[bar[4] for bar in bars]].reshape(-1)
    return outcomes, forecasts


def drawn(n, seed=0):
    """A long ledger, drawn at random."""
    rng = np.random.default_rng(seed)
    seconds = np.cumsum(np.where(rng.random(n) < 0.001, 30, 1))
    closes = 100 + 0.01 * rng.integers(-2, 3, n).cumsum()
    outcomes = outcomes_of(closes, bars=seconds, half_spread_bps=0.25)
    rows = [
        forecasts_of(rng.random(n), signals=rng.integers(0, 3, n), learner=i, bars=seconds)
        for i in range(3)
    ]
    return outcomes, np.stack(rows, axis=1).reshape(-1)


class Everything:
    """All that follows from the rows of a market, taken part by part."""

    def __init__(self, horizon=1):
        target = Target(horizon=horizon)
        self.market = MarketScores(NAMES, FEE, target)
        self.forecaster, self.agent = ForecasterMargins(target.overlap), AgentMargins()
        self.of_forecasters = Comparisons(lambda: by_brier, target)
        self.of_agents = Comparisons(lambda: ByProfit(FEE))

    def take(self, outcomes, forecasts):
        settled = self.market.take(outcomes, forecasts)
        if not settled:
            return
        ours, rivals = settled["ours"], {name: settled[name] for name in NAMES[1:]}
        self.forecaster.take(ours, rivals)
        self.agent.take(ours, rivals)
        others = {CHAMPION: settled["other"], "rival": settled["rival"]}
        judged = {name: other.judged for name, other in others.items()}
        self.of_forecasters.take(ours.judged, judged)
        self.of_agents.take(ours.scored, {name: other.scored for name, other in others.items()})

    def found(self):
        """Everything as text: equal if and only if all bits are."""
        tracks, break_evens = self.market.tracks, self.market.break_evens()
        rivals = {name: tracks[name] for name in NAMES[1:]}
        evidence = [
            (pair.bars, pair.lead, pair.won.log_value, pair.won.log_peak, pair.lost.log_value)
            for comparisons in (self.of_forecasters, self.of_agents)
            for pair in comparisons.pairs.values()
        ]
        return repr(
            (
                {name: track.scores(break_evens, WINDOWS) for name, track in tracks.items()},
                self.forecaster.edges(tracks["ours"], rivals),
                self.agent.edges(tracks["ours"], rivals),
                evidence,
            )
        )


def everything(outcomes, forecasts, cuts=(), horizon=1):
    """What follows from a ledger that is handed in in parts."""
    found, before = Everything(horizon), -1
    for part in np.split(outcomes, sorted(min(cut, len(outcomes)) for cut in cuts)):
        newest = int(part["bar"][-1]) if len(part) else before
        found.take(part, rows_between(forecasts, before, newest))
        before = newest
    return found


@relaxed
@given(BARS, CUTS, HORIZONS)
def test_how_bars_are_split_into_cycles_changes_no_bit(small, bars, cuts, horizon):
    ledger = ledger_of(bars)
    assert everything(*ledger, cuts, horizon).found() == everything(*ledger, (), horizon).found()


def test_a_long_session_in_cycles_has_the_bits_of_one_that_was_started_again():
    outcomes, forecasts = drawn(9000)
    cycles = everything(outcomes, forecasts, range(30, 9000, 30))
    hours = everything(outcomes, forecasts, range(3600, 9000, 3600))
    assert cycles.found() == hours.found()


@relaxed
@given(BARS, HORIZONS)
def test_scores_are_those_of_all_rows_at_once(small, bars, horizon):
    outcomes, forecasts = ledger_of(bars)
    market = everything(outcomes, forecasts, range(7, 60, 7), horizon).market
    moves = moves_of(outcomes, Target(horizon=horizon))
    for i, name in enumerate(NAMES):
        wanted = scores_of(scored_of(moves, forecasts, i), FEE, horizon - 1)
        assert market.tracks[name].scores(market.break_evens(), WINDOWS) == wanted


def test_the_first_hour_has_the_same_scores_as_the_session():
    found = everything(*drawn(3000), range(30, 3000, 30)).market
    scores = found.tracks["ours"].scores(found.break_evens(), WINDOWS)
    hour = {key: value for key, value in scores.items() if key.startswith("live/1h/")}
    assert hour
    assert hour == {key: scores[f"live/{key[8:]}"] for key in hour}


def bytes_of(thing):
    """The bytes in the arrays that a value holds, each once."""
    seen, total, left = set(), 0, [thing]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            total += one.nbytes if one.base is None else one.base.nbytes
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, (list, tuple)):
            left += one
        elif hasattr(one, "__dict__"):
            left += vars(one).values()
    return total


def test_what_is_kept_does_not_grow_with_the_session(monkeypatch):
    monkeypatch.setattr(batches, "MOST", 256)  # which trades, too, outgrow soon
    outcomes, forecasts = drawn(3 * 8192)
    found, sizes = Everything(), []
    for i in range(0, len(outcomes), 512):
        found.take(outcomes[i : i + 512], forecasts[3 * i : 3 * (i + 512)])
        sizes.append(bytes_of(found))
    assert max(sizes[16:]) <= 1.05 * max(sizes[:16])
    assert all(len(track.recent) <= 3601 for track in found.market.tracks.values())


def test_a_market_without_a_row_has_no_scores_but_counts():
    market = MarketScores(NAMES, FEE)
    assert market.take(outcomes_of([]), forecasts_of([])) == {}
    scores = market.tracks["ours"].scores(market.break_evens(), WINDOWS)
    assert set(scores.values()) == {0.0}


def test_a_cycle_without_a_new_bar_changes_no_score():
    ledger = drawn(100)
    found = everything(*ledger)
    before = found.found()
    found.take(outcomes_of([]), forecasts_of([]))
    assert found.found() == before
