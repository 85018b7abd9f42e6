"""How a market's files are cut into parts that travel to a store.

Begin with ``parts``.
"""
