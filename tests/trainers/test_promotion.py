from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.transitions import Action
from tests.oracles.processes import Momentum
from tests.trainers.ledger_rows import score, score_directions
from tests.trainers.whole import judge_challenger, judge_champion, pairwise_of
from trainers.scoring.promotion.differences import ByProfit, by_brier
from trainers.scoring.promotion.pairwise import LONGEST_PACE, bars_left

N = 3600
relaxed = settings(deadline=None)  # the machine may be busy with others
FORECASTS = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=80
)


class Market:
    """Bars that go up with a known chance, and forecasters that know more or less of it.

    With ``worth`` 0.11 who knows all of it is right in 61 of 100 bars; with 0, in 50.
    """

    def __init__(self, seed, *, worth=0.11, n=N):
        self.rng = np.random.default_rng(seed)
        self.lean = self.rng.choice([-1.0, 1.0], n)
        self.up = self.rng.random(n) < 0.5 + worth * self.lean

    def knows(self, points, *, noise=0.0):
        """A calibrated forecaster that is right in 50 + ``points`` of 100 bars, and noise."""
        told = np.where(self.rng.random(len(self.up)) < (1 + points / 11) / 2, 1, -1) * self.lean
        said = 0.5 + points / 100 * told + noise * self.rng.standard_normal(len(self.up))
        return self.says(np.clip(said, 0.01, 0.99))

    def says(self, probability):
        return score_directions(self.up, np.broadcast_to(probability, len(self.up)))

    def baselines(self, **others):
        """Two that know the base rate, and others."""
        return {"majority": self.says(0.5), "last_direction": self.knows(0, noise=0.01), **others}


def until(scored, stop):
    """What was known at the close of bar ``stop - 1``, of which the label was not."""
    up = scored.moves.moved[: stop - 1] > 0
    return score_directions(up, scored.probability[: stop - 1])


def judged(challenger, champion, baselines, looks, *, judge=judge_challenger, **settings):
    """The decisions at each look."""
    found = []
    for stop in looks:
        given = [challenger, champion] if judge is judge_challenger else [challenger]
        known = [None if one is None else until(one, stop) for one in given]
        found.append(judge(*known, {n: until(b, stop) for n, b in baselines.items()}, **settings))
    return found


# ---- a challenger and a champion


def test_one_that_is_better_is_promoted_once_it_is_proven():
    market = Market(1)
    challenger, champion = market.knows(11), market.knows(6)
    early, late = judged(challenger, champion, market.baselines(), [200, N], challenge=1)
    assert early.decision == "wait"
    assert early.log_e < early.log_threshold
    assert early.bars == 199
    assert late.decision == "promote"
    assert late.log_e >= late.log_threshold
    assert late.bars_left == 0
    assert "better than champion" in late.reason


def test_one_that_is_five_points_better_is_promoted_within_half_an_hour():
    bars = []
    for seed in range(9):
        market = Market(seed)
        challenger, champion, baselines = market.knows(11), market.knows(6), market.baselines()
        looks = range(300, N, 300)
        found = judged(challenger, champion, baselines, looks, challenge=1)
        bars.append(next((v.bars for v in found if v.decision == "promote"), N))
    assert np.median(bars) <= 1800


def test_one_that_is_worse_is_kept_out_and_told_so():
    market = Market(2)
    verdict = judge_challenger(market.knows(6), market.knows(11), {}, challenge=1)
    assert verdict.decision == "keep"
    assert verdict.against == "champion"
    assert verdict.log_e >= verdict.log_threshold
    assert "champion is better" in verdict.reason


@relaxed
@given(FORECASTS)
def test_one_that_says_what_the_champion_says_is_never_promoted(rows):
    up, said, other = zip(*rows, strict=True)
    same, baseline = score_directions(up, said), score_directions(up, other)
    for baselines in ({}, {"other": baseline}):
        verdict = judge_challenger(same, same, baselines, challenge=1, alpha=0.999)
        assert verdict.decision != "promote"
    alone = judge_challenger(same, same, {}, challenge=1)
    assert alone.log_e == pytest.approx(0, abs=1e-9)
    assert alone.bars_left is None


