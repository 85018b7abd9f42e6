"""A cycle of the CNN and of the DQN through Lightning, against bare PyTorch loops.

Both sides start from the same learner, warmed up by a cycle, make the same updates with the same
batches, and must end with the same weights. The bare loops leave out what only a learner
does (the version that serves, the DQN's playing of an episode).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.market import bars_for
from benchmarks.measuring import interleave, median, one_thread, seconds
from benchmarks.table import Row
from datamodules.cnn_datamodule import CNNDataModule
from datamodules.dqn_datamodule import DQNDataModule, transitions_of
from datamodules.mids import SPREAD_BARS, half_spread_bps
from datamodules.snapshot import Snapshot
from datamodules.transitions import typical_move
from trainers.config import SessionConfig
from trainers.config.learners import CNNSettings, DQNSettings
from trainers.learners.cnn.forecaster import DEEP
from trainers.learners.cnn.learner import CNN
from trainers.learners.dqn.learner import DQN, UNIT_BARS, experiences_of
from trainers.learners.dqn.module import WEIGHT_DECAY
from trainers.learners.learner import Context

BARS = 3600
STEP = 30  # bars from one cycle to the next
ROUNDS = 7
KEPT = ("fading", "distant")  # buffers that the cycle leaves: a constant; what is rarely fitted

CNN_SETTINGS, DQN_SETTINGS = CNNSettings(), DQNSettings()


def bare_cnn(learner: CNN, snapshot: Snapshot, config: Context) -> nn.Module:
    """Make one cycle of the network of ``learner``: fits, then the updates of the convolution.

    What scikit-learn fits and what the experts are weighed by is the learner's own code: Lightning
    has no part in it.
    """
    net, rng = learner._module.net, snapshot.rng("cnn")
    weights, initial = list(net.parameters()), learner._module.initial
    optimizer = torch.optim.Adam(weights, lr=CNN_SETTINGS.learning_rate, fused=True)
    optimizer.load_state_dict(learner._module.optimizer_state)
    data = CNNDataModule(
        snapshot, features=config.features, updates=CNN_SETTINGS.updates,
        batch_size=CNN_SETTINGS.batch_size, rng=rng,
    )  # fmt: skip
    learner._weigh_experts(snapshot.bars)
    learner._fit_experts(data, snapshot.bars)
    torch.manual_seed(int(rng.integers(2**63)))  # dropout draws from torch's own generator
    net.train()
    total = 0.0
    for x, up in itertools.chain.from_iterable(data.train_dataloader()):
        loss = F.binary_cross_entropy_with_logits(net(x)[:, DEEP], up)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():  # back to what they began as
            drawn = CNN_SETTINGS.learning_rate * CNN_SETTINGS.weight_decay
            torch._foreach_lerp_(weights, initial, drawn)
        total += loss.item()
    learner._rows.learn(learner._known_rows(data, snapshot.bars), rng)
    return net


def bare_dqn(learner: DQN, snapshot: Snapshot, config: Context) -> nn.Module:
    """Train the network of ``learner`` for one cycle: what being in is worth, Polyak target."""
    module = learner._module
    net, target, rng = module.net.train(), module.target.train(), snapshot.rng("dqn")
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=DQN_SETTINGS.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
    )
    optimizer.load_state_dict(module.optimizer_state)
    transitions = transitions_of(snapshot)
    unit = typical_move(transitions.ret[-UNIT_BARS:], learner.unit_bps)
    half_spread = float(half_spread_bps(snapshot.bars[-SPREAD_BARS:])[-1])
    cost = (config.fee_bps + half_spread) / unit
    learner.memory.add(experiences_of(transitions, unit, after=learner.memory.newest))
    data = DQNDataModule(
        learner.memory, updates=DQN_SETTINGS.updates, batch_size=DQN_SETTINGS.batch_size, rng=rng
    )
    torch.manual_seed(int(rng.integers(2**63)))
    total = 0.0
    for state, after, ret in data.train_dataloader():
        with torch.no_grad():
            wanted = ret + DQN_SETTINGS.gamma * target(after).clip(-cost, cost)
        for x, y in zip(state, wanted, strict=True):
            loss = F.mse_loss(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            torch._foreach_lerp_(
                list(target.parameters()), list(net.parameters()), DQN_SETTINGS.tau
            )
    return net


def compare(
    make: Callable[[Context], Any],
    bare: Callable[[Any, Snapshot, Context], nn.Module],
    net_of: Callable[[Any], nn.Module],
) -> tuple[float, float]:
    """Return the seconds of a cycle: ours, bare; the weights must agree."""
    config = Context.of(SessionConfig())
    bars = bars_for(BARS + STEP)
    first = Snapshot("BTCUSDT", 1, bars[:BARS], config.seed)
    second = Snapshot("BTCUSDT", 2, bars[STEP:], config.seed)
    warm = make(config)
    warm.learn(first)
    _assert_equal(warm, bare, net_of, second, config)

    def a_cycle() -> float:
        learner = copy.deepcopy(warm)
        return seconds(lambda: learner.learn(second))

    def a_bare_cycle() -> float:
        learner = copy.deepcopy(warm)
        return seconds(lambda: bare(learner, second, config))

    ours, theirs = interleave(ROUNDS, a_cycle, a_bare_cycle)
    return median(ours), median(theirs)


def _assert_equal(warm: Any, bare: Any, net_of: Any, snapshot: Snapshot, config: Context) -> None:
    learner = copy.deepcopy(warm)
    learner.learn(snapshot)
    trained = bare(copy.deepcopy(warm), snapshot, config)
    before = net_of(warm).state_dict()
    for name, weights in net_of(learner).state_dict().items():
        assert torch.equal(weights, trained.state_dict()[name]), name
        assert name in KEPT or not torch.equal(weights, before[name]), name


def run() -> list[Row]:
    """Measure both learners."""
    one_thread()
    peer = "the same updates in a bare PyTorch loop, equal weights bit for bit"
    rows = []
    for name, found in (
        ("CNN", compare(CNN, bare_cnn, lambda learner: learner._module.net)),
        ("DQN", compare(DQN, bare_dqn, lambda learner: learner._module.net)),
    ):
        rows.append(Row(f"{name} cycle, Lightning", *found, "s", "<=", 1.3, peer))
    return rows
