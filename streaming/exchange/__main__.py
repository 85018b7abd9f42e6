"""Run the exchange of a session.

    python -m streaming.exchange SESSION_FOLDER [--ahead SECONDS]

With ``--ahead`` the market goes on for so many seconds of its own from each credit of the session's
trainers (``streaming.credit``). Without, it waits for nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from streaming.config import StreamConfig
from streaming.credit import Credits
from streaming.entry_point import entry_point
from streaming.errors import ConfigError
from streaming.exchange.server import Exchange
from streaming.process import end_signals, end_with_parent
from streaming.ticks import NS_PER_S


async def run(config: StreamConfig, folder: Path, ahead_s: float | None) -> None:
    """Serve until a signal ends it.

    Args:
        config: the session's stream settings.
        folder: the session's folder.
        ahead_s: how long a credit is good for, market seconds; None if no credits are needed.

    Raises:
        TickloopError: if the config names no market or tape that can be served.
        OSError: if the port is in use.
    """
    stop = asyncio.Event()
    for number in end_signals():
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    ahead_ns = None if ahead_s is None else int(ahead_s * NS_PER_S)
    credits = None if ahead_ns is None else Credits(folder, config.symbol_list, ahead_ns)
    async with Exchange(config, folder, credits=credits) as exchange:
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, exchange.pacing}, return_when=asyncio.FIRST_COMPLETED)
        if exchange.pacing.done():
            exchange.pacing.result()  # raises what has ended it


@entry_point("exchange")
def main() -> None:
    """Run one session's exchange."""
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    folder, ahead_s = _arguments(sys.argv[1:])
    config = _load(folder)
    try:
        asyncio.run(run(config, folder, ahead_s))
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(f"venue_ws: {config.venue_ws} is in use; end its user") from e


def _arguments(argv: Sequence[str]) -> tuple[Path, float | None]:
    match argv:
        case [folder] if not folder.startswith("-"):
            return Path(folder), None
        case [folder, "--ahead", seconds]:
            with contextlib.suppress(ValueError):
                return Path(folder), float(seconds)
    raise ConfigError("usage: python -m streaming.exchange SESSION_FOLDER [--ahead SECONDS]")


def _load(folder: Path) -> StreamConfig:
    """Read the session's config.

    Raises:
        ConfigError: if there is no config, or it names no port to listen on.
    """
    path = folder / "config.json"
    try:
        config = StreamConfig.load(path)
    except (OSError, ValueError) as e:
        raise ConfigError(f"{path}: expected a session's config; {e}") from e
    if not urlsplit(config.venue_ws).port:
        raise ConfigError(f"venue_ws: got {config.venue_ws!r}; expected ws://127.0.0.1:PORT")
    return config


if __name__ == "__main__":
    main()
