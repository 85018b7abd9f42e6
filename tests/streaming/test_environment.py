"""Proxies of the shell: this machine is reached without them."""

from __future__ import annotations

import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.program.environment import drop_unusable, reach_this_machine_directly

HOSTS = ("127.0.0.1", "127.0.0.1:5000", "localhost", "localhost:80")


def test_without_a_proxy_the_environment_stays_as_it_is():
    environ = {"PATH": "/bin"}
    reach_this_machine_directly(environ)
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "https_proxy"])
@pytest.mark.parametrize("given", ["", "venue.lan", "venue.lan,127.0.0.1", "*"])
def test_this_machine_is_reached_without_a_proxy_and_exceptions_stay(monkeypatch, name, given):
    environ = {name: "http://10.0.0.1:8080", **({"NO_PROXY": given} if given else {})}
    reach_this_machine_directly(environ)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for each, value in environ.items():
        monkeypatch.setenv(each, value)
    assert all(urllib.request.proxy_bypass_environment(host) for host in HOSTS)
    others = {"venue.lan": given != "", "api.binance.com": given == "*"}
    for host, direct in others.items():
        assert bool(urllib.request.proxy_bypass_environment(host)) == direct


def test_only_http_proxies_stay():
    environ = {
        "ALL_PROXY": "socks5://127.0.0.1:9", "all_proxy": "socks://127.0.0.1:7890/",
        "HTTP_PROXY": "http://127.0.0.1:9", "https_proxy": "10.0.0.1:8080", "NO_PROXY": "x",
        "ftp_proxy": "SOCKS4://u:secret@h:1", "HTTPS_PROXY": "",
    }  # fmt: skip
    assert drop_unusable(environ) == ["ALL_PROXY", "all_proxy", "ftp_proxy"]
    assert set(environ) == {"HTTP_PROXY", "https_proxy", "NO_PROXY", "HTTPS_PROXY"}


@given(st.dictionaries(st.sampled_from(["ALL_PROXY", "http_proxy", "NO_PROXY", "A"]), st.text()))
def test_no_value_is_too_odd_and_a_second_time_changes_nothing(environ):
    reach_this_machine_directly(environ)
    once = dict(environ)
    reach_this_machine_directly(environ)
    assert environ == once
    drop_unusable(environ)
    assert drop_unusable(environ) == []
