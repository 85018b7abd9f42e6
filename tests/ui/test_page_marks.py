"""Forecasts, paper trades, cycles and gaps on the chart: they are the ledger's, and can be read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from streaming.ticks import NS_PER_S
from tests.ui.ledger_writer import CHAMPION_VERSION
from tests.ui.page_tab import until, wait_for_bars
from tests.ui.page_world import World
from trainers.recording.ledger import read_ledger

OpenTab = Callable[..., Tab]
CHART = "Tickloop.candles"
TRIES = 50  # the chart goes on each second: a mark may have moved by when the mouse is there
MARKER = f"""
(cycle) => {{
  const marks = {CHART}.marks;
  const frame = document.getElementById("chart").getBoundingClientRect();
  const time = marks.cycles.get(cycle)?.time;
  return [
    frame.x + {CHART}.chart.timeScale().timeToCoordinate(time),
    frame.y + marks.edge.priceToCoordinate(0),
  ];
}}
"""


@pytest.fixture
def card(tab: Tab) -> Tab:
    yield tab.locator("#cycle-card")
    tab.keyboard.press("Escape")


def test_strip_shows_the_ledger_s_forecasts_of_each_bar(busy: World, tab: Tab) -> None:
    wait_for_bars(tab, 2)
    shown = dict(
        tab.evaluate(f"[...{CHART}.strip.rows.values()].map((r) => [r.time, r.probabilities])")
    )
    names, _, forecasts = read_ledger(busy.folder, "BTCUSDT")
    cnn = forecasts[forecasts["learner"] == names.index("cnn")]
    written = {int(r["bar"]) // NS_PER_S + 1: round(float(r["probability"]), 4) for r in cnn}
    assert len(shown) >= 850
    assert all(row[0] == written[time] for time, row in shown.items())
    assert all(row[1] is None for row in shown.values()), "an agent gives no probability"
    assert tab.evaluate(f"[...{CHART}.strip.series.keys()]") == [0, 2], "CNN and its champion"


def test_strip_has_its_band_and_one_half(tab: Tab) -> None:
    assert tab.evaluate(f"{CHART}.strip.half.options().price") == 0.5
    assert tab.evaluate(f"{CHART}.strip.band.thresholds") == [[0, 0.65]]
    expect(tab.locator("#strip-legend")).to_have_text(
        re.compile(r"cnn \d\d\.\d %.*band: no signal under 65 %")
    )


def test_forecasts_share_the_candles_time_axis(tab: Tab) -> None:
    assert tab.evaluate(f"{CHART}.chart.panes().length") == 3
    times = f"[...{CHART}.strip.rows.keys()].filter((t) => !{CHART}.rows.has(t)).length"
    assert tab.evaluate(times) <= 2, "only those about a bar that is not there yet"


def test_arrows_are_the_trades_of_both_learners(tab: Tab) -> None:
    texts = tab.evaluate(f"{CHART}.marks.ofTrades.markers().map((m) => [m.shape, m.text])")
    assert {tuple(text) for text in texts} == {
        ("arrowUp", "C"), ("arrowDown", "C"), ("arrowUp", "D"), ("arrowDown", "D"),
    }  # fmt: skip
    assert len(texts) == tab.evaluate(f"{CHART}.marks.trades.size")
    expect(tab.locator("#marks-legend")).to_contain_text("▲ buy ▼ sell on paper: C cnn, D dqn")


def test_cycles_and_champions_are_told_apart(tab: Tab) -> None:
    marks = tab.evaluate(f"{CHART}.marks.onEdge.markers().map((m) => [m.shape, m.text])")
    cycles = [int(text) for shape, text in marks if shape == "circle"]
    assert cycles == list(range(cycles[0], cycles[-1] + 1)), "a version is no cycle"
    everyone = f"[...{CHART}.marks.champions.values()].map((m) => m.version)"
    assert set(tab.evaluate(everyone)) <= {CHAMPION_VERSION}
    expect(tab.locator("#marks-legend")).to_contain_text("● training cycle")


def test_champion_under_the_mouse_says_which_version_serves(tab: Tab) -> None:
    tab.evaluate(
        f"""(() => {{
          const {{ champions }} = {CHART}.marks;
          champions.set("1/0", {{ learner: 0, version: 7, time: 1 }});
          {CHART}.legend.point("champion:1/0", {{ x: 100, y: 200 }});
          champions.delete("1/0");
        }})()"""
    )
    expect(tab.locator("#trade-tip")).to_contain_text("cnn: version 7 serves from here on")


def test_trade_under_the_mouse_has_its_price_forecast_and_profit(tab: Tab) -> None:
    where = f"""
    (() => {{
      const trades = [...{CHART}.marks.trades.values()];
      const trade = trades.findLast((t) => t.learner === 0 && t.side < 0);
      {CHART}.legend.point(`trade:${{trade.at}}/0/-1`, {{ x: 100, y: 200 }});
      return trade;
    }})()
    """
    trade = tab.evaluate(where)
    tip = tab.locator("#trade-tip")
    expect(tip).to_contain_text(f"cnn sold 1 unit at {trade['price']:,.2f}, on paper")
    expect(tip).to_contain_text(f"forecast: {100 * trade['up']:.1f} % that it rises")
    expect(tip).to_contain_text(f"{trade['bps']:+.1f} bp after costs")


def test_click_on_a_cycle_opens_its_metrics(busy: World, tab: Tab, card: Tab) -> None:
    tab.get_by_role("button", name="15m range").click()
    cycle = 24  # the last one logged: late enough to be on the chart for a while
    tab.wait_for_function(f"({MARKER})({cycle})[0] > 0")
    tip = tab.locator("#trade-tip")
    for _ in range(TRIES):
        tab.mouse.move(*tab.evaluate(MARKER, cycle))
        if f"training cycle {cycle}" in tip.text_content():
            break
    expect(tip).to_contain_text(f"training cycle {cycle}")
    for _ in range(TRIES):
        tab.mouse.click(*tab.evaluate(MARKER, cycle))
        if card.is_visible():
            break
    expect(card).to_be_visible()
    expect(card.get_by_role("heading", level=2)).to_have_text(f"Training cycle {cycle}")
    expect(card).to_contain_text(re.compile(r"Epochs\s*48"))
    wrapped = card.locator("dd").evaluate_all(
        """(cells) => cells.filter((cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1;
        }).map((cell) => cell.textContent)"""
    )
    assert wrapped == [], "no number is broken in two"
    expect(card).to_contain_text(re.compile(r"Episodes\s*96"))
    link = card.get_by_role("link", name="run in MLflow").first
    training_view = rf"http://127.0.0.1:5000/#/experiments/\d+/runs/{busy.runs['cnn']}"
    expect(link).to_have_attribute(
        "href", re.compile(rf"{training_view}\?workflowType=machine_learning")
    )


def test_cycle_card_by_keyboard(tab: Tab, card: Tab) -> None:
    button = tab.get_by_role("button", name="Cycles")
    button.focus()
    tab.keyboard.press("Enter")
    expect(card).to_be_visible()
    expect(tab.get_by_role("button", name="Close")).to_be_focused()
    newest = int(re.search(r"cycle (\d+)", card.inner_text())[1])
    card.get_by_role("button", name="Cycle before").press("Enter")
    expect(card).to_contain_text(f"cycle {newest - 1}")
    tab.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(button).to_be_focused()


def test_cycle_that_logged_nothing_is_shown_so(tab: Tab, card: Tab) -> None:
    tab.get_by_role("button", name="Cycles").click()  # newer than what is logged
    expect(card).to_contain_text("nothing logged in this cycle")


def test_gap_is_shaded_and_named(busy: World, tab: Tab) -> None:
    busy.streams["BTCUSDT"].losing.set()
    tab.wait_for_function(f"{CHART}.gaps.ranges.length > 0")
    time = tab.evaluate(f"{CHART}.gaps.ranges.at(-1)[0]")
    wait_for_bars(tab, 2)
    assert tab.evaluate(f"{CHART}.rows.get({time}).gap") == 1
    place = (
        f"document.getElementById('chart').getBoundingClientRect().x"
        f" + {CHART}.chart.timeScale().timeToCoordinate({time})"
    )

    def named() -> bool:
        """A bar may come before the mouse does: then the gap is somewhere else."""
        tab.mouse.move(tab.evaluate(place), 300)
        return "GAP: trades are missing" in tab.locator("#legend").inner_text()

    until(tab, named)
