"""The Evidence tab: scores with intervals, calibration, bets, leaderboard.

Begin with ``evidence_view``.
"""
