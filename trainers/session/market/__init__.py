"""One market of a trainer, live: its stream in, its record and metrics out.

Begin with ``live_market``.
"""
