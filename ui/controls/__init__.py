"""What an operator can ask for, and what became of it.

Begin with ``control_panel``.
"""
