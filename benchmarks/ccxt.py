"""Trades received and kept, against ccxt.pro's ``watch_trades`` on the same server."""

from __future__ import annotations

from typing import Any

from benchmarks.feed import feed, start_signal, venue
from benchmarks.measuring import interleave, median
from benchmarks.processes import environment, worker
from benchmarks.table import Row

N = 300_000
ROUNDS = 3
SECONDS = 5.0  # of watching, a round

SCRIPT = "benchmarks/peers/ccxt_trades.py"


def watch(host: str) -> Any:
    """One round of ccxt: trades/s handed out and read, and the share lost between."""
    python = environment("ccxt", ["ccxt"])
    with worker([SCRIPT, host, str(SECONDS)], python) as peer:
        start_signal(host)
        return {**peer.receive(60), "version": peer.ready}


def run() -> list[Row]:
    """Measure both."""
    environment("ccxt", ["ccxt"])
    with venue(N) as host:
        ours, theirs = interleave(ROUNDS, lambda: feed(host, N), lambda: watch(host))
    rate = median(one.rate for one in ours)
    peer = f"ccxt.pro {theirs[0]['version']} watch_trades"
    lost = median(one["lost"] for one in theirs)
    handed_out, read = (median(one[name] for one in theirs) for name in ("rate", "read"))
    return [
        Row(
            "trades received", rate, handed_out, "/s", ">=", 10, peer,
            f"lost: ours none, ccxt {lost:.1%}",
        ),
        Row(
            "trades read", rate, read, "/s", ">=", 10, peer, "counts as received what ccxt lost",
        ),
    ]  # fmt: skip
