"""A store as in the cloud, on this machine, for trial: `make cloud`.

    python -m trainers.tracking.trial [--folder build/cloud]

    PostgreSQL (metrics, tags) + an S3 server (artifacts) <── sessions, pages, replays

Both have passwords of their own, listen on this machine only, and end with Ctrl-C.
"""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import NoReturn

from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.process import on_end
from streaming.program.settings import Settings, setting
from trainers.tracking.store import ensure_store
from trainers.tracking.trial.store import TrialStore

POLL_SECONDS = 0.5

TOLD = """\
store      runs until Ctrl-C, with its data in {folder}
use it     in another terminal: . {file}
           then as always: make, mlflow run, mlflow ui, replays; from any folder of Tickloop
a real one set the same variables to its addresses and keys: docs/cloud.md"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CloudConfig(Settings):
    """A PostgreSQL server and an S3 server on this machine, as a store for trial."""

    folder: str = setting("build/cloud", "folder for the data and the passwords")
    postgres_port: int = setting(5433, "PostgreSQL's port", low=1, high=65_535)
    s3_port: int = setting(9033, "the S3 server's port", low=1, high=65_535)


@entry_point("cloud")
def main() -> None:
    """Run the store until it is told to end."""
    config = CloudConfig.from_args()
    on_end(_end)
    folder = Path(config.folder).resolve()
    say("starting   PostgreSQL and an S3 server; Ctrl-C ends them")
    try:
        with TrialStore(folder, config.postgres_port, config.s3_port) as store:
            os.environ.update(store.environment)
            ensure_store(Path.cwd())
            say(TOLD.format(folder=folder, file=store.file))
            while True:
                store.check()
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        say("store      ended; its data is kept")


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
