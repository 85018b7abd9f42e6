"""A session on several machines, by Ray.

Begin with ``head``; what runs on the other machines is in ``node``.
"""
