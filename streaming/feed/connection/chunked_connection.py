"""The library's websocket, which hands over the messages of a read at once.

The library wakes a coroutine for each message, which costs as much as all else that is done with
it. A read from a busy venue brings hundreds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import BINARY, TEXT, Frame
from websockets.protocol import Event

WHOLE = (TEXT, BINARY)


class ChunkedConnection(ClientConnection):
    """A connection that goes on handling pings and its own end as the library does.

    Attributes:
        take: is given the messages of each read, in order, from when it is set on. What came
            before that, a message in fragments and the end of the connection come by ``recv``.
    """

    take: Callable[[list[bytes]], None] | None = None

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._whole: list[bytes] = []

    def process_event(self, event: Event) -> None:
        """Put a message aside until the end of the read, if none before it waits for ``recv``."""
        if (
            self.take is not None
            and isinstance(event, Frame)
            and event.opcode in WHOLE
            and event.fin
            and not len(self.recv_messages.frames)
        ):
            self._whole.append(bytes(event.data))
        else:
            super().process_event(event)

    def data_received(self, data: bytes) -> None:
        """Hand over the messages of a read."""
        super().data_received(data)
        if self._whole and self.take is not None:
            whole, self._whole = self._whole, []
            self.take(whole)
