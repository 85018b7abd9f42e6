"""Sends messages to the user's address in a thread, so that no evaluation waits for a network.

An address often is the secret itself (a bot's token, a webhook's path). Only the kind of service is
ever shown, and of a failure only what cannot quote the address.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable
from typing import NamedTuple

import apprise

from streaming.errors import ConfigError
from ui.server.rate_limit import TokenBucket

logger = logging.getLogger(__name__)
logging.getLogger("apprise").propagate = False  # its texts may quote the address

SENT, NOT_SENT = "sent", "not sent: "
MOST, MOST_SECONDS = 10, 60.0  # messages of all rules: ten, and one more a minute
RULE_MOST, RULE_SECONDS = 2, 300.0  # of one rule: that it fires and that it is over


class Message(NamedTuple):
    """A message; ``done`` is called with what became of it."""

    address: str
    title: str
    body: str
    done: Callable[[str], None]


class Sender:
    """Sends queued messages from one thread.

    Attributes:
        sent: messages that a service accepted, since the page began.
        failed: messages that were not sent.
        last_failure: why the newest of those was not sent; empty if there was none.
    """

    def __init__(self) -> None:
        self.sent = self.failed = 0
        self.last_failure = ""
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="alerts-sender", daemon=True).start()

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._queue.put(message)

    def _run(self) -> None:
        while True:
            message = self._queue.get()
            try:
                outcome = deliver(message.address, message.title, message.body)
            except Exception as e:
                # The edge of the thread: this message is lost, and its outcome says so.
                logger.exception("could not send an alert")
                outcome = f"{NOT_SENT}{type(e).__name__}"
            self._count(outcome)
            try:
                message.done(outcome)
            except Exception:
                # The edge of the thread: this entry of the history stays at "sending".
                logger.exception("could not save what became of an alert")

    def _count(self, outcome: str) -> None:
        if outcome == SENT:
            self.sent += 1
        else:
            self.failed += 1
            self.last_failure = outcome.removeprefix(NOT_SENT)


class Limits:
    """The rate limits of one rule and of all rules. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._all = TokenBucket(MOST, MOST_SECONDS)
        self._rules: dict[str, TokenBucket] = {}

    def allow(self, rule: str, now: float) -> bool:
        """Return whether a rule's message may be sent now, and count it if so."""
        own = self._rules.setdefault(rule, TokenBucket(RULE_MOST, RULE_SECONDS))
        if own.wait(now) > 0 or self._all.wait(now) > 0:
            return False
        own.take(now)
        self._all.take(now)
        return True


def check_address(address: str) -> None:
    """Check that an address is that of a service.

    Raises:
        ConfigError: if it is not; the text does not quote it.
    """
    if address and not apprise.Apprise().add(address):
        raise ConfigError(
            "address: not known to apprise; allowed: such as json://HOST/PATH, ntfy://TOPIC or"
            " mailto://USER:PASSWORD@HOST"
        )


def masked(address: str) -> str:
    """Return the kind of service behind an address, and nothing else of it.

    >>> masked("json://user:secret@127.0.0.1/token")
    'JSON (json://…)'
    """
    found = apprise.Apprise()
    found.add(address)
    kinds = [f"{each.service_name} ({address.partition('://')[0]}://…)" for each in found]
    return ", ".join(kinds)


def deliver(address: str, title: str, body: str) -> str:
    """Send one message; return what became of it."""
    services = apprise.Apprise()
    if not services.add(address):
        return f"{NOT_SENT}apprise does not know the address"
    with apprise.LogCapture(level=logging.WARNING) as log:  # type: ignore[no-untyped-call]  # apprise
        # As text: a service that shows HTML is given it escaped.
        done = services.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
        logged = log.getvalue()
    return SENT if done else f"{NOT_SENT}{_reason(logged)}"


def _reason(logged: str) -> str:
    """Return what kind of failure apprise logged: its own text may quote the address."""
    if code := re.search(r"error=(\d{3})\b", logged):
        return f"the service answered {code[1]}"
    return "no connection" if "onnection error" in logged else "the service did not take it"
