"""1,000 ticks, one a second -> 951 rows -> 891 windows -> 940 experiences, that is transitions."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.cnn_datamodule import CNNDataModule
from datamodules.features import COLUMNS, features_of
from datamodules.transitions import make_transitions
from streaming.bars import bars_of
from streaming.ticks import NS_PER_S, make_ticks
from tests.datamodules.samples import START, snapshot_of


def thousand_bars():
    rng = np.random.default_rng(3)
    ticks = make_ticks(1000)
    ticks["id"] = np.arange(1000)
    ticks["ts_event"] = START + np.arange(1000) * NS_PER_S
    ticks["price"] = 60_000 + np.round(np.cumsum(rng.normal(size=1000)), 2)
    ticks["size"] = np.round(rng.exponential(size=1000), 5) + 1e-5
    ticks["side"] = rng.choice([-1, 1], 1000)
    return bars_of(ticks)


def cut(bars, features):
    data = CNNDataModule(
        snapshot_of(bars),
        features=features,
        updates=1,
        batch_size=256,
        rng=np.random.default_rng(0),
    )
    return features_of(bars, features), data.windows, make_transitions(bars)


@pytest.mark.parametrize("features", COLUMNS)
def test_a_thousand_ticks_give_951_rows_891_windows_and_940_experiences(features):
    rows, windows, transitions = cut(thousand_bars(), features)
    columns = {"classic": 8, "flow": 8, "book": 14}[features]
    assert rows.shape == (951, columns)
    assert windows.x.shape == (891, 60, columns)
    assert windows.x.dtype == np.float32
    assert windows.up.shape == windows.flat.shape == windows.at.shape == (891,)
    assert transitions.rows.shape == (940, 11, 3)
    assert transitions.ret.shape == transitions.ts.shape == (940,)


@pytest.mark.parametrize("features", COLUMNS)
def test_the_same_ticks_twice_give_the_same_bits(features):
    once, twice = (cut(thousand_bars(), features) for _ in range(2))
    assert once[0].tobytes() == twice[0].tobytes()
    for part in (1, 2):
        for a, b in zip(once[part], twice[part], strict=True):
            assert a.tobytes() == b.tobytes()
