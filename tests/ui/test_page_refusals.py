"""Wrong calls of the page's API: a 4xx and one line, never a 500, never a word on the console."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.sync.client import connect

from tests.ui.page_world import Page, World

RUN = "/gradio_api/run/"
NAMES = ("get_tick_cache_for_training", "get_one_second_bars", "send_training_data_to_models",
         "training_status")  # fmt: skip
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def api(page: Page) -> Iterator[httpx.Client]:
    """A client of the page, which must not have written of anything wrong at the end."""
    before = len(page.log.read_text())
    with httpx.Client(base_url=page.address, timeout=60) as client:
        yield client
    assert "Traceback" not in page.log.read_text()[before:]


def refused(answer: httpx.Response) -> str:
    """The line of a refusal."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    found = answer.json()
    assert isinstance(found["error"], str), found
    assert found["error"]
    assert "\n" not in found["error"]
    assert found["detail"] == found["error"]
    return str(found["error"])


def body_of(value: Any) -> str:
    return json.dumps(value)  # NaN and halves of characters too


@pytest.mark.parametrize(
    "data, said",
    [
        (["BTCUSDT", "3"], "limit: expected a whole number; got '3'"),
        (["BTCUSDT", None], "limit: expected a whole number; got None"),
        (["BTCUSDT", float("nan")], "limit: expected a whole number; got nan"),
        (["BTCUSDT", 2.5], "limit: expected a whole number; got 2.5"),
        (["BTCUSDT", True], "limit: expected a whole number; got True"),
        (["BTCUSDT", [3]], "limit: expected a whole number; got [3]"),
        (["BTCUSDT", 10**23], "limit: expected a whole number; got 1"),
        (["BTCUSDT", -1], "limit: got -1; allowed: 0 (all) or more"),
        ([5], "symbol: expected text; got 5"),
        ([None], "symbol: expected text; got None"),
        ([["BTCUSDT"]], "symbol: expected text; got ['BTCUSDT']"),
        ([{"path": "/etc/passwd"}], "symbol: expected text; got {'path': '/etc/passwd'}"),
        (["\ud800"], "symbol: got '\\ud800'; allowed: BTCUSDT"),
        (["DOGE"], "symbol: got 'DOGE'; allowed: BTCUSDT"),
        (["BTCUSDT", 3, 4], "data: expected at most symbol, limit; got 3 values"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused_by_name(api: httpx.Client, data, said) -> None:
    for name in NAMES[:2]:
        answer = api.post(RUN + name, content=body_of({"data": data}), headers=JSON)
        assert refused(answer).startswith(said)
        assert answer.status_code == 422


def test_whole_numbers_and_any_spelling_of_a_symbol_are_fine(api: httpx.Client) -> None:
    for data in (["btcusdt", 3], [" BTCUSDT ", 3.0], ["", 3]):
        answer = api.post(RUN + NAMES[1], content=body_of({"data": data}), headers=JSON)
        assert len(answer.json()["data"][0]) == 3


@pytest.mark.parametrize(
    "body, code",
    [
        ("", 400), ("{", 400), ("\ud83d", 400), ("[1, 2]", 422), ("5", 422), ("null", 422),
        ('"data"', 422), ("{}", 422), ('{"dat": []}', 422), ('{"data": 5}', 422),
        ('{"data": null}', 422), ('{"data": {}}', 422), ('{"data": [], "fn_index": "x"}', 422),
        ('{"data": [], "fn_index": 99}', 404), ('{"data": [], "batched": true}', 422),
        ('{"data": [], "session_hash": 5}', 422), ("[" * 100_000, 400),
    ],
)  # fmt: skip
def test_a_body_that_is_no_call_is_refused(api: httpx.Client, body: str, code: int) -> None:
    content = body.encode("utf-8", "surrogatepass")
    for name in NAMES:
        answer = api.post(RUN + name, content=content, headers=JSON)
        refused(answer)
        assert answer.status_code == code


def test_a_function_that_is_not_there_names_those_that_are(api: httpx.Client) -> None:
    text = refused(api.post(f"{RUN}no_such", json={"data": []}))
    assert "/training_status" in text
    assert refused(api.post("/gradio_api/call/no_such", json={"data": []})) == text


def test_too_large_a_call_is_refused(api: httpx.Client) -> None:
    answer = api.post(RUN + NAMES[0], content=b'{"data": ["' + b"x" * 1_000_001 + b'"]}')
    assert (answer.status_code, refused(answer)[:5]) == (413, "body:")


def test_the_queue_says_why_as_well(api: httpx.Client) -> None:
    made = api.post(f"/gradio_api/call/{NAMES[1]}", json={"data": ["BTCUSDT", "3"]})
    event = made.json()["event_id"]
    with api.stream("GET", f"/gradio_api/call/{NAMES[1]}/{event}") as answer:
        text = "".join(answer.iter_text())
    assert "event: error" in text
    assert "limit: expected a whole number" in text


@pytest.mark.parametrize(
    "method, path, body, code",
    [
        ("GET", "/live/cycle", None, 422),
        ("GET", "/live/cycle?symbol=BTCUSDT&cycle=x", None, 422),
        ("GET", f"/live/cycle?symbol=BTCUSDT&cycle={10**23}", None, 422),
        ("GET", "/live/cycle?symbol=BTCUSDT&cycle=-1", None, 422),
        ("GET", "/live/cycle?symbol=DOGE&cycle=3", None, 422),
        ("GET", "/live/cycle?symbol=%ED%A0%80&cycle=3", None, 422),
        ("GET", f"/live/compare?run={'0' * 32}&run={'1' * 32}", None, 404),
        ("GET", "/live/compare?run=x%27y&run=z", None, 422),
        ("GET", "/live/compare", None, 422),
        ("GET", "/live/metrics?since=x", None, 422),
        ("GET", "/live/metrics?since=-1", None, 422),
        ("POST", "/live/control", {}, 422),
        ("POST", "/live/control", [], 422),
        ("POST", "/live/control", "stop", 422),
        ("POST", "/live/control", {"name": 5}, 422),
        ("POST", "/live/control", {"name": None}, 422),
        ("POST", "/live/control", {"name": "dance"}, 422),
        ("POST", "/live/control", {"name": "\ud800"}, 422),
        ("POST", "/live/control", {"name": "epsilon", "value": "\ud800"}, 422),
        ("POST", "/live/control", {"name": "epsilon", "value": 0.5}, 422),
        ("POST", "/live/control", {"name": "epsilon", "value": "x" * 101}, 422),
        ("POST", "/live/alerts/rules", [], 422),
        ("POST", "/live/alerts/rules", {"who": 5}, 422),
        ("POST", "/live/alerts/rules", {"who": None}, 422),
        ("POST", "/live/alerts/rules", {"who": ["cnn"]}, 422),
        ("POST", "/live/alerts/rules", {"who": "\ud800"}, 422),
        ("POST", "/live/alerts/rules", {"\ud800": 1}, 422),
        ("POST", "/live/alerts/rules", {"nobody": 1}, 422),
        ("POST", "/live/alerts/rules", {"value": float("nan")}, 422),
        ("POST", "/live/alerts/rules", {"value": None}, 422),
        ("POST", "/live/alerts/rules", {"value": True}, 422),
        ("POST", "/live/alerts/rules", {"value": {}}, 422),
        ("POST", "/live/alerts/rules", {"seconds": float("inf")}, 422),
        ("POST", "/live/alerts/rules", {"seconds": [1]}, 422),
        ("POST", "/live/alerts/rules", {"on": "maybe"}, 422),
        ("POST", "/live/alerts/rules", {"how": {}}, 422),
        ("PATCH", "/live/alerts/rules/nobody", {"on": False}, 404),
        ("PATCH", "/live/alerts/rules/leak", [], 422),
        ("PATCH", "/live/alerts/rules/leak", {"how": None}, 422),
        ("DELETE", "/live/alerts/rules/%ED%A0%80", None, 404),
        ("PUT", "/live/alerts/address", {"address": 5}, 422),
        ("PUT", "/live/alerts/address", {"address": "\ud800"}, 422),
        ("PUT", "/live/alerts/address", {"address": "nothing"}, 422),
        ("PUT", "/live/alerts/address", {}, 422),
        ("POST", "/live/alerts/test", None, 409),
    ],
)
def test_a_wrong_request_of_the_page_s_own_routes_is_refused(
    api: httpx.Client, method: str, path: str, body: Any, code: int
) -> None:
    content = None if body is None else body_of(body)
    answer = api.request(method, path, content=content, headers=JSON)
    refused(answer)
    assert answer.status_code == code


def test_a_binary_frame_ends_no_socket(page: Page, api: httpx.Client) -> None:
    for path in ("/live/ws", "/live/metrics"):
        with connect(page.address.replace("http", "ws") + path) as socket:
            socket.recv()
            socket.send(b"\x00\xff")
            socket.send("text")
            assert socket.recv(timeout=60)


def test_an_event_id_that_is_no_number_begins_anew(api: httpx.Client) -> None:
    for last in ("²", "x", "9" * 40, "-1"):
        headers = {"Last-Event-ID": last.encode(), "Accept": "text/event-stream"}
        with api.stream("GET", "/live/metrics", headers=headers) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()).startswith(("data:", "id:"))


# ---- anything at all

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["BTCUSDT", "\ud800", 10**23, -1, 3, "3"]),
    lambda parts: st.lists(parts, max_size=3)
    | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = st.sampled_from(["who", "what", "how", "value", "seconds", "symbol", "on", "name",
                          "address", "data", "fn_index", "session_hash"])  # fmt: skip
BODIES = VALUES | st.dictionaries(FIELDS | st.text(max_size=4), VALUES, max_size=4)
# What changes nothing that another test looks at; a control that is understood would.
WRITES = st.sampled_from(
    [("POST", RUN + name) for name in (NAMES[0], NAMES[1], NAMES[3])]
    + [("POST", "/live/alerts/rules"), ("PATCH", "/live/alerts/rules/champion"),
       ("PUT", "/live/alerts/address"), ("POST", "/live/control")]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(WRITES, BODIES)
@example(("POST", "/live/alerts/rules"), {"what": "\ud800"})
@example(("POST", "/live/alerts/rules"), {"\n": None})
def test_whatever_is_sent_is_answered_or_refused_in_one_line(
    api: httpx.Client, busy: World, where: tuple[str, str], body: Any
) -> None:
    answer = api.request(*where, content=body_of(body), headers=JSON)
    if answer.is_success:
        made = answer.json()
        if "id" in made and where[0] == "POST":
            api.delete(f"/live/alerts/rules/{made['id']}")
    else:
        refused(answer)


TEXTS = st.text(max_size=12) | st.integers().map(str) | st.sampled_from(["BTCUSDT", "x" * 5000])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/live/cycle", "/live/compare"]),
    st.dictionaries(st.sampled_from(["symbol", "cycle", "a", "b", "metric"]), TEXTS),
)
def test_whatever_is_asked_is_answered_or_refused_in_one_line(
    api: httpx.Client, path: str, query: dict[str, str]
) -> None:
    answer = api.get(path, params=query)
    if not answer.is_success:
        refused(answer)
