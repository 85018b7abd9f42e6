"""The head of a fleet: sees that each shard has its actor, and keeps the session's folder whole.

    python -m trainers.session.fleet.head SESSION_FOLDER [--address HOST:PORT]

Actors do not need it: they train on while it is away. What it copies of their records is for who
looks at the session here, as the page does, and for the record of the session at its end.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from streaming.events import Code, EventWriter
from streaming.program.console import Parser, say
from streaming.program.entry_point import entry_point
from streaming.program.process import end_with_parent, on_end
from streaming.program.whole_file import write_whole
from trainers.config import SessionConfig
from trainers.recording.files import CONFIG, RECORD, SHARES, read_json
from trainers.recording.travel.local_record import News
from trainers.session.fleet.cluster import LocalRay
from trainers.session.fleet.placement import next_move
from trainers.session.fleet.record_copy import RecordCopy
from trainers.session.fleet.shard_table import ShardTable
from trainers.session.fleet.shards import Shards
from trainers.session.fleet.sightings import Sightings
from trainers.session.processes.shards import shares_of
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import objects_at

LOOK_SECONDS = 0.5
STOP_SECONDS = 60.0


class Head:
    """The head of one session.

    Args:
        client: the MLflow store's client.
        session: the session's folder; its name is the run id.
        shards: the shards on the cluster.
    """

    def __init__(self, client: MlflowClient, session: Path, shards: Shards) -> None:
        self._session, self._shards = session, shards
        self._epochs = Epochs(client.tracking_uri, session.name)
        self._events = EventWriter(session, "fleet")
        self._stopped = threading.Event()
        self._sightings = Sightings(len(shards.shares))
        self._table = ShardTable(client, session.name, shards.shares)
        self._objects = objects_at(client.get_run(session.name).info.artifact_uri)
        self._record = RecordCopy(self._objects, session, SessionConfig.load(session / CONFIG))

    def stop(self) -> None:
        """End the fleet soon; safe to call from a signal handler."""
        self._stopped.set()

    def run(self) -> int:
        """Run until every shard has ended, or ``stop`` is called; return the exit code."""
        self._objects.put(f"{RECORD}/{CONFIG}", (self._session / CONFIG).read_bytes())
        self._epochs.prepare()
        self._shards.stand_by()
        self._shards.make()
        while not self._stopped.is_set() and not self._sightings.all_ended:
            self._look()
            self._copy(self._shards.news(self._record.sizes()))
            self._stopped.wait(LOOK_SECONDS)
        return self._end()

    def _look(self) -> None:
        """Say what has changed on the cluster since the last look; even its nodes out."""
        nodes = self._shards.stand_by()
        for text in self._sightings.add(self._shards.look(), time.monotonic()):
            self._say(text)
        self._table.tell(self._sightings.seen)
        self._even_out(nodes)

    def _even_out(self, nodes: list[str]) -> None:
        """Move a shard to a node that has joined, once that node can take it at once."""
        places = self._sightings.movable(time.monotonic())
        move = next_move(places, nodes)
        if move is None or not self._shards.is_ready(move.to):
            return
        name = f"shard {move.shard + 1} of {len(places)}"
        self._say(f"{name} moves to node {move.to[:8]}")
        if not self._shards.move(move):
            self._say(f"{name} did not end in time: it goes on from what the store has")

    def _copy(self, news: Mapping[str, News]) -> None:
        if text := self._record.go(news):
            self._say(text)

    def _end(self) -> int:
        """End the shards, copy the rest, and let the actors go."""
        self._shards.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while not self._sightings.all_ended and time.monotonic() < deadline:
            self._sightings.add(self._shards.look(), time.monotonic())
            time.sleep(0.2)
        self._shards.end()
        self._copy({})
        self._record.close()
        self._events.close()
        return self._sightings.code

    def _say(self, text: str) -> None:
        self._events.say(Code.FLEET, text, time.time_ns())
        self._table.note(text)
        say(f"fleet      {text}")


def shares(session: Path, config: SessionConfig) -> list[list[str]]:
    """Return the markets of each shard: those of the first head of the session.

    Raises:
        RecordError: if what the first head has noted is damaged.
    """
    path = session / SHARES
    if not path.exists():
        noted = shares_of(config.symbol_list, config.shards)
        write_whole(path, json.dumps(noted).encode())
    advice = f"remove it if --shards is {config.shards}, as it was when the session began"
    return read_json(path, list[list[str]], "the markets of each shard", advice)


@entry_point("fleet", outside=STORE_ERRORS)
def main() -> int:
    """Run as a process of a session."""
    begin_process("fleet")
    end_with_parent()
    parser = Parser(prog="fleet")
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("--address", default="", help="the Ray cluster; none: this machine")
    given = parser.parse_args()
    session: Path = given.session.absolute()
    local = None if given.address else LocalRay(session)
    config = SessionConfig.load(session / CONFIG)
    address = local.address() if local else given.address
    shards = Shards(address, session.name, shares(session, config), Path.cwd())
    head = Head(MlflowClient(tracking_uri(Path.cwd())), session, shards)
    on_end(lambda *_: head.stop())
    code = head.run()
    if local:
        local.stop()
    return code


if __name__ == "__main__":
    main()
