"""Proxies that the environment names."""

from __future__ import annotations

import os

import pytest

from streaming.feed.rest import proxies
from streaming.feed.rest.proxies import on_this_machine, proxy_fault

WS, REST = "wss://stream.example:9443/stream", "https://api.example/api"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:80/x", True),
        ("ws://localhost", True),
        ("http://[::1]:8", True),
        ("https://api.binance.com", False),
        ("http://127.evil.example", False),
    ],
)
def test_this_machine_is_known_by_its_loopback_names(url, here):
    assert on_this_machine(url) is here


@pytest.mark.parametrize("url", [WS, REST])
def test_without_a_proxy_and_with_an_http_proxy_all_is_well(url, monkeypatch):
    assert proxy_fault(url) == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.example:3128")
    assert proxy_fault(url) == ""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert proxy_fault(url) == ""


@pytest.mark.parametrize("url", [WS, REST])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks", "ftp"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    url, variable, scheme, monkeypatch
):
    monkeypatch.setenv(variable, f"{scheme}://user:secret@127.0.0.1:7890/")
    fault = proxy_fault(url)
    assert f"{variable} names the proxy {scheme}://127.0.0.1:7890" in fault
    assert "secret" not in fault
    assert "\n" not in fault


def test_a_socks_proxy_is_fine_for_the_stream_where_its_package_is_installed(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:7890")
    assert "python-socks, which is not installed" in proxy_fault(WS)
    monkeypatch.setattr(proxies, "SOCKS_PACKAGE", "websockets")  # one that is there
    assert proxy_fault(WS) == ""
    assert "not SOCKS" in proxy_fault(REST)


def test_addresses_that_no_proxy_is_for_need_none(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:7890")
    monkeypatch.setenv("no_proxy", "example")
    assert proxy_fault(WS) == ""
    assert proxy_fault("ws://127.0.0.1:9") == ""
