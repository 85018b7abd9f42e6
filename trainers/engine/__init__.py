"""The test-then-train engine of a market: events in, commands out, no file and no clock.

Begin with ``market_trainer``, then ``events`` and ``commands``; ``forecasting`` and ``cycles`` are
its two halves.
"""
