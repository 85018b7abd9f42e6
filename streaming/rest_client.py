"""Trades fetched by REST: those missed, and the history from before the first one streamed.

No other module speaks HTTP to a venue. Blocking requests run in a thread, one at a time for each
symbol, so that the reader of the socket never waits for them.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import math
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import Future

import numpy as np

from streaming.backoff import retry_after_seconds
from streaming.errors import RepairError
from streaming.ticks import Ticks, make_ticks
from streaming.venues import Venue

PAGE_TRADES = 1000  # the most that one request may ask for
TIMEOUT_S = 10.0
MAX_REPLY_BYTES = 8 * 2**20

# A larger hole is not filled: it would hold the stream back too long.
MAX_REPAIR = 50_000

# Binance bans addresses that go on after a 429. A longer wait would hold the stream back too long.
MAX_RETRY_AFTER_S = 5.0
TRIES = 3
SHORT_WAIT_S = 0.5  # if the venue names no wait in seconds


async def get(url: str) -> bytes:
    """Return the body of a GET.

    Raises:
        RepairError: if there is no answer, or none with status 200 after the retries.
    """
    for attempt in range(TRIES):
        try:
            return await _get_in_thread(url)
        except urllib.error.HTTPError as e:
            e.close()
            wait = _retry_after(e)
            if not wait <= MAX_RETRY_AFTER_S or attempt == TRIES - 1:
                raise RepairError(f"{url}: HTTP {e.code} {e.reason}") from e
            await asyncio.sleep(wait)
        except (OSError, http.client.HTTPException) as e:
            raise RepairError(f"{url}: {e}") from e
    raise AssertionError("unreachable")


async def _get_in_thread(url: str) -> bytes:
    """Return the body of a GET made in a daemon thread.

    The end of the process must not wait for a venue.
    """
    reply: Future[bytes] = Future()
    reply.set_running_or_notify_cancel()

    def work() -> None:
        try:
            reply.set_result(_get(url))
        except Exception as e:  # noqa: BLE001  (raised again where the reply is awaited)
            reply.set_exception(e)

    threading.Thread(target=work, name="rest", daemon=True).start()
    return await asyncio.wrap_future(reply)


def on_this_machine(url: str) -> bool:
    """Return whether ``url`` names a loopback address, for which no proxy is used."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _get(url: str) -> bytes:
    no_proxy = [urllib.request.ProxyHandler({})] if on_this_machine(url) else []
    with urllib.request.build_opener(*no_proxy).open(url, timeout=TIMEOUT_S) as reply:
        body: bytes = reply.read(MAX_REPLY_BYTES)
    return body


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Return how many seconds to wait before another try; inf if none would help."""
    if error.code == 429 or error.code >= 500:
        return retry_after_seconds(error.headers.get("Retry-After"), SHORT_WAIT_S)
    return math.inf


async def fetch_range(venue: Venue, symbol: str, first: int, last: int) -> Ticks:
    """Return the trades with ids ``first`` to ``last``, both included, that the venue has.

    Raises:
        RepairError: if the venue does not answer, or not in its documented format.
    """
    if last - first + 1 > MAX_REPAIR:
        raise RepairError(
            f"{symbol}: {last - first + 1} trades are missing, more than {MAX_REPAIR}"
        )
    pages = [make_ticks(0)]
    while first <= last:
        page = await _page(venue, symbol, first, min(PAGE_TRADES, last - first + 1))
        if len(page) == 0:
            break
        pages.append(page[page["id"] <= last])
        first = int(page["id"].max()) + 1
    return np.concatenate(pages)


async def fetch_before(venue: Venue, symbol: str, before: int, since: int, most: int) -> Ticks:
    """Return trades with ids below ``before``, back to event time ``since`` (ns).

    Args:
        venue: its REST interface is asked.
        symbol: the market.
        before: the id that follows the newest trade wanted.
        since: the event time of the oldest trade wanted, ns.
        most: how many trades to fetch at most.

    Raises:
        RepairError: as ``fetch_range``.
    """
    pages = [make_ticks(0)]
    while most > 0 and before > 0:
        first = max(0, before - min(PAGE_TRADES, most))
        page = await _page(venue, symbol, first, before - first)
        page = page[page["id"] < before]
        if len(page) == 0:
            break
        pages.insert(0, page)
        before, most = int(page["id"][0]), most - len(page)
        if page["ts_event"].min() < since:
            break
    found = np.concatenate(pages)
    return found[found["ts_event"] >= since]


async def _page(venue: Venue, symbol: str, first: int, limit: int) -> Ticks:
    """Return one page, sorted, without ids below ``first``."""
    url = venue.history_url(symbol, first, limit)
    body = await get(url)
    try:
        page = venue.parse_history(body, time.time_ns())
    except ValueError as e:
        raise RepairError(f"{url}: not a list of trades: {body[:100]!r}") from e
    return np.sort(page[page["id"] >= first], order="id")
