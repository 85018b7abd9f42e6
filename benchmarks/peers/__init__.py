"""The other side of the comparisons, each run as a process of its own.

Those of foreign environments import nothing of this project but what they name.
"""
