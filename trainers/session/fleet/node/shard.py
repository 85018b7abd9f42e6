"""A shard of a fleet on one node: takes its markets over, follows and trains them until the end.

    python -m trainers.session.fleet.node.shard RUN_ID --markets A,B --home FOLDER --holder NAME

    store -> files in FOLDER/RUN_ID -> feed, trainer -> files -> store

Its actor starts it. It ends with its actor, and it ends by itself once another has its markets.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path

from streaming.errors import reason_of
from streaming.program.console import Parser, say
from streaming.program.entry_point import entry_point
from streaming.program.environment import ONE_THREAD
from streaming.program.process import end_with_parent, on_end
from streaming.program.whole_file import write_whole
from streaming.symbols import file_name
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.errors import RecordError
from trainers.recording.files import CONFIG, CONTROLS, DECISIONS, OURS, RECORD, of_market
from trainers.session.fleet.node.homes import keep
from trainers.session.processes.programs import FEED, FORKED, LAUNCHER
from trainers.session.processes.supervisor import Child, Supervisor
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.guard import Guard
from trainers.tracking.travel.mirror import Mirror
from trainers.tracking.travel.objects import Objects, objects_at
from trainers.tracking.travel.takeover import take_over_all
from trainers.tracking.uploads import Uploads, deliver_left

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 20.0  # a trainer brings its record to the store before it ends


class NodeShard:
    """Some markets of a session, on this machine.

    Args:
        client: the MLflow store's client.
        run: the session's run id.
        markets: the markets to take over.
        home: an empty folder of this machine.
        holder: who takes them, for people.

    Attributes:
        folder: the session's folder on this machine.

    Raises:
        RecordError: if the store lacks the session's settings or something of a market.
    """

    def __init__(
        self, client: MlflowClient, run: str, markets: Sequence[str], home: Path, holder: str
    ) -> None:
        self._client, self._markets = client, markets
        self.folder = home / run
        self.folder.mkdir(parents=True)
        objects = objects_at(client.get_run(run).info.artifact_uri)
        if (settings := objects.get(f"{RECORD}/{CONFIG}")) is None:
            raise RecordError(f"session {run}: expected its {CONFIG} in the store, there is none")
        (self.folder / CONFIG).write_bytes(settings)
        self._config = SessionConfig.load(self.folder / CONFIG)
        self._first = self._config.symbol_list[0]
        epochs = Epochs(client.tracking_uri, run)
        ours = take_over_all(epochs, objects, markets, self.folder, self._config, holder)
        self._mirrors = self._others(objects)
        write_whole(self.folder / OURS, json.dumps(ours).encode())

    def _others(self, objects: Objects) -> list[Mirror]:
        """Return the mirrors of what this shard needs of other markets."""
        if self._first not in self._markets:
            return [Mirror(objects, self.folder, self._first, [CONTROLS])]
        others = [name for name in self._config.symbol_list if name not in self._markets]
        return [
            Mirror(objects, self.folder, name, [f"{file_name(name)}{DECISIONS}"]) for name in others
        ]

    def run(self) -> int:
        """Follow and train the markets until they are done; return the exit code."""
        over = threading.Event()
        follow = threading.Thread(target=self._follow, args=(over,), daemon=True)
        follow.start()
        supervisor = Supervisor(self.folder, self._workers())
        on_end(lambda *_: supervisor.stop())
        code = supervisor.run(lambda: None)
        over.set()
        return code or self.bring_the_rest()

    def _workers(self) -> list[Child]:
        """Return the processes that follow the markets and train them."""
        flags = [str(self.folder), "--markets", ",".join(self._markets)]
        launcher = ["-m", FORKED, LAUNCHER, *flags]
        return [
            Child("feed", ["-m", FEED, *flags]),
            Child("trainer", launcher, env=ONE_THREAD, patience=PATIENCE_SECONDS),
        ]

    def _follow(self, over: threading.Event) -> None:
        while True:
            try:
                for mirror in self._mirrors:
                    mirror.go()
            except (*STORE_ERRORS, OSError):
                pass  # the trainer says that the store is away; what is new then comes later
            if over.wait(LOOK_SECONDS):
                return

    def bring_the_rest(self) -> int:
        """Bring what the processes have left behind to the store: nothing stays on this machine.

        A trainer has little time to end, so MLflow may lack its newest metrics.

        Returns:
            The exit code.

        Raises:
            ReplacedError: if another has taken a market over.
            MlflowException, SQLAlchemyError, OSError: if the store does not answer.
        """
        guard = Guard(self._client, self.folder, self._markets, self._first)
        for market in self._markets:
            path = of_market(self.folder, market, DECISIONS)
            if path.exists():
                with contextlib.closing(DecisionLog(path)) as log:
                    Uploads(self._client, self.folder, market, log).closed_segments()
        guard.go()
        deliver_left(self._client, self.folder)
        guard.go()  # checkpoints travel only now
        return 0


@entry_point("shard", outside=STORE_ERRORS)
def main() -> int:
    """Run as a process of an actor."""
    begin_process("shard")
    end_with_parent()
    parser = Parser(prog="shard")
    parser.add_argument("run", help="the session's run id")
    parser.add_argument("--markets", required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--holder", default="")
    given = parser.parse_args()
    client = MlflowClient(tracking_uri(Path.cwd()))
    shard = NodeShard(client, given.run, given.markets.split(","), given.home, given.holder)
    try:
        return shard.run()
    except (*STORE_ERRORS, OSError) as e:
        kept = keep(given.home)
        say(f"the rest of {given.markets} stays in {kept}: {reason_of(e)}", error=True)
        return 1


if __name__ == "__main__":
    main()
