"""A small real HTTP server that has trades 10 a second, and a script of other answers."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from streaming.venues.binance import Binance

T0_MS = 1_700_000_000_000


class RestServer:
    """Trades ``ids``; ``script`` has what to answer instead, in turn.

    Attributes:
        requests: (fromId, limit) of each request, -1 where it had none.
        paths: the path of each request.
        script: (status, headers, body) of the next answers; a body of None is that of the trades.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[int, int]] = []
        self.paths: list[str] = []
        self.ids = range(1, 5001)
        self.script: list[tuple[int, dict[str, str], bytes | None]] = []
        self.venue = Binance(("X",), rest=self.url)

    def rows(self, first: int, limit: int) -> list[dict]:
        """The venue's rows."""
        found = [i for i in self.ids if i >= first][:limit]
        if first < 0:
            found = list(self.ids)[-limit:]
        return [
            {"id": i, "price": str(i), "qty": "1", "quoteQty": str(i), "time": T0_MS + 100 * i,
             "isBuyerMaker": i % 2 == 0, "isBestMatch": True}
            for i in found
        ]  # fmt: skip


@contextlib.contextmanager
def rest_server() -> Iterator[RestServer]:
    """Run a server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            rest.requests.append((int(query.get("fromId", -1)), int(query.get("limit", -1))))
            rest.paths.append(self.path)
            status, headers, body = 200, {}, None
            if rest.script:
                status, headers, body = rest.script.pop(0)
            if body is None:
                body = json.dumps(rest.rows(*rest.requests[-1])).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        rest = RestServer(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield rest
        server.shutdown()
