"""What runs the learners of a market, tests champions and scores all.

Begin with ``learner_runner``; ``roster`` makes them.
"""
