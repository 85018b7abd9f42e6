"""Metrics as they come, for programs that listen.

Begin with ``publisher``.
"""
