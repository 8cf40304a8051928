"""The registry of identities: one row each, in the language of a notebook cell.

    identity("quadratic form", "x.T @ A @ x", wrt="x", gradient="(A + A.T) @ x",
             shapes="x: n, A: n n", simpler={"A symmetric": "2 * A @ x"}, source="Matrix Cookbook (81)")

Everything else comes from the row: the pattern that is looked up, its formulas, its tests.  Vectors are columns here.
A row is read as an expression when it is first looked up, not at import: what the call of `identity` can't see (shapes
that clash, two rows for one function) is refused then.  Sources: "Matrix Cookbook" is Petersen and Pedersen, version of
15 November 2012; "Matrix calculus" is the article of the English Wikipedia.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import import_module
from symtable import SymbolTable, symtable
from typing import Any

from ..canonical import Pattern, pattern
from ..expr import Node
from ..lengths import Size
from ..simplify import opened
from .reading import NAMED, computed, read

SUBJECTS = """
    vectors matrices traces determinants inverses eigenvalues norms entrywise losses statistics learning hessians
""".split()
_WORD = r"(?<![\w.]){}(?!\w)"


@dataclass(frozen=True)
class Identity:
    """A named rule: the derivative of `function` by `wrt` is `gradient`.

    `function` and `gradient` are torch expressions in the names of `shapes` ("x: n, A: n n"); where `order` is 2, what
    is called the gradient is the Hessian.  `conditions` say when the rule holds, `simpler` what the gradient becomes
    under a further condition ("A symmetric"), `structured` what it becomes for a variable of that kind, differentiated
    by its free entries alone.  `given` are conditions that have to be declared of the user's arguments, or the function
    is another identity: with an orthogonal Q, xᵀ Qᵀ Q x is a squared norm.
    """

    name: str
    function: str
    wrt: str
    gradient: str
    shapes: Mapping[str, tuple[Size, ...]]
    source: str
    order: int = 1
    conditions: tuple[str, ...] = ()
    given: tuple[str, ...] = ()  # some of the conditions
    simpler: Mapping[str, str] = field(default_factory=dict)
    structured: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    each: tuple[Mapping[str, str], ...] = ()
    place: str = ""  # file and line of the row

    @cached_property
    def instances(self) -> tuple[Identity, ...]:
        """The row for each of its numbers or functions; the row itself where it has none."""
        return tuple(self._with(words) for words in self.each) or (self,)

    def _with(self, words: Mapping[str, str]) -> Identity:
        def put(code: str) -> str:
            for word, text in words.items():
                code = re.sub(_WORD.format(word), text, code)
            return code

        function = put(self.function)
        used = {name: shape for name, shape in self.shapes.items() if name in _names(function)}
        shapes = {name: tuple(words.get(str(size), size) for size in shape) for name, shape in used.items()}
        return replace(
            self, function=function, gradient=put(self.gradient), shapes=shapes, each=(),
            simpler={condition: put(code) for condition, code in self.simpler.items()},
            structured={kind: put(code) for kind, code in self.structured.items()},
        )  # fmt: skip

    def callable(self, code: str) -> Callable[..., Any]:
        """A torch expression of the row as a function of its symbols.  Rows of the package only: the text is run."""
        return computed(code, self.shapes)

    def read(self, code: str) -> Node:
        """An expression of the row in index notation.  Raises ValueError, naming file and line, where it makes no sense."""
        try:
            return read(code, self.shapes)
        except Exception as reason:
            raise ValueError(f"{self.place}: {self.name!r}: {code}: {reason}") from reason

    @cached_property
    def square(self) -> Identity:
        """The row for a square variable, which `structured` speaks of."""
        rows, columns = self.shapes[self.wrt]
        alike = {
            name: tuple(columns if size == rows else size for size in shape) for name, shape in self.shapes.items()
        }
        return replace(self, shapes=alike)

    @cached_property
    def node(self) -> Node:
        """The function."""
        return self.read(self.function)

    @cached_property
    def gradient_node(self) -> Node:
        """Its derivative, as the row states it."""
        return self.read(self.gradient)

    @cached_property
    def pattern(self) -> Pattern:
        """What it is found by."""
        found = pattern(opened(self.node), self.wrt)
        if found is None:
            raise ValueError(f"{self.place}: {self.name!r} has no pattern")
        return found


_rows: dict[str, Identity] = {}


def identity(
    name: str,
    function: str,
    *,
    wrt: str,
    gradient: str = "",
    hessian: str = "",
    shapes: str,
    source: str,
    conditions: tuple[str, ...] = (),
    given: tuple[str, ...] = (),
    simpler: Mapping[str, str] | None = None,
    structured: Mapping[str, str] | None = None,
    note: str = "",
    each: Sequence[Mapping[str, str]] = (),
) -> None:
    """Enter a row: the gradient (or Jacobian) of a function, or its Hessian.

    `each` states the row for several numbers, functions or sizes, put in for a word: `each=values(k="4 5 6")`.
    Raises ValueError, naming file and line, for a name taken, a symbol without use or a shape missing.
    """
    caller = sys._getframe(1)
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}"
    parsed = _parsed(shapes)
    if name in _rows:
        raise ValueError(f"{place}: the name {name!r} is taken by {_rows[name].place}")
    if bool(gradient) == bool(hessian):
        raise ValueError(f"{place}: {name!r} needs a gradient or a Hessian")
    row = Identity(
        name, function, wrt, gradient or hessian, parsed, source, 2 if hessian else 1, (*given, *conditions), given,
        simpler or {}, structured or {}, note, tuple(each), place,
    )  # fmt: skip
    sizes = {size for shape in parsed.values() for size in shape}
    words = [text for one in each for word, text in one.items() if word not in sizes]
    used = (_symbols(function) - {word for one in each for word in one}) | _symbols(*words)
    if used != set(parsed) or wrt not in parsed:
        raise ValueError(f"{place}: {name!r} uses {sorted(used)}, its shapes name {sorted(parsed)}, wrt is {wrt!r}")
    stray = (
        _symbols(row.gradient, *row.simpler.values(), *row.structured.values()) - used - {w for o in each for w in o}
    )
    if stray:
        raise ValueError(f"{place}: the derivative of {name!r} uses {sorted(stray)}, which its shapes do not name")
    _rows[name] = row


def values(**words: str) -> tuple[dict[str, str], ...]:
    """One word with the numbers it stands for: values(k="4 5") is ({"k": "4"}, {"k": "5"})."""
    ((word, numbers),) = words.items()
    return tuple({word: number} for number in numbers.split())


def _symbols(*codes: str) -> set[str]:
    """The free names in torch code, without those of functions."""
    return set().union(*map(_names, codes)) - {"torch", "F", *NAMED}


@cache
def _names(code: str) -> frozenset[str]:
    return _free(symtable(code, "row", "eval"))


def _free(scope: SymbolTable) -> frozenset[str]:
    """The names that code reads and no lambda in it binds."""
    own = (symbol.get_name() for symbol in scope.get_symbols() if not symbol.is_local())
    return frozenset(own).union(*map(_free, scope.get_children()))


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


def count() -> int:
    """How many rows there are."""
    return len(_rows) if _rows else len(identities())


def enter(row: Identity) -> None:
    """Add a row of the user's, for this session.  It has been verified, and has a name and a function of its own."""
    identities()  # those of the package come first
    _rows[row.name] = row


def drop(name: str) -> None:
    """Take such a row out again."""
    del _rows[name]


def __getattr__(name: str) -> Any:
    """The user's own rows: `save`, `load` and `forget`, from the module that verifies them, when they are first used."""
    if name in ("save", "load"):
        return getattr(import_module("matmagic.row_files"), name)
    if name == "forget":
        return import_module("matmagic.own_rows").forget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Identity", "count", "identities", "identity", "values"]
