"""Where an exchange's market comes from: a synthetic one or a recorded tape."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.bars import MAX_CARRY_S
from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.exchange.markets import MARKETS, Second, SyntheticMarket
from streaming.exchange.pacing.playback import Timed
from streaming.exchange.pacing.time_marks import with_marks
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import with_due
from streaming.exchange.protocol.trades import FIRST_AGG_ID, with_aggregates
from streaming.program.console import say
from streaming.records import join
from streaming.tape import Recording, open_tape, parse_address, release_memory
from streaming.tape.foreign.order import has_receive_times
from streaming.ticks import FOR_EVER, NS_PER_S, filled_times

PAST_SECONDS = 60  # that are made at once


class Source(NamedTuple):
    """What a source has.

    Attributes:
        symbols: as their market spells them.
        quotes: whether any of them has best bid and ask.
    """

    symbols: list[str]
    quotes: bool


def check_source(config: StreamConfig) -> Source:
    """Check that the exchange can serve ``config.source``, before any process is started.

    All of a tape is read, and what is odd about it is said.

    Raises:
        ConfigError: if there is no market of that name, or what is said of a tape cannot be.
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """
    if config.source.startswith("sim"):
        market_of(config)
    elif config.source.startswith("tape:"):
        found = recordings(config)
        for symbol, recording in found.items():
            for remark in recording.remarks:
                say(f"tape       {symbol}: {remark}")
        symbols = [recording.symbol for recording in found.values()]
        return Source(symbols, any(len(each.quotes) for each in found.values()))
    return Source(config.symbol_list, config.quotes)


def market_of(config: StreamConfig) -> SyntheticMarket:
    """Return the market that ``sim`` or ``sim:<name>`` names.

    Raises:
        ConfigError: if there is none of that name.
    """
    name = config.source.partition(":")[2] or "default"
    if name not in MARKETS:
        raise ConfigError(f"source: got {config.source!r}; known markets: {', '.join(MARKETS)}")
    return MARKETS[name]


def recordings(config: StreamConfig) -> dict[str, Recording]:
    """Read the trades and quotes of each symbol on the tape that ``config.source`` names.

    Raises:
        ConfigError: if what is said of the tape cannot be.
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """
    tape = open_tape(parse_address(config.source.partition(":")[2]), quotes=config.quotes)
    found = {symbol: tape.read(symbol) for symbol in config.symbol_list}
    del tape
    release_memory()
    return found


def market_chunks(
    seconds: Iterator[Second], start_ns: int, grace_ns: int, present_ns: int = 0
) -> Iterator[Timed]:
    """Yield a market's seconds for ever, each row due at its event time, with time marks.

    What is past comes a minute at a time: a chunk costs as much as the rows of many seconds.

    Args:
        seconds: the market.
        start_ns: when the first second begins, Unix epoch; a whole second.
        grace_ns: how far behind the end of a second its mark stands, ns.
        present_ns: what is earlier than this is past, ns.
    """
    agg_id, newest = FIRST_AGG_ID, 0
    while True:
        n = PAST_SECONDS if start_ns + PAST_SECONDS * NS_PER_S <= present_ns else 1
        ticks, quotes = _joined(list(itertools.islice(seconds, n)))
        start_ns += n * NS_PER_S
        rows = with_aggregates(ticks, ticks["ts_event"], agg_id)
        agg_id = int(rows["agg_id"][-1]) + 1 if len(rows) else agg_id
        chunk = Chunk(rows, with_due(quotes, quotes["ts_event"]))
        times = chunk.times(FOR_EVER)
        chunk = with_marks(chunk, times, grace_ns, since=newest, until=start_ns)
        times = chunk.times(FOR_EVER)
        newest = int(times.max(initial=newest))
        yield chunk, times


def _joined(seconds: Sequence[Second]) -> Second:
    """Return the rows of consecutive seconds; quotes count the ticks of all before them."""
    ticks, quotes = (
        join(*(each.ticks for each in seconds)),
        join(*(each.quotes for each in seconds)),
    )
    before = np.cumsum([0, *(len(each.ticks) for each in seconds[:-1])])
    quotes["after"] += np.repeat(before, [len(each.quotes) for each in seconds])
    return Second(ticks, quotes)


def tape_chunks(
    recorded: Mapping[str, Recording], grace_ns: int, latest_ns: int
) -> dict[str, Timed]:
    """Return the rows of each symbol on a tape, due as they were received, with time marks.

    Args:
        recorded: the tape.
        grace_ns: how far behind the end of a second its mark stands, ns.
        latest_ns: the latest event time that is possible, ns.
    """
    parts = list(recorded.values())
    received = all(_is_received(part) for part in parts)
    chunks = [_chunk(part) for part in parts]
    _make_due(chunks, parts, "ts_init" if received else "ts_event")
    # Behind its last row a market goes on for as long as the others do.
    until = max(int(chunk.times(latest_ns).max()) for chunk in chunks)
    end = max(int(chunk.due[-1]) for chunk in chunks)
    found: dict[str, Timed] = {}
    for symbol, chunk in zip(recorded, chunks, strict=True):
        times = chunk.times(latest_ns)
        marked = with_marks(chunk, times, grace_ns, until=until, end=end)
        found[symbol] = (marked, marked.times(latest_ns))
    return found


def _is_received(recording: Recording) -> bool:
    """Return whether each row tells when it was received."""
    return has_receive_times(recording.ticks) and bool((recording.quotes["ts_init"] > 0).all())


def _chunk(recording: Recording) -> Chunk:
    ticks, quotes = recording.ticks, recording.quotes
    return Chunk(with_aggregates(ticks, ticks["ts_event"]), with_due(quotes, quotes["ts_event"]))


def _make_due(chunks: Sequence[Chunk], parts: Sequence[Recording], paced_by: str) -> None:
    """Fill in when the rows of each symbol are due, given the field that gives the pace."""
    pace = [
        chunk.merged(part.ticks[paced_by], part.quotes[paced_by])
        for chunk, part in zip(chunks, parts, strict=True)
    ]
    for chunk, due in zip(chunks, due_times(pace), strict=True):
        chunk.trades["due"], chunk.books["due"] = due[chunk.trade_at], due[chunk.book_at]


def due_times(times: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return when each row of each symbol is due, ns: never earlier than the one before.

    Args:
        times: ``(n,)`` for each symbol, ns, in the order of receipt; 0 is not known, and paces
            nothing.
    """
    pace = [np.maximum.accumulate(filled_times(part)) for part in times]
    moments, where = np.unique(np.concatenate(pace), return_inverse=True)
    # A night, or one row received hours late: nobody waits longer than a closed market is told.
    pauses = np.minimum(np.diff(moments), MAX_CARRY_S * NS_PER_S)
    due = moments[0] + np.concatenate([[0], np.cumsum(pauses)])
    return np.split(due[where], np.cumsum([len(part) for part in times])[:-1])
