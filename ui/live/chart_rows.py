"""The rows of a symbol's chart. A final bar's row is made once, a forming one's at each update."""

from __future__ import annotations

from typing import Any

from ui.live.market import Market


class ChartRows:
    """Keeps the rows of one market.

    Args:
        market: the symbol's market.
        limit: how many rows are kept, at least 1.
    """

    def __init__(self, market: Market, limit: int) -> None:
        self._market, self._limit = market, limit
        self._done = 0  # how many bars were final at the last update
        self._final: list[list[Any]] = []

    def update(self) -> list[list[Any]]:
        """Return the newest rows, see ``ui.live.market``, the forming bar last."""
        # The row of a bar that gets final after this is made anew at the next update.
        done = self._market.final
        oldest = max(done - self._limit, self._market.oldest)
        if not oldest <= self._done <= done:  # _done is above if a killed feed took bars back
            self._done, self._final = oldest, []
        rows, fresh = self._market.rows_from(self._done), done - self._done
        self._final = [*self._final, *rows[:fresh]][-self._limit :]
        self._done = done
        return [*self._final, *rows[fresh:]][-self._limit :]
