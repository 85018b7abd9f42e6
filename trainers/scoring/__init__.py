"""What forecasts were worth, from the rows of the ledger alone. Pure.

Begin with ``ledger``, the rows; ``metrics`` lists every score.
"""
