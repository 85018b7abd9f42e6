"""What a fleet must bear: kills, a node that is cut off, a store that is away."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import psutil

from benchmarks.fleet_kills import TARGETS, Takeover, kill, markets_on
from benchmarks.fleet_proof import Stored, cycles_within, doubled, lost, refused, stored_now
from benchmarks.fleet_session import PATIENCE_SECONDS, SETTINGS, Fleet, fleet, load, replayed
from benchmarks.kills import faults_of
from benchmarks.measuring import median
from benchmarks.table import Row
from streaming.ticks import NS_PER_S
from tests.end_to_end.main_job import end_registering, wait_for
from tests.trial_store import crash
from trainers.recording.decision_log import cycles_ended
from trainers.recording.files import DECISIONS
from trainers.session.processes.programs import TRAINER

AWAY_SECONDS = 60.0
TAKEN_SECONDS, DETECTED_SECONDS = 5.0, 3.0  # the limits of a takeover and of its detection
RAY_LOGS = Path("/tmp/ray/session_latest/logs")
IGNORED = shutil.ignore_patterns("*.socket", "sockets")
WITHIN_SECONDS = (0.5, 5.0)  # from a calm moment to the next kill: also within a cycle's training


def settle(session: Fleet, before: list[Stored]) -> tuple[list[str], str]:
    """End a session; return what is wrong with its record, and what its replay says."""
    session.wait_for_cycles(2)
    session.stop(180)
    end_registering(session.folder)
    folder, client = session.session, session.client
    faults = lost(before, folder) + doubled(client, folder.name) + faults_of(folder, client)
    text = replayed(session)
    faults += [] if text.startswith("identical: ") else [text]
    if faults:
        keep(session)
    return faults, text


def keep(session: Fleet) -> None:
    """Keep what tells how a fault came about: the record, the objects, what was printed."""
    folder = Path("build") / "fleet-faults" / session.session.name
    shutil.copytree(session.folder, folder / "project", ignore=IGNORED)
    shutil.copytree(session.store.s3.folder, folder / "s3")
    shutil.copytree(RAY_LOGS, folder / "ray", ignore=IGNORED)
    print(f"  what is left of it is in {folder}", flush=True)


def found_rows(what: str, faults: list[str], note: str) -> list[Row]:
    """Return the row of what is wrong with a record."""
    told = f"{note}; {load()}" + (f"; FAULTS: {'; '.join(faults)[:2000]}" if faults else "")
    return [Row(f"{what}: rows lost or twice, replays apart", float(len(faults)), 1.0, "", "<=", 0,
                "nothing", told)]  # fmt: skip


def kills(markets: int) -> list[Row]:
    """Kill something again and again; see that nothing was lost, and how long it took."""
    number = int(os.environ.get("BENCH_KILLS", "20"))
    targets = os.environ.get("BENCH_TARGETS", ",".join(TARGETS)).split(",")
    before: list[Stored] = []
    takeovers: list[Takeover] = []
    with fleet(markets, seed=int(os.environ.get("BENCH_SEED", "0"))) as session:
        session.wait_for_cycles(2)
        begun = time.monotonic()
        for nth in range(number):
            session.wait_for_cycles(1)
            before += stored_now(session.objects, session.session, session.markets)
            time.sleep(session.rng.uniform(*WITHIN_SECONDS))
            target, at = session.rng.choice(targets), time.strftime("%H:%M:%S", time.gmtime())
            taken = kill(session, target)
            takeovers += [taken] if taken else []
            print(f"  {nth + 1} {at} {target} {taken and taken[1:]} {load()}", flush=True)
        minutes = (time.monotonic() - begun) / 60
        faults, text = settle(session, before)
        counts = ", ".join(f"{session.killed.count(name)} {name}" for name in TARGETS)
    note = f"{number} kills in {minutes:.0f} min: {counts}; {text}"
    return found_rows(f"{markets} markets, kills", faults, note) + _takeover_rows(takeovers)


def _takeover_rows(takeovers: list[Takeover]) -> list[Row]:
    rows = []
    for target in ("node", "actor"):
        of_it = [each for each in takeovers if each.target == target]
        if not of_it:
            continue
        note = f"the longest of {len(of_it)}; {load()}"
        taken = [each.taken for each in of_it]
        rows.append(Row(f"{target} killed: from its detection to the next epochs", max(taken),
                        TAKEN_SECONDS, "s", "<=", 1, "the limit",
                        f"{note}; median {median(taken):.1f}"))  # fmt: skip
        if target == "node":
            found = [each.detected for each in of_it]
            rows.append(Row("node killed: until it is detected", max(found), DETECTED_SECONDS,
                            "s", "<=", 1, "the limit",
                            f"{note}; median {median(found):.1f}"))  # fmt: skip
    return rows


def partition(markets: int) -> list[Row]:
    """Cut a node off for a minute: it goes on by itself, its markets move, its rows are refused."""
    with fleet(markets) as session:
        session.wait_for_cycles(2)
        before = stored_now(session.objects, session.session, session.markets)
        node = next(each for each in session.cluster.all if markets_on(session, each))
        moved, epochs = markets_on(session, node), session.epochs.now()
        logs = {log: each for each in session.on_nodes(TRAINER) for log in logs_of(each)}
        old = {log: each for log, each in logs.items() if log.name.split(".")[0] in moved}
        log = min(old)
        at, done = time.monotonic(), cycles_ended(log)
        node.cut_off()
        wait_for(
            lambda: all(session.epochs.now()[m] > epochs[m] for m in moved),
            "a takeover",
            PATIENCE_SECONDS,
        )
        taken = time.monotonic() - at
        time.sleep(max(0.0, AWAY_SECONDS - taken))
        alone_for = cycles_ended(log) - done
        node.join_again()
        wait_for(
            lambda: not any(process.is_running() for process in old.values()),
            "its trainers to end",
            PATIENCE_SECONDS,
        )
        ended = time.monotonic() - at - AWAY_SECONDS
        size = refused(session.objects, moved)
        faults, text = settle(session, before)
    note = (
        f"taken over after {taken:.1f} s; cut off, its first market ended {alone_for} cycles; back,"
        f" its trainers ended after {ended:.1f} s; {size:,} bytes of theirs are read by nobody;"
        f" {text}"
    )
    return found_rows(f"{markets} markets, a node cut off for 60 s", faults, note)


def logs_of(trainer: psutil.Process) -> list[Path]:
    """Return the decision logs that a trainer writes."""
    written = [Path(file.path) for file in trainer.open_files() if file.mode != "r"]
    return [path for path in written if path.name.endswith(DECISIONS)]


def outages(markets: int) -> list[Row]:
    """Take PostgreSQL away for a minute, then S3."""
    rows = []
    with fleet(markets) as session:
        session.wait_for_cycles(2)
        time.sleep(AWAY_SECONDS)  # the minute with which the first outage is compared
        before = stored_now(session.objects, session.session, session.markets)
        spans = {}
        for server in ("postgres", "s3"):
            spans[f"before {server}"] = (time.time() - AWAY_SECONDS, time.time())
            crash(session.store, server)
            since = time.time()
            time.sleep(AWAY_SECONDS)
            spans[server] = (since, time.time())
            getattr(session.store, server).start()
            session.wait_for_cycles(2)
            time.sleep(AWAY_SECONDS)
        faults, text = settle(session, before)
        cycles = {
            name: cycles_within(
                session.session, session.markets, *(int(at * NS_PER_S) for at in span)
            )
            for name, span in spans.items()
        }
    wanted = markets * AWAY_SECONDS / SETTINGS["cycle_seconds"]
    for server in ("postgres", "s3"):
        note = f"{cycles[f'before {server}']} in the minute before"
        rows.append(Row(f"{markets} markets, {server} away for 60 s: cycles",
                        float(cycles[server]), wanted, "", ">=", 1, "by the settings",
                        note))  # fmt: skip
    return rows + found_rows("both outages", faults, text)
