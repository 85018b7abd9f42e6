"""Which way the book of a synthetic market leans: to what comes next, but not surely. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streaming.exchange.markets.market import Block


def with_leans(
    rng: Generator, blocks: Iterator[Block], shows: float
) -> Iterator[tuple[Block, NDArray[np.int8]]]:
    """Yield each block with the larger side of its book in each of its periods, ``(p,)``.

    A period is a second, in which the book shows the direction of the next one, or the time before
    an order, in which it shows that order's side; the last is that before the next block's first.

    Args:
        rng: source of all draws.
        blocks: for ever.
        shows: how often what is shown is what comes.
    """
    block = next(blocks)
    shown = _shown(rng, block, shows)
    for following in blocks:
        then = _shown(rng, following, shows)
        yield block, np.concatenate([shown if block.by_order else shown[1:], then[:1]])
        block, shown = following, then


def _shown(rng: Generator, block: Block, shows: float) -> NDArray[np.int8]:
    """Return what the book shows of each direction that comes, ``(m,)``, one at least."""
    came = block.comes if len(block.comes) else np.ones(1, np.int8)
    return np.where(rng.random(len(came)) < shows, came, -came).astype(np.int8)
