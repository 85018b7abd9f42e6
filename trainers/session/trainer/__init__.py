"""The training process: its markets in turn, and the session's part of it.

Begin with ``trainer``; ``shard`` lets the markets take turns.
"""
