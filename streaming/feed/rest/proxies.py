"""Proxies that the environment names: which one an address would go through, and if that works."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import urllib.parse
import urllib.request

# The variables that are looked at, by the scheme of the address; streams as `websockets` does.
LOOKED_AT = {
    "http": ("http",),
    "https": ("https",),
    "ws": ("ws", "socks", "https", "http"),
    "wss": ("wss", "socks", "https"),
}
SOCKS_PACKAGE = "python_socks"


def on_this_machine(url: str) -> bool:
    """Return whether ``url`` names a loopback address, for which no proxy is used."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_fault(url: str) -> str:
    """Return why the proxy for ``url`` cannot be used, in words; "" if it can or there is none."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if on_this_machine(url) or urllib.request.proxy_bypass(host):
        return ""
    proxies = urllib.request.getproxies()
    kind = next((kind for kind in LOOKED_AT[parts.scheme] if proxies.get(kind)), "")
    if not kind:
        return ""
    scheme, address = _split(proxies[kind])
    named = f"{_variable(kind)} names the proxy {scheme}://{address}"
    cure = f"; or unset the variable, or set NO_PROXY={host}"
    is_stream = parts.scheme in ("ws", "wss")
    if scheme in ("http", "https"):
        return ""
    if not scheme.startswith("socks"):
        return f"{named}, allowed: http, https" + ", socks5" * is_stream + cure
    if not is_stream:
        return f"{named}: REST goes through an http proxy only, not SOCKS{cure}"
    if importlib.util.find_spec(SOCKS_PACKAGE) is None:
        return f"{named}: SOCKS needs python-socks, which is not installed: install it{cure}"
    return ""


def _split(proxy: str) -> tuple[str, str]:
    """Return scheme and address of a proxy, without its password."""
    scheme, found, rest = proxy.partition("://")
    scheme, rest = (scheme.lower(), rest) if found else ("http", proxy)
    return scheme, rest.rpartition("@")[2].rstrip("/")


def _variable(kind: str) -> str:
    """Return the name of the variable as it is set."""
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")
    return next((name for name in names if name in os.environ), names[1])
