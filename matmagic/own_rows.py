"""Identities that the user adds: remembered from a check, or read from a file.

In: the fields of a row, as texts.  Out: the row, entered into the registry for this session.  Such a row is untrusted: its
code is read word by word (reading/code.py) and never run as Python, its expressions are traced as those of a user's
function are.  It is verified from the row alone before it is entered, as the rows of the package are in their tests, with
bounds on what it may compute; a function that has a row already is refused with that row's name.
"""

from __future__ import annotations

import keyword
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from . import identities as registry
from . import kinds, twins
from .bound import Bound
from .calling import float64
from .canonical import key
from .errors import IdentityError, MatmagicError
from .expr import Leaf, Node, number, permute, transpose
from .identities import Identity, identities
from .identities.proof import draw, fault, sizes_of
from .identities.reading import NAMED, as_column
from .lengths import said
from .match import match
from .options import nearest
from .reading.code import read_code
from .sizes import followed
from .state import leave_no_trace
from .walk import leaves, ordered, written_size

LONGEST_NAME, LONGEST_NOTE, LONGEST_CODE, LONGEST_LINE = 80, 300, 1000, 200  # characters
MOST_SYMBOLS, MOST_LETTERS, LARGEST_SIZE = 8, 5, 20
MOST_PARTS, MOST_WRITTEN = 100, 300  # nodes of an expression, shared ones once and written out
MOST_ENTRIES, SECONDS = 10_000, 10.0  # of a tensor, for a row
_NAME = re.compile(r"[^\W\d_]\w{0,19}")
_CONDITION = re.compile(r"[\w-]+(, [\w-]+)*( [\w-]+)+|\w+ >=? \w+")
STRUCTURES = ("symmetric", "diagonal", "lower-triangular")
_TAKEN = {"torch", "F", "len", *NAMED}


@dataclass(frozen=True)
class OwnRow(Identity):
    """A row whose code is untrusted."""

    def callable(self, code: str) -> Callable[..., Any]:
        """The code as a function of its symbols; each word of it is on a list."""
        names = tuple(self.shapes)
        evaluate = read_code(code, names)

        def function(*values: Tensor, **named: Tensor) -> Any:
            return evaluate({**dict(zip(names, values, strict=False)), **named})

        return function

    def read(self, code: str) -> Node:
        """The code traced, at two samples that honour the conditions."""
        spoken = _Spoken(self.name, self.callable(code), tuple(self.shapes))
        shapes = {name: as_column(shape) for name, shape in self.shapes.items()}
        found = followed(spoken, shapes, list(islice(self._samples(), 2)))
        return permute(found.node, [axis for group in found.axes for axis in group])

    def _samples(self) -> Iterator[tuple[dict[str, Tensor], dict[str, int]]]:
        """Inputs at which the function is finite, with their sizes: a first one, then those that differ in every size."""
        function = self.callable(self.function)
        first: dict[str, int] | None = None
        for seed, sizes in enumerate(sizes_of(self)):
            if first is not None and any(sizes[letter] == first[letter] for letter in first):
                continue
            with float64():
                inputs = draw(self, sizes, seed)
                value = torch.as_tensor(function(**inputs))
            if bool(value.isfinite().all()):
                first = first or sizes
                yield inputs, sizes


@dataclass(frozen=True)
class _Spoken:
    """A row's code as something to trace."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    reads: Mapping[str, Any] = field(default_factory=dict)

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(inputs[name] for name in self.parameters), {}


# ---- entering -----------------------------------------------------------------------------------------------------


def enter(row: OwnRow) -> None:
    """Verify a row and enter it for this session; a row of the user's that has the name is replaced.

    Raises IdentityError, which says what is wrong with it; then nothing has changed.
    """
    for reason in _misfits(row):
        raise _refused(row, reason)
    with leave_no_trace(quiet=True):
        try:
            with _Bounded(SECONDS):
                said = _unread(row) or fault(row)
            said = said or _known(row)
        except MatmagicError as error:
            raise _refused(
                row, *(line for line in (error.message, *error.lines) if not line.startswith("in "))
            ) from None
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise _refused(row, f"it can't be evaluated: {str(error).strip() or type(error).__name__}") from None
    if said is not None:
        raise _refused(row, said.removeprefix(f"{row.name}: "))
    if row.name in _own():
        forget(row.name)
    registry.enter(row)


def _refused(row: OwnRow, reason: str, *lines: str) -> IdentityError:
    """The error, in lines that are not long; what is said about claims is said about rows."""
    said = [line.replace("the claim", "the row").replace("a claim", "a row") for line in (reason, *lines)]
    short = [line.splitlines()[0][:LONGEST_LINE] + (" …" if line[LONGEST_LINE:] else "") for line in said]
    return IdentityError(f"{row.name[:LONGEST_NAME]!r}: {short[0]}", *short[1:], f"in {row.place}")


def forget(name: str) -> None:
    """Take a row of the user's out of the registry.  Raises IdentityError where there is none of this name."""
    if name not in _own():
        near = nearest(name, _own())
        raise IdentityError(f"no identity of your own has the name {name!r}{near}", "those of matmagic stay")
    registry.drop(name)
    kinds.forget()
    twins.forget()


