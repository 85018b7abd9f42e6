"""Who may see and change what: log-in, roles, requests of other sites.

Begin with ``middleware``.
"""
