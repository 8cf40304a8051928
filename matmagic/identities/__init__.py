"""The registry of identities: one row each, in the language of a notebook cell.

    identity("quadratic form", "x.T @ A @ x", wrt="x", gradient="(A + A.T) @ x",
             shapes="x: n, A: n n", simpler={"A symmetric": "2 * A @ x"}, source="Matrix Cookbook (81)")

Everything else comes from the row: the pattern that is looked up, its formulas, its tests.  Vectors are columns here.
Rows are traced when they are first looked up, not at import.  Sources: "Matrix Cookbook" is Petersen and Pedersen,
version of 15 November 2012; "Matrix calculus" is the article of the English Wikipedia.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import torch

from ..canonical import Pattern, pattern
from ..expr import Node
from ..lengths import Size
from ..sizes import unified
from ..trace import Trace, trace

SUBJECTS = ("vectors", "matrices", "traces", "norms", "losses")
_SIZES: tuple[dict[str, int], ...] = tuple(
    dict(zip("nmkpq", numbers, strict=True)) for numbers in ((3, 4, 5, 6, 7), (5, 3, 4, 7, 6))
)


@dataclass(frozen=True)
class Identity:
    """A named rule: the derivative of `function` by `wrt` is `gradient`.

    `function` and `gradient` are torch expressions in the names of `shapes` ("x: n, A: n n"); `conditions` say when
    the rule holds, `simpler` what the gradient becomes under a further condition ("A symmetric").
    """

    name: str
    function: str
    wrt: str
    gradient: str
    shapes: Mapping[str, tuple[Size, ...]]
    source: str
    conditions: tuple[str, ...] = ()
    simpler: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    place: str = ""  # file and line of the row

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call, in order."""
        return tuple(inputs[name] for name in self.shapes), {}

    def callable(self, code: str) -> Callable[..., Any]:
        """A torch expression of the row as a function of its symbols.  Rows of the package only: the text is run."""
        found: Callable[..., Any] = eval(f"lambda {', '.join(self.shapes)}: {code}", {"torch": torch})
        return found

    def trace(self, code: str) -> Node:
        """An expression of the row in index notation; traced at two sets of sizes where it reads sizes as numbers."""
        if "shape" not in code:
            return self.trace_at(code, _SIZES[0]).node
        return unified(*(self.trace_at(code, sizes) for sizes in _SIZES)).node

    def trace_at(self, code: str, sizes: Mapping[str, int]) -> Trace:
        """The expression as it is computed at these sizes."""
        generator = torch.Generator().manual_seed(0)
        shapes = {name: _as_column(shape) for name, shape in self.shapes.items()}
        inputs = {
            name: torch.randn(
                [sizes[s] if isinstance(s, str) else s for s in shape], generator=generator, dtype=torch.float64
            )
            for name, shape in shapes.items()
        }
        return trace(_Expression(self, code), shapes, inputs, sizes)

    @cached_property
    def node(self) -> Node:
        """The function."""
        return self.trace(self.function)

    @cached_property
    def gradient_node(self) -> Node:
        """Its derivative, as the row states it."""
        return self.trace(self.gradient)

    @cached_property
    def pattern(self) -> Pattern:
        """What it is found by."""
        found = pattern(self.node, self.wrt)
        if found is None:
            raise ValueError(f"{self.place}: {self.name} has no pattern")
        return found


@dataclass(frozen=True)
class _Expression:
    """One expression of a row, as something to call."""

    row: Identity
    code: str
    reads: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def function(self) -> Callable[..., Any]:
        return self.row.callable(self.code)

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.row.bind(inputs)


def _as_column(shape: tuple[Size, ...]) -> tuple[Size, ...]:
    return (*shape, 1) if len(shape) == 1 else shape


_rows: dict[str, Identity] = {}
_by_key: dict[bytes, Identity] = {}
_indexed: set[str] = set()


def identity(
    name: str,
    function: str,
    *,
    wrt: str,
    gradient: str,
    shapes: str,
    source: str,
    conditions: tuple[str, ...] = (),
    simpler: Mapping[str, str] | None = None,
    note: str = "",
) -> None:
    """Enter a row.  Raises ValueError, naming file and line, for a name taken, a symbol without use or a shape missing."""
    caller = sys._getframe(1)
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    parsed = _parsed(shapes)
    used = set(re.findall(r"(?<![\w.])[A-Za-z]\w*", function)) - {"torch"}
    if name in _rows:
        raise ValueError(f"{place}: the name {name!r} is taken by {_rows[name].place}")
    if used != set(parsed) or wrt not in parsed:
        raise ValueError(f"{place}: {name!r} uses {sorted(used)}, its shapes name {sorted(parsed)}, wrt is {wrt!r}")
    _rows[name] = Identity(name, function, wrt, gradient, parsed, source, conditions, simpler or {}, note, place)


def _parsed(shapes: str) -> dict[str, tuple[Size, ...]]:
    """ "x: n, A: n n" -> {"x": ("n",), "A": ("n", "n")}"""
    found = {}
    for part in shapes.split(","):
        name, _, sizes = part.partition(":")
        found[name.strip()] = tuple(int(s) if s.isdigit() else s for s in sizes.split())
    return found


def identities() -> tuple[Identity, ...]:
    """Every row, in the order of the subjects."""
    for subject in SUBJECTS:
        import_module(f".{subject}", __name__)
    return tuple(_rows.values())


def by_key() -> Mapping[bytes, Identity]:
    """The rows by the canonical key of their pattern.  Raises ValueError where two rows have one."""
    for row in identities():
        if row.name in _indexed:
            continue
        other = _by_key.setdefault(row.pattern.key, row)
        if other is not row:
            raise ValueError(f"{row.place}: {row.name!r} is the same function as {other.name!r} in {other.place}")
        _indexed.add(row.name)
    return _by_key


__all__ = ["Identity", "by_key", "identities", "identity"]
