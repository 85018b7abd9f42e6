"""What a useful learner has to beat, and a control that can know nothing.

Begin with ``naive``.
"""
