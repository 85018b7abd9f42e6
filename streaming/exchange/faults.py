"""Faults on request, for tests of programs that follow the exchange.

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

import msgspec

from streaming.exchange.clients import Clients
from streaming.exchange.pacing.playback import Playback
from streaming.exchange.simulator import MarketSimulator

KINDS = ("drop", "abort", "stall", "skip", "lose", "raw", "refuse", "end")


class Faults:
    """The faults of one exchange, as methods and as queries of ``/sim/fault``.

    Args:
        clients: the exchange's websockets.
        simulator: what happens on the exchange.
    """

    def __init__(self, clients: Clients, simulator: MarketSimulator) -> None:
        self._clients, self._simulator = clients, simulator
        self._stalled_until = 0.0  # time.monotonic()
        self._refusals = 0
        self._refusal = (429, "")

    @property
    def stalled(self) -> bool:
        """Whether trades are withheld now."""
        return time.monotonic() < self._stalled_until

    def take_refusal(self) -> tuple[int, str] | None:
        """Return status and Retry-After of the request at hand; None if it is not refused."""
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
        self._clients.close(1012, "service restart")

    def abort(self) -> None:
        """Cut all websockets' TCP connections."""
        self._clients.abort()

    def stall(self, seconds: float) -> None:
        """Send no trades for ``seconds`` of our time."""
        self._stalled_until = time.monotonic() + seconds

    def skip(self, count: int, symbol: str = "") -> None:
        """Do not stream the next ``count`` trades of each symbol, or of one."""
        for playback in self._playbacks(symbol):
            playback.skipped.count += count

    def lose(self, count: int, symbol: str = "") -> None:
        """Drop the next ``count`` trades of each symbol, or of one, before they happen."""
        for playback in self._playbacks(symbol):
            playback.lost.count += count

    def raw(self, text: str) -> None:
        """Send ``text`` to all websockets."""
        self._clients.send(text)

    def refuse(self, status: int, count: int, retry_after: str = "") -> None:
        """Answer the next ``count`` requests with ``status`` and ``Retry-After``."""
        self._refusal = (http.HTTPStatus(status).value, retry_after)
        self._refusals = count

    def end(self) -> None:
        """End the market."""
        self._simulator.stop()

    def _playbacks(self, symbol: str) -> list[Playback]:
        playbacks = self._simulator.playbacks
        return [playbacks[symbol]] if symbol else list(playbacks.values())
