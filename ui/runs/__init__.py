"""The Runs tab: all sessions, their runs compared.

Begin with ``runs_view``.
"""
