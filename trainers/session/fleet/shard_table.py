"""The table of a fleet's shards, in the tag from which the page has it."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence

from trainers.names import Tag
from trainers.session.fleet.sightings import Look
from trainers.tracking.store import STORE_ERRORS
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.travel.epochs import Epochs

MOST_MOVES, MOST_NAMED = 8, 4  # in the tag, which MLflow cuts off at 8,000 characters


class ShardTable:
    """Writes the tag ``fleet`` of the session's run.

    Args:
        client: the MLflow store's client.
        run: the session's run id.
        shares: the markets of each shard.
    """

    def __init__(self, client: MlflowClient, run: str, shares: Sequence[Sequence[str]]) -> None:
        self._client, self._run, self._shares = client, run, shares
        self._epochs = Epochs(client.tracking_uri, run)
        self._moves, self._told = deque[str](maxlen=MOST_MOVES), ""

    def note(self, text: str) -> None:
        """Add a line to the newest moves."""
        self._moves.appendleft(f"{time.strftime('%H:%M:%S', time.gmtime())} UTC  {text}")

    def tell(self, seen: Sequence[Look | None]) -> None:
        """Write the tag if it has changed; while the store is away that is left to a later call.

        Args:
            seen: the last look at each shard.
        """
        with contextlib.suppress(*STORE_ERRORS):
            rows = rows_of(seen, self._shares, self._epochs.now())
            told = json.dumps({"shards": rows, "moves": list(self._moves)})
            if told != self._told:
                self._client.set_tag(self._run, Tag.FLEET, told)
                self._told = told


def rows_of(
    seen: Sequence[Look | None], shares: Sequence[Sequence[str]], epochs: Mapping[str, int]
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
