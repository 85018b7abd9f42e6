"""What a feed writes and says: its rings and tape, its events.

Begin with ``stream_files``.
"""
