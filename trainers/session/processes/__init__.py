"""The processes of a session: started, started again, forked, ended.

Begin with ``supervisor``; ``programs`` names them.
"""
