"""A market's record on disk: decisions, forecasts, checkpoints; read and written.

Begin with ``files``, which lists them; ``record`` reads all of a session.
"""
