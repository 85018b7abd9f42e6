"""What a person sees of the password: the login page, the way back, the way out."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from playwright.sync_api import Page as Tab

from tests.ui.conftest import OPERATOR, PASSWORDS, VIEWER
from tests.ui.page_tab import LOW_CONTRAST, PHONE, log_in
from tests.ui.page_world import Page, World

OpenLogin = Callable[..., Tab]
LIVE = "body.tl-ready:not(.tl-stale)"


@pytest.fixture
def visit(browser: Browser, locked: Page) -> Iterator[OpenLogin]:
    """Open the page in a browser that was never here before."""
    contexts: list[BrowserContext] = []

    def visit(path: str = "/", **options) -> Tab:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        contexts.append(browser.new_context(**options))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(60_000)
        tab.faults = []
        tab.on("console", lambda m: m.type == "error" and tab.faults.append(m.text))
        tab.on("pageerror", lambda error: tab.faults.append(str(error)))
        tab.goto(locked.address + path)
        return tab

    yield visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_login_page_reads_well(visit: OpenLogin, screenshots: Path, scheme: str) -> None:
    tab = visit(color_scheme=scheme)
    tab.screenshot(path=screenshots / f"login_{scheme}.png")
    log_in(tab, ("", "not the password"))
    expect(tab.get_by_role("alert")).to_contain_text("Wrong password. Forgotten?")
    expect(tab.get_by_label("Password")).to_have_attribute("aria-describedby", "alert")
    tab.screenshot(path=screenshots / f"login_wrong_{scheme}.png")
    everything = LOW_CONTRAST.replace("#bar *, #over *, .card *, #legend *, #tools *", "body *")
    assert everything != LOW_CONTRAST
    assert tab.evaluate(everything) == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(9, 12, 17)"
    assert dark == (scheme == "dark")


def test_login_page_fits_a_phone(visit: OpenLogin, screenshots: Path) -> None:
    tab = visit(viewport=PHONE, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tab.screenshot(path=screenshots / "login_phone.png")


def test_keyboard_alone_logs_in(visit: OpenLogin) -> None:
    tab = visit()
    expect(tab.get_by_label("Password")).to_be_focused()
    tab.keyboard.type(VIEWER[1])
    tab.keyboard.press("Enter")
    tab.wait_for_selector(LIVE)
    assert tab.faults == []


def test_login_works_without_scripts_and_goes_on_to_where_one_wanted(
    visit: OpenLogin, locked: Page
) -> None:
    tab = visit("/live/me?from=a&to=b", java_script_enabled=False)
    expect(tab).to_have_title("Log in · Tickloop")
    log_in(tab, VIEWER)
    expect(tab).to_have_url(locked.address + "/live/me?from=a&to=b")
    expect(tab.locator("body")).to_contain_text('"role":"viewer"')


def test_a_name_in_the_way_on_is_text(visit: OpenLogin) -> None:
    tab = visit("/login?next=/%22%3E%3Cimg src=x onerror=document.title=1%3E")
    assert tab.locator("img").count() == 0
    expect(tab).to_have_title("Log in · Tickloop")


@pytest.mark.parametrize("who", [VIEWER, OPERATOR])
def test_the_page_shows_the_role_and_what_it_may_do(
    visit: OpenLogin, screenshots: Path, who: tuple[str, str]
) -> None:
    tab = log_in(visit(), who)
    tab.wait_for_selector(LIVE)
    expect(tab.locator("#who")).to_contain_text(who[0])
    tab.screenshot(path=screenshots / f"as_{who[0]}.png")
    tab.evaluate("""() => {
        for (const role of ["operator", "viewer"])
            document.querySelector("#bar").insertAdjacentHTML(
                "beforeend", `<b class="for-${role}" id="is-${role}">x</b>`);
    }""")
    expect(tab.locator(f"#is-{who[0]}")).to_be_visible()
    other = "viewer" if who == OPERATOR else "operator"
    expect(tab.locator(f"#is-{other}")).to_be_hidden()
    assert tab.evaluate(LOW_CONTRAST) == []


def test_logging_out_shuts_every_tab_of_that_login(visit: OpenLogin, locked: Page) -> None:
    tab = log_in(visit(), VIEWER)
    tab.wait_for_selector(LIVE)
    other = tab.context.new_page()
    other.goto(locked.address)
    other.wait_for_selector(LIVE)
    tab.get_by_role("button", name="Log out").click()
    expect(tab).to_have_url(locked.address + "/login")
    expect(other).to_have_title("Log in · Tickloop")
    tab.go_back()
    expect(tab).to_have_title("Log in · Tickloop")


def test_a_link_from_another_site_needs_no_second_login(visit: OpenLogin, locked: Page) -> None:
    """A strict cookie does not come along with the click, but with what the page does then."""
    tab = log_in(visit(), VIEWER)
    tab.wait_for_selector(LIVE)
    with site(f'<a href="{locked.address}/live/me">the page</a>') as address:
        tab.goto(address)
        tab.get_by_role("link").click()
        expect(tab.locator("body")).to_contain_text('"role":"viewer"')


@contextlib.contextmanager
def site(html: str) -> Iterator[str]:
    """Another site: the same machine under another name, which browsers tell apart."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_another_site_s_script_neither_writes_nor_listens(
    busy: World, page: Page, browser: Browser
) -> None:
    """Real cross-site requests, to a page that has no password to protect it."""
    tab = browser.new_page()
    with site("<p>evil</p>") as address:
        tab.goto(address)
        found = tab.evaluate(
            """async (page) => {
                const send = (path, options) => fetch(page + path, options).then(
                    (answer) => answer.type + answer.status, () => "failed");
                const run = "/gradio_api/run/send_training_data_to_models";
                const body = JSON.stringify({ data: [] });
                const json = { "Content-Type": "application/json" };
                const socket = await new Promise((done) => {
                    const live = new WebSocket(page.replace("http", "ws") + "/live/ws");
                    live.onopen = () => done("opened");
                    live.onerror = () => done("failed");
                });
                return [
                    await send(run, { method: "POST", body, headers: json }),
                    await send(run, { method: "POST", body, mode: "no-cors" }),
                    await send("/live/me", {}),
                    socket,
                ];
            }""",
            page.address,
        )
    assert found == ["failed", "opaque0", "failed", "failed"]
    assert "control/train_now" not in busy.client.get_run(busy.run_id).data.tags
    tab.context.close()


