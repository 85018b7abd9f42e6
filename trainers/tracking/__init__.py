"""MLflow: the store, the runs of a session, what is written to them and read from them.

Begin with ``store``; ``tracker`` writes, ``reader`` reads.
"""
