"""The page under the real main job, against what it may cost; memory over BENCH_MINUTES (10).

venue, feed, trainer, page  <-  a tab in headless Chromium, and 1, 30, 300 websockets
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import Worker, end, words_of, worker
from benchmarks.system import start_main_job
from benchmarks.tab import LIVE, Tab, open_tab
from benchmarks.table import Row
from benchmarks.tracking_server import TrackingServer
from trainers.recording.decision_log import cycles_ended
from trainers.recording.files import DECISIONS
from trainers.session.addresses import free_ports

WARM_SECONDS = 45.0  # the first cycle and its charts
FULL = "Tickloop.candles.strip.rows.size >= 900"  # forecasts begin with the session
FULL_SECONDS = 1200.0
WATCH_SECONDS = 60.0
CROWD_SECONDS = 30.0
BACK_SECONDS = 60.0
AWAY_SECONDS = 60.0
CROWDS = {30: 5.0, 300: 15.0}  # viewers -> percent of a core
MS = 1_000_000  # ns


def run() -> list[Row]:
    """Start the main job, look at its page, end it."""
    minutes = float(os.environ.get("BENCH_MINUTES", "10"))
    with main_job() as (_, address, page), open_tab(address) as tab:
        tab.page.wait_for_timeout(1000 * WARM_SECONDS)
        rows = [
            *_watched(tab, address),
            *_crowds(address, page),
            *_memory(tab, minutes),
            *_trainer_killed(tab, page),
            *_page_killed(tab, page),
        ]
    return rows + _without_store()


@contextlib.contextmanager
def main_job(store: str = "") -> Iterator[tuple[Path, str, psutil.Process]]:
    """Run the main job; give its folder, and the page's address and process."""
    port, _ = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        out = Path(folder) / "out.txt"
        job = start_main_job(Path(folder), out, store, page_port=port, mlflow_ui_port=0)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(f"{address}/live/page.js")
            yield Path(folder), address, _child(job.pid, "ui.app")
        finally:
            end(job, 10)


def _watched(tab: Tab, address: str) -> list[Row]:
    """Return latency, the main thread's load, and what stayed as it was put."""
    seen = tab.watch(WATCH_SECONDS)
    delays = _delays(seen["paints"], address)
    put = tab.put()
    tab.page.wait_for_timeout(1000 * WATCH_SECONDS)
    same = tab.state() == put
    tab.page.get_by_role("button", name="Now", exact=True).click()
    p50, p95 = (statistics.quantiles(delays, n=100)[at - 1] for at in (50, 95))
    note = f"p50 {p50:.2f} s of {len(delays):,} trades"
    return [
        limit("page: trade at the venue to its price on screen, p95", p95, 1.1, "s", note),
        limit(
            "page: main thread", seen["busy_ms"], 60, "ms/s", "CPU; 900 bars, 1 Hz, training beside"
        ),
        limit("page: longest frame in 60 s", max(seen["longest_ms"], 1), 100, "ms", "1: under 50"),
        limit("page: zoom, scroll, theme changed in 60 s", 1 + (not same), 1, "", "1: unchanged"),
    ]


