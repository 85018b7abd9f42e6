"""Learns from recorded tapes of other markets or days where the CNN of a session starts.

    python -m trainers.research.pretraining --tapes DAYS,BTCUSDT.zip --save start.json
    python -m trainers.session --learner.cnn.start start.json

The same tapes and settings give the same file, to the byte.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datamodules.digest import digest
from datamodules.snapshot import NotEnoughBarsError
from streaming.errors import ConfigError, TapeError
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.tape import open_tape, parse_address
from streaming.tape.parts import files_of, segments_in
from trainers.config.pretraining.settings import PretrainConfig
from trainers.config.pretraining.start import Start, save_start
from trainers.learners.cnn.pretraining import MarketWeights, in_common, weights_of
from trainers.learners.determinism import deterministic
from trainers.research.backtest import span_of, tapes_of
from trainers.research.tape_bars import bars_of_tape

FEWEST_MARKETS = 2  # what one market has in common with others, it does not show


def pretrain(config: PretrainConfig) -> int:
    """Learn from all tapes and write the file; return the exit code.

    Raises:
        TickloopError: if a setting or a tape is unusable.
        OSError: if the disk does not take the file.
    """
    deterministic()
    learned, told = [], []
    for tape in config.tape_list:
        for market, record in _markets_on(tape, config):
            learned.append(market)
            told.append(record)
    if len(learned) < FEWEST_MARKETS:
        raise ConfigError(
            f"tapes: got {len(learned)} market that moved enough; allowed: {FEWEST_MARKETS} or more"
        )
    mean, spread = in_common(learned)
    start = Start(
        config.features, config.label, config.horizon, config.bar_seconds,
        tuple(mean.tolist()), tuple(spread.tolist()), tuple(told),
    )  # fmt: skip
    saved = save_start(start, Path(config.file))
    say(f"saved      {config.file}, digest {saved}, of {len(learned)} markets")
    say(f"use        python -m trainers.session --learner.cnn.start {config.file}")
    return 0


def _markets_on(
    tape: str, config: PretrainConfig
) -> Iterator[tuple[MarketWeights, dict[str, Any]]]:
    """Learn from each symbol of a tape; yield its weights and the file's record of it."""
    backtest = config.backtest(tape, _symbols_on(tape))
    for each in (found := tapes_of(backtest)):
        if config.features == "book" and not any(part.quotes for part in each.parts):
            raise ConfigError(f"features: got book; {tape} has no quotes of {each.symbol}")
        bars = bars_of_tape(each, span_of(backtest, found), backtest.for_record())
        try:
            market = weights_of(bars, config.features, config.label, config.horizon)
        except NotEnoughBarsError:
            market = None
        if market is None:
            say(f"left out   {each.symbol} on {tape}: too few of its {len(bars):,} bars moved")
            continue
        say(f"learned    {each.symbol} on {tape}: {market.moved:,} bars that moved")
        yield market, {
            "tape": tape, "symbol": each.symbol, "bars": len(bars), "moved": market.moved,
            "digest": digest(bars),
        }  # fmt: skip


def _symbols_on(tape: str) -> list[str]:
    """Return all symbols of a tape, in the order of its files.

    Raises:
        TapeError: if a file cannot be read, or there is none.
    """
    address = parse_address(tape)
    if own := segments_in(address.path):
        return own
    files = [open_tape(address._replace(path=file), quotes=False) for file in files_of(address)]
    found = list(dict.fromkeys(symbol for file in files for symbol in file.symbols))
    if not found:
        raise TapeError(f"{tape}: expected trades; there are none")
    return found


@entry_point("pretrain")
def main() -> int:
    """Learn from the command line."""
    logging.basicConfig(level=logging.WARNING, format="pretrain: %(message)s", force=True)
    return pretrain(PretrainConfig.from_args())


if __name__ == "__main__":
    main()
