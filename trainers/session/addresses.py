"""The addresses of a session's page and MLflow's own UI, printed once they answer; free ports."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import quote, urlencode, urlsplit

from streaming.program.console import say
from streaming.program.environment import LOOPBACK
from trainers.config import SessionConfig
from trainers.session.access import reached_at


class Announcer:
    """Prints each address as soon as a server answers there; call it now and then.

    Args:
        addresses: URLs by the name to print before them.
    """

    def __init__(self, addresses: dict[str, str]) -> None:
        self._waiting = addresses

    def __call__(self) -> None:
        for name, url in list(self._waiting.items()):
            parts = urlsplit(url)
            with contextlib.suppress(OSError):
                socket.create_connection((parts.hostname, parts.port), timeout=0.05).close()
                del self._waiting[name]
                say(f"{name:<10} {url}")


def addresses_of(config: SessionConfig, experiment: str, session: str) -> dict[str, str]:
    """Return the URLs to announce, by name.

    Args:
        config: the session's settings.
        experiment: the id of the experiment with the learners' runs.
        session: run id of the session, whose runs MLflow's UI shows.
    """
    found = {}
    if config.page_port:
        found["page"] = f"http://{reached_at(config.page_host)}:{config.page_port}"
    if config.mlflow_ui_port:
        # Without workflowType MLflow's UI opens its GenAI view.
        asked = {
            "workflowType": "machine_learning",
            "compareRunsMode": "CHART",
            "searchFilter": f"tags.session = '{session}'",
        }
        view = f"/#/experiments/{experiment}/runs?{urlencode(asked, quote_via=quote)}"
        found["MLflow UI"] = f"http://{LOOPBACK}:{config.mlflow_ui_port}{view}"
    return found


def free_ports(n: int) -> list[int]:
    """Return ports of this machine that nobody listens on now."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