def _delays(paints: list[list[int]], address: str) -> list[float]:
    """Return each trade's seconds from the venue's clock to the first paint that has it."""
    request = urllib.request.Request(
        f"{address}/gradio_api/run/get_tick_cache_for_training",
        b'{"data": []}',
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        ticks = json.load(answer)["data"][0]
    delays, shown = [], paints[0][0]
    for count, at in paints[1:]:
        delays += [at / 1000 - tick["ts_event"] / MS / 1000 for tick in ticks[shown:count]]
        shown = count
    return delays


def _memory(tab: Tab, minutes: float) -> list[Row]:
    """Return how heap and DOM grow once the chart is full, a quarter of an hour after the start."""
    tab.page.wait_for_function(FULL, timeout=1000 * FULL_SECONDS, polling=1000)
    heap, nodes = tab.memory()
    tab.page.wait_for_timeout(60_000 * minutes)
    later = tab.memory()
    note = f"after {minutes:g} min, rubbish collected, from {heap:.1f} MB and {nodes:.0f} nodes"
    return [
        limit("page: heap against the beginning", later[0] / heap, 1.1, "x", note),
        limit("page: DOM nodes against the beginning", later[1] / nodes, 1.1, "x", note),
    ]


def _crowds(address: str, page: psutil.Process) -> list[Row]:
    """Return what viewers cost the page's process, and the wire."""
    socket = address.replace("http", "ws") + "/live/ws"
    with worker(["-m", "benchmarks.viewers", socket]) as viewers:
        alone = cpu_of(viewers, page, 1, WATCH_SECONDS)
        rows = [limit("page: bytes a second and viewer", alone[0], 200, "B/s", "two cycles")]
        for crowd, most in CROWDS.items():
            _, share = cpu_of(viewers, page, crowd, CROWD_SECONDS)
            note = f"and one tab; {alone[1]:.1f} % with 1"
            rows.append(limit(f"page: process at {crowd} viewers", share, most, "%", note))
    return rows


def cpu_of(
    viewers: Worker, page: psutil.Process, crowd: int, seconds: float
) -> tuple[float, float]:
    """Return bytes a second and viewer, and the process's share of a core, percent."""
    assert viewers.ask(f"{crowd} {seconds}") == "there"
    time.sleep(2)  # the first pictures
    before, began = page.cpu_times(), time.monotonic()
    received = float(viewers.receive(seconds + 60))
    after, took = page.cpu_times(), time.monotonic() - began
    used = after.user + after.system - before.user - before.system
    return received, 100 * used / took


def _without_store() -> list[Row]:
    """Kill the tracking server of a main job for a minute; return how the page took it."""
    with (
        _tracking_server() as server,
        main_job(server.address) as (folder, address, _),
        open_tab(address) as tab,
    ):
        shown = "document.querySelector('[data-k=\"cycle\"]').textContent"
        tab.page.wait_for_function(f"/now/.test({shown})", timeout=60_000)
        server.kill()
        stands = _Stands(tab)
        tab.page.wait_for_timeout(1000 * AWAY_SECONDS)
        told = tab.page.inner_text("#notice")
        server.start()
        wait_for(server.health)
        back = time.monotonic()
        (log,) = folder.glob(f"mlruns/sessions/*/*{DECISIONS}")
        newest = cycles_ended(log)
        number = f"Number(({shown}.match(/now (.*)/) ?? [0, 0])[1])"
        tab.page.wait_for_function(f"{number} >= {newest}", timeout=60_000)
        took, longest = time.monotonic() - back, stands.longest()
        toasts = _toasts(tab)
    note = f'{AWAY_SECONDS:.0f} s away; it said "{told}"; {toasts} toasts'
    return [
        limit("page: longest stand of the price, MLflow away", longest, 5, "s", note),
        limit("page: metrics caught up, MLflow is back", took, 10, "s", f"cycle {newest} shown"),
    ]


@contextlib.contextmanager
def _tracking_server() -> Iterator[TrackingServer]:
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        server = TrackingServer(Path(folder), *free_ports(1))
        server.start()
        try:
            wait_for(server.health)
            yield server
        finally:
            server.kill()


def _trainer_killed(tab: Tab, page: psutil.Process) -> list[Row]:
    """Kill the trainer; return how long the open tab stood still, and was without forecasts."""
    newest = "Math.max(...Tickloop.candles.strip.rows.keys())"
    before = tab.page.evaluate(newest)
    stands = _Stands(tab)
    _child(page.ppid(), "trainers.session.trainer").kill()
    killed = time.monotonic()
    tab.page.wait_for_function(f"{newest} > {before} + 3", timeout=60_000, polling=100)
    took = time.monotonic() - killed
    longest = stands.longest()
    note = f"forecasts again after {took:.1f} s; {_gaps(tab)}; {_toasts(tab)} toasts"
    return [limit("page: longest stand of the price, trainer killed", longest, 5, "s", note)]


def _page_killed(tab: Tab, page: psutil.Process) -> list[Row]:
    """Kill the page; return how long the open tab takes to go on."""
    page.kill()
    began = time.monotonic()
    tab.page.wait_for_selector('[data-s="reconnecting"]', state="attached", timeout=15_000)
    tab.page.wait_for_selector(LIVE, timeout=60_000)
    took = time.monotonic() - began
    note = f"{_gaps(tab)}; {_toasts(tab)} toasts"
    return [limit("page: open tab live again, page killed", took, 5, "s", note)]


class _Stands:
    """How long the newest price stands, from now on, seconds."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        tab.page.evaluate(
            """() => {
              window.stands = { longest: 0, since: Date.now() };
              new MutationObserver(() => {
                window.stands.longest = Math.max(stands.longest, Date.now() - stands.since);
                window.stands.since = Date.now();
              }).observe(document.querySelector('[data-k="price"]'),
                         { childList: true, characterData: true, subtree: true });
            }"""
        )

    def longest(self) -> float:
        return float(self._tab.page.evaluate("stands.longest")) / 1000


def _gaps(tab: Tab) -> str:
    times = tab.page.evaluate("[...Tickloop.candles.rows.keys()]")
    whole = times == list(range(times[0], times[-1] + 1))
    return f"candles {'whole' if whole else 'MISSING'}"


def _toasts(tab: Tab) -> int:
    return tab.page.locator(".toast-wrap .toast-body").count()


def limit(what: str, ours: float, most: float, unit: str, note: str) -> Row:
    """Return a row with a limit in the place of a peer."""
    return Row(what, ours, most, unit, "<=", 1, "the limit", note)


def _child(job: int, module: str) -> psutil.Process:
    for process in psutil.Process(job).children(recursive=True):
        if module in words_of(process):
            return process
    raise NotMeasuredError(f"the main job has no {module}")


def wait_for(address: str) -> None:
    """Wait until an address answers.

    Raises:
        NotMeasuredError: if it does not in time.
    """
    end_at = time.monotonic() + BACK_SECONDS
    while time.monotonic() < end_at:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=2).close()
            return
        time.sleep(0.05)
    raise NotMeasuredError(f"{address} did not answer in {BACK_SECONDS:.0f} s")
