"""Moves the alias of champions in MLflow's registry, and brings new ones to their markets.

Begin with ``controller``; ``registry`` has the rules of the aliases, ``versions`` makes models.
"""
