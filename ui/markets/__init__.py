"""The Markets tab: a line a market.

Begin with ``overview``.
"""
