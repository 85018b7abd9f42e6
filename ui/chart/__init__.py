"""The chart of a market: candles, forecasts, trades, and older parts.

Begin with ``chart``.
"""
