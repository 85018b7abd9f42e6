"""What time it is at a venue, and when a second is over there.

Begin with ``time_marks``.
"""
