"""This machine's own address, and an environment in which its servers are reached directly.

A session's processes speak with each other, and often with MLflow, on this machine. A proxy that a
shell names, as ``ALL_PROXY``, knows nothing of them.
"""

from __future__ import annotations

from collections.abc import MutableMapping

LOOPBACK = "127.0.0.1"
THIS_MACHINE = (LOOPBACK, "localhost", "::1")
# A process with threads cannot be forked safely, and threads gain a trainer nothing.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
EXCEPTIONS = ("no_proxy", "NO_PROXY")
USABLE = ("http", "https")


def reach_this_machine_directly(environ: MutableMapping[str, str]) -> None:
    """Except this machine from the proxies of an environment, if there are any."""
    if not _proxies(environ):
        return
    given = next((environ[name] for name in EXCEPTIONS if environ.get(name)), "")
    wanted = ",".join(dict.fromkeys([*filter(None, given.split(",")), *THIS_MACHINE]))
    for name in EXCEPTIONS:
        environ[name] = given if given.strip() == "*" else wanted


def drop_unusable(environ: MutableMapping[str, str]) -> list[str]:
    """Remove the proxies that are no HTTP proxies; return the variables that named them.

    HTTPX, which Gradio is made with, cannot even be imported beside most of them.
    """
    dropped = [
        name for name, value in _proxies(environ).items()
        if "://" in value and value.partition("://")[0].strip().lower() not in USABLE
    ]  # fmt: skip
    for name in dropped:
        del environ[name]
    return sorted(dropped)


def _proxies(environ: MutableMapping[str, str]) -> dict[str, str]:
    names = [name for name in environ if name.lower().endswith("_proxy") and name not in EXCEPTIONS]
    return {name: environ[name] for name in names if environ[name]}
