"""Tapes of random walks, and backtests of them."""

from __future__ import annotations

import numpy as np

from streaming.tape import parse_address
from streaming.tape.parts import look_at
from streaming.ticks import NS_PER_S, make_ticks
from trainers.research.market import MarketBacktest
from trainers.research.played import PlayedSpan

START = 1_700_000_000
ALWAYS = PlayedSpan(0, 1 << 62, 1 << 62)
QUICK = {"min_ticks": 300, "cnn_updates": 1, "cnn_batch_size": 32, "dqn_updates": 50}


def market(seconds, seed=0, start=START):
    """Ticks of a random walk, 3 a second with silences, and a quote in most seconds."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.choice(seconds * 1000, 3 * seconds, replace=False))
    times = times[(times // 1000) % 50 > 4]  # nobody trades for 5 s in 50
    ticks = make_ticks(len(times))
    ticks["id"] = np.arange(len(times)) + 1
    ticks["ts_event"] = start * NS_PER_S + times * 1_000_000
    ticks["side"] = rng.choice([-1, 1], len(times))
    middle = 1000 + np.cumsum(rng.normal(0, 0.05, len(times)))
    ticks["price"] = np.round(middle + 0.02 * ticks["side"], 2)
    ticks["size"] = np.round(rng.exponential(size=len(times)) + 0.01, 3)
    return ticks


def write_csv(path, ticks, *, ids=True):
    head = "id,price,qty,time,is_buyer_maker" if ids else "price,qty,time,is_buyer_maker"
    rows = [
        ([str(tick["id"])] if ids else [])
        + [repr(float(tick["price"])), repr(float(tick["size"]))]
        + [str(tick["ts_event"] // 1_000_000), "true" if tick["side"] < 0 else "false"]
        for tick in ticks
    ]
    path.write_text("\n".join([head, *map(",".join, rows)]) + "\n")


def two_markets(folder, seconds):
    """Write a file of AAA and one of BBB; return their folder."""
    for symbol, seed in (("AAA", 1), ("BBB", 2)):
        write_csv(folder / f"{symbol}-trades-2023-11-14.csv", market(seconds, seed))
    return folder


def write_quotes(path, ticks):
    """A quote after each fourth trade."""
    rows = ["update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time"]
    for i, tick in enumerate(ticks[::4]):
        bid, time = float(tick["price"]) - 0.01, int(tick["ts_event"]) // 1_000_000
        rows.append(f"{i},{bid:.2f},{1 + i % 3},{bid + 0.02:.2f},{2 - i % 2},{time}")
    path.write_text("\n".join(rows) + "\n")


def looked_at(path, symbol, *, quotes=True):
    (tape,) = look_at(parse_address(str(path)), [symbol], quotes=quotes)
    return tape


def backtested(folder, tape, config, span=ALWAYS, cuts=None):
    """The market's backtest, in a folder of its own, and the points that it has told."""
    folder.mkdir()
    points = []
    market = MarketBacktest(
        folder, tape.symbol, config, tape, span, lambda _, new: points.extend(new), lambda: False,
        cuts,
    )  # fmt: skip
    market.run()
    return market, points
