"""One session, running or ended, as the page and its API show it.

rings ─── MarketReader ─┬─┬─ SymbolChart ─┐
                        └─│── Overview ───┤
ledger ─┬─────────────────┘               │
        └─ LedgerScorer ──────────────────┼─> view model of a symbol
MLflow ─── Poller ────────────────────────┴─> alerts, metrics stream
"""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from streaming.symbols import same_but_for_case
from streaming.ticks import NS_PER_MS
from streaming.venues.chosen import venues_of
from trainers.config import SessionConfig
from trainers.names import Tag
from trainers.states import State
from ui.alerts.alert_service import AlertService, Sources
from ui.alerts.alert_view import alert_texts
from ui.chart.chart import SymbolChart
from ui.controls.control_panel import controls
from ui.evidence.evidence_view import evidence
from ui.evidence.ledger_scores import LedgerScorer
from ui.live.header import forecast_texts, header, price_decimals, stream
from ui.live.learner_cards import cards
from ui.live.source_badge import badge
from ui.live.tape_progress import TapeProgress
from ui.market_reader import MarketReader
from ui.markets.overview import Overview
from ui.metrics_stream.publisher import MetricsPublisher
from ui.mlflow.poller import Poller
from ui.runs.fleet_table import fleet
from ui.runs.runs_view import RunsView
from ui.session_starter import SessionStarter
from ui.session_state import at_the_end, end_texts, ended_as, state_texts
from ui.views.view_model import View, ViewModel, merged


class SessionView:
    """The rings, the ledger and the metrics of one session.

    Args:
        run_id: the session's run id.
        folder: the folder of its rings and its ledger.
        config: its settings.
        poller: the poller of its metrics.
    """

    def __init__(self, run_id: str, folder: Path, config: SessionConfig, poller: Poller) -> None:
        self.run_id, self.folder, self.config, self.poller = run_id, folder, config, poller
        symbols, learners = config.symbol_list, config.learner_names
        grace_ns = config.grace_ms * NS_PER_MS
        self.markets = {
            name: MarketReader(folder, name, grace_ns, config.bar_seconds) for name in symbols
        }
        self.overview = Overview(config, self.markets)
        self.charts = {name: SymbolChart(folder, self.markets[name], config) for name in symbols}
        self._scorers = {
            name: LedgerScorer(folder, name, learners, config.fee_bps, config.target)
            for name in symbols
        }
        self._tape = TapeProgress(folder)
        self._proof = {
            name: venue.terms.proof for venue in venues_of(config) for name in venue.symbols
        }
        self._evidence = {name: ViewModel() for name in symbols}
        self.runs = RunsView(poller.reader, config, poller.wake)
        self.starter = SessionStarter(folder)
        self.closing = False  # whether the page ends, and its session with it
        self.alerts = AlertService(folder.parents[1] / "alerts.json", self._sources())
        self.publisher = MetricsPublisher(poller)
        poller.look_at(symbols[0])
        # What the first market's viewers see is always ready, that of others within two polls.
        poller.after_each_poll(lambda: poller.look_at(symbols[0]))
        poller.after_each_poll(self._update_evidence)
        poller.after_each_poll(lambda: self.runs.update(poller.metrics))
        poller.after_each_poll(self.alerts.evaluate)
        poller.after_each_poll(self.publisher.publish)

    def market(self, symbol: str = "") -> MarketReader:
        """Return a symbol's market, the first one's if none is named.

        Raises:
            KeyError: if the session does not follow the symbol; the text names those it does.
        """
        name = symbol.strip() or self.config.symbol_list[0]
        alike = same_but_for_case(name, self.markets)
        if not alike:
            raise KeyError(f"symbol: got {symbol!r}; allowed: {', '.join(self.markets)}")
        return self.markets[alike[0]]

    def view_model(self, symbol: str, seconds: int = 1, view: View = View.MARKET) -> ViewModel:
        """Return everything that a viewer of ``symbol`` sees now.

        Args:
            symbol: the market.
            seconds: the length of a candle.
            view: whether all markets, or the runs, are looked at, too.
        """
        metrics, chart = self.poller.metrics, self.charts[symbol]
        self.poller.look_at(symbol)
        rows, newest = chart.newest(seconds)
        streams = self.overview.streams()
        counters, over = streams[symbol], self.over
        decimals = price_decimals(rows[-300:])
        cycles = metrics.cycles.get(symbol)
        shown = merged(
            ViewModel(
                {
                    **header(
                        rows, metrics, decimals, self.config.bar_seconds, over=over is not None
                    ),
                    **stream(counters, decimals, proof=self._proof[symbol]),
                    **forecast_texts(self.config.target),
                    **badge(self.config.source, rows),
                    **self._tape.texts(over=over is not None),
                },
                {
                    "session": self.run_id,
                    "decimals": decimals,
                    "mlflow": mlflow_ui(self.poller.reader.uri, self.config.mlflow_ui_port),
                },
            ),
            newest,
            cards(self.config, symbol, counters, metrics),
            ViewModel(state_texts(symbol, metrics, streams, self.config, over)),
            ViewModel(end_texts(metrics, over, time.time())),
            ViewModel(keyed={"cycles": cycles.scores} if cycles else {}),
            controls(
                self.config,
                metrics,
                chart.thresholds.newest,
                self.runs.versions,
                time.time(),
                over,
                self.starter.failed,
            ),
            self.runs.view_model() if view == View.RUNS else ViewModel(),
            fleet(metrics.session.tags.get(Tag.FLEET) if metrics.session else None),
            ViewModel(alert_texts(0 if over else self.alerts.firing, self.alerts.revision)),
            self._evidence[symbol],
            self.overview.view_model(metrics, over) if view == View.MARKETS else ViewModel(),
        )
        return at_the_end(shown) if over else shown

    @property
    def over(self) -> State | None:
        """How the session ended; None while it runs."""
        return ended_as(self.poller.metrics) or (State.STOPPED if self.closing else None)

    def _sources(self) -> Sources:
        """Return where the samples of alert rules come from."""
        return Sources(
            session=self.run_id,
            folder=self.folder,
            config=self.config,
            metrics=lambda: self.poller.metrics,
            streams=self.overview.streams,
            models=lambda: self.runs.models,
        )

    def _update_evidence(self) -> None:
        """Score the ledgers that somebody looks at; in the poller's thread."""
        metrics, target = self.poller.metrics, self.config.target
        ahead = target.horizon * target.bar_seconds
        for symbol in self.poller.looked_at:
            scorer = self._scorers[symbol]
            scorer.update(metrics.cycle_of(symbol))
            found, learners = scorer.scores, scorer.learners
            logged = self.config.logs_baselines
            self._evidence[symbol] = evidence(
                symbol, metrics, found, learners, ahead, baselines_logged=logged
            )


def mlflow_ui(uri: str, port: int) -> int | str:
    """Return the address of MLflow's own UI, or its port on this host; 0 if it does not run.

    >>> mlflow_ui("sqlite:////somewhere/mlflow.db", 5000)
    5000
    >>> mlflow_ui("https://me:secret@mlflow.lan/base/", 5000)
    'https://mlflow.lan/base'
    """
    parts = urlsplit(uri)
    if not parts.scheme.startswith("http"):
        return port
    host = parts.netloc.rpartition("@")[2]  # never the password that stands before it
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/")
