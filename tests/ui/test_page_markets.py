"""The Markets view in a browser: a session of several markets at a glance."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.ui.conftest import new_tab
from tests.ui.page_tab import LOW_CONTRAST
from tests.ui.page_world import Page, World
from trainers.states import State

OpenTab = Callable[..., Tab]
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XBT/USD")
EDGES = (0.004, -0.002, 0.02, None)
LINES = "#markets-lines .line"
NAMES = f"{LINES} .name"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A session of four markets: the third leads, the first loses, the last has not begun."""
    world = World(tmp_path_factory.mktemp("several"), symbols=",".join(SYMBOLS))
    world.runs = {}
    with world.batched():
        for i, (symbol, edge) in enumerate(zip(SYMBOLS, EDGES, strict=True)):
            if edge is not None:
                world.stream(symbol, 400, 64_000.0 / (1 + 9 * i)).live()
                _scores(world, symbol, edge)
        world.log(
            world.run_id, 5, promotion__discoveries=1, promotion__markets=4, live__pnl_bps=-31.0
        )
    world.tag(world.run_id, discoveries=json.dumps([SYMBOLS[2]]))
    yield world
    world.close()


def _scores(world: World, symbol: str, edge: float) -> None:
    cnn, dqn = (world.learner(name, symbol) for name in ("cnn", "dqn"))
    world.runs[symbol] = cnn
    for cycle in range(1, 6):
        world.log(
            cnn, cycle, live__edge=edge, live__edge_ci=0.01, live__accuracy=0.5 + edge,
            live__accuracy_ci=0.02, live__scored=30 * cycle, live__missed_rate=0.0,
        )  # fmt: skip
        world.log(dqn, cycle, live__pnl_bps=2e3 * edge - 20, live__pnl_bps_ci=5.0, live__trades=40)


@pytest.fixture(scope="module")
def several_page(several: World) -> Iterator[Page]:
    page = Page(several)
    yield page
    page.kill()


@pytest.fixture(scope="module")
def shared(browser: Browser, several_page: Page) -> Iterator[Tab]:
    tab = new_tab(browser, several_page.address)
    yield tab
    tab.context.close()


@pytest.fixture
def markets(shared: Tab) -> Tab:
    """The tab on the Markets view, as it opens."""
    shared.get_by_role("tab", name="Markets").click()
    shared.get_by_label("Filter markets by a word").fill("")
    shared.get_by_label("Filter markets by a word").blur()
    expect(shared.locator(f"{LINES} .edge, {LINES} :nth-child(8)").first).to_contain_text("±")
    return shared


def names(tab: Tab) -> list[str]:
    # Not the inner text: that of a line that is not painted yet is empty.
    return tab.locator(NAMES).all_text_contents()


def test_several_markets_open_with_a_line_each_and_one_market_as_ever(
    markets: Tab, tab: Tab
) -> None:
    expect(markets.get_by_role("tab", selected=True)).to_have_text("Markets")
    expect(markets.locator(LINES)).to_have_count(4)
    line = markets.locator(LINES, has_text="SOLUSDT")
    for text in ("live", "52.0 % ± 2.0 %", "+0.0200 ± 0.0100", "+20.0 bp ± 5.0 bp", "0.0 %"):
        expect(line).to_contain_text(text)
    expect(markets.locator(LINES, has_text="XBT")).to_contain_text("starting")
    expect(tab.get_by_role("tab", name="Markets", include_hidden=True)).to_be_hidden()


def test_who_leads_loses_and_is_proven_is_seen_at_a_glance(markets: Tab) -> None:
    headline = "Better than the best baseline on 1 of 4, false discoveries at most 5 %"
    expect(markets.locator("#view-markets h2")).to_contain_text(headline)
    marks = markets.locator(LINES, has_text="SOLUSDT").locator(".marks")
    expect(marks).to_have_text("provenleadsearns")
    expect(markets.locator("#markets-marks")).to_have_text("1 proven better1 lead1 earn2 lose0 err")
    expect(markets.locator('[data-k="markets.pnl"]')).to_have_text("-31.0 bp")


