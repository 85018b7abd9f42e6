"""What is the session's own and no market's: its run, wishes of operators, events, sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streaming.events import Code
from trainers.config import SessionConfig
from trainers.engine.controls import RefusedError
from trainers.engine.events import ControlGiven
from trainers.names import CONTROL, Control, Status, Tag
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, OUTBOX, of_market
from trainers.session.trainer.controls import ControlFile, Wish, control_result
from trainers.session.trainer.live_market import LiveMarket
from trainers.session.trainer.sums import Sums
from trainers.tracking.event_tag import EventTag
from trainers.tracking.tracker import Tracker


class SessionPart:
    """Writes the session's run; one trainer of a session has it.

    Args:
        session: the session's folder; its name is the run's id.
        config: its settings.
        tracker: delivers what is logged.
    """

    def __init__(self, session: Path, config: SessionConfig, tracker: Tracker) -> None:
        self._run, self._cycles = session.name, config.cycles
        self._writer = tracker.writer(session / OUTBOX)
        self._client = tracker.client
        self._sums = Sums(session, config.symbol_list)
        self._log = of_market(session, config.symbol_list[0], DECISIONS)
        self._events = EventTag(session)
        self._controls = ControlFile(session)
        tracker.each_second(self._relay)

    def _relay(self) -> None:
        """Look for wishes; called by the tracker's thread."""
        tags = self._client.get_run(self._run).data.tags
        answered = self._writer.clearing()  # only this thread delivers: what was answered is here
        new = {name: value for name, value in tags.items() if (name, value) not in answered}
        self._controls.relay(new)

    def cycle_done(self, cycle: int, wall_ms: int) -> None:
        """Log the sums at a cycle of the first market, and how far the session is."""
        of = f" of {self._cycles}" if self._cycles else ""
        tags = {Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: f"cycle {cycle}{of}"}
        self._writer.log(self._run, cycle, self._sums.at(cycle), _plain(tags), wall_ms)

    def catch_up(self) -> None:
        """Log what a killed trainer did not get to: sums that it had not taken, and its last."""
        entries = read_decisions(self._log)
        wall_ms = {entry["cycle"]: entry["wall_ms"] for entry in entries if entry["do"] == "cycle"}
        ended = [entry["cycle"] for entry in entries if entry["do"] == "end"]
        for cycle in ended:
            if cycle not in self._sums or cycle == ended[-1]:
                self.cycle_done(cycle, wall_ms[cycle])

    def show_events(self) -> None:
        """Log the newest events of all processes, if there are new ones."""
        if (newest := self._events.new()) is not None:
            self.log(0, {Tag.EVENTS: newest})

    def log(self, step: int, tags: Mapping[Tag, str]) -> None:
        """Log tags of the session's run."""
        self._writer.log(self._run, step, tags=_plain(tags))

    def answer(self, wish: Wish, cycle: int, result: str, text: str, *, paused: bool) -> None:
        """Log what became of a wish, and take it out of its tag."""
        status = Status.PAUSED if paused else Status.IDLE
        tags = {Tag.STATUS: status, Tag.STATUS_TEXT: text}
        told = _plain(tags) | control_result(wish, cycle, result, text)
        clears = {f"{CONTROL}{wish.name}": wish.value}
        self._writer.log(self._run, 0, tags=told, clears=clears)


class Wishes:
    """Carries out the wishes of operators on the markets of this trainer.

    Args:
        session: the session's folder.
        stop: asks for the end.
    """

    def __init__(self, session: Path, stop: Callable[[], None]) -> None:
        self._file, self._stop = ControlFile(session), stop
        self._done = 0  # number of the last one carried out here

    def begin(self, markets: Sequence[LiveMarket]) -> None:
        """Go on after those that the markets have in their logs."""
        if any(market.resumed_from for market in markets):
            open_ = [wish.seq - 1 for wish in self._file.wishes()]
            self._done = min([*open_, *(market.control_seq for market in markets)])
        else:  # what was asked before these markets began is no matter of theirs
            self._done = max((wish.seq for wish in self._file.after(0)), default=0)

    def carry_out(
        self,
        markets: Sequence[LiveMarket],
        part: SessionPart | None,
        say: Callable[[Code, str], None],
    ) -> None:
        """Carry out what is new, and answer it if this trainer answers for the session."""
        for wish in self._file.after(self._done):
            self._done = wish.seq
            result, text = self._apply(wish, [m for m in markets if m.control_seq < wish.seq])
            say(Code.CONTROL, text)
            if part is not None:
                first = markets[0].trainer
                part.answer(wish, first.cycle, result, text, paused=first.paused)
                self._file.answered(wish)

    def _apply(self, wish: Wish, markets: Sequence[LiveMarket]) -> tuple[str, str]:
        """Do what was asked of every market, or of none; return the result and a text."""
        event = ControlGiven(wish.name, wish.value)
        try:
            for market in markets:
                market.trainer.check_control(event)
        except RefusedError as e:
            for market in markets:
                market.control(event, wish.seq, refused=True)
            return "refused", f"refused {e}"
        texts = [market.control(event, wish.seq) for market in markets]
        if not texts:
            return "applied", "done before a restart"
        if wish.name == Control.STOP:
            self._stop()
        return "applied", texts[0]


def _plain(tags: Mapping[Tag, str]) -> dict[str, str]:
    return {str(name): str(value) for name, value in tags.items()}
