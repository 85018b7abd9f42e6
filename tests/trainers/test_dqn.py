from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch

from datamodules.features import WARMUP
from datamodules.transitions import BUY, HOLD, SELL
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from trainers.config import SessionConfig
from trainers.learners.dqn import DQN, DQNModule
from trainers.learners.learner import as_forecast
from trainers.learners.agent import Agent, ValueNet
from trainers.scoring.scores import Scores


def module_with(gamma=0.9, fee_bps=3.0, tau=0.25):
    torch.manual_seed(4)
    made = DQNModule(ValueNet(), learning_rate=1e-3, gamma=gamma, tau=tau, fee_bps=fee_bps)
    made.target = copy.deepcopy(ValueNet().net).requires_grad_(False)  # not the online one's
    with torch.no_grad():
        for net in (made.values.net, made.target):
            net[-1].weight.mul_(10)  # values far enough apart for costs to matter
    return made


def bellman(module, next_state, ret, cost):
    """Worth of holding a = 0, 1: a * ret + gamma * value afterwards, sample by sample."""
    with torch.no_grad():
        online, priced = module.values.net(next_state).double(), module.target(next_state).double()
    worth = torch.zeros_like(online)
    for k, b, position in itertools.product(*map(range, worth.shape)):
        kept, left = (float(online[k, b, a]) for a in (position, 1 - position))
        best = 1 - position if left - cost > kept else position
        value = float(priced[k, b, best]) - cost * abs(best - position)
        worth[k, b, position] = position * float(ret[k, b]) + module.gamma * value
    return worth


@pytest.mark.parametrize("fee_bps", [0.0, 0.6, 200.0])
def test_the_target_is_that_of_the_bellman_equation_worked_out_by_hand(fee_bps):
    module = module_with(fee_bps=fee_bps)
    module.values.unit.fill_(2.0)  # bp, so that costs are half as many units
    next_state, ret = torch.randn(3, 32, 30), torch.randn(3, 32)
    target = module.td_target(next_state, ret)
    wanted = bellman(module, next_state, ret, cost=fee_bps / 2)
    torch.testing.assert_close(target.double(), wanted, rtol=1e-5, atol=1e-6)
    assert not target.requires_grad


def test_costs_and_the_target_network_matter_to_the_target():
    module, next_state, ret = module_with(fee_bps=0.0), torch.randn(1, 64, 30), torch.randn(1, 64)
    free = module.td_target(next_state, ret)
    module.fee_bps = 0.3
    costly = module.td_target(next_state, ret)
    assert (costly <= free).float().mean() > 0.5
    assert (costly != free).any()
    module.target.load_state_dict(module.values.net.state_dict())
    assert (module.td_target(next_state, ret) != costly).any()


def test_the_target_network_moves_only_by_following_the_online_one():
    bars = random_bars(200)
    for tau, followed in ((0.0, False), (1.0, True)):
        dqn = learner(dqn_tau=tau)
        before = [p.clone() for p in dqn._module.target.parameters()]
        dqn.learn(snapshot_of(bars))
        target = list(dqn._module.target.parameters())
        online = list(dqn._module.values.net.parameters())
        assert all(torch.equal(a, b) for a, b in zip(target, before, strict=True)) != followed
        assert all(torch.equal(a, b) for a, b in zip(target, online, strict=True)) == followed
        assert not any(p.requires_grad for p in target)


def test_the_target_follows_by_tau():
    module = module_with(tau=0.25)
    online = [p.detach().clone() for p in module.values.net.parameters()]
    before = [p.clone() for p in module.target.parameters()]
    module._follow()
    for target, was, goal in zip(module.target.parameters(), before, online, strict=True):
        torch.testing.assert_close(target, was + 0.25 * (goal - was))


@pytest.mark.parametrize(
    "gain, wanted", [(5.0, (BUY, HOLD)), (2.0, (HOLD, HOLD)), (-2.0, (HOLD, HOLD)), (-5.0, (0, 2))]
)
def test_the_agent_changes_its_position_only_for_more_than_the_cost(gain, wanted):
    values = ValueNet()
    with torch.no_grad():
        values.net[-1].weight.zero_()
        values.net[-1].bias.copy_(torch.tensor([0.0, gain / 2]))
    values.unit.fill_(2.0)
    decided = Agent(values, fee_bps=3.0).decide(torch.rand(1, 10, 3, dtype=torch.float64) + 1)
    assert decided[0].tolist() == [0.0, gain, *wanted]
    assert wanted[1] in (HOLD, SELL)


