"""Shared memory between the processes of a session: one writer, many readers.

Begin with ``ring``; ``credit`` lets a fast market wait for its trainer.
"""
