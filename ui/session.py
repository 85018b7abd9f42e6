"""One running (or ended) session, as the page and its API see it."""

from __future__ import annotations

from pathlib import Path

from streaming.ticks import NS_PER_MS
from trainers.config import SessionConfig
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
        market = self.markets[symbol]
        return picture(
            self.config,
            symbol,
            market.rows(ROWS_SHOWN),
            market.counters(),
            self.poller.metrics,
        )
