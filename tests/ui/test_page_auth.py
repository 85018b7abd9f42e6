"""A page with passwords: nothing without one, reading with the viewer's, all with the operator's.

Every request goes to a real server; what a person sees of it is in test_page_login.py.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from gradio_client import Client
from gradio_client.exceptions import AuthenticationError
from playwright.sync_api import Browser, expect
from starlette.routing import Mount, WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.ui.conftest import OPERATOR, PASSWORDS, VIEWER
from tests.ui.page_world import Page, World, apart
from trainers.session.access import Passwords
from ui.app import PageProcessConfig, build_app, load_gradio, open_session
from ui.auth.authenticator import Authenticator
from ui.auth.login_attempts import PER_ADDRESS
from ui.server.broadcaster import Broadcaster

OPEN = {("GET", "/login"), ("POST", "/login"), ("POST", "/logout")}
TRAIN = "send_training_data_to_models"


@pytest.fixture(scope="module")
def routes(busy: World, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Method and path of everything the page serves, Gradio's own included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", busy.uri)
        session = open_session(busy.root, busy.run_id)
    folder = tmp_path_factory.mktemp("routes")
    authenticator = Authenticator(Passwords(*PASSWORDS.values()), folder / "access.json", "cookie")
    config = PageProcessConfig()
    broadcaster = Broadcaster(session.view_model, session.config.symbol_list)
    whole = build_app(session, config, authenticator, broadcaster)
    apps = whole, load_gradio(session, config).app
    found = sorted({route for app in apps for route in served(app)})
    assert len(found) > 60
    return [route for route in found if route not in OPEN]


def served(app: FastAPI) -> Iterator[tuple[str, str]]:
    for each in iter_route_contexts(app.routes):
        route = each.original_route
        if isinstance(route, Mount):
            yield "GET", f"{route.path}/x"
            yield from served(route.app) if hasattr(route.app, "routes") else ()
        elif not isinstance(route, WebSocketRoute):
            path = re.sub(r"\{[^}]*\}", "x", each.path)
            yield from ((method, path) for method in each.methods or ("GET",))


@contextlib.contextmanager
def browser_of(page: Page, name: str, password: str) -> Iterator[httpx.Client]:
    """Log in as a browser does."""
    accept = {"Accept": "text/html"}
    with httpx.Client(base_url=page.address, headers=accept, timeout=60) as client:
        answer = client.post("/login", data={"username": name, "password": password})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield client


def wanted_training(world: World) -> bool:
    """Return whether somebody asked for a cycle, and forget it."""
    tags = world.client.get_run(world.run_id).data.tags
    if "control/train_now" in tags:
        world.client.delete_tag(world.run_id, "control/train_now")
    return "control/train_now" in tags


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_route_answers_to_nobody(locked: Page, routes: list[tuple[str, str]]) -> None:
    with httpx.Client(base_url=locked.address, timeout=60) as client:
        codes = {(m, path): client.request(m, path).status_code for m, path in routes}
    assert {route: code for route, code in codes.items() if code != 401} == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic b3BlcmF0b3I6d3Jvbmcgb25l"},
        {"Authorization": "Basic ?"},
        {"Authorization": "Bearer correct horse"},
        {"Authorization": "Basic Og=="},
        {"Cookie": "tickloop=x"},
    ],
)
def test_what_is_no_password_is_nobody(locked: Page, headers: dict[str, str]) -> None:
    answer = httpx.get(locked.address + "/config", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Tickloop"'


def test_a_role_s_name_with_the_other_s_password_is_nobody(locked: Page) -> None:
    assert httpx.get(locked.address + "/live/me", auth=("operator", VIEWER[1])).status_code == 401


def test_a_browser_s_script_is_not_asked_for_a_password_by_the_browser(locked: Page) -> None:
    answer = httpx.get(locked.address + "/live/me", headers={"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 401
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("who", [VIEWER, OPERATOR])
def test_each_role_reads_by_basic_and_by_cookie(locked: Page, who: tuple[str, str]) -> None:
    by_basic = httpx.get(locked.address + "/live/me", auth=who)
    with browser_of(locked, *who) as browser:
        assert browser.get("/live/me").json() == by_basic.json()
        assert by_basic.json() == {"role": who[0], "password": True}
        assert "Tickloop" in browser.get("/").text


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(locked: Page) -> None:
    answer = httpx.post(locked.address + "/login", data={"password": VIEWER[1]})
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"tickloop_{locked.port}=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    by_proxy = httpx.post(
        locked.address + "/login", data={"password": VIEWER[1]},
        headers={"X-Forwarded-Proto": "https"},
    )  # fmt: skip
    assert "Secure" in by_proxy.headers["set-cookie"]


# ---- a viewer only reads


def numbers(page: Page) -> dict[str, int]:
    """Name -> number of each function of the page."""
    config = httpx.get(page.address + "/config", auth=OPERATOR).json()
    return {each["api_name"]: each["id"] for each in config["dependencies"]}


def ways_to_run(page: Page, name: str) -> list[tuple[str, dict]]:
    """Every address at which Gradio runs a function, by its name and by its number."""
    number, some = numbers(page)[name], {"data": [], "session_hash": "some"}
    return [
        (f"/gradio_api/run/{name}", some),
        (f"/gradio_api/run/{name}/", {"data": []}),
        (f"/gradio_api/api/{name}", some),
        ("/gradio_api/run/training_status", {**some, "fn_index": number}),
        ("/gradio_api/run/training_status", {**some, "fn_index": str(number)}),
        ("/gradio_api/api/predict/", {**some, "fn_index": number}),
        (f"/gradio_api/call/{name}", {"data": [""]}),
        (f"/gradio_api/call/v2/{name}", {}),
        ("/gradio_api/queue/join", {**some, "fn_index": number}),
    ]


def test_a_viewer_s_attempt_to_control_is_403_with_a_reason_wherever_it_is_sent(
    busy: World, locked: Page
) -> None:
    for path, body in ways_to_run(locked, TRAIN):
        refused = httpx.post(locked.address + path, json=body, auth=VIEWER)
        assert refused.status_code == 403, path
        assert "needs the operator's password" in refused.json()["detail"]
    assert not wanted_training(busy)


def test_the_operator_controls_by_each_of_them(busy: World, locked: Page) -> None:
    for path, body in ways_to_run(locked, TRAIN):
        answer = httpx.post(locked.address + path, json=body, auth=OPERATOR, timeout=60)
        assert answer.status_code == 200, (path, answer.text)
        until(lambda: wanted_training(busy))


def test_a_viewer_runs_what_only_reads_by_each_of_them(locked: Page) -> None:
    for path, body in ways_to_run(locked, "training_status"):
        answer = httpx.post(locked.address + path, json=body, auth=VIEWER, timeout=60)
        assert answer.status_code == 200, (path, answer.text)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/gradio_api/queue/join", b'{"data": [], "fn_index": 999}'),
        ("/gradio_api/run/no_such_name", b'{"data": []}'),
        ("/gradio_api/run/training_status", b"\xff not json"),
        ("/gradio_api/run/training_status", b'{"data": ["' + b"x" * 1_000_000 + b'"]}'),
        ("/gradio_api/component_server", b"{}"),
        ("/gradio_api/upload", b""),
        ("/gradio_api/cancel", b'{"session_hash": "x", "fn_index": 0, "event_id": "x"}'),
    ],
)
def test_what_is_not_known_to_only_read_is_refused_to_a_viewer(
    locked: Page, path: str, body: bytes
) -> None:
    assert httpx.post(locked.address + path, content=body, auth=VIEWER).status_code == 403


def test_a_function_named_twice_is_the_one_that_runs(busy: World, locked: Page) -> None:
    reads, trains = numbers(locked)["training_status"], numbers(locked)[TRAIN]
    body = f'{{"data": [], "fn_index": {reads}, "fn_index": {trains}}}'
    join = locked.address + "/gradio_api/queue/join"
    assert httpx.post(join, content=body, auth=VIEWER).status_code == 403
    assert not wanted_training(busy)


@pytest.mark.parametrize("name", ["pause", "stop", "confidence", "promote", "rollback"])
def test_a_viewer_s_control_is_refused_and_the_operator_s_is_not(
    busy: World, locked: Page, name: str
) -> None:
    asked = {"name": name, "value": "0.7"}
    control = locked.address + "/live/control"
    assert httpx.post(control, json=asked, auth=VIEWER).status_code == 403
    assert f"control/{name}" not in busy.client.get_run(busy.run_id).data.tags
    assert httpx.post(control, json=asked, auth=OPERATOR).json() == {"requested": True}
    busy.client.delete_tag(busy.run_id, f"control/{name}")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_writes_of_a_viewer_are_refused(locked: Page, method: str) -> None:
    assert httpx.request(method, locked.address + "/live/me", auth=VIEWER).status_code == 403


@pytest.mark.parametrize("way", ["auth", "headers", "httpx_kwargs"])
def test_gradio_client_logs_in(locked: Page, way: str) -> None:
    basic = base64.b64encode(":".join(VIEWER).encode()).decode()
    options = {
        "auth": VIEWER,
        "headers": {"Authorization": f"Basic {basic}"},
        "httpx_kwargs": {"auth": VIEWER},
    }
    client = Client(locked.address, verbose=False, **{way: options[way]})
    assert client.predict(api_name="/training_status")["cycle"] == 24
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        client.predict(api_name=f"/{TRAIN}")


def test_gradio_client_with_a_wrong_password_is_refused(locked: Page) -> None:
    with pytest.raises(AuthenticationError):
        Client(locked.address, verbose=False, auth=("viewer", "wrong one"))


# ---- sockets


def socket_of(page: Page, path: str = "/live/ws", **options):
    return connect(page.address.replace("http", "ws") + path, **options)


def test_a_socket_is_refused_to_nobody_and_to_other_sites(locked: Page) -> None:
    async def ask() -> None:
        with pytest.raises(InvalidStatus, match="401"):
            await socket_of(locked)
        with httpx.Client(base_url=locked.address) as browser:
            cookie = log_in(browser)
        with pytest.raises(InvalidStatus, match="403"):
            await socket_of(locked, origin="http://evil.example", additional_headers=cookie)
        async with socket_of(locked, additional_headers=cookie) as live:
            assert json.loads(await live.recv())["symbol"] == "BTCUSDT"

    apart(ask)


def log_in(client: httpx.Client) -> dict[str, str]:
    answer = client.post("/login", data={"password": VIEWER[1]})
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


async def all_of(live) -> None:
    while True:
        await live.recv()


def test_a_socket_ends_when_its_principal_logs_out(locked: Page) -> None:
    async def ask() -> int:
        async with httpx.AsyncClient(base_url=locked.address) as browser:
            answer = await browser.post("/login", data={"password": VIEWER[1]})
            cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
            async with socket_of(locked, additional_headers=cookie) as live:
                await live.recv()
                await browser.post("/logout")
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(all_of(live), 5)
        return closed.value.rcvd.code

    assert apart(ask) == 4401


# ---- logging out, restarting, guessing


def test_a_logged_out_cookie_is_nobody_even_if_it_was_copied(locked: Page) -> None:
    with browser_of(locked, *OPERATOR) as browser:
        copied = dict(browser.cookies)
        assert browser.post("/logout").headers["location"] == "/login"
        assert not browser.cookies, "the answer deletes it"
    assert httpx.get(locked.address + "/live/me", cookies=copied).status_code == 401


@pytest.fixture(scope="module")
def guessed(busy: World) -> Iterator[Page]:
    """A page of its own, since guessing shuts out this machine's other tests."""
    page = Page(busy, env=PASSWORDS)
    yield page
    page.kill()


