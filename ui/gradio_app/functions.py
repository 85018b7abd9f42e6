"""The page's API: named functions for ``gradio_client`` and plain POST.

Each argument has a default; an empty symbol is the session's first. Types are checked before
(``ui.gradio_app.arguments``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from datamodules import transitions, windows
from datamodules.features import WARMUP_BARS
from datamodules.windows import FORECASTER_BARS
from trainers.names import Control, Tag
from trainers.recording.ledger import newest_forecasts
from trainers.tracking.reader import RunRecord, TrackingAwayError
from ui.gradio_app.arguments import AWAY, ENDED, RefusedError
from ui.gradio_app.permissions import for_viewers
from ui.gradio_app.records import forecast_records, model_records, trade_records
from ui.market_reader import Counters, MarketReader, tick_record
from ui.mlflow.session_metrics import RUNNING
from ui.model_input import MOST_BARS, NoBarsError, bars_for_model
from ui.session_state import state_texts
from ui.session_view import SessionView

COLUMNS = (
    "time", "open", "high", "low", "close", "volume", "sma_20", "sma_50", "gap", "trades",
)  # fmt: skip


class ApiFunctions:
    """The functions, bound to one session.

    Raises (all of them):
        RefusedError: for an unknown symbol, naming the known ones.
    """

    def __init__(self, session: SessionView) -> None:
        self.session = session

    @for_viewers
    def get_tick_cache_for_training(self, symbol: str = "", limit: int = 0) -> list:
        """Return the newest ticks of the cache, newest last.

        Args:
            symbol: the market, such as BTCUSDT; the session's first one if empty.
            limit: how many ticks at most; 0 for all there are.

        Returns:
            a list of ticks: trade_id, price, size, side of the taker (buy, sell or unknown), and
            ts_event and ts_init, when the venue matched it and when it was decoded, in ns UTC.
        """
        return [tick_record(tick) for tick in self._market(symbol).ticks(_limit(limit))]

    @for_viewers
    def get_one_second_bars(self, symbol: str = "", limit: int = 900) -> list:
        """Return the newest one-second bars, newest last, the forming one included.

        Args:
            symbol: the market, such as BTCUSDT; the session's first one if empty.
            limit: how many bars at most; 0 for all there are.

        Returns:
            a list of bars: time in unix seconds, open, high, low, close, volume, trades, the means
            of 20 and 50 closes (null until there are so many), and gap: 1 where trades are
            missing, 2 where a price is a wrong print, 3 both, else 0.
        """
        rows = self._market(symbol).rows(_limit(limit) or self.session.config.bar_ring)
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    @for_viewers
    def get_bars_for_model(self, symbol: str = "", bars: int = FORECASTER_BARS) -> dict:
        """Return the newest whole bars as a served model version takes them.

        Args:
            symbol: the market; the session's first one if empty.
            bars: how many; the description of the version says how many it takes.

        Returns:
            inputs, a batch of one with the bars oldest first, and columns, the names of a bar's
            numbers. It is the body of a request to `mlflow models serve`.
        """
        if not 0 < bars <= MOST_BARS:
            raise RefusedError(f"bars: got {bars}; allowed: 1 to {MOST_BARS}")
        market = self._market(symbol)
        try:
            return bars_for_model(self.session.folder, market.symbol, bars)
        except NoBarsError as e:
            raise RefusedError(str(e)) from e

    @for_viewers
    def get_forecasts(self, symbol: str = "", limit: int = 900) -> list:
        """Return the newest rows of the ledger, newest last: forecasts of learners and baselines.

        Args:
            symbol: the market; the session's first one if empty.
            limit: how many rows at most; 0 for all there are.

        Returns:
            a list of forecasts: time, unix seconds, when the bar opened at whose close it was made;
            learner; status: made, missed (too late), silent (none was given) or failed;
            probability of a rise, 0 to 1, and action of an agent (both null if there is none); and
            signal, the action that follows at the confidence in force then.
        """
        try:
            found = newest_forecasts(
                self.session.folder, self._market(symbol).symbol, _limit(limit)
            )
        except FileNotFoundError:
            return []  # nothing was forecast yet
        return forecast_records(*found)

    @for_viewers
    def get_trades(self, symbol: str = "", limit: int = 200) -> list:
        """Return the newest paper trades of all learners, newest last. No orders are sent.

        Args:
            symbol: the market; the session's first one if empty.
            limit: how many trades at most; 0 for all there are.

        Returns:
            a list of trades: learner; opened and closed, unix seconds (closed is null while it is
            held); entry_price and exit_price, mids; entry_up and exit_up, the probabilities of a
            rise behind them (null of an agent); pnl_bps after costs, bp; reason of the sale.
        """
        marks = self.session.charts[self._market(symbol).symbol].marks
        marks.update()
        accounts = {marks.learners[i]: account for i, account in marks.accounts.items()}
        return trade_records(accounts, _limit(limit))

    @for_viewers
    def get_models(self) -> list:
        """Return the registered models as they were read from MLflow, at most 15 s ago.

        Returns:
            a list of models: name, and versions with version, run (its id), created in unix
            seconds, and aliases (champion, challenger, previous).
        """
        return model_records(self.session.runs.models or [])

    def send_training_data_to_models(self, symbol: str = "") -> dict:
        """Ask for a training cycle now; where there are passwords, the operator's is needed.

        Args:
            symbol: the market whose data are counted; the session's first one if empty.

        Returns:
            how much there is to learn from: ticks, bars, feature_rows, windows, experiences.
        """
        market = self._market(symbol)
        self._request_cycle()
        counters = market.counters()
        ticks, bars = (counters.ticks, counters.bars) if counters else (0, 0)
        rows = max(0, bars - WARMUP_BARS)
        return {
            "requested": True,
            "ticks": ticks,
            "bars": bars,
            "feature_rows": rows,
            "windows": max(0, rows - windows.WINDOW_BARS),
            "experiences": max(0, rows - transitions.STATE_BARS - 1),
        }

    @for_viewers
    def training_status(self) -> dict:
        """Return the state of the session, its stream and each learner.

        Returns:
            session, stream (the first symbol's, and each in symbols), learners by symbol and name
            with status and newest metrics, the last events with ts, code and text, the cycle, and
            metrics_age_seconds since MLflow was read (null if never). Session, streams and
            learners have a state: starting, warming up, live, paused, stalled, stopped, ended or
            failed.
        """
        metrics, over = self.session.poller.metrics, self.session.over
        run = metrics.session
        counters = {name: market.counters() for name, market in self.session.markets.items()}
        words = {
            name: state_texts(name, metrics, counters, self.session.config, over)
            for name in counters
        }
        stream = {
            name: {"state": words[name]["stream.status"], **_stream(found)}
            for name, found in counters.items()
        }
        return {
            "session": self.session.run_id,
            "state": next(iter(words.values()))["state"],
            "stream": {
                **next(iter(stream.values())),
                "symbols": stream,
                "metrics": dict(run.metrics) if run else {},
            },
            "learners": {
                symbol: {
                    name: {"state": words[symbol][f"{name}.status"], **_learner(run)}
                    for name, run in runs.items()
                }
                for symbol, runs in metrics.learners.items()
            },
            "events": [dataclasses.asdict(event) for event in metrics.events],
            "cycle": metrics.cycle,
            "metrics_age_seconds": metrics.age,
        }

    def functions(self) -> list[Callable[..., Any]]:
        """Return all functions; each one's name is its address."""
        return [
            self.get_tick_cache_for_training,
            self.get_one_second_bars,
            self.get_bars_for_model,
            self.get_forecasts,
            self.get_trades,
            self.get_models,
            self.send_training_data_to_models,
            self.training_status,
        ]

    def _market(self, symbol: str) -> MarketReader:
        try:
            return self.session.market(symbol)
        except KeyError as e:
            raise RefusedError(str(e.args[0])) from e

    def _request_cycle(self) -> None:
        poller, run_id = self.session.poller, self.session.run_id
        try:
            state = poller.reader.session_run(run_id).state
            if state != RUNNING:
                raise RefusedError(f"session {run_id} has ended ({state})", ENDED)
            poller.reader.ask(run_id, Control.TRAIN_NOW, "1")
        except TrackingAwayError as e:
            raise RefusedError(f"not requested: {e}", AWAY) from e


def _limit(limit: int) -> int:
    if limit < 0:
        raise RefusedError(f"limit: got {limit}; allowed: 0 (all) or more")
    return limit


def _stream(counters: Counters | None) -> dict[str, Any]:
    return dataclasses.asdict(counters) if counters else {"connection": "WAITING"}


def _learner(run: RunRecord) -> dict[str, Any]:
    return {
        "status": run.tags.get(Tag.STATUS),
        "status_text": run.tags.get(Tag.STATUS_TEXT),
        "metrics": dict(run.metrics),
        "run_id": run.run_id,
    }