@relaxed
@given(st.integers(1, 10_000), st.floats(1e-6, 0.5))
def test_each_challenger_has_to_show_more_than_the_one_before(k, alpha):
    market = score_directions([1], [0.5])
    first, later = (
        judge_challenger(market, market, {}, challenge=c, alpha=alpha).log_threshold
        for c in (k, k + 1)
    )
    assert math.log(1 / alpha) < first < later


def test_all_challengers_together_spend_alpha():
    one = score_directions([1], [0.5])
    spent = sum(
        math.exp(-judge_challenger(one, one, {}, challenge=k).log_threshold) for k in range(1, 2001)
    )
    assert spent == pytest.approx(0.05, rel=1e-3)
    assert spent < 0.05


def test_where_nothing_can_be_known_nobody_is_promoted_however_often_one_looks():
    promoted = 0
    for seed in range(40):
        market = Market(seed, worth=0, n=1500)
        challenger, champion = market.knows(0, noise=0.05), market.knows(0, noise=0.05)
        looks = range(60, 1500, 120)
        found = judged(challenger, champion, market.baselines(), looks, challenge=1)
        promoted += any(verdict.decision == "promote" for verdict in found)
    assert promoted <= 2


# ---- baselines beside a champion


def test_one_that_knows_nothing_does_not_replace_one_that_is_worse_than_nothing():
    for seed in range(5):
        market = Market(seed, worth=0)
        challenger, champion = market.knows(0, noise=0.01), market.knows(0, noise=0.15)
        against_it = judge_challenger(challenger, champion, {}, challenge=1)
        verdict = judge_challenger(challenger, champion, market.baselines(), challenge=1)
        assert against_it.decision == "promote"  # it is better, but ...
        assert verdict.decision == "wait"
        assert verdict.against in market.baselines()


def test_a_baseline_that_is_nearly_as_good_does_not_hold_up_a_better_challenger():
    market = Market(3)
    shy = market.says(0.5 + 0.08 * market.lean)
    baselines = market.baselines(logistic=shy)
    verdict = judge_challenger(market.knows(11), market.knows(4), baselines, challenge=1)
    assert verdict.decision == "promote"
    assert "ahead of logistic" in verdict.reason
    alone = judge_challenger(market.knows(11), None, baselines, challenge=1)
    assert alone.decision == "wait"


def test_one_that_is_behind_the_best_baseline_is_not_promoted():
    market = Market(4)
    baselines = market.baselines(logistic=market.knows(8.5))
    verdict = judge_challenger(market.knows(8), market.knows(0, noise=0.1), baselines, challenge=1)
    assert verdict.decision == "wait"
    assert "behind logistic" in verdict.reason
    assert verdict.bars_left is None


def test_one_that_a_baseline_is_proven_better_than_is_kept_out():
    market = Market(5)
    baselines = market.baselines(logistic=market.knows(11))
    verdict = judge_challenger(market.knows(4), market.knows(0, noise=0.1), baselines, challenge=1)
    assert (verdict.decision, verdict.against) == ("keep", "logistic")


def test_a_baseline_that_is_the_only_one_has_to_be_beaten_by_proof():
    ahead = 0
    for seed in range(5):
        market = Market(seed, worth=0)
        challenger, champion = market.says(0.5), market.knows(0, noise=0.15)
        shy = market.knows(0, noise=0.01)
        verdict = judge_challenger(challenger, champion, {"shy": shy}, challenge=1)
        assert (verdict.decision, verdict.against) == ("wait", "shy")
        ahead += by_brier(challenger, shy).gain.sum() > 0
    assert ahead  # being ahead is not enough


def test_a_baseline_that_missed_most_bars_is_not_judged_by():
    market = Market(5)
    late = market.says(np.where(np.arange(N) < 0.6 * N, np.nan, 0.5))
    known = market.says(np.where(np.arange(N) < 0.4 * N, np.nan, 0.5))
    challenger = market.knows(11)
    verdicts = [
        judge_challenger(challenger, None, {"one": one}, challenge=1) for one in (late, known)
    ]
    assert [verdict.against for verdict in verdicts] == [None, "one"]
    assert [verdict.decision for verdict in verdicts] == ["wait", "promote"]


# ---- the first champion


