"""How much of the best of many trials is luck.

Begin with ``judgement``.
"""
