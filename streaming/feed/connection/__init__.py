"""Websockets to a venue: opened, kept, changed, read in batches.

Begin with ``connection``.
"""
