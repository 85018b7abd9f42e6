"""A training process of a session.

    python -m trainers.session.trainer SESSION_FOLDER [--markets SYMBOL,...]

It trains the given markets, by default all markets of the session. It ends after ``cycles`` cycles,
on SIGTERM, or when its parent is gone. The trainer that has the session's first market also writes
the session's own run: answers to operators' requests, events, and the sums over all markets.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from streaming.errors import ConfigError, RingError
from streaming.program.console import Parser
from streaming.program.entry_point import entry_point
from streaming.program.process import end_with_parent, on_end
from trainers.config import SessionConfig
from trainers.learners.determinism import deterministic
from trainers.recording.files import CONFIG
from trainers.session.trainer.trainer import Trainer
from trainers.tracking.store import STORE_ERRORS, begin_process


def arguments(argv: list[str]) -> tuple[Path, list[str]]:
    """Return the session's folder and the markets to train.

    Raises:
        ConfigError: if the session has no such market.
    """
    parser = Parser(prog="python -m trainers.session.trainer", description=__doc__)
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("--markets", default="", help="its markets to train, all by default")
    given = parser.parse_args(argv)
    known = SessionConfig.load(given.session / CONFIG).symbol_list
    markets = [name for name in given.markets.split(",") if name] or known
    for name in markets:
        if name not in known:
            raise ConfigError(f"markets: got {name!r}; allowed: {', '.join(known)}")
    return given.session, [name for name in known if name in markets]


# Another start finds a damaged ring again.
@entry_point("trainer", outside=STORE_ERRORS, codes={RingError: 2})
def main() -> None:
    """Run as a process of a session."""
    begin_process("trainer")
    deterministic()
    end_with_parent()
    trainer = Trainer(*arguments(sys.argv[1:]))
    on_end(lambda *_: trainer.stop())
    with contextlib.closing(trainer):
        trainer.run()
    # Everything is delivered and flushed; unloading torch and MLflow would take another second.
    os._exit(0)


if __name__ == "__main__":
    main()
