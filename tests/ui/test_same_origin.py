"""Which requests are the page's own: by Host, Origin, and what a proxy says of them."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from ui.auth.same_origin import SameOrigin

NAME, ADDRESS = "trader.example", "trader.example:8443"
BROWSER = {"Sec-Fetch-Site": "same-origin"}


async def answer(_):
    return PlainTextResponse("let in")


async def accept(socket: WebSocket):
    await socket.accept()
    await socket.close()


def client_of(*, local: bool = True, names: tuple[str, ...] = (NAME,)) -> TestClient:
    routes = [Route("/", answer, methods=["GET", "POST"]), WebSocketRoute("/ws", accept)]
    app = Starlette(routes=routes)
    app.add_middleware(SameOrigin, local=local, names=names)
    return TestClient(app)


def refusal_of(headers: dict[str, str], **made) -> str:
    """The text with which a write and a socket are refused; empty if both are let in."""
    client = client_of(**made)
    written = client.post("/", headers=headers)
    try:
        with client.websocket_connect("/ws", headers=headers):
            refused = ""
    except WebSocketDenialResponse as e:
        refused = e.text if e.status_code == 403 else f"answered with {e.status_code}"
    assert (written.text if written.status_code == 403 else "") == refused
    return refused


def asked(host: str, origin: str, **more: str) -> dict[str, str]:
    return {"Host": host, "Origin": origin} | {name.replace("_", "-"): more[name] for name in more}


@pytest.mark.parametrize(
    "headers",
    [
        asked(NAME, f"https://{NAME}"),
        asked(ADDRESS, f"https://{ADDRESS}"),
        asked(NAME, f"https://{ADDRESS}", X_Forwarded_Host=ADDRESS),
        asked(NAME, f"https://{ADDRESS}", X_Forwarded_Host=f"{ADDRESS}, 10.0.0.1"),
        asked(NAME, f"https://{ADDRESS}") | BROWSER,
        asked(NAME, f"https://{ADDRESS}", X_Forwarded_Host=NAME) | BROWSER,
        asked("127.0.0.1:7860", f"https://{ADDRESS}", X_Forwarded_Host=ADDRESS) | BROWSER,
        asked(NAME.upper(), f"HTTPS://{ADDRESS.upper()}", X_Forwarded_Host=ADDRESS.upper()),
        {"Host": NAME},  # a program
    ],
)
def test_a_named_proxy_is_let_in_with_or_without_the_port(headers):
    assert refusal_of(headers) == ""


def test_a_port_that_nobody_vouches_for_is_refused_with_what_to_set():
    for headers in (asked(NAME, f"https://{ADDRESS}"),
                    asked(NAME, f"https://{ADDRESS}", X_Forwarded_Host=NAME)):  # fmt: skip
        text = refusal_of(headers)
        assert "differ in the port" in text
        assert "proxy_set_header Host $http_host" in text


@pytest.mark.parametrize(
    "headers",
    [
        asked(NAME, "https://evil.example"),
        asked(NAME, "https://evil.example") | BROWSER,
        asked(NAME, "https://evil.example", X_Forwarded_Host="evil.example"),
        asked(NAME, "https://evil.example", X_Forwarded_Host="evil.example") | BROWSER,
        asked(NAME, f"https://{NAME}.evil.example", X_Forwarded_Host=ADDRESS) | BROWSER,
        asked(NAME, f"https://evil.example:{NAME}") | BROWSER,
        asked(NAME, f"https://{ADDRESS}", Sec_Fetch_Site="same-site", X_Forwarded_Host=ADDRESS),
        asked(NAME, f"https://{NAME}", Sec_Fetch_Site="cross-site"),
        asked(NAME, "null") | BROWSER,
        asked(NAME, "") | BROWSER,
        asked(NAME, "https://[half") | BROWSER,
        asked("127.0.0.1:7860", "http://127.0.0.1:3000", X_Forwarded_Host="127.0.0.1:7860"),
    ],
)
def test_another_site_is_refused_whatever_it_says_of_itself(headers):
    assert refusal_of(headers).startswith("request from another site refused")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", f"{NAME}.evil.example"])
def test_a_rebound_name_is_refused_whatever_else_it_sends(host):
    headers = asked(host, f"http://{host}", X_Forwarded_Host=ADDRESS) | BROWSER
    text = refusal_of(headers)
    assert "is not reached by the name" in text
    assert "--page_names" in text
    assert client_of().get("/", headers=headers).status_code == 403


def test_a_page_on_the_network_trusts_no_forwarded_name_that_is_not_its_own():
    headers = asked("10.0.0.5:7860", "https://evil.example", X_Forwarded_Host="evil.example")
    assert refusal_of(headers, local=False, names=())
    assert refusal_of(asked("trader.lan", "http://trader.lan"), local=False, names=()) == ""
