"""Whether the CNN learns what there is to learn, and nothing else, on markets of known rules.

A gain is what a forecaster's log-loss is below that of one half; the exact rule's is the most that
there can be. benchmarks/learning.py has the same in full.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
import torch

from benchmarks.plasticity import probe, product_moves
from tests.oracles.bounce import up_after
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Martingale, Momentum, Switch
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.learners.cnn.forecaster import EXPERTS
from trainers.learners.registry import learners_of


@pytest.fixture(autouse=True, scope="module")
def _as_in_the_trainer():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def forecast(bars, seed=0, **settings):
    """The learner after the bars, and what it said of each bar but the first: ``(T - 1,)``."""
    config = SessionConfig.of(**{"cycle_seconds": 60, "seed": seed, **settings})
    cnn = learners_of(dataclasses.replace(config, learners="cnn"))["cnn"]
    found = forecasts_of(cnn, bars, config)[:-1]
    return cnn, np.array([0.5 if each is None else each.probability for each in found])


def losses(p, up):
    return -np.log(np.where(up, p, 1 - p))


def gain(p, up):
    return math.log(2) - losses(p, up).mean()


def drawn(process, n, seed):
    path = process.draw(np.random.default_rng(seed), n)
    return path, bars_of_path(np.random.default_rng(100 + seed), path.returns)


@functools.cache
def with_momentum():
    path, bars = drawn(Momentum(0.5, 0.05), 5_000, seed=1)
    _, p = forecast(bars, cycle_seconds=120)
    return path, p


def test_it_learns_most_of_what_can_be_known_of_a_hidden_momentum():
    path, p = with_momentum()
    up, last = path.returns[1:] > 0, slice(-2_000, None)
    assert gain(p[last], up[last]) >= 0.75 * gain(path.up[1:][last], up[last]) > 0


def test_two_runs_give_the_same_bits():
    _, bars = drawn(Momentum(0.5, 0.05), 700, seed=1)
    (_, once), (_, again) = (forecast(bars, cycle_seconds=30) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    assert np.ptp(once) > 0.05


def test_a_quarter_of_an_hour_after_a_turn_it_has_learned_the_new_market():
    path, bars = drawn(Switch(every=2400), 3_601, seed=0)
    _, p = forecast(bars)
    up, best = path.returns[1:] > 0, path.up[1:]
    before, after = slice(1_400, 2_399), slice(2_400 + 900, 2_400 + 1_200)
    assert gain(p[before], up[before]) >= 0.8 * gain(best[before], up[before])
    assert gain(p[after], up[after]) >= 0.7 * gain(best[after], up[after])


def test_of_a_martingale_it_learns_the_bounce_and_nothing_more():
    returns = Martingale().draw(np.random.default_rng(1), 4_000).returns
    bars = bars_of_path(np.random.default_rng(101), returns, half_spread=1.0)
    _, p = forecast(bars, cycle_seconds=120)
    side = np.where(bars["close"] == bars["ask"], 1, -1)
    up, last = np.diff(bars["close"]) > 0, slice(-2_000, None)
    best = up_after(side, 1.0)[:-1]
    more = losses(p[last], up[last]) - losses(best[last], up[last])
    error = more.std() / math.sqrt(len(more))
    assert more.mean() > -3 * error
    assert more.mean() < 0.006
    assert gain(p[last], up[last]) > 0.1


@functools.cache
def with_products():
    rng = np.random.default_rng(0)
    moves = product_moves(rng, 6_000)
    cnn, p = forecast(bars_of_path(rng, moves), cycle_seconds=120, cnn_updates=16)
    return cnn, p, moves[1:] > 0


def test_what_no_linear_view_can_see_the_convolution_learns():
    cnn, p, up = with_products()
    trust = dict(zip(EXPERTS, np.exp(cnn._module.net.log_weights.numpy()), strict=True))
    assert trust["deep"] > 0.9
    assert trust["steady"] < 0.05
    floor = -0.7 * math.log(0.7) - 0.3 * math.log(0.3)
    assert gain(p[-1_000:], up[-1_000:]) > 0.5 * (math.log(2) - floor)


def test_before_that_it_trusts_no_view_that_knows_nothing_at_a_loss():
    _, p, up = with_products()
    assert gain(p[1_000:2_000], up[1_000:2_000]) > -0.002


def test_after_half_an_hour_of_cycles_a_new_task_is_learned_as_by_a_fresh_network():
    found = probe(60, seed=3)  # one with which a fresh network learns the task within its updates
    learned_live, learned_fresh = (math.log(2) - loss for loss in (found.live, found.fresh))
    assert learned_fresh > 0.7 * (math.log(2) - found.floor)  # the task can be learned
    assert learned_live > 0.7 * learned_fresh
    assert found.ratio <= 1.1


def test_that_a_move_follows_from_whether_the_two_before_agree_is_learned_within_the_hour():
    """The exclusive or of the last two moves: nothing of it is linear in the moves."""
    rng, n = np.random.default_rng(0), 3_600
    size, sign, best = np.abs(rng.normal(size=n)), rng.choice([-1.0, 1.0], n), np.full(n, 0.5)
    for i in range(2, n):
        best[i] += 0.26 * sign[i - 1] * sign[i - 2]
        sign[i] = 1 if rng.random() < best[i] else -1
    _, p = forecast(bars_of_path(rng, size * sign), cycle_seconds=120)
    up, last = sign[1:] > 0, slice(-1_200, None)
    assert gain(p[last], up[last]) >= 0.7 * gain(best[1:][last], up[last]) > 0.05


def test_that_a_move_follows_the_one_20_s_before_is_learned_within_an_hour_and_a_half():
    rng, n = np.random.default_rng(0), 5_400
    size, sign, best = np.abs(rng.normal(size=n)), rng.choice([-1.0, 1.0], n), np.full(n, 0.5)
    for i in range(20, n):
        best[i] += 0.26 * sign[i - 20]
        sign[i] = 1 if rng.random() < best[i] else -1
    _, p = forecast(bars_of_path(rng, size * sign), cycle_seconds=120)
    up, last = sign[1:] > 0, slice(-1_200, None)
    assert gain(p[last], up[last]) >= 0.8 * gain(best[1:][last], up[last]) > 0.05
