"""Processes whose Bayes rule is known: it is exact, and its figures are those of the theory.

The figures that are not derived here are those of a table of Monte Carlo estimates, to its digits.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest

from streaming.bars import BAR, Bars
from streaming.exchange.markets.arrivals import Arrivals
from streaming.exchange.markets.hawkes import PERSISTENT
from streaming.ticks import NS_PER_S
from tests.oracles.bayes import Answer, Path, Predictable, Stationary, after_book, answer_of
from tests.oracles.bounce import bounce_answer, up_after
from tests.oracles.chain import Chain
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.hawkes import Hawkes, orders_per_s
from tests.oracles.processes import AR1, Martingale, Momentum, Signs, Switch
from tests.oracles.signal import Signal
from tests.oracles.trading import advantage_of_in, earned, positions_of

STATIONARY = [Martingale(), AR1(), AR1(-0.6), Signs(), Momentum(), Momentum(1.0, 0.95)]
PROCESSES = [*STATIONARY, Switch(every=500)]
EACH = pytest.mark.parametrize("process", PROCESSES, ids=repr)
N = 100_000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@functools.cache
def drawn(process: Predictable) -> Path:
    """One long path, for all that is asked of its process."""
    return process.draw(rng(1), N)


@functools.cache
def answer(process: Predictable) -> Answer:
    return process.answer()


def scored(path: Path) -> tuple[float, float]:
    """Accuracy and log-loss of the path's probabilities on what came."""
    came = np.where(path.returns > 0, path.up, 1 - path.up)
    return float(np.mean(came > 0.5) + np.mean(came == 0.5) / 2), float(-np.log(came).mean())


# Processes


@EACH
def test_the_rule_knows_the_past_only(process: Predictable) -> None:
    path = process.draw(rng(), 1200)
    changed = path.returns.copy()
    changed[700:] = rng(1).standard_normal(500)
    again = process.predict(changed)
    assert (again.up[:701] == path.up[:701]).all()
    assert (again.mean[:701] == path.mean[:701]).all()


@EACH
def test_its_probabilities_come_true_at_every_level(process: Predictable) -> None:
    path = drawn(process)
    levels = np.unique(np.quantile(path.up, np.linspace(0, 1, 9)))
    bins = np.digitize(path.up, levels[1:-1])
    for each in np.unique(bins):
        up = path.up[bins == each]
        error = np.mean(path.returns[bins == each] > 0) - up.mean()
        assert abs(error) < 4 * math.sqrt(0.25 / len(up))


@EACH
def test_its_means_come_true_at_every_level(process: Predictable) -> None:
    path = drawn(process)
    for part in np.array_split(np.argsort(path.mean), 8):
        error = path.returns[part].mean() - path.mean[part].mean()
        assert abs(error) < 4 * path.returns[part].std() / math.sqrt(len(part))


@EACH
def test_what_it_scores_is_its_answer(process: Predictable) -> None:
    assert scored(drawn(process)) == pytest.approx(answer(process), abs=0.006)


@EACH
def test_who_sees_the_book_too_scores_its_answer(process: Predictable) -> None:
    path, shows = drawn(process), 0.65
    came = np.where(path.returns > 0, 1, -1)
    leans = np.where(rng(2).random(N) < shows, came, -came)
    seen = path._replace(up=after_book(path.up, leans, shows))
    assert scored(seen) == pytest.approx(process.answer(shows), abs=0.006)


def test_a_book_that_tells_nothing_changes_nothing() -> None:
    assert Momentum().answer(0.5) == pytest.approx(answer(Momentum()))
    assert Martingale().answer(0.7).accuracy == pytest.approx(0.7)


@EACH
def test_the_same_seed_draws_the_same_path_and_another_another(process: Predictable) -> None:
    first, again, other = (process.draw(rng(seed), 50) for seed in (5, 5, 6))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first.returns == other.returns).any()


@EACH
def test_blocks_go_on_where_the_one_before_has_ended(process: Predictable) -> None:
    blocks = itertools.islice(process.blocks(rng(4), 3), 8_000)
    accuracy, _ = scored(process.predict(np.concatenate(list(blocks))))
    assert accuracy == pytest.approx(answer(process).accuracy, abs=0.012)


