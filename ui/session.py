"""One running (or ended) session, as the page and its API see it.

rings ── Market, Chart ─┐
ledger ─┬─ LedgerMarks ─┤
        └─ Desk ────────┼─> picture of a symbol
MLflow ─── Poller ──────┴─> alerts
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from streaming.ticks import NS_PER_MS
from trainers.config import SessionConfig
from ui.alerts.desk import AlertDesk, Sources
from ui.alerts.view import alert_texts
from ui.evidence.desk import Desk
from ui.evidence.page import evidence
from ui.live.cards import cards
from ui.live.chart import Chart
from ui.live.controls import confidence, controls
from ui.live.header import header, price_decimals, stream
from ui.live.ledger_marks import LedgerMarks
from ui.market import Market
from ui.picture import Picture, joined
from ui.points.feed import Points
from ui.poller import Poller
from ui.runs.desk import RunsDesk
from ui.starter import Starter

ROWS_SHOWN = 900  # 15 min, the widest range button
CHART_COLUMNS = 9  # of a row; trades are not charted


class Session:
    """The rings, the ledger and the metrics of one session.

    Args:
        run_id: the session's id.
        folder: where its rings are.
        config: what it runs with.
        poller: of its metrics.
    """

    def __init__(self, run_id: str, folder: Path, config: SessionConfig, poller: Poller) -> None:
        self.run_id, self.folder, self.config, self.poller = run_id, folder, config, poller
        symbols, named = config.symbol_list, config.learner_list
        grace_ns = config.grace_ms * NS_PER_MS
        self.markets = {name: Market(folder, name, grace_ns) for name in symbols}
        self._charts = {name: Chart(market, ROWS_SHOWN) for name, market in self.markets.items()}
        self._marks = {name: LedgerMarks(folder, name, named, ROWS_SHOWN) for name in symbols}
        self._desks = {name: Desk(folder, name, named, config.fee_bps) for name in symbols}
        self._evidence = {name: Picture() for name in symbols}
        self._runs = RunsDesk(poller.reader, config)
        self.starter = Starter(folder)
        self.alerts = AlertDesk(folder.parents[1] / "alerts.json", self._sources())
        poller.after_each_look(self._judge)
        poller.after_each_look(lambda: self._runs.look(poller.metrics))
        poller.after_each_look(self.alerts.look)
        self.points = Points(poller)
        poller.after_each_look(self.points.look)

    def market(self, symbol: str = "") -> Market:
        """Return a symbol's market, the first one's if none is named.

        Raises:
            KeyError: if the session does not follow the symbol; the text names those it does.
        """
        name = symbol.strip().upper() or self.config.symbol_list[0]
        if name not in self.markets:
            raise KeyError(f"symbol: got {symbol!r}; allowed: {', '.join(self.markets)}")
        return self.markets[name]

    def picture(self, symbol: str) -> Picture:
        """Look at everything a viewer of ``symbol`` sees."""
        metrics, judged = self.poller.metrics, self._desks[symbol].judged
        marks = self._marks[symbol].look()  # before the bars: no forecast without its bar
        rows, counters = self._charts[symbol].look(), self.markets[symbol].counters()
        decimals = price_decimals(rows)
        return joined(
            Picture(
                {**header(rows, metrics, decimals), **stream(counters, self.config)},
                {
                    "decimals": decimals,
                    "confidence": confidence(metrics.session, self.config.confidence),
                    "mlflow": mlflow_ui(self.poller.reader.uri, self.config.mlflow_ui_port),
                },
                {"rows": {row[0]: row[:CHART_COLUMNS] for row in rows}},
            ),
            marks,
            cards(self.config, symbol, counters, metrics, judged.metrics),
            Picture(keyed={"cycles": metrics.cycles[symbol].scores})
            if symbol in metrics.cycles
            else Picture(),
            controls(metrics.session, self.starter.failed),
            self._runs.part,
            Picture(alert_texts(self.alerts.firing, self.alerts.revision)),
            self._evidence[symbol],
        )

    def _sources(self) -> Sources:
        """Return what alerts look at."""
        return Sources(
            session=self.run_id,
            folder=self.folder,
            stale_seconds=self.config.stale_seconds,
            metrics=lambda: self.poller.metrics,
            streams=lambda: {name: market.counters() for name, market in self.markets.items()},
            models=lambda: self._runs.models,
        )

    def _judge(self) -> None:
        """Judge every symbol's ledger; in the poller's thread."""
        metrics = self.poller.metrics
        for symbol, desk in self._desks.items():
            desk.look(metrics.cycle)
            self._evidence[symbol] = evidence(symbol, metrics, desk.judged, desk.learners)


def mlflow_ui(uri: str, port: int) -> int | str:
    """Return where MLflow's own UI is: an address, or its port on this host; 0 if nowhere.

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
