"""Whether one learner is better than another, by evidence that may be looked at always.

Begin with ``judges``; ``eprocess`` is the evidence.
"""
