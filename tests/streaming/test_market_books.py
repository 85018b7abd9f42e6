"""The books of synthetic markets: they fit the trades, and lean to what comes as often as said."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from streaming.exchange.markets import MARKETS, Second, seconds, trades
from streaming.exchange.markets.fills import level
from streaming.quotes import Quotes, faults
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks

EACH = pytest.mark.parametrize("name", MARKETS)
START = 1_704_067_200 * NS_PER_S
N = 1500


def drawn(name: str, n: int = N, *, symbol: str = "BTCUSDT", start_ns: int = START) -> list[Second]:
    return list(itertools.islice(seconds(MARKETS[name], 0, symbol, start_ns), n))


def joined(parts: list[Second]) -> tuple[Ticks, Quotes]:
    """All trades and quotes; ``after`` counts all trades."""
    ticks = np.concatenate([part.ticks for part in parts])
    quotes = np.concatenate([part.quotes for part in parts])
    before = np.cumsum([0, *(len(part.ticks) for part in parts)])
    quotes["after"] += np.repeat(before[:-1], [len(part.quotes) for part in parts])
    return ticks, quotes


@EACH
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_takers_buy_at_the_ask_and_sell_at_the_bid_no_more_than_is_offered(name, symbol) -> None:
    ticks, quotes = joined(drawn(name, 300, symbol=symbol))
    met = quotes[np.searchsorted(quotes["after"], np.arange(len(ticks)), side="right") - 1]
    bought = ticks["side"] > 0
    assert (ticks["price"] == np.where(bought, met["ask"], met["bid"])).all()
    assert (ticks["size"] <= np.where(bought, met["ask_size"], met["bid_size"])).all()
    assert (met["ts_event"] == ticks["ts_event"]).all()


@EACH
def test_quotes_are_in_order_possible_and_in_whole_ticks_and_lots(name: str) -> None:
    parts = drawn(name, 150)
    _, quotes = joined(parts)
    assert not any(wrong.any() for _, wrong in faults(quotes, START + 10**6 * NS_PER_S))
    assert (np.diff(quotes["after"]) >= 0).all()
    assert (np.diff(quotes["ts_event"]) >= 0).all()
    assert (quotes["ts_event"] % NS_PER_MS == 0).all()
    assert quotes["id"].tolist() == list(range(1, len(quotes) + 1))
    _, decimals = level("BTCUSDT")
    for side in ("bid", "ask"):
        assert (quotes[side] == np.round(quotes[side], decimals)).all()
        sizes = quotes[f"{side}_size"]
        assert (sizes == np.round(sizes, 5)).all()
        assert (sizes > 0).all()
    for i, part in enumerate(parts):
        assert (part.quotes["ts_event"] // NS_PER_S == START // NS_PER_S + i).all()


def test_some_four_quotes_come_a_trade() -> None:
    ticks, quotes = joined(drawn("default", 600))
    assert 3.8 < len(quotes) / len(ticks) < 4.2


@EACH
def test_trades_are_the_same_whether_quotes_are_wanted_or_not(name: str) -> None:
    alone = np.concatenate(list(itertools.islice(trades(MARKETS[name], 0, "BTCUSDT", START), 130)))
    with_quotes, _ = joined(drawn(name, 130))
    assert all((alone[field] == with_quotes[field]).all() for field in alone.dtype.names or ())


def test_quotes_are_the_same_for_the_same_seed_whenever_it_starts() -> None:
    _, first = joined(drawn("default", 130))
    _, again = joined(drawn("default", 130, start_ns=START + 7 * NS_PER_S))
    again["ts_event"] -= 7 * NS_PER_S
    assert (first == again).all()


def leans_and_moves(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The larger side at each second's end, how much larger, and where the mid goes then."""
    last = np.array([part.quotes[-1] for part in drawn(name)])
    imbalance = (last["bid_size"] - last["ask_size"]) / (last["bid_size"] + last["ask_size"])
    move = np.sign(np.diff((last["bid"] + last["ask"]) / 2))
    moved = move != 0
    assert moved.mean() > 0.9
    return np.sign(imbalance)[:-1][moved], np.abs(imbalance)[:-1][moved], move[moved]


@pytest.mark.parametrize("name", [name for name in MARKETS if name != "hawkes"])
def test_the_book_shows_the_next_second_as_often_as_said_whatever_was_before(name: str) -> None:
    lean, size, move = leans_and_moves(name)
    right = lean == move
    error = 4 * math.sqrt(0.25 / len(right))
    assert right.mean() == pytest.approx(MARKETS[name].shows, abs=error)
    for known in (move[:-1] > 0, lean[:-1] > 0, right[:-1], size[1:] > np.median(size)):
        for part in (right[1:][known], right[1:][~known]):
            assert part.mean() == pytest.approx(MARKETS[name].shows, abs=1.5 * error)


def test_the_book_of_a_martingale_tells_nothing_at_all() -> None:
    parts = drawn("martingale", 4 * N)
    last = np.array([part.quotes[-1] for part in parts])
    mid = np.log((last["bid"] + last["ask"]) / 2)
    total = last["bid_size"] + last["ask_size"]
    told = [last["bid_size"] - last["ask_size"], last["ask"] - last["bid"], np.diff(mid, prepend=0)]
    for known in (*told, total, last["bid_size"]):
        link = np.corrcoef(known[1:-1], np.diff(mid)[1:])[0, 1]
        assert abs(link) < 4 / math.sqrt(len(parts))


def test_the_book_of_hawkes_shows_the_side_of_the_next_order() -> None:
    ticks, quotes = joined(drawn("hawkes", 600))
    opens = np.flatnonzero(np.diff(ticks["ts_event"], prepend=-1) > 0)
    # The last quote at rest before a moment of trades: that behind the trades of the moment before.
    rest = np.searchsorted(quotes["ts_event"], ticks["ts_event"][opens]) - 1
    alone = (rest >= 0) & (np.diff(opens, append=len(ticks)) == 1)
    lean = np.sign(quotes["bid_size"] - quotes["ask_size"])[rest[alone]]
    right = lean == ticks["side"][opens[alone]]
    error = 4 * math.sqrt(0.25 / len(right))
    assert right.mean() == pytest.approx(MARKETS["hawkes"].shows, abs=error)