def test_money_says_whose_it_is(markets: Tab) -> None:
    expect(markets.locator("#markets-sum")).to_have_text("Sum of net P&L of dqn")
    earns = markets.locator(LINES, has_text="SOLUSDT").locator(".marks .earns")
    expect(earns).to_have_attribute("title", "dqn")
    pnl = markets.locator(LINES, has_text="SOLUSDT").locator(":nth-child(10)")
    expect(pnl).to_have_attribute("title", re.compile(r"cnn .+, dqn \+20\.0 bp ± 5\.0 bp"))


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_a_line_has_room_for_each_state_and_for_much_money(
    several_page: Page, open_tab: OpenTab, width: int
) -> None:
    tab = open_tab(several_page.address, viewport={"width": width, "height": 844})
    line = tab.locator(LINES, has_text="SOLUSDT")
    expect(line).to_contain_text("+20.0 bp ± 5.0 bp")
    for state in State:
        cell = line.locator(".state")
        cell.locator(".chip").evaluate("(chip, text) => (chip.textContent = text)", state)
        assert cell.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth"), state
    for column, text in {
        8: "-0.1234 ± 0.1234",
        10: "n = 29: -131.9 bp ± 93.9 bp",
        11: "wait -0.1 / 3.7",
        1: "DOGEUSDT",  # last, as the line is found by its symbol
    }.items():
        cell = line.locator(f":scope > :nth-child({column})")
        own = "(cell.querySelector('a') ?? cell)"  # a name is a link, and bold
        fill = f"{own}.textContent = text; return cell.scrollWidth <= cell.clientWidth;"
        assert cell.evaluate(f"(cell, text) => {{ {fill} }}", text), text


def test_prices_are_live(markets: Tab) -> None:
    price = markets.locator(LINES, has_text="ETHUSDT").locator(":nth-child(4)")
    before = price.inner_text()
    expect(price).not_to_have_text(before)
    assert re.fullmatch(r"[\d,]+\.\d\d", price.inner_text())


@pytest.mark.parametrize(
    "column, first, last",
    [
        ("Edge, nats", "SOLUSDT", "ETHUSDT"),
        ("Net P&L of dqn", "SOLUSDT", "ETHUSDT"),
        ("Price", "BTCUSDT", "SOLUSDT"),
    ],
)
def test_lines_are_sorted_by_a_column_and_what_is_not_known_comes_last(
    markets: Tab, column: str, first: str, last: str
) -> None:
    heading = markets.get_by_role("columnheader", name=column, exact=True)
    if heading.get_attribute("aria-sort") != "descending":
        heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert (names(markets)[0], *names(markets)[2:]) == (first, last, SYMBOLS[3])
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert (names(markets)[0], *names(markets)[2:]) == (last, first, SYMBOLS[3])


def test_lines_are_filtered_by_a_word_of_theirs_or_a_mark(markets: Tab) -> None:
    markets.keyboard.press("/")
    expect(markets.get_by_label("Filter markets by a word")).to_be_focused()
    markets.keyboard.type("bt")
    expect(markets.locator(LINES)).to_have_count(2)
    markets.keyboard.press("Escape")
    markets.get_by_role("button", name="2 lose").click()
    assert sorted(names(markets)) == ["BTCUSDT", "ETHUSDT"]
    markets.get_by_role("button", name="2 lose").click()
    expect(markets.locator(LINES)).to_have_count(4)
    markets.get_by_label("Filter markets by a word").fill("doge")
    expect(markets.locator("#markets-none")).to_have_text('No market fits "doge".')


