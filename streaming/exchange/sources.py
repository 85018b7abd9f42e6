"""Where an exchange's trades come from: a synthetic market or a recorded tape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.config import StreamConfig
from streaming.errors import ConfigError, TapeError
from streaming.exchange.markets import MARKETS, Market, trades
from streaming.exchange.protocol.trades import FIRST_AGG_ID, Trades, with_aggregates
from streaming.tape import read_tape, tape_symbols
from streaming.ticks import NS_PER_S, Ticks

# A longer silence of a tape is cut to this: a night, or one row received hours late.
MAX_PAUSE_S = 3600


class TapeAt(NamedTuple):
    """The part of ``source`` after ``tape:``."""

    path: Path
    venue: str


def check_source(config: StreamConfig) -> None:
    """Check that the exchange can serve ``config.source``, before any process is started.

    Raises:
        ConfigError: if there is no market of that name.
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """
    if config.source.startswith("sim"):
        market_of(config)
    elif config.source.startswith("tape:"):
        tape = tape_of(config)
        there = tape_symbols(tape.path)
        if missing := [symbol for symbol in config.symbol_list if symbol not in there]:
            raise TapeError(
                f"{tape.path}: {', '.join(missing)} is not on this tape; it has: "
                f"{', '.join(there) or 'none'}"
            )


def market_of(config: StreamConfig) -> Market:
    """Return the market that ``sim`` or ``sim:<name>`` names.

    Raises:
        ConfigError: if there is none of that name.
    """
    name = config.source.partition(":")[2] or "default"
    if name not in MARKETS:
        raise ConfigError(f"source: got {config.source!r}; known markets: {', '.join(MARKETS)}")
    return MARKETS[name]


def tape_of(config: StreamConfig) -> TapeAt:
    """Split ``tape:PATH?venue=NAME``; without a venue, a symbol's first one is meant."""
    path, _, venue = config.source.partition(":")[2].partition("?venue=")
    return TapeAt(Path(path), venue)


def market_trades(market: Market, seed: int, symbol: str, start_ns: int) -> Iterator[Trades]:
    """Yield a market's trades for ever, each due at its event time."""
    agg_id = FIRST_AGG_ID
    for ticks in trades(market, seed, symbol, start_ns):
        chunk = with_aggregates(ticks, ticks["ts_event"], agg_id)
        if len(chunk):
            agg_id = int(chunk["agg_id"][-1]) + 1
            yield chunk


def tape_trades(tape: TapeAt, symbols: Sequence[str]) -> dict[str, Trades]:
    """Return the trades of each symbol on a tape, due as they were received.

    Raises:
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """
    ticks = [read_tape(tape.path, symbol, tape.venue) for symbol in symbols]
    received = all(len(part) and part["ts_init"].all() for part in ticks)
    due = due_times(ticks, "ts_init" if received else "ts_event")
    return {
        symbol: with_aggregates(part, part_due)
        for symbol, part, part_due in zip(symbols, ticks, due, strict=True)
    }


def due_times(ticks: Sequence[Ticks], paced_by: str) -> list[NDArray[np.int64]]:
    """Return when each tick of each symbol is due, ns: never earlier than the one before.

    Args:
        ticks: ``(n,)`` for each symbol, in the order of receipt.
        paced_by: the field that gives the pace, ``ts_init`` or ``ts_event``.
    """
    pace = [np.maximum.accumulate(part[paced_by]) for part in ticks]
    moments, where = np.unique(np.concatenate(pace), return_inverse=True)
    pauses = np.minimum(np.diff(moments), MAX_PAUSE_S * NS_PER_S)
    due = moments[0] + np.concatenate([[0], np.cumsum(pauses)])
    return np.split(due[where], np.cumsum([len(part) for part in ticks])[:-1])
