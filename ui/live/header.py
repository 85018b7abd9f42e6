"""The texts of the page's first line and of the stream's card. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from datamodules.mids import BP
from datamodules.target import Target
from ui.market_reader import BestQuote, Counters
from ui.mlflow.session_metrics import SessionMetrics
from ui.views.formatting import count, duration
from ui.views.view_model import Texts

OLD_SECONDS = 6.0  # three polls of MLflow were missed
WAITING = "waiting for the stream"
DIGITS = 10  # significant ones of a price
MOST_DECIMALS = 100  # that a browser can show


def header(
    rows: list[list[Any]],
    metrics: SessionMetrics,
    decimals: int,
    bar_seconds: int = 1,
    *,
    over: bool = False,
) -> Texts:
    """Return the texts of the first line; ``over`` is whether the session is."""
    by_cycle = "By cycle, {:,} in all" if over else "By cycle, now {:,}"
    return {
        "price": f"{rows[-1][4]:,.{decimals}f}" if rows else WAITING,
        "change": _change(rows, bar_seconds),
        "notice": " · ".join(_notices(metrics)),
        "cycle": "By cycle" if metrics.cycle is None else by_cycle.format(metrics.cycle),
    }


def _notices(metrics: SessionMetrics) -> list[str]:
    notices = []
    if metrics.age is None:
        notices.append("waiting for MLflow")
    elif metrics.age > OLD_SECONDS:
        notices.append(
            f"MLflow does not answer, or slowly: metrics are {duration(metrics.age)} old"
        )
    return notices


def stream(counters: Counters | None, decimals: int = 2, *, proof: bool = True) -> Texts:
    """Return the texts of the stream's card.

    Args:
        counters: the stream's; None before it has begun.
        decimals: those of a price.
        proof: whether the venue's ids show each lost trade, see ``streaming.venues.Terms``.
    """
    if counters is None:
        keys = ("ticks", "bars", "rate", "lag", "gaps", "book", "imbalance")
        return {f"stream.{key}": WAITING for key in keys}
    rate, lag = counters.ticks_per_second, counters.lag_ms
    return {
        "stream.ticks": f"{count(counters.ticks)} over {duration(counters.span_seconds)}",
        "stream.bars": count(counters.bars),
        "stream.rate": "no bar yet" if rate is None else f"{rate:.1f}",
        "stream.lag": "not measured yet" if lag is None else f"{lag:,.1f} ms",
        **_book(counters.book, decimals),
        "stream.gaps": _gaps(counters, proof),
    }


def _gaps(counters: Counters, proof: bool) -> str:
    known = [
        f"{counters.gaps:,} not repaired" * bool(counters.gaps),
        f"{counters.repaired:,} repaired" * bool(counters.repaired),
        "" if proof else "not provable here",
    ]
    return ", ".join(filter(None, known)) or "0"


def forecast_texts(target: Target) -> Texts:
    """Return what the page says of bars, and of what is forecast.

    >>> forecast_texts(Target())
    {'stream.length': '1-s bars', 'stream.target': 'the next close, 1 s ahead'}
    >>> forecast_texts(Target("mid", 3, 5))["stream.target"]
    'the mid 3 bars, 15 s, ahead'
    """
    seconds = target.horizon * target.bar_seconds
    far = f"the {target.label} {target.horizon} bars, {seconds} s, ahead"
    return {
        "stream.length": f"{target.bar_seconds}-s bars",
        "stream.target": f"the next {target.label}, {seconds} s ahead" * (target.horizon == 1)
        or far,
    }


def _book(book: BestQuote | None, decimals: int) -> Texts:
    if book is None:
        return {"stream.book": "no quotes here", "stream.imbalance": "no quotes"}
    bid, ask = (f"{price:,.{decimals}f}" for price in (book.bid, book.ask))
    tilt = book.imbalance
    return {
        "stream.book": f"{bid} / {ask}, spread {book.spread_bps:.2g}\u00a0bp",
        "stream.imbalance": "no sizes" if tilt is None else f"{100 * tilt:+.0f} %",
    }


def price_decimals(rows: Iterable[list[Any]]) -> int:
    """Return how many decimals the closes of the chart's rows have, as ``decimals_of`` counts."""
    return decimals_of(row[4] for row in rows)


def decimals_of(closes: Iterable[float]) -> int:
    """Return how many decimals the prices have; 2 if there are no prices.

    At most 8 are counted, of small prices as many as ten significant digits take.
    """
    prices = [close for close in closes if close > 0]
    if not prices:
        return 2
    most = min(max(8, DIGITS - 1 - math.floor(math.log10(min(prices)))), MOST_DECIMALS)
    texts = [f"{price:.{most}f}".rstrip("0") for price in prices]
    return max(len(text) - text.index(".") - 1 for text in texts)


def _change(rows: list[list[Any]], bar_seconds: int) -> str:
    if len(rows) < 61:
        return f"change: {len(rows)}/61 bars" if rows else ""
    return f"{BP * (rows[-1][4] / rows[-61][4] - 1):+z,.2f} bp in {60 * bar_seconds} s"
