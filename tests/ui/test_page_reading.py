"""What a person reads on the page of a running session, and that it moves without flicker."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.page_tab import LAST_ROW, RANGE, text_of, wait_for_bars
from tests.ui.page_world import Page, World

OpenTab = Callable[..., Tab]


def test_price_is_the_last_tick_s(busy: World, tab: Tab) -> None:
    shown = float(text_of(tab, "price").replace(",", ""))
    recent = busy.streams["BTCUSDT"].cache.tail(100).rows["price"]
    assert shown in recent


def test_counts_are_the_rings(busy: World, tab: Tab) -> None:
    ticks = int(text_of(tab, "stream.ticks").split()[0].replace(",", ""))
    assert 0 <= busy.streams["BTCUSDT"].cache.committed - ticks < 100
    bars = int(text_of(tab, "stream.bars").replace(",", ""))
    assert 0 <= busy.streams["BTCUSDT"].bars.committed - bars < 5
    assert text_of(tab, "stream.rate") == "20.0"
    assert text_of(tab, "stream.status") == "live"


def test_cards_name_the_accuracy(tab: Tab) -> None:
    cnn = tab.get_by_role("region", name="CNN")
    expect(cnn).to_contain_text(re.compile(r"Live accuracy \(test-then-train\)\s*54\.2 %"))
    expect(cnn).to_contain_text("of 720 bars")
    expect(cnn).to_contain_text(re.compile(r"Train accuracy\s*61\.0 %"))
    expect(cnn).to_contain_text("0.6729")
    expect(cnn.locator(".chip")).to_have_text("live")
    dqn = tab.get_by_role("region", name="DQN")
    for text in ("48.1 %", "-0.0312", "96", "0.0797", "1,570", "-29.6 bp ± 15.5 bp"):
        expect(dqn).to_contain_text(text)


def test_last_five_events_newest_first(tab: Tab) -> None:
    texts = tab.locator("#events span").all_inner_texts()
    assert texts == [f"cycle {n} done in 0.8 s" for n in (24, 23, 22, 21, 20)]


def test_mini_chart_has_every_cycle(tab: Tab) -> None:
    lines = "Tickloop.connection.mini.chart.lines"
    tab.wait_for_function(f"{lines}.get('accuracy').series.data().length === 24")
    tab.wait_for_function(f"{lines}.get('win rate').series.data().at(-1).value === 48.1")
    tab.wait_for_function(f"{lines}.get('baseline').series.data().length === 24")
    expect(tab.locator('[data-k="cycle"]')).to_have_text("By cycle, now 24")


def test_candles_move_in_the_same_node(tab: Tab) -> None:
    tab.evaluate("window.kept = [...document.querySelectorAll('#chart canvas, .card')]")
    before = tab.evaluate(LAST_ROW)["time"]
    wait_for_bars(tab, 2)
    times = tab.evaluate("Tickloop.candles.candles.data().map((candle) => candle.time)")
    assert set(range(before, before + 3)) <= set(times)
    assert tab.evaluate("kept.length > 4 && kept.every((node) => node.isConnected)")


def test_forming_bar_ends_at_the_price(tab: Tab) -> None:
    tab.wait_for_function(
        f"{LAST_ROW}.close.toFixed(2) === "
        "document.querySelector('[data-k=price]').textContent.replace(',', '')"
    )
    tab.wait_for_function(f"Date.now() / 1000 - {LAST_ROW}.time < 4")


def test_deltas_agree_with_a_new_snapshot(tab: Tab, page: Page, open_tab: OpenTab) -> None:
    wait_for_bars(tab, 3)
    rows = tab.evaluate("[...Tickloop.candles.rows.values()].slice(-30, -2)")
    fresh = open_tab(page.address).evaluate("Object.fromEntries(Tickloop.candles.rows)")
    assert [fresh[str(row["time"])] for row in rows] == rows


def test_zoom_stays_while_bars_come(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    tab.mouse.move(500, 400)
    tab.mouse.wheel(0, -600)
    tab.mouse.down()
    tab.mouse.move(800, 400, steps=5)
    tab.mouse.up()
    tab.wait_for_function("Tickloop.candles.chart.timeScale().scrollPosition() < -5")
    before = tab.evaluate(RANGE)
    wait_for_bars(tab, 3)
    assert tab.evaluate(RANGE) == before


def test_range_buttons_show_their_minutes(tab: Tab) -> None:
    for name, bars in {"1m": 60, "5m": 300, "15m": 900}.items():
        tab.get_by_role("button", name=f"{name} range", exact=True).click()
        tab.wait_for_function(f"((r) => Math.abs(r.to - r.from - {bars}) < 8)({RANGE})")
    tab.mouse.move(300, 400)
    tab.mouse.down()
    tab.mouse.move(700, 400, steps=5)
    tab.mouse.up()
    tab.get_by_role("button", name="Now", exact=True).click()
    tab.wait_for_function("Tickloop.candles.chart.timeScale().scrollPosition() > 0")


def test_markup_is_shown_as_text(busy: World, tab: Tab) -> None:
    markup = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
    name = "<b>mine</b>"
    run = busy.learner(name)
    busy.tag(run, status_text=markup)
    before = busy.client.get_run(busy.run_id).data.tags["events"]
    busy.events(markup)
    try:
        expect(tab.locator("#events span").first).to_have_text(markup)
        card = tab.get_by_role("region", name=name)
        expect(card).to_contain_text(markup)
        expect(card).to_contain_text("no bars scored yet")
        assert tab.evaluate("window.hit") is None
        assert tab.locator("#events img, #cards img, #cards h2 b").count() == 0
    finally:
        busy.client.delete_run(run)
        busy.tag(busy.run_id, events=before)
    expect(card).to_have_count(0)


def test_new_cycle_arrives_without_a_reload(busy: World, tab: Tab) -> None:
    busy.log(busy.runs["dqn"], 24, train__epsilon=0.0512)
    expect(tab.get_by_role("region", name="DQN")).to_contain_text("0.0512")
    busy.log(busy.runs["dqn"], 24, train__epsilon=0.0797)


def test_nothing_foreign_is_asked_and_nothing_fails(tab: Tab) -> None:
    wait_for_bars(tab, 2)
    assert tab.faults == []


def test_prices_of_a_small_unit_are_charted_and_read_as_they_are(
    page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(page.address)
    prices = [(12345 + i % 7) * 1e-13 for i in range(60)]
    rows = [[i, *[price] * 4, 1.0, None, 1.2345e-9, 2 * (i == 5)] for i, price in enumerate(prices)]
    tab.evaluate("Tickloop.connection.drop()")
    tab.evaluate("Tickloop.candles.setDecimals(13)")
    tab.evaluate("rows => Tickloop.candles.set({symbol: 'TINY', rows})", rows)
    shown = tab.evaluate(
        "(() => { const { candles } = Tickloop.candles;"
        " return candles.data().map(({ close }) => candles.priceFormatter().format(close)); })()"
    )
    assert shown == [f"{price:.13f}" for price in prices]
    expect(tab.locator("#legend")).to_contain_text("C 0.0000000012348")
    scale = tab.evaluate(
        "Tickloop.candles.candles.priceToCoordinate(1.2345e-9 / Tickloop.candles.unit)"
        " - Tickloop.candles.candles.priceToCoordinate(1.2351e-9 / Tickloop.candles.unit)"
    )
    assert scale > 20, "px between the lowest and the highest price"
