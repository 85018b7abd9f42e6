"""Replays a recorded session: runs the same code on its record and compares the results.

    python -m trainers.replay --session RUN_ID [--cnn_learning_rate 0.01 ...]

It ends with one line: ``identical: N cycles, M metrics`` (exit code 0), or the first cycle and
stage that differ, with both values (exit code 3). With changed settings it is a what-if: nothing is
compared bit by bit; the metrics of both are printed side by side.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
from pathlib import Path

from streaming.program import interrupt
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.settings import Settings, setting
from trainers.learners.determinism import deterministic
from trainers.names import Tag
from trainers.promotion.alias_watcher import MODELS, Versions
from trainers.recording.errors import RecordError
from trainers.recording.record import Record, read_record
from trainers.replay.comparison import MetricsCheck, ReplayDiffersError
from trainers.replay.replayer import Replayer
from trainers.replay.runs import (
    SESSION,
    ReplayRuns,
    known_session,
    other_code,
    record_folder,
    recorded_metrics,
    run_name,
)
from trainers.replay.side_by_side import side_by_side
from trainers.replay.what_if import changed, difference, split_arguments
from trainers.tracking.runs.launched import launched_run
from trainers.tracking.store import STORE_ERRORS, before_the_start, ensure_store
from trainers.tracking.stores.client import MlflowClient


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayConfig(Settings):
    """Replay a session; changing a setting of its learners makes the replay a what-if."""

    session: str = setting("last", "run id of the session, or last")
    runs: bool = setting(True, "log the replay as MLflow runs of its own, tagged replay_of")


def replay(given: ReplayConfig, changes: dict[str, str], root: Path) -> int:
    """Replay a session of the project at ``root``; return the exit code.

    Args:
        given: the replay's own settings.
        changes: the session's settings to change, by name.
        root: the project's folder.

    Raises:
        ConfigError, StoreError: if a setting, the session or the store is unusable.
        RecordError: if the record lacks something or was changed.
    """
    with tempfile.TemporaryDirectory(prefix="tickloop-replay-") as folder:
        return _replay_in(Path(folder), given, changes, root)


def _replay_in(folder: Path, given: ReplayConfig, changes: dict[str, str], root: Path) -> int:
    with before_the_start():
        client = MlflowClient(ensure_store(root))
        session = known_session(client, given.session)
        record = read_record(record_folder(client, root, session, folder))
        config = changed(record.config, changes)
        what_if = difference(config, record.config)
        recorded = recorded_metrics(client, {SESSION: session, **_runs_of(record)})
    runs = None
    if given.runs:
        asked = {"session": given.session, "runs": "true", **changes}
        launched = launched_run(client, root, lambda params: params.items() <= asked.items())
        runs = ReplayRuns(client, config, session, what_if, launched)
    check = MetricsCheck(None if what_if else recorded)
    versions = Versions(client, folder / MODELS, record.config.source, record.config.target)
    replayer = Replayer(record, config, check, runs, versions, what_if=bool(what_if))
    code, text = 0, ""
    try:
        replayer.run()
        text = f"identical: {replayer.cycles:,} cycles, {check.compared:,} metrics"
        if what_if:
            say(side_by_side(recorded, check.newest, what_if))
            text = f"what if {what_if}: {replayer.cycles:,} cycles"
        say(f"replayed at {replayer.speed:.1f} times real time", error=True)
    except ReplayDiffersError as e:
        code, text = 3, str(e)
        if other := other_code(client.get_run(session).data.tags, root):
            say(other, error=True)
    except BaseException:
        if runs:
            runs.close("failed", failed=True)
        raise
    if not what_if:
        client.set_tag(session, Tag.PARITY, text)
    if runs:
        runs.close(text, failed=code != 0)
    say(text)
    return code


def _runs_of(record: Record) -> dict[str, str]:
    """Return the ids of a session's runs by ``run_name``."""
    return {
        run_name(name, learner): run_id
        for name, market in record.markets.items()
        for learner, run_id in market.runs.items()
    }


# A record that is spoiled is no wrong setting: 1, not 2.
@entry_point("replay", outside=STORE_ERRORS, codes={RecordError: 1})
def main() -> int:
    """Run a replay from the command line."""
    logging.basicConfig(level=logging.WARNING, format="replay: %(message)s", force=True)
    own, changes = split_arguments(sys.argv[1:])
    given = ReplayConfig.from_args(own)
    deterministic()
    interrupt.install()
    return replay(given, changes, Path.cwd())


if __name__ == "__main__":
    main()
