"""What is computed from tapes at once: backtests, searches of settings, arenas.

Begin with ``backtest``; ``market`` is that of one market.
"""
