"""What a session's CNN may start from, learned from recorded tapes. Begin with ``__main__``."""
