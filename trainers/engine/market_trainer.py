"""One market's learning: forecast each bar, and every cycle score, learn, report.

    events -> MarketTrainer.handle -> commands

    BarsTaken -> forecasts -> ledger rows -> scores     test ...
    CycleBegun -> snapshot -> learners                  ... then train

A forecast is made when its bar is the newest, by the version that serves then, and becomes final
before the next bar is known; where that was too late, its row says MISSED. A cycle learns from the
bars taken before it began and no others. The engine knows no file, clock, socket, tracker or
process: whoever drives it decides when things happen, and carries out what it answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datamodules.digest import digest
from datamodules.features import raw_columns
from datamodules.snapshot import Snapshot
from streaming.bars import BAR, Bars
from streaming.events import Code
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig, TrainingConfig
from trainers.engine.champion_challenger import ChampionChallenger
from trainers.engine.commands import (
    CandidateWanted,
    Checkpoint,
    Command,
    CycleDone,
    ForecastsMade,
    Happened,
    LedgerRows,
    RollbackWanted,
    RunUpdate,
)
from trainers.engine.controls import (
    BOUNDS,
    RefusedError,
    adjust,
    control_of,
    number_of,
    set_confidence,
    test_of,
)
from trainers.engine.events import (
    BarsTaken,
    ChampionInstalled,
    ControlGiven,
    CycleBegun,
    CycleEnded,
    Event,
    ForecastsTimed,
    LearnerTurn,
)
from trainers.engine.learner_runner import LearnerRunner
from trainers.engine.scorecard import Scorecard
from trainers.engine.stream_metrics import stream_metrics
from trainers.learners.learner import Learner, Model, Versioned
from trainers.learners.registry import baselines_of, learners_of
from trainers.names import Control, Tag
from trainers.scoring.ledger import (
    FORECAST,
    NO_ACTION,
    Forecasts,
    LedgerTable,
    Outcomes,
    missed_rows,
    outcome_of,
)

# Bars that a forecast's hash of its inputs covers: all that the built-in learners look at.
HASHED_BARS = 110

# What a market's trainer has besides its learners, by attribute.
SAVED = ("cycle", "overruns", "wanted", "paused", "next_bar", "next_due", "_last_begin",
         "_hashed_bar")  # fmt: skip


class MarketTrainer:
    """The learning of one market.

    Args:
        config: when to learn, and what trading costs.
        market: its symbol.
        learners: those that the session is about.
        baselines: what they are compared with.

    Attributes:
        next_bar: number of the next bar to take, from 0.
        bars: the newest bars taken, as many as a cycle may learn from.
        cycle: number of the cycle at hand or last run; 0 before the first.
        next_due: market time of the next cycle, ns; 0 before the first.
        wanted: a cycle was asked for by hand.
        paused: no cycle is to begin.
        turns: names of those that learn in a cycle, in order.
        ledger: all rows so far.
    """

    def __init__(
        self,
        config: TrainingConfig,
        market: str,
        learners: Sequence[Learner],
        baselines: Sequence[Learner],
    ) -> None:
        self.config, self.market = config, market
        confidence, fee_bps = config.confidence, config.fee_bps
        self.learners = [LearnerRunner(learner, confidence) for learner in learners]
        self.baselines = [LearnerRunner(baseline, confidence) for baseline in baselines]
        self.tests = [
            ChampionChallenger(runner, confidence, fee_bps)
            for runner in self.learners
            if isinstance(runner.learner, Versioned)
        ]
        champions = [test.champion for test in self.tests]
        self.runners = [*self.learners, *champions, *self.baselines]
        self._learning = {runner.name: runner for runner in (*self.learners, *self.baselines)}
        self.turns = list(self._learning)
        self.ledger = LedgerTable([runner.name for runner in self.runners])
        self._score([*self.learners, *champions])
        self.cycle = self.overruns = self.next_bar = self.next_due = 0
        self.wanted = self.paused = False
        self.bars: Bars = np.zeros(0, BAR)
        self._last_begin = (0, 0)  # of the last cycle: ticks seen, market time ns
        self._hashed_bar = -1  # the newest whose rows are in a cycle's hashes, ns
        self._asked: tuple[Outcomes, Forecasts] | None = None  # forecasts not timed yet
        self._begun: tuple[CycleBegun, Snapshot, dict[str, Any]] | None = None

    def _score(self, learners: Sequence[LearnerRunner]) -> None:
        self.scorecard = Scorecard(self.ledger, learners, self.baselines, self.config.fee_bps)

    @property
    def newest_bar(self) -> int:
        """The newest bar taken, ns; -1 before the first."""
        return int(self.bars["ts_open"][-1]) if len(self.bars) else -1

    @property
    def ticks_seen(self) -> int:
        """Ticks that the last cycle has seen."""
        return self._last_begin[0]

    def handle(self, event: Event) -> Iterator[Command]:
        """Take an event; yield what is to be done, to be carried out as it comes.

        Raises:
            ValueError: if the event cannot follow those before it.
        """
        match event:
            case BarsTaken():
                return self._take(event)
            case ForecastsTimed():
                return self._time(event)
            case CycleBegun():
                return self._begin(event)
            case LearnerTurn():
                return self._teach(event)
            case CycleEnded():
                return self._end(event)
            case ControlGiven():
                return self._control(event)
            case ChampionInstalled():
                return self._install(event)

    # ---- test

    def _take(self, event: BarsTaken) -> Iterator[Command]:
        """Take bars; yield the rows of all but the newest, and ask about its forecasts."""
        self._expect(self._asked is None, "ForecastsTimed", event)
        new, keep = event.bars, self.config.history_bars
        self.next_bar += len(new)
        window = np.concatenate([self.bars, new])[-keep - len(new) :]
        window.flags.writeable = False  # all learners are handed the same
        self.bars = window[-keep:]
        if self.cycle == 0:
            return  # nobody has learned yet, and these may be history from before the session
        for end in range(len(window) - len(new) + 1, len(window)):
            yield self._final(outcome_of(window[:end]))
        outcome = outcome_of(window)
        if not event.ask:
            yield self._final(outcome)
            return
        forecasts = yield from self._forecasts(outcome)
        self._asked = outcome, forecasts
        yield ForecastsMade(self.newest_bar)

    def _forecasts(self, outcome: Outcomes) -> Generator[Command, None, Forecasts]:
        """Ask every learner about the bar after the newest; return the rows."""
        rows = missed_rows(outcome, self._versions)
        rows["inputs"] = _digest(self.bars[-HASHED_BARS:])
        for row, runner in zip(rows, self.runners, strict=True):
            row["status"], found, told = runner.forecast(self.bars, self.cycle)
            row["probability"] = np.nan if found.probability is None else found.probability
            row["action"] = NO_ACTION if found.action is None else found.action
            row["signal"] = runner.signal(found)
            yield from told
        return rows

    def _time(self, event: ForecastsTimed) -> Iterator[Command]:
        """Make the forecasts of the newest bar final."""
        self._expect(self._asked is not None, "BarsTaken", event)
        assert self._asked is not None
        (outcome, forecasts), self._asked = self._asked, None
        if not event.in_time:
            yield self._final(outcome)
            return
        forecasts["latency_us"] = event.latency_us
        yield self._final(outcome, forecasts)

    def _final(self, outcome: Outcomes, forecasts: Forecasts | None = None) -> LedgerRows:
        """Add a bar's rows; without forecasts it was missed."""
        if forecasts is None:
            forecasts = missed_rows(outcome, self._versions)
        self.ledger.append(outcome, forecasts)
        return LedgerRows(outcome, forecasts)

    @property
    def _versions(self) -> list[int]:
        return [runner.version for runner in self.runners]

    # ---- train

    def _begin(self, event: CycleBegun) -> Iterator[Command]:
        """Fix what the cycle learns from."""
        self._expect(self._begun is None, "CycleEnded", event)
        self.cycle, self.wanted = event.cycle, False
        ticks = event.watermark["ticks"]
        snapshot = Snapshot(self.market, self.cycle, self.bars, self.config.seed)
        stream = stream_metrics(event, self._last_begin, self.next_bar)
        self._begun = event, snapshot, {"stream": stream, "bars": digest(self.bars)}
        self._last_begin = (ticks, event.now)
        return
        yield

    def _teach(self, event: LearnerTurn) -> Iterator[Command]:
        """Let one learner learn; a baseline is done before anyone could read that it began."""
        self._expect(self._begun is not None, "CycleBegun", event)
        assert self._begun is not None
        runner = self._learning[event.learner]
        yield from runner.train(self._begun[1], announce=runner in self.learners)

    def _end(self, event: CycleEnded) -> Iterator[Command]:
        """Score and judge; yield what the cycle came to."""
        self._expect(self._begun is not None, "CycleBegun", event)
        assert self._begun is not None
        (begun, _, found), self._begun = self._begun, None
        if alarm := self.scorecard.update():
            yield Happened(Code.LEAK_ALARM, alarm)
        for test in self.tests:
            test.judge(self.scorecard.scored, self.scorecard.rivals(test.challenger.learner.kind))
            test.challenger.take_evidence(test.metrics())
        step = int(self.config.cycle_seconds * NS_PER_S)
        self.next_due = due_after(self.next_due, begun.now, step)
        self.overruns += event.overran
        for runner in self.runners:
            runner.take_seconds(event.seconds.get(runner.name, 0.0))
        states = {runner.name: runner.learner_state() for runner in self.runners}
        hashes = {
            "ticks": begun.digest,
            "bars": found["bars"],
            "learners": {one.name: one.digests(states[one.name]) for one in self.runners},
            "forecasts": self._forecasts_digest(),
        }
        stream = {**found["stream"], "stream/overruns": float(self.overruns)}
        yield CycleDone(self.cycle, begun.now, begun.wall_ms, hashes, stream, self.text())
        yield from self._report(begun.wall_ms)
        yield Checkpoint(self._saved(states))

    def _report(self, wall_ms: int) -> Iterator[Command]:
        """Yield everyone's metrics, and what the verdicts ask for."""
        verdicts = {test.name: _verdict_tags(test) for test in self.tests}
        for runner in self.runners:
            tags = runner.tags | verdicts.get(runner.name, {})
            yield RunUpdate(runner.name, self.cycle, runner.metrics(), tags, wall_ms)
        for test in self.tests:
            for verdict in (test.verdict, test.on_champion):
                if verdict is None or verdict.decision not in ("promote", "rollback"):
                    continue
                promoted = verdict.decision == "promote"
                code = Code.PROMOTED if promoted else Code.ROLLED_BACK
                yield Happened(code, f"{test.name}: {verdict.decision}: {verdict.reason}")
                yield (
                    self._candidate(test, "evidence")
                    if promoted
                    else RollbackWanted(test.name, self.cycle, "evidence", verdict)
                )

    def _candidate(self, test: ChampionChallenger, by: str) -> CandidateWanted:
        learner = test.challenger.learner
        assert isinstance(learner, Versioned)
        exported = learner.export()
        assert exported is not None  # it has learned, else there would be nothing to promote
        state = test.challenger.learner_state()
        assert state is not None
        example = raw_columns(self.bars[-exported[1] - 1 :])
        return CandidateWanted(test.name, self.cycle, by, test.verdict, state, example)

    def _forecasts_digest(self) -> str:
        """Return the hash of the ledger's rows since the cycle before, without latencies."""
        outcomes, forecasts = self.ledger.between(self._hashed_bar, self.newest_bar)
        self._hashed_bar = self.newest_bar
        columns = [name for name in FORECAST.names or () if name != "latency_us"]
        return digest(outcomes, [forecasts[name] for name in columns])

    def text(self) -> str:
        """Return in one line what the last cycle came to."""
        parts = [f"cycle {self.cycle}", *(runner.text() for runner in self.learners)]
        return "  |  ".join(parts)

    # ---- wishes and champions

    def check_control(self, event: ControlGiven) -> None:
        """Raise what is wrong with a wish, changing nothing.

        Raises:
            RefusedError: with the reason.
        """
        control = control_of(event.name)
        if control in BOUNDS:
            number_of(control, event.value)
        if control in (Control.PROMOTE, Control.ROLLBACK):
            test_of(control, event.value, self.tests)

    def _control(self, event: ControlGiven) -> Iterator[Command]:
        """Do what was asked; yield what came of it."""
        try:
            control = control_of(event.name)
            text = yield from self._apply(control, event.value)
        except RefusedError as e:
            text = f"refused {e}"
        yield Happened(Code.CONTROL, text)

    def _apply(self, control: Control, value: str) -> Generator[Command, None, str]:
        """Do what was asked; return what was done, in words."""
        match control:
            case Control.STOP:
                return "stopping"
            case Control.PAUSE:
                self.paused = True
                return "training paused"
            case Control.RESUME | Control.START:  # a session that ended was started with this
                self.paused = False
                return "training goes on"
            case Control.TRAIN_NOW:
                self.wanted = True
                return "a training cycle was asked for"
            case Control.LEARNING_RATE | Control.EPSILON:
                return adjust(control, value, self.learners)
            case Control.CONFIDENCE:
                return set_confidence(value, self.runners, self.learners)
        test = test_of(control, value, self.tests)
        if control == Control.PROMOTE:
            yield self._candidate(test, "hand")
        else:
            yield RollbackWanted(test.name, self.cycle, "hand", test.verdict)
        return f"{control} of {value} is on its way"

    def _install(self, event: ChampionInstalled) -> Iterator[Command]:
        """Let another version forecast as champion; yield what is to be told."""
        (test,) = (one for one in self.tests if one.name == event.learner)
        first_look = test.challenge == 0
        test.install(event.version, event.model, event.challenge, self.newest_bar)
        if event.version or not first_look:
            who = f"version {event.version}" if event.version else "nobody"
            yield Happened(Code.CHAMPION, f"{test.name}: champion is now {who}")
        yield RunUpdate(test.name, self.cycle, {}, _verdict_tags(test))

    # ---- resume

    def _saved(self, states: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in SAVED},
            "alarmed": self.scorecard.alarmed,
            "tests": {test.name: test.saved() for test in self.tests},
            "runners": {one.name: one.saved(states[one.name]) for one in self.runners},
        }

    def restore(
        self,
        saved: Mapping[str, Any],
        bars: Bars,
        rows: tuple[Outcomes, Forecasts],
        models: Callable[[str, int], Model | None],
    ) -> list[str]:
        """Become the trainer that a checkpoint was taken from; return who cannot be resumed.

        Args:
            saved: the state of a ``Checkpoint``.
            bars: ``(T,)`` taken before it, the newest ``history_bars`` of them.
            rows: of the ledger, all that were final by then.
            models: gives a learner's registered version, by name and version.
        """
        for name in SAVED:
            setattr(self, name, saved[name])
        bars.flags.writeable = False
        self.bars = bars
        forgetful = [
            runner.name
            for runner in self.runners
            if not runner.restore(saved["runners"][runner.name])
        ]
        for test in self.tests:
            known = saved["tests"][test.name]
            test.restore(known, models(test.name, known["version"]))
        self.ledger = LedgerTable(self.ledger.names, *rows)
        self._score([*self.learners, *(test.champion for test in self.tests)])
        self.scorecard.alarmed = saved["alarmed"]
        self.scorecard.refresh()
        return forgetful

    def _expect(self, right: bool, wanted: str, event: Event) -> None:
        if not right:
            raise ValueError(
                f"{self.market}: expected {wanted} before {type(event).__name__}; hand events in"
                " the order in which they were decided"
            )


