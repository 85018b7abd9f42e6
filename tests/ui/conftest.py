from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Page as Tab

from tests.ui.ledger_writer import EVERYBODY
from tests.ui.mlflow_runs import earlier_session, register, typical
from tests.ui.page_world import Page, World

expect.set_options(timeout=60_000)  # a machine with other work needs more than the usual 5 s

OPERATOR, VIEWER = ("operator", "correct horse"), ("viewer", "battery staple")
PASSWORDS = {
    "TICKLOOP_OPERATOR_PASSWORD": OPERATOR[1],
    "TICKLOOP_VIEWER_PASSWORD": VIEWER[1],
}
MARKUP = '<img src=x onerror="window.hit=1">'
WHOLE_CHROMIUM = "/usr/bin/chromium"
# Chromium without its windows takes two thirds of the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or WHOLE_CHROMIUM
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A session in its 24th cycle, its stream running."""
    world = World(tmp_path_factory.mktemp("busy"))
    world.runs = typical(world)
    world.earlier = earlier_session(world)
    register(world, world.runs["cnn"])
    world.stream(ledger=EVERYBODY).live()
    yield world
    world.close()


@pytest.fixture(scope="package")
def page(busy: World) -> Iterator[Page]:
    page = Page(busy)
    yield page
    page.kill()


@pytest.fixture(scope="package")
def locked(busy: World) -> Iterator[Page]:
    """A page of the busy session with passwords, and a name by which a proxy passes it on."""
    page = Page(busy, flags=["--page_names", "trader.lan"], env=PASSWORDS)
    yield page
    page.kill()


@pytest.fixture(scope="package")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A session whose runs the tests change, with a learner whose name is markup."""
    world = World(tmp_path_factory.mktemp("changing"), learners=f"cnn,dqn,{MARKUP}")
    world.runs = typical(world)
    world.runs["odd"] = world.learner(MARKUP)
    world.log(world.runs["odd"], 24, live__accuracy=0.5, live__scored=700)
    world.stream().live()
    yield world
    world.close()


@pytest.fixture(scope="package")
def changing_page(changing: World) -> Iterator[Page]:
    page = Page(changing)
    yield page
    page.kill()


@pytest.fixture(scope="package")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A session of two symbols that has only just begun: no rings, no learner has a run."""
    world = World(tmp_path_factory.mktemp("new"), symbols="BTCUSDT,ETHUSDT")
    yield world
    world.close()


@pytest.fixture(scope="package")
def new_page(new: World) -> Iterator[Page]:
    page = Page(new)
    yield page
    page.kill()


def new_tab(browser: Browser, address: str, **options: Any) -> Tab:
    """Open a tab; it collects its ``faults``: errors and foreign requests."""
    options.setdefault("viewport", {"width": 1440, "height": 900})
    tab = browser.new_context(**options).new_page()
    tab.set_default_timeout(60_000)
    tab.faults = []
    tab.on("console", lambda m: m.type == "error" and tab.faults.append(m.text))
    tab.on("pageerror", lambda error: tab.faults.append(str(error)))
    tab.on("request", lambda r: local(r.url, address) or tab.faults.append(r.url))
    tab.goto(address)
    tab.wait_for_selector("body.tl-ready:not(.tl-stale)")
    return tab


@pytest.fixture
def open_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    tabs = []

    def open_tab(address: str, **options: Any) -> Tab:
        tabs.append(new_tab(browser, address, **options))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.context.close()


@pytest.fixture(scope="module")
def shared_tabs() -> Iterator[list[Tab]]:
    """The tab of a file's tests; one left open would draw the page to the end of all tests."""
    tabs: list[Tab] = []
    yield tabs
    for tab in tabs:
        tab.context.close()


@pytest.fixture
def tab(
    request: pytest.FixtureRequest, browser: Browser, page: Page, shared_tabs: list[Tab]
) -> Iterator[Tab]:
    """A tab on the busy session, shared by the tests of a file that change nothing.

    One that fails may leave it anywhere: the next then has a new one.
    """
    if not shared_tabs:
        shared_tabs.append(new_tab(browser, page.address))
    failed = request.session.testsfailed
    yield shared_tabs[0]
    if request.session.testsfailed > failed:
        shared_tabs.pop().context.close()


def local(url: str, address: str) -> bool:
    return url.startswith((address.split("#")[0], "data:", "blob:"))


@pytest.fixture(scope="package")
def screenshots() -> Path:
    folder = Path(__file__).parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
