"""How the mid of a synthetic market moves from second to second, one process a file.

Returns are in units of sigma, the standard deviation of the unpredictable part of a second's
return. The exact rule that predicts each process best is in ``tests/oracles``.
"""
