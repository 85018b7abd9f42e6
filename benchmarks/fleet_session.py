"""A session on a fleet of three nodes, with PostgreSQL and S3, and what is asked of it."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from mlflow.tracking import MlflowClient

from benchmarks.fleet_nodes import Nodes, nodes
from benchmarks.kills import Session
from benchmarks.processes import plain_environment, words_of
from tests.end_to_end.main_job import wait_for
from tests.trial_store import trial_store
from trainers.recording.decision_log import cycles_ended
from trainers.recording.files import DECISIONS, of_market
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import Objects, objects_at
from trainers.tracking.trial.store import TrialStore

NODES = 3
PATIENCE_SECONDS = 600.0
# One learner, short cycles: what is looked at is the record, and more cycles say more of it.
SETTINGS: dict[str, Any] = {"learners": "cnn", "cycle_seconds": 10, "features": "book",
                            "fee_bps": 4, "segment_seconds": 20, "shards": NODES}  # fmt: skip


def names_of(markets: int) -> list[str]:
    """Return the names of so many markets."""
    return [f"M{i:02}USDT" for i in range(markets)]


def load() -> str:
    """Return the load of the machine in words."""
    return f"load {os.getloadavg()[0]:.0f}"


class Fleet(Session):
    """A session whose shards run on the nodes of a cluster.

    Args:
        folder: the project's root.
        rng: decides what is killed, and when.
        cluster: the cluster.
        store: the store.
        markets: how many markets it has.
        settings: of the session.
    """

    def __init__(
        self,
        folder: Path,
        rng: random.Random,
        cluster: Nodes,
        store: TrialStore,
        markets: int,
        **settings: Any,
    ) -> None:
        self.markets = names_of(markets)
        self.cluster, self.store = cluster, store
        super().__init__(
            folder, rng, module="trainers.session.fleet", environment=cluster.environment,
            symbols=",".join(self.markets), address=cluster.address, **{**SETTINGS, **settings},
        )  # fmt: skip

    @property
    def session(self) -> Path:
        """The session's folder on the head."""
        return wait_for(self.sessions, "the session's folder", PATIENCE_SECONDS)[0]

    @property
    def client(self) -> MlflowClient:
        """The store's client."""
        return MlflowClient(self.store.postgres.uri)

    @property
    def epochs(self) -> Epochs:
        """Who has the markets."""
        return Epochs(self.store.postgres.uri, self.session.name)

    @property
    def objects(self) -> Objects:
        """The objects of the session's run."""
        return objects_at(self.client.get_run(self.session.name).info.artifact_uri)

    def cycles_of_all(self) -> list[int]:
        """Return how many cycles have ended, market by market, as far as the head knows."""
        logs = [of_market(self.session, name, DECISIONS) for name in self.markets]
        return [cycles_ended(log) if log.exists() else 0 for log in logs]

    def wait_for_cycles(self, more: int = 1, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until each market has ended some more cycles."""
        before = self.cycles_of_all()
        wait_for(
            lambda: all(
                now >= was + more for now, was in zip(self.cycles_of_all(), before, strict=True)
            ),
            f"{more} more cycles than {before}; it said: {self.said()[-2000:]}",
            seconds,
        )

    def on_nodes(self, program: str) -> list[psutil.Process]:
        """Return the session's processes on nodes that run a program; titles may be cut off."""
        home = f"{self.folder}/mlruns/"
        return [
            process
            for process in psutil.process_iter()
            for words in [words_of(process)]
            if program in words and any(home in word for word in words)
        ]


@contextlib.contextmanager
def fleet(markets: int, seed: int = 0, **settings: Any) -> Iterator[Fleet]:
    """Run a store, a cluster, and a session on both; end all afterwards.

    Args:
        markets: how many markets.
        seed: of what is killed, and when.
        settings: of the session.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-bench-")))
        store = stack.enter_context(trial_store())
        before = dict(os.environ)
        stack.callback(os.environ.update, before)
        # The second is for who has known of no S3 server when it was imported.
        os.environ.update(store.environment, AWS_RESPONSE_CHECKSUM_VALIDATION="when_required")
        cluster = stack.enter_context(nodes(folder, store.environment, NODES))
        project = folder / "project"
        project.mkdir()
        session = Fleet(project, random.Random(seed), cluster, store, markets, **settings)
        stack.callback(session.end)
        session.start()
        yield session


def replayed(session: Fleet) -> str:
    """Replay a session in an empty folder, with the addresses of the store alone."""
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as empty:
        done = subprocess.run(
            [sys.executable, "-m", "trainers.replay", "--session", session.session.name,
             "--runs", "false"],
            cwd=empty, env=plain_environment() | session.store.environment,
            capture_output=True, text=True,
        )  # fmt: skip
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]
