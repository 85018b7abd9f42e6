"""All symbols of an exchange on one clock; the clock outlives the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from streaming.config import StreamConfig
from streaming.credit import Credits
from streaming.events import Code, EventWriter
from streaming.exchange.pacing.market_clock import LONG_AGO_NS, MarketClock
from streaming.exchange.pacing.replayer import Replayer
from streaming.exchange.protocol.trades import Trades
from streaming.exchange.sources import market_of, market_trades, recordings, tape_trades
from streaming.tape import Recording
from streaming.ticks import NS_PER_S

MIN_BEFORE_S = 60  # history that a market has at its start, at least
SAVE_NS = NS_PER_S  # how often a market that may have to wait saves its time, ns of our time
SLICE_TRADES = 1000  # handed out at a time, so that clients do not wait for a long backlog


class MarketSimulator:
    """What has happened on the exchange, and what happens next.

    A synthetic market has a past and runs from the start. A tape runs once ``start`` is called.
    A market with ``credits`` stands still where they end.

    Args:
        config: names the source, the symbols, the seed and the speed.
        folder: keeps the clock, so that an exchange that was killed goes on where it would be.
        wall_ns: returns our time, ns since the Unix epoch.
        credits: the credits of those who follow the market; None if it waits for nobody.

    Attributes:
        replayers: the trades of each symbol.

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
        self._folder, self._wall_ns, self._credits = folder, wall_ns, credits
        self._speed = config.speed
        self._clock_file = folder / "exchange.json"
        self._clock = MarketClock.load(self._clock_file, config.speed)
        if self._clock and credits:
            # It stood still since its exchange was killed, but for what that one had not saved.
            reached = self._clock.at(min(wall_ns(), self._clock.wall_ns + SAVE_NS))
            self._clock = self._clock.moved(wall_ns(), reached)
        self._saved_at = 0  # our time, ns
        self._first_due = 0  # when the first trade of a tape is due, ns
        self._stopped = False
        load = self._load_market if config.source.startswith("sim") else self._load_tape
        self.replayers = {
            symbol: Replayer(symbol, chunks) for symbol, chunks in load(config).items()
        }
        for _ in self.advance():
            pass  # what lies in the past is history, not streamed

    def _load_market(self, config: StreamConfig) -> dict[str, Iterator[Trades]]:
        market = market_of(config)
        if self._clock is None:
            self._run_from(None if config.speed == 1 else LONG_AGO_NS)
        assert self._clock is not None  # for mypy
        before = max(MIN_BEFORE_S, config.backfill_seconds)
        start_ns = (self._clock.start_ns // NS_PER_S - before) * NS_PER_S
        return {
            symbol: market_trades(market, config.seed, symbol, start_ns)
            for symbol in config.symbol_list
        }

    def _load_tape(self, config: StreamConfig) -> dict[str, Iterator[Trades]]:
        found = recordings(config)
        if self._clock is None:
            self._tell(found)
        recorded = tape_trades(found)
        self._first_due = min(int(trades["due"][0]) for trades in recorded.values())
        return {symbol: iter([trades]) for symbol, trades in recorded.items()}

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
        self._clock = MarketClock(now, start, self._speed, start)
        self._clock.save(self._clock_file)

    def start(self) -> None:
        """Start the tape, if it is one and has not started."""
        if self._clock is None:
            self._run_from(self._first_due)

    def stop(self) -> None:
        """End the market: no trade happens any more."""
        self._stopped = True

    def _present(self, clock: MarketClock) -> int:
        """Return the market's time, and hold it where the credits end."""
        wall = self._wall_ns()
        now = clock.at(wall)
        if self._credits is None:
            return now
        now = min(now, self._credits.limit(clock.market_ns))
        self._clock = clock.moved(wall, now)
        if wall - self._saved_at >= SAVE_NS:
            self._clock.save(self._clock_file)
            self._saved_at = wall
        return now

    @property
    def ended(self) -> bool:
        """Whether no trade will happen any more."""
        return self._stopped or all(each.ended for each in self.replayers.values())

    def market_ns(self) -> int:
        """Return the market's time, never behind a trade that has happened."""
        now = self._clock.at(self._wall_ns()) if self._clock else self._first_due
        newest = [each.history.trades["ts_event"][-1:] for each in self.replayers.values()]
        return max(now, *(int(ts[0]) if len(ts) else 0 for ts in newest))

    def advance(self) -> Iterator[tuple[str, Trades]]:
        """Go on to the present; yield the trades to be streamed, in slices."""
        if self._clock is None or self._stopped:
            return
        now = self._present(self._clock)
        for replayer in self.replayers.values():
            while replayer.due(now) and not self._stopped:
                yield replayer.symbol, replayer.advance(now, SLICE_TRADES)
