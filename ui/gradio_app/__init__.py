"""Gradio's part of the page: the functions of the API, and their refusals.

Begin with ``functions``.
"""
