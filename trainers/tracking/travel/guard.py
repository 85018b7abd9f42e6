"""What a trainer of a fleet does before it writes to MLflow: its record travels, its epochs hold.

    epochs.json of the folder -> couriers, then the check -> metrics and tags to MLflow

So a metric in MLflow is never of a cycle that the store's record lacks, and a process that was
replaced finds out before it writes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from streaming.program.console import say
from trainers.recording.errors import RESTORE
from trainers.recording.files import OURS, read_json
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.travel.courier import Courier
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.travelled import base_in, prefix_of


class Guard:
    """Carries the record of some markets, and sees that nobody has taken them over.

    Args:
        client: the MLflow store's client.
        folder: the session's folder on this machine; its name is the session's run id.
        markets: the markets of this process.
        first: the session's first market.

    Raises:
        ReplacedError: if another process has taken one over.
        RecordError: if the folder's epochs cannot be read.
        MlflowException, SQLAlchemyError: if the store does not answer.
    """

    def __init__(
        self, client: MlflowClient, folder: Path, markets: Sequence[str], first: str
    ) -> None:
        known = read_json(folder / OURS, dict[str, int], "epochs by market", RESTORE)
        self._ours = {market: known[market] for market in markets}
        self._epochs = Epochs(client.tracking_uri, folder.name)
        self._epochs.check(self._ours)
        objects = objects_at(client.get_run(folder.name).info.artifact_uri)
        self._couriers = []
        for market, epoch in self._ours.items():
            prefix = prefix_of(market, epoch)
            base = base_in(objects, prefix)
            self._couriers.append(
                Courier(objects, prefix, base, folder, market, first=market == first)
            )

    def go(self) -> None:
        """Bring the store's record up to date, then check the epochs.

        Raises:
            ReplacedError: if another process has taken a market over.
            MlflowException: if the artifact store does not answer.
            OSError: if the folder of the artifact store does not.
            SQLAlchemyError: if the database does not answer.
        """
        for courier in self._couriers:
            courier.go()
        self._epochs.check(self._ours)
        for courier in self._couriers:
            courier.forget_what_is_on_tape()

    def go_or_end(self) -> None:
        """Do the same, but end this process at once if it was replaced: it has nothing to save."""
        try:
            self.go()
        except ReplacedError as e:
            say(f"trainer: {e}", error=True)
            os._exit(e.exit_code)


def guard_of(
    client: MlflowClient, folder: Path, markets: Sequence[str], first: str
) -> Guard | None:
    """Return the guard of a trainer in a fleet; None in a session of one machine."""
    return Guard(client, folder, markets, first) if (folder / OURS).exists() else None
