"""The DQN: in the market or out of it.

Begin with ``module``, the method; ``learner`` trains it from cycle to cycle.
"""
