"""Synthetic markets: deterministic, endless, and like the real thing where it matters."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from streaming.bars import bars_of
from streaming.exchange.arrivals import ORDERS_PER_S
from streaming.exchange.markets import FILLS, FIRST_ID, MARKETS, level, momentum, trades
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks

START = 1_704_067_200 * NS_PER_S
SECONDS = 3600


def chunks(
    seconds: int = SECONDS, *, seed: int = 0, symbol: str = "BTCUSDT", start_ns: int = START
) -> list[Ticks]:
    return list(itertools.islice(trades(momentum, seed, symbol, start_ns), seconds))


@pytest.fixture(scope="module")
def hour() -> list[Ticks]:
    return chunks()


@pytest.fixture(scope="module")
def ticks(hour: list[Ticks]) -> Ticks:
    return np.concatenate(hour)


def test_each_chunk_is_one_second(hour: list[Ticks]) -> None:
    for i, chunk in enumerate(hour):
        assert (chunk["ts_event"] // NS_PER_S == START // NS_PER_S + i).all()


def test_ids_run_on_and_times_are_whole_ms_that_never_go_back(ticks: Ticks) -> None:
    assert ticks["id"].tolist() == list(range(FIRST_ID, FIRST_ID + len(ticks)))
    assert (np.diff(ticks["ts_event"]) >= 0).all()
    assert not (ticks["ts_event"] % NS_PER_MS).any()


def test_the_same_seed_gives_the_same_trades_whenever_it_starts() -> None:
    first, again = (np.concatenate(chunks(200, start_ns=at)) for at in (START, START + NS_PER_S))
    again["ts_event"] -= NS_PER_S
    assert (first == again).all()


@pytest.mark.parametrize("other", [{"seed": 1}, {"symbol": "BTCEUR"}])
def test_another_seed_or_symbol_gives_other_trades(other) -> None:
    assert not np.array_equal(
        np.concatenate(chunks(10))["size"], np.concatenate(chunks(10, **other))["size"]
    )


def test_another_process_draws_the_same_trades() -> None:
    code = (
        "import itertools, numpy as np; from streaming.exchange.markets import *;"
        f"print(np.concatenate(list(itertools.islice(trades(momentum, 3, 'ETHUSDT', {START}), 90)"
        "))['size'].tobytes().hex()[-64:])"
    )
    env = {"PYTHONHASHSEED": "7", "PYTHONPATH": "."}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    here = np.concatenate(chunks(90, seed=3, symbol="ETHUSDT"))["size"].tobytes().hex()[-64:]
    assert run.stdout.strip() == here


def test_prices_are_whole_ticks_near_the_symbol_s_level(ticks: Ticks) -> None:
    price, decimals = level("BTCUSDT")
    assert decimals == 2
    assert price == pytest.approx(60_000, rel=0.01)
    assert (ticks["price"] == np.round(ticks["price"], decimals)).all()
    assert ticks["price"] == pytest.approx(price, rel=0.05)
    assert (ticks["size"] > 0).all()


def test_trades_come_at_the_rate_of_the_process_and_in_bursts(hour: list[Ticks]) -> None:
    count = np.array([len(chunk) for chunk in hour])
    assert count.mean() == pytest.approx(ORDERS_PER_S * FILLS, rel=0.05)
    assert 25 <= count.mean() <= 30
    assert count.var() > 3 * count.mean()  # a Poisson process has 1


def test_500_ticks_come_within_30_s_for_any_seed() -> None:
    for seed in range(20):
        assert sum(map(len, chunks(30, seed=seed))) > 500


def test_sizes_are_log_normal_and_know_nothing_of_the_side(ticks: Ticks) -> None:
    log_size = np.log(ticks["size"])
    assert log_size.std() == pytest.approx(1.5, rel=0.03)
    assert abs(np.corrcoef(log_size, ticks["side"])[0, 1]) < 0.02


def test_trades_bounce_between_bid_and_ask(ticks: Ticks) -> None:
    turn = (np.diff(ticks["side"]) != 0) & (np.diff(ticks["ts_event"]) < 20 * NS_PER_MS)
    move = np.diff(ticks["price"])[turn]
    up = np.diff(ticks["side"])[turn] > 0
    assert np.median(move[up]) > 0 > np.median(move[~up])


def test_the_next_second_can_be_known_a_little_but_not_well() -> None:
    bars = bars_of(np.concatenate(chunks(4 * SECONDS)))
    move = np.sign(np.diff(bars["close"]))
    same = np.mean(move[1:] == move[:-1])
    assert 0.53 < same < 0.60  # 0.566 without bounce
    assert np.diff(np.log(bars["close"])).std() == pytest.approx(0.33e-4, rel=0.1)


def test_every_market_makes_moves_of_whole_blocks() -> None:
    for market in MARKETS.values():
        moves = next(market(np.random.default_rng(0)))
        assert len(moves.returns) == 10 * len(moves.lean)
        assert (np.abs(moves.lean) <= 1).all()
