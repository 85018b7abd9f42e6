"""How the mid of a synthetic market moves from second to second, one process a file.

Returns are in units of sigma, the standard deviation of the part of a second's return that nobody
can predict. The exact rule that predicts each process best is in ``tests/oracles``.
"""
