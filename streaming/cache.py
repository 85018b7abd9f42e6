"""The files of a symbol's stream: its tick cache and its bar ring.

<session>/BTCUSDT.ticks    the newest ticks, with the stream's counters in its header
<session>/BTCUSDT.bars     final 1-s bars
"""

from __future__ import annotations

import enum
from pathlib import Path

import numpy as np

from streaming.bars import BAR
from streaming.ring import Ring, RingWriter
from streaming.ticks import TICK

# Why a message was dropped.
REJECTED = (
    "malformed",  # not JSON, or a field is missing or of the wrong type
    "not_trade",  # another event of the venue
    "foreign_symbol",
    "oversized",
    "bad_price",  # not a positive finite number
    "bad_size",
    "bad_time",  # before 2009, or over a minute ahead
)

STATS = np.dtype(
    [
        ("messages", "<i8"),  # frames received
        ("duplicates", "<i8"),  # trades dropped because their id was seen before
        ("gaps", "<i8"),  # jumps in the ids that REST could not fill either
        ("missing", "<i8"),  # trade ids in those gaps
        ("repaired", "<i8"),  # trades fetched by REST after a jump
        ("backfilled", "<i8"),  # trades fetched by REST before the first streamed one
        ("late", "<i8"),  # trades whose bar was final already
        ("reconnects", "<i8"),
        ("state", "<i8"),  # a ConnectionState
        ("last_message_ns", "<i8"),  # Unix epoch
        ("lag_us", "<f8"),  # average time from the venue to here, by the venue's clock
        *((f"rejected_{reason}", "<i8") for reason in REJECTED),
    ]
)


class ConnectionState(enum.IntEnum):
    """What the feed's connection is doing."""

    CONNECTING = 0
    CONNECTED = 1
    RECONNECTING = 2
    STALE = 3  # open, but silent
    ENDED = 4  # the tape has come to its end


def tick_cache(session: Path, symbol: str) -> Ring:
    """Open a symbol's tick cache for reading; its ``stats`` are the stream's counters."""
    return Ring(session / f"{symbol}.ticks", TICK, STATS)


def bar_ring(session: Path, symbol: str) -> Ring:
    """Open a symbol's bar ring for reading."""
    return Ring(session / f"{symbol}.bars", BAR)


def write_tick_cache(session: Path, symbol: str, capacity: int) -> RingWriter:
    """Open or make a symbol's tick cache for writing."""
    return RingWriter(session / f"{symbol}.ticks", TICK, capacity, STATS)


def write_bar_ring(session: Path, symbol: str, capacity: int) -> RingWriter:
    """Open or make a symbol's bar ring for writing."""
    return RingWriter(session / f"{symbol}.bars", BAR, capacity)
