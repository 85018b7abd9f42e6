"""The main job: starts a session's processes, looks after them, ends them.

Begin with ``start`` and ``end``; ``processes`` keeps them alive, ``trainer`` is the one that
trains.
"""
