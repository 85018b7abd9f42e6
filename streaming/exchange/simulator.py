"""All symbols of an exchange on one clock; the clock outlives the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from streaming.config import StreamConfig
from streaming.exchange.clock import LONG_AGO_NS, MarketClock
from streaming.exchange.player import Player
from streaming.exchange.sources import market_of, market_play, tape_of, tape_plays
from streaming.exchange.trades import Trades
from streaming.ticks import NS_PER_S

MIN_BEFORE_S = 60  # history that a market has at its start, at least
SLICE = 1000  # trades handed out at a time, so that nobody waits for a long backlog


class Play:
    """What has happened on the exchange, and what happens next.

    A market runs from the start, and has a past. A tape starts with ``start``.

    Args:
        config: names the source, the symbols, the seed and the speed.
        folder: keeps the clock, so that an exchange that was killed goes on where it would be.
        wall_ns: our clock, ns since the Unix epoch.

    Raises:
        KnobError: if there is no market of that name, or the clock ran at another speed.
        TapeError: if the tape cannot be read, or a symbol is not on it.
    """

    def __init__(self, config: StreamConfig, folder: Path, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._speed = config.speed
        self._clock_file = folder / "exchange.json"
        self._clock = MarketClock.load(self._clock_file, config.speed)
        self._first_due = 0  # of a tape
        self._stopped = False
        load = self._load_market if config.source.startswith("sim") else self._load_tape
        self.players = {
            symbol: Player(symbol, chunks) for symbol, chunks in load(config).items()
        }  # fmt: skip
        for _ in self.happen():
            pass  # what lies in the past is history, not streamed

    def _load_market(self, config: StreamConfig) -> dict[str, Iterator[Trades]]:
        market = market_of(config)
        if self._clock is None:
            self._run_from(None if config.speed == 1 else LONG_AGO_NS)
        assert self._clock is not None  # for mypy
        before = max(MIN_BEFORE_S, config.backfill_seconds)
        start_ns = (self._clock.market_ns // NS_PER_S - before) * NS_PER_S
        return {
            symbol: market_play(market, config.seed, symbol, start_ns)
            for symbol in config.symbol_list
        }

    def _load_tape(self, config: StreamConfig) -> dict[str, Iterator[Trades]]:
        plays = tape_plays(tape_of(config), config.symbol_list)
        self._first_due = min(int(trades["due"][0]) for trades in plays.values())
        return {symbol: iter([trades]) for symbol, trades in plays.items()}

    def _run_from(self, market_ns: int | None) -> None:
        """Set the clock to ``market_ns`` now; to our own time if None."""
        now = self._wall_ns()
        self._clock = MarketClock(now, now if market_ns is None else market_ns, self._speed)
        self._clock.save(self._clock_file)

    def start(self) -> None:
        """Start the tape, if it is one and has not started."""
        if self._clock is None:
            self._run_from(self._first_due)

    def stop(self) -> None:
        """Let nothing happen any more."""
        self._stopped = True

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self._stopped or all(player.ended for player in self.players.values())

    def market_ns(self) -> int:
        """Return the market's time, never behind a trade that has happened."""
        now = self._clock.at(self._wall_ns()) if self._clock else self._first_due
        newest = [player.history.trades["ts_event"][-1:] for player in self.players.values()]
        return max(now, *(int(ts[0]) if len(ts) else 0 for ts in newest))

    def happen(self) -> Iterator[tuple[str, Trades]]:
        """Let everything due by now happen, in slices; yield what is to be streamed of it."""
        if self._clock is None or self._stopped:
            return
        now = self._clock.at(self._wall_ns())
        for player in self.players.values():
            while player.due(now) and not self._stopped:
                yield player.symbol, player.advance(now, SLICE)
