"""Any estimator as plain data, and back: what a checkpoint keeps of a library's model. Pure.

    model -> plain(model) -> {"root": node, "objects": [...]} -> restored(...) -> model

A checkpoint is never unpickled, as a pickle may run any code. So a model is taken apart by the same
protocol as pickle's (PEP 307, ``__reduce_ex__``), and put together again from classes and functions
of its own library and of numpy only. Equal models give equal bits: what cannot change is written
where it stands, and not as a reference, so it does not matter which texts are one object.

A node is None, a bool, number or text; an array of numbers; or a dict with one entry:

    {"at": i}          object i of ``objects``         {"tuple": [node, ...]}
    {"global": name}   a class or function, module:name    {"bytes": uint8 array}
    {"method": [node, name]}                               {"int": text}, beyond 64 bits
    {"seeded": 0}, a generator begun anew                  {"fortran": array}, transposed

An object is a dict with one entry too: ``list``, ``dict``, ``set``, ``generator`` (of Python's), or
``made`` of five nodes, those of ``__reduce_ex__``.
"""

from __future__ import annotations

import copyreg
import functools
import importlib
import random
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from datamodules.plain import not_plain

Node = Any

# What a model may be made of besides its own library's.
SAFE = frozenset(
    f"{module}:{name}"
    for module, names in {
        "builtins": "object dict list set frozenset tuple int float complex bool str bytes"
        " bytearray slice range NoneType",
        "collections": "deque defaultdict OrderedDict Counter",
        "copyreg": "__newobj__ __newobj_ex__ _reconstructor",
        "functools": "partial",
        "random": "Random",
        "math": "exp log sqrt",
        "datetime": "datetime timedelta date timezone",
    }.items()
    for name in names.split()
)
ATOMS = frozenset((bool, float, str))
_UNSEEDED = object()  # stands for a generator that nobody has seeded
NUMPY = ("ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer")


def plain(model: Any) -> dict[str, Any]:
    """Return a model as plain data.

    Raises:
        TypeError: if a part of it has no name by which it could be found again.
    """
    return _Writer().whole(model)


def restored(state: dict[str, Any], libraries: Iterable[str]) -> Any:
    """Return the model of which ``plain`` made ``state``.

    Args:
        state: the plain data.
        libraries: packages of which classes and functions may be used.

    Raises:
        ValueError: if it names anything of another package.
    """
    return _Reader(state["objects"], frozenset(libraries)).value(state["root"])


class _Writer:
    def __init__(self) -> None:
        self._objects: list[Any] = []
        self._at: dict[int, int] = {}
        self._kept: list[Any] = []  # or an id could be used again

    def whole(self, model: Any) -> dict[str, Any]:
        root = self._node(model)
        return {"root": root, "objects": self._objects}

    def _node(self, value: Any) -> Node:
        kind = type(value)
        if value is None or kind in ATOMS:
            return value
        number = kind in (int, np.ndarray) or isinstance(value, np.generic)
        if number and not not_plain(value):
            return self._array(value) if kind is np.ndarray else value
        if value is _UNSEEDED:
            return {"seeded": 0}
        if kind is tuple:
            return {"tuple": [self._node(part) for part in value]}
        if kind in (bytes, bytearray):
            return {kind.__name__: np.frombuffer(bytes(value), np.uint8).copy()}
        if kind is int:
            return {"int": str(value)}
        if isinstance(value, types.MethodType):
            return {"method": [self._node(value.__self__), value.__name__]}
        if isinstance(value, type) or _is_function(value):
            return {"global": _name_of(value)}
        return self._shared(value)

    def _array(self, value: Any) -> Node:
        """Return an array of numbers; the order of its axes in memory is a part of it."""
        if value.flags.f_contiguous and not value.flags.c_contiguous:
            return {"fortran": np.ascontiguousarray(value.T)}
        return np.ascontiguousarray(value).reshape(value.shape).copy()

    def _shared(self, value: Any) -> Node:
        if id(value) in self._at:
            return {"at": self._at[id(value)]}
        at = self._at[id(value)] = len(self._objects)
        self._objects.append(None)
        self._kept.append(value)
        self._objects[at] = self._object(value)
        return {"at": at}

    def _object(self, value: Any) -> dict[str, Any]:
        if type(value) is list:
            return {"list": [self._node(part) for part in value]}
        if type(value) is dict:
            return {"dict": [[self._node(key), self._node(part)] for key, part in value.items()]}
        if type(value) is random.Random:
            version, words, gauss = value.getstate()
            return {"generator": [version, np.array(words, np.int64), gauss]}
        if type(value) in (set, frozenset):
            return {type(value).__name__: sorted((self._node(one) for one in value), key=repr)}
        reduce = copyreg.dispatch_table.get(type(value))
        found = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(found, str):
            return {"global": f"{type(value).__module__}:{found}"}
        function, args, state, items, pairs = (*found, None, None, None)[:5]
        parts = (
            function, args, _with_seed(state),
            None if items is None else list(items),
            None if pairs is None else [list(pair) for pair in pairs],
        )  # fmt: skip
        return {"made": [self._node(part) for part in parts]}


