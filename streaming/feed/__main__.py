"""Run the feed of a session.

python -m streaming.feed SESSION_FOLDER [--markets SYMBOL,...]
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from pathlib import Path

from streaming.config import StreamConfig
from streaming.feed.feed import follow
from streaming.program.console import Parser
from streaming.program.entry_point import entry_point
from streaming.program.process import end_with_parent, on_end_in


async def stream(session: Path, markets: str) -> int:
    """Run the feed of ``session`` until SIGTERM or SIGINT; return the exit code.

    Args:
        session: the session's folder.
        markets: those of its markets to follow, as its setting names them; all if it is empty.
    """
    config = StreamConfig.load(session / "config.json")
    config = dataclasses.replace(config, symbols=markets or config.symbols)
    task = asyncio.create_task(follow(config, session))
    code = on_end_in(asyncio.get_running_loop(), task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return code()


@entry_point("feed")
def main() -> int:
    """Run as a process of a session."""
    logging.basicConfig(level=logging.WARNING, format="feed: %(message)s")
    end_with_parent()
    parser = Parser(prog="python -m streaming.feed")
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("--markets", default="", help="its markets to follow, all by default")
    given = parser.parse_args()
    return asyncio.run(stream(given.session, given.markets))


if __name__ == "__main__":
    main()
