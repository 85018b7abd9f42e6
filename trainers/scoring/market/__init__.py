"""The scores of all learners of a market, as bars come.

Begin with ``scores``; ``track`` has those of one learner.
"""
