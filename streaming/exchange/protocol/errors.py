"""What is wrong with a client's request, in Binance's words."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """A request is wrong: send ``reply`` and go on.

    Args:
        code: Binance's number of the error.
        msg: Binance's text.
        status: the HTTP status of a REST reply.
        more: what else the reply says.
    """

    def __init__(self, code: int, msg: str, status: int = 400, **more: Any) -> None:
        super().__init__(msg)
        self.status = status
        self.reply = {"code": code, "msg": msg, **more}
