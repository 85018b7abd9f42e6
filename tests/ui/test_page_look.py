"""Themes, contrast, a phone, and the screenshots in build/screenshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.page_tab import LOW_CONTRAST, PHONE
from tests.ui.page_world import Page
from trainers.states import State

OpenTab = Callable[..., Tab]

IS_DARK = "document.body.classList.contains('dark')"
CHART_BACKGROUND = "Tickloop.candles.chart.options().layout.background.color"
VIEWS = {
    "Trades": "#trades-rows tr",
    "Runs and models": "#compare-rows tr",
    "Evidence": "#scores tr",
    "Alerts": "#alert-rules li",
}  # and what shows that they are filled; Markets: test_page_markets
STATUSES = (*State, "TRAINING", "IDLE", "ERROR", "PAUSED", "reconnecting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_first_theme_is_the_system_s_and_reads_well(
    page: Page, open_tab: OpenTab, screenshots: Path, scheme: str
) -> None:
    tab = open_tab(page.address, color_scheme=scheme)
    tab.wait_for_function(f"{IS_DARK} === {str(scheme == 'dark').lower()}")
    tab.screenshot(path=screenshots / f"desktop_{scheme}.png")
    for status in STATUSES:
        tab.evaluate(
            "(s) => document.querySelectorAll('.chip').forEach((c) => c.dataset.s = s)", status
        )
        assert tab.evaluate(LOW_CONTRAST) == []
    for name, filled in VIEWS.items():
        tab.get_by_role("tab", name=name).click()
        expect(tab.locator(filled).first).to_be_visible()
        assert tab.evaluate(LOW_CONTRAST) == [], name


def test_toggled_theme_is_remembered(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, color_scheme="light")
    light = tab.evaluate(CHART_BACKGROUND)
    tab.get_by_role("button", name="Switch between light and dark").click()
    assert tab.evaluate(IS_DARK)
    tab.wait_for_function(f"{CHART_BACKGROUND} !== '{light}'")
    tab.reload()
    tab.wait_for_selector("body.tl-ready:not(.tl-stale)")
    tab.wait_for_function(IS_DARK)
    assert tab.evaluate(CHART_BACKGROUND) != light


def test_desktop_is_seventy_thirty_and_fits(tab: Tab) -> None:
    left, right = (tab.locator(f"#{name}").bounding_box() for name in ("left", "right"))
    assert abs(left["width"] / (left["width"] + right["width"]) - 0.7) < 0.01
    assert tab.evaluate("document.documentElement.scrollHeight <= innerHeight")
    over = tab.evaluate("right.scrollHeight - right.clientHeight")
    assert over <= 0, f"the panel has to be scrolled by {over} px"


def test_controls_are_seen_without_scrolling(tab: Tab) -> None:
    expect(tab.get_by_role("region", name="Controls")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [1440, 1280, 1024, 800, 390])
def test_no_number_is_broken_in_two(page: Page, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(page.address, viewport={"width": width, "height": 768})
    tab.wait_for_function("document.querySelector('#cards b')?.textContent")
    broken = tab.evaluate(
        """() => [...document.querySelectorAll("#right :is(b, strong):not(.no-number)")]
          .filter((node) => {
            const range = document.createRange();
            range.selectNodeContents(node);
            return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1;
          })
          .map((node) => node.textContent)"""
    )
    assert broken == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


# Heights of the first line and of the cards' rows before and after all that they say grows.
GROWN = """
() => {
  const heights = () => [
    document.getElementById("bar").offsetHeight,
    ...[...document.querySelectorAll("#right .pairs > div")].map((row) => row.offsetHeight),
  ];
  const before = heights();
  const put = (selector, text) => {
    for (const node of document.querySelectorAll(selector)) node.textContent = text;
  };
  put('#bar [data-k="price"]', "103,345.678");
  put('#bar [data-k="change"]', "-123.45 bp in 60 s");
  put('#bar [data-k="source"]', "TAPE 2024-08-08");
  put('#bar [data-k="state"]', "warming up");
  put('#bar [data-k="session.text"]', "cnn BTCUSDT: registering version 12 of the model");
  put("#notice", "MLflow does not answer: metrics are 9 s old, and so is all that comes from it");
  put('[data-k$=".live/accuracy"]', "100.0 % ± 10.0 % of 86,400 bars");
  put('[data-k$=".live/edge"]', "-0.1234 ± 0.1234 (-12.3 %)");
  put('[data-k$=".live/drawdown"]', "1,234.5 bp ± 123.4 bp");
  return [before, heights()];
}
"""


@pytest.mark.parametrize("width", [1440, 390])
def test_what_grows_moves_nothing_below_it(page: Page, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(page.address, viewport={"width": width, "height": 844})
    before, after = tab.evaluate(GROWN)
    assert len(before) > 20
    assert after == before


# Labels beside numbers that are not shown by whole words: those wider than their room.
CUT_LABELS = """
() => [...document.querySelectorAll("#right .pairs > div > span")]
  .filter((node) => node.getClientRects().length && node.scrollWidth > node.clientWidth)
  .map((node) => node.textContent)
