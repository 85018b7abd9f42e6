"""A fleet of three nodes beside PostgreSQL and S3: same bits as on one machine, kills, a partition.

BENCH_FLEET names the parts (all of them by default), BENCH_MARKETS the markets (6), BENCH_KILLS
the kills (20), BENCH_TARGETS what is killed, BENCH_SEED when. What is left of a run with faults is
kept in `build/fleet-faults`.
"""

from __future__ import annotations

import os

from benchmarks.fleet_bits import one_machine, stores
from benchmarks.fleet_faults import kills, outages, partition
from benchmarks.table import Row

PARTS = {"one_machine": one_machine, "kills": kills, "partition": partition, "outages": outages,
         "stores": stores}  # fmt: skip


def run() -> list[Row]:
    """Run the parts that are asked for."""
    markets = int(os.environ.get("BENCH_MARKETS", "6"))
    asked = os.environ.get("BENCH_FLEET", ",".join(PARTS)).split(",")
    return [row for name in asked for row in PARTS[name](markets)]