def test_the_first_champion_has_to_be_proven_better_than_every_baseline():
    market = Market(8)
    challenger, baselines = market.knows(11), market.baselines(good=market.knows(5))
    early, late = judged(challenger, None, baselines, [150, N], challenge=1)
    assert (early.decision, early.against) == ("wait", "good")
    assert late.decision == "promote"
    equal = market.baselines(good=challenger)
    verdict = judge_challenger(challenger, None, equal, challenge=1)
    assert (verdict.decision, verdict.against, verdict.bars_left) == ("wait", "good", None)


def test_without_a_champion_noise_is_not_promoted():
    promoted = 0
    for seed in range(40):
        market = Market(seed, worth=0, n=1500)
        challenger = market.knows(0, noise=(0.0, 0.02, 0.05)[seed % 3])
        noisy = {"noisy": market.knows(0, noise=0.05)}
        looks = range(60, 1500, 120)
        found = judged(challenger, None, market.baselines(**noisy), looks, challenge=1)
        promoted += any(verdict.decision == "promote" for verdict in found)
    assert promoted <= 2


def test_without_anything_to_be_compared_with_nobody_is_promoted():
    verdict = judge_challenger(Market(0).knows(11), None, {}, challenge=1)
    assert (verdict.decision, verdict.against, verdict.bars) == ("wait", None, 0)


# ---- which bars count


def test_bars_before_the_test_began_do_not_count():
    market = Market(9)
    challenger, champion = market.knows(11), market.knows(5)
    assert judge_challenger(challenger, champion, {}, challenge=1).decision == "promote"
    start = N - 30
    verdict = judge_challenger(challenger.since(start), champion.since(start), {}, challenge=1)
    assert verdict.bars == 30
    assert verdict.decision == "wait"


def test_bars_that_one_of_both_missed_do_not_count():
    up = [1, 0, 1, 1]
    ours = score_directions(up, [0.9, np.nan, 0.9, 0.9])
    other = score_directions(up, [0.5, 0.5, np.nan, 0.5])
    assert judge_challenger(ours, other, {}, challenge=1).bars == 2


# ---- how long it may still take


def test_no_time_is_told_to_one_that_does_not_gain():
    market = Market(10)
    verdict = judge_challenger(market.knows(5), market.knows(5.3), {}, challenge=1, alpha=1e-9)
    assert verdict.decision == "wait"
    assert verdict.bars_left is None


def test_no_time_is_told_after_a_few_bars():
    market = Market(1)
    few, more = judged(market.knows(11), market.says(0.5), {}, [60, 61], challenge=1)
    assert (few.bars, few.bars_left) == (59, None)
    assert more.bars_left > 0
    assert more.reason.endswith(f", about {more.bars_left:,} bars to go at this pace")


def test_the_time_told_is_what_it_takes_at_an_even_pace():
    ours, other = (score_directions(np.ones(600), np.full(600, p)) for p in (0.53, 0.5))
    looks = range(70, 600)
    early, *later = judged(ours, other, {}, looks, challenge=1)
    took = next(verdict.bars for verdict in later if verdict.decision == "promote") - early.bars
    assert early.bars_left == pytest.approx(took, rel=0.1)


def test_no_time_is_told_if_it_is_more_than_a_day():
    ours, other = (score_directions(np.ones(100), np.full(100, p)) for p in (0.53, 0.5))
    evidence = pairwise_of("other", ours, other, by_brier).won
    near, far = (
        evidence.log_value + evidence.rate * bars for bars in (LONGEST_PACE - 1, LONGEST_PACE + 1)
    )
    assert bars_left(evidence, near) == pytest.approx(LONGEST_PACE - 1, abs=1)
    assert bars_left(evidence, far) is None


def test_the_time_told_is_that_of_the_slowest():
    market = Market(12)
    champion, baselines = market.knows(0), market.baselines(good=market.knows(9))
    slow, fast = (
        judged(market.knows(11), champion, given, [300], challenge=1)[0]
        for given in (baselines, {})
    )
    assert fast.bars_left is None or slow.bars_left is None or slow.bars_left >= fast.bars_left


# ---- the champion


def test_a_champion_that_turned_to_noise_is_rolled_back():
    market = Market(13)
    good, noise = market.knows(11).probability[:-1], 0.5 + 0.11 * market.rng.choice([-1, 1], N)
    champion = market.says(np.where(np.arange(N) < 1200, good, noise))
    baselines = market.baselines(reversal=market.knows(5))
    before, after = judged(champion, None, baselines, [1200, N], judge=judge_champion)
    assert before.decision == "keep"
    assert (after.decision, after.bars_left) == ("rollback", 0)
    assert after.log_e >= after.log_threshold


