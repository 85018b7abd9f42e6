"""What stores of different kinds have of their own: databases, artifacts, refusals.

Begin with ``client``, the library as the rooms use it.
"""
