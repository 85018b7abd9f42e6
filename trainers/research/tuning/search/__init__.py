"""The search itself, which knows no process and no file.

Begin with ``study``.
"""
