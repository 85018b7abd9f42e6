"""Scores of probabilities: accuracy, log-loss, Brier score, AUC, calibration, edge.

Begin with ``scores``.
"""
