"""Runs a recorded session again and compares: the same bits, or the first that differ.

Begin with ``replayer``; ``comparison`` says what has to be equal.
"""