def test_guessing_is_stopped_for_form_and_basic_alike(guessed: Page) -> None:
    login = guessed.address + "/login"
    with browser_of(guessed, *VIEWER) as browser:
        codes = [httpx.post(login, data={"password": f"guess {i}"}).status_code for i in range(3)]
        codes += [
            httpx.get(guessed.address + "/live/me", auth=("operator", f"guess {i}")).status_code
            for i in range(2)
        ]
        assert codes == [401] * PER_ADDRESS
        for answer in (
            httpx.post(login, data={"password": OPERATOR[1]}),
            httpx.get(guessed.address + "/live/me", auth=OPERATOR),
        ):
            assert answer.status_code == 429, "even the right one waits"
            assert 1 <= int(answer.headers["Retry-After"]) <= 12
        assert browser.get("/live/me").status_code == 200, "who is logged in stays so"
    page = httpx.post(login, data={"password": "x"}, headers={"Accept": "text/html"})
    assert page.status_code == 429
    assert re.search(r'role="alert".*try again in \d+ s', page.text)


def test_too_many_guesses_show_when_to_go_on(guessed: Page, browser: Browser) -> None:
    tab = browser.new_page()
    tab.goto(guessed.address)
    for i in range(PER_ADDRESS + 1):
        tab.get_by_label("Password").fill(f"guess {i}")
        tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("alert")).to_contain_text("Too many wrong passwords: try again in")
    tab.context.close()


