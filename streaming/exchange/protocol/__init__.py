"""Binance's side of the exchange: rows as stream events and REST rows, and what clients ask for.

All of it is pure: requests, trades and quotes in, bytes out.
"""