def own_rows() -> tuple[OwnRow, ...]:
    """What the user has added in this session."""
    return tuple(row for row in identities() if isinstance(row, OwnRow))


def _own() -> dict[str, OwnRow]:
    return {row.name: row for row in own_rows()}


# ---- what a row may say -------------------------------------------------------------------------------------------


def _misfits(row: OwnRow) -> Iterator[str]:
    """What is wrong with the fields, before any of them is evaluated."""
    yield from _bad_text("name", row.name, LONGEST_NAME)
    if not row.name.strip() or row.name != row.name.strip():
        yield "the name is empty, or has spaces around it"
    yield from _bad_text("source", row.source, LONGEST_NOTE)
    yield from _bad_text("note", row.note, LONGEST_NOTE)
    others = {own.name for own in identities()} - set(_own())
    if row.name in others:
        yield "this is the name of an identity of matmagic; choose another"
    yield from _bad_shapes(row)
    for condition in (*row.conditions, *row.simpler):
        if len(condition) > LONGEST_NAME or not _CONDITION.fullmatch(condition):
            yield f'{condition[:40]!r} is no condition; they are written "A symmetric", "m >= n"'
    if row.order not in (1, 2):
        yield f"the order is 1 or 2, not {row.order}"
    if row.structured and len(row.shapes.get(row.wrt, ())) != 2:
        yield f"{row.wrt[:40]} is no matrix, so it has no structure"
    for kind in row.structured:
        if kind not in STRUCTURES:
            yield f"no structure {kind[:40]!r}; there are {', '.join(STRUCTURES)}"
    codes = (row.function, row.gradient, *row.simpler.values(), *row.structured.values())
    for code in codes:
        if not code.strip() or len(code) > LONGEST_CODE or not code.isprintable():
            yield f"{code[:40]!r}: code is one line of at most {LONGEST_CODE} characters"


def _bad_text(what: str, text: str, longest: int) -> Iterator[str]:
    if len(text) > longest:
        yield f"the {what} has {len(text)} characters, at most {longest} are read"
    if not text.isprintable() or set("<>&$`\\").intersection(text):
        yield f"the {what} has markup or control characters in it; write plain words"


def _bad_shapes(row: OwnRow) -> Iterator[str]:
    """Symbols that are no names, and shapes that are too large to be verified."""
    if not 1 <= len(row.shapes) <= MOST_SYMBOLS:
        yield f"{len(row.shapes)} symbols; a row has 1 to {MOST_SYMBOLS}"
    for name, shape in row.shapes.items():
        if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in _TAKEN:
            yield f"{name[:40]!r} can't be the name of a symbol"
        if len(shape) > 2:
            yield f"{name} has {len(shape)} axes; a scalar, a vector or a matrix can stand in a row"
        for size in shape:
            if not (
                (isinstance(size, int) and 1 <= size <= LARGEST_SIZE)
                or (isinstance(size, str) and _NAME.fullmatch(size))
            ):
                yield f"{said(size)[:40]!r} is no size; sizes are letters, or numbers up to {LARGEST_SIZE}"
    if len({size for shape in row.shapes.values() for size in shape if isinstance(size, str)}) > MOST_LETTERS:
        yield f"more than {MOST_LETTERS} sizes"
    if row.wrt not in row.shapes:
        yield f"wrt is {row.wrt[:40]!r}; its shapes name {', '.join(row.shapes)}"


def _unread(row: OwnRow) -> str | None:
    """What is wrong with the expressions."""
    for code in (row.function, row.gradient, *row.simpler.values(), *row.structured.values()):
        node = row.read(code)
        if len(ordered(node)) > MOST_PARTS or written_size(node) > MOST_WRITTEN:
            return f"{code[:60]} is too long an expression"
    missing = [name for name in row.shapes if name not in leaves(row.node)]
    if missing:
        return f"{row.function} doesn't depend on {', '.join(missing)}"
    if row.order == 2 and row.node.shape:
        return "only a function with one entry has a Hessian in a row"
    return None


def _known(row: OwnRow) -> str | None:
    """Which other row has this function already."""
    at_key = next(iter(kinds.keyed(kinds.kind_of(row.node, row.wrt, row.order)).get(row.pattern.key, ())), None)
    variable = leaves(row.node)[row.wrt]
    found = match(row.node, variable, row.order)
    other = at_key or (found.identity if found is not None and _renames(found) else None)
    if other is None or other.name == row.name:
        return None
    return f"this is the {other.name}, which is known already"


def _renames(found: Bound) -> bool:
    """Whether the function is the row's in other letters."""
    parts = list(found.bindings.values())
    plain = all(isinstance(part, Leaf) or isinstance(transpose(part), Leaf) for part in parts)
    letters = [name for part in parts for name in leaves(part)]
    scaled = found.offset is not None or key(found.factor) != key(number(1))
    return plain and len(set(letters)) == len(letters) and not scaled and not found.held


class _Bounded(TorchDispatchMode):
    """Stops what makes large tensors or takes long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.until = time.monotonic() + seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if time.monotonic() > self.until:
            raise IdentityError(f"it takes more than {SECONDS:.0f} seconds")
        if any(isinstance(one, Tensor) and one.numel() > MOST_ENTRIES for one in tree_leaves(found)):
            raise IdentityError(f"it makes tensors of more than {MOST_ENTRIES} entries")
        return found
