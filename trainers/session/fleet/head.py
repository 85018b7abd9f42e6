"""The head of a fleet: sees that each shard has its actor, and keeps the session's folder whole.

    python -m trainers.session.fleet.head SESSION_FOLDER [--address HOST:PORT]

Actors do not need it: they train on while it is away. What it copies of their records is for who
looks at the session here, as the page does, and for the record of the session at its end.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from streaming.errors import reason_of
from streaming.events import Code, EventWriter
from streaming.program.console import Parser, say
from streaming.program.entry_point import entry_point
from streaming.program.process import end_with_parent, on_end
from streaming.program.whole_file import write_whole
from trainers.config import SessionConfig
from trainers.names import Tag
from trainers.recording.files import CONFIG, RECORD, SHARES, read_json
from trainers.session.fleet.cluster import LocalRay
from trainers.session.fleet.node.actor import FINAL
from trainers.session.fleet.placement import next_move
from trainers.session.fleet.shards import Seen, Shards
from trainers.session.processes.shards import shares_of
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.market_mirror import MarketMirror
from trainers.tracking.travel.objects import objects_at

MOST_MOVES, MOST_NAMED = 8, 4  # in the tag, which MLflow cuts off at 8,000 characters
LOOK_SECONDS = 1.0
CALM_SECONDS = 20.0  # after a shard has come to a node, before another is moved
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
        self._config = SessionConfig.load(session / CONFIG)
        self._epochs = Epochs(client.tracking_uri, session.name)
        self._events = EventWriter(session, "fleet")
        self._stopped = threading.Event()
        self._seen: list[Seen | None] = []
        self._changed = 0.0  # when a shard has last come to a node, s of the monotonic clock
        self._client, self._moves, self._told = client, deque[str](maxlen=MOST_MOVES), ""
        self._objects = objects_at(client.get_run(session.name).info.artifact_uri)
        markets = self._config.symbol_list
        self._mirrors = [
            MarketMirror(self._objects, session, name, self._config, first=name == markets[0])
            for name in markets
        ]

    def stop(self) -> None:
        """End the fleet soon; safe to call from a signal handler."""
        self._stopped.set()

    def run(self) -> int:
        """Run until every shard has ended, or ``stop`` is called; return the exit code."""
        self._objects.put(f"{RECORD}/{CONFIG}", (self._session / CONFIG).read_bytes())
        self._epochs.prepare()
        self._shards.stand_by()
        self._shards.make()
        while not self._stopped.is_set() and not self._all_ended:
            self._look()
            self._copy()
            self._stopped.wait(LOOK_SECONDS)
        return self._end()

    def _look(self) -> None:
        """Say what has changed on the cluster since the last look; even its nodes out."""
        nodes = self._shards.stand_by()
        new = self._shards.look()
        before = self._seen or [None] * len(new)
        for number, (was, now) in enumerate(zip(before, new, strict=True), 1):
            name = f"shard {number} of {len(new)}"
            if now and (was is None or was.started != now.started):
                moved, self._changed = f", was on {was.node[:8]}" if was else "", time.monotonic()
                self._say(f"{name} runs on node {now.node[:8]} ({now.host}){moved}")
            if now and now.code and not (was and was.code):
                self._say(f"{name} has ended for good, exit code {now.code}; see Ray's logs there")
        # What does not answer now keeps its last look: Ray makes it again.
        self._seen = [now or was for was, now in zip(before, new, strict=True)]
        self._tell_mlflow()
        if all(now and now.code is None for now in new):
            self._even_out([now.node for now in new if now], nodes)

    def _even_out(self, places: list[str], nodes: list[str]) -> None:
        """Move a shard to a node that has joined, once that node can take it at once."""
        if time.monotonic() - self._changed < CALM_SECONDS:
            return  # it would be taken away again before it has its markets
        move = next_move(places, nodes)
        if move is None or not self._shards.is_ready(move.to):
            return
        self._say(f"shard {move.shard + 1} of {len(places)} moves to node {move.to[:8]}")
        if not self._shards.move(move):
            self._say(f"shard {move.shard + 1} of {len(places)} does not end; it stays")

    def _tell_mlflow(self) -> None:
        """Write the tag from which the page has its table, if it has changed."""
        with contextlib.suppress(*STORE_ERRORS):  # it is written at one of the next looks
            rows = rows_of(self._seen, self._shards.shares, self._epochs.now())
            told = json.dumps({"shards": rows, "moves": list(self._moves)})
            if told != self._told:
                self._client.set_tag(self._session.name, Tag.FLEET, told)
                self._told = told

    @property
    def _all_ended(self) -> bool:
        return bool(self._seen) and all(seen and seen.code in FINAL for seen in self._seen)

    def _copy(self) -> None:
        try:
            for mirror in self._mirrors:
                mirror.go()
        except (*STORE_ERRORS, OSError) as e:
            self._say(f"the copy of the record waits: {reason_of(e)}")

    def _end(self) -> int:
        """End the shards, copy the rest, and let the actors go."""
        self._shards.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while not self._all_ended and time.monotonic() < deadline:
            self._seen = self._shards.look() or self._seen
            time.sleep(0.2)
        self._shards.end()
        self._copy()
        for mirror in self._mirrors:
            with contextlib.suppress(*STORE_ERRORS, OSError):
                mirror.copy_the_rest()
            mirror.close()
        self._events.close()
        return max((seen.code or 0 for seen in self._seen if seen), default=1)

    def _say(self, text: str) -> None:
        self._events.say(Code.FLEET, text, time.time_ns())
        self._moves.appendleft(f"{time.strftime('%H:%M:%S', time.gmtime())} UTC  {text}")
        say(f"fleet      {text}")


def rows_of(
    seen: Sequence[Seen | None], shares: Sequence[Sequence[str]], epochs: Mapping[str, int]
) -> list[dict[str, object]]:
    """Return what the tag says of each shard that has been seen."""
    return [
        {
            "shard": number,
            "node": found.node[:8],
            "host": found.host,
            "markets": ", ".join(markets[:MOST_NAMED]) + (" ..." if markets[MOST_NAMED:] else ""),
            "epochs": ", ".join(str(epochs.get(name, 0)) for name in markets[:MOST_NAMED]),
            "since": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.started)),
        }
        for number, (found, markets) in enumerate(zip(seen, shares, strict=True), 1)
        if found
    ]


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