def test_a_champion_that_is_better_than_the_baselines_stays():
    for seed in range(20):
        market = Market(seed)
        baselines = market.baselines(good=market.knows(9))
        verdict = judge_champion(market.knows(11), baselines)
        assert verdict.decision == "keep"


def test_a_champion_as_good_as_a_baseline_is_hardly_ever_rolled_back():
    rolled_back = 0
    for seed in range(40):
        market = Market(seed, worth=0, n=1500)
        champion, looks = market.knows(0, noise=0.05), range(60, 1500, 120)
        same = {"same": market.knows(0, noise=0.05)}
        found = judged(champion, None, same, looks, judge=judge_champion)
        rolled_back += any(verdict.decision == "rollback" for verdict in found)
    assert rolled_back <= 2


def test_the_more_baselines_the_more_each_has_to_show():
    market = Market(14)
    one, two = (
        judge_champion(market.knows(5), dict(list(market.baselines().items())[:n])) for n in (1, 2)
    )
    assert one.log_threshold == pytest.approx(math.log(1 / 0.05))
    assert two.log_threshold == pytest.approx(math.log(2 / 0.05))


def test_a_champion_with_nothing_to_be_compared_with_stays():
    assert judge_champion(Market(0).knows(5), {}).decision == "keep"


# ---- agents


def agents(seed, n=2 * N):
    """One that knows what hidden momentum tells, and one each that is flat, in, and by chance."""
    rng = np.random.default_rng(seed)
    path = Momentum().draw(rng, n + 1)
    mids = 100 * np.exp(1e-4 * np.cumsum(path.returns))
    knows = np.where(
        path.mean[1:] > 0.1, Action.BUY, np.where(path.mean[1:] < -0.1, Action.SELL, Action.HOLD)
    )
    drawn = rng.random(n)
    by_chance = np.where(drawn < 0.05, Action.BUY, np.where(drawn > 0.95, Action.SELL, Action.HOLD))
    signals = {"knows": knows, "flat": Action.SELL, "buy_and_hold": Action.BUY, "random": by_chance}
    return {
        name: score(
            mids, np.full(n + 1, np.nan), signals=np.append(np.broadcast_to(s, n), Action.HOLD)
        )
        for name, s in signals.items()
    }


@pytest.mark.parametrize("champion", ["flat", "random", None])
def test_an_agent_that_earns_more_is_promoted(champion):
    others = agents(1)
    challenger, replaced = others.pop("knows"), others.get(champion)
    verdict = judge_challenger(challenger, replaced, others, challenge=1, compare=ByProfit(0.2))
    assert verdict.decision == "promote"
    assert verdict.bars == 2 * N
    assert "bp a bar" in verdict.reason


@pytest.mark.parametrize("seed", range(5))
def test_an_agent_that_does_not_earn_its_costs_is_not_promoted(seed):
    others = agents(seed)
    challenger = others.pop("knows")
    verdict = judge_challenger(challenger, None, others, challenge=1, compare=ByProfit(3.0))
    assert verdict.decision in ("wait", "keep")


def test_an_agent_that_loses_to_being_flat_is_rolled_back():
    others = agents(2)
    verdict = judge_champion(others["random"], {"flat": others["flat"]}, compare=ByProfit(1.0))
    assert (verdict.decision, verdict.against) == ("rollback", "flat")


# ---- the record


@relaxed
@given(FORECASTS, st.integers(1, 10**6))
def test_a_verdict_is_json_with_finite_numbers(rows, k):
    up, said, other = zip(*rows, strict=True)
    ours, theirs = score_directions(up, said), score_directions(up, other)
    for verdict in (
        judge_challenger(ours, theirs, {"one": theirs}, challenge=k),
        judge_challenger(ours, None, {"one": theirs, "two": ours}, challenge=k),
        judge_champion(ours, {"one": theirs}),
    ):
        kept = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
        assert tuple(kept.values()) == tuple(verdict)
        assert type(verdict.log_e) is type(verdict.log_threshold) is float