def test_a_form_that_is_too_long_is_not_read_to_its_end(locked: Page) -> None:
    answer = httpx.post(
        locked.address + "/login", content=b"password=" + b"x" * 50_000_000, timeout=60
    )
    assert answer.status_code in (401, 429)


# ---- on the network


@pytest.fixture(scope="module")
def shared(busy: World) -> Iterator[Page]:
    """A page on every address of this machine, which only has an operator."""
    env = {"TICKLOOP_OPERATOR_PASSWORD": OPERATOR[1]}
    page = Page(busy, flags=["--page_host", "0.0.0.0"], env=env)
    yield page
    page.kill()


def own_address() -> str:
    """Return an address of this machine that is not the loopback's."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    addresses = [each for each in found if "." in each and not each.startswith("127.")]
    if not addresses:
        pytest.skip("this machine has no network")
    return addresses[0]


def test_a_page_on_the_network_asks_for_its_password_under_any_name(shared: Page) -> None:
    address = f"http://{own_address()}:{shared.port}"
    assert httpx.get(address + "/config").status_code == 401
    assert httpx.get(address + "/live/me", auth=VIEWER).status_code == 401
    assert httpx.get(address + "/live/me", auth=OPERATOR).json()["role"] == "operator"


def test_gradio_allows_no_foreign_origin_on_the_network(busy: World, shared: Page) -> None:
    """Its default answers any origin, credentials included, unless the host is localhost."""
    host, evil = {"Host": "trader.lan"}, {"Origin": "http://evil.example"}
    path, body = f"/gradio_api/run/{TRAIN}", {"data": []}
    refused = httpx.post(shared.address + path, json=body, headers=host | evil, auth=OPERATOR)
    read = httpx.get(shared.address + "/config", headers=host | evil, auth=OPERATOR)
    preflight = httpx.options(
        shared.address + path, headers={**host, **evil, "Access-Control-Request-Method": "POST"}
    )
    assert refused.status_code == 403
    assert not wanted_training(busy)
    for answer in (refused, read, preflight):
        assert not [name for name in answer.headers if name.startswith("access-control-allow-o")]
    own = {**host, "Origin": "http://trader.lan"}
    assert httpx.post(shared.address + path, json=body, headers=own, auth=OPERATOR).is_success
    assert wanted_training(busy)


def test_the_page_cannot_be_put_into_another_site_s_frame(locked: Page) -> None:
    for path in ("/", "/login", "/live/page.js"):
        answer = httpx.get(locked.address + path, auth=VIEWER)
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_passwords_are_in_no_file_and_no_command_line(busy: World, locked: Page) -> None:
    with browser_of(locked, *OPERATOR) as browser:
        browser.post("/logout")
    secrets = [password.encode() for password in PASSWORDS.values()]
    command = Path(f"/proc/{locked.process.pid}/cmdline").read_bytes()
    kept = [path for path in busy.root.rglob("*") if path.is_file() and path.suffix != ".bars"]
    assert (busy.root / "mlruns" / "access.json") in kept
    for secret in secrets:
        assert secret not in command
        assert not [path for path in kept if secret in path.read_bytes()]


# ---- without a password


def test_a_page_without_passwords_has_no_login(page: Page) -> None:
    assert httpx.get(page.address + "/live/me").json() == {"role": "operator", "password": False}
    assert httpx.get(page.address + "/login").headers["location"] == "/"
    assert not Path(page.log.parent, "mlruns", "no").exists()


def test_a_proxy_s_name_is_let_in_where_it_is_named(locked: Page, page: Page) -> None:
    host = {"Host": "trader.lan"}
    assert httpx.get(locked.address + "/live/me", headers=host, auth=VIEWER).status_code == 200
    assert httpx.get(page.address + "/live/me", headers=host).status_code == 403


def test_the_default_page_is_reached_from_this_machine_only(page: Page) -> None:
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((own_address(), page.port), timeout=5)
