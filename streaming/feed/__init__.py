"""The process that follows venues and writes a session's rings and tape.

Begin with ``feed``; each room below has one of the parts that it names.
"""
