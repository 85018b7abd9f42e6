"""PostgreSQL and an S3 server on this machine, as a store for trial.

Begin with ``store``.
"""
