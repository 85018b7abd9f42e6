"""Where a session's page and MLflow's own UI are, said once they answer."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

from trainers.config import SessionConfig
from trainers.session.preflight import LOOPBACK


class Announcer:
    """Prints each address once something answers there."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._waiting = addresses

    def __call__(self) -> None:
        for name, url in list(self._waiting.items()):
            parts = urlsplit(url)
            with contextlib.suppress(OSError):
                socket.create_connection((parts.hostname, parts.port), timeout=0.05).close()
                del self._waiting[name]
                print(f"{name:<10} {url}", flush=True)  # noqa: T201


def addresses_of(config: SessionConfig, experiment: str) -> dict[str, str]:
    """Return what to announce: name -> URL."""
    found = {}
    if config.page_port:
        found["page"] = f"http://{_reached_at(config.page_host)}:{config.page_port}"
    if config.mlflow_ui_port:
        # MLflow's UI opens in its GenAI view otherwise.
        view = f"/#/experiments/{experiment}/runs?workflowType=machine_learning"
        found["MLflow UI"] = f"http://{LOOPBACK}:{config.mlflow_ui_port}{view}"
    return found


def _reached_at(host: str) -> str:
    """Return where this machine reaches what listens on ``host``, as part of a URL."""
    if host in ("", "0.0.0.0", "::"):
        return LOOPBACK
    return f"[{host}]" if ":" in host else host
