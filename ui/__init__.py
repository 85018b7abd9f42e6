"""The live page of one session, and its API.

Begin with ``app``, the process, then ``session_view``: what all viewers see.
"""
