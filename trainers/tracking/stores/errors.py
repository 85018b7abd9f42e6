"""What is wrong with a store that cannot be used."""

from __future__ import annotations

from streaming.errors import TickloopError


class StoreError(TickloopError):
    """The MLflow store cannot be used: show the text, which is one line, and exit with code 2."""

    exit_code = 2
