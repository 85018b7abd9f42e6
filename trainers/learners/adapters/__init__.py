"""Learners made of models of other libraries, each by an entry of one line.

Begin with ``make``; ``inputs`` is what such a model sees.
"""
