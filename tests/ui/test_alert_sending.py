"""From a change to a message that somebody gets, and what the file remembers of it."""

from __future__ import annotations

import dataclasses
import json
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streaming.errors import KnobError
from tests.ui.inbox import Inbox
from tests.ui.page_world import free_port
from tests.ui.test_page_views import COUNTERS
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.alerts.book import HISTORY_KEPT, MOST_RULES, BookFile, Firing, new_id
from ui.alerts.desk import HELD_BACK, LOST, SENDING, UNSENT, AlertDesk, Sources
from ui.alerts.rules import DEFAULTS, Rule
from ui.alerts.sender import MOST, RULE_MOST, RULE_SECONDS, Limits, check_address, masked
from ui.metrics import Metrics

SECRET = "5eCr3t"
EDGE_RULE = Rule(who="cnn", value="0")


class Market:
    """What a desk looks at, changed by hand; its clock too."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.edge, self.status, self.now = folder, -1.0, "IDLE", 1000.0
        self.silent, self.champion, self.said = 0.5, "", []
        (folder / "session").mkdir(exist_ok=True)

    def desk(self) -> AlertDesk:
        sources = Sources(
            session="s1",
            folder=self.folder / "session",
            stale_seconds=60.0,
            metrics=self.metrics,
            streams=lambda: {"BTCUSDT": dataclasses.replace(COUNTERS, silent_seconds=self.silent)},
            models=self.models,
        )
        return AlertDesk(self.folder / "alerts.json", sources, lambda: self.now)

    def metrics(self) -> Metrics:
        tags = {"status": self.status, "status_text": "boom <b>"}
        run = RunRecord("r", "RUNNING", tags, {"live/edge": self.edge}, 7)
        session = RunRecord("s1", "RUNNING", {"events": json.dumps(self.said)}, {}, 7)
        return Metrics(time.monotonic(), session, {"BTCUSDT": {"cnn": run}})

    def models(self) -> list[ModelRecord]:
        aliases = {self.champion: ["champion"]}
        versions = [VersionRecord(n, "r", 0.0, aliases.get(str(n), []), []) for n in (2, 1)]
        return [ModelRecord("tickloop-btcusdt-cnn", versions)]

    def say(self, text: str) -> None:
        self.said.append({"ts": self.now, "text": text})

    def look(self, desk: AlertDesk, times: int = 1) -> None:
        for _ in range(times):
            self.now += 2.0
            desk.look()


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        yield inbox


def ready(market: Market, address: str = "", **rules: Rule) -> AlertDesk:
    """Return a desk with these rules that has looked once."""
    desk = market.desk()
    desk.change(lambda book: dataclasses.replace(book, rules=rules or DEFAULTS, address=address))
    market.look(desk)
    return desk


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def sent(desk: AlertDesk) -> list[str]:
    return [line.sent for line in desk.book.history]


# ---- sending


def test_a_firing_is_sent_with_what_was_the_case(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address, edge=EDGE_RULE)
    market.edge = 0.25
    market.look(desk)
    message = inbox.next()
    assert message["title"] == "Tickloop alert: cnn live/edge > 0"
    assert message["message"] == "BTCUSDT cnn live/edge is 0.25\nsession s1"
    until(lambda: sent(desk) == ["sent"])
    assert (desk.sender.sent, desk.sender.failed) == (1, 0)


def test_that_it_is_over_is_sent_too(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address, edge=EDGE_RULE)
    market.edge = 0.25
    market.look(desk)
    inbox.next()
    market.edge = -0.5
    market.look(desk, 30)
    assert inbox.next()["title"] == "Tickloop alert is over: cnn live/edge > 0"


def test_an_error_is_sent_with_its_text(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address)
    market.status = "ERROR"
    market.look(desk)
    assert "BTCUSDT cnn status is ERROR: boom <b>" in inbox.next()["message"]


def test_silence_a_canary_and_a_promotion_are_sent_by_default(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address)
    market.silent = 61.0
    market.look(desk)
    assert "stream status is STALE" in inbox.next()["message"]
    market.say("the canary is off chance (log E 7.0 after 300 bars)")
    market.look(desk)
    assert inbox.next()["message"].startswith("the canary is off chance (log E 7.0")
    market.champion = "2"
    market.look(desk)
    assert "champion went from none to 2" in inbox.next()["message"]
    market.champion = "1"
    market.look(desk)
    assert "champion went from 2 to 1" in inbox.next()["message"]


def test_without_an_address_it_is_shown_only(market: Market) -> None:
    desk = ready(market, edge=EDGE_RULE)
    market.edge = 1.0
    market.look(desk)
    assert sent(desk) == [UNSENT]
    assert desk.firing == 1


@pytest.mark.parametrize("code, reason", [(500, "the service answered 500"), (403, "403")])
def test_a_refusal_is_counted_and_shown(market: Market, code: int, reason: str) -> None:
    with Inbox(code) as inbox:
        desk = ready(market, inbox.address, edge=EDGE_RULE)
        market.edge = 1.0
        market.look(desk)
        until(lambda: desk.sender.failed == 1)
    until(lambda: sent(desk)[0].startswith("not sent: "))
    assert reason in desk.sender.last_failure


def test_a_service_that_is_away_is_counted_and_shown(market: Market) -> None:
    desk = ready(market, f"json://127.0.0.1:{free_port()}/{SECRET}", edge=EDGE_RULE)
    market.edge = 1.0
    market.look(desk)
    until(lambda: sent(desk) == ["not sent: no connection"])
    assert desk.sender.last_failure == "no connection"


def test_looking_does_not_wait_for_a_slow_service(market: Market) -> None:
    with Inbox() as inbox:
        inbox.server.shutdown()  # it takes connections and never answers
        desk = ready(market, inbox.address, edge=EDGE_RULE)
        market.edge = 1.0
        began = time.monotonic()
        market.look(desk)
        assert time.monotonic() - began < 1
        assert sent(desk) == [SENDING]


def test_a_test_message_tells_what_became_of_it(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address)
    assert desk.test().result(15) == "sent"
    assert inbox.next()["title"] == "Tickloop test: test message"
    assert [(line.phase, line.sent) for line in desk.book.history] == [("test", "sent")]


# ---- limits


def test_a_rule_that_keeps_happening_is_held_back(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address, says=Rule(who="session", what="event", how="says",
                                                  value="x"))  # fmt: skip
    for i in range(20):
        market.say(f"x {i}")
        market.look(desk)
    assert len(desk.book.history) == 20
    until(lambda: SENDING not in sent(desk))
    assert sent(desk) == ["sent"] * RULE_MOST + [HELD_BACK] * (20 - RULE_MOST)
    assert inbox.messages.qsize() == RULE_MOST


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
def test_of_an_address_only_the_service_is_told(address: str) -> None:
    check_address(address)
    assert SECRET not in masked(address)
    assert address.partition(":")[0] in masked(address)


@pytest.mark.parametrize("address", [f"nonsense://{SECRET}", SECRET, "json://"])
def test_a_wrong_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(KnobError, match=r"^address: not known to apprise") as refused:
        check_address(address)
    assert SECRET not in str(refused.value)


# ---- what is remembered


def test_a_restart_says_nothing_twice_and_misses_nothing(market: Market, inbox: Inbox) -> None:
    rules = {**DEFAULTS, "edge": EDGE_RULE}
    desk = ready(market, inbox.address, **rules)
    market.edge = 1.0
    market.say("the canary is off chance")
    market.look(desk)
    until(lambda: sent(desk) == ["sent"] * 2)
    desk._duty.release()
    market.champion = "2"  # while no page looks
    again = market.desk()
    market.look(again, 3)
    until(lambda: sent(again) == ["sent"] * 3)
    assert "none to 2" in again.book.history[-1].text
    assert again.firing == 3


def test_a_message_that_died_with_its_page_does_not_say_sending_for_ever(market: Market) -> None:
    with Inbox() as inbox:
        inbox.server.shutdown()
        desk = ready(market, inbox.address, edge=EDGE_RULE)
        market.edge = 1.0
        market.look(desk)
        assert sent(desk) == [SENDING]
        desk._duty.release()
        again = market.desk()
        market.look(again)
        assert sent(again) == [LOST]


def test_of_two_pages_of_a_session_one_sends(market: Market, inbox: Inbox) -> None:
    first, second = ready(market, inbox.address, edge=EDGE_RULE), market.desk()
    market.edge = 1.0
    market.look(first)
    market.look(second)
    until(lambda: sent(first) == ["sent"])
    market.look(second)
    assert (second.firing, len(second.book.history)) == (1, 1), "it shows what the other found"
    first._duty.release()
    market.edge = -1.0
    market.look(second, 31)
    assert [line.phase for line in second.book.history] == ["firing", "resolved"]


def test_rules_address_and_history_outlive_a_session(tmp_path: Path) -> None:
    line = Firing(new_id(), 5.0, "a", "firing", "rule", "text", "sent")
    BookFile(tmp_path / "x" / "alerts.json", "a").change(
        lambda book: dataclasses.replace(
            book.with_rule("mine", EDGE_RULE).with_history(line), address="json://x"
        )
    )
    book = BookFile(tmp_path / "x" / "alerts.json", "b").read()
    assert book.rules == {**DEFAULTS, "mine": EDGE_RULE}
    assert (book.address, book.history) == ("json://x", (line,))


def test_the_address_is_this_user_s_alone(tmp_path: Path) -> None:
    file = BookFile(tmp_path / "alerts.json", "a")
    file.change(lambda book: dataclasses.replace(book, address=f"ntfy://{SECRET}"))
    assert stat.S_IMODE((tmp_path / "alerts.json").stat().st_mode) == 0o600
    assert SECRET not in repr(file.read())


def test_a_default_rule_that_was_removed_stays_removed(market: Market) -> None:
    desk = market.desk()
    desk.change(lambda book: book.with_rule("canary", None))
    assert "canary" not in market.desk()._file.read().rules


def test_the_history_and_the_rules_have_an_end(tmp_path: Path) -> None:
    book = BookFile(tmp_path / "alerts.json", "a").read()
    for i in range(HISTORY_KEPT + 10):
        book = book.with_history(Firing(str(i), float(i), "a", "firing", "r", "t", "sent"))
    assert [book.history[0].id, len(book.history)] == ["10", HISTORY_KEPT]
    for i in range(MOST_RULES - len(DEFAULTS)):
        book = book.with_rule(str(i), EDGE_RULE)
    with pytest.raises(KnobError, match=f"allowed: {MOST_RULES}"):
        book.with_rule("one more", EDGE_RULE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rules": 1}', '{"rules": {"a": {"who": ""}}}'])
def test_a_file_that_is_broken_is_left_as_it_is_and_said(market: Market, text: str) -> None:
    path = market.folder / "alerts.json"
    path.write_text(text)
    desk = market.desk()
    market.look(desk, 2)
    assert desk.broken.startswith("no alerts: ")
    with pytest.raises(ValueError, match=r"Expecting|not a book of alerts"):
        desk.change(lambda book: book)
    assert path.read_text() == text
    path.unlink()
    market.look(desk)
    assert desk.broken == ""
    assert desk.book.rules == DEFAULTS


def test_a_page_that_cannot_write_sends_all_the_same(market: Market, inbox: Inbox) -> None:
    desk = ready(market, inbox.address, edge=EDGE_RULE)
    (market.folder / "alerts.json.new").mkdir()  # where the next version would go
    market.edge = 1.0
    market.look(desk)
    assert "live/edge is 1" in inbox.next()["message"]
