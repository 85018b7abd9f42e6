"""Controls: asked by one viewer, written as tags, answered by the trainer, seen by everyone."""

from __future__ import annotations

import json
import re
import time
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
        if name.startswith("control"):
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
        expect(state(viewer, "pause")).to_contain_text(re.compile(r"Pauserequestedoperator, \d\d:"))
    assert asked(busy) == {"pause": "1"}
    finish(busy, "pause", result="applied", value="1", cycle=25)
    for viewer in (tab, other):
        expect(state(viewer, "pause")).to_contain_text("Pauseapplied in cycle 25")


def test_fields_show_what_is_in_force(busy: World, tab: Tab) -> None:
    form = tab.locator('form[data-ask="confidence"]')
    expect(form.locator("input")).to_have_value("0.65")
    expect(form).to_contain_text("0.5 to 1")
    finish(busy, "epsilon", result="applied", value="0.2", cycle=26)
    expect(tab.locator('form[data-ask="epsilon"] input')).to_have_value("0.2")
    expect(tab.locator('form[data-ask="learning_rate"]')).to_contain_text("cnn 0.001, dqn 0.0003")


@pytest.mark.parametrize(
    "typed, hint",
    [("0,7", "write 0.7, with a point"), ("70", "70 % is 0.7"), ("70 %", "70 % is 0.7"),
     ("abc", "expected a number from 0.5 to 1"), ("0.1", "expected 0.5 to 1")],
)  # fmt: skip
def test_wrong_value_is_told_at_once_and_not_sent(
    busy: World, tab: Tab, typed: str, hint: str
) -> None:
    field = tab.get_by_label("Confidence", exact=True)
    field.fill(typed)
    field.press("Enter")
    expect(tab.get_by_role("alert").filter(has_text=hint)).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("0.65")
    expect(tab.locator("#why-not")).to_be_empty()
    field.fill(typed)
    field.press("Enter")
    field.blur()
    expect(field).to_have_value("0.65")
    expect(tab.locator("#why-not")).to_be_empty()
    assert asked(busy) == {}


def test_value_is_sent_and_a_refusal_shows_its_reason(busy: World, tab: Tab) -> None:
    field = tab.get_by_label("Learning rate", exact=True)
    field.fill("0.7")
    field.press("Enter")
    expect(state(tab, "learning_rate")).to_contain_text("Learning raterequested 0.7")
    assert asked(busy) == {"learning_rate": "0.7"}
    text = "refused control/learning_rate: the learner is busy"
    finish(busy, "learning_rate", result="refused", value="0.7", text=text)
    expect(state(tab, "learning_rate")).to_contain_text("Learning raterefused: the learner is busy")


def test_stop_asks_first_and_escape_leaves_it(busy: World, tab: Tab) -> None:
    tab.get_by_role("button", name="Stop").click()
    dialog = tab.locator("#confirm")
    expect(dialog).to_contain_text("Training ends, and with it the session")
    expect(tab.get_by_role("button", name="Cancel")).to_be_focused()
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert asked(busy) == {}


def test_promotion_names_what_becomes_what_before_it_is_asked_for(busy: World, tab: Tab) -> None:
    tab.get_by_role("tab", name="Runs and models").click()
    tab.get_by_role("button", name="Promote challenger of tickloop-btcusdt-cnn").click()
    dialog = tab.locator("#confirm")
    rows = dialog.locator("tbody tr")
    expect(rows.nth(0)).to_contain_text(
        re.compile("cnn as it is now, after cycle 24.*champion.*720")
    )
    expect(rows.nth(1)).to_contain_text(re.compile("version 2, champion now.*previous"))
    expect(dialog).to_contain_text("log E +1.84 against 3.00 needed, 720 bars")
    assert asked(busy) == {}
    dialog.get_by_role("button", name="Promote").click()
    expect(tab.get_by_role("region", name="Models")).to_contain_text("Promoterequested cnn")
    tab.get_by_role("tab", name="Live").click()
    expect(state(tab, "promote")).to_contain_text("Promoterequested cnn")
    assert asked(busy) == {"promote": "cnn"}
    finish(busy, "promote", result="applied", value="cnn", cycle=25, ts=time.time())
    expect(state(tab, "promote")).to_contain_text("Promotebeing made: cnn, taken in cycle 25")


def test_roll_back_without_a_champion_says_so(tab: Tab) -> None:
    tab.get_by_role("tab", name="Runs and models").click()
    name = "Roll back champion of tickloop-btcusdt-cnn"
    expect(tab.get_by_role("button", name=name)).not_to_have_attribute("aria-disabled", "true")
    # In one go: the next message draws the button anew, and says again what the session can.
    title = tab.evaluate(
        "(name) => {"
        "  Tickloop.connection.controls.update({cannot: {rollback: 'cnn has no champion'}});"
        "  const button = document.querySelector(`button[aria-label='${name}']`);"
        "  button.click();"
        "  return button.title;"
        "}",
        name,
    )
    assert title == "cnn has no champion"
    expect(tab.locator("#confirm")).to_be_hidden()
    tab.evaluate("Tickloop.connection.controls.update({cannot: {start: 'the session is running'}})")
    tab.get_by_role("tab", name="Live").click()


def test_what_does_nothing_says_why(busy: World, tab: Tab) -> None:
    start = tab.get_by_role("button", name="Start", exact=True)
    expect(start).to_have_attribute("aria-disabled", "true")
    start.click(force=True)
    expect(tab.locator("#why-not")).to_have_text("Start: the session is running")


def test_one_button_pauses_and_resumes(busy: World, tab: Tab) -> None:
    expect(tab.get_by_role("button", name="Pause")).to_be_visible()
    busy.tag(busy.run_id, status="PAUSED")
    resume = tab.get_by_role("button", name="Resume")
    resume.click()
    expect(state(tab, "resume")).to_contain_text("Resumerequested")
    assert asked(busy) == {"resume": "1"}
    busy.tag(busy.run_id, status="TRAINING")
    expect(tab.get_by_role("button", name="Pause")).to_be_visible()


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


@pytest.mark.parametrize("path", ["/live/compare?run=../x&run=y", "/live/cycle?symbol=A&cycle=x"])
def test_queries_take_ids_and_numbers_only(page: Page, path: str) -> None:
    assert answer_of(page.address + path)[0] == 422


def test_run_that_is_not_there_is_404(page: Page) -> None:
    status, text, _ = answer_of(f"{page.address}/live/compare?run={'0' * 32}&run=y")
    assert (status, f"there is no run '{'0' * 32}'" in text) == (404, True)
