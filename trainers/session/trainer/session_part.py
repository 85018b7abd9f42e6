"""The part of a trainer that concerns the whole session: its run, events, sums and requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streaming.events import Code
from trainers.config import SessionConfig
from trainers.engine.controls import ControlRefusedError
from trainers.engine.events import ControlGiven
from trainers.names import CONTROL, Control, Status, Tag
from trainers.recording.decision_log import read_decisions, was_left
from trainers.recording.files import DECISIONS, OUTBOX, of_market
from trainers.session.market.live_market import LiveMarket
from trainers.session.trainer.controls import ControlFile, ControlRequest, control_result
from trainers.session.trainer.totals.market_states import MarketStates
from trainers.session.trainer.totals.sums import Sums
from trainers.tracking.event_tag import EventTag
from trainers.tracking.stores.sampling import run_without_datasets
from trainers.tracking.tracker import Tracker


class SessionPart:
    """Writes the session's run; only the trainer of the session's first market has one.

    Args:
        session: the session's folder; its name is the run's id.
        config: the session's settings.
        tracker: delivers metrics and tags to the MLflow store.
    """

    def __init__(self, session: Path, config: SessionConfig, tracker: Tracker) -> None:
        self._run, self._cycles = session.name, config.cycles
        self._writer = tracker.writer(session / OUTBOX)
        self._client = tracker.client
        self._sums = Sums(session, config.symbol_list)
        self._markets, self._told = MarketStates(session, config), ""
        self._logs = [of_market(session, name, DECISIONS) for name in config.symbol_list]
        self._events = EventTag(session)
        self._controls = ControlFile(session)
        tracker.each_second(self._relay)

    def _relay(self) -> None:
        """Read the requests of operators from the run's tags; called by the tracker's thread."""
        tags = run_without_datasets(self._client, self._run).data.tags
        # Answered requests whose tags are still set. The set is complete: only this thread
        # delivers, so no tag was removed since the run was read.
        answered = self._writer.clearing()
        new = {name: value for name, value in tags.items() if (name, value) not in answered}
        self._controls.relay(new)

    def cycle_done(self, cycle: int, wall_ms: int) -> None:
        """Log the session's metrics and progress at the end of a cycle of the first market."""
        of = f" of {self._cycles}" if self._cycles else ""
        tags = {Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: f"cycle {cycle}{of}"}
        scores = self._sums.at(cycle)
        if scores.discoveries is not None:
            tags[Tag.DISCOVERIES] = json.dumps(scores.discoveries)
        self._writer.log(self._run, cycle, scores.metrics, _plain(tags), wall_ms)

    def tell_markets(self, *, paused: bool) -> None:
        """Log how many markets are in which state, if that has changed.

        Args:
            paused: whether an operator has suspended the session's cycles.
        """
        told = json.dumps(self._markets.counts(self._sums.newest, paused=paused))
        if told != self._told:
            self._told = told
            self.log(0, {Tag.MARKETS: told})

    def catch_up(self) -> None:
        """Log the sums that a killed trainer missed; its last one too, as it may not be logged."""
        entries = read_decisions(self._logs[0])
        wall_ms = {entry["cycle"]: entry["wall_ms"] for entry in entries if entry["do"] == "cycle"}
        ended = [entry["cycle"] for entry in entries if entry["do"] == "end"]
        for cycle in ended:
            if cycle not in self._sums or cycle == ended[-1]:
                self.cycle_done(cycle, wall_ms[cycle])

    def all_left(self) -> bool:
        """Return whether the trainers of all the session's markets have nothing left to do."""
        return all(was_left(log) for log in self._logs)

    def show_events(self) -> None:
        """Log the newest events of all processes, if there are any new ones."""
        if (newest := self._events.new()) is not None:
            self.log(0, {Tag.EVENTS: newest})

    def log(self, step: int, tags: Mapping[Tag, str]) -> None:
        """Log tags of the session's run."""
        self._writer.log(self._run, step, tags=_plain(tags))

    def answer(
        self, request: ControlRequest, cycle: int, result: str, text: str, *, paused: bool
    ) -> None:
        """Log the answer to a request and remove the request's tag.

        Args:
            request: the request.
            cycle: the newest cycle that has begun.
            result: ``applied`` or ``refused``.
            text: the result in words.
            paused: whether training is paused now.
        """
        tags: dict[Tag, str] = {Tag.STATUS: Status.PAUSED if paused else Status.IDLE}
        if result == "applied":  # what was refused changes nothing
            tags[Tag.STATUS_TEXT] = text
        told = _plain(tags) | control_result(request, cycle, result, text)
        clears = {f"{CONTROL}{request.name}": request.value}
        self._writer.log(self._run, 0, tags=told, clears=clears)


class Requests:
    """Carries out the requests of operators on the markets of this trainer.

    Args:
        session: the session's folder.
        stop: ends this trainer.
    """

    def __init__(self, session: Path, stop: Callable[[], None]) -> None:
        self._file, self._stop = ControlFile(session), stop
        self._done = 0  # number of the last request that was carried out here

    def begin(self, markets: Sequence[LiveMarket]) -> None:
        """Begin after the requests that the markets have logged already."""
        if any(market.resumed_from for market in markets):
            open_ = [request.seq - 1 for request in self._file.requests()]
            self._done = min([*open_, *(market.control_seq for market in markets)])
        else:  # new markets ignore requests made before they began
            self._done = max((request.seq for request in self._file.after(0)), default=0)

    def carry_out(
        self,
        markets: Sequence[LiveMarket],
        part: SessionPart | None,
        say: Callable[[Code, str], None],
    ) -> None:
        """Carry out the new requests, and answer them if this trainer writes the session's run.

        Args:
            markets: all markets of this trainer.
            part: the writer of the session's run; None if another trainer has it.
            say: reports an event, given its code and a text.
        """
        for request in self._file.after(self._done):
            self._done = request.seq
            result, text = self._apply(request, [m for m in markets if m.control_seq < request.seq])
            say(Code.CONTROL, text)
            if part is not None:
                first = markets[0].trainer
                part.answer(request, first.cycle, result, text, paused=first.paused)
                self._file.answered(request)

    def _apply(self, request: ControlRequest, markets: Sequence[LiveMarket]) -> tuple[str, str]:
        """Carry out a request on all markets or on none; return the result and a text."""
        event = ControlGiven(request.name, request.value)
        try:
            for market in markets:
                market.trainer.check_control(event)
        except ControlRefusedError as e:
            for market in markets:
                market.control(event, request.seq, refused=True)
            return "refused", f"refused {e}"
        texts = [market.control(event, request.seq) for market in markets]
        if not texts:
            return "applied", "it was applied before a restart"
        if request.name == Control.STOP:
            self._stop()
        return "applied", texts[0]


def _plain(tags: Mapping[Tag, str]) -> dict[str, str]:
    return {str(name): str(value) for name, value in tags.items()}
