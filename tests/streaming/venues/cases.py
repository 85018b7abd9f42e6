"""The venues as their tests see them: their stand-ins, a feed of one, and what it has to keep."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from streaming.cache import quote_ring
from streaming.config import StreamConfig
from streaming.quotes import MARK
from streaming.venues.registry import VENUES
from tests.streaming.feed_session import Session, following, until
from tests.streaming.venues.binance import BinanceStandIn, BinanceUsdMStandIn
from tests.streaming.venues.bybit import BybitInverseStandIn, BybitStandIn
from tests.streaming.venues.coinbase import CoinbaseStandIn
from tests.streaming.venues.kraken import KrakenStandIn
from tests.streaming.venues.okx import OkxStandIn, OkxSwapStandIn
from tests.streaming.venues.stand_in import StandIn


@dataclass(frozen=True)
class Case:
    """One venue as the contract sees it."""

    name: str
    make: Callable[[str], StandIn]
    symbol: str
    unit_us: int  # the step of its times
    shutdown: str = ""  # a frame that announces the end of connections
    history: int = 300  # trades from before the stream that can be had

    @property
    def venue(self):
        return VENUES[self.name]


SHUTDOWN = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'
NOTICE = '{"event":"notice","code":"64008","msg":"service upgrade","connId":"a4d3ae55"}'
CASES = [
    Case("binance", BinanceStandIn, "BTCUSDT", 1000, SHUTDOWN),
    Case("binance", BinanceStandIn, "币安人生USDT", 1000, SHUTDOWN),
    Case("binance-usdm", BinanceUsdMStandIn, "BTCUSDT", 1000, SHUTDOWN),
    Case("coinbase", CoinbaseStandIn, "BTC-USD", 1),
    Case("kraken", KrakenStandIn, "BTC/USD", 1),
    Case("bybit", BybitStandIn, "BTCUSDT", 1000, history=60),
    Case("bybit-inverse", BybitInverseStandIn, "BTCUSD", 1000),
    Case("okx", OkxStandIn, "BTC-USDT", 1000, NOTICE),
    Case("okx", OkxSwapStandIn, "BTC-USDT-SWAP", 1000, NOTICE),
]


@contextlib.asynccontextmanager
async def followed(folder: Path, case: Case, server: StandIn, **settings):
    """A feed of a stand-in, with its streams subscribed; no feed may complain of its venue."""
    config = StreamConfig(
        **{"source": case.name, "symbols": case.symbol, "venue_ws": server.ws,
           "venue_rest": server.rest, "backfill_seconds": 3600, "segment_seconds": 0, **settings}
    )  # fmt: skip
    async with following(config, folder) as task:
        await until(lambda: server.followed)
        yield Session(folder, server, task)


async def has(session: Session, case: Case, server: StandIn, missing=0):
    """Wait until everything that has happened is kept."""
    n = len(server.trades) - missing
    try:
        await until(lambda: session.cache(case.symbol).committed >= n, 30)
    except AssertionError:
        kept = session.cache(case.symbol).committed
        raise AssertionError(f"{kept} of {n} trades are kept") from None
    if server.quotes and server.followed:
        bid = float(server.quotes[-1].bid)
        await until(lambda: bid in books(session, case)["bid"])


def books(session: Session, case: Case):
    """The quotes that are kept."""
    rows = quote_ring(session.folder, case.symbol).read().rows
    return rows[rows["flags"] & MARK == 0]


def check(session: Session, case: Case, server: StandIn, missing=()) -> None:
    """Each trade once, in order, with its own price, size, side and time."""
    rows = session.cache(case.symbol).read().rows
    wanted = [trade for trade in server.trades.values() if trade.id not in {*missing}]
    wanted = wanted[-len(rows) :]
    unit = case.unit_us
    assert rows["ts_event"].tolist() == [t.us // unit * unit * 1000 for t in wanted]
    assert rows["price"].tolist() == [float(trade.price) for trade in wanted]
    assert rows["size"] == pytest.approx([float(trade.size) for trade in wanted])
    assert rows["side"].tolist() == [trade.side for trade in wanted]
    assert (np.diff(rows["id"]) >= 1).all()
    if case.venue.terms.proof:
        assert rows["id"].tolist() == [trade.id for trade in wanted]
    check_quotes(session, case, server)


def check_quotes(session: Session, case: Case, server: StandIn) -> None:
    """Of each 50 ms the last book, as it was; nothing of the others but their number is lost."""
    rows = books(session, case)
    sent = [float(quote.bid) for quote in server.quotes]  # each another one
    place = np.searchsorted(sent, rows["bid"])
    assert (np.diff(place) >= 0).all()
    for name in ("bid", "ask", "bid_size", "ask_size"):
        wanted = [float(getattr(server.quotes[k], name)) for k in place]
        assert rows[name] == pytest.approx(wanted)
    assert place[-1:].tolist() == [len(server.quotes) - 1] * bool(server.quotes)
