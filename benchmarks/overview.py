"""The page of a hundred markets, against what it may cost (BENCH_MARKETS, 100).

rings, ledgers, runs (``many_markets``)  ->  page  <-  a tab in headless Chromium, and websockets
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import psutil

from benchmarks.page import cpu_of, limit, wait_for
from benchmarks.processes import ROOT, end, worker
from benchmarks.tab import Tab, open_tab
from benchmarks.table import Row
from trainers.session.addresses import free_ports

WARM_SECONDS = 15.0
WATCH_SECONDS = 60.0
CROWD_SECONDS = 30.0
READY_SECONDS = 600.0
VIEWERS = 30
COMPARED = 100


def run() -> list[Row]:
    """Write the session, look at its page."""
    markets = int(os.environ.get("BENCH_MARKETS", "100"))
    with _page(markets) as (address, page):
        rows = _crowd(address, page)
        with open_tab(f"{address}/#/markets") as tab:
            tab.page.wait_for_timeout(1000 * WARM_SECONDS)
            return [*rows, *_watched(tab), _compared(tab)]


@contextlib.contextmanager
def _page(markets: int) -> Iterator[tuple[str, psutil.Process]]:
    """Run the page of a session of so many markets; give its address and process."""
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        writer = ["-m", "benchmarks.many_markets", folder, str(markets)]
        with worker(writer, timeout=READY_SECONDS) as session:
            port, _ = free_ports(2)
            env = os.environ | {
                "PYTHONPATH": str(ROOT),
                "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            }
            command = [sys.executable, "-m", "ui.app", "--session", session.ready]
            job = subprocess.Popen([*command, "--page_port", str(port)], cwd=folder, env=env)
            try:
                wait_for(f"http://127.0.0.1:{port}/gradio_api/info")
                yield f"http://127.0.0.1:{port}", psutil.Process(job.pid)
            finally:
                end(job, 10)


def _crowd(address: str, page: psutil.Process) -> list[Row]:
    """Return what viewers of the Markets view cost the page's process, and the wire."""
    socket = f"{address.replace('http', 'ws')}/live/ws?view=markets"
    with worker(["-m", "benchmarks.viewers", socket]) as viewers:
        received, alone = cpu_of(viewers, page, 1, CROWD_SECONDS)
        _, all_ = cpu_of(viewers, page, VIEWERS, CROWD_SECONDS)
    note = f"of a core, reading MLflow and all; {alone:.1f} % with 1"
    return [
        limit("overview: bytes a second and viewer", received, 1000, "B/s", "every price moves"),
        limit(f"overview: process at {VIEWERS} viewers", all_, 6, "%", note),
    ]


def _watched(tab: Tab) -> list[Row]:
    """Return what an open Markets view costs the browser."""
    seen = tab.watch(WATCH_SECONDS)
    lines = tab.page.locator("#markets-lines .line").count()
    note = f"CPU; {lines} lines, 1 Hz"
    longest = max(seen["longest_ms"], 1)
    return [
        limit("overview: main thread", seen["busy_ms"], 40, "ms/s", note),
        limit("overview: longest frame in 60 s", longest, 100, "ms", "1: under 50"),
    ]


# From the click until a frame shows the lines.
DRAWN = """
async (wanted) => {
  const began = performance.now();
  document.getElementById("runs-tick").click();
  const chart = Tickloop.connection.runs.compare.chart;
  while (chart.lines.size < wanted) await new Promise((done) => setTimeout(done, 5));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - began;
}
"""


def _compared(tab: Tab) -> Row:
    """Return how long a hundred runs take from the click to the chart."""
    tab.page.get_by_role("tab", name="Runs and models").click()
    tab.page.wait_for_function(f"document.querySelectorAll('#runs tr').length > {COMPARED}")
    tab.page.locator("#runs-filter").fill("cnn")
    shown = tab.page.locator("#runs tr:visible").count()
    tab.page.locator("#compare-none").click()
    took = tab.page.evaluate(DRAWN, shown) / 1000
    return limit(f"overview: {shown} runs compared", took, 1, "s", "asked, read, drawn")
