"""Passwords, and on which addresses the page may be shown without one."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.errors import ConfigError
from trainers.config import SessionConfig, host_names
from trainers.session.__main__ import take_passwords
from trainers.session.access import Passwords, check_access
from trainers.session.processes.children import children_of

PROJECT = Path(__file__).parents[2]
OPERATOR, VIEWER = "TICKLOOP_OPERATOR_PASSWORD", "TICKLOOP_VIEWER_PASSWORD"
SECRET = "correct horse"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_password(host):
    check_access(host, Passwords())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "trader.lan", "127.0.0.1.x"])
def test_any_other_address_needs_one(host):
    with pytest.raises(ConfigError, match=r"^page_host: got .*; allowed: 127.0.0.1") as refused:
        check_access(host, Passwords())
    assert OPERATOR in str(refused.value)
    check_access(host, Passwords(operator=SECRET))
    check_access(host, Passwords(viewer=SECRET))


@pytest.mark.parametrize(
    "environ, allowed",
    [
        ({OPERATOR: "short"}, "got 5 characters; allowed: 8"),
        ({VIEWER: " "}, "got 1 characters; allowed: 8"),
        ({OPERATOR: SECRET, VIEWER: SECRET}, "got the operator's; allowed: another"),
    ],
)
def test_a_bad_password_is_refused_and_not_repeated(environ, allowed):
    with pytest.raises(ConfigError, match=allowed) as refused:
        Passwords.of(environ)
    assert not [word for word in environ.values() if word.strip() and word in str(refused.value)]


def test_an_empty_variable_is_no_password():
    assert Passwords.of({OPERATOR: "", VIEWER: ""}) == Passwords()


def test_passwords_are_not_shown_when_printed():
    assert SECRET not in repr(Passwords(operator=SECRET))


def test_host_names_are_names():
    assert host_names(" Trader.lan,a-b ,") == {"trader.lan", "a-b"}
    for wrong in ("trader.lan:80", "http://x", "a/b", "<b>"):
        with pytest.raises(ConfigError, match=r"^page_names: got"):
            host_names(wrong)


def test_only_the_page_is_told_the_passwords(tmp_path):
    environ = {OPERATOR: SECRET, "HOME": "/root"}
    passwords = take_passwords(environ)
    assert environ == {"HOME": "/root"}
    children = children_of(SessionConfig(), tmp_path, "sqlite:///x.db", passwords)
    told = [child.name for child in children if SECRET in child._env.values()]
    assert told == ["page"]
    assert not [child for child in children if any(SECRET in word for word in child.argv)]


def test_no_setting_is_a_password():
    assert not [f.name for f in dataclasses.fields(SessionConfig) if "password" in f.name]


def start(cwd, **environ):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TICKLOOP_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, "-m", "trainers.session", "--page_host", "0.0.0.0"],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(PROJECT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "environ, said",
    [
        ({}, f"page_host: got '0.0.0.0'; allowed: 127.0.0.1, ::1 or localhost, unless {OPERATOR}"),
        ({VIEWER: "viewer"}, f"{VIEWER}: got 6 characters; allowed: 8 or more"),
    ],
)
def test_a_session_for_others_without_a_good_password_is_one_line_and_code_2(
    tmp_path, environ, said
):
    done = start(tmp_path, **environ)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert f"tickloop: {said}" in done.stderr
    assert not list(tmp_path.iterdir())