def test_a_market_is_opened_by_keyboard_and_back_leads_to_the_lines(markets: Tab) -> None:
    markets.get_by_role("columnheader", name="Market").get_by_role("button").click()
    markets.keyboard.press("/")
    markets.keyboard.press("ArrowDown")
    markets.keyboard.press("ArrowDown")
    name = markets.evaluate("document.activeElement.textContent")
    assert name == names(markets)[1]
    markets.keyboard.press("Enter")
    expect(markets.get_by_role("tab", selected=True)).to_have_text("Live")
    markets.wait_for_function(f"Tickloop.candles.symbol === '{name}'")
    expect(markets.locator("#symbols")).to_have_value(name)
    markets.go_back()
    expect(markets.get_by_role("tab", selected=True)).to_have_text("Markets")


def test_a_line_is_opened_by_a_click_anywhere_on_it(markets: Tab) -> None:
    markets.locator(LINES, has_text="ETHUSDT").locator(":nth-child(8)").click()
    expect(markets.get_by_role("tab", selected=True)).to_have_text("Live")
    markets.wait_for_function("Tickloop.candles.symbol === 'ETHUSDT'")


def test_a_link_leads_to_a_market_and_a_view(several_page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(several_page.address + "/#ETHUSDT/evidence")
    expect(tab.get_by_role("tab", selected=True)).to_have_text("Evidence")
    expect(tab.locator("#symbols")).to_have_value("ETHUSDT")
    tab.evaluate("location.hash = '#XBT%2FUSD/live'")
    expect(tab.locator("#symbols")).to_have_value("XBT/USD")
    expect(tab.get_by_role("tab", selected=True)).to_have_text("Live")
    tab.evaluate("location.hash = '#DOGEUSDT/trades'")
    expect(tab.get_by_role("tab", selected=True)).to_have_text("Trades")
    tab.wait_for_function("location.hash === '#XBT%2FUSD/trades'")
    assert tab.faults == []


def test_charts_that_nobody_sees_are_left_alone_and_come_back_whole(markets: Tab) -> None:
    times = "[...Tickloop.candles.rows.keys()]"
    said = "Tickloop.connection.lastMessage"
    # The first message of this view's connection brings the charts whole.
    opened = markets.wait_for_function(f"Tickloop.connection.charted ? 0 : {said}").json_value()
    begun = markets.wait_for_function(f"{said} > {opened} + 1000 && {said}").json_value()
    before = markets.evaluate(f"{times}.at(-1)")
    markets.wait_for_function(f"{said} > {begun} + 2500")
    assert markets.evaluate(f"{times}.at(-1)") == before
    markets.get_by_role("tab", name="Live").click()
    markets.wait_for_function(f"{times}.at(-1) > {before} + 3")
    shown = markets.evaluate(times)
    assert shown == list(range(shown[0], shown[-1] + 1)), "candles are missing"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_views_of_several_markets_read_well(
    several_page: Page, open_tab: OpenTab, scheme: str
) -> None:
    tab = open_tab(several_page.address, color_scheme=scheme)
    expect(tab.locator(f"{LINES} .gain").first).to_be_visible()
    for mark in ("proven", "leads", "earns", "loses", "errs"):  # whatever a market may be
        tab.evaluate("(m) => document.querySelector('#markets .marks b').className = m", mark)
        assert tab.evaluate(LOW_CONTRAST) == []
    tab.get_by_role("tab", name="Runs and models").click()
    expect(tab.locator("#compare-rows tr")).to_have_count(2)
    assert tab.evaluate(LOW_CONTRAST) == []


@pytest.mark.parametrize("width", [1440, 1280, 1024, 390])
def test_lines_fit_the_screen(several_page: Page, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(several_page.address, viewport={"width": width, "height": 800})
    expect(tab.locator(LINES)).to_have_count(4)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    right = "({ right }) => right"
    edge = tab.locator("#markets-lines").evaluate(f"(e) => ({right})(e.getBoundingClientRect())")
    for cell in tab.locator(f"{LINES}:first-child > span").all():
        if cell.is_visible():
            assert cell.bounding_box()["x"] + cell.bounding_box()["width"] <= edge + 1
    assert tab.faults == []
