"""What decides for an engine and does not look at a clock: logs, tapes.

Begin with ``recorded``; the live driver is ``trainers.session.market.live_market``.
"""
