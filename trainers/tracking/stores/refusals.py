"""Whether an error of a store is for good. Pure.

MLflow says BAD_REQUEST for every error of its database but SQLAlchemy's ``OperationalError``: for a
value that does not fit, but also for a database that only reads after a failover, a pool without a
free connection, a damaged file. The kind is in the error's cause, or, where a server has passed on
the text alone, in the address that SQLAlchemy puts behind it (https://docs.sqlalchemy.org/errors).
"""

from __future__ import annotations

import re

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from trainers.tracking.stores.client import MlflowException

# A bad name or value, a deleted run.
REFUSED = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST")
BAD_REQUEST = "BAD_REQUEST"
ABOUT_WHAT_WAS_SENT = (DataError.code, IntegrityError.code)
KIND = re.compile(r"https://sqlalche\.me/e/\w+/(\w+)")


def is_refusal(error: Exception) -> bool:
    """Return whether the store has answered, and would answer the same again."""
    if not isinstance(error, MlflowException):
        return False
    if error.error_code != BAD_REQUEST:
        return error.error_code in REFUSED
    if isinstance(error.__cause__, SQLAlchemyError):
        return error.__cause__.code in ABOUT_WHAT_WAS_SENT
    kind = KIND.search(str(error))
    return kind is None or kind[1] in ABOUT_WHAT_WAS_SENT