def make_market_trainer(config: SessionConfig, market: str) -> MarketTrainer:
    """Make the trainer of one market; a session without learners has no baselines either.

    Raises:
        ConfigError: if a learner cannot be made.
    """
    learners = learners_of(config, market)
    baselines = baselines_of(config, market) if learners else {}
    compared = [one for name, one in baselines.items() if name not in learners]
    return MarketTrainer(config, market, list(learners.values()), compared)


def _verdict_tags(test: ChampionChallenger) -> dict[str, str]:
    """Return the tags that tell who is champion and what the evidence says."""
    tags: dict[str, str] = {Tag.CHAMPION: str(test.version or "")}
    if test.verdict is not None:
        tags[Tag.VERDICT] = test.verdict.as_json()
    return tags


def _digest(bars: Bars) -> int:
    """Return 64 bits that tell bars apart."""
    return int.from_bytes(hashlib.blake2b(bars.tobytes(), digest_size=8).digest(), "little")


def due_after(due: int, now: int, step: int) -> int:
    """Return when the next cycle is due, ns of market time.

    Cycles stay on a grid of ``step``. One asked for before its time moves nothing, and a silence
    skips those without anything new.

    Args:
        due: when the cycle just run was due; 0 for the first, which starts the grid.
        now: market time when it began.
        step: from one cycle to the next.

    >>> due_after(0, 100, 30), due_after(130, 117, 30), due_after(130, 165, 30)
    (130, 130, 190)
    """
    if due == 0:
        return now + step
    return due + ((now - due) // step + 1) * step if now >= due else due
