"""Rules about metrics, states and events; messages when they come true.

Begin with ``rules``; ``alert_service`` evaluates and sends.
"""
