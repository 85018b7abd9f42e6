"""Reads a part of what a store has, and tells whether it has changed, each store its way.

``MlflowClient`` only offers whole histories, 0.6 s for 30,000 points, and a run with all its
datasets, 0.3 s for the 10,000 segments of a week's tape. What reads less is private: this is the
one file that calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlflow.utils.rest_utils import http_request_safe

from trainers.tracking.stores.client import MlflowClient, Run

HISTORY_INTERVAL = "/api/2.0/mlflow/metrics/get-history-bulk-interval"


def run_without_datasets(client: MlflowClient, run_id: str) -> Run:
    """Return a run without its datasets, so that to read it takes no longer as its tape grows.

    Behind a server, which sends the datasets whether asked for or not, it is the whole run.

    Raises:
        MlflowException: if there is no such run, or the store does not answer.
    """
    if _is_server(client):
        return client.get_run(run_id)
    store = client._tracking_client.store
    with store.ManagedSessionMaker() as session:
        run: Run = store._get_run(session, run_id, eager=True).to_mlflow_entity()
    return run


def _is_server(client: MlflowClient) -> bool:
    uri: str = client.tracking_uri
    return uri.startswith("http")


def sampled(
    client: MlflowClient,
    run_ids: Sequence[str],
    key: str,
    start: int,
    end: int,
    most: int,
) -> Iterator[tuple[str, int, float]]:
    """Yield run id, step and value of a metric of several runs, read at once.

    Each run's are thinned evenly; the first and last stay.

    Args:
        client: the store's client.
        run_ids: the runs, at most 100, which is what MLflow's server returns together.
        key: the metric's name.
        start: the first step to read.
        end: the last one.
        most: the most points of a run to return.
    """
    store = client._tracking_client.store
    if _is_server(client):
        yield from _sampled_by_server(store.get_host_creds(), run_ids, key, start, end, most)
        return
    for point in store.get_metric_history_bulk_interval([*run_ids], key, most, start, end):
        yield point.run_id, int(point.step), float(point.value)


def _sampled_by_server(
    creds: object, run_ids: Sequence[str], key: str, start: int, end: int, most: int
) -> Iterator[tuple[str, int, float]]:
    # The REST store's own bulk read downloads the whole histories first.
    asked: dict[str, Any] = {
        "run_ids": [*run_ids],
        "metric_key": key,
        "start_step": start,
        "end_step": end,
        "max_results": most,
    }
    read: Callable[..., Any] = http_request_safe
    answer = read(creds, HISTORY_INTERVAL, "GET", params=asked).json()
    for point in answer.get("metrics", []):
        yield point["run_id"], int(point.get("step", 0)), float(point["value"])


def file_stamps(database: Path) -> object | None:
    """Return a value that changes with every write to an SQLite store; None without its file.

    SQLite writes to its database file or to the write-ahead log beside it.
    """
    if not database.exists():
        return None
    return [_stamp(database), _stamp(Path(f"{database}-wal"))]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
