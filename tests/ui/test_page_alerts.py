"""Alerts on a real page: what a person sees and does, and what is refused to viewers."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Route, expect
from playwright.sync_api import Page as Tab

from streaming.events import Code
from tests.ui.conftest import FLAGS, MARKUP, OPERATOR, VIEWER, WHOLE_CHROMIUM, new_tab
from tests.ui.page_tab import LOW_CONTRAST, PHONE, log_in, until
from tests.ui.page_world import Page, World
from tests.ui.webhook import SECRET, Webhook

OpenTab = Callable[..., Tab]


@pytest.fixture
def cleared(changing: World, changing_page: Page) -> Iterator[Page]:
    """The page without rules and without an address, as after each of these tests."""
    clear(changing_page)
    yield changing_page
    clear(changing_page)
    changing.tag(changing.runs["cnn"], status="TRAINING")


def clear(page: Page) -> None:
    for rule in view(page)["rules"]:
        httpx.delete(f"{page.address}/live/alerts/rules/{rule['id']}").raise_for_status()
    give(page, "")


def view(page: Page) -> dict:
    return httpx.get(page.address + "/live/alerts").raise_for_status().json()


def give(page: Page, address: str) -> None:
    httpx.put(page.address + "/live/alerts/address", json={"address": address}).raise_for_status()


def add(page: Page, **rule: object) -> str:
    answer = httpx.post(page.address + "/live/alerts/rules", json=rule)
    return answer.raise_for_status().json()["id"]


def rule_line(tab: Tab, text: str):
    return tab.locator("#alert-rules li").filter(has_text=text)


def open_alerts(open_tab: OpenTab, page: Page, **options) -> Tab:
    tab = open_tab(page.address + "#BTCUSDT/alerts", **options)
    expect(tab.get_by_role("tab", name="Alerts")).to_have_attribute("aria-selected", "true")
    return tab


# The first test sees the file as a new project has it.


def test_a_new_project_has_rules(changing_page: Page, open_tab: OpenTab, screenshots: Path) -> None:
    tab = open_alerts(open_tab, changing_page)
    for text in (
        "any learner state is failed",
        "stream state is stalled for 10 s",
        "session event is leak_alarm",
        "any learner champion changes",
    ):
        expect(rule_line(tab, text).locator(".chip")).to_have_text("quiet")
    expect(tab.locator("#alert-none")).to_have_text("nothing has fired yet")
    expect(tab.locator("#alerts-sending")).to_contain_text("Alerts are shown here")
    expect(tab.get_by_role("button", name="Send a test message")).to_be_disabled()
    tab.screenshot(path=screenshots / "alerts_new.png")
    assert tab.faults == []


def test_a_person_adds_a_rule_sees_it_fire_and_takes_it_out(
    cleared: Page, open_tab: OpenTab
) -> None:
    tab = open_alerts(open_tab, cleared)
    expect(tab.locator("#alert-rules")).to_have_text("no rules: nothing is watched")
    tab.get_by_label("Who").select_option("cnn")
    tab.get_by_label("What", exact=True).fill("live/accuracy")
    tab.locator("select[name=how]").select_option(">")
    tab.get_by_label("Value").fill("0.5")
    tab.get_by_role("button", name="Add rule").click()
    line = rule_line(tab, "cnn live/accuracy > 0.5")
    expect(line.locator(".chip")).to_have_text("firing")
    expect(line).to_contain_text("BTCUSDT cnn since")
    expect(tab.get_by_role("tab", name="Alerts 1 firing")).to_be_visible()
    history = tab.locator("#alert-history tr").first
    expect(history.locator(".chip")).to_have_text("fired")
    expect(history).to_contain_text("BTCUSDT cnn live/accuracy is 0.542")
    expect(history).to_contain_text("shown on this page only")
    tab.get_by_role("button", name="Switch off: cnn live/accuracy > 0.5").click()
    expect(line.locator(".chip")).to_have_text("off")
    expect(tab.locator("#tabs .count")).to_have_text("")
    tab.get_by_role("button", name="Remove: cnn live/accuracy > 0.5").click()
    expect(tab.locator("#alert-rules")).to_have_text("no rules: nothing is watched")
    assert tab.faults == []


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Browser]:
    """A browser that shows messages on a desktop, which the one without windows never does."""
    whole = browser.browser_type.launch(executable_path=WHOLE_CHROMIUM, args=FLAGS)
    yield whole
    whole.close()


def test_a_browser_that_was_asked_shows_alerts_on_its_desktop(
    cleared: Page, desktop: Browser
) -> None:
    tab = open_alerts(functools.partial(new_tab, desktop), cleared)
    tab.context.grant_permissions(["notifications"])
    tab.evaluate(
        """() => {
          window.shown = [];
          const Real = window.Notification;
          window.Notification = class extends Real {
            constructor(title, about) {
              super(title, about);
              window.shown.push([title, about.body]);
            }
          };
        }"""
    )
    notify = tab.get_by_role("button", name="Notify on this desktop")
    notify.click()
    expect(notify).to_have_attribute("aria-pressed", "true")
    add(cleared, who="cnn", what="live/accuracy", how=">", value=0.5)
    tab.wait_for_function("shown.length > 0")
    assert tab.evaluate("shown") == [["Tickloop alert", "BTCUSDT cnn live/accuracy is 0.542"]]
    notify.click()
    expect(notify).to_have_attribute("aria-pressed", "false")


def test_an_example_fills_the_fields(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    tab.get_by_label("Example").select_option(label="any learner live/edge < 0 for 10 min")
    tab.get_by_role("button", name="Add rule").click()
    expect(rule_line(tab, "any learner live/edge < 0 for 10 min")).to_be_visible()
    tab.get_by_label("Example").select_option(label="stream gaps rises")
    expect(tab.get_by_label("Value")).to_be_hidden()
    tab.get_by_role("button", name="Add rule").click()
    expect(rule_line(tab, "stream gaps rises")).to_be_visible()


def choose_by_keys(field: Locator, value: str) -> None:
    """Choose an option by arrows; letters typed slowly, as on a busy machine, would not add up."""
    field.press("Home")
    while field.input_value() != value:
        before = field.input_value()
        field.press("ArrowDown")
        assert field.input_value() != before, f"{value} is not an option"


def test_keyboard_alone_adds_a_rule(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    choose_by_keys(tab.get_by_label("Who"), "stream")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("gaps")
    tab.keyboard.press("Tab")
    choose_by_keys(tab.locator("select[name=how]"), "rises")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(rule_line(tab, "stream gaps rises").locator(".chip")).to_have_text("quiet")


def test_an_answer_that_comes_late_does_not_hide_what_is_newer(
    cleared: Page, open_tab: OpenTab
) -> None:
    tab = open_alerts(open_tab, cleared)
    expect(tab.locator("#alert-rules")).to_contain_text("no rules")
    held: list[Callable[[], None]] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            answer = route.fetch()
            held.append(lambda: route.fulfill(response=answer))

    tab.route("**/live/alerts", hold)
    with tab.expect_request("**/live/alerts"):
        add(cleared, who="stream", what="gaps", how="rises")
    until(tab, lambda: bool(held))
    add(cleared, who="cnn", what="live/accuracy", how=">", value="0")
    expect(tab.locator("[data-k=alerts]").first).to_have_text("1 firing")  # so the tab knows of it
    held[0]()
    for text, phase in (("stream gaps rises", "quiet"), ("cnn live/accuracy > 0", "firing")):
        expect(rule_line(tab, text).locator(".chip")).to_have_text(phase)


def test_the_form_asks_only_for_what_a_rule_needs(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    what, how = tab.get_by_label("What", exact=True), tab.locator("select[name=how]")
    for who, some in {"cnn": "live/edge", "stream": "silent_seconds", "session": "event"}.items():
        tab.get_by_label("Who").select_option(who)
        expect(tab.locator(f"#alert-samples option[value='{some}']")).to_have_count(1)
    what.fill("event")
    expect(how.locator("option")).to_have_text(["is"])
    codes = [option.get_attribute("value") for option in tab.locator("#alert-values option").all()]
    assert codes == list(Code)
    expect(tab.get_by_label("Length of time")).to_be_hidden()
    what.fill("status")
    expect(how.locator("option")).to_have_text(["is", "is not", "changes"])
    how.select_option("changes")
    expect(tab.get_by_label("Value")).to_be_hidden()


def test_a_rule_that_makes_no_sense_is_refused(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    tab.get_by_label("Value").fill("high")
    tab.get_by_role("button", name="Add rule").click()
    refusal = tab.get_by_role("alert").filter(has_text="value")
    expect(refusal).to_have_text("value: got 'high'; allowed with >: a number")
    tab.get_by_label("Value").fill("0")
    tab.get_by_label("Length of time").fill("soon")
    tab.get_by_role("button", name="Add rule").click()
    expect(tab.locator("#rule-error")).to_contain_text("allowed: a number")
    assert view(cleared)["rules"] == []


def test_a_person_gives_an_address_and_tries_it(cleared: Page, open_tab: OpenTab) -> None:
    with Webhook() as webhook:
        tab = open_alerts(open_tab, cleared)
        tab.get_by_label("New address").fill(webhook.address)
        tab.get_by_role("button", name="Save address").click()
        expect(tab.locator("#address-note")).to_have_text("saved: JSON (json://…)")
        expect(tab.get_by_label("New address")).to_have_value("")
        tab.get_by_role("button", name="Send a test message").click()
        expect(tab.locator("#address-note")).to_have_text("test message sent")
        assert webhook.next()["title"] == "Tickloop test: test message"
        expect(tab.locator("#alerts-sending")).to_contain_text("1 sent, 0 not sent")
        webhook.code = 500
        tab.get_by_role("button", name="Send a test message").click()
        failed = "test message not sent: the service answered 500"
        expect(tab.locator("#address-note")).to_have_text(failed)
        expect(tab.locator("#alerts-sending")).to_contain_text("1 not sent")
    assert SECRET not in tab.content()
    assert SECRET not in json.dumps(view(cleared))
    tab.get_by_role("button", name="Remove address").click()
    expect(tab.locator("#alerts-service")).to_have_text("no address")
    assert SECRET not in cleared.log.read_text()


def test_a_wrong_address_is_refused(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    tab.get_by_label("New address").fill(f"nonsense://{SECRET}")
    tab.get_by_role("button", name="Save address").click()
    expect(tab.locator("#address-note")).to_contain_text("address: not known to apprise")


def test_a_learner_in_error_is_shown_to_everyone(
    cleared: Page, changing: World, open_tab: OpenTab
) -> None:
    """Without a reload, whichever view is open, and by a message."""
    with Webhook() as webhook:
        give(cleared, webhook.address)
        add(cleared, what="status", how="is", value="ERROR")
        live = open_tab(cleared.address)
        changing.tag(changing.runs["cnn"], status="ERROR", status_text="loss is not finite")
        message = webhook.next()["message"]
        assert message.startswith("BTCUSDT cnn status is ERROR: loss is not finite")
        expect(live.get_by_role("tab", name="Alerts 1 firing")).to_be_visible()
        live.get_by_role("tab", name="Alerts").click()
        expect(live.locator("#alert-history tr").first).to_contain_text("loss is not finite")
        expect(live.locator("#alert-history tr").first.locator("td").last).to_have_text("sent")


def test_a_metric_that_stays_so_is_pending_and_then_fires(cleared: Page, open_tab: OpenTab) -> None:
    tab = open_alerts(open_tab, cleared)
    tab.get_by_label("Who").select_option("cnn")
    tab.get_by_label("What", exact=True).fill("live/accuracy")
    tab.get_by_label("Value").fill("0.5")
    tab.get_by_label("Length of time").fill("6")
    tab.get_by_label("Unit of time").select_option("s")
    tab.get_by_role("button", name="Add rule").click()
    line = rule_line(tab, "cnn live/accuracy > 0.5 for 6 s")
    expect(line.locator(".chip")).to_have_text("pending")
    expect(line.locator(".chip")).to_have_text("firing")


def test_markup_in_a_learner_s_name_is_shown_as_text(
    cleared: Page, changing: World, open_tab: OpenTab
) -> None:
    """In the form, the rules, the history, the cards; and in the texts of an error and an event."""
    add(cleared, what="status", how="is", value="ERROR")
    add(cleared, who="session", what="event", how="is", value="control")
    tab = open_alerts(open_tab, cleared)
    changing.tag(changing.runs["odd"], status="ERROR", status_text=f"{MARKUP} failed")
    changing.events(f"{MARKUP} happened")
    history = tab.locator("#alert-history")
    expect(history).to_contain_text(f"BTCUSDT {MARKUP} status is ERROR: {MARKUP} failed")
    expect(history).to_contain_text(f"{MARKUP} happened")
    tab.get_by_label("Who").select_option(MARKUP)
    tab.get_by_role("button", name="Add rule").click()
    expect(rule_line(tab, f"{MARKUP} live/edge >")).to_be_visible()
    for name in ("Live", "Runs and models", "Evidence", "Alerts"):
        tab.get_by_role("tab", name=name).click()
        assert tab.evaluate("window.hit") is None
        assert tab.locator("img[src=x]").count() == 0
    tab.get_by_role("tab", name="Live").click()
    card = tab.get_by_role("region", name=MARKUP)
    expect(card).to_contain_text(f"{MARKUP} failed")
    expect(tab.locator("#events")).to_contain_text(f"{MARKUP} happened")
    changing.tag(changing.runs["odd"], status="IDLE", status_text="")
    assert tab.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_view_reads_well(
    cleared: Page, open_tab: OpenTab, screenshots: Path, scheme: str
) -> None:
    fill(cleared)
    tab = open_alerts(open_tab, cleared, color_scheme=scheme)
    expect(rule_line(tab, "cnn live/accuracy > 0.5").first).to_contain_text("firing")
    tab.screenshot(path=screenshots / f"alerts_{scheme}.png")
    everything = LOW_CONTRAST.replace(".card *", "#view-alerts *")
    assert everything != LOW_CONTRAST
    for phase in ("firing", "pending", "resolved", "quiet", "off", "waiting", "test"):
        tab.evaluate(
            "(s) => document.querySelectorAll('.chip').forEach((c) => c.dataset.s = s)", phase
        )
        assert tab.evaluate(everything) == []


def test_the_view_fits_a_phone(cleared: Page, open_tab: OpenTab, screenshots: Path) -> None:
    fill(cleared)
    tab = open_alerts(open_tab, cleared, viewport=PHONE, color_scheme="dark")
    expect(rule_line(tab, "cnn live/accuracy > 0.5").first).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tab.screenshot(path=screenshots / "alerts_phone.png", full_page=True)


def fill(page: Page) -> None:
    add(page, who="cnn", what="live/accuracy", how=">", value=0.5)
    add(page, who="cnn", what="live/accuracy", how=">", value=0.5, seconds=600)
    add(page, who="dqn", what="live/win_rate", how="<", value=0.4, on=False)
    add(page, who="nobody", what="live/edge", how=">", value=0)


def test_a_rule_of_a_session_that_is_over_waits_for_nothing(
    cleared: Page, open_tab: OpenTab
) -> None:
    tab = open_alerts(open_tab, cleared)
    tab.evaluate("document.body.classList.add('tl-over')")
    add(cleared, who="nobody", what="live/edge", how=">", value=0)
    line = rule_line(tab, "nobody live/edge")
    expect(line).to_contain_text("not looked at: this session is over")
    expect(line.locator(".chip")).to_have_text("ended")


def test_what_is_wrong_in_a_request_is_named(cleared: Page) -> None:
    rules = cleared.address + "/live/alerts/rules"
    for fields, detail in {
        '{"metric": "x"}': "metric: unknown; allowed: how, on, seconds, symbol, value, what, who",
        '{"value": "x"}': "value: got 'x'; allowed with >: a number",
    }.items():
        answer = httpx.post(rules, json=json.loads(fields))
        assert (answer.status_code, answer.json()["detail"]) == (422, detail)
    assert httpx.delete(rules + "/nope").status_code == 404
    assert httpx.patch(rules + "/nope", json={"on": False}).status_code == 404
    assert httpx.post(cleared.address + "/live/alerts/test").status_code == 409


def test_a_viewer_sees_alerts_and_cannot_change_them(
    locked: Page, browser: Browser, screenshots: Path
) -> None:
    rule = {"who": "cnn", "what": "live/accuracy", "value": 0.5}
    with httpx.Client(base_url=locked.address, auth=OPERATOR) as operator:
        name = operator.post("/live/alerts/rules", json=rule).raise_for_status().json()["id"]
    with httpx.Client(base_url=locked.address, auth=VIEWER) as viewer:
        assert name in [each["id"] for each in viewer.get("/live/alerts").json()["rules"]]
        for method, path, body in (
            ("POST", "/rules", {"value": "1"}),
            ("PATCH", f"/rules/{name}", {"on": False}),
            ("DELETE", f"/rules/{name}", None),
            ("PUT", "/address", {"address": ""}),
            ("POST", "/test", {}),
        ):
            refused = viewer.request(method, f"/live/alerts{path}", json=body)
            assert refused.status_code == 403, path
            assert "operator's password" in refused.json()["detail"]
    tab = browser.new_page()
    tab.goto(locked.address + "/#BTCUSDT/alerts")
    log_in(tab, VIEWER).get_by_role("tab", name="Alerts").click()
    expect(tab.get_by_text("only the operator can change what is watched")).to_be_visible()
    expect(rule_line(tab, "cnn live/accuracy > 0.5")).to_be_visible()
    for button in ("Add rule", "Save address", "Send a test message"):
        expect(tab.get_by_role("button", name=button)).to_have_count(0)
    expect(tab.locator("#alert-rules button:visible")).to_have_count(0)
    tab.screenshot(path=screenshots / "alerts_viewer.png")
    tab.context.close()
