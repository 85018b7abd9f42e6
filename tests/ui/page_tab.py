"""A tab of the page as tests read it: what they look for, wait for and do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page as Tab

from ui.server.assets import style

LAST_ROW = "[...Tickloop.candles.rows.values()].pop()"
RANGE = "Tickloop.candles.chart.timeScale().getVisibleLogicalRange()"
SECONDS = 60  # until what a person waits for is there
PHONE = {"width": 390, "height": 844}
# Contrast of each visible text with the nearest background behind it (WCAG 2.1).
LOW_CONTRAST = """
() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = channels(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] > 0.99) return found;
    }
    return [255, 255, 255];
  };
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const nodes = [...document.querySelectorAll("#bar *, #over *, .card *, #legend *, #tools *")];
  return nodes.filter((node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim()))
    .map((node) => {
      const [a, b] = [light(channels(getComputedStyle(node).color)), light(behind(node))];
      return [node.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    })
    .filter(([, ratio]) => ratio < 4.5);
}
"""
THEMES = {
    name: dict(re.findall(r"--tl-([\w-]+): (#\w+);", block))
    for name, block in re.findall(r"^body(\.dark)? \{(.*?)\}", style(), re.DOTALL | re.MULTILINE)
}


def text_of(tab: Tab, key: str) -> str:
    return tab.locator(f'[data-k="{key}"]').first.inner_text()


def until(tab: Tab, true: Callable[[], bool]) -> None:
    """Wait until something is true, while the tab goes on."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come true"
        tab.wait_for_timeout(50)


def wait_for_bars(tab: Tab, bars: int) -> None:
    tab.wait_for_function(
        f"{LAST_ROW}.time >= {tab.evaluate(LAST_ROW)['time'] + bars}",
        timeout=1000 * (SECONDS + bars),
    )


def log_in(tab: Tab, who: tuple[str, str]) -> Tab:
    tab.get_by_label("Password").fill(who[1])
    tab.get_by_role("button", name="Log in").click()
    return tab
