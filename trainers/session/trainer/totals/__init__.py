"""What the markets of a session come to together.

Begin with ``sums``.
"""
