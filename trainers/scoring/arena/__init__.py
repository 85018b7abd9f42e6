"""Who is ahead of whom, of any number of forecasters.

Begin with ``board``.
"""
