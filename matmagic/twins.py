"""Identities by value: functions that are equal though they are written with other functions.

log(1 + eᵘ), softplus(u) and -log σ(-u) have one value everywhere, and so has a softmax that is written out.  In: an
expression and its variable.  Out: a row with the same value at made-up tensors, and what its symbols stand for.  Rows
whose symbols have shapes of one kind (a vector, a matrix on it, …) share the tensors and are told apart by a digest
of their value: a dictionary lookup again, for each way to give the user's constants the places of the row's.
Not known here: whether they are equal elsewhere too, which match.py asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations

import torch
from torch import Tensor

from .evaluate import evaluate
from .expr import Leaf, Node, transpose
from .identities import Identity
from .kinds import Kind, kind_of, rows_of
from .walk import leaves, size_letters

MOST_CONSTANTS = 4
DIGITS = 7  # of a value, which the ways to compute it agree in
_NUMBERS = (3, 4, 5, 6, 7, 8)  # for the sizes, in the order in which they come up

Shapes = tuple[tuple[int, ...], ...]
"""The shapes of the symbols, the variable first, each size by when it comes up: x: n, A: m n is ((0,), (1, 0))."""

_digests: dict[Kind, tuple[int, dict[Shapes, dict[str, Identity]]]] = {}


def twin(node: Node, variable: Leaf, order: int) -> tuple[Identity, Mapping[str, Node]] | None:
    """A row with the value of this function of the variable, and what its constants stand for."""
    named = leaves(node)
    constants = [own for name, own in named.items() if name != variable.name]
    letters = {s for own in named.values() for s in own.shape}
    if variable.name not in named:  # it cancels
        return None
    if len(constants) > MOST_CONSTANTS or len(letters) > len(_NUMBERS) or not letters.issuperset(size_letters(node)):
        return None
    rows = _known(kind_of(node, variable.name, order))
    for places in _places(constants) if rows else ():
        shapes = _numbered([variable.shape, *(own.shape[::-1] if turned else own.shape for own, turned in places)])
        if shapes is None or shapes not in rows:
            continue
        known, values = rows[shapes], _values(shapes)
        sizes = dict(zip(_letters([variable, *(own for own, _ in places)], places), _NUMBERS, strict=False))
        given = {
            own.name: value.T if turned else value for (own, turned), value in zip(places, values[1:], strict=True)
        }
        row = known.get(_digest(node, {**given, variable.name: values[0]}, sizes) or "")
        if row is not None:
            names = [name for name in row.shapes if name != row.wrt]
            users = (transpose(own) if turned else own for own, turned in places)
            return row, dict(zip(names, users, strict=True))
    return None


def _places(constants: Sequence[Leaf]) -> Iterator[list[tuple[Leaf, bool]]]:
    """Every order of the constants, matrices turned or not."""
    for order in permutations(constants):
        for turns in _turns(order):
            yield list(zip(order, turns, strict=True))


def _turns(constants: Sequence[Leaf]) -> Iterator[tuple[bool, ...]]:
    if not constants:
        yield ()
        return
    for rest in _turns(constants[1:]):
        yield (False, *rest)
        if len(constants[0].shape) == 2 and not constants[0].symmetric:
            yield (True, *rest)


def _letters(symbols: Sequence[Leaf], places: Sequence[tuple[Leaf, bool]]) -> list[str]:
    """The size letters in the order in which they come up."""
    shapes = [symbols[0].shape, *(own.shape[::-1] if turned else own.shape for own, turned in places)]
    return [str(size) for size in dict.fromkeys(size for shape in shapes for size in shape)]


def _numbered(shapes: Sequence[Sequence[object]]) -> Shapes | None:
    """What the shapes have in common with others; None where a size is a number."""
    known: dict[object, int] = {}
    if any(not isinstance(size, str) for shape in shapes for size in shape):
        return None
    return tuple(tuple(known.setdefault(size, len(known)) for size in shape) for shape in shapes)


def _known(kind: Kind) -> Mapping[Shapes, Mapping[str, Identity]]:
    """The rows of this kind by the shapes of their symbols and the digest of their value."""
    rows = rows_of(kind)
    done, known = _digests.get(kind, (0, {}))
    for row in rows[done:]:
        symbols = _symbols(row)
        shapes = _numbered([row.shapes[name] for name in symbols])
        if shapes is not None and not row.given:
            letters = dict.fromkeys(str(size) for name in symbols for size in row.shapes[name])
            sizes = dict(zip(letters, _NUMBERS, strict=False))
            digest = _digest(row.node, dict(zip(symbols, _values(shapes), strict=True)), sizes)
            if digest is not None:
                known.setdefault(shapes, {})[digest] = row
    _digests[kind] = len(rows), known
    return known


def forget() -> None:
    """Make all digests anew: a row has been taken out of the registry."""
    _digests.clear()


def _symbols(row: Identity) -> list[str]:
    return [row.wrt, *(name for name in row.shapes if name != row.wrt)]


@cache
def _values(shapes: Shapes) -> tuple[Tensor, ...]:
    """Tensors between 0.2 and 0.9, square matrices with a large diagonal: most functions are defined there."""
    generator = torch.Generator().manual_seed(5)
    values = []
    for shape in shapes:
        sizes = [_NUMBERS[k] for k in shape]
        value = torch.rand(sizes, generator=generator, dtype=torch.float64) * 0.7 + 0.2
        if len(sizes) == 2 and sizes[0] == sizes[1]:
            value = value / sizes[0] + torch.eye(sizes[0], dtype=torch.float64)
        values.append(value)
    return tuple(values)


def _digest(node: Node, values: Mapping[str, Tensor], sizes: Mapping[str, int]) -> str | None:
    """The value in few digits; None where there is none."""
    try:
        value = evaluate(node, values, sizes)
    except (RuntimeError, IndexError, KeyError):
        return None
    if not bool(value.isfinite().all()):
        return None
    return f"{list(value.shape)} " + " ".join(f"{v:.{DIGITS}e}" for v in value.reshape(-1).tolist())
