"""What must not move: layout, zoom, scroll, theme; and what must come back by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.ui.ledger_writer import EVERYBODY, LedgerWriter
from tests.ui.page_tab import LAST_ROW, wait_for_bars
from tests.ui.page_world import Page, World

OpenTab = Callable[..., Tab]

SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const where = entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName);
    if (!entry.hadRecentInput) window.shifts.push([entry.value, where.join()]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
FOCUSABLE = """
[...document.querySelectorAll(":is(.view:not([hidden]), #bar) :is(button, a, input, select)")]
  .filter((node) => !node.disabled && node.offsetParent && node.tabIndex >= 0).length
"""
FOCUSED = """
(() => {
  const node = document.activeElement;
  const style = getComputedStyle(node);
  const name = node.id || node.dataset.bars || node.dataset.ask || node.name
    || node.parentElement?.dataset?.ask || node.href || node.textContent;
  return [name, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
})()
"""
STATE = """
(() => {
  const range = Tickloop.candles.chart.timeScale().getVisibleLogicalRange();
  const panel = document.getElementById("right");
  return [range.from, range.to, panel.scrollTop, document.body.classList.contains("dark")];
})()
"""


# Whatever is looked at, the stream's card is told anew each second.
SAID_THRICE = """
(window.said ??= new Set()).add(document.querySelector('[data-k="stream.ticks"]').textContent)
  .size > 2
"""
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
TABLET = {"width": 1024, "height": 768}
VIEWS = [(view, WIDE) for view in ("live", "runs", "evidence", "alerts")]


@pytest.mark.parametrize("view, viewport", [*VIEWS, ("live", PHONE), ("live", TABLET)])
def test_nothing_shifts_while_the_page_is_painted(
    browser: Browser, page: Page, view: str, viewport: dict[str, int]
) -> None:
    context = browser.new_context(viewport=viewport)
    tab = context.new_page()
    tab.add_init_script(SHIFTS)
    tab.goto(f"{page.address}#BTCUSDT/{view}")
    tab.wait_for_selector("body.tl-ready:not(.tl-stale)")
    tab.wait_for_function(SAID_THRICE)
    shifts = tab.evaluate("window.shifts")
    ours = [size for size, where in shifts if "svelte" not in where]  # Gradio's own spinner
    assert sum(ours) < 0.02, shifts
    assert viewport == PHONE or sum(size for size, _ in shifts) < 0.1, shifts
    context.close()


def test_zoom_scroll_and_theme_stay_as_they_were_put(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, color_scheme="dark", viewport={"width": 1280, "height": 640})
    tab.get_by_role("button", name="Switch between light and dark").click()
    tab.mouse.move(400, 300)
    tab.mouse.wheel(0, -400)
    tab.mouse.down()
    tab.mouse.move(650, 300, steps=4)
    tab.mouse.up()
    tab.evaluate("document.getElementById('right').scrollTop = 120")
    tab.wait_for_function("Tickloop.candles.away()")
    before = tab.evaluate(STATE)
    assert before[2:] == [120, False]
    wait_for_bars(tab, 4)
    assert tab.evaluate(STATE) == before


def test_every_control_is_reached_by_keyboard_and_shows_it(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    for view in ("Live", "Runs and models", "Evidence", "Alerts"):
        tab.get_by_role("tab", name=view).click()
        if view.startswith("Runs"):  # its content comes once it is open
            expect(tab.locator("#compare-rows tr").first).to_be_visible()
        wanted = tab.evaluate(FOCUSABLE)
        tab.evaluate("document.activeElement.blur()")
        seen = {}
        for _ in range(wanted + 8):
            tab.keyboard.press("Tab")
            name, ring = tab.evaluate(FOCUSED)
            seen[name] = ring
        assert all(seen[name] for name in seen if name and "Tickloop" not in name), seen
        assert {"theme", f"tab-{view.split()[0].lower()}"} <= set(seen)
    tab.get_by_role("tab", name="Alerts").press("ArrowRight")
    expect(tab.get_by_role("tab", name="Live")).to_have_attribute("aria-selected", "true")


def test_reduced_motion_has_none(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, reduced_motion="reduce")
    moving = "getComputedStyle(document.querySelector('%s')).transitionDuration"
    for selector in ("#theme", ".card", "#tab-live"):
        assert tab.evaluate(moving % selector) in ("0s", "")
    assert (
        tab.evaluate("document.getAnimations().filter((a) => a.playState === 'running').length")
        == 0
    )


def test_trainer_restarted_under_an_open_tab(busy: World, tab: Tab) -> None:
    stream = busy.streams["BTCUSDT"]
    tab.evaluate("window.kept = document.querySelector('#chart canvas')")
    stream.ledger.close()
    stream.ledger = None  # the trainer is gone; the feed goes on
    wait_for_bars(tab, 2)
    stream.ledger = LedgerWriter(busy.folder, "BTCUSDT", EVERYBODY)
    stream.ledger.bars = 2000
    newest = tab.evaluate("[...Tickloop.candles.strip.rows.keys()].pop()")
    tab.wait_for_function(
        f"[...Tickloop.candles.strip.rows.keys()].pop() >= {newest} + 3", timeout=8000
    )
    times = tab.evaluate("[...Tickloop.candles.rows.keys()]")
    assert times == list(range(times[0], times[-1] + 1)), "candles are missing"
    assert tab.evaluate("kept.isConnected")
    assert tab.locator(".toast-wrap .toast-body").count() == 0


def test_metrics_catch_up_after_mlflow_was_away(busy: World, page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    epsilon = tab.get_by_role("region", name="DQN").locator('[data-k="dqn.train/epsilon"]')
    with sqlite3.connect(busy.root / "mlflow.db", isolation_level=None) as database:
        database.execute("begin exclusive")  # readers get "database is locked"
        expect(tab.locator("#notice")).to_contain_text("MLflow does not answer")
        expect(epsilon).to_have_text("0.0797")
        newest = tab.evaluate(LAST_ROW)["time"]
        tab.wait_for_function(f"{LAST_ROW}.time > {newest}")
        database.execute("rollback")
    busy.log(busy.runs["dqn"], 24, train__epsilon=0.0511)
    expect(epsilon).to_have_text("0.0511")
    expect(tab.locator("#notice")).to_be_empty()
    busy.log(busy.runs["dqn"], 24, train__epsilon=0.0797)
    expect(epsilon).to_have_text("0.0797")


def test_the_page_cancels_no_frame_of_another_s(browser: Browser, page: Page) -> None:
    """Whoever waits for a frame while the page starts gets it: tests, tools, extensions."""
    context = browser.new_context()
    tab = context.new_page()
    tab.add_init_script(
        "window.pending = new Set(); const ask = window.requestAnimationFrame.bind(window);"
        "setInterval(() => { const id = ask(() => pending.delete(id)); pending.add(id); }, 2);"
    )
    tab.goto(page.address)
    tab.wait_for_selector("body.tl-ready:not(.tl-stale)")
    wait_for_bars(tab, 1)
    oldest, newest = tab.evaluate("[Math.min(...pending), Math.max(...pending)]")
    assert newest - oldest < 200, "a frame was lost"
    context.close()


def test_the_page_does_not_ask_for_every_frame(browser: Browser, page: Page) -> None:
    """Gradio's own code does while it waits for an answer, which may take long."""
    context = browser.new_context()
    tab = context.new_page()
    tab.add_init_script(
        "window.asked = 0; const ask = window.requestAnimationFrame;"
        "window.requestAnimationFrame = (draw) => {"
        "  window.asked += new Error().stack.includes('/live/page.js');"
        "  return ask(draw);"
        "};"
    )
    tab.goto(page.address)
    tab.wait_for_selector("body.tl-ready:not(.tl-stale)")
    wait_for_bars(tab, 2)
    state = f"[window.asked, performance.now(), {LAST_ROW}.time]"
    before, began, newest = tab.evaluate(state)
    tab.wait_for_function(f"{LAST_ROW}.time >= {newest} + 3", polling=200)  # not by frames
    after, ended, _ = tab.evaluate(state)
    assert 1000 * (after - before) / (ended - began) < 20, "60 a second would be every one"
    context.close()