class _Reader:
    def __init__(self, objects: list[Any], libraries: frozenset[str]) -> None:
        self._objects, self._libraries = objects, libraries
        self._made: dict[int, Any] = {}

    def value(self, node: Node) -> Any:
        if not isinstance(node, dict):
            return node.copy() if isinstance(node, np.ndarray) else node
        ((kind, part),) = node.items()
        match kind:
            case "at":
                return self._made[part] if part in self._made else self._make(part)
            case "tuple":
                return tuple(self.value(one) for one in part)
            case "bytes":
                return part.tobytes()
            case "bytearray":
                return bytearray(part.tobytes())
            case "int":
                return int(part)
            case "fortran":
                return part.copy().T
            case "seeded":
                return random.Random(part)
            case "global":
                return self._find(part)
            case "method":
                return self._method(*part)
        raise ValueError(f"a model's state: expected a known kind of node, got {kind!r}")

    def _make(self, at: int) -> Any:
        ((kind, parts),) = self._objects[at].items()
        made: Any
        if kind == "list":
            made = self._made[at] = []
            made += [self.value(part) for part in parts]
        elif kind == "dict":
            made = self._made[at] = {}
            for key, part in parts:
                made[self.value(key)] = self.value(part)
        elif kind in ("set", "frozenset"):
            made = self._made[at] = {"set": set, "frozenset": frozenset}[kind](
                self.value(part) for part in parts
            )
        elif kind == "generator":
            version, words, gauss = parts
            made = self._made[at] = random.Random()
            made.setstate((version, tuple(words.tolist()), gauss))
        elif kind == "global":
            made = self._made[at] = self._find(parts)
        else:
            made = self._rebuild(at, *parts)
        return made

    def _rebuild(
        self, at: int, function: Node, args: Node, state: Node, items: Node, pairs: Node
    ) -> Any:
        made = self._made[at] = self.value(function)(*self.value(args))
        found = self.value(state)
        if hasattr(made, "__setstate__") and found is not None:
            made.__setstate__(found)
        elif found is not None:
            own, slots = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
            if own:
                made.__dict__.update(own)
            for name, value in (slots or {}).items():
                setattr(made, name, value)
        for one in self.value(items) or []:
            made.append(one)
        for key, one in self.value(pairs) or []:
            made[key] = one
        return made

    def _method(self, owner: Node, name: str) -> Any:
        found = getattr(self.value(owner), name)
        if name.startswith("__") or not isinstance(found, types.MethodType):
            raise ValueError(f"a model's state: expected a method of a model, got {name!r}")
        return found

    def _find(self, name: str) -> Any:
        module, _, path = name.partition(":")
        root = module.partition(".")[0]
        of_numpy = root == "numpy" and (
            module.startswith("numpy.random") or path in NUMPY or path.endswith("DType")
        )
        if root not in self._libraries and name not in SAFE and not of_numpy:
            raise ValueError(
                f"a model's state: got {name}; allowed: what is in"
                f" {', '.join(sorted(self._libraries))}, and numbers of numpy"
            )
        if name == "builtins:NoneType":
            return type(None)
        return functools.reduce(getattr, path.split("."), importlib.import_module(module))


def _with_seed(state: Any) -> Any:
    """Return an object's state, with a generator that nobody has seeded begun anew.

    River's trees are full of them, and draw nothing from them. What the system has seeded them with
    would be other bits at each start; an object that does draw is found out by its other results.
    """
    if isinstance(state, dict) and "seed" in state and state["seed"] is None:
        unseeded = {name for name, one in state.items() if type(one) is random.Random}
        return {**state, **dict.fromkeys(unseeded, _UNSEEDED)}
    return state


def _is_function(value: Any) -> bool:
    """Return whether a value is a function of a module, in whatever language."""
    named = callable(value) and hasattr(value, "__qualname__") and hasattr(value, "__module__")
    return named and isinstance(getattr(value, "__self__", None), types.ModuleType | None)


def _name_of(value: Any) -> str:
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or "<" in name:
        raise TypeError(f"expected what can be found again by its name, got {value!r}")
    return f"{module}:{name}"
