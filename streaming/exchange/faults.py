"""Faults on request, for tests of whoever follows the exchange.

    drop                    close all websockets as for a restart (1012)
    abort                   cut them without a word
    stall   seconds         send no trades, but answer pings; trades go on happening
    skip    count           the next trades are not streamed, but REST has them
    lose    count           the next trades do not exist: neither streamed nor in REST
    raw     text            send this text to all websockets as it is
    refuse  status count retry_after     answer the next requests so
    end                     the market ends here

``skip`` and ``lose`` concern every symbol, unless one is named by ``symbol``.
"""

from __future__ import annotations

import http
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from websockets.asyncio.server import broadcast

from streaming.exchange.player import Player

if TYPE_CHECKING:
    from streaming.exchange.server import Exchange

KINDS = ("drop", "abort", "stall", "skip", "lose", "raw", "refuse", "end")


class Faults:
    """The faults of one exchange, as methods and as queries of ``/sim/fault``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._stalled_until = 0.0  # time.monotonic()
        self._refusals = 0
        self._refusal = (429, "")

    @property
    def stalled(self) -> bool:
        """Whether no trades are to be sent now."""
        return time.monotonic() < self._stalled_until

    def take_refusal(self) -> tuple[int, str] | None:
        """Return status and Retry-After for the request at hand, if it is to be refused."""
        if self._refusals == 0:
            return None
        self._refusals -= 1
        return self._refusal

    def request(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Carry out a query; return status and body of the answer."""
        kind = query.get("kind", "")
        try:
            if kind not in KINDS:
                raise ValueError(f"kind: got {kind!r}; allowed: {', '.join(KINDS)}")
            self._carry_out(kind, query)
        except (ValueError, KeyError) as e:
            return 400, msgspec.json.encode({"code": -1100, "msg": f"Bad fault: {e}"})
        return 200, b"{}"

    def _carry_out(self, kind: str, query: Mapping[str, str]) -> None:
        count = int(query.get("count", "1"))
        if kind == "stall":
            self.stall(float(query["seconds"]))
        elif kind in ("skip", "lose"):
            (self.skip if kind == "skip" else self.lose)(count, query.get("symbol", ""))
        elif kind == "raw":
            self.raw(query["text"])
        elif kind == "refuse":
            retry_after = query.get("retry_after", "")
            self.refuse(int(query.get("status", "429")), count, retry_after)
        else:
            {"drop": self.drop, "abort": self.abort, "end": self.end}[kind]()

    def drop(self) -> None:
        """Close all websockets with code 1012."""
        for client in list(self._exchange.clients):
            self._exchange.close(client, 1012, "service restart")

    def abort(self) -> None:
        """Cut all websockets' TCP connections."""
        for client in list(self._exchange.clients):
            client.connection.transport.abort()

    def stall(self, seconds: float) -> None:
        """Send no trades for ``seconds`` of our time."""
        self._stalled_until = time.monotonic() + seconds

    def skip(self, count: int, symbol: str = "") -> None:
        """Do not stream the next ``count`` trades of each symbol, or of one."""
        for player in self._players(symbol):
            player.skipped.count += count

    def lose(self, count: int, symbol: str = "") -> None:
        """Let the next ``count`` trades of each symbol, or of one, never happen."""
        for player in self._players(symbol):
            player.lost.count += count

    def raw(self, text: str) -> None:
        """Send ``text`` to all websockets."""
        broadcast([client.connection for client in self._exchange.clients], text)

    def refuse(self, status: int, count: int, retry_after: str = "") -> None:
        """Answer the next ``count`` requests with ``status`` and ``Retry-After``."""
        self._refusal = (http.HTTPStatus(status).value, retry_after)
        self._refusals = count

    def end(self) -> None:
        """Let nothing happen any more."""
        self._exchange.play.stop()

    def _players(self, symbol: str) -> list[Player]:
        players = self._exchange.play.players
        return [players[symbol]] if symbol else list(players.values())
