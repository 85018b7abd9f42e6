"""The chart as its users expect it: candles of any length, ranges, the past, keys, copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.page_tab import LAST_ROW, RANGE
from tests.ui.page_world import Page, World

OpenTab = Callable[..., Tab]
ROWS = "[...Tickloop.candles.rows.values()]"
STEPS = f"""(() => {{
  const times = {ROWS}.map((row) => row.time);
  return new Set(times.slice(1).map((time, i) => time - times[i])).size;
}})()"""


@pytest.fixture
def chart(page: Page, open_tab: OpenTab) -> Tab:
    """A tab of its own: what is chosen stays with it."""
    return open_tab(
        page.address,
        timezone_id="America/New_York",
        permissions=["clipboard-read", "clipboard-write"],
    )


@pytest.fixture
def long(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    world = World(tmp_path_factory.mktemp("long"))
    world.stream(seconds=3000)
    page = Page(world)
    yield page
    page.kill()
    world.close()


def choose(tab: Tab, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()


def test_candles_of_a_minute_are_made_of_the_ring_s_bars(busy: World, chart: Tab) -> None:
    choose(chart, "1m candles")
    chart.wait_for_function(f"{ROWS}.length > 3 && {ROWS}.every((row) => row.time % 60 === 0)")
    expect(chart.get_by_role("button", name="1m candles")).to_have_attribute("aria-pressed", "true")
    expect(chart.get_by_role("button", name="1s candles")).to_have_attribute(
        "aria-pressed", "false"
    )
    expect(chart.locator('[data-k="change"]')).to_have_text(re.compile(r"[-+].* bp in 60 s"))
    counts = chart.evaluate("Tickloop.candles.marks.ofTrades.markers().map((mark) => mark.text)")
    assert any(re.fullmatch(r"[CD]\d+", text) for text in counts), "several trades, one arrow"
    shown = chart.evaluate(f"{ROWS}.at(-3)")
    bars = busy.streams["BTCUSDT"].bars.tail(900).rows
    of_minute = bars[bars["ts_open"] // 60_000_000_000 * 60 == shown["time"]]
    assert len(of_minute) == 60
    assert shown["open"] == of_minute["open"][0]
    assert (shown["high"], shown["low"]) == (of_minute["high"].max(), of_minute["low"].min())
    assert shown["close"] == of_minute["close"][-1]
    chart.reload()
    chart.wait_for_function(f"window.Tickloop?.candles && {ROWS}.at(-1)?.time % 60 === 0")
    assert chart.evaluate(f"{LAST_ROW}.time") % 60 == 0, "the choice is kept"


def test_a_long_range_takes_fitting_candles(chart: Tab) -> None:
    choose(chart, "1h range")
    chart.wait_for_function(
        f"Tickloop.candles.seconds === 5 && ((r) => r.to - r.from > 700)({RANGE})"
    )
    expect(chart.get_by_role("button", name="1h range")).to_have_attribute("aria-pressed", "true")
    choose(chart, "5m range")
    chart.wait_for_function(f"((r) => Math.abs(r.to - r.from - 64) < 2)({RANGE})")
    expect(chart.get_by_role("button", name="1h range")).to_have_attribute("aria-pressed", "false")


def test_range_is_on_until_the_view_is_moved(chart: Tab) -> None:
    choose(chart, "5m range")
    button = chart.get_by_role("button", name="5m range", exact=True)
    expect(button).to_have_attribute("aria-pressed", "true")
    chart.get_by_role("application").press("ArrowLeft")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(chart.get_by_role("button", name="Now", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )


def test_the_past_is_loaded_by_who_scrolls_to_it(long: Page, open_tab: OpenTab) -> None:
    tab = open_tab(long.address)
    frame = tab.get_by_role("application")
    assert tab.evaluate(f"{ROWS}.length") <= 901
    for _ in range(4):
        frame.press("Home")
        tab.wait_for_timeout(150)
    tab.wait_for_function(f"{ROWS}.length > 2990")
    assert tab.evaluate(STEPS) == 1, "no candle is missing, none is there twice"
    expect(tab.locator("#legend")).to_contain_text("SMA 50")
    frame.press("End")
    tab.wait_for_function("Tickloop.candles.chart.timeScale().scrollPosition() > 0")


def test_tag_on_the_axis_is_the_price(chart: Tab) -> None:
    chart.get_by_role("application").press("Home")
    chart.wait_for_function("Tickloop.candles.away()")
    same = f"Tickloop.candles.tag.options().price === {LAST_ROW}.close"
    chart.wait_for_function(same)
    assert chart.evaluate("Tickloop.candles.candles.options().lastValueVisible") is False


def test_ticks_stand_at_round_times(chart: Tab) -> None:
    weights = chart.evaluate(
        """(() => {
          const times = [...Tickloop.candles.rows.keys()];
          const points = times.map((originalTime) => ({ originalTime }));
          const axis = Tickloop.candles.chart.horzBehaviour();
          axis.fillWeightsForPoints(points, 0);
          return points.map(({ originalTime, timeWeight }) => [originalTime, timeWeight]);
        })()"""
    )
    for time, weight in weights[1:]:
        round_time = next(n for n in (3600, 1800, 300, 60, 30, 15, 5, 1) if time % n == 0)
        assert (
            weight
            == {3600: weight, 1800: 22, 300: 21, 60: 20, 30: 16, 15: 14, 5: 12, 1: 10}[round_time]
        )


def test_times_are_utc_or_local_and_the_choice_is_kept(chart: Tab) -> None:
    now = datetime.fromtimestamp(chart.evaluate(f"{LAST_ROW}.time"), UTC)
    expect(chart.locator("#legend")).to_contain_text(now.strftime("%Y-%m-%d %H:"))
    chart.get_by_role("button", name="UTC", exact=True).click()
    zone = chart.evaluate("Tickloop.time.zone()")
    assert zone in ("UTC-4", "UTC-5")
    expect(chart.locator("#legend")).to_contain_text(zone)
    chart.reload()
    expect(chart.locator("#zone")).to_have_text(zone)


def test_per_cent_and_log_scale_exclude_each_other(chart: Tab) -> None:
    mode = "Tickloop.candles.candles.priceScale().options().mode"
    choose(chart, "% scale")
    assert chart.evaluate(mode) == 2
    choose(chart, "log scale")
    assert chart.evaluate(mode) == 1
    expect(chart.get_by_role("button", name="% scale")).to_have_attribute("aria-pressed", "false")
    choose(chart, "log scale")
    assert chart.evaluate(mode) == 0


def test_overlays_are_hidden_and_stay_so(chart: Tab) -> None:
    chart.locator("#overlays summary").click()
    for name in ("SMA 20", "Paper trades", "Training cycles", "Champions", "Forecasts", "Volume"):
        chart.get_by_label(name, exact=True).uncheck()
    hidden = (
        "(({ sma20, sma50, marks }) => [sma20.options().visible, sma50.options().visible,"
        " marks.ofTrades.markers().length, marks.onEdge.markers().length])(Tickloop.candles)"
    )
    assert chart.evaluate(hidden) == [False, True, 0, 0]
    chart.keyboard.press("Escape")
    expect(chart.get_by_label("SMA 20", exact=True)).to_be_hidden()
    chart.reload()
    chart.wait_for_function("window.Tickloop?.candles?.rows.size > 0")
    assert chart.evaluate(hidden) == [False, True, 0, 0]


def test_keys_zoom_and_step_through_candles(chart: Tab) -> None:
    frame = chart.get_by_role("application")
    width = f"(({{ from, to }}) => to - from)({RANGE})"
    before = chart.evaluate(width)
    frame.press("+")
    chart.wait_for_function(f"{width} < 0.9 * {before}")
    frame.press("-")
    chart.wait_for_function(f"Math.abs({width} / {before} - 1) < 0.02")


def test_a_candle_stepped_to_stays_while_new_ones_come(chart: Tab) -> None:
    frame = chart.get_by_role("application")
    hovered = "Tickloop.candles.legend.hovered"
    frame.press("Shift+ArrowLeft")
    candle = chart.evaluate(hovered)
    chart.wait_for_function(f"Tickloop.candles.last > {candle} + 3")
    assert chart.evaluate(hovered) == candle
    times = chart.evaluate("[...Tickloop.candles.rows.keys()]")
    frame.press("Shift+ArrowLeft")
    assert chart.evaluate(hovered) == times[times.index(candle) - 1]
    frame.press("End")
    assert chart.evaluate(hovered) is None


def test_candles_are_copied_as_csv_and_the_chart_as_png(chart: Tab) -> None:
    choose(chart, "1m range")
    chart.locator("#copy summary").click()
    choose(chart, "CSV of these candles")
    expect(chart.locator("#copied")).to_have_text("CSV copied")
    head, *lines = chart.evaluate("navigator.clipboard.readText()").strip().split("\n")
    assert head.startswith("time_utc,open,high,low,close,volume,sma_20,sma_50,gap,p_up_cnn")
    assert 55 <= len(lines) <= 70
    assert len(lines[0].split(",")) == len(head.split(","))
    chart.locator("#copy summary").click()
    choose(chart, "PNG of the chart")
    expect(chart.locator("#copied")).to_have_text("PNG copied")


def test_the_past_keeps_the_confidence_it_was_decided_with(chart: Tab) -> None:
    times = chart.evaluate(f"{ROWS}.map((row) => row.time)")
    middle = times[-40]
    chart.evaluate(f"Tickloop.candles.strip.setThresholds([[0, 0.65], [{middle}, 0.6]])")
    at = "Tickloop.candles.strip.confidenceAt(%d)"
    assert chart.evaluate(at % middle) == 0.65
    assert chart.evaluate(at % (middle + 1)) == 0.6
    assert chart.evaluate("Tickloop.candles.strip.band.thresholds.length") == 2