@pytest.mark.parametrize("carry", [0.1, -0.3, 0.9])
def test_autoregression_has_its_closed_form(carry: float) -> None:
    figures = AR1(carry).answer()
    assert figures.accuracy == pytest.approx(0.5 + math.asin(abs(carry)) / math.pi, abs=2e-4)
    if abs(carry) < 0.5:
        series = carry**2 / (math.pi * (1 - carry**2))
        assert math.log(2) - figures.log_loss == pytest.approx(series, rel=0.1)


@pytest.mark.parametrize("same", [0.6, 0.3])
def test_the_answer_for_signs_is_their_entropy(same: float) -> None:
    entropy = -same * math.log(same) - (1 - same) * math.log(1 - same)
    assert Signs(same).answer() == pytest.approx((max(same, 1 - same), entropy))


def test_nothing_is_known_of_a_martingale() -> None:
    assert Martingale().answer() == pytest.approx((0.5, math.log(2)))


@pytest.mark.parametrize(
    ("drift", "flip", "accuracy", "log_loss", "no_change"),
    [
        (0.25, 0.01, 0.565, 0.6831, 0.520),
        (0.25, 0.05, 0.536, 0.6896, 0.516),
        (0.5, 0.01, 0.661, 0.6373, 0.571),
        (0.5, 0.05, 0.612, 0.6633, 0.566),
        (0.5, 0.1, 0.584, 0.6755, 0.559),
        (1.0, 0.05, 0.767, 0.5315, 0.711),
    ],
)
def test_momentum_has_the_figures_of_the_table(drift, flip, accuracy, log_loss, no_change) -> None:
    process = Momentum(drift, flip)
    assert answer(process) == pytest.approx((accuracy, log_loss), abs=8e-4)
    path = process.draw(rng(), N)
    assert answer_of(path.up) == pytest.approx((accuracy, log_loss), abs=5e-3)
    up = path.returns > 0
    assert np.mean(up[1:] == up[:-1]) == pytest.approx(no_change, abs=7e-3)


def test_reversal_is_known_as_well_as_momentum() -> None:
    assert answer(Momentum(1.0, 0.95)) == pytest.approx(answer(Momentum(1.0, 0.05)), abs=1e-6)


def test_a_switch_makes_what_was_learned_wrong() -> None:
    switch = Switch(every=50_000)
    path = switch.draw(rng(), 2 * switch.every)
    momentum, _ = switch.phases
    before, after = (Path(*(x[half] for x in momentum.predict(path.returns)))
                     for half in (slice(0, switch.every), slice(switch.every, None)))  # fmt: skip
    assert scored(before)[0] == pytest.approx(0.767, abs=0.01)
    assert scored(after)[0] < 0.5
    up = path.returns > 0
    same = up[1:] == up[:-1]
    assert np.mean(same[: switch.every]) == pytest.approx(0.711, abs=0.01)
    assert np.mean(same[switch.every :]) == pytest.approx(1 - 0.711, abs=0.01)


# Orders


@pytest.mark.parametrize(
    ("own", "other", "accuracy", "no_change", "log_loss"),
    [(0.7, 0.0, 0.711, 0.688, 0.566), (0.5, 0.2, 0.562, 0.550, 0.684),
     (0.4, 0.3, 0.519, 0.514, 0.692)],
)  # fmt: skip
def test_the_next_order_s_side_is_known_as_the_table_says(
    own, other, accuracy, no_change, log_loss
) -> None:
    flow = Hawkes(Arrivals(3.0, own, other, 5.0)).draw(rng(), 200)
    assert answer_of(flow.buy) == pytest.approx((accuracy, log_loss), abs=6e-3)
    assert np.mean(flow.side[1:] == flow.side[:-1]) == pytest.approx(no_change, abs=6e-3)


def test_its_probability_comes_true_at_every_level() -> None:
    flow = Hawkes(Arrivals(3.0, 0.5, 0.2, 5.0)).draw(rng(1), 200)
    for part in np.array_split(np.argsort(flow.buy), 10):
        error = np.mean(flow.side[part] > 0) - flow.buy[part].mean()
        assert abs(error) < 4 * math.sqrt(0.25 / len(part))


def test_buys_and_sells_have_the_same_rule() -> None:
    flow = Hawkes().draw(rng(), 5)
    assert flow.buy + Hawkes().buy(flow.time, -flow.side) == pytest.approx(1, abs=1e-6)
    assert flow.buy[0] == pytest.approx(0.5)


