"""What learners learn from: bars -> features, windows and transitions -> minibatches.

Begin with ``features``; ``snapshot`` is what a cycle may see of a market.
"""
