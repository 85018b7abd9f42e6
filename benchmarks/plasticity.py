"""Whether the CNN still learns after a day of cycles: against a network that has learned nothing.

Networks that are trained for ever may stop learning (S. Dohare et al., Loss of plasticity in deep
continual learning, 2024). Here a learner goes through its cycles on a stationary market. Then its
network, with its weights and optimizer as they are, and a fresh one learn a task that is new to
both, by the same updates with the same minibatches. They are compared on windows held out.

The task is one that no linear view could take over: each move has the sign of the product of the
last and the third last, 7 times in 10. The linear experts are silent in both.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.measuring import one_thread
from benchmarks.table import Row
from datamodules.cnn_datamodule import CNNDataModule
from datamodules.features import WARMUP_BARS, features_of
from datamodules.scaling import scale
from datamodules.snapshot import Snapshot
from datamodules.windows import make_windows
from streaming.bars import Bars
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Momentum
from trainers.config import SessionConfig
from trainers.config.learners import CNNSettings
from trainers.learners.cnn.forecaster import WindowNet
from trainers.learners.cnn.learner import CNN
from trainers.learners.cnn.module import CNNModule
from trainers.learners.learner import Context
from trainers.learners.lightning import fit

CYCLES = 2_880  # a day of 30 s
HISTORY = 3_600  # bars of a cycle; fewer than in a session, to be affordable
STEP = 30  # bars from one cycle to the next
SAME = 0.7  # how often a move has the sign of the product
UPDATES = 300
KNOWN, HELD_OUT = 4_000, 6_000  # bars of the task, to learn from and to be judged by


class State(NamedTuple):
    """How a network is doing besides its loss.

    Attributes:
        dead: share of its units whose output hardly varies over windows (below 1 % of the median).
        rank: number of directions that its body's outputs use, exp of the entropy of their
            singular values (O. Roy and M. Vetterli, The effective rank, 2007).
        norm: Euclidean norm of its trained weights.
    """

    dead: float
    rank: float
    norm: float


class Probe(NamedTuple):
    """What came of learning the task: held-out log-losses, and both networks before it."""

    live: float
    fresh: float
    floor: float  # entropy of the task: the best that any forecaster can do
    live_state: State
    fresh_state: State

    @property
    def ratio(self) -> float:
        """Return the loss of the live network over that of the fresh one."""
        return self.live / self.fresh

    @property
    def excess_ratio(self) -> float:
        """Return the same of what the losses are above the floor: the stricter of the two."""
        return (self.live - self.floor) / (self.fresh - self.floor)


def product_moves(rng: Generator, n: int, same: float = SAME) -> NDArray[np.float64]:
    """Return ``(n,)`` moves of +1 or -1, each like the product of two before, with chance ``same``.

    The two are the last and the third last. (With the last two, two steps of the rule would make
    each move like the third last, and a linear view see some of it.)
    """
    moves = np.where(rng.random(n) < same, 1.0, -1.0)
    for i in range(3, n):
        moves[i] *= moves[i - 1] * moves[i - 3]
    return moves


def aged(cycles: int, seed: int) -> CNN:
    """Return a learner after so many cycles on a market of hidden momentum."""
    rng = np.random.default_rng([seed, 1])
    returns = next(Momentum().blocks(rng, HISTORY + STEP * cycles))
    bars = bars_of_path(rng, returns)
    learner = CNN(Context.of(SessionConfig(seed=seed)))
    for cycle in range(cycles):
        at = cycle * STEP
        learner.learn(Snapshot("", cycle + 1, bars[at : at + HISTORY], seed))
    return learner


def probe(cycles: int, seed: int = 0, updates: int = UPDATES) -> Probe:
    """Compare a learner of ``cycles`` cycles with a fresh one on the task."""
    rng = np.random.default_rng([seed, 2])
    bars = bars_of_path(rng, product_moves(rng, KNOWN + HELD_OUT))
    live, fresh = aged(cycles, seed)._module, CNN(Context.of(SessionConfig(seed=seed)))._module
    x, _ = _held_out(bars, _task(bars, seed, updates))
    states = [_state(_prepared(module.net, bars, seed), x) for module in (live, fresh)]
    losses = [_learned(module, bars, seed, updates) for module in (live, fresh)]
    floor = -SAME * math.log(SAME) - (1 - SAME) * math.log(1 - SAME)
    return Probe(losses[0], losses[1], floor, states[0], states[1])


def probe_ratio(cycles: int, seed: int) -> float:
    """Return the held-out loss of a learner of ``cycles`` cycles over that of a fresh one."""
    return probe(cycles, seed).ratio


def run() -> list[Row]:
    """Measure a day of cycles."""
    one_thread()
    found = probe(CYCLES)
    live, fresh = found.live_state, found.fresh_state
    note = (
        f"floor {found.floor:.4f}, ratio above it {found.excess_ratio:.2f}; "
        f"the ratio of one that learns nothing would be {math.log(2) / found.fresh:.2f}; "
        f"before the task: dead units {live.dead:.0%} (fresh {fresh.dead:.0%}), "
        f"effective rank {live.rank:.1f} ({fresh.rank:.1f}), "
        f"weight norm {live.norm:.2f} ({fresh.norm:.2f})"
    )
    peer = f"a fresh network, {UPDATES} updates on a new task"
    what = f"CNN after {CYCLES:,} cycles"
    return [Row(what, found.live, found.fresh, "nats", "<=", 1.1, peer, note)]


def _task(bars: Bars, seed: int, updates: int) -> CNNDataModule:
    return CNNDataModule(
        Snapshot("", 1, bars[:KNOWN], seed),
        features=SessionConfig().feature_set,
        updates=updates,
        batch_size=CNNSettings().batch_size,
        rng=np.random.default_rng([seed, 3]),
    )


def _held_out(bars: Bars, data: CNNDataModule) -> tuple[Tensor, Tensor]:
    later = bars[KNOWN:]
    rows = scale(features_of(later, SessionConfig().feature_set), data.scaler)
    windows = make_windows(rows, later["close"][WARMUP_BARS:], later["gap"][WARMUP_BARS:])
    return torch.from_numpy(windows.x.copy()), torch.from_numpy(windows.up)


def _prepared(net: WindowNet, bars: Bars, seed: int) -> WindowNet:
    """Give ``net`` the moments of the task and silence its linear experts."""
    net.fit_moments(torch.from_numpy(_task(bars, seed, 1).rows))
    net.weights.zero_()
    net.bias.zero_()
    net.distant.zero_()
    return net


def _learned(module: CNNModule, bars: Bars, seed: int, updates: int) -> float:
    """Train as a cycle does, and return the log-loss of the deep view on the windows held out."""
    _prepared(module.net, bars, seed)
    data = _task(bars, seed, updates)
    fit(module, data, seed=seed)
    x, up = _held_out(bars, data)
    with torch.inference_mode():
        return float(F.binary_cross_entropy_with_logits(module(x), up))


def _state(net: WindowNet, x: Tensor) -> State:
    """Look at the outputs of the convolutions, of ``(B, 60, F)`` windows."""
    net = copy.deepcopy(net).eval()
    with torch.inference_mode():
        out = net.body[:4](net._standard(x).transpose(1, 2)).flatten(1)  # (B, C * 13)
    spread = out.std(0)
    share = torch.linalg.svdvals(out - out.mean(0))
    share /= share.sum()
    return State(
        dead=float((spread < 0.01 * spread.median()).float().mean()),
        rank=float(torch.exp(-torch.xlogy(share, share).sum())),
        norm=float(torch.cat([p.detach().flatten() for p in net.parameters()]).norm()),
    )
