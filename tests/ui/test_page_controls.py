"""Controls: asked by one viewer, written as tags, answered by the trainer, seen by everyone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from tests.ui.page_world import Page, World, answer_of

OpenTab = Callable[..., Tab]


@pytest.fixture(autouse=True)
def tidy(busy: World) -> Iterator[None]:
    yield
    tags = busy.client.get_run(busy.run_id).data.tags
    for name in tags:
        if name.startswith(("control/", "control_result/")):
            busy.client.delete_tag(busy.run_id, name)


@pytest.fixture(scope="module")
def other(browser, page: Page) -> Iterator[Tab]:
    from tests.ui.conftest import new_tab

    tab = new_tab(browser, page.address)
    yield tab
    tab.context.close()


def asked(busy: World) -> dict[str, str]:
    tags = busy.client.get_run(busy.run_id).data.tags
    return {k.split("/")[1]: v for k, v in tags.items() if k.startswith("control/")}


def finish(busy: World, name: str, **result: object) -> None:
    """Take a control and log its result, as the trainer does."""
    if name in asked(busy):
        busy.client.delete_tag(busy.run_id, f"control/{name}")
    busy.client.set_tag(busy.run_id, f"control_result/{name}", json.dumps(result))


def state(tab: Tab, name: str) -> Locator:
    return tab.locator(f'#controls [data-control="{name}"]')


def test_request_and_its_result_are_seen_by_every_viewer(busy: World, tab: Tab, other: Tab) -> None:
    tab.get_by_role("button", name="Pause").click()
    for viewer in (tab, other):
        expect(state(viewer, "pause")).to_have_text("Pauserequested")
    assert asked(busy) == {"pause": "1"}
    finish(busy, "pause", result="applied", value="1", cycle=25)
    for viewer in (tab, other):
        expect(state(viewer, "pause")).to_have_text("Pauseapplied in cycle 25")


def test_value_is_sent_as_typed_and_a_refusal_shows_its_reason(busy: World, tab: Tab) -> None:
    tab.get_by_label("Learning rate").fill("7")
    tab.keyboard.press("Enter")
    expect(state(tab, "learning_rate")).to_have_text("Learning raterequested 7")
    assert asked(busy) == {"learning_rate": "7"}
    finish(busy, "learning_rate", result="refused", value="7", text="got '7'; allowed: 0 to 1")
    expect(state(tab, "learning_rate")).to_have_text(
        "Learning raterefused: got '7'; allowed: 0 to 1"
    )


def test_applied_confidence_moves_the_band(busy: World, tab: Tab) -> None:
    finish(busy, "confidence", result="applied", value="0.6", cycle=26)
    tab.wait_for_function("Tickloop.candles.strip.band.confidence === 0.6")
    expect(tab.locator("#strip-legend")).to_contain_text("band: no signal under 60 %")
    busy.client.delete_tag(busy.run_id, "control_result/confidence")
    tab.wait_for_function("Tickloop.candles.strip.band.confidence === 0.65")


def test_stop_asks_first_and_escape_leaves_it(busy: World, tab: Tab) -> None:
    tab.get_by_role("button", name="Stop").click()
    dialog = tab.locator("#confirm")
    expect(dialog).to_contain_text("Training ends and the session with it")
    expect(tab.get_by_role("button", name="Leave it")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert asked(busy) == {}


def test_promotion_shows_the_verdict_before_it_is_asked_for(busy: World, tab: Tab) -> None:
    tab.get_by_role("tab", name="Runs and models").click()
    tab.get_by_role("button", name="Promote challenger of tickloop-btcusdt-cnn").click()
    dialog = tab.locator("#confirm")
    expect(dialog).to_contain_text("log E +1.84 against 3.00 needed, 720 bars")
    expect(dialog).to_contain_text("tickloop-btcusdt-cnn")
    assert asked(busy) == {}
    dialog.get_by_role("button", name="Promote challenger").click()
    expect(tab.get_by_role("region", name="Models")).to_contain_text("Promoterequested cnn")
    tab.get_by_role("tab", name="Live").click()
    expect(state(tab, "promote")).to_have_text("Promoterequested cnn")
    assert asked(busy) == {"promote": "cnn"}


def test_paused_session_shows_which_button_is_on(busy: World, tab: Tab) -> None:
    pause = tab.get_by_role("button", name="Pause")
    expect(pause).to_have_attribute("aria-pressed", "false")
    busy.tag(busy.run_id, status="PAUSED")
    expect(pause).to_have_attribute("aria-pressed", "true")
    busy.tag(busy.run_id, status="TRAINING")
    expect(pause).to_have_attribute("aria-pressed", "false")


def post(page: Page, body: object, **headers: str) -> int:
    request = urllib.request.Request(
        page.address + "/live/control",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **headers},
    )
    return answer_of(request)[0]


@pytest.mark.parametrize(
    "body",
    [{"name": "rm -rf"}, {"name": "../status", "value": "x"}, {"value": "1"}, [], "pause",
     {"name": "epsilon", "value": "9" * 101}],
)  # fmt: skip
def test_what_is_no_control_is_refused_and_writes_nothing(
    busy: World, page: Page, body: object
) -> None:
    assert post(page, body) == 422
    assert asked(busy) == {}


def test_another_site_controls_nothing(busy: World, page: Page) -> None:
    assert post(page, {"name": "stop"}, Origin="http://evil.example") == 403
    assert asked(busy) == {}


@pytest.mark.parametrize("path", ["/live/compare?a=../x&b=y", "/live/cycle?symbol=A&cycle=x"])
def test_queries_take_ids_and_numbers_only(page: Page, path: str) -> None:
    assert answer_of(page.address + path)[0] == 422


def test_run_that_is_not_there_is_404(page: Page) -> None:
    status, text, _ = answer_of(f"{page.address}/live/compare?a={'0' * 32}&b=y")
    assert (status, f"there is no run '{'0' * 32}'" in text) == (404, True)
