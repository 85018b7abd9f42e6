"""How near the agent comes to the exact optimum, and what it does where nothing can be earned.

All is test-then-train: a bar is traded with weights that have not seen it. Money earned is counted
in exact expected returns, so that its figures are not those of luck.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measuring import one_thread
from benchmarks.table import Row
from datamodules.mids import BP
from datamodules.replay_buffer import Experiences
from datamodules.snapshot import Snapshot
from datamodules.transitions import Action, make_transitions
from streaming.exchange.markets.market import SIGMA
from streaming.ticks import NS_PER_S
from tests.oracles.bayes import Stationary
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Martingale, Momentum
from tests.oracles.signal import Signal
from tests.oracles.trading import earned, positions_of
from trainers.config import SessionConfig
from trainers.config.learners import DQNSettings
from trainers.learners.dqn.learner import DQN, held_by
from trainers.learners.dqn.value_learner import ValueLearner
from trainers.learners.learner import Context

HOUR = 3600  # bars
CYCLE = 30  # bars: a session's

# Of the big runs: what is asked is where learning leads to, which cycles of 120 bars tell as well.
LONG_CYCLE, FEW_UPDATES = 120, 50

SEEDS, NULL_SEEDS, MOMENTUM_SEEDS = 5, 200, 5
COST = 0.5  # sigma, of the martingale and of momentum
HALF_SPREAD = 0.5  # sigma, where last prices bounce

Floats = NDArray[np.float64]


class Share(NamedTuple):
    """Earned of the exact optimum; 1 is all of it.

    Attributes:
        first: in the first hour, which starts with weights that know nothing.
        later: in what follows.
    """

    first: float
    later: float


def signal_share(seed: int, *, bars: int = 5 * HOUR, cycle: int = CYCLE) -> Share:
    """Trade the AR(1) signal, given as the one observation, at 1 bp.

    Earned is the optimum plus what the agent earns more than the best rule on the same tape:
    without bias, and free of how good a tape the draw is.

    Args:
        seed: of tape and weights.
        bars: more than an hour of them.
        cycle: bars from one cycle to the next.
    """
    market, cost = Signal(), 1.0
    signal, returns = market.draw(np.random.default_rng(seed), bars + 1)
    state = signal.astype(np.float32)[:, None]
    every = Experiences(state[:-1], state[1:], returns[:-1].astype(np.float32), np.arange(bars))
    learner = ValueLearner(Context.of(SessionConfig(seed=seed)), DQNSettings(), 1)
    actions = np.full(bars, Action.SELL)
    for start in range(0, bars, cycle):
        now = slice(start, start + cycle)
        if start:
            ahead, proven = learner.advantage(every.state[now]), learner.skill.proven
            buy, sell = (ahead > cost) & proven, (ahead < -cost) | (not proven)
            actions[now] = Action.BUY * buy + Action.SELL * sell
        new = Experiences(*(part[now] for part in every))
        learner.learn(new, cost=cost, rng=np.random.default_rng([seed, start]))
    optimum = market.optimum(cost)
    best = earned(positions_of(signal[:-1], optimum.threshold), signal[:-1], cost)
    short = earned(held_by(actions).astype(float), signal[:-1], cost) - best
    first, later = (float(part.mean()) for part in (short[:HOUR], short[HOUR:]))
    return Share(1 + first / optimum.per_bar, 1 + later / optimum.per_bar)


class Traded(NamedTuple):
    """What the whole learner did in the second half of a tape of bars.

    Attributes:
        turnover: changes of position a bar.
        inside: share of bars in the market.
        per_bar: earned a bar less costs, sigma.
        ahead: of the best rule on the same tape, sigma a bar; 0 is as good.
        ends_in: whether it was in at the end.
    """

    turnover: float
    inside: float
    per_bar: float
    ahead: float
    ends_in: bool


def traded(
    process: Stationary,
    seed: int,
    *,
    cost: float = COST,
    half_spread: float = 0.0,
    bars: int = HOUR,
    cycle: int = LONG_CYCLE,
    updates: int = FEW_UPDATES,
) -> Traded:
    """Let the learner trade bars of a process.

    Args:
        process: known answer.
        seed: of tape and weights.
        cost: whole cost of a change of position, sigma, the half-spread in it.
        half_spread: sigma; last prices bounce by it.
        bars: length of the tape.
        cycle: bars from one cycle to the next, enough to learn from.
        updates: gradient steps a cycle.
    """
    rng = np.random.default_rng(seed)
    path = process.draw(rng, bars)
    tape = bars_of_path(rng, path.returns, half_spread=half_spread)
    fee_bps = (cost - half_spread) * SIGMA * BP
    context = Context.of(SessionConfig(seed=seed, fee_bps=fee_bps))
    learner = DQN(context, DQNSettings(updates=updates))
    states = make_transitions(tape)
    bar = (states.ts - tape["ts_open"][0]) // NS_PER_S  # that each state's action is held over
    actions = np.full(bars, Action.SELL)
    for number, start in enumerate(range(cycle, bars, cycle), 1):
        learner.learn(Snapshot("", number, tape[:start], seed))
        assert learner.serving is not None
        now = (bar >= start) & (bar < start + cycle)
        with torch.inference_mode():
            decided = learner.serving.decide(torch.from_numpy(states.rows[now, :-1]))
        actions[bar[now]] = decided[:, 2:].amax(1).numpy()
    held = held_by(actions).astype(float)
    late, changes = slice(bars // 2, None), np.abs(np.diff(held, prepend=0))
    net = earned(held, path.mean, cost)
    best = earned(positions_of(path.mean, process.optimum(cost).threshold), path.mean, cost)
    means = (float(part[late].mean()) for part in (changes, held, net, net - best))
    return Traded._make([*means, bool(held[-1])])


def null_turnover(seeds: int, *, cost: float = COST, half_spread: float = 0.0) -> Traded:
    """Return the means over ``seeds`` martingales; ``ends_in`` tells whether any ends in."""
    found = [
        traded(Martingale(), seed, cost=cost, half_spread=half_spread) for seed in range(seeds)
    ]
    *means, ends_in = np.mean(found, axis=0).tolist()
    return Traded._make([*means, ends_in > 0])


def momentum_share(seed: int, *, cost: float = COST, half_spread: float = 0.0) -> float:
    """Return the share of the optimum earned in the second hour, counted as ``signal_share``."""
    found = traded(Momentum(), seed, cost=cost, half_spread=half_spread, bars=2 * HOUR, updates=100)
    return 1 + found.ahead / Momentum().optimum(cost).per_bar


def run() -> list[Row]:
    """Measure all."""
    one_thread()
    shares = [signal_share(seed) for seed in range(SEEDS)]
    first, later = np.mean(shares, axis=0).tolist()
    best = "the exact optimum"
    rows = [
        Row(
            "agent: AR(1) signal, hours 2 to 5", later, 1.0, "of it", ">=", 0.9, best,
            f"cost 1 bp, {SEEDS} seeds; first hour {first:.2f}",
        )
    ]  # fmt: skip
    for half_spread in (0.0, HALF_SPREAD):
        null = null_turnover(NULL_SEEDS, half_spread=half_spread)
        rows.append(
            Row(
                "agent: martingale, bars traded", null.turnover, 0.01, "of bars", "<=", 1,
                "1 %", f"cost {COST} sigma, half-spread {half_spread}, {NULL_SEEDS} seeds, "
                f"second half hour; in the market {null.inside:.4f} of it"
                f"{', and at the end of some' * null.ends_in}",
            )
        )  # fmt: skip
    share = float(np.mean([momentum_share(seed) for seed in range(MOMENTUM_SEEDS)]))
    rows.append(
        Row(
            "agent: hidden momentum, second hour", share, 1.0, "of it", ">=", 0, best,
            f"for information: cost {COST} sigma, {MOMENTUM_SEEDS} seeds; 10 bars are half of "
            "what the optimum looks at",
        )
    )  # fmt: skip
    return rows
