"""Run the comparisons named on the command line, or all: ``python -m benchmarks [NAME ...]``.

Prints one table and writes it to ``build/bench.json``. Exit code 1 if a ratio is not as wanted
or a comparison failed, 2 if a name is unknown.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback

from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import ROOT
from benchmarks.table import Row, render, save

NAMES = (
    "feed", "ccxt", "pipeline", "lightning", "sb3", "mlflow", "agent", "learning",
    "plasticity", "tapes", "own_columns", "pretraining", "books", "changes", "promotion",
    "scoring", "kills", "full_disk", "system", "many", "day", "page", "overview", "backtest",
    "tune", "arena", "fleet",
)  # fmt: skip


def measure(name: str) -> list[Row]:
    """Return the rows of one comparison; one that cannot be made says why."""
    try:
        found: list[Row] = importlib.import_module(f"benchmarks.{name}").run()
    except NotMeasuredError as e:
        return [Row(name, None, None, "", "", 0, "", f"not measured: {e}")]
    except Exception as e:  # noqa: BLE001  (the others go on; the exit code tells)
        traceback.print_exc()
        return [Row(name, None, None, "", "", 0, "", f"failed: {type(e).__name__}: {e}")]
    return found


def main(names: list[str]) -> int:
    """Measure, print, save; return the exit code."""
    if unknown := set(names) - set(NAMES):
        print(f"benchmarks: got {', '.join(unknown)}; allowed: {', '.join(NAMES)}")
        return 2
    rows = []
    for name in names or NAMES:
        print(f"{name} ...", flush=True)
        started = time.monotonic()
        rows += measure(name)
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
    print(render(rows))
    path = ROOT / "build" / "bench.json"
    save(rows, path)
    print(f"written to {path}")
    failed = any(row.ok is False or row.note.startswith("failed") for row in rows)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
