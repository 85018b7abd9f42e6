from __future__ import annotations

import numpy as np
import pytest

from datamodules.cnn_datamodule import STACK as CNN_STACK
from datamodules.cnn_datamodule import CNNDataModule
from datamodules.dqn_datamodule import STACK, DQNDataModule, transitions_of
from datamodules.features import COLUMNS, features_of
from datamodules.replay_buffer import ReplayBuffer
from datamodules.scaling import scale
from datamodules.snapshot import NotEnoughBarsError
from tests.datamodules.samples import random_bars, snapshot_of
from trainers.learners.dqn.learner import experiences_of


def cnn_data(bars, seed=0, updates=5, features="classic"):
    rng = np.random.default_rng(seed)
    return CNNDataModule(
        snapshot_of(bars), features=features, updates=updates, batch_size=64, rng=rng
    )


def dqn_data(bars, seed=0, updates=5, memory=None):
    rng = np.random.default_rng(seed)
    memory = ReplayBuffer(1000, 30) if memory is None else memory
    memory.add(experiences_of(transitions_of(snapshot_of(bars)), 8.0))
    return DQNDataModule(memory, updates=updates, batch_size=16, rng=rng)


def epoch(data):
    return [tuple(part.numpy() for part in stack) for stack in data.train_dataloader()]


def minibatches(data):
    """Those of the CNN come in stacks."""
    return [(x.numpy(), y.numpy()) for stack in data.train_dataloader() for x, y in stack]


def as_bytes(batches):
    return [tuple(part.tobytes() for part in batch) for batch in batches]


def pairs(xs, ys):
    return [(x.tobytes(), float(y)) for x, y in zip(xs, ys, strict=True)]


@pytest.mark.parametrize("features", COLUMNS)
def test_the_cnn_draws_from_all_moved_windows_and_no_flat_one(features):
    data = cnn_data(random_bars(400), features=features, updates=60)
    windows = data.windows
    assert windows.flat.any()
    assert data.moved.tolist() == np.flatnonzero(~windows.flat).tolist()
    known = set(pairs(windows.x[data.moved], windows.up[data.moved]))
    drawn = {pair for xs, ys in minibatches(data) for pair in pairs(xs, ys)}
    assert drawn == known  # 60 x 64 draws leave out none of some 230


def test_the_cnn_draws_each_moved_window_about_as_often():
    data = cnn_data(random_bars(300), updates=400)
    at = {x.tobytes(): i for i, x in enumerate(data.windows.x)}
    drawn = [at[x.tobytes()] for xs, _ in minibatches(data) for x in xs]
    counts = np.bincount(drawn)[data.moved]
    expected = 400 * 64 / len(data.moved)
    assert ((counts - expected) ** 2 / expected).sum() < 1.5 * len(data.moved)  # chi squared
    old, new = np.array_split(counts, 2)
    assert old.mean() == pytest.approx(new.mean(), rel=0.05)


@pytest.mark.parametrize("updates", [1, CNN_STACK, CNN_STACK + 1, 3 * CNN_STACK])
def test_the_cnn_gets_as_many_minibatches_as_asked_in_stacks(updates):
    data = cnn_data(random_bars(300), updates=updates)
    stacks = list(data.train_dataloader())
    assert len(stacks) == len(data.train_dataloader()) == -(-updates // CNN_STACK)
    assert [len(stack) for stack in stacks[:-1]] == [CNN_STACK] * (len(stacks) - 1)
    assert sum(map(len, stacks)) == updates
    for x, up in (batch for stack in stacks for batch in stack):
        assert x.shape == (64, 60, 8)
        assert up.shape == (64,)
        assert x.numpy().dtype == up.numpy().dtype == np.float32


def test_the_minibatches_are_those_that_were_drawn_and_said_to_be():
    data = cnn_data(random_bars(300))
    assert as_bytes(minibatches(data)) == as_bytes(minibatches(data))
    for (x, up), chosen in zip(minibatches(data), data.drawn, strict=True):
        assert x.tobytes() == data.windows.x[chosen].tobytes()
        assert up.tobytes() == data.windows.up[chosen].tobytes()


@pytest.mark.parametrize("make, read", [(cnn_data, minibatches), (dqn_data, epoch)])
def test_the_generator_alone_decides_the_batches(make, read):
    bars = random_bars(300)
    once, again, other = (as_bytes(read(make(bars, seed))) for seed in (7, 7, 8))
    assert once == again
    assert once != other


def test_snapshot_generators_differ_by_seed_learner_and_cycle_alone():
    bars = random_bars(3)
    made = {
        (seed, name, cycle): snapshot_of(bars, seed=seed, cycle=cycle).rng(name).integers(2**62)
        for seed in (0, 1)
        for name in ("cnn", "dqn")
        for cycle in (1, 2)
    }
    assert len(set(made.values())) == len(made)
    assert snapshot_of(bars).rng("cnn").integers(2**62) == made[0, "cnn", 1]


def test_the_scaler_knows_the_snapshot_and_nothing_else():
    bars = random_bars(300)
    data = cnn_data(bars[:200])
    rows = features_of(bars[:200], "classic")
    assert data.scaler.data_min_.tolist() == rows.min(axis=0).tolist()
    assert data.scaler.data_max_.tolist() == rows.max(axis=0).tolist()
    assert data.rows.tobytes() == scale(rows, data.scaler).tobytes()


@pytest.mark.parametrize("updates", [1, STACK, STACK + 1, 3 * STACK])
def test_the_dqn_gets_as_many_minibatches_as_asked_in_stacks(updates):
    stacks = epoch(dqn_data(random_bars(200), updates=updates))
    assert sum(len(ret) for *_, ret in stacks) == updates
    for state, after, ret in stacks:
        assert state.shape == after.shape == (len(ret), 16, 30)
        assert ret.shape == (len(ret), 16)
        assert state.dtype == after.dtype == ret.dtype == np.float32


def test_the_replay_memory_grows_by_what_is_new_in_each_snapshot():
    bars, memory = random_bars(300), ReplayBuffer(1000, 30)
    for n, wanted in ((200, 140), (250, 190), (250, 190)):
        dqn_data(bars[:n], memory=memory)
        assert len(memory) == wanted


@pytest.mark.parametrize("make, need", [(cnn_data, 110), (dqn_data, 61)])
def test_too_few_bars_say_how_many_there_are_and_how_many_it_takes(make, need):
    make(random_bars(need))
    with pytest.raises(NotEnoughBarsError, match=f"^warming up {need - 1}/{need} bars$"):
        make(random_bars(need - 1))
