"""The same session twice: on a fleet and on one machine, with PostgreSQL and S3 and with SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from benchmarks.fleet_proof import Compared, compared, metrics_of
from benchmarks.fleet_session import SETTINGS, fleet, load, names_of, replayed
from benchmarks.processes import plain_environment
from benchmarks.table import Row
from streaming.tape import write_segment
from tests.end_to_end.main_job import market_ticks
from tests.trial_store import trial_store
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, of_market

CYCLES = 6
TAPE_SECONDS = 300
BEGUN = "promotion/"
READY_TICKS = 1000  # the first cycle may be late: it is looked up


def one_machine(markets: int) -> list[Row]:
    """Play the tape that a fleet has recorded in sessions of one machine; compare the ledgers.

    All weights follow from the tick with which the first cycle has begun, which depends on when a
    trainer was there: so each market has a session whose first cycle begins with that tick.
    """
    given: dict[str, Any] = {"min_ticks": READY_TICKS, "backfill_seconds": 60}
    found = Compared(0, 0, 0, 0)
    with fleet(markets, cycles=CYCLES, **given) as session:
        assert session.process is not None
        code = session.process.wait(900)
        assert code == 0, session.said()[-3000:]
        at, text = load(), replayed(session)
        source = f"tape:{session.session / 'tape'}"
        for market in session.markets:
            given["min_ticks"] = first_ticks(session.session, market)
            with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as name:
                other = alone(Path(name), source, session.markets, **given)
                of_it = compared(session.session, other, [market])
            found = Compared(*(a + b for a, b in zip(found, of_it, strict=True)))
    rows = found.same + found.different
    note = f"{rows:,} forecasts in both, {found.apart} after other cycles, {found.alone} in one"
    different = float(found.different) if rows else None  # of nothing, nothing is proven
    return [
        Row(f"{markets} markets on 3 nodes and on one: other bits", different, 1.0, "", "<=", 0,
            "the same session on one machine", f"{note}; {text}; {at}"),
    ]  # fmt: skip


def first_ticks(session: Path, market: str) -> int:
    """Return how many ticks a market's first cycle has seen."""
    entries = read_decisions(of_market(session, market, DECISIONS))
    return int(next(e["watermark"]["ticks"] for e in entries if e["do"] == "cycle"))


def alone(
    folder: Path,
    source: str,
    markets: list[str],
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> Path:
    """Run a session of one machine to its end; return its folder."""
    given = {**SETTINGS, "source": source, "symbols": ",".join(markets), "cycles": CYCLES,
             "speed": 60, "page_port": 0, "mlflow_ui_port": 0, "parity": "false",
             **settings}  # fmt: skip
    flags = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", "trainers.session", *flags],
        cwd=folder, env=plain_environment() | dict(environment or {}),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    (found,) = folder.glob("mlruns/sessions/*/config.json")
    return found.parent


def stores(markets: int) -> list[Row]:
    """Compare all metrics of a session on PostgreSQL and S3 with those of one on SQLite."""
    names = names_of(markets)
    found = []
    with trial_store() as store, tempfile.TemporaryDirectory(prefix="tickloop-bench-") as name:
        tape = Path(name) / "tape"  # a simulated market begins where its feed has come to it
        tape.mkdir()
        for seed, symbol in enumerate(names):
            write_segment(tape, symbol, 0, market_ticks(TAPE_SECONDS, seed))
        for environment in ({}, store.environment):
            folder = Path(name) / ("cloud" if environment else "local")
            folder.mkdir()
            session = alone(folder, f"tape:{tape}", names, environment, features="flow")
            os.environ.update(environment)
            uri = environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
            found.append(metrics_of(MlflowClient(uri), session.name))
    ours, theirs = found
    different = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    # These are there from the cycle on before which the registry was first read.
    late = {
        key for key in different if key[2].startswith(BEGUN) and (key in ours) != (key in theirs)
    }
    note = f"{len(theirs):,} points of {markets} markets; {len(late)} {BEGUN} in one only; {load()}"
    return [Row("PostgreSQL and S3 against SQLite: metrics that differ",
                float(len(different - late)), 1.0, "", "<=", 0, "the same session",
                note)]  # fmt: skip
