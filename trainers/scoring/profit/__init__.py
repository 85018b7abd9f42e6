"""Scores of a paper account: profit after costs, trades, drawdown.

Begin with ``paper``, the account.
"""
