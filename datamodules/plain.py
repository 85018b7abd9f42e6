"""Plain data: what a checkpoint can hold and a digest can hash. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

Plain = TypeVar("Plain")

# By name, so that torch is not imported for a question about types.
TENSORS = ("torch.Tensor", "torch.nn.parameter.Parameter")

LARGEST_INT = 2**63
DEEPEST = 50  # levels of dicts and lists
NUMBERS = "biufc"  # the kinds of numpy's types that are numbers


def not_plain(value: Any, where: str = "", depth: int = 0) -> str:
    """Return what is not plain in a value, and where; an empty text if all is.

    Plain are None, numbers, text, arrays and tensors of numbers, and dicts, lists and tuples of
    them. Subclasses are not: they would come back as another class, or not at all.

    >>> not_plain({"a": [1, 2.5, None], "b": np.zeros(3)})
    ''
    >>> not_plain({"a": {"f": print}})
    "['a']['f'] is a builtin_function_or_method"

    Args:
        value: the value.
        where: where the value is found, for the text.
        depth: how many levels it lies within others.
    """
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return ""
    if kind is int:
        return "" if -LARGEST_INT <= value < LARGEST_INT else f"{where} is a number beyond 64 bits"
    if isinstance(value, np.generic | np.ndarray):
        return "" if _is_numeric(value) else f"{where} is of numpy's type {value.dtype}"
    if _is_tensor(value):
        return ""
    if depth == DEEPEST:
        return f"{where[:60]}... has more than {DEEPEST} levels"
    if isinstance(value, dict):
        return _not_plain_dict(value, where, depth)
    if kind in (list, tuple):
        parts = (not_plain(part, f"{where}[{i}]", depth + 1) for i, part in enumerate(value))
        return next(filter(None, parts), "")
    return f"{where or 'it'} is a {kind.__name__}"


def copied(value: Plain) -> Plain:
    """Return a copy of plain data that shares no array or tensor with it.

    It takes a third of the time of ``copy.deepcopy``, which remembers what it has met.
    """
    one: Any = value
    if isinstance(one, dict):
        one = {key: copied(part) for key, part in one.items()}
    elif isinstance(one, list | tuple):
        one = type(one)(copied(part) for part in one)
    elif isinstance(one, np.ndarray):
        one = one.copy()
    elif _is_tensor(one):
        one = one.detach().clone()
    copy: Plain = one
    return copy


def _is_tensor(value: Any) -> bool:
    return f"{type(value).__module__}.{type(value).__qualname__}" in TENSORS


def _not_plain_dict(value: dict[Any, Any], where: str, depth: int) -> str:
    for key, part in value.items():
        if type(key) not in (str, int, float, bool):
            return f"{where or 'it'} has a key that is a {type(key).__name__}"
        if found := not_plain(part, f"{where}[{key!r}]", depth + 1):
            return found
    return ""


def _is_numeric(value: np.generic | np.ndarray) -> bool:
    kind = value.dtype
    plain_class = isinstance(value, np.generic) or type(value) is np.ndarray
    return plain_class and kind.kind in NUMBERS and kind.isnative and kind.name in _KNOWN


# Those that torch has too: no long double.
_KNOWN = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64", "complex64", "complex128",
}  # fmt: skip
