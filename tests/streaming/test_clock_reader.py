"""The venue's clock where it is told in whole seconds only."""

from __future__ import annotations

import asyncio
import time

import pytest

from streaming.config import StreamConfig
from streaming.feed.clock import clock_reader
from streaming.feed.clock.clock_reader import ClockReader
from streaming.feed.rest.rest_client import RestClient
from streaming.ticks import NS_PER_S
from streaming.venues.kraken import Kraken
from tests.streaming.feed_session import until
from tests.streaming.venues.kraken import KrakenStandIn


class Said:
    """Takes what would be reported."""

    def say(self, code, text, about=""):
        raise AssertionError(text)


def test_a_clock_of_whole_seconds_is_known_better_with_each_reading(monkeypatch):
    monkeypatch.setattr(clock_reader, "EVERY_S", 0.15)
    terms = Kraken.terms._replace(limit=Kraken.terms.limit._replace(weight=1000))
    monkeypatch.setattr(Kraken, "terms", terms)

    async def main():
        async with KrakenStandIn("BTC/USD") as server:
            server.rest_limit = (1000, 1.0)
            venue = Kraken(("BTC/USD",), rest=server.rest)
            config = StreamConfig(source="kraken", symbols="BTC/USD")
            reader = ClockReader(venue, RestClient(venue), config, Said())
            task = asyncio.create_task(reader.read())
            await until(lambda: len(server.asked) >= 10)  # 9 replies, over more than a second
            task.cancel()
            return (time.time_ns() - reader.now()) / NS_PER_S

    assert asyncio.run(main()) == pytest.approx(0.1, abs=0.2)
