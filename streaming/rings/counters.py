"""What a feed counts of each market's stream, and the states of its connection."""

from __future__ import annotations

import enum

import numpy as np

# Why a message was dropped.
REJECTED = (
    "malformed",  # not JSON, or a field is missing or of the wrong type
    "not_trade",  # another event of the venue
    "foreign_symbol",
    "oversized",
    "bad_price",  # not a number above 0 and up to 1e30
    "bad_size",
    "bad_quote",  # a book that is crossed, has an empty side, or no finite numbers
    "bad_time",  # before 2009, or over a minute ahead of the venue's clock
    "not_market",  # a trade that no order made: an insurance fund's, a deleveraging
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
        ("quotes", "<i8"),  # updates of the best bid and ask
        ("late_quotes", "<i8"),  # those kept whose bar was final already
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
