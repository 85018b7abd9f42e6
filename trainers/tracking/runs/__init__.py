"""The runs of a session: begun, found, described, ended.

Begin with ``lifecycle``.
"""
