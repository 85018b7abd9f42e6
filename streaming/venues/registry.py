"""The venues by name; another one is a file and a line here."""

from __future__ import annotations

from streaming.venues import Venue
from streaming.venues.binance import Binance
from streaming.venues.binance_futures import BinanceCoinM, BinanceUsdM
from streaming.venues.bybit import Bybit, BybitInverse, BybitLinear
from streaming.venues.coinbase import Coinbase
from streaming.venues.kraken import Kraken
from streaming.venues.okx import Okx

VENUES: dict[str, type[Venue]] = {
    venue.name: venue
    for venue in (
        Binance, BinanceUsdM, BinanceCoinM, Coinbase, Kraken, Bybit, BybitLinear, BybitInverse, Okx
    )
}  # fmt: skip

# Of an account without discounts. The simulated venue charges as little as the cheapest venues do,
# so that trading can pay at all; most tapes were recorded at Binance.
TAKER_FEES_BPS = {
    "sim": 1.0,
    "tape": 10.0,
    **{name: venue.terms.taker_fee_bps for name, venue in VENUES.items()},
}
