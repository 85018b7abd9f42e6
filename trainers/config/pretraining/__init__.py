"""What is learned before a session begins. Begin with ``start``; ``settings`` has the program's."""
