"""What stands in the files of a record.

Begin with ``entries``, those of a decision log.
"""
