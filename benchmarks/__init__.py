"""Comparisons with peers: ``python -m benchmarks [NAME ...]``, one file a comparison.

Speed is only ever a ratio of two things measured in the same run, one after the other.
"""
