"""What every program has: its beginning and end, its settings, its console.

Begin with ``entry_point`` and ``settings``.
"""
