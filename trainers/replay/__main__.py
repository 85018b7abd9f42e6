"""Replay a recorded session: the same code on the record, compared with what was recorded.

    python -m trainers.replay --session RUN_ID [--cnn_learning_rate 0.01 ...]

Ends with one line: ``identical: N cycles, M metrics`` (exit code 0), or the first cycle and stage
that differ, with both values (exit code 3). With another setting it is a what-if: nothing is
compared bit for bit, both are shown side by side.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from streaming.errors import KnobError, StreamingError
from streaming.knobs import Knobs, knob
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.drivers.schedule import (
    Compare,
    Hashes,
    Latencies,
    RecordedSchedule,
    RecordEndsError,
    drive,
)
from trainers.engine.assembly import (
    Loads,
    RunOf,
    deterministic,
    install_again,
    make_lane,
    session_metrics,
)
from trainers.engine.controls import apply_control
from trainers.engine.market_trainer import Lane
from trainers.promotion.alias_watcher import MODELS, Versions
from trainers.recording.decision_log import Entry
from trainers.recording.ledger import Ledger
from trainers.recording.record import Record, read_record
from trainers.replay.comparison import MetricsCheck, ReplayDiffersError, compare_stages
from trainers.replay.progress import Progress
from trainers.replay.runs import (
    SESSION,
    ReplayRuns,
    known_session,
    other_code,
    record_folder,
    recorded_metrics,
)
from trainers.replay.side_by_side import side_by_side
from trainers.tracking.store import StoreError, ensure_store

# What a what-if may change; the stream and where its cycles cut are the record's.
TUNABLE = ("features", "confidence", "fee_bps", "history_bars", "learners", "seed")
TUNABLE_PREFIXES = ("cnn_", "dqn_")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayConfig(Knobs):
    """Replay a session; any setting of its learners may be another: a what-if."""

    session: str = knob("last", "run id of the session, or last")
    runs: bool = knob(True, "log the replay as MLflow runs of its own, tagged replay_of")


class Replay:
    """One replay of a record.

    Args:
        record: what the session left.
        config: its settings, or others for a what-if.
        check: takes the metrics.
        run_of: tells where each learner's metrics go.
        folder: for the ledgers of the replay.
        compare: takes each cycle's hashes.
        versions: gives the versions that were champion.
    """

    def __init__(
        self,
        record: Record,
        config: SessionConfig,
        check: MetricsCheck,
        run_of: RunOf,
        folder: Path,
        compare: Compare,
        versions: Loads,
    ) -> None:
        self.record, self.check, self._versions = record, check, versions
        symbols = config.symbol_list
        schedule = RecordedSchedule(
            record.entries,
            latencies={symbol: Latencies(record.ledger(symbol).forecasts) for symbol in symbols},
            compare=compare,
        )
        self._schedule = schedule
        self.lanes = {
            symbol: make_lane(
                config, symbol, record.stream(symbol), schedule, run_of, check,
                functools.partial(Ledger, folder, symbol),
            )
            for symbol in symbols
        }  # fmt: skip
        self.cycles = 0
        start, end = record.market_ns
        self._progress = Progress((end - start) / NS_PER_S)
        self._start = start

    def run(self) -> None:
        """Replay up to the last whole cycle.

        Raises:
            ReplayDiffersError: at the first thing that differs.
        """
        try:
            drive(
                self._schedule,
                self.lanes,
                control=self._control,
                champion=self._champion,
                cycled=self._cycled,
            )
        except RecordEndsError:
            return  # the session was killed within a cycle

    @property
    def speed(self) -> float:
        """Market seconds a second, so far."""
        return self._progress.speed

    def _control(self, entry: Entry) -> None:
        if entry["name"] not in ("promote", "rollback"):  # what came of them is journaled
            apply_control(entry["name"], entry["value"], list(self.lanes.values()), lambda: None)

    def _champion(self, entry: Entry) -> None:
        install_again(self.lanes[entry["symbol"]], entry, self._versions)

    def _cycled(self, lane: Lane) -> None:
        if lane is next(iter(self.lanes.values())):
            totals = session_metrics(list(self.lanes.values()))
            self.check.log(SESSION, lane.cycle, totals, wall_ms=lane.wall_ms)
        self.cycles += 1
        self._progress.show((lane.now - self._start) / NS_PER_S)


def replay(given: ReplayConfig, changes: dict[str, str], root: Path) -> int:
    """Replay a session of the store of the project at ``root``; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="tickloop-replay-") as folder:
        return _replay_in(Path(folder), given, changes, root)


