"""The arena: any number of entrants on one market, and who is proven ahead of whom.

    python -m trainers.research.arena --source tape:PATH --learners a,b,c

A tape is backtested; any other source is a session. The leaderboard is a table among the run's
artifacts, on the Evidence tab, and in the terminal at the end.
"""

from __future__ import annotations

import logging
from pathlib import Path

from streaming.program.entry_point import entry_point
from trainers.config.arena import ArenaConfig
from trainers.research.backtest import backtest
from trainers.session.__main__ import run
from trainers.tracking.store import STORE_ERRORS


@entry_point("arena", outside=STORE_ERRORS)
def main() -> int:
    """Run the arena from the command line."""
    logging.basicConfig(level=logging.WARNING, format="arena: %(message)s", force=True)
    config = ArenaConfig.from_args()
    if config.is_backtest:
        return backtest(config.backtest(), Path.cwd())
    return run(config.session(), Path.cwd())


if __name__ == "__main__":
    main()
