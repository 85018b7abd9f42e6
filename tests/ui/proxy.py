"""A proxy in front of the page, as nginx is one: it serves it under a path, or by another Host."""

from __future__ import annotations

import re
import socket
import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer

MOST = 65_536


class Proxy(ThreadingTCPServer):
    """Passes each connection's one request on; a path without the prefix is not the page's: 404.

    Args:
        port: the page's port.
        prefix: the path under which it serves the page.
        headers: headers that it sets; an empty one is taken out.
    """

    daemon_threads = allow_reuse_address = True

    def __init__(self, port: int, prefix: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.page, self.prefix, self.headers = port, prefix, headers or {}
        self.lost: list[str] = []  # paths outside the prefix
        self.address = f"http://127.0.0.1:{self.server_address[1]}{prefix}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def rewritten(self, head: bytes) -> bytes | None:
        """The head of a request as the page gets it; None if it is not for the page."""
        method, path, version = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        if not path.startswith(self.prefix + "/"):
            self.lost.append(path)
            return None
        lines = head.decode("latin-1").split("\r\n")[1:-2]
        upgrades = any(line.lower().startswith("upgrade:") for line in lines)
        own = {name.lower() for name in self.headers} | (set() if upgrades else {"connection"})
        kept = [line for line in lines if line.partition(":")[0].lower() not in own]
        added = [f"{name}: {value}" for name, value in self.headers.items() if value]
        added += [] if upgrades else ["Connection: close"]
        first = f"{method} {path.removeprefix(self.prefix)} {version}"
        return "\r\n".join([first, *kept, *added, "", ""]).encode("latin-1")


class Handler(BaseRequestHandler):
    """One connection."""

    server: Proxy

    def handle(self) -> None:
        read = b""
        while b"\r\n\r\n" not in read:
            part = self.request.recv(MOST)
            if not part:
                return
            read += part
        head, body = re.split(rb"(?<=\r\n\r\n)", read, maxsplit=1)
        passed_on = self.server.rewritten(head)
        if passed_on is None:
            self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.page)) as page:
            page.sendall(passed_on + body)
            back = threading.Thread(target=pour, args=(page, self.request), daemon=True)
            back.start()
            pour(self.request, page)
            back.join()


def pour(source: socket.socket, target: socket.socket) -> None:
    """Copy what comes until it ends, and end the other side too."""
    try:
        while part := source.recv(MOST):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
