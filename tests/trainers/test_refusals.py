"""An error of the store is for good only if it is about what was sent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.tracking import MlflowClient
from sqlalchemy import exc

from streaming.events import Code
from tests.end_to_end.main_job import PATIENCE
from tests.stores import copy_store
from trainers.tracking.stores.refusals import is_refusal
from trainers.tracking.tracker import Tracker

IS_ABOUT_WHAT_WAS_SENT = {
    exc.DataError: True,
    exc.IntegrityError: True,
    exc.DatabaseError: False,  # a damaged file
    exc.InternalError: False,  # PostgreSQL that only reads after a failover
    exc.ProgrammingError: False,  # a table that may not be written
    exc.InterfaceError: False,  # a connection that is closed
}


@pytest.mark.parametrize(("kind", "is_for_good"), IS_ABOUT_WHAT_WAS_SENT.items())
def test_an_error_of_the_database_is_told_by_its_kind_here_and_by_a_server(kind, is_for_good):
    cause = kind("INSERT", {}, Exception("of the driver"))
    here = MlflowException(str(cause), BAD_REQUEST)
    here.__cause__ = cause
    by_server = RestException({"error_code": "BAD_REQUEST", "message": str(cause)})
    assert is_refusal(here) is is_refusal(by_server) is is_for_good


def test_a_pool_without_a_free_connection_is_no_refusal():
    here = MlflowException("QueuePool limit of size 5 reached", BAD_REQUEST)
    here.__cause__ = exc.TimeoutError("QueuePool limit of size 5 reached", code="3o7r")
    by_server = RestException({"error_code": "BAD_REQUEST", "message": str(here.__cause__)})
    assert not is_refusal(here)
    assert not is_refusal(by_server)


def test_what_a_server_says_of_a_request_is_for_good():
    assert is_refusal(RestException({"error_code": "BAD_REQUEST", "message": "no such field"}))
    assert not is_refusal(RestException({"error_code": "INTERNAL_ERROR", "message": "no"}))
    assert not is_refusal(OSError("no route"))


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    copy_store(tmp_path)
    return MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_metrics_wait_while_the_database_is_none(client: MlflowClient, tmp_path: Path):
    run = client.create_run(client.create_experiment("t")).info.run_id
    told, said = list[Code](), threading.Event()

    def tell(code: Code, _: str) -> None:
        told.append(code)
        said.set()

    tracker, path = Tracker(client, tell), tmp_path / "mlflow.db"
    header = path.read_bytes()[:100]
    write_over(path, b"x" * len(header))
    tracker.writer().log(run, 1, {"loss": 0.5})
    assert said.wait(PATIENCE)
    assert (told[0], tracker.behind) == (Code.STORE_AWAY, 1)
    write_over(path, header)
    assert tracker.close(PATIENCE)
    assert client.get_run(run).data.metrics == {"loss": 0.5}


def write_over(path: Path, start: bytes) -> None:
    """Replace the first bytes of a file that others have open."""
    with path.open("r+b") as file:
        file.write(start)
