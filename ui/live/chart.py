"""A symbol's chart: the row of a final bar is made once, of one still forming at each look."""

from __future__ import annotations

from typing import Any

from ui.market import Market


class Chart:
    """Follows one market.

    Args:
        market: the symbol's.
        limit: rows kept, at least 1.
    """

    def __init__(self, market: Market, limit: int) -> None:
        self._market, self._limit = market, limit
        self._done = 0  # bars made final when last looked
        self._final: list[list[Any]] = []

    def look(self) -> list[list[Any]]:
        """Return the newest rows, see ``ui.market``, the forming bar last."""
        done = self._market.final  # a bar that gets final from here on is made anew next time
        oldest = max(done - self._limit, self._market.oldest)
        if not oldest <= self._done <= done:  # above: a killed feed took bars back
            self._done, self._final = oldest, []
        rows, fresh = self._market.rows_from(self._done), done - self._done
        self._final = [*self._final, *rows[:fresh]][-self._limit :]
        self._done = done
        return [*self._final, *rows[fresh:]][-self._limit :]
