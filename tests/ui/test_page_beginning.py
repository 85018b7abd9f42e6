"""A page from the first second on, and through restarts. The order of the tests is the story."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from streaming.program.process import PARENT
from tests.ui.page_tab import LAST_ROW, text_of
from tests.ui.page_world import Page, World

OpenTab = Callable[..., Tab]
# The widest gap between two lines of a text, px.
LINE_GAP = """
(node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  const lines = [...range.getClientRects()].sort((a, b) => a.top - b.top);
  return Math.max(0, ...lines.slice(1).map(({ top }, i) => top - lines[i].bottom));
}
"""
RANGE = "Tickloop.candles.chart.timeScale().getVisibleRange()"


def test_shows_that_it_waits_for_a_stream(
    new: World, new_page: Page, open_tab: OpenTab, screenshots: Path
) -> None:
    tab = open_tab(new_page.address + "#/live")
    assert text_of(tab, "price") == "waiting for the stream"
    assert text_of(tab, "stream.ticks") == "waiting for the stream"
    for name, text in {"CNN": "none yet", "DQN": "none yet"}.items():
        card = tab.get_by_role("region", name=name)
        expect(card).to_contain_text("warming up 0/500 ticks")
        expect(card).to_contain_text(text)
        expect(card.locator(".chip")).to_have_text("starting")
    expect(tab.locator("#mini-frame .empty")).to_contain_text("no cycle scored yet")
    expect(tab.locator("#events")).to_contain_text("none yet")
    tab.screenshot(path=screenshots / "waiting.png")
    expect(tab.locator("#legend")).to_have_text("no bars yet")
    assert tab.faults == []


def test_why_a_chart_is_empty_is_one_sentence(new_page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(new_page.address + "#/evidence")
    empty = tab.locator(".empty:has(~ #edges)")
    expect(empty).to_have_text("no edge yet: it comes a cycle after the first training")
    assert empty.evaluate(LINE_GAP) < 20


def test_bars_without_a_forecast_have_none_yet(new_page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(new_page.address + "#/live")
    silent = """() => {
      const { strip } = Tickloop.candles;
      strip.set([[1, null], [2, null]], false, 0);
      return strip.legend.textContent;
    }"""
    assert tab.evaluate(silent).endswith("no forecasts yet")


def test_stream_appears_and_warms_up(new: World, new_page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(new_page.address + "#/live")
    stream = new.stream("BTCUSDT", seconds=15)
    new.stream("ETHUSDT", seconds=80, price=3_000)
    expect(tab.get_by_role("region", name="CNN")).to_contain_text("warming up 300/500 ticks")
    expect(tab.locator("#legend")).to_contain_text("SMA 20 needs more bars")
    stream.feed(200)
    expect(tab.get_by_role("region", name="DQN")).to_contain_text("waiting for the first cycle")
    assert tab.faults == []


def test_symbol_is_switched_and_kept_over_a_reload(
    new: World, new_page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(new_page.address + "#/live")
    assert float(text_of(tab, "price").replace(",", "")) > 50_000
    tab.get_by_label("Symbol").select_option("ETHUSDT")
    tab.wait_for_function(f"{LAST_ROW}.close < 5000")
    assert float(text_of(tab, "price").replace(",", "")) < 5_000
    tab.reload()
    tab.wait_for_function(f"window.Tickloop?.candles && {LAST_ROW}?.close < 5000")
    expect(tab.get_by_label("Symbol")).to_have_value("ETHUSDT")


def test_learner_without_trades_and_one_with_an_error(
    new: World, new_page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(new_page.address + "#/live")
    cnn, dqn = new.learner("cnn", status="ERROR"), new.learner("dqn")
    new.tag(cnn, status_text="ValueError: loss is not finite")
    new.log(cnn, 1, train__loss=float("nan"), train__accuracy=0.5)
    new.log(dqn, 1, train__episodes=0, live__scored=12)
    card = tab.get_by_role("region", name="DQN")
    expect(card).to_contain_text("no trades yet")
    card = tab.get_by_role("region", name="CNN")
    expect(card).to_contain_text("no bars scored yet")
    expect(card.locator('[data-k="cnn.train/loss"]')).to_have_text("none yet")
    expect(card.locator(".chip")).to_have_text("failed")
    expect(card).to_contain_text("ValueError: loss is not finite")


def test_generic_card_of_another_learner(new: World, new_page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(new_page.address + "#/live")
    run = new.learner("majority")
    new.log(run, 1, live__accuracy=0.513, live__scored=40, live__log_loss=0.7)
    card = tab.get_by_role("region", name="majority")
    expect(card).to_contain_text("51.3 %")
    expect(card).to_contain_text("of 40 bars")
    expect(card).to_contain_text("Log loss")


def test_open_tab_survives_a_restart_of_the_page(
    new: World, new_page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(new_page.address + "#/live")
    new.streams["BTCUSDT"].feed(6000)  # five minutes, so that there is something to zoom into
    tab.wait_for_function("Tickloop.candles.rows.size > 300")
    tab.evaluate("window.kept = document.querySelector('#chart canvas')")
    tab.evaluate("Tickloop.candles.chart.timeScale().scrollToPosition(-100, false)")
    tab.wait_for_function("Tickloop.candles.chart.timeScale().scrollPosition() < -50")
    before = tab.evaluate(RANGE)
    assert new_page.end() == 0
    expect(tab.locator('[data-k="link"]')).to_have_text("reconnecting")
    again = Page(new, new_page.port)
    try:
        expect(tab.locator('[data-k="link"]')).to_be_empty()
        new.streams["BTCUSDT"].feed(200)
        shown = new.streams["BTCUSDT"].bars.tail(1).rows["ts_open"][0] // 1_000_000_000
        tab.wait_for_function(f"{LAST_ROW}.time >= {shown}")
        assert tab.evaluate(RANGE) == before
        assert tab.evaluate("kept.isConnected")
        assert tab.locator(".toast-wrap .toast-body").count() == 0
    finally:
        again.kill()


def test_an_open_tab_is_told_of_the_end_and_goes_on_with_the_session(
    new: World, open_tab: OpenTab
) -> None:
    page = Page(new, env={PARENT: str(os.getpid())})  # as the session's own child
    tab = open_tab(page.address + "#/live")
    over, link = tab.get_by_role("status", name="The end of this session"), '[data-k="link"]'
    expect(over).to_be_hidden()
    assert page.end() == 128 + signal.SIGTERM
    expect(over).to_contain_text("This session was stopped at ")
    expect(over).to_contain_text(f'make ARGS="--resume {new.run_id}"')
    expect(tab.locator('[data-k="state"]')).to_have_text("stopped")
    expect(tab.locator(link)).to_be_empty()
    dqn = tab.get_by_role("region", name="DQN").locator('[data-k="dqn.live/pnl_bps"]')
    expect(dqn).to_have_text("no trades")
    tab.get_by_role("tab", name="Trades").click()
    none = tab.get_by_role("region", name="Trades").get_by_text("no trade")
    expect(none).to_be_visible()
    assert none.inner_text() == "no trade", "nothing is still to come"
    again = Page(new, page.port)
    try:
        expect(over).to_be_hidden()
        expect(tab.locator('[data-k="state"]')).not_to_have_text("stopped")
    finally:
        again.kill()
