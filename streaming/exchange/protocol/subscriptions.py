"""What a client asks for on its websocket: subscriptions and properties. Pure.

Replies are Binance's, see web-socket-streams.md: ``{"result":null,"id":1}``, and for a wrong
request a flat ``{"code":..,"msg":..}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from streaming.exchange.protocol.errors import RequestError
from streaming.exchange.protocol.wire import WireStream, stream_of

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
MAX_STREAMS = 1024


class Subscriptions:
    """One connection's streams.

    Args:
        names: the streams that the connection's path names.
        combined: whether events come in an envelope that names the stream.
        unit_ns: how many ns a unit of time has, in what is sent.
    """

    def __init__(self, names: Iterable[str], *, combined: bool, unit_ns: int) -> None:
        self.names = dict.fromkeys(name for name in names if "@" in name)
        self.combined = combined
        self.unit_ns = unit_ns
        self._by_symbol: dict[str, list[WireStream]] | None = None  # None: to be found again

    def of(self, symbol: str) -> tuple[WireStream, ...]:
        """Return the streams of a symbol; an unknown one is left out, as at the venue."""
        if self._by_symbol is None:
            self._by_symbol = {}
            for name in self.names:
                if found := stream_of(name, combined=self.combined, unit_ns=self.unit_ns):
                    self._by_symbol.setdefault(found.symbol.casefold(), []).append(found)
        mine = self._by_symbol.get(symbol.casefold(), ())  # in names of streams case is lost
        return tuple(each._replace(symbol=symbol) for each in mine)

    def receive(self, text: str | bytes) -> bytes:
        """Carry out a request and return the reply."""
        self._by_symbol = None
        try:
            request = _parse(text)
            reply = {"result": self._carry_out(request), "id": request.get("id")}
        except RequestError as refused:
            reply = refused.reply
        return msgspec.json.encode(reply)

    def _carry_out(self, request: dict[str, Any]) -> Any:
        method, params = request["method"], request.get("params", [])
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.names)
        if not isinstance(params, list):
            raise RequestError(2, "Invalid request: invalid type, expected a sequence of `params`")
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(method, params, request.get("id"))
        if not all(isinstance(name, str) for name in params):
            raise RequestError(2, "Invalid request: invalid type, expected a string in `params`")
        if method == "UNSUBSCRIBE":
            for name in params:
                self.names.pop(name, None)
        elif len(self.names.keys() | set(params)) > MAX_STREAMS:
            raise RequestError(2, "Invalid request: too many parameters")
        else:
            self.names |= dict.fromkeys(params)
        return None

    def _property(self, method: str, params: list[Any], id: Any) -> Any:
        if params[:1] != ["combined"]:
            raise RequestError(0, "Unknown property", id=id)
        if len(params) > 2 - (method == "GET_PROPERTY"):
            raise RequestError(2, "Invalid request: too many parameters")
        if method == "GET_PROPERTY":
            return self.combined
        if len(params) < 2 or not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        msg = "Invalid JSON: expected value at line 1 column 1"
        raise RequestError(3, msg) from None
    if not isinstance(request, dict) or "method" not in request:
        raise RequestError(2, "Invalid request: missing field `method` at line 1 column 1")
    if request["method"] not in METHODS:
        allowed = ", ".join(f"`{method}`" for method in METHODS)
        raise RequestError(
            2, f"Invalid request: unknown variant {request['method']}, expected one of {allowed}"
        )
    if not _is_id(request.get("id")):
        raise RequestError(2, "Invalid request: request ID must be an unsigned integer")
    return request


def _is_id(id: Any) -> bool:
    if isinstance(id, str):
        return id.isalnum() and len(id) <= 36
    return id is None or (isinstance(id, int) and not isinstance(id, bool) and 0 <= id < 2**63)
