"""From a venue's messages to ticks, quotes and bars in files that other processes read.

Begin with ``ticks``, ``quotes`` and ``bars``, which everybody reads; ``feed`` makes them.
"""
