from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from benchmarks.agent import null_turnover, signal_share
from datamodules.dqn_datamodule import transitions_of
from datamodules.transitions import Action, typical_move
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from tests.oracles.chain import gaussian
from tests.oracles.signal import Signal
from tests.oracles.trading import advantage_of_in
from trainers.config import SessionConfig
from trainers.learners.dqn.agent import Agent, ValueNet, inputs_of
from trainers.learners.dqn.gradients import set_gradients
from trainers.learners.dqn.learner import experiences_of, held_by
from trainers.learners.dqn.module import DQNModule
from trainers.learners.dqn.steps import stepper
from trainers.learners.dqn.value_learner import SkillTest
from trainers.learners.registry import learners_of


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def module_with(gamma=0.9, cost=3.0, tau=0.25):
    torch.manual_seed(4)
    made = DQNModule(ValueNet(), learning_rate=1e-3, gamma=gamma, tau=tau, cost=cost)
    made.target = copy.deepcopy(ValueNet()).requires_grad_(False)  # not the online one's
    with torch.no_grad():
        for net in (made.net, made.target):
            net[-2].weight.mul_(10)  # worth far enough from 0 for costs to matter
    return made


@pytest.mark.parametrize("cost", [0.0, 0.3, 100.0])
def test_the_target_is_the_difference_of_the_bellman_equations_of_in_and_out(cost):
    module, after, ret = module_with(cost=cost), torch.randn(3, 32, 30), torch.randn(3, 32)
    target = module.td_target(after, ret)
    with torch.no_grad():
        later = module.target(after).double()  # worth of in; that of out is 0
    # The best next position, sample by sample, from in and from out.
    from_in, from_out = later.clip(min=-cost), (later - cost).clip(min=0)
    wanted = ret + module.gamma * (from_in - from_out)
    torch.testing.assert_close(target.double(), wanted, rtol=1e-5, atol=1e-5)
    assert not target.requires_grad


def test_the_exact_worth_is_the_target_of_itself():
    market = Signal()
    chain = gaussian(market.carry, market._news_sd)
    worth = advantage_of_in(chain, chain.states, 1.0)
    module = module_with(gamma=1.0, cost=1.0)
    module.target = torch.nn.Identity()
    after = torch.from_numpy(worth)
    left = module.td_target(after, torch.zeros(len(worth), dtype=torch.float64)).numpy()
    assert chain.states + chain.after @ left == pytest.approx(worth, abs=1e-6)


def test_the_target_network_moves_only_by_following_the_online_one():
    bars = random_bars(200)
    for tau, followed in ((0.0, False), (1.0, True)):
        dqn = learner(dqn_tau=tau)
        before = [p.clone() for p in dqn._module.target.parameters()]
        dqn.learn(snapshot_of(bars))
        target = list(dqn._module.target.parameters())
        online = list(dqn._module.net.parameters())
        assert all(torch.equal(a, b) for a, b in zip(target, before, strict=True)) != followed
        assert all(torch.equal(a, b) for a, b in zip(target, online, strict=True)) == followed
        assert not any(p.requires_grad for p in target)


def test_the_target_follows_by_tau():
    module = module_with(tau=0.25)
    online = [p.detach().clone() for p in module.net.parameters()]
    before = [p.clone() for p in module.target.parameters()]
    module._follow()
    for target, was, goal in zip(module.target.parameters(), before, online, strict=True):
        torch.testing.assert_close(target, was + 0.25 * (goal - was))


@pytest.mark.parametrize("rows, seed", [(1, 0), (7, 1), (64, 2), (256, 3), (1000, 4)])
def test_the_written_gradients_are_those_of_autograd_to_the_bit(rows, seed):
    torch.manual_seed(seed)
    written, net = ValueNet(12).train(), ValueNet(12).train()
    net.load_state_dict(written.state_dict())
    x, y = torch.randn(rows, 12), torch.randn(rows)
    loss = torch.nn.functional.mse_loss(net(x), y)
    loss.backward()
    assert torch.equal(set_gradients(list(written.parameters()), x, y), loss.detach())
    for one, other in zip(written.parameters(), net.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_a_step_is_the_optimisers_own_to_the_bit():
    torch.manual_seed(3)
    nets = [ValueNet(12, 8)]
    nets.append(copy.deepcopy(nets[0]))
    ours, theirs = (
        torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.5, fused=True) for net in nets
    )
    for _ in range(20):
        x, y = torch.randn(16, 12), torch.randn(16)
        for net in nets:
            set_gradients(list(net.parameters()), x, y)
        stepper(ours)()
        theirs.step()
    for one, other in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(one, other)
    kept, wanted = (one.state_dict()["state"] for one in (ours, theirs))
    assert all(torch.equal(kept[i][name], part) for i in wanted for name, part in wanted[i].items())