def test_states_are_free_of_price_level_and_volume_unit():
    values, state = ValueNet(), torch.rand(4, 10, 3, dtype=torch.float64) + 50
    other = state * torch.tensor([1000.0, 7.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(values.normalise(state), values.normalise(other))


def test_a_state_without_volume_or_move_is_finite():
    assert torch.isfinite(ValueNet()(torch.zeros(1, 10, 3) + torch.tensor([9.0, 0, 50]))).all()


def learner(**knobs):
    return DQN(SessionConfig(learners="dqn", **{"dqn_updates": 100, **knobs}))


def test_epsilon_falls_by_its_factor_to_its_floor_and_can_be_set():
    dqn = learner(dqn_updates=1, dqn_epsilon_decay=0.5, dqn_epsilon_min=0.2)
    bars = random_bars(100)
    said = [dqn.learn(snapshot_of(bars, cycle=c))["epsilon"] for c in (1, 2, 3, 4, 5)]
    assert said == [1.0, 0.5, 0.25, 0.2, 0.2]
    dqn.epsilon = 0.8
    assert dqn.learn(snapshot_of(bars, cycle=6))["epsilon"] == 0.8
    assert dqn.epsilon == 0.4


def test_epsilon_decides_how_training_episodes_are_played_and_nothing_else():
    greedy, random = learner(dqn_updates=5, fee_bps=1.0), learner(dqn_updates=5, fee_bps=1.0)
    greedy.epsilon = 0.0
    bars = random_bars(200)
    rewards = [dqn.learn(snapshot_of(bars))["average_reward"] for dqn in (greedy, random)]
    assert rewards[0] != rewards[1]
    assert greedy.forecast(bars) == random.forecast(bars)


def test_an_untrained_greedy_episode_earns_what_its_actions_earn():
    dqn = learner(dqn_updates=1, fee_bps=1000.0)
    dqn.epsilon = 0.0
    assert dqn.learn(snapshot_of(random_bars(200)))["average_reward"] == 0.0  # never in


def test_counters_go_on_from_cycle_to_cycle():
    dqn, bars = learner(dqn_updates=60), random_bars(200)
    dqn.learn(snapshot_of(bars[:150]))
    report = dqn.learn(snapshot_of(bars, cycle=2))
    assert (report["updates"], report["episodes"], report["memory_size"]) == (120, 2, 140)


def live_scores(dqn, bars, start, step):
    """Test, then train: forecast ``step`` bars, then learn from them."""
    scores = Scores(confidence=0.65, fee_bps=dqn._config.fee_bps)
    for cycle, at in enumerate(range(start, len(bars), step), 1):
        dqn.learn(snapshot_of(bars[:at], cycle=cycle))
        if cycle < 4:
            continue
        for t in range(at, min(at + step, len(bars))):
            close = float(bars["close"][t])
            scores.label(close, gap=False)
            scores.forecast(as_forecast(dqn.forecast(bars[: t + 1])), close)
    return scores


def waves(n):
    """Five bars up by 20 bp each, five down, with a little noise."""
    rng = np.random.default_rng(1)
    up = np.arange(n) // 5 % 2 == 0
    moves = np.where(up, 20.0, -20.0) + rng.normal(size=n)
    return bars_from(100 * np.exp(np.cumsum(moves) / 1e4), rng.exponential(size=n))


def test_it_learns_to_trade_a_strong_signal():
    scores = live_scores(learner(fee_bps=2.0, dqn_gamma=0.9, dqn_updates=200), waves(500), 200, 50)
    best = scores.account.bars / 10 * (5 * 20 - 2 * 2)  # in for each rise, both costs paid
    assert scores.account.pnl_bps > 0.7 * best
    assert scores.account.win_rate > 0.9


def test_it_learns_to_stay_out_of_a_martingale_that_costs_more_than_it_moves():
    bars = random_bars(500, seed=2, flat=0.0)  # 8 bp a bar
    dqn = learner(fee_bps=40.0)
    # Brought into the market's unit, it starts with an opinion; learning must take it away.
    dqn.learn(snapshot_of(bars[:100]))
    with torch.no_grad():
        dqn._module.values.net[-1].bias.copy_(torch.tensor([0.0, 20.0]))
    dqn._module.target.load_state_dict(dqn._module.values.net.state_dict())
    dqn.learn(snapshot_of(bars[:101], cycle=2))
    assert dqn.forecast(bars)[0] == BUY
    scores = live_scores(dqn, bars, WARMUP + 150, 30)
    assert scores.account.bars > 100
    actions = [dqn.forecast(bars[:t])[0] for t in range(300, 500)]
    assert np.mean(np.array(actions) == HOLD) > 0.9
