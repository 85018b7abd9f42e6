"""The leaderboard: what it says of all pairs holds at any look, and no bit depends on the parts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.target import NEXT_BAR
from datamodules.transitions import Action
from tests.trainers.arena_sessions import ever_wrong, followed, session
from tests.trainers.ledger_rows import forecasts_of, outcomes_of
from trainers.scoring.arena.board import ALPHA, Board, ranked, standings_of
from trainers.scoring.arena.boundary import log_mixture, reach
from trainers.scoring.ledger import SILENT
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of

NAMES = ("sharp", "blunt", "coin", "loud")


def rows(n, seed=0, names=NAMES):
    """A ledger of a market of which some know more than others."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-rng.normal(0, 0.8, n)))
    moves = np.where(rng.random(n) < chance, 1.0, -1.0) * (rng.random(n) < 0.9)  # some are flat
    outcomes = outcomes_of(1000 + np.concatenate([[0], np.cumsum(moves)]) / 100, gaps=[n // 3])
    said = {
        "sharp": chance,
        "blunt": 0.5 + (chance - 0.5) / 3,
        "coin": np.full(n, 0.5),
        "loud": np.clip(0.5 + rng.normal(0, 0.4, n), 0.01, 0.99),
    }
    forecasts = np.concatenate(
        [forecasts_of([*said[name], 0.5], learner=i) for i, name in enumerate(names)]
    )
    missed = rng.random(len(forecasts)) < 0.05
    forecasts["status"][missed], forecasts["probability"][missed] = SILENT, np.nan
    return outcomes, forecasts


def scored_rows(outcomes, forecasts, names=NAMES):
    moves = moves_of(outcomes)
    return {name: scored_of(moves, forecasts, i) for i, name in enumerate(names)}


def taken(scored, cuts):
    board, n = Board(list(scored)), len(next(iter(scored.values())))
    edges = [0, *sorted(cuts), n]
    for start, stop in itertools.pairwise(edges):
        board.take({name: one.before(stop).since(start) for name, one in scored.items()})
    return board.standings(NAMES)


SCORED = scored_rows(*rows(1500))


@given(st.lists(st.integers(0, 1500), max_size=6))
def test_no_bit_depends_on_how_bars_are_grouped(cuts):
    assert taken(SCORED, cuts) == taken(SCORED, [])


def test_who_knows_more_is_ahead_with_the_interval_that_says_so():
    sharp, blunt, coin, loud = taken(SCORED, [])
    assert [one.name for one in (sharp, blunt, coin, loud)] == list(NAMES)
    assert [one.place for one in (sharp, blunt, coin, loud)] == [1, 2, 3, 4]
    assert sharp.ahead_of == ("blunt", "coin", "loud")
    assert (sharp.best, sharp.worst, loud.best, loud.worst) == (1, 1, 4, 4)
    assert sharp.half_width is None
    assert loud.behind - loud.half_width > 0
    assert sharp.brier < blunt.brier < coin.brier == 0.25 < loud.brier


def test_scores_are_those_by_hand():
    outcomes = outcomes_of([100, 101, 100, 101])
    forecasts = np.concatenate(
        [
            forecasts_of([0.8, 0.4, 0.5, 0.5], learner=0),
            forecasts_of([0.6, 0.6, np.nan, 0.5], learner=1),
        ]
    )
    one, other = standings_of(["a", "b"], outcomes, forecasts, NEXT_BAR, "")
    assert (one.name, one.bars, other.bars) == ("a", 3, 2)
    assert one.brier == pytest.approx((0.04 + 0.16 + 0.25) / 3)
    assert other.brier == pytest.approx((0.16 + 0.36) / 2)
    assert other.behind == pytest.approx((0.12 + 0.20) / 2)
    assert one.ahead_of == other.ahead_of == ()
    assert (one.best, one.worst) == (1, 2), "after three bars nothing is proven"


def test_nobody_is_ahead_of_one_that_says_the_same():
    outcomes, forecasts = rows(1500, names=("sharp", "sharp", "coin", "coin"))
    same = taken(scored_rows(outcomes, forecasts), [])
    ahead = {one.name: one.ahead_of for one in same}
    assert ahead["sharp"] == ahead["blunt"] == ("coin", "loud")
    assert ahead["coin"] == ahead["loud"] == ()


def test_a_lead_is_withdrawn_when_the_market_turns():
    """What is said is about the mean so far, which need not stay as it is."""
    up = np.concatenate([np.ones(300), np.zeros(900)])
    outcomes = outcomes_of(1000 + np.concatenate([[0], np.cumsum(2 * up - 1)]) / 100)
    bull, bear = (forecasts_of(np.full(1201, p), learner=i) for i, p in enumerate((0.7, 0.3)))
    scored = scored_rows(outcomes, np.concatenate([bull, bear]), ("bull", "bear"))
    found = {}
    for stop in (300, 600, 1200):
        board = Board(["bull", "bear"])
        board.take({name: one.before(stop) for name, one in scored.items()})
        found[stop] = [one.ahead_of for one in board.standings(["bull", "bear"])]
    assert found == {300: [("bear",), ()], 600: [(), ()], 1200: [("bull",), ()]}


def test_champions_agents_and_the_control_are_not_ranked():
    names = ["cnn", "dqn", "cnn.champion", "permuted_labels", "majority"]
    assert ranked(names, "permuted_labels") == ["cnn", "dqn", "majority"]
    outcomes = outcomes_of([100, 101, 100])
    rows = [forecasts_of([0.6, 0.6, 0.6], learner=i) for i in (0, 2, 3, 4)]
    agent = forecasts_of([np.nan] * 3, learner=1)
    agent["action"] = Action.BUY
    standings = standings_of(
        names, outcomes, np.concatenate([*rows, agent]), NEXT_BAR, "permuted_labels"
    )
    assert [one.name for one in standings] == ["cnn", "majority"]


def test_without_a_bar_there_is_a_place_and_no_claim():
    (one, other) = Board(["a", "b"]).standings(["a", "b"])
    assert (one.place, one.best, one.worst, one.bars, one.brier) == (1, 1, 2, 0, None)
    assert other.half_width is None
    assert Board([]).standings([]) == []


@given(
    st.floats(0, 1e5),
    st.floats(0, 2),
    st.sampled_from([0.05, 1e-3, 1e-6]),
)
def test_the_reach_is_where_the_supermartingale_gets_to_one_over_alpha(spread, bound, alpha):
    spread, bound = np.array([spread]), np.array([bound])
    found = reach(spread, bound, alpha)
    assert log_mixture(found, spread, bound)[0] == pytest.approx(-math.log(alpha), rel=1e-6)
    assert log_mixture(found * 0.99, spread, bound)[0] < -math.log(alpha)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_a_bar_does_not_raise_the_supermartingale_on_average(p, q, chance, expected):
    """Of both outcomes by their chances, whatever is known before."""
    total = p + q
    most = abs(q - p) * max(total, 2 - total)
    expected = min(max(expected, -most), most)
    bound = np.array([most + abs(expected)])
    mean = 0.0
    truth = (q - p) * (total - 2 * chance)  # the expected difference of the scores
    for up, weight in ((1.0, chance), (0.0, 1 - chance)):
        better = (q - up) ** 2 - (p - up) ** 2
        spread = np.array([(better - expected) ** 2])
        for sign in (1, -1):
            found = log_mixture(np.array([sign * (better - truth)]), spread, bound)[0]
            mean += weight * math.exp(found) / 2
    assert mean <= 1 + 1e-9


def test_anything_said_at_any_time_is_wrong_in_5_of_100_sessions_at_most():
    """And an interval for one look at one pair would be wrong in nearly all of them."""
    rng = np.random.default_rng(0)
    entrants, wrong, naive = 6, 0, 0
    share = ALPHA / (entrants * (entrants - 1))
    for _ in range(100):
        found, off = followed(*session(rng, entrants, 300))
        wrong += ever_wrong(found, off, share)
        naive += bool((off > 1.96 * np.sqrt(found.spread) + 0.05).any())
    assert wrong <= 5
    assert naive >= 60
