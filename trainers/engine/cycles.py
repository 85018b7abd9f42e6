"""The second half of test-then-train: each cycle learns, scores, judges and reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from datamodules.digest import digest
from datamodules.features import raw_columns
from datamodules.snapshot import Snapshot
from streaming.bars import BROKEN, Bars
from streaming.carry import MOST_TIMES
from streaming.events import Code
from streaming.ticks import NS_PER_S
from trainers.config import TrainingConfig
from trainers.engine.commands import (
    CandidateWanted,
    Checkpoint,
    Command,
    CycleDone,
    Happened,
    RollbackWanted,
    RunUpdate,
)
from trainers.engine.events import STREAMS, CycleBegun, CycleEnded, LearnerTurn, Watermark, known
from trainers.engine.forecasting import Forecasting, rows_digest
from trainers.engine.runners.champion_challenger import ChampionChallenger
from trainers.engine.runners.roster import Roster, State
from trainers.engine.runners.scorecard import Scorecard
from trainers.engine.runners.summary import summary
from trainers.engine.stream_metrics import stream_metrics
from trainers.learners.own_code import LearnerError
from trainers.names import STREAM, Status, Tag
from trainers.scoring.ledger import Forecasts, Outcomes
from trainers.scoring.session import learner_totals

# The attributes of ``Cycles`` that a checkpoint keeps.
SAVED = ("number", "overruns", "next_due", "seen", "since", "broken")


class Cycles:
    """The training cycles of one market.

    Args:
        config: the interval between cycles, the cost of trading, the seed.
        market: the market's symbol.
        roster: the runners that learn and are judged.
        forecasting: the first half, which holds the bars and the ledger.
        phase: where in each interval the market's cycles are due, from 0 to below 1; None: an
            interval after the first.

    Attributes:
        scorecard: the scores of all runners.
        number: the number of the newest cycle that has begun; 0 before the first.
        overruns: the number of cycles that had not ended when the next one was due.
        next_due: market time at which the next cycle is due, ns; 0 before the first.
        seen: the number of rows of each stream that the newest cycle saw; zeros before the first.
        since: the newest cycle's market time, ns; 0 before the first.
        broken: the number of broken bars that cycles have seen.
    """

    def __init__(
        self,
        config: TrainingConfig,
        market: str,
        roster: Roster,
        forecasting: Forecasting,
        phase: float | None,
    ) -> None:
        self._config, self._market, self._phase = config, market, phase
        self._roster, self._forecasting = roster, forecasting
        self.scorecard = self._new_scorecard()
        self.number = self.overruns = self.next_due = self.since = self.broken = 0
        self.seen: Watermark = dict.fromkeys(STREAMS, 0)
        self._begun: tuple[CycleBegun, Snapshot, dict[str, float]] | None = None

    def _new_scorecard(self) -> Scorecard:
        roster, config = self._roster, self._config
        learners = [*roster.learners, *roster.champions]
        return Scorecard(learners, roster.baselines, roster.tests, config.fee_bps, config.target)

    @property
    def running(self) -> bool:
        """Whether a cycle has begun and not ended yet."""
        return self._begun is not None

    def begin(self, event: CycleBegun) -> Iterator[Command]:
        """Begin a cycle: fix the snapshot that its learners learn from."""
        self.number = event.cycle
        forecasting = self._forecasting
        yield from self._tell_broken(forecasting.bars)
        snapshot = Snapshot(self._market, event.cycle, forecasting.bars, self._config.seed)
        stream = stream_metrics(event, self.seen, self.since, forecasting.next_bar, self.broken)
        self._begun = event, snapshot, stream
        self.seen, self.since = event.watermark, event.now

    def _tell_broken(self, bars: Bars) -> Iterator[Command]:
        """Count the broken bars that the cycle before did not see, and tell of them."""
        new = bars[~known(bars, self.seen) & (bars["gap"] & BROKEN != 0)]
        if len(new) == 0:
            return
        self.broken += len(new)
        at = np.datetime_as_string(new["ts_open"][:1].view("M8[ns]"), unit="s")[0]
        yield Happened(
            Code.BROKEN_BAR,
            f"{len(new):,} broken {'bar' if len(new) == 1 else 'bars'}: a price moved by more than"
            f" a factor of {MOST_TIMES:g} within a bar (at {at}, from {new['low'][0]:g} to"
            f" {new['high'][0]:g}); no account, memory or score counts that",
        )

    def train(self, event: LearnerTurn) -> Iterator[Command]:
        """Train one learner on the cycle's snapshot."""
        assert self._begun is not None
        runner, announce = self._roster.learning(event.learner)
        yield from runner.train(self._begun[1], announce=announce)

    def end(self, event: CycleEnded, flags: Mapping[str, bool]) -> Iterator[Command]:
        """End the cycle: score, judge, and yield its results and a checkpoint.

        Args:
            event: the end.
            flags: attributes of the ``MarketTrainer`` that the checkpoint keeps.
        """
        assert self._begun is not None
        (begun, snapshot, stream), self._begun = self._begun, None
        rows = self._forecasting.new_rows()
        yield from self._score(*rows)
        self.next_due = self.due_after_this(begun.now)
        self.overruns += event.overran
        for runner in self._roster.everyone:
            runner.take_seconds(event.seconds.get(runner.name, 0.0))
        states, digests = {}, {}
        for runner in self._roster.everyone:
            states[runner.name], digests[runner.name] = yield from runner.learner_state(self.number)
        hashes = self._hashes(begun, snapshot, digests, rows_digest(*rows))
        stream = {**stream, f"{STREAM}overruns": float(self.overruns), **self._totals()}
        standing = self.scorecard.standing()
        yield CycleDone(
            self.number, begun.now, begun.wall_ms, hashes, stream, standing, self._text()
        )
        yield from self._report(begun.wall_ms)
        yield Checkpoint({**self._saved(states), **flags})

    def _totals(self) -> dict[str, float]:
        learners = self._roster.learners
        failing = any(runner.status == Status.ERROR for runner in learners)
        due = sum(self.scorecard.due(runner.name) for runner in learners)
        return learner_totals([runner.live for runner in learners], due, failing=failing)

    @property
    def _step(self) -> int:
        return int(self._config.cycle_seconds * NS_PER_S)

    def due_after_this(self, now: int) -> int:
        """Return when the next cycle is due if this one began at ``now``; both market time, ns."""
        if self.next_due == 0:
            return second_due(now, self._step, self._phase)
        return due_after(self.next_due, now, self._step)

    def _score(self, outcomes: Outcomes, forecasts: Forecasts) -> Iterator[Command]:
        if alarm := self.scorecard.update(outcomes, forecasts):
            yield Happened(Code.LEAK_ALARM, alarm)
        for test in self._roster.tests:
            test.judge()
            test.challenger.take_evidence(test.metrics())

    def _hashes(
        self,
        begun: CycleBegun,
        snapshot: Snapshot,
        learners: Mapping[str, Mapping[str, str]],
        forecasts: str,
    ) -> dict[str, Any]:
        return {
            **begun.digests,
            "bars": digest(snapshot.bars),
            "learners": learners,
            "forecasts": forecasts,
        }

    def _report(self, wall_ms: int) -> Iterator[Command]:
        """Yield every runner's metrics and tags, then the promotions and rollbacks."""
        verdicts = {test.name: verdict_tags(test) for test in self._roster.tests}
        for runner in self._roster.everyone:
            tags = runner.tags | verdicts.get(runner.name, {})
            yield RunUpdate(runner.name, self.number, runner.metrics(), tags, wall_ms)
        for test in self._roster.tests:
            yield from self._carry_out(test)

    def _carry_out(self, test: ChampionChallenger) -> Iterator[Command]:
        """Yield the promotion or rollback that the verdicts of one test demand."""
        if (verdict := test.verdict) and verdict.decision == "promote":
            if verdict.decision in test.turned:
                yield Happened(Code.PROMOTED, f"{test.name}: promote: {verdict.reason}")
            yield from candidate_of(test, self.number, "evidence", self._forecasting.bars)
        if (verdict := test.on_champion) and verdict.decision == "rollback":
            if verdict.decision in test.turned:
                yield Happened(Code.ROLLED_BACK, f"{test.name}: rollback: {verdict.reason}")
            yield RollbackWanted(test.name, self.number, "evidence", verdict)

    def _text(self) -> str:
        """Return a summary of the last cycle in one line."""
        parts = [f"cycle {self.number}", *map(summary, self._roster.learners)]
        return "  |  ".join(parts)

    def _saved(self, states: Mapping[str, State | None]) -> State:
        return {
            "next_bar": self._forecasting.next_bar,
            "roster": self._roster.saved(states),
            "cycles": {
                **{name: getattr(self, name) for name in SAVED},
                "alarmed": self.scorecard.alarmed,
            },
        }

    def restore(self, saved: Mapping[str, Any], rows: tuple[Outcomes, Forecasts]) -> None:
        """Restore what a checkpoint saved, given the ledger's rows by then; after the roster."""
        for name in SAVED:
            setattr(self, name, saved[name])
        self.scorecard = self._new_scorecard()
        self.scorecard.restore(saved["alarmed"], *rows)