def test_orders_come_at_the_rate_of_the_process() -> None:
    flow = Hawkes().draw(rng(), 200)
    assert len(flow.side) / (200 * 60) == pytest.approx(orders_per_s(PERSISTENT), rel=0.03)
    assert (np.diff(flow.time) >= 0).all()


# Trading


@pytest.mark.parametrize(
    ("carry", "sd", "cost", "threshold", "per_bar"),
    [
        (0.9, 0.5, 0.5, 0.22, 0.317),
        (0.9, 0.5, 1.0, 0.32, 0.275),
        (0.98, 0.3, 1.0, 0.15, 0.206),
        (0.5, 0.5, 0.5, 0.36, 0.189),
    ],
)
def test_the_best_trader_of_a_signal_is_that_of_the_table(
    carry, sd, cost, threshold, per_bar
) -> None:
    best = Signal(carry, sd).optimum(cost, (-1, 1))
    assert best.threshold == pytest.approx(threshold, abs=0.006)
    assert best.per_bar == pytest.approx(per_bar, abs=0.005)


def test_a_shown_signal_is_the_expected_return_and_carries_over() -> None:
    signal, returns = Signal(0.9, 0.5, noise=2.0).draw(rng(), N)
    assert (returns - signal).std() == pytest.approx(2.0, rel=0.02)
    assert abs(np.corrcoef(returns - signal, signal)[0, 1]) < 4 / math.sqrt(N)
    assert signal.std() == pytest.approx(0.5, rel=0.03)
    assert np.corrcoef(signal[1:], signal[:-1])[0, 1] == pytest.approx(0.9, abs=0.01)


def sampled(cost: float, *thresholds: float) -> list[float]:
    """What threshold rules earn a bar on one long draw of the default signal."""
    signal = Signal().draw(rng(), 5 * N).signal
    return [float(earned(positions_of(signal, at), signal, cost).mean()) for at in thresholds]


def test_playing_the_threshold_earns_the_optimum_and_no_other_does() -> None:
    best = Signal().optimum(1.0)
    at = best.threshold
    by_rule, lower, higher, myopic, by_sign = sampled(1.0, at, 0.7 * at, 1.5 * at, 1.0, 0.0)
    assert by_rule == pytest.approx(best.per_bar, abs=0.003)
    assert max(lower, higher) < 0.98 * by_rule
    assert max(myopic, by_sign) < 0.5 * by_rule


@pytest.mark.parametrize("process", [*STATIONARY], ids=repr)
def test_the_best_trader_of_a_process_earns_its_figure(process: Stationary) -> None:
    path, best = drawn(process), process.optimum(0.1)
    held = positions_of(path.mean, best.threshold)
    assert earned(held, path.mean, 0.1).mean() == pytest.approx(best.per_bar, abs=0.006)
    assert np.abs(np.diff(held)).mean() == pytest.approx(best.turnover, abs=0.01)


def test_out_or_in_earns_half_of_short_or_long() -> None:
    half, whole = (Momentum().optimum(0.5, positions) for positions in ((0, 1), (-1, 1)))
    assert whole == pytest.approx((2 * half.per_bar, 2 * half.turnover, half.threshold))


@pytest.mark.parametrize("process", [Martingale(), Momentum(), Signs()], ids=repr)
def test_who_pays_too_much_never_trades(process: Stationary) -> None:
    best = process.optimum(50.0)
    assert best == (0.0, 0.0, math.inf)
    assert not positions_of(process.draw(rng(), 100).mean, best.threshold).any()


def test_an_advantage_that_does_not_settle_is_raised_and_not_returned() -> None:
    never = Chain(np.array([-1.0, 1.0]), np.eye(2))
    with pytest.raises(ArithmeticError, match="cost: got"):
        advantage_of_in(never, never.states, 1e5)


def test_costs_are_those_of_every_change_of_position() -> None:
    held = positions_of(np.array([0.0, 0.5, 0.1, -0.1, -0.5, 0.1]), 0.3)
    assert held.tolist() == [0, 1, 1, 1, 0, 0]
    assert earned(held, np.ones(6), 2.0).tolist() == [0, -1, 1, 1, -2, 0]
    assert earned(np.ones(2), np.ones(2), 2.0).tolist() == [-1, 1]


def test_a_trader_is_out_until_it_first_wants_in() -> None:
    assert positions_of(np.array([0.0, 0.1, 0.5]), 0.3).tolist() == [0, 0, 1]
    assert positions_of(np.array([0.0, 0.5, -0.5]), 0.3, (-1, 1)).tolist() == [-1, 1, -1]