def _replay_in(folder: Path, given: ReplayConfig, changes: dict[str, str], root: Path) -> int:
    client = MlflowClient(ensure_store(root))
    session = known_session(client, given.session)
    record = read_record(record_folder(client, root, session, folder))
    config = changed(record.config, changes)
    what_if = words_of(config, record.config)
    recorded = recorded_metrics(client, {SESSION: session, **record.runs})
    runs = ReplayRuns(client, config, session, what_if) if given.runs else None
    check = MetricsCheck(None if what_if else recorded, runs)
    run_of = runs.of if runs else _name_of
    compare = _not_compared if what_if else compare_stages
    code, text = 0, ""
    try:
        versions = Versions(client, folder / MODELS)
        run = Replay(record, config, check, run_of, folder, compare, versions)
        run.run()
        text = f"identical: {run.cycles:,} cycles, {check.compared:,} metrics"
        if what_if:
            print(side_by_side(recorded, check.newest, what_if))
            text = f"what if {what_if}: {run.cycles:,} cycles"
        print(f"{run.speed:.0f} x real time", file=sys.stderr)
    except ReplayDiffersError as e:
        code, text = 3, str(e)
        if other := other_code(client.get_run(session).data.tags, root):
            print(other, file=sys.stderr)
    except BaseException:
        if runs:
            runs.close("failed", failed=True)
        raise
    if not what_if:
        client.set_tag(session, "parity", text)
    if runs:
        runs.close(text, failed=code != 0)
    print(text, flush=True)
    return code


def changed(config: SessionConfig, changes: dict[str, str]) -> SessionConfig:
    """Return a session's settings with changes.

    Raises:
        KnobError: if one is wrong, or is no setting of a learner.
    """
    for name, value in changes.items():
        as_it_was = str(getattr(config, name)) == value
        if name not in TUNABLE and not name.startswith(TUNABLE_PREFIXES) and not as_it_was:
            raise KnobError(
                f"{name}: got {value!r}; a replay keeps the stream and the cuts of the record;"
                f" allowed: {', '.join((*TUNABLE, 'cnn_*', 'dqn_*'))}"
            )
    values: dict[str, Any] = {**changes}
    return dataclasses.replace(config, **values)


def words_of(config: SessionConfig, recorded: SessionConfig) -> str:
    """Say which settings are not as recorded; nothing if all are."""
    now, then = dataclasses.asdict(config), dataclasses.asdict(recorded)
    return ", ".join(f"{name}={now[name]}" for name in now if now[name] != then[name])


def split_arguments(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Tell the replay's own flags from settings of the session, ``--name value`` each."""
    words = [part for word in argv for part in (word.split("=", 1) if word[:2] == "--" else [word])]
    settings = {field.name for field in dataclasses.fields(SessionConfig)}
    own, changes = [], {}
    for i, word in enumerate(words):
        if word[:2] == "--" and word[2:] in settings and i + 1 < len(words):
            changes[word[2:]] = words[i + 1]
        elif not (i and words[i - 1][:2] == "--" and words[i - 1][2:] in changes):
            own.append(word)
    return own, changes


def _name_of(symbol: str, learner: str, kind: str) -> str:
    return f"{symbol}/{learner}"


def _not_compared(symbol: str, cycle: int, recorded: Hashes, now: Hashes) -> None:
    """A what-if comes to something else, as it should."""


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.WARNING, format="replay: %(message)s", force=True)
    own, changes = split_arguments(sys.argv[1:])
    given = ReplayConfig.from_args(own)
    deterministic()
    try:
        sys.exit(replay(given, changes, Path.cwd()))
    except (KnobError, StoreError) as e:
        print(f"replay: {e}", file=sys.stderr)
        sys.exit(2)
    except StreamingError as e:
        print(f"replay: {e}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
