"""Ends the runs of processes that were killed and could not do so themselves."""

from __future__ import annotations

from trainers.names import Status, Tag
from trainers.states import State
from trainers.tracking.runs.owners import may_live
from trainers.tracking.runs.search import search
from trainers.tracking.stores.client import MlflowClient, RunStatus


def close_orphans(client: MlflowClient) -> list[str]:
    """Mark runs as KILLED if their process was on this machine and is gone; return their ids."""
    killed = RunStatus.to_string(RunStatus.KILLED)
    orphans = []
    for run in search(client, "attributes.status = 'RUNNING'"):
        owner = run.data.tags.get(Tag.OWNER, "")
        if owner and not may_live(owner):
            client.set_tag(run.info.run_id, Tag.STATE, State.FAILED)
            client.set_tag(run.info.run_id, Tag.STATUS, Status.ERROR)
            client.set_tag(run.info.run_id, Tag.STATUS_TEXT, "its process was killed")
            client.set_terminated(run.info.run_id, killed)
            orphans.append(run.info.run_id)
    return orphans
