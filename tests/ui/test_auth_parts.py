"""Guessing, session tokens and origins, each without a server."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from streaming.errors import ConfigError
from tests.ui.page_world import apart
from trainers.session.access import Passwords
from ui.auth.login import local_path
from ui.auth.login_attempts import OVERALL, PER_ADDRESS, LoginAttempts
from ui.auth.same_origin import SameOrigin
from ui.auth.session_tokens import LIFE_SECONDS, SessionTokens

PASSWORDS = Passwords(operator="operator's", viewer="a viewer's")
HERE, THERE = "10.0.0.1", "10.0.0.2"


def fail(attempts: LoginAttempts, address: str, times: int, now: float = 0.0) -> int:
    """Return how many of so many wrong passwords were looked at."""
    looked = 0
    for _ in range(times):
        if attempts.wait(address, now) == 0:
            attempts.failed(address, now)
            looked += 1
    return looked


def test_an_address_has_five_wrong_passwords_and_then_five_a_minute() -> None:
    attempts = LoginAttempts()
    assert fail(attempts, HERE, 100) == PER_ADDRESS
    assert 0 < attempts.wait(HERE, 0.0) <= 12
    assert sum(fail(attempts, HERE, 9, float(now)) for now in range(1, 61)) == 5


def test_addresses_do_not_hold_up_each_other() -> None:
    attempts = LoginAttempts()
    fail(attempts, HERE, 10)
    assert attempts.wait(THERE, 0.0) == 0


def test_many_addresses_share_one_limit() -> None:
    attempts = LoginAttempts()
    looked = sum(fail(attempts, f"10.0.1.{i}", 1) for i in range(250))
    assert looked == OVERALL
    assert attempts.wait(HERE, 0.0) > 0


def test_who_knew_a_password_is_not_delayed_by_strangers() -> None:
    attempts = LoginAttempts()
    attempts.passed(HERE, 0.0)
    for i in range(250):
        fail(attempts, f"10.0.1.{i}", 1)
    assert attempts.wait(HERE, 1.0) == 0
    assert attempts.wait(THERE, 1.0) > 0
    assert fail(attempts, HERE, 100, 1.0) == PER_ADDRESS, "its own guesses are counted"


def test_an_ip_6_network_is_one_guesser_and_each_ip_4_address_is_one() -> None:
    attempts = LoginAttempts()
    assert sum(fail(attempts, f"2001:db8::{i}", 1) for i in range(20)) == PER_ADDRESS
    assert attempts.wait("2001:db8:0:1::1", 0.0) == 0
    fail(attempts, "::ffff:10.0.0.1", 20)
    assert attempts.wait("::ffff:10.0.0.2", 0.0) == 0
    assert attempts.wait("10.0.0.1", 0.0) > 0


def test_a_token_is_valid_after_a_restart_until_its_time_is_over(tmp_path: Path) -> None:
    now = [1000.0]
    text = SessionTokens(tmp_path / "x" / "access.json", PASSWORDS, lambda: now[0]).issue("viewer")
    again = SessionTokens(tmp_path / "x" / "access.json", PASSWORDS, lambda: now[0])
    assert again.read(text).role == "viewer"
    now[0] += LIFE_SECONDS - 1
    assert again.read(text)
    now[0] += 1
    assert again.read(text) is None


def test_a_token_that_was_changed_is_none(tmp_path: Path) -> None:
    tokens = SessionTokens(tmp_path / "access.json", PASSWORDS)
    text = tokens.issue("viewer")
    payload, _, signature = text.partition(".")
    other = tokens.issue("operator").partition(".")[0]
    for forged in ("", ".", text[:-2], payload, f"{other}.{signature}", text + "x", "ä" * 40):
        assert tokens.read(forged) is None
    assert SessionTokens(tmp_path / "another.json", PASSWORDS).read(text) is None


def test_another_password_ends_every_token(tmp_path: Path) -> None:
    text = SessionTokens(tmp_path / "access.json", PASSWORDS).issue("viewer")
    changed = Passwords(operator="operator's", viewer="another one")
    assert SessionTokens(tmp_path / "access.json", changed).read(text) is None


def test_a_logged_out_token_stays_out_after_a_restart(tmp_path: Path) -> None:
    now = [1000.0]
    tokens = SessionTokens(tmp_path / "access.json", PASSWORDS, lambda: now[0])
    first, other = tokens.issue("operator"), tokens.issue("operator")
    tokens.revoke(tokens.read(first))
    for each in (tokens, SessionTokens(tmp_path / "access.json", PASSWORDS, lambda: now[0])):
        assert each.read(first) is None
        assert each.read(other)
    now[0] += LIFE_SECONDS
    late = tokens.issue("operator")
    tokens.revoke(tokens.read(late))
    assert len(json.loads((tmp_path / "access.json").read_text())["ended"]) == 1, "it must not grow"


@pytest.mark.parametrize(
    "content", ["", '{"secret": "0', "[]", "{}", '{"secret": "xyz", "ended": {}}', "[" * 9999]
)
def test_a_file_that_was_cut_off_or_changed_is_one_line_that_says_what_is_lost(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "access.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as e:
        SessionTokens(path, PASSWORDS)
    assert str(e.value).startswith(f"{path}: expected the page's log-ins")
    assert str(e.value).endswith("remove it, and everyone logs in again")


def test_the_secret_is_this_user_s_alone(tmp_path: Path) -> None:
    SessionTokens(tmp_path / "access.json", PASSWORDS)
    assert stat.S_IMODE((tmp_path / "access.json").stat().st_mode) == 0o600
    text = (tmp_path / "access.json").read_text()
    assert not [word for word in (PASSWORDS.operator, PASSWORDS.viewer) if word in text]


@pytest.mark.parametrize(
    "path, safe",
    [
        ("/live/me?x=1", "/live/me?x=1"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("http://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\tx", "/"),
        ("/login?next=/login", "/"),
    ],
)
def test_the_way_on_after_the_login_stays_here(path: str, safe: str) -> None:
    assert local_path(path) == safe


def status(scope: dict, **options) -> int:
    """Return the status of the outermost middleware's answer, 200 if a request passes."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def ask() -> int:
        sent = []

        async def send(message):
            sent.append(message)

        await SameOrigin(app, **options)(scope, None, send)
        return sent[0]["status"]

    return apart(ask)


