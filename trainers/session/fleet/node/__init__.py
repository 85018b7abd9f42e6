"""What runs on a node of a fleet: the actor of a shard and its processes.

Begin with ``actor``, then ``shard``.
"""
