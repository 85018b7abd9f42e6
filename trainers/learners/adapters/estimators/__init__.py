"""Classifiers of river, scikit-learn, LightGBM and XGBoost as learners.

Begin with ``estimator``.
"""