def agent_worth(worth, **about):
    net = ValueNet()
    with torch.no_grad():
        net[-2].weight.zero_()
        net[-2].bias.fill_(worth / 2)
    return Agent(net, unit_bps=2.0, cost_bps=3.0, **about)


@pytest.mark.parametrize(
    "worth, wanted",
    [
        (5.0, (Action.BUY, Action.HOLD)),
        (2.0, (Action.HOLD, Action.HOLD)),
        (-2.0, (Action.HOLD, Action.HOLD)),
        (-5.0, (0, 2)),
    ],
)
def test_the_agent_changes_its_position_only_for_more_than_the_cost(worth, wanted):
    states = torch.rand(1, 10, 3, dtype=torch.float64) + 1
    decided = agent_worth(worth, proven=True).decide(states)
    assert decided[0].tolist() == [0.0, worth, *wanted]
    # As long as nothing is proven it stays out, or leaves, whatever it thinks.
    decided = agent_worth(worth, proven=False).decide(states)
    assert decided[0].tolist() == [0.0, worth, Action.HOLD, Action.SELL]


def test_states_are_free_of_price_level_and_volume_unit():
    state, unit = torch.rand(4, 10, 3, dtype=torch.float64) + 50, torch.tensor(1.0)
    other = state * torch.tensor([1000.0, 7.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(inputs_of(state, unit), inputs_of(other, unit))


def test_a_state_without_volume_or_move_is_finite():
    still = torch.zeros(1, 10, 3) + torch.tensor([9.0, 0, 50])
    assert torch.isfinite(inputs_of(still, torch.tensor(1.0))).all()


def test_noise_is_no_evidence_and_a_little_signal_is():
    rng = np.random.default_rng(0)
    worth, noise = rng.normal(size=(2, 3000)).astype(np.float32)
    for ret, proven in ((noise, False), (-worth + noise, False), (0.2 * worth + noise, True)):
        evidence = SkillTest()
        for part in range(0, 3000, 30):
            evidence.add(worth[part : part + 30], ret[part : part + 30])
        assert evidence.proven is proven


def test_a_skill_that_has_gone_is_proven_no_more():
    evidence, one = SkillTest(), np.ones(3000, np.float32)
    assert not evidence.proven
    evidence.add(one, one)
    assert evidence.proven
    for _ in range(3):
        evidence.add(one, -one)
    assert not evidence.proven


def make(config):
    (learner,) = learners_of(config).values()
    return learner


def learner(**settings):
    return make(
        SessionConfig.of(learners="dqn", **{"dqn_updates": 100, "fee_bps": 1.0, **settings})
    )


def test_epsilon_falls_by_its_factor_to_its_floor_and_can_be_set():
    dqn = learner(dqn_updates=1, dqn_epsilon_decay=0.5, dqn_epsilon_min=0.2)
    bars = random_bars(100)
    said = [dqn.learn(snapshot_of(bars, cycle=c))["epsilon"] for c in (1, 2, 3, 4, 5)]
    assert said == [1.0, 0.5, 0.25, 0.2, 0.2]
    dqn.epsilon = 0.8
    assert dqn.learn(snapshot_of(bars, cycle=6))["epsilon"] == 0.8
    assert dqn.epsilon == 0.4


def test_epsilon_decides_how_training_episodes_are_played_and_nothing_else():
    greedy, random = learner(dqn_updates=5), learner(dqn_updates=5)
    greedy.epsilon = 0.0
    bars = random_bars(200)
    rewards = [dqn.learn(snapshot_of(bars))["average_reward"] for dqn in (greedy, random)]
    assert rewards[0] != rewards[1]
    assert greedy.forecast(bars) == random.forecast(bars)


def test_a_position_is_what_the_last_order_left():
    actions = np.array(
        [
            Action.HOLD,
            Action.SELL,
            Action.BUY,
            Action.HOLD,
            Action.BUY,
            Action.SELL,
            Action.HOLD,
            Action.BUY,
        ]
    )
    assert held_by(actions).tolist() == [0, 0, 1, 1, 1, 0, 0, 1]


def test_counters_go_on_from_cycle_to_cycle():
    dqn, bars = learner(dqn_updates=60), random_bars(200)
    dqn.learn(snapshot_of(bars[:150]))
    report = dqn.learn(snapshot_of(bars, cycle=2))
    assert (report["updates"], report["episodes"], report["memory_size"]) == (120, 2, 140)


def test_the_spread_is_a_part_of_the_cost():
    bars, dqn = random_bars(200), learner(dqn_updates=1)
    bars["last_bought"] = bars["close"] * 1.0006
    dqn.learn(snapshot_of(bars))
    assert dqn.serving.cost_bps.item() == pytest.approx(1.0 + 3.0, rel=1e-3)


def test_the_unit_follows_the_market_and_experiences_keep_that_of_their_time():
    close = 100 * np.exp(np.cumsum(np.r_[np.full(800, 1e-4), np.full(700, 1e-3)]))
    bars, dqn = bars_from(close), learner(dqn_updates=1)
    dqn.learn(snapshot_of(bars[:800]))
    assert dqn.unit_bps == pytest.approx(1.0, rel=1e-3)
    dqn.learn(snapshot_of(bars, cycle=2))
    assert dqn.unit_bps == pytest.approx(10.0, rel=1e-3)
    *_, ret = dqn.memory.take(dqn.memory.draw(np.random.default_rng(0), (500,)))
    assert ret == pytest.approx(1.0, rel=1e-3)


def test_a_market_that_stands_still_keeps_the_unit():
    assert typical_move(np.zeros(9), 0.7) == 0.7


def test_experiences_are_those_after_a_time_as_the_agent_sees_them():
    transitions = transitions_of(snapshot_of(random_bars(120)))
    every = experiences_of(transitions, 8.0)
    late = experiences_of(transitions, 8.0, after=int(transitions.ts[9]))
    assert late.ts.tolist() == transitions.ts[10:].tolist()
    assert late.state.tobytes() == every.state[10:].tobytes()
    assert every.after[:-1].tobytes() == every.state[1:].tobytes()
    assert every.ret == pytest.approx(transitions.ret / 8.0, rel=1e-6)


def waves(n):
    """Five bars up by 20 bp each, five down, with a little noise."""
    rng = np.random.default_rng(1)
    up = np.arange(n) // 5 % 2 == 0
    moves = np.where(up, 20.0, -20.0) + rng.normal(size=n)
    return bars_from(100 * np.exp(np.cumsum(moves) / 1e4), rng.exponential(size=n)), moves


def test_it_learns_to_trade_a_strong_signal():
    bars, moves = waves(500)
    dqn, actions = learner(fee_bps=2.0), []
    for cycle, at in enumerate(range(200, 500, 30), 1):
        dqn.learn(snapshot_of(bars[:at], cycle=cycle))
        actions += [dqn.forecast(bars[:t])[0] for t in range(at, min(at + 30, 500))]
    held = held_by(np.array(actions))
    earned = held * moves[200:] - 2.0 * np.abs(np.diff(held, prepend=0))
    assert earned[100:].sum() > 0.7 * 20 * (5 * 20 - 2 * 2)  # 20 waves, in for each rise


def test_it_earns_most_of_what_the_best_trader_of_a_known_signal_does():
    assert signal_share(0, bars=5400, cycle=180).later > 0.8


@pytest.mark.parametrize("half_spread", [0.0, 0.5])
def test_it_leaves_a_martingale_alone(half_spread):
    found = null_turnover(2, half_spread=half_spread)
    assert found.turnover < 0.01
    assert not found.ends_in
