"""What the page's server has besides Gradio: sockets, requests, scripts, refusals.

Begin with ``broadcaster`` and ``queries``.
"""
