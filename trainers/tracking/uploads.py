"""Uploads a session's record as artifacts of its run: any machine with the store can replay it.

    record/config.json  sums.jsonl  controls.jsonl
    record/SYMBOL.decisions.jsonl  SYMBOL.runs.json  SYMBOL.outcomes  SYMBOL.forecasts
    record/tape/SYMBOL[.quotes]-FIRST-STOP.parquet    a dataset of the run too, with its hash

A segment of the tape is uploaded as soon as it is complete, the rest when the session ends.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from streaming.events import Code
from streaming.tape.segments import Segment, SegmentKind, outdated, segments
from streaming.ticks import NS_PER_DAY
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.errors import DecisionLogError
from trainers.recording.files import (
    CONFIG,
    CONTROLS,
    DECISIONS,
    FORECASTS,
    MARKET_OUTBOX,
    OUTBOX,
    OUTCOMES,
    RECORD,
    RUNS,
    SUMS,
    TAPE,
    of_market,
)
from trainers.tracking.outbox import Outbox
from trainers.tracking.stores.artifacts import artifact_store, dataset_source, is_local
from trainers.tracking.stores.client import Dataset, DatasetInput, MlflowClient
from trainers.tracking.stores.delivery import deliver

DIGEST_CHARS = 36  # MLflow refuses longer digests
COARSE_NS = 2_000_000_000  # no file system's times are coarser


class Uploads:
    """Uploads the tape of one market.

    Args:
        client: the MLflow store's client.
        session: the session's folder; its name is the run's id.
        market: the market's symbol.
        log: the market's decision log, to which each uploaded segment's hash is written.
        keep_ns: market time after which uploaded segments are dropped from this machine's disk, ns;
            0 for never.
        say: reports an event.
    """

    def __init__(
        self,
        client: MlflowClient,
        session: Path,
        market: str,
        log: DecisionLog,
        keep_ns: int = 0,
        say: Callable[[Code, str], object] = lambda *_: None,
    ) -> None:
        self._client, self._session, self._market, self._log = client, session, market, log
        self._keep_ns, self._say = keep_ns, say
        self._dropped = {entry["name"] for entry in log.entries if entry["do"] == "dropped"}
        self._done = {entry["name"] for entry in log.entries if entry["do"] == "segment"}
        self._looked_at = 0  # when the folder had changed last, ns; 0 if it may have changed since

    @functools.cached_property
    def _address(self) -> str:
        """The address of the tape in the store: to ask for it costs more with each segment."""
        return tape_address(self._client, self._session.name)

    def closed_segments(self) -> None:
        """Upload the complete segments that are not in the store yet."""
        changed = self._changed()
        if changed and changed == self._looked_at:
            return  # of many markets, each would list the files of all
        self._upload()
        # A folder's time is coarse: what comes a moment later may have the same.
        self._looked_at = changed if time.time_ns() - changed > COARSE_NS else 0

    def _changed(self) -> int:
        """Return when the folder of the tape has changed last, ns; 0 if there is none."""
        try:
            return (self._session / TAPE).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _upload(self) -> None:
        every = (segments(self._session / TAPE, self._market, kind) for kind in SegmentKind)
        for segment in itertools.chain.from_iterable(every):
            if segment.path.name not in self._done:
                digest = upload_segment(self._client, self._session.name, segment, self._address)
                self._log.write("segment", name=segment.path.name, sha256=digest)
                self._done.add(segment.path.name)
        if self._keep_ns:
            self._drop()

    def _drop(self) -> None:
        """Drop the segments that are too old, and their copies if the store is on this disk."""
        old = [
            segment
            for kind in SegmentKind
            for segment in outdated(self._session / TAPE, self._market, kind, self._keep_ns)
        ]
        if not old:
            return
        address = urlsplit(self._address).path
        copies = Path(url2pathname(address)) if is_local(self._address) else None
        for segment in old:
            name = segment.path.name
            if name not in self._dropped:  # a kill may have come between
                self._log.write("dropped", name=name)
                self._dropped.add(name)
            segment.path.unlink(missing_ok=True)
            if copies is not None:
                (copies / name).unlink(missing_ok=True)
        days = self._keep_ns / NS_PER_DAY
        self._say(
            Code.TAPE_DROPPED,
            f"{self._market}: {len(old)} of the tape's segments, older than {days:g} days, were"
            f" dropped ({len(self._dropped):,} so far), as keep_days says",
        )


def tape_address(client: MlflowClient, run_id: str) -> str:
    """Return the address of a session's tape in the store."""
    return f"{client.get_run(run_id).info.artifact_uri}/{RECORD}/{TAPE}"


def upload_segment(client: MlflowClient, run_id: str, segment: Segment, address: str) -> str:
    """Upload a segment and log it as a dataset; return the SHA-256 of its content.

    Args:
        client: the MLflow store's client.
        run_id: the session's run.
        segment: the segment.
        address: ``tape_address`` of the run.
    """
    digest = hashlib.sha256(segment.path.read_bytes()).hexdigest()
    with artifact_store():
        client.log_artifact(run_id, str(segment.path), f"{RECORD}/{TAPE}")
    kind, source = dataset_source(f"{address}/{segment.path.name}")
    dataset = Dataset(
        name=segment.path.stem,
        digest=digest[:DIGEST_CHARS],
        source_type=kind,
        source=source,
        profile=json.dumps({"num_rows": segment.stop - segment.first}),
    )
    client.log_inputs(run_id, [DatasetInput(dataset)])
    return digest


def undelivered(sessions: Path) -> list[Path]:
    """Return the folders of sessions with undelivered batches that no process works on."""
    files = [*sessions.glob(f"*/*{MARKET_OUTBOX}"), *sessions.glob(f"*/{OUTBOX}")]
    waiting = {path.parent for path in files if path.stat().st_size}
    return sorted(session for session in waiting if _is_left(session))


def _is_left(session: Path) -> bool:
    """Return whether no trainer works on any market of a session."""
    for path in session.glob(f"*{DECISIONS}"):
        try:
            DecisionLog(path).close()
        except DecisionLogError:
            return False
    return True


def leave_nothing_behind(client: MlflowClient, session: Path) -> None:
    """Deliver all that the store lacks of a session that no process works on: metrics and record.

    Raises:
        MlflowException: if the store does not answer.
        TickloopError: if another process works on the session, or a file is damaged.
    """
    logs = sorted(session.glob(f"*{DECISIONS}"))
    if not logs:
        return  # the session ended before a trainer began
    deliver_left(client, session)
    for market in SessionConfig.load(session / CONFIG).symbol_list:
        path = of_market(session, market, DECISIONS)
        if path.exists():
            with contextlib.closing(DecisionLog(path)) as log:
                Uploads(client, session, market, log).closed_segments()
    for path in _record_files(session):
        with artifact_store():
            client.log_artifact(session.name, str(path), RECORD)


def deliver_left(client: MlflowClient, session: Path) -> None:
    """Deliver the batches that trainers have left in a session's folder, whose processes are gone.

    Raises:
        MlflowException: if the store does not answer.
        RecordError: if an outbox is damaged.
    """
    for path in (*session.glob(f"*{MARKET_OUTBOX}"), session / OUTBOX):
        with contextlib.closing(Outbox(path)) as outbox:
            while batches := outbox.next():
                deliver(client, batches)
                outbox.delivered(batches)


def _record_files(session: Path) -> list[Path]:
    files = [session / name for name in (CONFIG, SUMS, CONTROLS) if (session / name).exists()]
    for kind in (RUNS, DECISIONS, OUTCOMES, FORECASTS):
        files += sorted(session.glob(f"*{kind}"))
    return files
