"""Writes batches of metrics and tags to the store, and finds out which of them it refuses.

What a store refuses for good must not keep the rest from being logged, or be tried for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming.errors import reason_of
from trainers.tracking.outbox import Batch
from trainers.tracking.stores.client import Metric, MlflowClient, MlflowException, RunTag
from trainers.tracking.stores.refusals import is_refusal
from trainers.tracking.stores.sampling import run_without_datasets


def deliver(client: MlflowClient, batches: Sequence[Batch]) -> dict[str, str]:
    """Write batches of one run to the store; return why it refuses some of it for good, by name.

    The last value of a tag is written.

    Raises:
        MlflowException: if the store does not answer.
    """
    metrics = [
        Metric(name, value, batch.wall_ms, batch.step)
        for batch in batches
        for name, value in batch.metrics.items()
    ]
    newest = {name: value for batch in batches for name, value in batch.tags.items()}
    tags = [RunTag(name, _sound(value)) for name, value in newest.items()]
    refused = _log(client, batches[0].run, [*metrics, *tags])
    for batch in batches:
        if not batch.clears:
            continue
        try:
            _clear(client, batch)
        except MlflowException as e:
            if not is_refusal(e):
                raise
            refused |= dict.fromkeys(batch.clears, reason_of(e))
    return refused


def _log(client: MlflowClient, run: str, entries: Sequence[Metric | RunTag]) -> dict[str, str]:
    """Log metrics and tags; where the store refuses them, find out by halves which."""
    if not entries:
        return {}
    try:
        client.log_batch(
            run,
            metrics=[entry for entry in entries if isinstance(entry, Metric)],
            tags=[entry for entry in entries if isinstance(entry, RunTag)],
        )
    except MlflowException as e:
        if not is_refusal(e):
            raise
        if len(entries) == 1 or not _is_active(client, run):
            return {entry.key: reason_of(e) for entry in entries}
        half = len(entries) // 2
        return _log(client, run, entries[:half]) | _log(client, run, entries[half:])
    return {}


def _is_active(client: MlflowClient, run: str) -> bool:
    """Return whether a run exists and was not deleted, so that it can take something at all."""
    try:
        return bool(client.get_run(run).info.lifecycle_stage == "active")
    except MlflowException as e:
        if not is_refusal(e):
            raise
        return False


def _clear(client: MlflowClient, batch: Batch) -> None:
    there = run_without_datasets(client, batch.run).data.tags
    for name, value in batch.clears.items():
        if there.get(name) == value:  # otherwise it is a newer request by now
            client.delete_tag(batch.run, name)


def _sound(text: str) -> str:
    """Return a text without what no database takes: halves of characters, and zeros."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
