"""Searches a learner's settings by backtests on recorded tapes, and says how much of it is luck.

    python -m trainers.research.tune --source tape:PATH --learner cnn --trials 50

Nothing is promoted. Ctrl-C ends the search after the running cycles; ``--resume`` goes on with it,
after a kill too. It needs Optuna (requirements-tune.txt).
"""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from streaming.errors import ConfigError
from streaming.program.entry_point import entry_point
from trainers.config.tune import TuneConfig
from trainers.tracking.store import STORE_ERRORS

EXTRA = "optuna"


@entry_point("tune", outside=STORE_ERRORS)
def main() -> int:
    """Search from the command line."""
    logging.basicConfig(level=logging.WARNING, format="tune: %(message)s", force=True)
    config = TuneConfig.from_args()
    if importlib.util.find_spec(EXTRA) is None:
        raise ConfigError(
            f"tune: expected the package {EXTRA}, which is not installed;"
            " python -m pip install -r requirements-tune.txt"
        )
    from trainers.research.tuning.running import tune  # noqa: PLC0415

    return tune(config, Path.cwd())


if __name__ == "__main__":
    main()
