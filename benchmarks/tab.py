"""One tab of headless Chromium on the page, and what is measured in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.measuring import NotMeasuredError

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LIVE = 'body.tl-ready:not(.tl-stale) [data-k="state"][data-s="live"]'

# Ticks that a paint shows, and when it was made: the text says how many there are.
WATCH = """
window.paints = [];
window.longest = 0;
const count = document.querySelector('[data-k="stream.ticks"]');
new MutationObserver(() => requestAnimationFrame(() => {
  window.paints.push([parseInt(count.textContent.replace(/,/g, "")), Date.now()]);
})).observe(count, { childList: true, characterData: true, subtree: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "long-animation-frame" });
"""
STATE = """
(() => {
  const range = Tickloop.candles.chart.timeScale().getVisibleRange();
  const panel = document.getElementById("right");
  return [range.from, range.to, panel.scrollTop, document.body.className.includes("dark")];
})()
"""


class Tab:
    """A tab, with what Chromium's own counters say of it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cdp = page.context.new_cdp_session(page)
        # In CPU time: what else runs on the machine is not the page's.
        self.cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

    def metric(self, name: str) -> float:
        """Return one of Chromium's counters."""
        found = self.cdp.send("Performance.getMetrics")["metrics"]
        return float(next(metric["value"] for metric in found if metric["name"] == name))

    def memory(self) -> tuple[float, float]:
        """Return the heap, MB, and DOM nodes, after rubbish was collected."""
        for _ in range(3):
            self.cdp.send("HeapProfiler.collectGarbage")
        return self.metric("JSHeapUsedSize") / 1e6, self.metric("Nodes")

    def watch(self, seconds: float) -> dict[str, Any]:
        """Look on; return the main thread's CPU ms a second, the longest frame, ms, and paints."""
        self.page.evaluate(WATCH)
        before, began = self.metric("TaskDuration"), time.monotonic()
        self.page.wait_for_timeout(1000 * seconds)
        busy = (self.metric("TaskDuration") - before) / (time.monotonic() - began)
        longest, paints = self.page.evaluate("[window.longest, window.paints]")
        return {"busy_ms": 1000 * busy, "longest_ms": longest, "paints": paints}

    def put(self) -> list[Any]:
        """Zoom, pan, scroll and change the theme; return what that came to."""
        self.page.mouse.move(500, 300)
        self.page.mouse.wheel(0, -500)
        self.page.mouse.down()
        self.page.mouse.move(760, 300, steps=4)
        self.page.mouse.up()
        self.page.locator("#theme").click()
        self.page.evaluate("document.getElementById('right').scrollTop = 60")
        self.page.wait_for_function("Tickloop.candles.away()")
        return self.state()

    def state(self) -> list[Any]:
        """Return zoom, scroll and theme."""
        return list(self.page.evaluate(STATE))


@contextlib.contextmanager
def open_tab(address: str) -> Iterator[Tab]:
    """Open the page and wait until it is live.

    Raises:
        NotMeasuredError: if there is no Chromium.
    """
    if not CHROMIUM.exists():
        raise NotMeasuredError(f"no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 800})
        page.goto(address)
        page.wait_for_selector(LIVE, timeout=30_000)
        yield Tab(page)
        browser.close()
