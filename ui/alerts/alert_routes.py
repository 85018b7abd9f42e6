"""The alerts over HTTP, for the tab and for programs; viewers may only read.

GET    /live/alerts                  rules with their states, the history, counts of messages
POST   /live/alerts/rules {...}      adds a rule (fields of ``ui.alerts.rules.Rule``)
PATCH  /live/alerts/rules/ID {...}   changes fields of one, such as {"on": false}
DELETE /live/alerts/rules/ID         removes one
PUT    /live/alerts/address {"address": "..."}   where messages go; empty: nowhere
POST   /live/alerts/test             sends a test message, and waits until it is sent
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from fastapi import Body, FastAPI, HTTPException

from streaming.errors import ConfigError
from ui.alerts.alert_service import AlertService
from ui.alerts.alert_store import new_id
from ui.alerts.alert_view import choices, rule_view
from ui.alerts.rules import Rule
from ui.alerts.sender import SENT, check_address, masked

TEST_SECONDS = 30.0
NO_ADDRESS = "there is no address to send to"
Fields = dict[str, Any]


def add_alert_routes(app: FastAPI, service: AlertService) -> None:
    """Serve the alerts of ``service`` from ``app``."""

    @app.get("/live/alerts")
    def everything() -> Fields:
        return view(service)

    @app.post("/live/alerts/rules", status_code=201)
    def add(fields: Fields) -> Fields:
        with _refusing():
            name, rule = new_id(), rule_of(fields)
            service.change(lambda data: data.with_rule(name, rule))
        return rule_view(name, rule, {})

    @app.patch("/live/alerts/rules/{name}")
    def edit(name: str, fields: Fields) -> Fields:
        with _refusing():
            rule = rule_of(dataclasses.asdict(_rule(service, name)) | fields)
            service.change(lambda data: data.with_rule(name, rule))
        return rule_view(name, rule, {})

    @app.delete("/live/alerts/rules/{name}")
    def remove(name: str) -> Fields:
        with _refusing():
            _rule(service, name)
            service.change(lambda data: data.with_rule(name, None))
        return {"removed": name}

    @app.put("/live/alerts/address")
    def set_address(address: str = Body(embed=True, max_length=2000)) -> Fields:
        with _refusing():
            check_address(address.strip())
            service.change(lambda data: dataclasses.replace(data, address=address.strip()))
        return {"address": masked(address)}

    @app.post("/live/alerts/test")
    async def test() -> Fields:
        if not service.data.address:
            raise HTTPException(409, NO_ADDRESS)
        with _refusing():
            outcome = asyncio.wrap_future(await asyncio.to_thread(service.test))
        await asyncio.wait({outcome}, timeout=TEST_SECONDS)
        text = outcome.result() if outcome.done() else "still sending; see the history"
        return {"sent": text == SENT, "outcome": text}


def view(service: AlertService) -> Fields:
    """Return everything about alerts but what is secret."""
    data, sender = service.data, service.sender
    return {
        "rules": [rule_view(name, rule, service.states) for name, rule in data.rules.items()],
        "history": [dataclasses.asdict(entry) for entry in reversed(data.history)],
        "address": masked(data.address) if data.address else "",
        "sending": {
            "sent": sender.sent, "failed": sender.failed, "last_failure": sender.last_failure,
        },
        "choices": choices(service.known),
        "session": service.sources.session,
        "broken": service.broken,
        "revision": service.revision,
    }  # fmt: skip


def rule_of(fields: Fields) -> Rule:
    """Return the rule of a request.

    Raises:
        ConfigError: if a field is unknown or wrong.
    """
    known = {field.name for field in dataclasses.fields(Rule)}
    if unknown := fields.keys() - known:
        raise ConfigError(f"{min(unknown)}: unknown; allowed: {', '.join(sorted(known))}")
    return Rule(**fields)


def _rule(service: AlertService, name: str) -> Rule:
    if name not in service.data.rules:
        raise HTTPException(404, f"{name}: there is no such rule")
    return service.data.rules[name]


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ConfigError as e:
        raise HTTPException(422, str(e)) from e
    except (OSError, ValueError) as e:
        raise HTTPException(500, f"not saved: {e}") from e
