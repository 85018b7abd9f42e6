"""The page behind a proxy that serves it under a path, as ``location /tickloop/`` of nginx does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import httpx
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.ui.conftest import OPERATOR
from tests.ui.page_world import Page
from tests.ui.proxy import Proxy

PREFIX = "/tickloop"


@contextlib.contextmanager
def proxy_of(page: Page, prefix: str = PREFIX, **headers: str) -> Iterator[Proxy]:
    proxy = Proxy(page.port, prefix, {name.replace("_", "-"): headers[name] for name in headers})
    yield proxy
    proxy.close()


def test_a_page_under_a_path_is_live_and_can_be_used(
    page: Page, open_tab: Callable[..., Tab]
) -> None:
    with proxy_of(page, X_Forwarded_Prefix=PREFIX) as proxy:
        tab = open_tab(proxy.address)
        expect(tab.locator('[data-k="stream.status"]')).to_have_text("live")
        rules = "Tickloop.request('live/alerts').then((found) => found.rules.length)"
        assert tab.evaluate(rules) > 0
        assert set(proxy.lost) <= {"/favicon.ico"}  # which browsers look for there


def test_a_page_whose_port_is_lost_on_the_way_says_what_to_set(
    page: Page, browser: Browser
) -> None:
    with proxy_of(page, "", Host="127.0.0.1") as proxy:
        tab = browser.new_page()
        tab.goto(proxy.address)
        address = proxy.address.strip("/").removeprefix("http://")
        told = f"set Host, or X-Forwarded-Host, to {address}"
        expect(tab.locator('[data-k="notice"]')).to_contain_text(told)
        tab.close()


def test_who_is_not_logged_in_is_sent_to_the_login_under_the_path(locked: Page) -> None:
    browser = httpx.Client(headers={"Accept": "text/html"}, follow_redirects=True, timeout=60)
    with proxy_of(locked, X_Forwarded_Prefix=PREFIX) as proxy, browser:
        login = browser.get(proxy.address)
        assert str(login.url) == f"{proxy.address}login"
        page = browser.post(str(login.url), data={"password": OPERATOR[1]})
        assert str(page.url) == proxy.address
        assert "Tickloop" in page.text
        assert str(browser.post(f"{proxy.address}logout").url) == f"{proxy.address}login"
        assert proxy.lost == []
