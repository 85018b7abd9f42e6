"""What the page reads from MLflow, in one thread.

Begin with ``poller``.
"""
