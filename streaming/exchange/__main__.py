"""Run the exchange of a session.

    python -m streaming.exchange SESSION_FOLDER

A tape, and a simulated market above speed 1, wait for the trainers (``streaming.rings.credit``).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
from pathlib import Path
from urllib.parse import urlsplit

from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.exchange.server import Exchange
from streaming.program.entry_point import entry_point
from streaming.program.process import end_with_parent, on_end_in
from streaming.rings.credit import Credits


async def run(config: StreamConfig, folder: Path) -> int:
    """Serve until a signal ends it; return the exit code.

    Args:
        config: the session's stream settings.
        folder: the session's folder.

    Raises:
        TickloopError: if the config names no market or tape that can be served.
        OSError: if the port is in use.
    """
    stop = asyncio.Event()
    code = on_end_in(asyncio.get_running_loop(), stop.set)
    credits = Credits(folder, config.symbol_list) if config.waits else None
    async with Exchange(config, folder, credits=credits) as exchange:
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, exchange.pacing}, return_when=asyncio.FIRST_COMPLETED)
        if exchange.pacing.done():
            exchange.pacing.result()  # raises what has ended it
    return code()


@entry_point("exchange")
def main() -> int:
    """Run one session's exchange."""
    end_with_parent()
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    match sys.argv[1:]:
        case [folder] if not folder.startswith("-"):
            session = Path(folder)
        case _:
            raise ConfigError("usage: python -m streaming.exchange SESSION_FOLDER")
    config = _load(session)
    try:
        return asyncio.run(run(config, session))
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(f"venue_ws: {config.venue_ws} is in use; end its user") from e


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
