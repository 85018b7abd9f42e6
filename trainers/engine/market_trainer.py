"""The engine of one market: forecasts each bar; each cycle scores, learns and reports.

    events -> MarketTrainer.handle -> commands

    BarsTaken -> forecasts -> ledger rows -> scores     test ...
    CycleBegun -> snapshot -> learners                  ... then train

A forecast is made while its bar is the newest, by the version that serves at that time. It becomes
final before the next bar is known; a forecast that comes too late is a row that says MISSED. A
cycle learns only from bars taken before it began. The engine knows no file, clock, socket, tracker
or process: its driver decides when things happen, and carries out the commands that it yields.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from streaming.bars import Bars
from streaming.events import Code
from trainers.config import TrainingConfig
from trainers.engine.commands import Command, Happened, RollbackWanted, RunUpdate
from trainers.engine.controls import (
    BOUNDS,
    ControlRefusedError,
    adjust,
    control_of,
    number_of,
    set_confidence,
    test_of,
)
from trainers.engine.cycles import Cycles, candidate_of, verdict_tags
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
from trainers.engine.forecasting import Forecasting
from trainers.engine.runners.roster import Roster
from trainers.learners.learner import Model
from trainers.names import Control
from trainers.scoring.ledger import Forecasts, Outcomes, rows_between

NO_CHAMPION = "there is no champion any more"


class MarketTrainer:
    """The test-then-train engine of one market.

    Args:
        config: the interval between cycles, the cost of trading, the number of bars to keep.
        market: the market's symbol.
        roster: the runners that forecast and learn.
        phase: where in each interval the market's cycles are due, from 0 to below 1; None: an
            interval after the first.

    Attributes:
        wanted: whether an operator has requested a cycle that has not begun yet.
        paused: whether cycles are suspended; the driver begins none while they are.
    """

    def __init__(
        self, config: TrainingConfig, market: str, roster: Roster, phase: float | None = None
    ) -> None:
        self.config, self.market, self.roster = config, market, roster
        self._forecasting = Forecasting(roster, config.history_bars, config.horizon)
        self.cycles = Cycles(config, market, roster, self._forecasting, phase)
        self.wanted = self.paused = False

    @property
    def cycle(self) -> int:
        """Number of the newest cycle that has begun; 0 before the first."""
        return self.cycles.number

    @property
    def next_bar(self) -> int:
        """Number of the next bar to take, from 0."""
        return self._forecasting.next_bar

    @property
    def bars(self) -> Bars:
        """The newest bars taken, at most ``history_bars`` of them: what a cycle may learn from."""
        return self._forecasting.bars

    @property
    def newest_bar(self) -> int:
        """Open time of the newest bar taken, ns; -1 before the first."""
        return self._forecasting.newest_bar

    def outcome(self, ticks: int) -> str:
        """Return what came of the market, of which ``ticks`` have been seen, as a text."""
        config, asked = self.config, f" of {self.config.cycles}" if self.config.cycles else ""
        cycles = f"{self.cycle:,}{asked} cycles" if self.cycle else "no cycle"
        text = f"{cycles}, {ticks:,} ticks, {self.next_bar:,} bars"
        if not self.cycle and ticks < config.min_ticks:
            text += f"; the first cycle needs {config.min_ticks} ticks (--min_ticks)"
        return text

    def tested(self, learner: str) -> bool:
        """Return whether a forecast of a learner has met its label by the newest cycle's end."""
        return self.cycles.scorecard.tested(learner)

    def handle(self, event: Event) -> Iterator[Command]:
        """Handle an event; yield the commands that follow from it.

        The work is done while the caller iterates, so it must carry out each command before it
        asks for the next, and iterate to the end before it hands over another event. The one
        exception is ``ForecastsMade``, whose answer is handled in between.

        Raises:
            ValueError: if the event cannot follow the ones before it.
        """
        self._check_order(event)
        match event:
            case BarsTaken():
                return self._forecasting.take(event, self.cycle)
            case ForecastsTimed():
                return self._forecasting.time(event)
            case CycleBegun():
                self.wanted = False
                return self.cycles.begin(event)
            case LearnerTurn():
                return self.cycles.train(event)
            case CycleEnded():
                return self.cycles.end(event, {"wanted": self.wanted, "paused": self.paused})
            case ControlGiven():
                return self._control(event)
            case ChampionInstalled():
                return self._install(event)

    def _check_order(self, event: Event) -> None:
        timed = isinstance(event, ForecastsTimed)
        within = isinstance(event, LearnerTurn | CycleEnded)
        wanted = None
        if timed != self._forecasting.waiting:
            wanted = "BarsTaken" if timed else "ForecastsTimed"
        elif within and not self.cycles.running:
            wanted = "CycleBegun"
        elif isinstance(event, CycleBegun) and self.cycles.running:
            wanted = "CycleEnded"
        if wanted:
            raise ValueError(
                f"{self.market}: expected {wanted} before {type(event).__name__}; hand events in"
                " the order in which they were decided"
            )

    # ---- requests of operators, and champions

    def check_control(self, event: ControlGiven) -> None:
        """Check an operator's request without carrying it out.

        Raises:
            ControlRefusedError: if the request is unknown, out of range or impossible now.
        """
        control = control_of(event.name)
        if control in BOUNDS:
            number_of(control, event.value)
        if control in (Control.PROMOTE, Control.ROLLBACK):
            test_of(control, event.value, self.roster.tests)

    def _control(self, event: ControlGiven) -> Iterator[Command]:
        """Carry out a request; yield its commands and an event with the result."""
        try:
            text = yield from self._apply(control_of(event.name), event.value)
        except ControlRefusedError as e:
            text = f"refused {e}"
        yield Happened(Code.CONTROL, text)

    def _apply(self, control: Control, value: str) -> Generator[Command, None, str]:
        """Carry out a request; yield its commands and return a text that says what was done."""
        roster = self.roster
        match control:
            case Control.STOP:
                return "stopping"
            case Control.PAUSE:
                self.paused = True
                return "training paused"
            case Control.RESUME | Control.START:  # START has resumed a session that had ended
                self.paused = False
                return "training goes on"
            case Control.TRAIN_NOW:
                self.wanted = True
                return "a training cycle was asked for"
            case Control.LEARNING_RATE | Control.EPSILON:
                return adjust(control, value, roster.learners)
            case Control.CONFIDENCE:
                return set_confidence(value, roster.everyone, roster.learners)
        test = test_of(control, value, roster.tests)
        if control == Control.PROMOTE:
            yield from candidate_of(test, self.cycle, "hand", self.bars)
            return f"{value} is being registered as champion"
        yield RollbackWanted(test.name, self.cycle, "hand", test.verdict)
        return f"the champion of {value} is being rolled back"

    def _install(self, event: ChampionInstalled) -> Iterator[Command]:
        """Install another version as champion; yield the event and the tags that say so."""
        (test,) = (one for one in self.roster.tests if one.name == event.learner)
        first_look = test.challenge == 0
        test.install(event.version, event.model, event.challenge, self.newest_bar)
        if event.version or not first_look:
            what = f"champion is now version {event.version}" if event.version else NO_CHAMPION
            yield Happened(Code.CHAMPION, f"{test.name}: {what}")
        yield RunUpdate(test.name, self.cycle, {}, verdict_tags(test))

    # ---- resume

    def restore(
        self,
        saved: Mapping[str, Any],
        bars: Bars,
        rows: tuple[Outcomes, Forecasts],
        models: Callable[[str, int], Model | None],
    ) -> dict[str, str]:
        """Restore a checkpoint's state; return why some learners are not resumed, by name.

        Args:
            saved: the state of a ``Checkpoint``.
            bars: ``(T,)`` of dtype ``BAR``, the newest ``history_bars`` taken before the
                checkpoint.
            rows: all rows of the ledger; those of later bars were not final at the checkpoint.
            models: returns the model of a registered version, given a learner's name and the
                version's number.
        """
        self.wanted, self.paused = saved["wanted"], saved["paused"]
        newest = int(bars["ts_open"][-1]) if len(bars) else -1
        outcomes, forecasts = (rows_between(part, -1, newest) for part in rows)
        self._forecasting.restore(saved["next_bar"], bars)
        not_resumed = self.roster.restore(saved["roster"], models)
        self.cycles.restore(saved["cycles"], (outcomes, forecasts))
        return not_resumed
