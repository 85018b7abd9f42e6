"""Reads all pages of what MLflow returns a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mlflow.store.entities import PagedList
from mlflow.utils import get_results_from_paginated_fn

PAGE = 1000  # the most that every store returns at once

Found = TypeVar("Found")


def every_page(
    read: Callable[[int, str | None], PagedList[Found]], most: int | None = None
) -> list[Found]:
    """Return what ``read`` finds.

    Args:
        read: returns a page, given the most that it may hold and the token of the page before.
        most: the most to return; None: all there are.
    """
    found: list[Found] = get_results_from_paginated_fn(  # type: ignore[no-untyped-call]  # MLflow
        read, PAGE, most
    )
    return found
