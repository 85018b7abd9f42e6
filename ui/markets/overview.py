"""All markets of a session at one glance: a line each, sums, and what they come to together.

rings' counters, once a second ─┐
MLflow's runs, where they changed ─┴─> lines, prices, lags, sums -> view model of the Markets tab

Each market's price is sent whenever it changes; what changes slowly, or is read slowly, is sent in
the market's own second of every ``TURN``, so that each message is short.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from typing import Any

from trainers.config import SessionConfig
from trainers.names import LIVE, PROMOTION, Tag
from trainers.states import State
from ui.live.header import decimals_of
from ui.market_reader import Counters, MarketReader
from ui.markets.market_lines import leading, line_of, market_state
from ui.mlflow.session_metrics import SessionMetrics
from ui.session_state import session_state
from ui.views.formatting import UNKNOWN, bp, count
from ui.views.view_model import Texts, ViewModel

FRESH_SECONDS = 0.5  # the counters are read again after that
TURN = 5  # seconds
SPARK = 60  # points of a small line
PRICES = 300  # bars that tell how many decimals a market's prices have


class Overview:
    """Keeps the lines of all markets.

    Args:
        config: the session's settings.
        markets: the markets by symbol.
    """

    def __init__(self, config: SessionConfig, markets: Mapping[str, MarketReader]) -> None:
        self._config, self._markets = config, markets
        self._index = {symbol: i for i, symbol in enumerate(markets)}
        self._streams: tuple[float, dict[str, Counters | None]] = (float("-inf"), {})
        self._decimals: dict[str, int] = {}
        self._lines: dict[str, dict[str, Any]] = {}
        self._lags: dict[str, list[Any]] = {}
        self._shown = ViewModel()
        self._shown_at = float("-inf")

    def streams(self) -> dict[str, Counters | None]:
        """Return the counters of every market, read at most half a second ago."""
        now = time.monotonic()
        if now - self._streams[0] > FRESH_SECONDS:
            found = {symbol: market.counters() for symbol, market in self._markets.items()}
            self._streams = now, found
        return self._streams[1]

    def view_model(self, metrics: SessionMetrics, over: State | None) -> ViewModel:
        """Return the overview as it is now, the same to all who ask within half a second."""
        now = time.monotonic()
        if now - self._shown_at > FRESH_SECONDS:
            self._shown = self._made(metrics, over, int(time.time()))
            self._shown_at = now
        return self._shown

    def sparks(self, metrics: SessionMetrics) -> dict[str, Any]:
        """Return each market's newest prices and edges, which an open tab then carries on.

        A price is that at the end of every ``spark_seconds``; an edge is a cycle's.
        """
        name = leading(self._config, metrics).forecaster
        return {
            "spark_seconds": TURN,
            "prices": [market.closes(SPARK, TURN) for market in self._markets.values()],
            "edges": [
                [edge for who, _, edge, _ in cycles.edges.values() if who == name][-SPARK:]
                if (cycles := metrics.cycles.get(symbol))
                else []
                for symbol in self._markets
            ],
        }

    def _made(self, metrics: SessionMetrics, over: State | None, second: int) -> ViewModel:
        streams, who = self.streams(), leading(self._config, metrics)
        proven = discovered(metrics)
        session = session_state(metrics, streams, self._config, over)
        for symbol, counters in streams.items():
            runs, i = metrics.learners.get(symbol, {}), self._index[symbol]
            state = market_state(self._config, runs, counters, session, over)
            self._lines[symbol] = {
                "i": i,
                **line_of(who, runs, counters, state, proven=symbol in (proven or ())),
            }
            if symbol not in self._lags or second % TURN == i % TURN:
                self._lags[symbol] = self._lag(i, counters)
        return ViewModel(
            {**sums(self._lags.values(), streams, metrics), **headline(metrics, proven)},
            {"market_learners": [who.forecaster, who.trader], "decimals_of": self._all_decimals()},
            {
                "prices": {
                    i: [i, counters.price]
                    for symbol, i in self._index.items()
                    if (counters := streams[symbol]) and counters.price is not None
                },
                "lags": dict(self._lags),
                "lines": dict(self._lines),
            },
        )

    def _lag(self, i: int, counters: Counters | None) -> list[Any]:
        rate = counters.ticks_per_second if counters else None
        lag = counters.lag_ms if counters else None
        return [i, _short(rate), _short(lag)]

    def _all_decimals(self) -> list[int]:
        """Return how many decimals each market's prices have, once it has some."""
        for symbol, market in self._markets.items():
            if symbol not in self._decimals and (closes := market.closes(PRICES)):
                self._decimals[symbol] = decimals_of(closes)
        return [self._decimals.get(symbol, 2) for symbol in self._markets]


def discovered(metrics: SessionMetrics) -> list[str] | None:
    """Return the markets that the session's run names as discoveries; None if it names none yet."""
    try:
        found = json.loads(metrics.session.tags[Tag.DISCOVERIES]) if metrics.session else None
    except (KeyError, ValueError):
        return None
    return [str(symbol) for symbol in found] if isinstance(found, list) else None


def headline(metrics: SessionMetrics, proven: list[str] | None) -> Texts:
    """Return in how many markets a learner is proven better, as the session has logged it."""
    logged = metrics.session.metrics if metrics.session else {}
    found, tested = (logged.get(f"{PROMOTION}{name}") for name in ("discoveries", "markets"))
    if proven is None or found is None or tested is None:
        return {"markets.headline": "Better than the best baseline: not known before a cycle"}
    return {
        "markets.headline": f"Better than the best baseline on {count(found)} of {count(tested)},"
        " false discoveries at most 5 %"
    }


def sums(
    shown: Collection[list[Any]], streams: Mapping[str, Counters | None], metrics: SessionMetrics
) -> Texts:
    """Return what the markets come to together; of ``shown``, the rates and lags in their lines."""
    known = [counters for counters in streams.values() if counters]
    rates, lags = ([row[i] for row in shown if row[i] is not None] for i in (1, 2))
    profit = metrics.session.metrics.get(f"{LIVE}pnl_bps") if metrics.session else None
    return {
        "markets.rate": f"{sum(rates):,.0f}" if rates else UNKNOWN,
        "markets.lag": f"{max(lags):,.0f} ms" if lags else UNKNOWN,
        "markets.gaps": count(sum(one.gaps for one in known)) if known else UNKNOWN,
        "markets.pnl": bp(profit) if profit is not None else UNKNOWN,
    }


def _short(value: float | None) -> float | None:
    """Two significant digits: more would change every second."""
    return None if value is None else float(f"{value:.2g}")
