"""The metrics stream: nothing missed, nothing twice, behind the same authentication."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import threading
import time
import types
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.ui.conftest import OPERATOR, VIEWER
from tests.ui.page_world import Page, World, apart
from trainers.tracking.reader import RunRecord, TrackingAwayError
from ui.metrics_stream import stream_routes
from ui.metrics_stream.metric_tail import MetricTail
from ui.metrics_stream.publisher import BACKLOG, Listener, MetricsPublisher
from ui.mlflow.session_metrics import SessionMetrics

SESSION = RunRecord("s", "RUNNING", {"kind": "session", "status": "IDLE"}, {}, None)


def run(cycle: int, status: str = "IDLE", **metrics: float) -> RunRecord:
    tags = {
        "kind": "learner", "symbol": "BTCUSDT", "learner": "cnn",
        "status": status, "status_text": "",
    }  # fmt: skip
    steps = dict.fromkeys(metrics, cycle)
    return RunRecord("r", "RUNNING", tags, metrics, cycle, steps=steps)


def metrics(*runs: RunRecord) -> SessionMetrics:
    return SessionMetrics(1.0, SESSION, {"BTCUSDT": {each.name[1]: each for each in runs}})


def tail(history: Callable[..., dict[int, float]] | None = None) -> MetricTail:
    return MetricTail("s", history or (lambda *_: pytest.fail("nothing between was missed")))


def values(lines: list[dict]) -> list[tuple]:
    return [(line["cycle"], line["metric"], line["value"]) for line in lines if "metric" in line]


# ---- what is new


def test_each_new_value_is_sent_once() -> None:
    follower = tail()
    assert follower.update(metrics(run(1, loss=0.7))) == []
    sent = follower.update(metrics(run(2, loss=0.6)))
    assert sent == [
        {"session": "s", "symbol": "BTCUSDT", "learner": "cnn", "kind": "learner",
         "cycle": 2, "metric": "loss", "value": 0.6}
    ]  # fmt: skip
    assert follower.update(metrics(run(2, loss=0.6))) == []


def test_cycles_between_two_looks_are_read() -> None:
    asked = []

    def history(*which: object) -> dict[int, float]:
        asked.append(which)
        return {2: 0.6, 3: 0.5, 4: 0.4}

    follower = tail(history)
    follower.update(metrics(run(1, loss=0.7)))
    sent = follower.update(metrics(run(4, loss=0.4)))
    assert values(sent) == [(2, "loss", 0.6), (3, "loss", 0.5), (4, "loss", 0.4)]
    assert asked == [("r", "loss", 1)]


def test_a_run_that_begins_later_is_sent_from_its_first_cycle() -> None:
    follower = tail(lambda *_: {1: 0.9, 2: 0.8})
    follower.update(metrics())
    assert values(follower.update(metrics(run(2, loss=0.8)))) == [
        (1, "loss", 0.9),
        (2, "loss", 0.8),
    ]


def test_an_update_that_fails_half_way_loses_nothing() -> None:
    away = True

    def history(*_: object) -> dict[int, float]:
        if away:
            raise TrackingAwayError("away")
        return {2: 0.5, 3: 0.4}

    follower = tail(history)
    follower.update(metrics(run(1, accuracy=0.5, loss=0.7)))
    later = run(3, accuracy=0.6, loss=0.4)
    later = dataclasses.replace(later, steps={"accuracy": 2, "loss": 3})
    with pytest.raises(TrackingAwayError):
        follower.update(metrics(later))
    away = False
    sent = values(follower.update(metrics(later)))
    assert sent == [(2, "accuracy", 0.6), (2, "loss", 0.5), (3, "loss", 0.4)]


def test_a_status_that_changes_is_sent() -> None:
    follower = tail()
    follower.update(metrics(run(1)))
    (sent,) = follower.update(metrics(run(1, status="TRAINING")))
    assert (sent["learner"], sent["status"], sent["cycle"]) == ("cnn", "TRAINING", 1)
    assert follower.update(metrics(run(1, status="TRAINING"))) == []


def test_a_listener_that_is_too_slow_is_dropped() -> None:
    async def listen() -> tuple[int, object]:
        listener = Listener({})
        for i in range(BACKLOG + 1):
            listener.put([str(i)])
        await asyncio.sleep(0)
        return listener.queue.qsize(), listener.queue.get_nowait()

    assert apart(listen) == (1, None)


def test_silence_is_filled_with_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_routes, "HEARTBEAT_SECONDS", 0.01)
    publisher = MetricsPublisher.__new__(MetricsPublisher)
    publisher._poller = type("Poller", (), {"metrics": metrics(run(7))})()

    async def listen() -> dict:
        found = stream_routes._from(publisher, Listener({}), None)
        return json.loads(await anext(found))

    beat = apart(listen)
    assert beat["cycle"] == 7
    assert abs(beat["heartbeat"] - time.time()) < 5


def read_by_nobody(history: Callable[..., dict[int, float]]) -> MetricsPublisher:
    reader = types.SimpleNamespace(history=history)
    poller = types.SimpleNamespace(reader=reader, session="s", metrics=metrics(run(1, loss=0.7)))
    return MetricsPublisher(poller)


def test_while_nobody_listens_no_history_is_read() -> None:
    def history(*_: object, **__: object) -> dict[int, float]:
        pytest.fail("of a hundred markets that takes a third of a core")

    publisher = read_by_nobody(history)
    publisher.publish()
    publisher._poller.metrics = metrics(run(4, loss=0.4))  # cycles 2 and 3 were never looked at
    publisher.publish()
    assert publisher.begun


def test_who_comes_gets_what_is_new_from_then_on() -> None:
    publisher = read_by_nobody(lambda run, key, *, after: {after + 1: 0.5, after + 2: 0.4})
    publisher.publish()
    publisher._poller.metrics = metrics(run(4, loss=0.6))

    async def listen() -> tuple[dict, list[list[str]]]:
        listener = publisher.subscribe()
        publisher.publish()  # of the same metrics: they are past
        publisher._poller.metrics = metrics(run(6, loss=0.4))
        publisher.publish()
        await asyncio.sleep(0)
        got = [listener.queue.get_nowait() for _ in range(listener.queue.qsize())]
        return listener.steps, got

    steps, got = apart(listen)
    assert steps == {("r", "loss"): 4}
    sent = [json.loads(line) for batch in got for line in batch]
    assert values(sent) == [(5, "loss", 0.5), (6, "loss", 0.4)]


class LongPast(MetricsPublisher):
    """A publisher whose past is thousands of lines, read at once."""

    def __init__(self) -> None:
        self.begun, self._listeners, self._lock = True, set(), threading.Lock()
        self._steps, self._idle = {}, False

    def statuses(self) -> list[str]:
        return []

    async def history(self, listener: Listener, since: int) -> AsyncIterator[list[str]]:
        yield ["{}"] * 5000


def test_it_is_noticed_within_a_long_past_that_its_listener_has_gone() -> None:
    async def written_after_the_end() -> int:
        found = stream_routes.lines(LongPast(), since=0)
        await anext(found)
        gone = asyncio.Event()
        asyncio.get_running_loop().call_soon(gone.set)  # as a lost connection is told
        return len(await first(found, lambda _: gone.is_set()))

    assert apart(written_after_the_end) < 5, "asyncio warns of each write from the fifth on"


# ---- over the wire


def basic() -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(':'.join(VIEWER).encode()).decode()}"}


async def by_socket(page: Page, query: str) -> AsyncIterator[dict]:
    address = page.address.replace("http", "ws") + f"/live/metrics{query}"
    async with connect(address, additional_headers=basic()) as socket:
        async for message in socket:
            yield json.loads(message)


async def by_http(page: Page, query: str, accept: str = "*/*") -> AsyncIterator[dict]:
    async for line in raw(page, query, accept):
        yield json.loads(line)


async def raw(page: Page, query: str, accept: str, **headers: str) -> AsyncIterator[str]:
    async with (
        httpx.AsyncClient(base_url=page.address, auth=VIEWER, timeout=60) as client,
        client.stream(
            "GET", f"/live/metrics{query}", headers={"Accept": accept, **headers}
        ) as answer,
    ):
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            yield line


async def first(found: AsyncIterator, wanted: Callable[..., bool], seconds: float = 20) -> list:
    """Return everything up to the first that is wanted."""
    kept = []
    async with asyncio.timeout(seconds):
        async for each in found:
            kept.append(each)
            if wanted(each):
                break
    await found.aclose()
    return kept


def point(line: dict, metric: str, cycle: int, learner: str | None = "cnn") -> bool:
    return (line.get("metric"), line.get("cycle"), line.get("learner")) == (metric, cycle, learner)


@pytest.mark.parametrize("way", [by_socket, by_http])
def test_a_listener_gets_statuses_then_what_was_then_what_comes(
    changing: World, changing_page: Page, way: Callable[..., AsyncIterator[dict]]
) -> None:
    newest = changing.client.get_run(changing.runs["cnn"]).data.metrics["train/epochs"]
    cycle = 1 + max(
        m.step for m in changing.client.get_metric_history(changing.runs["cnn"], "train/epochs")
    )

    async def listen() -> list[dict]:
        found = way(changing_page, "?since=0")
        old = await first_of(found, lambda line: point(line, "train/epochs", cycle - 1))
        changing.log(changing.runs["cnn"], cycle, train__epochs=newest + 2)
        changing.log(changing.run_id, cycle, stream__overruns=1)
        changing.tag(
            changing.runs["dqn"], status="TRAINING", status_text="boom"
        )  # the last of them
        return old + await first(found, lambda line: line.get("status_text") == "boom")

    lines = [line for line in apart(listen) if "heartbeat" not in line]
    changing.tag(changing.runs["dqn"], status="IDLE", status_text="")
    statuses = [line for line in lines[:20] if "status" in line]
    assert lines[: len(statuses)] == statuses, "statuses come first"
    assert {line["learner"] for line in statuses} >= {None, "cnn", "dqn"}
    points = [line for line in lines if "metric" in line]
    assert {line["session"] for line in points} == {changing.run_id}
    keys = [(p["learner"], p["kind"], p["metric"], p["cycle"]) for p in points]
    assert len(set(keys)) == len(keys), "nothing comes twice"
    for known in range(1, cycle + 1):
        assert ("cnn", "learner", "train/epochs", known) in keys
    assert (None, "session", "stream/overruns", cycle) in keys
    assert (lines[-1]["learner"], lines[-1]["status_text"]) == ("dqn", "boom")


async def first_of(found: AsyncIterator, wanted: Callable[..., bool]) -> list:
    """As ``first``, of something that goes on afterwards."""
    kept = []
    async with asyncio.timeout(20):
        while not kept or not wanted(kept[-1]):
            kept.append(await anext(found))
    return kept


def test_since_a_cycle_only_what_came_after_it_is_sent(changing_page: Page) -> None:
    lines = apart(
        lambda: first(
            by_http(changing_page, "?since=3"), lambda line: point(line, "train/epochs", 5)
        )
    )
    assert {line["cycle"] for line in lines if "metric" in line} >= {4, 5}
    assert not [line for line in lines if "metric" in line and line["cycle"] <= 3]


def test_events_have_the_cycle_as_their_id_and_go_on_from_the_last(changing_page: Page) -> None:
    def is_fifth(line: str) -> bool:
        return line.startswith("data:") and point(json.loads(line[5:]), "train/epochs", 5)

    lines = apart(
        lambda: first(
            raw(changing_page, "", "text/event-stream", **{"Last-Event-ID": "5"}), is_fifth
        )
    )
    sent = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    assert {line["cycle"] for line in sent if "metric" in line} == {5}
    assert lines[-2] == "id: 5"


def test_the_stream_is_refused_to_nobody(locked: Page) -> None:
    async def ask() -> None:
        with pytest.raises(InvalidStatus, match="401"):
            await connect(locked.address.replace("http", "ws") + "/live/metrics")

    apart(ask)
    assert httpx.get(locked.address + "/live/metrics").status_code == 401


@pytest.mark.parametrize("since", ["-1", "soon"])
def test_since_is_a_cycle(locked: Page, since: str) -> None:
    answer = httpx.get(f"{locked.address}/live/metrics?since={since}", auth=VIEWER)
    assert answer.status_code == 422


def test_a_stream_ends_when_its_principal_logs_out(locked: Page, busy: World) -> None:
    async def listen() -> str:
        async with httpx.AsyncClient(base_url=locked.address, timeout=60) as client:
            await client.post("/login", data={"password": OPERATOR[1]})
            async with client.stream("GET", "/live/metrics") as answer:
                found = answer.aiter_lines()
                assert "status" in json.loads(await anext(found))
                await client.post("/logout")
                busy.tag(busy.runs["dqn"], status_text="epsilon is 0.0797")
                async with asyncio.timeout(10):
                    return "\n".join([line async for line in found])

    assert "epsilon is" not in apart(listen)
    busy.tag(busy.runs["dqn"], status_text="")


def test_those_who_leave_are_forgotten(changing_page: Page) -> None:
    """More than may listen at once, one after another; then too many at once."""

    async def come_and_go() -> None:
        for i in range(stream_routes.MOST_LISTENERS + 10):
            way = by_socket if i % 2 else by_http
            await first(way(changing_page, ""), lambda line: True)

    apart(come_and_go)

    async def crowd() -> int:
        address = changing_page.address.replace("http", "ws") + "/live/metrics"
        sockets = []
        for _ in range(stream_routes.MOST_LISTENERS):
            sockets.append(await connect(address, additional_headers=basic()))
            await sockets[-1].recv()
        refused = await connect(address, additional_headers=basic())
        with pytest.raises(ConnectionClosed) as closed:
            await refused.recv()
        for socket in sockets:
            await socket.close()
        return closed.value.rcvd.code

    assert apart(crowd) == stream_routes.TOO_MANY