def request(method: str = "GET", **headers: str) -> dict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    coded = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "method": method, "path": "/", "headers": coded}


LINK = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
FRAME = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}
IMAGE = {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "method, how, code",
    [("GET", LINK, 200), ("GET", FRAME, 403), ("GET", IMAGE, 403), ("POST", LINK, 403)],
)
def test_another_site_may_link_here_but_not_embed_or_write(
    site: str, method: str, how: dict, code: int
) -> None:
    asked = request(method, host="127.0.0.1:7860", sec_fetch_site=site, **how)
    assert status(asked, local=True) == code


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_page_s_own_requests_pass(site: str) -> None:
    asked = {"host": "localhost:7860", "origin": "http://localhost:7860", "sec_fetch_site": site}
    assert status(request("POST", **asked), local=True) == 200


@pytest.mark.parametrize(
    "host, local, names, code",
    [
        ("127.0.0.1:7860", True, (), 200),
        ("[::1]:7860", True, (), 200),
        ("LOCALHOST", True, (), 200),
        ("evil.example", True, (), 403),
        ("", True, (), 403),
        ("[::1", True, (), 403),
        ("192.168.1.7", True, (), 403),
        ("trader.lan", True, ("trader.lan",), 200),
        ("trader.lan:7860", False, (), 200),
        ("192.168.1.7:7860", False, ("trader.lan",), 200),
        ("evil.example", False, ("trader.lan",), 403),
    ],
)
def test_names_that_are_not_the_page_s_are_refused(
    host: str, local: bool, names: tuple[str, ...], code: int
) -> None:
    assert status(request(host=host), local=local, names=names) == code
