"""From a transition to a message that somebody gets, and what the file keeps of it."""

from __future__ import annotations

import dataclasses
import json
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streaming.errors import ConfigError
from streaming.events import Code
from tests.ports import free_port
from tests.ui.page_world import COUNTERS
from tests.ui.webhook import SECRET, Webhook
from trainers.config import SessionConfig
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.alerts.alert_service import (
    LOST,
    RATE_LIMITED,
    SENDING,
    SHOWN_ONLY,
    AlertService,
    Sources,
)
from ui.alerts.alert_store import HISTORY_KEPT, MOST_RULES, AlertStore, HistoryEntry, new_id
from ui.alerts.rules import DEFAULTS, Rule
from ui.alerts.sender import MOST, RULE_MOST, RULE_SECONDS, Limits, check_address, masked
from ui.mlflow.session_metrics import SessionMetrics

EDGE_RULE = Rule(who="cnn", value="0")


class Market:
    """The samples of a service, changed by hand, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.edge, self.status, self.now = folder, -1.0, "IDLE", 1000.0
        self.silent, self.champion, self.events = 0.5, "", []
        self.source = "sim"
        (folder / "session").mkdir(exist_ok=True)

    def service(self) -> AlertService:
        sources = Sources(
            session="s1",
            folder=self.folder / "session",
            config=SessionConfig(source=self.source, stale_seconds=60.0),
            metrics=self.metrics,
            streams=lambda: {"BTCUSDT": dataclasses.replace(COUNTERS, silent_seconds=self.silent)},
            models=self.models,
        )
        return AlertService(self.folder / "alerts.json", sources, lambda: self.now)

    def metrics(self) -> SessionMetrics:
        tags = {"status": self.status, "status_text": "boom <b>"}
        run = RunRecord("r", "RUNNING", tags, {"live/edge": self.edge}, 7)
        session = RunRecord("s1", "RUNNING", {"events": json.dumps(self.events)}, {}, 7)
        return SessionMetrics(time.monotonic(), session, {"BTCUSDT": {"cnn": run}})

    def models(self) -> list[ModelRecord]:
        aliases = {self.champion: ["champion"]}
        versions = [VersionRecord(n, "r", 0.0, aliases.get(str(n), []), []) for n in (2, 1)]
        return [ModelRecord("tickloop-btcusdt-cnn", versions)]

    def log(self, code: Code, text: str) -> None:
        self.events.append({"ts": self.now, "code": code, "text": text})

    def evaluate(self, service: AlertService, times: int = 1) -> None:
        for _ in range(times):
            self.now += 2.0
            service.evaluate()


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


def ready(market: Market, address: str = "", **rules: Rule) -> AlertService:
    """Return a service with these rules that has evaluated once."""
    service = market.service()
    service.change(lambda data: dataclasses.replace(data, rules=rules or DEFAULTS, address=address))
    market.evaluate(service)
    return service


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def sent(service: AlertService) -> list[str]:
    return [line.sent for line in service.data.history]


# ---- sending


def test_a_firing_is_sent_with_what_was_the_case(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address, edge=EDGE_RULE)
    market.edge = 0.25
    market.evaluate(service)
    message = webhook.next()
    assert message["title"] == "Tickloop alert: cnn live/edge > 0"
    assert message["message"] == "BTCUSDT cnn live/edge is 0.25\nsession s1"
    until(lambda: sent(service) == ["sent"])
    assert (service.sender.sent, service.sender.failed) == (1, 0)


def test_that_it_is_over_is_sent_too(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address, edge=EDGE_RULE)
    market.edge = 0.25
    market.evaluate(service)
    webhook.next()
    market.edge = -0.5
    market.evaluate(service, 30)
    assert webhook.next()["title"] == "Tickloop alert is over: cnn live/edge > 0"


def test_an_error_is_sent_with_its_text(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address)
    market.status = "ERROR"
    market.evaluate(service)
    assert "BTCUSDT cnn state is failed: boom <b>" in webhook.next()["message"]


def test_silence_a_leak_and_a_promotion_are_sent_by_default(
    market: Market, webhook: Webhook
) -> None:
    service = ready(market, webhook.address)
    market.silent = 61.0
    market.evaluate(service)
    market.evaluate(service, 10)
    assert "stream state is stalled" in webhook.next()["message"]
    market.log(Code.LEAK_ALARM, "labels leak (log E 7.0 after 300 bars)")
    market.evaluate(service)
    assert webhook.next()["message"].startswith("labels leak (log E 7.0")
    market.champion = "2"
    market.evaluate(service)
    assert "champion went from none to 2" in webhook.next()["message"]
    market.champion = "1"
    market.evaluate(service)
    assert "champion went from 2 to 1" in webhook.next()["message"]


def test_without_an_address_it_is_shown_only(market: Market) -> None:
    service = ready(market, edge=EDGE_RULE)
    market.edge = 1.0
    market.evaluate(service)
    assert sent(service) == [SHOWN_ONLY]
    assert service.firing == 1


@pytest.mark.parametrize("code, reason", [(500, "the service answered 500"), (403, "403")])
def test_a_refusal_is_counted_and_shown(market: Market, code: int, reason: str) -> None:
    with Webhook(code) as webhook:
        service = ready(market, webhook.address, edge=EDGE_RULE)
        market.edge = 1.0
        market.evaluate(service)
        until(lambda: service.sender.failed == 1)
    until(lambda: sent(service)[0].startswith("not sent: "))
    assert reason in service.sender.last_failure


def test_a_service_that_is_away_is_counted_and_shown(market: Market) -> None:
    service = ready(market, f"json://127.0.0.1:{free_port()}/{SECRET}", edge=EDGE_RULE)
    market.edge = 1.0
    market.evaluate(service)
    until(lambda: sent(service) == ["not sent: no connection"])
    assert service.sender.last_failure == "no connection"


def test_an_evaluation_does_not_wait_for_a_slow_service(market: Market) -> None:
    with Webhook() as webhook:
        webhook.server.shutdown()  # it takes connections and never answers
        service = ready(market, webhook.address, edge=EDGE_RULE)
        market.edge = 1.0
        began = time.monotonic()
        market.evaluate(service)
        assert time.monotonic() - began < 3  # Apprise gives up after 4 s
        assert sent(service) == [SENDING]


def test_a_test_message_has_an_outcome(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address)
    assert service.test().result(15) == "sent"
    assert webhook.next()["title"] == "Tickloop test: test message"
    assert [(line.phase, line.sent) for line in service.data.history] == [("test", "sent")]


# ---- limits


def test_a_rule_that_fires_often_is_rate_limited(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address, gap=Rule(who="session", what="event", how="is",
                                                   value="gap"))  # fmt: skip
    for i in range(20):
        market.log(Code.GAP, f"x {i}")
        market.evaluate(service)
    assert len(service.data.history) == 20
    until(lambda: SENDING not in sent(service))
    assert sent(service) == ["sent"] * RULE_MOST + [RATE_LIMITED] * (20 - RULE_MOST)
    assert webhook.messages.qsize() == RULE_MOST


def test_messages_of_all_rules_have_a_limit_of_their_own() -> None:
    limits = Limits()
    allowed = [limits.allow(f"rule {i}", 0.0) for i in range(100)]
    assert allowed == [True] * MOST + [False] * (100 - MOST)
    assert limits.allow("another", 60.0)


def test_after_a_while_a_rule_may_send_again() -> None:
    limits = Limits()
    assert [limits.allow("r", 0.0) for _ in range(3)] == [True, True, False]
    assert [limits.allow("r", RULE_SECONDS) for _ in range(2)] == [True, False]


# ---- the address


@pytest.mark.parametrize(
    "address",
    [
        f"json://user:{SECRET}@127.0.0.1:8000/x",
        f"json://127.0.0.1/{SECRET}?+X-Token={SECRET}",
        f"tgram://123456789:{SECRET}abcdefghij_klmnop/12315544/",
        f"ntfy://{SECRET}",
    ],
)
def test_of_an_address_only_the_service_is_shown(address: str) -> None:
    check_address(address)
    assert SECRET not in masked(address)
    assert address.partition(":")[0] in masked(address)


@pytest.mark.parametrize("address", [f"nonsense://{SECRET}", SECRET, "json://"])
def test_a_wrong_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match=r"^address: not known to apprise") as refused:
        check_address(address)
    assert SECRET not in str(refused.value)


# ---- what is kept


def test_a_restart_sends_nothing_twice_and_misses_nothing(market: Market, webhook: Webhook) -> None:
    rules = {**DEFAULTS, "edge": EDGE_RULE}
    service = ready(market, webhook.address, **rules)
    market.edge = 1.0
    market.log(Code.LEAK_ALARM, "labels leak")
    market.evaluate(service)
    until(lambda: sent(service) == ["sent"] * 2)
    service._leader.release()
    market.champion = "2"  # while no page evaluates
    again = market.service()
    market.evaluate(again, 3)
    until(lambda: sent(again) == ["sent"] * 3)
    assert "none to 2" in again.data.history[-1].text
    assert again.firing == 3


def test_a_session_of_another_source_does_not_end_a_champion(market: Market) -> None:
    service = market.service()
    market.champion = "2"
    market.evaluate(service, 2)
    service._leader.release()
    market.source, market.champion = "binance", ""
    again = market.service()
    market.evaluate(again, 2)
    assert again.data.history == service.data.history


def test_champions_that_an_earlier_version_kept_by_market_are_forgotten_with_a_line(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    path = market.folder / "alerts.json"
    market.evaluate(market.service())
    kept = json.loads(path.read_text())
    ours = ["tickloop-btcusdt-dqn", "dqn", "7"]
    path.write_text(json.dumps({**kept, "champions": [["BTCUSDT", "cnn", "3"], ours]}))
    store = AlertStore(path, "s1")
    store.change(lambda data: data)
    assert "alerts.json: champions seen by an earlier version" in caplog.text
    assert "are forgotten: BTCUSDT cnn. Their next change is told." in caplog.text
    assert json.loads(path.read_text())["champions"] == [ours]
    caplog.clear()
    store.change(lambda data: data)
    assert caplog.text == ""


def test_a_message_that_died_with_its_page_does_not_stay_at_sending(market: Market) -> None:
    with Webhook() as webhook:
        webhook.server.shutdown()
        service = ready(market, webhook.address, edge=EDGE_RULE)
        market.edge = 1.0
        market.evaluate(service)
        assert sent(service) == [SENDING]
        service._leader.release()
        again = market.service()
        market.evaluate(again)
        assert sent(again) == [LOST]


def test_of_two_pages_of_a_session_one_sends(market: Market, webhook: Webhook) -> None:
    first, second = ready(market, webhook.address, edge=EDGE_RULE), market.service()
    market.edge = 1.0
    market.evaluate(first)
    market.evaluate(second)
    until(lambda: sent(first) == ["sent"])
    market.evaluate(second)
    assert (second.firing, len(second.data.history)) == (1, 1), "it shows what the leader found"
    first._leader.release()
    market.edge = -1.0
    market.evaluate(second, 31)
    assert [line.phase for line in second.data.history] == ["firing", "resolved"]


def test_rules_address_and_history_outlive_a_session(tmp_path: Path) -> None:
    line = HistoryEntry(new_id(), 5.0, "a", "firing", "rule", "text", "sent")
    AlertStore(tmp_path / "x" / "alerts.json", "a").change(
        lambda data: dataclasses.replace(
            data.with_rule("mine", EDGE_RULE).with_history(line), address="json://x"
        )
    )
    data = AlertStore(tmp_path / "x" / "alerts.json", "b").read()
    assert data.rules == {**DEFAULTS, "mine": EDGE_RULE}
    assert (data.address, data.history) == ("json://x", (line,))


def test_the_address_is_this_user_s_alone(tmp_path: Path) -> None:
    file = AlertStore(tmp_path / "alerts.json", "a")
    file.change(lambda data: dataclasses.replace(data, address=f"ntfy://{SECRET}"))
    assert stat.S_IMODE((tmp_path / "alerts.json").stat().st_mode) == 0o600
    assert SECRET not in repr(file.read())


def test_a_default_rule_that_was_removed_stays_removed(market: Market) -> None:
    service = market.service()
    service.change(lambda data: data.with_rule("leak", None))
    assert "leak" not in market.service()._store.read().rules


def test_the_history_and_the_rules_have_an_end(tmp_path: Path) -> None:
    data = AlertStore(tmp_path / "alerts.json", "a").read()
    for i in range(HISTORY_KEPT + 10):
        data = data.with_history(HistoryEntry(str(i), float(i), "a", "firing", "r", "t", "sent"))
    assert [data.history[0].id, len(data.history)] == ["10", HISTORY_KEPT]
    for i in range(MOST_RULES - len(DEFAULTS)):
        data = data.with_rule(str(i), EDGE_RULE)
    with pytest.raises(ConfigError, match=f"allowed: {MOST_RULES}"):
        data.with_rule("one more", EDGE_RULE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rules": 1}', '{"rules": {"a": {"who": ""}}}'])
def test_a_file_that_is_broken_is_left_as_it_is_and_shown(market: Market, text: str) -> None:
    path = market.folder / "alerts.json"
    path.write_text(text)
    service = market.service()
    market.evaluate(service, 2)
    assert service.broken.startswith("no alerts: ")
    with pytest.raises(ValueError, match=r"was cut off or changed|is not a store of alerts"):
        service.change(lambda data: data)
    assert path.read_text() == text
    path.unlink()
    market.evaluate(service)
    assert service.broken == ""
    assert service.data.rules == DEFAULTS


def test_a_page_that_cannot_write_sends_all_the_same(market: Market, webhook: Webhook) -> None:
    service = ready(market, webhook.address, edge=EDGE_RULE)
    (market.folder / "alerts.json.new").mkdir()  # where the next version would go
    market.edge = 1.0
    market.evaluate(service)
    assert "live/edge is 1" in webhook.next()["message"]


def test_what_cannot_be_saved_is_sent_once_said_once_and_saved_later(
    market: Market, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    service = ready(market, webhook.address, **DEFAULTS, edge=EDGE_RULE)
    obstacle = market.folder / "alerts.json.new"
    obstacle.mkdir()
    market.edge = 1.0
    market.log(Code.LEAK_ALARM, "labels leak")
    market.evaluate(service, 5)
    until(lambda: sent(service) == ["sent"] * 2)
    assert caplog.text.count("alerts cannot be saved") == 1
    assert "Traceback" not in caplog.text
    obstacle.rmdir()
    market.evaluate(service)
    assert sent(market.service()) == ["sent"] * 2
    assert service.sender.sent == 2
