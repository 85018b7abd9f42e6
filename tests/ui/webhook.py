"""A service that receives messages: a real HTTP server, for apprise's json:// addresses."""

from __future__ import annotations

import http.server
import json
import queue
import threading
from types import TracebackType
from typing import Any

SECRET = "5eCr3t"  # a part of addresses, which must not show where they are masked


class Webhook:
    """Keeps the messages that were posted to it.

    Args:
        code: the status code of its answers.
    """

    def __init__(self, code: int = 200) -> None:
        self.code = code
        self.messages: queue.Queue[dict[str, Any]] = queue.Queue()
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.messages.put({**json.loads(body), "path": self.path})
                self.send_response(webhook.code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self.server.server_port}/token-{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, seconds: float = 15.0) -> dict[str, Any]:
        return self.messages.get(timeout=seconds)

    def __enter__(self) -> Webhook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
