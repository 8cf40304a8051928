"""The values of a formula of one entry (entries.py) at all its indices, as it is read: an oracle for what is printed.

In: the notation, which letter runs along which axis, and tensors.  Out: the tensor of all entries.  Each letter has an
axis of its own, and pieces without letters are evaluated by their torch code.
Not known here: the expression that the formula was made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from .calling import float64
from .functions import code_of
from .lengths import Size, length, parts
from .matrix_functions import FUNCTIONS_OF_MATRICES
from .notation import (
    Apply,
    At,
    Holds,
    Identity,
    Letter,
    Math,
    Num,
    Over,
    Plus,
    Pow,
    Quotient,
    SumOver,
    Symbol,
    Times,
    rank,
)

MOST = 4_000_000  # entries of an intermediate result

Ranges = Mapping[str, int]  # how far each letter counts, from 1


def entry_values(
    math: Math,
    letters: Sequence[str],
    shape: Sequence[Size],
    sizes: Mapping[str, int],
    leaves: Mapping[str, Tensor],
    plain: Callable[[Math], Tensor],
) -> Tensor:
    """The tensor of this shape with the formula's entries, an axis for each of the letters; ValueError if it is too large.

    `leaves` have the axes of their symbols; `plain` evaluates what is written without indices.

    >>> x = torch.tensor([3.0, 5.0])
    >>> entry_values(At(Symbol("x", ("n",)), ("i",)), "ij", ("n", 3), {"n": 2}, {"x": x}, lambda math: x)
    tensor([[3., 3., 3.],
            [5., 5., 5.]])
    """
    ranges = {letter: length(size, sizes) for letter, size in zip(letters, shape, strict=True)}
    with float64():
        found = _Reader(sizes, leaves, plain).value(math, ranges)
    return found.along(tuple(ranges)).expand(tuple(ranges.values()))


@dataclass(frozen=True)
class _Named:
    """A tensor with a letter for each axis; further axes, at the end, have none."""

    tensor: Tensor
    letters: tuple[str, ...] = ()

    def along(self, letters: Sequence[str]) -> Tensor:
        """The tensor with these axes, of size 1 where it had none; its letters are among them."""
        order = [self.letters.index(letter) for letter in letters if letter in self.letters]
        rest = range(len(self.letters), self.tensor.ndim)
        shape = [self.tensor.shape[self.letters.index(i)] if i in self.letters else 1 for i in letters]
        return self.tensor.permute([*order, *rest]).reshape([*shape, *(self.tensor.shape[axis] for axis in rest)])


def _together(values: Sequence[_Named]) -> tuple[list[Tensor], tuple[str, ...]]:
    """The tensors with the axes of all, and the letters."""
    letters = tuple(dict.fromkeys(letter for value in values for letter in value.letters))
    return [value.along(letters) for value in values], letters


class _Reader:
    def __init__(self, sizes: Mapping[str, int], leaves: Mapping[str, Tensor], plain: Callable[[Math], Tensor]) -> None:
        self.sizes, self.leaves, self.plain = sizes, leaves, plain

    def value(self, math: Math, ranges: Ranges) -> _Named:
        if prod(ranges.values()) > MOST:
            raise ValueError("a formula with too many entries")
        match math:
            case Num(value=value):
                return _Named(torch.tensor(float(value)))
            case Letter(letter=letter):
                return self.index(letter, ranges)
            case Plus() | Times() | Quotient() | Pow() | Apply() | Holds() if not rank(math):
                return self.arithmetic(math, ranges)
            case SumOver(indices=indices, sizes=sizes, of=of):
                inner = {**ranges, **{i: length(s, self.sizes) for i, s in zip(indices, sizes, strict=True)}}
                found = self.value(of, inner)
                axes = [found.letters.index(i) for i in indices if i in found.letters]
                missing = prod(inner[i] for i in indices if i not in found.letters)
                total = found.tensor.sum(axes) if axes else found.tensor
                return _Named(missing * total, tuple(i for i in found.letters if i not in indices))
            case At(of=Identity(), indices=(i, j)):
                (a, b), letters = _together([self.index(i, ranges), self.index(j, ranges)])
                return _Named((a == b).double(), letters)
            case At(of=of, indices=indices):
                return self.entries(self.whole(of, ranges), [self.index(i, ranges) for i in indices], ranges)
        return self.whole(math, ranges)

    def index(self, size: Size, ranges: Ranges) -> _Named:
        """i + 1, n: whole numbers along the letters that count."""
        letters, number = parts(size)
        terms = [
            _Named(times * torch.arange(1.0, ranges[i] + 1), (i,))
            if i in ranges
            else _Named(torch.tensor(float(times * self.sizes[i])))
            for i, times in letters
        ]
        tensors, own = _together(terms)
        return _Named(sum(tensors, torch.tensor(float(number))), own)

    def arithmetic(self, math: Math, ranges: Ranges) -> _Named:
        match math:
            case Pow(base=base, exponent=p):
                found = self.value(base, ranges)
                return _Named(found.tensor ** float(p), found.letters)
            case Quotient(top=top, bottom=bottom):
                (a, b), letters = _together([self.value(top, ranges), self.value(bottom, ranges)])
                return _Named(a / b, letters)
            case Holds(left=left, relation=relation, right=right):
                (a, b), letters = _together([self.value(left, ranges), self.value(right, ranges)])
                label = isinstance(right, Symbol | At | Over)  # these count from 0
                held = {"=": a == b + label, "<": a < b, "≤": a <= b}[relation]
                return _Named(held.double(), letters)
            case Plus(parts=own) | Times(parts=own) | Apply(args=own):
                tensors, letters = _together([self.value(part, ranges) for part in own])
                if isinstance(math, Apply):
                    return _Named(_called(lambda names: code_of(math.function, names), tensors), letters)
                total = tensors[0]
                for tensor in tensors[1:]:
                    total = total + tensor if isinstance(math, Plus) else total * tensor
                return _Named(total, letters)
        raise TypeError(type(math).__name__)

    def whole(self, math: Math, ranges: Ranges) -> _Named:
        """What an index is put on: a tensor; a function along a letter."""
        if isinstance(math, Symbol):
            return _Named(self.leaves[math.name])
        if not isinstance(math, Over):
            return _Named(self.plain(math))
        inner = {**ranges, math.index: length(math.size, self.sizes)}
        tensors, letters = _together([*(self.value(a, inner) for a in math.args), self.index(math.index, inner)])
        outer = tuple(letter for letter in letters if letter != math.index)
        width = inner[math.index]
        named = [_Named(t, letters).along((*outer, math.index)) for t in tensors[:-1]]
        args = [t.expand(*t.shape[:-1], width) for t in named]
        template = FUNCTIONS_OF_MATRICES[math.function].torch
        return _Named(_called(lambda names: template.format(*names), args), outer)

    def entries(self, whole: _Named, at: Sequence[_Named], ranges: Ranges) -> _Named:
        """The entries at these indices, counted from 1."""
        counters = [self.index(letter, ranges) for letter in whole.letters]
        tensors, letters = _together([*counters, *at])
        tensor = whole.tensor.expand(
            *(ranges[letter] for letter in whole.letters), *whole.tensor.shape[len(counters) :]
        )
        return _Named(tensor[tuple(t.long() - 1 for t in tensors)], letters)


def _called(code: Callable[[list[str]], str], tensors: Sequence[Tensor]) -> Tensor:
    """The function's own torch code, run on the values."""
    names = [f"_{k}" for k in range(len(tensors))]
    value: Tensor = eval(code(names), {"torch": torch, "F": F}, dict(zip(names, tensors, strict=True)))
    return value
