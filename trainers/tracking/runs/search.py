"""Finds the runs of sessions in the MLflow store, in all its experiments."""

from __future__ import annotations

from trainers.names import Kind, Tag
from trainers.tracking.runs.owners import may_live
from trainers.tracking.stores.client import MlflowClient, Run
from trainers.tracking.stores.paging import every_page


def last_session(client: MlflowClient) -> str | None:
    """Return the id of the newest session; None if there is none."""
    return _newest(search(client, f"tags.{Tag.KIND} = '{Kind.SESSION}'"))


def running_session(client: MlflowClient) -> str | None:
    """Return the id of the newest running session; None if there is none."""
    found = search(client, "tags.kind = 'session' and attributes.status = 'RUNNING'")
    return _newest([run for run in found if may_live(run.data.tags.get(Tag.OWNER, ""))])


def ended_sessions(client: MlflowClient) -> list[Run]:
    """Return the runs of sessions that have finished without a failure or kill, newest first."""
    found = search(client, "tags.kind = 'session' and attributes.status = 'FINISHED'")
    return sorted(found, key=lambda run: run.info.start_time, reverse=True)


def runs_of(client: MlflowClient, session: str) -> list[Run]:
    """Return the runs of a session from all experiments."""
    return search(client, f"tags.session = '{session}'")


def runs_of_market(client: MlflowClient, session: str, symbol: str) -> list[Run]:
    """Return the runs of one market of a session."""
    return search(client, f"tags.session = '{session}' and tags.symbol = '{symbol}'")


def search(client: MlflowClient, query: str) -> list[Run]:
    """Return the runs that match MLflow's ``query``, of all experiments."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return every_page(
        lambda most, token: client.search_runs(
            experiments, query, max_results=most, page_token=token
        )
    )


def _newest(runs: list[Run]) -> str | None:
    newest = max(runs, key=lambda run: run.info.start_time, default=None)
    return None if newest is None else str(newest.info.run_id)
