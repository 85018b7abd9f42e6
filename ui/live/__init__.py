"""The head of the Live tab and the cards of its learners.

Begin with ``header`` and ``learner_cards``.
"""
