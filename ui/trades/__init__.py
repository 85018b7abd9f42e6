"""The list of a learner's paper trades, and its account.

Begin with ``paper_account``.
"""