def test_a_restart_logs_nobody_out_and_keeps_the_rules_but_a_new_password_ends_all(
    busy: World, browser: Browser
) -> None:
    """A tab stays open through it, and a program keeps its cookie."""
    first = Page(busy, env=PASSWORDS)
    tab = browser.new_page()
    rules, me = first.address + "/live/alerts/rules", first.address + "/live/me"
    try:
        tab.goto(first.address)
        log_in(tab, VIEWER).wait_for_selector(LIVE)
        tab.evaluate("window.kept = true")
        cookies = dict(httpx.post(first.address + "/login", data={"password": VIEWER[1]}).cookies)
        rule = httpx.post(rules, json={"who": "nobody"}, auth=OPERATOR).raise_for_status().json()
    finally:
        first.kill()
    expect(tab.locator('[data-k="link"]')).to_have_text("reconnecting")
    again = Page(busy, first.port, env=PASSWORDS)
    try:
        tab.wait_for_selector(LIVE)
        assert tab.evaluate("window.kept")
        assert httpx.get(me, cookies=cookies).status_code == 200
        kept = httpx.get(first.address + "/live/alerts", auth=VIEWER).json()["rules"]
        assert [each["text"] for each in kept if each["id"] == rule["id"]] == [rule["text"]]
        httpx.delete(f"{rules}/{rule['id']}", auth=OPERATOR).raise_for_status()
    finally:
        again.kill()
    env = {**PASSWORDS, "TICKLOOP_VIEWER_PASSWORD": "another one"}
    changed = Page(busy, first.port, env=env)
    try:
        expect(tab).to_have_title("Log in · Tickloop")
        assert httpx.get(me, cookies=cookies).status_code == 401
    finally:
        changed.kill()
        tab.context.close()
