"""The Gymnasium environment: what an action earns, when an episode ends, what is seen."""

import warnings

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from datamodules.trading_env import TradingEnv, observed
from datamodules.transitions import STATE_BARS, Action, Transitions, make_transitions
from streaming.bars import BAR
from streaming.ticks import NS_PER_S
from tests.datamodules.samples import SIDES
from trainers.learners.dqn.agent import inputs_of

COST = 2.0


def market(n=120, seed=0, gap_at=None):
    rng = np.random.default_rng(seed)
    bars = np.zeros(n, BAR)
    bars["ts_open"] = np.arange(n) * NS_PER_S
    bars["close"] = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, n)))
    for name in SIDES:
        bars[name] = bars["close"]
    bars["volume"] = rng.lognormal(0, 1, n)
    if gap_at is not None:
        bars["gap"][gap_at] = 1
    return make_transitions(bars)


@pytest.fixture
def transitions():
    return market()


@pytest.fixture
def env(transitions):
    return TradingEnv(transitions, cost_bps=COST)


def step_through(env, actions):
    return [env.step(action) for action in actions]


def test_gymnasium_finds_nothing_wrong_with_it(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*not having a spec.*")
        warnings.filterwarnings("ignore", ".*render.*")
        check_env(env, skip_render_check=True)


def test_rewards_are_the_return_while_in_the_market_less_a_fee_for_each_change(env, transitions):
    env.reset(seed=0)
    rewards = [
        step[1]
        for step in step_through(
            env, [Action.HOLD, Action.BUY, Action.HOLD, Action.BUY, Action.SELL, Action.SELL]
        )
    ]
    ret = transitions.ret
    assert rewards == pytest.approx([0, ret[1] - COST, ret[2], ret[3], -COST, 0])


def test_the_position_is_the_last_number_seen(env):
    env.reset(seed=0)
    assert [
        step[0][-1]
        for step in step_through(env, [Action.HOLD, Action.BUY, Action.HOLD, Action.SELL])
    ] == [0, 1, 1, 0]


def test_what_is_seen_after_a_step_is_the_state_of_the_next_transition(env, transitions):
    first, _ = env.reset(seed=0)
    states = observed(transitions.rows[:, :-1], env.unit_bps)
    assert np.array_equal(first[:-1], states[0])
    seen = [step[0] for step in step_through(env, [Action.HOLD] * (len(states) - 1))]
    assert np.array_equal([one[:-1] for one in seen], states[1:])


def test_an_episode_is_truncated_at_the_end_of_the_data_and_never_terminated(env, transitions):
    env.reset(seed=0)
    steps = step_through(env, [Action.BUY] * len(transitions.ret))
    assert [step[3] for step in steps] == [False] * (len(steps) - 1) + [True]
    assert not any(step[2] for step in steps)
    last = observed(transitions.rows[-1:, 1:], env.unit_bps)[0]
    assert np.array_equal(steps[-1][0][:-1], last)


def test_no_episode_crosses_a_gap_and_the_next_one_starts_behind_it():
    transitions = market(200, gap_at=120)
    n_before = int((transitions.ts < 120 * NS_PER_S).sum())
    env = TradingEnv(transitions)
    env.reset(seed=0)
    steps = step_through(env, [Action.HOLD] * n_before)
    assert [step[3] for step in steps] == [False] * (n_before - 1) + [True]
    behind, _ = env.reset()
    states = observed(transitions.rows[:, :-1], env.unit_bps)
    assert np.array_equal(behind[:-1], states[n_before])
    steps = step_through(env, [Action.HOLD] * (len(states) - n_before))
    assert steps[-1][3]
    again, _ = env.reset()
    assert np.array_equal(again[:-1], states[0])


def test_a_reset_takes_the_position_and_its_seed_starts_over(env):
    first, _ = env.reset(seed=1)
    step_through(env, [Action.BUY, Action.BUY])
    again, _ = env.reset(seed=2)
    assert np.array_equal(first, again)


def test_an_episode_may_start_anywhere(env, transitions):
    seen, _ = env.reset(options={"start": 7})
    assert np.array_equal(seen[:-1], observed(transitions.rows[7:8, :-1], env.unit_bps)[0])
    assert env.step(Action.BUY)[1] == pytest.approx(transitions.ret[7] - COST)


@pytest.mark.parametrize("start", [-1, 10_000])
def test_a_start_outside_the_data_is_refused(env, start):
    with pytest.raises(ValueError, match="start"):
        env.reset(options={"start": start})


def test_an_unknown_action_is_refused(env):
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action"):
        env.step(3)


def test_without_a_transition_there_is_no_environment():
    nothing = Transitions(np.zeros((0, STATE_BARS + 1, 3)), np.zeros(0), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="transition"):
        TradingEnv(nothing)


def test_it_is_seen_as_the_networks_of_the_dqn_see_it(transitions):
    theirs = inputs_of(torch.from_numpy(transitions.rows[:, :-1]), torch.tensor(0.7)).numpy()
    ours = observed(transitions.rows[:, :-1], 0.7)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_all_that_is_seen_lies_within_the_space(env, transitions):
    seen, _ = env.reset(seed=0)
    for action in np.random.default_rng(0).integers(0, 3, len(transitions.ret)):
        assert seen in env.observation_space
        seen, reward, *_ = env.step(action)
        assert np.isfinite(reward)
