"""From bars to forecasts, scores, MLflow and models: the learners of a session and their record.

Begin with ``engine``; the rooms import from those below them only, in the order that
ARCHITECTURE.md gives. ``names`` has what is written to MLflow.
"""
