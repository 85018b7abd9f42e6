"""A session's record as artifacts of its run: whoever reaches the store can replay it.

    record/config.json  journal.jsonl  runs.json  SYMBOL.outcomes  SYMBOL.forecasts
    record/tape/SYMBOL-FIRST-STOP.parquet     each is a dataset of the run too, digest = its hash

Segments are uploaded when they are whole, the rest when the session ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput
from mlflow.tracking import MlflowClient

from streaming.tape.segments import Segment, segment_symbol, segments
from trainers.recording.decision_log import Journal, JournalError
from trainers.recording.files import CONFIG, JOURNAL, OUTBOX, RECORD, RUNS, TAPE
from trainers.recording.outbox import Outbox
from trainers.tracking.tracker import deliver

DIGEST_CHARS = 36  # MLflow refuses longer ones


class Uploads:
    """What is uploaded while a session runs.

    Args:
        client: of the store.
        session: the session's folder; its name is the run's id.
        journal: where each segment's hash is written once it is in the store.
    """

    def __init__(self, client: MlflowClient, session: Path, journal: Journal) -> None:
        self._client, self._session, self._journal = client, session, journal
        self._done = uploaded(journal.entries)

    def closed_segments(self) -> None:
        """Upload the segments that are new."""
        for segment in tape_of(self._session):
            if segment.path.name not in self._done:
                digest = upload_segment(self._client, self._session.name, segment)
                self._journal.write("segment", name=segment.path.name, sha256=digest)
                self._done.add(segment.path.name)


def uploaded(entries: list[dict[str, str]]) -> set[str]:
    """Return the names of the segments that a journal knows to be in the store."""
    return {entry["name"] for entry in entries if entry["do"] == "segment"}


def tape_of(session: Path) -> list[Segment]:
    """Return all segments in a session's folder, each symbol's oldest first."""
    folder = session / TAPE
    symbols = sorted({segment_symbol(path) for path in folder.glob("*.parquet")})
    return [segment for symbol in symbols for segment in segments(folder, symbol)]


def upload_segment(client: MlflowClient, run_id: str, segment: Segment) -> str:
    """Upload a segment and log it as a dataset; return the SHA-256 of its content."""
    digest = hashlib.sha256(segment.path.read_bytes()).hexdigest()
    folder = f"{RECORD}/{TAPE}"
    client.log_artifact(run_id, str(segment.path), folder)
    address = f"{client.get_run(run_id).info.artifact_uri}/{folder}/{segment.path.name}"
    dataset = Dataset(
        name=segment.path.stem,
        digest=digest[:DIGEST_CHARS],
        source_type="local" if address.startswith(("/", "file:")) else "http",
        source=json.dumps({"uri" if address.startswith(("/", "file:")) else "url": address}),
        profile=json.dumps({"num_rows": segment.stop - segment.first}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset)])
    return digest


def undelivered(sessions: Path) -> list[Path]:
    """Return the folders of sessions that MLflow lacks metrics of, and that no process works on."""
    found = []
    for outbox in sorted(sessions.glob(f"*/{OUTBOX}")):
        if outbox.stat().st_size:
            with contextlib.suppress(JournalError):  # a trainer is at work on it
                Journal(outbox.with_name(JOURNAL)).close()
                found.append(outbox.parent)
    return found


def leave_nothing_behind(client: MlflowClient, session: Path) -> None:
    """Give the store what it lacks of a session that no process works on: metrics and record."""
    if not (session / JOURNAL).exists():
        return  # it ended before a trainer began
    outbox = Outbox(session / OUTBOX)
    while (batch := outbox.first()) is not None:
        deliver(client, batch)
        outbox.delivered()
    outbox.close()
    journal = Journal(session / JOURNAL)
    Uploads(client, session, journal).closed_segments()
    journal.close()
    files = [session / name for name in (CONFIG, RUNS, JOURNAL) if (session / name).exists()]
    for pattern in ("*.outcomes", "*.forecasts"):
        files += sorted(session.glob(pattern))
    for path in files:
        client.log_artifact(session.name, str(path), RECORD)
