"""Help in place: what a label means, by mouse and by keyboard, with a way into the glossary."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urljoin

from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.page_world import Page, World, answer_of

OpenTab = Callable[..., Tab]

ICONS = """
[false, true].map((on) => {
  Tickloop.connection.title.alarm(on);
  return document.querySelector("link[rel~=icon]").href;
})
"""


def test_help_of_a_card_by_keyboard(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    button = tab.get_by_role("button", name="Help: CNN")
    button.focus()
    tab.keyboard.press("Enter")
    help_ = tab.get_by_role("dialog", name="What it means")
    expect(help_).to_be_focused()
    for text in ("Net P&L after costs", "Profit of the paper account", "Unit: bp", "Drawdown"):
        expect(help_).to_contain_text(text)
    tab.keyboard.press("Tab")
    link = help_.get_by_role("link", name="live/pnl_bps in the glossary")
    expect(link).to_be_focused()
    tab.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(button).to_be_focused()


def test_link_leads_to_the_term_s_place_in_the_glossary(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    tab.get_by_role("button", name="Help: Stream").click()
    href = tab.get_by_role("link", name="stream/lag_ms in the glossary").get_attribute("href")
    tab.goto(urljoin(tab.url.split("#")[0], href))
    row = tab.locator(":target")
    expect(row).to_contain_text("Time from a trade at the venue to here")
    expect(row).to_be_in_viewport()


def test_label_under_the_mouse_is_explained_and_left_again(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    tab.get_by_text("Drawdown", exact=True).first.hover()
    help_ = tab.locator("#help")
    expect(help_).to_contain_text("Deepest fall of that profit")
    expect(help_.get_by_role("link")).to_be_visible()
    tab.mouse.move(300, 500)
    expect(help_).to_be_hidden()


def test_every_card_of_numbers_has_its_help(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    for view, cards in {
        "Live": ("Stream", "CNN", "DQN", "Controls"),
        "Trades": ("Equity", "Trades"),
        "Evidence": ("Scores", "Edge over time", "Calibration", "Break-even"),
    }.items():
        tab.get_by_role("tab", name=view).click()
        for card in cards:
            expect(tab.get_by_role("button", name=f"Help: {card}", exact=True)).to_be_visible()


def test_glossary_is_one_page_of_its_own(page: Page) -> None:
    status, text, headers = answer_of(page.address + "/live/glossary")
    assert status == 200
    assert "text/html" in headers["content-type"]
    assert "<h2>Words</h2>" in text


def test_browser_s_tab_has_price_and_state(busy: World, page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address)
    expect(tab).to_have_title(re.compile(r"^\d\d,\d{3}\.\d\d · BTCUSDT · Tickloop$"))
    busy.tag(busy.run_id, status="PAUSED")
    expect(tab).to_have_title(re.compile(r"^paused · \d"))
    busy.tag(busy.run_id, status="TRAINING")
    # In one go, as an alert of the world's own may change the icon between two.
    calm, alarmed = tab.evaluate(ICONS)
    assert calm.startswith("data:image/svg+xml,")
    assert alarmed.startswith("data:image/svg+xml,")
    assert alarmed != calm
