"""Backtests learners on recorded tapes: a session computed at once, by the code of a live one.

    python -m trainers.research.backtest --source tape:PATH [--symbols A,B --from DATE --to DATE]

PATH is a file, a pattern of several, or a folder of daily files or of a session's tape. All of it
is read and checked before anything starts. Each market has a process of its own. Ctrl-C ends the
markets after their current cycles; what is done is kept.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streaming.errors import ConfigError, TapeError
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.process import on_end
from streaming.tape import parse_address, release_memory
from streaming.tape.parts import SymbolTape, look_at
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig, session_folder
from trainers.config.backtest import BacktestConfig
from trainers.config.pretraining.start import with_start
from trainers.learners.determinism import deterministic
from trainers.learners.registry import check_learners
from trainers.names import Kind, Tag
from trainers.recording.files import CONFIG, DECISIONS, TAPE, of_market
from trainers.replay.progress import ProgressBar
from trainers.research.market import MarketBacktest, Tell
from trainers.research.played import PlayedSpan
from trainers.research.runs import BacktestRuns, begin
from trainers.research.workers import Work, WorkerReport, Workers, cores, keep_freed_memory
from trainers.session.end import finish
from trainers.session.preflight import check_folder
from trainers.states import State
from trainers.tracking.arena.model_uris import with_versions
from trainers.tracking.reader import SessionReader
from trainers.tracking.store import STORE_ERRORS, before_the_start, ensure_store
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.summary import summary_of


def backtest(config: BacktestConfig, root: Path) -> int:
    """Backtest in the project at ``root``; return the exit code.

    Raises:
        TickloopError: if a setting, a tape, a folder or the store is unusable.
    """
    given = config
    with before_the_start():
        config = with_versions(config, root)
        check_learners(config.learner_list, config.learner)
        tapes = tapes_of(config)
        symbols = [tape.symbol for tape in tapes]
        config = dataclasses.replace(config, symbols=",".join(symbols))
        quoted = any(part.quotes for tape in tapes for part in tape.parts)
        config = with_start(config.with_features(quotes=config.quotes and quoted))
        span = span_of(config, tapes)
        record = config.for_record()
        client = MlflowClient(ensure_store(root))
        check_folder(session_folder(root, ""))
        cuts = cuts_of(given.cuts, symbols, root)
        run_id = begin(client, given, record, root)
    session, code = session_folder(root, run_id), 1
    say(f"backtest   {run_id}  ({config.source}, {config.symbols}); Ctrl-C ends it")
    try:
        (session / TAPE).mkdir(parents=True, exist_ok=True)
        record.save(session / CONFIG)
        work = {
            tape.symbol: functools.partial(
                _market, session, tape.symbol, record, tape, span, cuts.get(tape.symbol)
            )
            for tape in tapes
        }
        seconds = sum(seconds_of(tape, span) for tape in tapes)
        code = _run(BacktestRuns(client, session, record), work, seconds, config.workers)
    finally:
        ended = finish(client, session, code)
    _tell_the_end(SessionReader(root), run_id, ended.state)
    return code


def _tell_the_end(reader: SessionReader, run_id: str, state: State) -> None:
    """Say what came of it, and where to look at it."""
    learners = [
        run for run in reader.learner_runs(run_id) if run.tags.get(Tag.KIND) == Kind.LEARNER
    ]
    told = summary_of(reader.session_run(run_id), learners, state, time.time())
    say(f"backtest   {told.title}")
    for line in told.learners:
        say(f"           {line}")
    say(f"page       python -m ui.app --session {run_id}")
    say(f"replay     python -m trainers.replay --session {run_id}")


def tapes_of(config: BacktestConfig) -> list[SymbolTape]:
    """Read all of the tape once; return what it has of each symbol, and say what is odd.

    Raises:
        TapeError: if it cannot be read, or a symbol is not on it.
    """
    address = parse_address(config.source.partition(":")[2])
    found = look_at(address, config.symbol_list, quotes=config.quotes)
    release_memory()
    for tape in found:
        for remark in tape.remarks:
            say(f"tape       {tape.symbol}: {remark}")
    return found


def span_of(config: BacktestConfig, tapes: list[SymbolTape]) -> PlayedSpan:
    """Return what is played of all tapes.

    Raises:
        TapeError: if there is nothing of a symbol in it.
    """
    first, stop = config.span
    for tape in tapes:
        if not any(part.last >= first and part.first < stop for part in tape.parts):
            raise TapeError(
                f"{tape.parts[0].address.path}: expected trades of {tape.symbol} from"
                f" {config.since or 'its beginning'} to {config.until or 'its end'}; there are none"
            )
    return PlayedSpan(
        first, stop, min(stop, max(part.last for tape in tapes for part in tape.parts))
    )


def cuts_of(session: str, symbols: Sequence[str], root: Path) -> dict[str, Path]:
    """Return the decision logs of a session, by market; none if no session is named.

    Raises:
        ConfigError: if it has none of a market.
    """
    if not session:
        return {}
    folder = session_folder(root, session)
    logs = {symbol: of_market(folder, symbol, DECISIONS) for symbol in symbols}
    for symbol, log in logs.items():
        if not log.exists():
            raise ConfigError(
                f"cuts: got {session!r}; expected the decisions of a session on {symbol}, in {log};"
                " there are none"
            )
    return logs


def _run(runs: BacktestRuns, work: Mapping[str, Work], seconds: float, at_once: int) -> int:
    deterministic()  # only now all libraries are loaded: it reaches none that comes later
    keep_freed_memory()
    played = dict.fromkeys(work, 0.0)
    progress = ProgressBar(seconds, "backtest")

    def take(market: str, told: WorkerReport) -> None:
        runs.take(market, told.points)
        played[market] = max(played[market], told.seconds)
        progress.show(sum(played.values()))
        if told.end:
            say(f"done       {market}: {told.end}")

    workers = Workers(work, cores(list(work), at_once), take)
    stopped = []

    def stop(*_: object) -> None:
        stopped.append(True)
        workers.stop()

    on_end(stop)
    gc.freeze()  # what was imported stays one copy for all processes
    try:
        workers.run()
    finally:
        runs.end(State.STOPPED if stopped else State.ENDED)
    say(f"{progress.speed:.0f} times real time", error=True)
    return 0


def _market(
    session: Path,
    market: str,
    config: SessionConfig,
    tape: SymbolTape,
    span: PlayedSpan,
    cuts: Path | None,
    tell: Tell,
    stopped: Callable[[], bool],
) -> str:
    return MarketBacktest(session, market, config, tape, span, tell, stopped, cuts).run()


def seconds_of(tape: SymbolTape, span: PlayedSpan) -> float:
    """Return the market time that is played of a tape, s; nights between files are not."""
    times = [(max(part.first, span.first), min(part.last, span.stop)) for part in tape.parts]
    return sum(max(0, last - first) for first, last in times) / NS_PER_S


@entry_point("backtest", outside=STORE_ERRORS)
def main() -> int:
    """Run a backtest from the command line."""
    logging.basicConfig(level=logging.WARNING, format="backtest: %(message)s", force=True)
    return backtest(BacktestConfig.from_args(), Path.cwd())


if __name__ == "__main__":
    main()
