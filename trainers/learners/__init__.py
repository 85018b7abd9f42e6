"""What forecasts and learns: the CNN, the DQN, baselines, adapters of other libraries.

Begin with ``learner``, the protocols; ``registry`` makes a learner of a name.
"""
