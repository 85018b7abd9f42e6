"""What is asked of a venue by REST: history, missing trades, its clock, its symbols.

Begin with ``rest_client``; ``history`` pages through trades.
"""
