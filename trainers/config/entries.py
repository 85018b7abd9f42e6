"""What an entry of the setting ``learners`` names, without importing it. Pure.

cnn                                       a built-in learner or a baseline
my_module:MyLearner                       a learner of the user's
river:linear_model.LogisticRegression     what an adapter makes a learner of; see LIBRARIES
mlflow:models:/name@alias
slow=river:linear_model.LogisticRegression    any of these under a name of one's own
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Library -> the package that pip installs it from.
LIBRARIES = {
    "river": "river",
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "torch": "torch",
    "mlflow": "mlflow",
}

_GIVEN = re.compile(r"\s*([^=:\s][^=:]*)=(.*)")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.-]")


class Entry(NamedTuple):
    """An entry of the setting ``learners``.

    Attributes:
        text: the entry itself.
        given: the name that the user gives it; empty if there is none.
        library: a key of ``LIBRARIES``; empty for a learner.
        path: what follows the library, or the whole entry.
    """

    text: str
    given: str
    library: str
    path: str

    @property
    def unnamed(self) -> str:
        """The entry without the name that the user gives it."""
        return f"{self.library}:{self.path}" if self.library else self.path

    @property
    def target(self) -> str:
        """Name of the class, function or model: the last part of the path."""
        if self.library == "mlflow":
            return _NOT_ALLOWED.sub("-", self.path.partition(":/")[2].strip("/"))
        return re.split(r"[.:]", self.path)[-1]

    @property
    def name(self) -> str:
        """The learner's name, as far as the entry says it: else that of its class.

        It is the same key in runs, ledger, files and settings, so it has neither : nor / in it.

        >>> entry_of("river:linear_model.LogisticRegression").name
        'river.LogisticRegression'
        >>> entry_of("mlflow:models:/direction@best").name, entry_of("a=cnn").name
        ('mlflow.direction-best', 'a')
        """
        if self.given or not self.library:
            return self.given or self.path
        return f"{self.library}.{self.target}"


def entry_of(text: str) -> Entry:
    """Take an entry apart.

    >>> entry_of("a=torch:my_module:Net")[1:], entry_of("my_module:MyLearner")[1:]
    (('a', 'torch', 'my_module:Net'), ('', '', 'my_module:MyLearner'))
    """
    found = _GIVEN.fullmatch(text)
    given, rest = found.groups() if found else ("", text)
    library, colon, path = rest.partition(":")
    if colon and library in LIBRARIES:
        return Entry(text, given.strip(), library, path)
    return Entry(text, given.strip(), "", rest)
