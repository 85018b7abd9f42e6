from __future__ import annotations

import numpy as np
import pytest

from datamodules.cnn_datamodule import STACK as CNN_STACK
from datamodules.cnn_datamodule import CNNDataModule
from datamodules.dqn_datamodule import STACK, DQNDataModule
from datamodules.features import COLUMNS, features_of
from datamodules.replay_buffer import ReplayBuffer
from datamodules.snapshot import NotEnoughBarsError
from tests.datamodules.samples import random_bars, snapshot_of


def cnn_data(bars, seed=0, batch_size=64, features="classic"):
    rng = np.random.default_rng(seed)
    return CNNDataModule(snapshot_of(bars), features=features, batch_size=batch_size, rng=rng)


def dqn_data(bars, seed=0, updates=5, memory=None):
    rng = np.random.default_rng(seed)
    memory = ReplayBuffer(1000) if memory is None else memory
    return DQNDataModule(snapshot_of(bars), memory=memory, updates=updates, batch_size=16, rng=rng)


def epoch(data):
    return [(x.numpy(), y.numpy()) for x, y in data.train_dataloader()]


def minibatches(data):
    """Those of the CNN come in stacks."""
    return [(x.numpy(), y.numpy()) for stack in data.train_dataloader() for x, y in stack]


def as_bytes(batches):
    return [(x.tobytes(), y.tobytes()) for x, y in batches]


def pairs(xs, ys):
    return [(x.tobytes(), float(y)) for x, y in zip(xs, ys, strict=True)]


@pytest.mark.parametrize("features", COLUMNS)
def test_an_epoch_has_each_moved_window_once_and_no_flat_one(features):
    data = cnn_data(random_bars(900), features=features)
    windows = data.windows
    assert windows.flat.any()
    for _ in range(2):
        batches = minibatches(data)
        moved = ~windows.flat
        found = sorted(pair for xs, ys in batches for pair in pairs(xs, ys))
        assert found == sorted(pairs(windows.x[moved], windows.up[moved]))
        assert [len(x) for x, _ in batches[:-1]] == [64] * (len(batches) - 1)
        assert -(-len(batches) // CNN_STACK) == len(data.train_dataloader()) > 1


def test_every_epoch_has_another_order():
    data = cnn_data(random_bars(300))
    assert as_bytes(minibatches(data)) != as_bytes(minibatches(data))


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


@pytest.mark.parametrize("updates", [1, STACK, STACK + 1, 3 * STACK])
def test_the_dqn_gets_as_many_minibatches_as_asked_in_stacks(updates):
    stacks = epoch(dqn_data(random_bars(200), updates=updates))
    assert sum(len(rows) for rows, _ in stacks) == updates
    for rows, ret in stacks:
        assert rows.shape[1:] == (16, 11, 3)
        assert rows.dtype == np.float64
        assert ret.shape == rows.shape[:2]
        assert ret.dtype == np.float32


def test_the_replay_memory_grows_by_what_is_new_in_each_snapshot():
    bars, memory = random_bars(300), ReplayBuffer(1000)
    for n, wanted in ((200, 140), (250, 190), (250, 190)):
        dqn_data(bars[:n], memory=memory)
        assert len(memory) == wanted


@pytest.mark.parametrize("make, need", [(cnn_data, 110), (dqn_data, 61)])
def test_too_few_bars_say_how_many_there_are_and_how_many_it_takes(make, need):
    make(random_bars(need))
    with pytest.raises(NotEnoughBarsError, match=f"^warming up {need - 1}/{need} bars$"):
        make(random_bars(need - 1))
