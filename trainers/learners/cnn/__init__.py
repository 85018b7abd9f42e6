"""The CNN: a mixture of experts, one of which is a convolution.

Begin with ``forecaster``, the networks; ``learner`` trains them from cycle to cycle.
"""