# Bars


@pytest.fixture(scope="module")
def bars() -> Bars:
    return bars_of_path(rng(), Momentum().draw(rng(), N).returns, half_spread=1.0)


def test_drawn_bars_are_bars(bars: Bars) -> None:
    assert bars.dtype == BAR
    assert (np.diff(bars["ts_open"]) == NS_PER_S).all()
    assert not (bars["ts_open"] % NS_PER_S).any()
    for name in ("open", "close"):
        assert (bars["low"] <= bars[name]).all()
        assert (bars[name] <= bars["high"]).all()
    assert (np.abs(bars["signed_volume"]) <= bars["volume"]).all()
    assert (bars["low"] * bars["volume"] <= bars["notional"]).all()
    assert (bars["notional"] <= bars["high"] * bars["volume"]).all()
    assert (np.diff(bars["final_seq"]) == bars["trades"][1:]).all()
    assert (bars["trades"] > 0).all()
    assert not bars["gap"].any()


def test_their_closes_are_the_path(bars: Bars) -> None:
    returns = Momentum().draw(rng(), N).returns
    plain = bars_of_path(rng(), returns, sigma=1e-4, price=100.0, start_s=7)
    moves = np.diff(np.log(plain["close"]), prepend=math.log(100.0))
    np.testing.assert_allclose(moves, 1e-4 * returns, atol=1e-12)
    assert (plain["bid"] == plain["close"]).all()
    np.testing.assert_allclose(plain["open"][1:], plain["close"][:-1])
    assert plain["ts_open"][0] == 7 * NS_PER_S
    mid = np.log(bars["bid"] * bars["ask"]) / 2
    np.testing.assert_allclose(np.diff(mid), 0.3e-4 * returns[1:], atol=1e-12)


def test_bars_open_and_close_at_bid_or_ask_by_a_toss_up(bars: Bars) -> None:
    bought = bars["close"] == bars["ask"]
    assert (bars["close"][~bought] == bars["bid"][~bought]).all()
    mid = np.sqrt(bars["bid"] * bars["ask"])
    opened_up, moved_up = bars["open"][1:] > mid[:-1], np.diff(mid) > 0
    tosses = np.corrcoef([bought[1:], bought[:-1], opened_up, moved_up])
    assert np.abs(tosses - np.eye(4)).max() < 4 / math.sqrt(N)
    np.testing.assert_allclose(np.log(bars["ask"] / bars["bid"]), 0.6e-4, atol=1e-12)


def test_volume_and_takers_know_nothing_of_the_moves(bars: Bars) -> None:
    move = np.diff(np.log(bars["bid"]))
    for known in (
        bars["volume"],
        bars["signed_volume"],
        bars["trades"],
        bars["high"] - bars["low"],
    ):
        assert abs(np.corrcoef(known[:-1], move)[0, 1]) < 4 / math.sqrt(N)
    assert np.log(bars["volume"]).std() == pytest.approx(0.6, rel=0.02)


@pytest.mark.parametrize(("half_spread", "share"), [(0.5, 0.67), (1.0, 0.74), (2.0, 0.75)])
def test_a_bounce_is_taken_back_in_its_share_of_bars(half_spread: float, share: float) -> None:
    made = bars_of_path(rng(), Martingale().draw(rng(1), N).returns, half_spread=half_spread)
    side = np.where(made["close"] == made["ask"], 1, -1).astype(np.int8)
    back = (np.diff(made["close"]) > 0) == (side[:-1] < 0)
    assert bounce_answer(half_spread).accuracy == pytest.approx(share, abs=0.005)
    assert back.mean() == pytest.approx(bounce_answer(half_spread).accuracy, abs=0.006)
    path = Path(np.diff(made["close"]), up_after(side, half_spread)[:-1], np.zeros(N - 1))
    assert scored(path) == pytest.approx(bounce_answer(half_spread), abs=0.006)


def test_a_bounce_has_rolls_autocorrelation() -> None:
    made = bars_of_path(rng(), Martingale().draw(rng(1), N).returns, half_spread=1.0)
    move = np.diff(np.log(made["close"]))
    assert np.corrcoef(move[1:], move[:-1])[0, 1] == pytest.approx(-1 / 3, abs=0.01)
