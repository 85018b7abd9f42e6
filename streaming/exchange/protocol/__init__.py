"""Binance's side of the exchange: trades as stream events and REST rows, and what clients ask for.

All of it is pure: requests and trades in, bytes out.
"""
