"""The alerts over HTTP, for the tab and for programs; the gate lets viewers only read.

GET    /live/alerts                  rules with their states, history, how sending goes
POST   /live/alerts/rules {...}      adds a rule (fields of ``ui.alerts.rules.Rule``)
PATCH  /live/alerts/rules/ID {...}   changes fields of one, such as {"on": false}
DELETE /live/alerts/rules/ID         removes one
PUT    /live/alerts/address {"address": "..."}   where messages go; empty: nowhere
POST   /live/alerts/test             sends a test message, and waits for what becomes of it
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from fastapi import Body, FastAPI, HTTPException

from streaming.errors import KnobError
from ui.alerts.book import new_id
from ui.alerts.desk import AlertDesk
from ui.alerts.rules import Rule
from ui.alerts.sender import SENT, check_address, masked
from ui.alerts.view import choices, rule_view

TEST_SECONDS = 30.0
NO_ADDRESS = "there is no address to send to"
Fields = dict[str, Any]


def add_alerts(app: FastAPI, desk: AlertDesk) -> None:
    """Serve the alerts of ``desk`` from ``app``."""

    @app.get("/live/alerts")
    def everything() -> Fields:
        return view(desk)

    @app.post("/live/alerts/rules", status_code=201)
    def add(fields: Fields) -> Fields:
        with _refusing():
            name, rule = new_id(), rule_of(fields)
            desk.change(lambda book: book.with_rule(name, rule))
        return rule_view(name, rule, {})

    @app.patch("/live/alerts/rules/{name}")
    def edit(name: str, fields: Fields) -> Fields:
        with _refusing():
            rule = rule_of(dataclasses.asdict(_rule(desk, name)) | fields)
            desk.change(lambda book: book.with_rule(name, rule))
        return rule_view(name, rule, {})

    @app.delete("/live/alerts/rules/{name}")
    def remove(name: str) -> Fields:
        with _refusing():
            _rule(desk, name)
            desk.change(lambda book: book.with_rule(name, None))
        return {"removed": name}

    @app.put("/live/alerts/address")
    def set_address(address: str = Body(embed=True, max_length=2000)) -> Fields:
        with _refusing():
            check_address(address.strip())
            desk.change(lambda book: dataclasses.replace(book, address=address.strip()))
        return {"address": masked(address)}

    @app.post("/live/alerts/test")
    async def test() -> Fields:
        if not desk.book.address:
            raise HTTPException(409, NO_ADDRESS)
        with _refusing():
            outcome = asyncio.wrap_future(await asyncio.to_thread(desk.test))
        await asyncio.wait({outcome}, timeout=TEST_SECONDS)
        words = outcome.result() if outcome.done() else "still sending; the history will tell"
        return {"sent": words == SENT, "outcome": words}


def view(desk: AlertDesk) -> Fields:
    """Return everything about alerts but what is secret."""
    book, sender = desk.book, desk.sender
    return {
        "rules": [rule_view(name, rule, desk.states) for name, rule in book.rules.items()],
        "history": [dataclasses.asdict(line) for line in reversed(book.history)],
        "address": masked(book.address) if book.address else "",
        "sending": {
            "sent": sender.sent, "failed": sender.failed, "last_failure": sender.last_failure,
        },
        "choices": choices(desk.known),
        "broken": desk.broken,
        "revision": desk.revision,
    }  # fmt: skip


def rule_of(fields: Fields) -> Rule:
    """Return the rule that somebody asked for.

    Raises:
        KnobError: if a field is unknown or wrong.
    """
    known = {field.name for field in dataclasses.fields(Rule)}
    if unknown := fields.keys() - known:
        raise KnobError(f"{min(unknown)}: unknown; allowed: {', '.join(sorted(known))}")
    return Rule(**fields)


def _rule(desk: AlertDesk, name: str) -> Rule:
    if name not in desk.book.rules:
        raise HTTPException(404, f"{name}: there is no such rule")
    return desk.book.rules[name]


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except KnobError as e:
        raise HTTPException(422, str(e)) from e
    except (OSError, ValueError) as e:
        raise HTTPException(500, f"not saved: {e}") from e
