"""A session as files for other tools: Parquet, TensorBoard.

Begin with ``parquet``.
"""
