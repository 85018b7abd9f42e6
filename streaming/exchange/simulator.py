"""All symbols of an exchange on one clock; the clock outlives the process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from streaming.config import StreamConfig
from streaming.events import Code, EventWriter
from streaming.exchange.markets import seconds
from streaming.exchange.pacing.playback import Playback, Timed
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.sources import market_chunks, market_of, recordings, tape_chunks
from streaming.market_clock import CLOCK, LONG_AGO_NS, MarketClock
from streaming.rings.credit import Credits
from streaming.tape import Recording
from streaming.tape.tables.times import AHEAD_NS
from streaming.ticks import NS_PER_MS, NS_PER_S

MIN_BEFORE_S = 60  # history that a market has at its start, at least
SAVE_NS = NS_PER_S  # how often a market that may have to wait saves its time, ns of our time
SLICE_ROWS = 1000  # handed out at a time, so that clients do not wait for a long backlog


class MarketSimulator:
    """What has happened on the exchange, and what happens next.

    A synthetic market has a past and runs from the start. A tape runs once ``start`` is called.
    A market with ``credits`` stands still until its trainers have come, and while a row is held.

    Args:
        config: names the source, the symbols, the seed and the speed.
        folder: keeps the clock, so that an exchange that was killed goes on where it would be.
        wall_ns: returns our time, ns since the Unix epoch.
        credits: the credits of those who follow the market; None if it waits for nobody.

    Attributes:
        playbacks: the rows of each symbol.
        is_waiting: whether it stands still.

    Raises:
        ConfigError: if there is no market of that name, or the clock ran at another speed.
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """

    def __init__(
        self,
        config: StreamConfig,
        folder: Path,
        wall_ns: Callable[[], int],
        credits: Credits | None = None,
    ) -> None:
        self._folder, self._wall_ns = folder, wall_ns
        self._credits: Credits | None = None
        self._speed, self._grace_ns = config.speed, config.grace_ms * NS_PER_MS
        self._clock_file = folder / CLOCK
        self._clock = MarketClock.load(self._clock_file, config.speed)
        if self._clock and credits:
            # It stands still since then: what was sent after its time was saved is sent again.
            self._clock = self._clock.moved(wall_ns(), self._clock.market_ns)
        self._saved_at = 0  # our time, ns
        self._first_due = self._last_due = 0  # when the first and last row of a tape are due, ns
        self._stopped = self.is_waiting = False
        load = self._load_market if config.source.startswith("sim") else self._load_tape
        self.playbacks = {
            symbol: Playback(chunks, self._grace_ns, config.bar_ns)
            for symbol, chunks in load(config).items()
        }
        for _ in self.advance():
            pass  # what lies in the past is history, not streamed
        for playback in self.playbacks.values():
            playback.begin()
        self._credits = credits

    def _load_market(self, config: StreamConfig) -> dict[str, Iterator[Timed]]:
        market = market_of(config)
        if self._clock is None:
            self._run_from(None if config.speed == 1 else LONG_AGO_NS)
        assert self._clock is not None  # for mypy
        before = max(MIN_BEFORE_S, config.backfill_seconds)
        start_ns = (self._clock.start_ns // NS_PER_S - before) * NS_PER_S
        markets = {
            symbol: seconds(market, config.seed, symbol, start_ns, quotes=config.quotes)
            for symbol in config.symbol_list
        }
        present_ns = self._clock.at(self._wall_ns())
        return {
            symbol: market_chunks(each, start_ns, self._grace_ns, present_ns)
            for symbol, each in markets.items()
        }

    def _load_tape(self, config: StreamConfig) -> dict[str, Iterator[Timed]]:
        found = recordings(config)
        if self._clock is None:
            self._tell(found)
        recorded = tape_chunks(found, self._grace_ns, self._wall_ns() + AHEAD_NS)
        self._first_due = min(int(chunk.due[0]) for chunk, _ in recorded.values())
        self._last_due = max(int(chunk.due[-1]) for chunk, _ in recorded.values())
        return {symbol: iter([timed]) for symbol, timed in recorded.items()}

    def _tell(self, found: Mapping[str, Recording]) -> None:
        """Report what is odd about a tape to the session, once."""
        odd = [(symbol, remark) for symbol in found for remark in found[symbol].remarks]
        if odd:
            events = EventWriter(self._folder, "exchange")
            for symbol, remark in odd:
                events.say(Code.TAPE, f"{symbol}: {remark}", self._wall_ns())
            events.close()

    def _run_from(self, market_ns: int | None) -> None:
        """Set the clock to ``market_ns`` now; to our own time if None."""
        now = self._wall_ns()
        start = now if market_ns is None else market_ns
        self._clock = MarketClock(now, start, self._speed, start, self._last_due)
        self._clock.save(self._clock_file)

    def start(self) -> None:
        """Start the tape, if it is one and has not started."""
        if self._clock is None:
            self._run_from(self._first_due)

    def stop(self) -> None:
        """End the market: no trade happens any more."""
        self._stopped = True

    @property
    def ended(self) -> bool:
        """Whether no trade will happen any more."""
        return self._stopped or all(each.ended for each in self.playbacks.values())

    def market_ns(self) -> int:
        """Return the market's time, never behind a trade that has happened."""
        now = self._clock.at(self._wall_ns()) if self._clock else self._first_due
        return max(now, *(each.time(now) for each in self.playbacks.values()))

    def advance(self) -> Iterator[tuple[str, Chunk]]:
        """Go on to the present; yield the rows to be streamed, in slices."""
        if self._clock is None or self._stopped:
            return
        wall = self._wall_ns()
        now = self._clock.at(wall)
        if self._credits is not None and not self._credits.have_begun():
            self._stand_still(wall, self._clock.market_ns)
            return
        held = [now]
        for symbol, playback in self.playbacks.items():
            may_pass = functools.partial(self._credits.may_pass, symbol) if self._credits else None
            while playback.due(now) and not self._stopped:
                yield symbol, playback.advance(now, SLICE_ROWS, may_pass)
                if playback.held:
                    held.append(playback.next_due)
                    break
        if self._credits is not None:
            self._stand_still(wall, min(held))
        self.is_waiting = len(held) > 1

    def _stand_still(self, wall: int, market_ns: int) -> None:
        """Let the market's clock go on from ``market_ns``: it does not make up for a wait."""
        assert self._clock is not None  # for mypy
        self.is_waiting = True
        self._clock = self._clock.moved(wall, market_ns)
        if wall - self._saved_at >= SAVE_NS:
            self._clock.save(self._clock_file)
            self._saved_at = wall
