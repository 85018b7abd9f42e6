"""The main job on Ray: a session whose shards run on the nodes of a cluster.

    python -m trainers.session.fleet [--address HOST:PORT] [--name value ...]

    session ── exchange (source sim), head, page, MLflow's own UI
                                       └─ Ray: an actor a shard ── shard ── feed, trainer

It needs the extra of requirements-fleet.txt. All settings are checked before anything starts.
"""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

from streaming.errors import ConfigError, reason_of
from streaming.program.entry_point import entry_point
from trainers.config.fleet import FleetConfig
from trainers.session.__main__ import run
from trainers.session.processes.programs import HEAD
from trainers.session.processes.supervisor import Child
from trainers.tracking.store import STORE_ERRORS, tracking_uri
from trainers.tracking.travel.epochs import check_database

EXTRA = "pip install -r requirements-fleet.txt"
CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 90.0  # shards bring the rest of their records to the store before they end


def check_cluster(address: str) -> None:
    """See that something listens at a cluster's address: Ray itself would try for minutes.

    Raises:
        ConfigError: if nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError, OverflowError) as e:
        raise ConfigError(
            f"address: got {address!r}, where no Ray cluster answers ({reason_of(e)}); expected"
            " HOST:PORT, as `ray start --head` names it"
        ) from e


@entry_point("fleet", outside=STORE_ERRORS)
def main() -> int:
    """Run a fleet's session from the command line."""
    config = FleetConfig.from_args()
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(f"a fleet needs Ray, which is not installed: {EXTRA}")
    if config.address:
        check_cluster(config.address)
    check_database(tracking_uri(Path.cwd()))
    flags = ["--address", config.address] if config.address else []

    def head(session: Path) -> list[Child]:
        argv = ["-m", HEAD, str(session), *flags]
        return [Child("trainer", argv, patience=PATIENCE_SECONDS)]

    return run(config, Path.cwd(), head)


if __name__ == "__main__":
    main()
