"""Messages into the tick cache, against receiving and decoding them alone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.measuring import NotMeasuredError, cpu_seconds, interleave, median
from benchmarks.processes import ROOT, end, worker
from benchmarks.table import Row
from streaming.cache import bar_ring, tick_cache
from streaming.config import StreamConfig
from streaming.rings.counters import REJECTED
from streaming.rings.ring import Ring
from streaming.tape import segments

N = 300_000
N_QUOTED, QUOTES = 60_000, 4  # trades, and updates of the book after each
ROUNDS = 5
TIMEOUT = 60
SYMBOL = "BTCUSDT"


class Streamed(NamedTuple):
    """One round."""

    rate: float  # messages/s
    cpu_us: float  # of the receiving process, a message
    taped: float = 1.0  # share of the trades that were also on tape at the end


@contextlib.contextmanager
def venue(n: int, quotes: int = 0) -> Iterator[str]:
    """Run the sender; yield its ``HOST:PORT``."""
    with worker(["-m", "benchmarks.peers.venue", str(n), str(quotes)]) as sender:
        yield f"127.0.0.1:{sender.ready['port']}"


def start_signal(host: str) -> None:
    """Let the venue stream; returns once its client is there and the stream begins."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"http://{host}/go", timeout=TIMEOUT).read()


def bare(host: str, n: int, quotes: int = 0) -> Streamed:
    """One round of the bare loop."""
    n *= 1 + quotes
    url = f"ws://{host}/stream?streams=btcusdt@trade"
    with worker(["-m", "benchmarks.peers.bare_loop", url, str(n)]) as loop:
        process = psutil.Process(loop.process.pid)
        cpu = cpu_seconds(process)
        started = time.perf_counter()
        start_signal(host)
        answer = loop.receive(TIMEOUT)
        took = time.perf_counter() - started
        assert answer["last_id"] == (n * quotes // (1 + quotes) or n)
        return Streamed(n / took, 1e6 * (cpu_seconds(process) - cpu) / n)


def feed(host: str, n: int, quotes: int = 0) -> Streamed:
    """One round of the real feed, in its own process, into a session folder on disk."""
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        session = Path(folder)
        (session / "tape").mkdir()
        StreamConfig(
            source="binance", symbols=SYMBOL, venue_ws=f"ws://{host}", venue_rest=f"http://{host}",
            backfill_seconds=0, segment_seconds=60, quotes=quotes > 0,
        ).save(session / "config.json")  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "streaming.feed", folder], cwd=ROOT)
        try:
            cache = _opened(session, process)
            watched = psutil.Process(process.pid)
            time.sleep(0.5)  # its start is not the stream
            cpu = cpu_seconds(watched)
            started = time.perf_counter()
            start_signal(host)
            _wait_for(cache, n, process)
            took = time.perf_counter() - started
            used = cpu_seconds(watched) - cpu
        finally:
            end(process)
        _check(session, cache, n)
        assert cache.stats["quotes"] == n * quotes
        taped = sum(found.stop - found.first for found in segments(session / "tape", SYMBOL))
        frames = n * (1 + quotes)
        return Streamed(frames / took, 1e6 * used / frames, taped / n)


def _opened(session: Path, process: subprocess.Popen[bytes]) -> Ring:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            return tick_cache(session, SYMBOL)
        time.sleep(0.02)
    raise NotMeasuredError(f"the feed made no tick cache (exit code {process.poll()})")


def _wait_for(cache: Ring, n: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while cache.committed < n:
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotMeasuredError(f"the feed kept {cache.committed} of {n} trades")
        time.sleep(0.002)


def _check(session: Path, cache: Ring, n: int) -> None:
    """Assert that nothing was lost, doubled or out of order, and that bars have all of it."""
    kept = cache.read().rows
    assert cache.committed == n
    assert np.array_equal(kept["id"], np.arange(n - len(kept) + 1, n + 1))
    for name in ("gaps", "missing", "duplicates", "repaired", "late", "reconnects"):
        assert cache.stats[name] == 0, name
    assert not any(cache.stats[f"rejected_{reason}"] for reason in REJECTED)
    bars = bar_ring(session, SYMBOL).read().rows
    assert (bars["trades"][1:] == 1000).all()  # one trade a ms; the first second may be cut
    assert n - bars["trades"].sum() <= 1000  # the rest is the bar still forming


def run() -> list[Row]:
    """Measure the rate and the CPU of both, of trades alone and with quotes between them."""
    peer = "websockets recv + msgspec decode of the same frames"
    with venue(N) as host:
        ours, theirs = interleave(ROUNDS, lambda: feed(host, N), lambda: bare(host, N))
    trades = _rows("feed", ours, theirs, 0.75, f"{peer}, {N:,} trades, nothing lost")
    with venue(N_QUOTED, QUOTES) as host:
        ours, theirs = interleave(
            ROUNDS,
            lambda: feed(host, N_QUOTED, QUOTES),
            lambda: bare(host, N_QUOTED, QUOTES),
        )
    what = f"{peer}, {N_QUOTED:,} trades with {QUOTES} quotes each, nothing lost"
    return trades + _rows("feed with quotes", ours, theirs, 0.85, what)


def _rows(
    name: str, ours: list[Streamed], theirs: list[Streamed], wanted: float, peer: str
) -> list[Row]:
    taped = median(one.taped for one in ours)
    return [
        Row(
            f"{name}: into the cache", median(one.rate for one in ours),
            median(one.rate for one in theirs), "msg/s", ">=", wanted, peer,
            f"{taped:.0%} of the trades on tape as well",
        ),
        Row(
            f"{name}: CPU a message", median(one.cpu_us for one in ours),
            median(one.cpu_us for one in theirs), "us", "<=", 1.33, peer,
        ),
    ]  # fmt: skip
