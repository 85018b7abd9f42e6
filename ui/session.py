"""One running (or ended) session, as the page and its API see it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from streaming.ticks import NS_PER_MS
from trainers.config import SessionConfig
from ui.alerts.desk import Desk, World
from ui.alerts.view import alert_texts
from ui.market import Market
from ui.metrics import Poller
from ui.views import Picture, picture

ROWS_SHOWN = 900  # 15 min, the widest range button


class Session:
    """The rings and the metrics of one session.

    Args:
        run_id: the session's id.
        folder: where its rings are.
        config: what it runs with.
        poller: of its metrics.
    """

    def __init__(self, run_id: str, folder: Path, config: SessionConfig, poller: Poller) -> None:
        self.run_id, self.folder, self.config, self.poller = run_id, folder, config, poller
        grace_ns = config.grace_ms * NS_PER_MS
        self.markets = {name: Market(folder, name, grace_ns) for name in config.symbol_list}
        self.alerts = Desk(folder.parents[1] / "alerts.json", self._world())
        poller.after_each_look(self.alerts.look)

    def market(self, symbol: str = "") -> Market:
        """Return a symbol's market, the first one's if none is named.

        Raises:
            KeyError: if the session does not follow the symbol; the text names those it does.
        """
        name = symbol.strip().upper() or self.config.symbol_list[0]
        if name not in self.markets:
            raise KeyError(f"symbol: got {symbol!r}; allowed: {', '.join(self.markets)}")
        return self.markets[name]

    def _world(self) -> World:
        """Return what alerts look at."""
        return World(
            session=self.run_id,
            folder=self.folder,
            stale_seconds=self.config.stale_seconds,
            metrics=lambda: self.poller.metrics,
            streams=lambda: {name: market.counters() for name, market in self.markets.items()},
            champions=lambda: None,
        )

    def picture(self, symbol: str) -> Picture:
        """Look at everything a viewer of ``symbol`` sees."""
        market = self.markets[symbol]
        seen = picture(
            self.config,
            symbol,
            market.rows(ROWS_SHOWN),
            market.counters(),
            self.poller.metrics,
        )
        return dataclasses.replace(
            seen, texts=seen.texts | alert_texts(self.alerts.firing, self.alerts.revision)
        )
