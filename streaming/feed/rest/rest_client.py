"""A venue's REST interface: trades missed, the history from before the first one, its clock.

No other module speaks HTTP to a venue. Requests of all symbols are made one after the other, in a
thread, so that the reader of the socket never waits for them and a refusal stops them all.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import Future
from email.message import Message
from typing import NamedTuple

from streaming.errors import RepairError, UnknownSymbolError
from streaming.feed.rest.proxies import on_this_machine, proxy_fault
from streaming.feed.rest.rest_gate import RestGate
from streaming.feed.rest.venue_clock import steady_ns
from streaming.program.backoff import retry_after_seconds
from streaming.venues import Refusal, RestRequest, Venue

TIMEOUT_S = 10.0
MAX_REPLY_BYTES = 8 * 2**20

TRIES = 3  # for a fault of the venue's
SHORT_WAIT_S = 0.5  # between them, if the venue names no wait

# How long nothing is asked after a refusal, s, if the venue names no time: a limit counts a minute,
# a ban lasts two at least, a region does not move.
PAUSES = {429: 60.0, 418: 120.0, 403: 600.0, 451: 300.0}
TOO_MANY_S = 15.0  # ... that came without such a status

USER_AGENT = "tickloop"  # some venues refuse urllib's own


class TimedReply(NamedTuple):
    """A reply, and when it was asked for and came, ns of the steady clock."""

    body: bytes
    sent: int
    received: int


class Answer(NamedTuple):
    """What a server has answered, whatever the status."""

    status: int
    reason: str
    headers: Message
    body: bytes


class RestClient:
    """All requests of one feed to its venue.

    Args:
        venue: says what its limits are and what its refusals mean.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._gate = RestGate(venue.terms.limit)
        self._one_at_a_time = asyncio.Lock()

    async def get(self, request: RestRequest, patience: float) -> TimedReply:
        """Return the reply of a request.

        Args:
            request: what to ask.
            patience: how long it may wait for its turn, s.

        Raises:
            UnknownSymbolError: if the venue has no such symbol.
            RepairError: if there is no answer in time, or the venue refuses.
        """
        deadline, faults = time.monotonic() + patience, 0
        while True:
            async with self._one_at_a_time:
                wait = self._gate.wait(request.weight, time.monotonic())
                if wait == 0:
                    sent, answer = steady_ns(), await self._ask(request)
                    refusal = self._venue.refusal(answer.status, answer.body)
                    if refusal is None:
                        return TimedReply(answer.body, sent, steady_ns())
                    wait, reason = self._refused(answer, refusal)
                    faults += 1
                else:
                    reason = self._gate.reason
            if faults == TRIES or time.monotonic() + wait > deadline:
                raise RepairError(reason)
            await asyncio.sleep(wait)

    async def _ask(self, request: RestRequest) -> Answer:
        if fault := proxy_fault(request.url):
            raise RepairError(fault)
        started = time.monotonic()
        try:
            answer = await _in_thread(request.url)
        except (OSError, http.client.HTTPException, ValueError) as e:
            # Others need not wait as long to find out that nobody answers.
            now = time.monotonic()
            self._gate.close(now - started, now, f"{request.url}: {e}")
            raise RepairError(f"{request.url}: {e}") from e
        finally:
            self._gate.spend(request.weight, time.monotonic())
        used = answer.headers.get(self._venue.terms.limit.used_header, "")
        self._gate.reported(int(used) if used.isdecimal() else 0, time.monotonic())
        return answer

    def _refused(self, answer: Answer, refusal: Refusal) -> tuple[float, str]:
        """Return how many seconds to wait before another try, and why.

        Raises:
            RepairError: if none would help.
        """
        status = f"HTTP {answer.status}: " if answer.status >= 300 else ""
        reason = f"{status}{refusal.text or answer.reason}"
        header = answer.headers.get("Retry-After")
        if refusal.unknown_symbol:
            raise UnknownSymbolError(reason)
        if answer.status in PAUSES or refusal.too_many:
            wait = retry_after_seconds(header, PAUSES.get(answer.status, TOO_MANY_S))
            self._gate.close(wait, time.monotonic(), reason)
            return wait, reason
        if answer.status < 500:
            raise RepairError(reason)
        return retry_after_seconds(header, SHORT_WAIT_S), reason


async def _in_thread(url: str) -> Answer:
    """Make a GET in a daemon thread: the end of the process must not wait for a venue."""
    reply: Future[Answer] = Future()
    reply.set_running_or_notify_cancel()

    def work() -> None:
        try:
            reply.set_result(_get(url))
        except Exception as e:  # noqa: BLE001  (raised again where the reply is awaited)
            reply.set_exception(e)

    threading.Thread(target=work, name="rest", daemon=True).start()
    return await asyncio.wrap_future(reply)


def _get(url: str) -> Answer:
    no_proxy = [urllib.request.ProxyHandler({})] if on_this_machine(url) else []
    opener = urllib.request.build_opener(*no_proxy)
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
    try:
        reply = opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as refusal:
        reply = refusal  # an answer too
    with reply:
        return Answer(reply.status, reply.reason, reply.headers, reply.read(MAX_REPLY_BYTES))
