"""The same rows twice: on a fleet and on one machine, with PostgreSQL and S3 and with SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlflow.tracking import MlflowClient

from benchmarks.fleet_kills import kill
from benchmarks.fleet_proof import compared, metrics_of
from benchmarks.fleet_session import SETTINGS, Fleet, fleet, load, names_of, replayed
from benchmarks.processes import plain_environment
from benchmarks.table import Row
from streaming.tape import write_segment
from tests.end_to_end.main_job import end_registering, market_ticks
from tests.trial_store import trial_store
from trainers.recording.files import TAPE

CYCLES = 6
TAPE_SECONDS = 300
BEGUN = "promotion/"


def one_machine(markets: int) -> list[Row]:
    """Compute the forecasts of a fleet again on one machine, from its tape; compare the ledgers.

    When a cycle begins depends on when its trainer gets to it, and all weights follow from that. So
    it begins there where it did in the fleet, one of whose nodes was lost, and nothing else of the
    fleet's is known: a replay, which reads its ledger too, is made besides.
    """
    with fleet(markets, cycles=CYCLES) as session:
        session.wait_for_cycles(2)
        kill(session, "node")
        assert session.process is not None
        code = session.process.wait(900)
        assert code == 0, session.said()[-3000:]
        end_registering(session.folder)
        at, text = load(), replayed(session)
        found = compared(session.session, at_its_cuts(session), session.markets)
    rows = found.same + found.different
    note = f"{rows:,} forecasts in both, {found.alone} in the fleet only"
    different = float(found.different + found.alone) if rows else None  # of nothing: no proof
    return [
        Row(f"{markets} markets on 3 nodes and on one: other bits", different, 1.0, "", "<=", 0,
            "the same rows on one machine", f"{note}; {text}; {at}"),
    ]  # fmt: skip


def at_its_cuts(session: Fleet) -> Path:
    """Backtest a session's tape on this machine, cut as the session has; return the folder."""
    given = {name: SETTINGS[name] for name in ("learners", "cycle_seconds", "features", "fee_bps")}
    flags = {**given, "source": f"tape:{session.session / TAPE}", "cuts": session.session.name,
             "symbols": ",".join(session.markets), "cycles": CYCLES}  # fmt: skip
    done = run_here(session.folder, "trainers.research.backtest", flags, session.environment)
    name = next(line.split()[1] for line in done.splitlines() if line.startswith("backtest "))
    return session.session.with_name(name)


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
    run_here(folder, "trainers.session", given, environment or {})
    (found,) = folder.glob("mlruns/sessions/*/config.json")
    return found.parent


def run_here(
    folder: Path, program: str, settings: Mapping[str, object], environment: Mapping[str, str]
) -> str:
    """Run a program of the project at ``folder`` to its end; return what it has said."""
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-m", program, *flags],
        cwd=folder, env=plain_environment() | dict(environment), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout


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