def candidate_of(test: ChampionChallenger, cycle: int, by: str, bars: Bars) -> Iterator[Command]:
    """Yield the command to register a learner, as it is now, and make it champion.

    Args:
        test: the learner's test; if it has no model that can be kept, only that is told.
        cycle: the newest cycle that has begun.
        by: the reason, ``evidence`` or ``hand``.
        bars: the newest bars, of which the last become the model's input example.
    """
    runner = test.challenger
    try:
        exported = runner.exported()
    except LearnerError as e:
        yield from runner.failed(e, cycle)
        return
    state, _ = yield from runner.learner_state(cycle)
    if exported is not None and state is not None:
        example = raw_columns(bars[-exported[1] - 1 :])
        yield CandidateWanted(test.name, cycle, by, test.verdict, state, example)


def verdict_tags(test: ChampionChallenger) -> dict[str, str]:
    """Return the tags with the champion's version and the verdict on the challenger."""
    tags: dict[str, str] = {Tag.CHAMPION: str(test.version or "")}
    if test.verdict is not None:
        tags[Tag.VERDICT] = test.verdict.as_json()
    return tags


def second_due(now: int, step: int, phase: float | None) -> int:
    """Return when a market's second cycle is due, ns of market time; it starts the market's grid.

    With a phase, a market's grid does not depend on when its first cycle began, so that the cycles
    of many markets stay spread over the interval.

    Args:
        now: market time when the first cycle began, ns.
        step: the interval between cycles, ns.
        phase: the share of the interval by which the grid is shifted; the second cycle is then due
            half an interval after the first or later, but before one and a half. None: one interval
            after the first.

    >>> second_due(100, 30, None), second_due(100, 30, 0.0), second_due(100, 30, 0.9)
    (130, 120, 117)
    """
    if phase is None:
        return now + step
    earliest = now + step // 2
    return earliest + (int(phase * step) - earliest) % step


def due_after(due: int, now: int, step: int) -> int:
    """Return when the next cycle is due, ns of market time.

    Cycles stay on a grid of ``step``. A cycle requested before its time does not move the grid;
    after a silence, the points of the grid that have passed are skipped.

    Args:
        due: when the cycle just run was due, ns.
        now: market time when that cycle began, ns.
        step: the interval between cycles, ns.

    >>> due_after(130, 117, 30), due_after(130, 165, 30)
    (130, 190)
    """
    return due + ((now - due) // step + 1) * step if now >= due else due