"""


@pytest.mark.parametrize("width", [1440, 1280, 1024, 390])
def test_no_label_is_cut_within_a_word_however_long_its_number(
    page: Page, open_tab: OpenTab, width: int
) -> None:
    tab = open_tab(page.address, viewport={"width": width, "height": 844})
    tab.evaluate(GROWN)
    put = "(nodes, text) => nodes.forEach((node) => (node.textContent = text))"
    tab.locator('[data-k$=".live/drawdown"]').evaluate_all(put, "999.9 ± 199.9 bp")
    assert tab.evaluate(CUT_LABELS) == []
    expect(tab.get_by_text("Live accuracy (test-then-train)")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_values_of_controls_are_not_cut(page: Page, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(page.address, viewport={"width": width, "height": 844})
    values = tab.locator("#controls input[name=value]")
    assert values.count() == 3
    for value in values.all():
        value.fill("0.0625")
        assert value.evaluate("(input) => input.scrollWidth <= input.clientWidth")


@pytest.mark.parametrize("change", ["change: 60/61 bars", "-23.45 bp in 60 s"])
def test_first_line_of_a_phone_cuts_nothing_off(page: Page, open_tab: OpenTab, change: str) -> None:
    tab = open_tab(page.address, viewport=PHONE)
    texts = {"price": "61,837.87", "change": change, "source": "TAPE 2024-08-08"}
    cut = """(texts) => Object.entries(texts).filter(([key, text]) => {
      const node = document.querySelector(`#bar [data-k="${key}"]`);
      node.textContent = text;
      return node.scrollWidth > node.clientWidth;
    })"""
    assert tab.evaluate(cut, texts) == []


def test_help_on_a_phone_covers_nothing_and_is_whole(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, viewport=PHONE)
    outside = tab.evaluate(
        """() => [...document.querySelectorAll("#right .help")].filter((button) => {
          const { bottom } = button.getBoundingClientRect();
          return bottom > button.closest("h2").getBoundingClientRect().bottom;
        }).length"""
    )
    assert outside == 0


def test_a_candle_s_value_stays_with_its_letter(tab: Tab) -> None:
    expect(tab.locator("#legend")).to_contain_text(re.compile(r"O\s[\d,.]+\s+H\s[\d,.]+"))
    text = tab.locator("#legend span").first.evaluate("(node) => node.textContent")
    assert re.findall(r"([OHLCV])\u00a0[\d,.]+", text) == [*"OHLCV"]


def test_what_is_tapped_on_a_phone_is_large_enough(page: Page, open_tab: OpenTab) -> None:
    """WCAG 2.2 AA, target size: 24 by 24 px."""
    tab = open_tab(page.address, viewport=PHONE)
    for button in tab.locator("#tools button:visible, #bottom button, #tabs button:visible").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24, button.inner_text()


def test_what_scrolls_sideways_is_reached_by_keyboard(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, viewport=PHONE)
    unreached = tab.evaluate(
        """() => [...document.querySelectorAll(".scroll")]
          .filter((node) => node.tabIndex < 0 && !node.querySelector("button, input, a"))
          .map((node) => node.closest("section").ariaLabel)"""
    )
    # Those of runs and trades have something in each row.
    assert [name for name in unreached if name not in ("Sessions", "Trades")] == []


def test_phone_s_legend_leaves_the_candles_free(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address, viewport=PHONE)
    legend, chart = (tab.locator(name).bounding_box() for name in ("#legends", "#chart"))
    assert legend["y"] + legend["height"] <= chart["y"]
    assert chart["height"] > 350


def test_phone_has_one_column(page: Page, open_tab: OpenTab, screenshots: Path) -> None:
    tab = open_tab(page.address, viewport=PHONE, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    chart, panel = (tab.locator(f"#{name}").bounding_box() for name in ("left", "right"))
    assert panel["y"] >= chart["y"] + chart["height"]
    assert abs(panel["width"] - chart["width"]) < 2
    tab.screenshot(path=screenshots / "live_phone.png", full_page=True)


@pytest.mark.parametrize("view, filled", [("runs", "#runs tr"), ("evidence", "#scores tr")])
def test_other_views_fit_a_phone(
    page: Page, open_tab: OpenTab, screenshots: Path, view: str, filled: str
) -> None:
    tab = open_tab(f"{page.address}#BTCUSDT/{view}", viewport=PHONE, color_scheme="dark")
    expect(tab.locator(filled).first).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tab.screenshot(path=screenshots / f"{view}_phone.png", full_page=True)


def test_chart_frame_does_not_grow(tab: Tab) -> None:
    frame = tab.locator("#chart-frame")
    before = frame.bounding_box()
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert frame.bounding_box() == before
    assert before["height"] < 900


def test_controls_have_names(tab: Tab) -> None:
    for name in ("Stream", "CNN", "DQN", "Last events"):
        assert tab.get_by_role("region", name=name).count() == 1
    assert tab.get_by_role("group", name="Range of the chart").count() == 1
    assert tab.get_by_role("application", name="Chart of candles with volume").count() == 1
