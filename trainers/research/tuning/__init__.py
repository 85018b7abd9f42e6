"""A search for a learner's settings: its processes, files, runs and report.

Begin with ``running``.
"""
