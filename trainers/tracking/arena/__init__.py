"""What an arena has in MLflow: its leaderboard, the models that it names.

Begin with ``leaderboard``.
"""
