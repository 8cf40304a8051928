"""What the rows of the table are made of: traced tensors, and `contract`, the einsum of tensor axes.

A row takes the arguments that torch takes, with a `Traced` for every tensor, and gives a `Traced` (or several; None for
an output that has no expression).  Most are one line of the operations below.  Where a call's form is not covered the
row raises NotTraced with a sentence; any argument it does not know raises TypeError, which the trace reports in the
same way.  Truth values are 1 and 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from inspect import signature
from itertools import product as cartesian
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import functions
from ..expr import Node, add, basis, multiply, number, permute, power, product, selection, size_of
from ..lengths import Size, length
from ..lengths import plus as plus_size
from ..matrix_functions import of

NEAR = 1  # how far from a size a number is taken for n-1 or n+1; sizes of a trace are further apart
FEW = 4  # numbers up to this are literals; sizes of a trace are larger

Axes = tuple[tuple[int, ...], ...]
Names = Sequence[Hashable]
Group = tuple[Size, ...]


class NotTraced(Exception):
    """Why a call has no expression, in words for the user."""


class SplitLeaf(BaseException):
    """A variable is reshaped: the trace starts anew with these axes for it.  Not for users' `except Exception`."""

    def __init__(self, name: str, axes: Group) -> None:
        self.name, self.axes = name, axes


@dataclass(frozen=True)
class Traced:
    """A tensor's expression: tensor axis k is made of the node's axes `axes[k]` (none: size 1; several: flattened)."""

    node: Node
    axes: Axes

    def sizes(self, k: int) -> Group:
        """What tensor axis k is made of."""
        return tuple(self.node.shape[a] for a in self.axes[k])

    @property
    def groups(self) -> list[Group]:
        """What each tensor axis is made of."""
        return [self.sizes(k) for k in range(len(self.axes))]


class Sizes:
    """Which number stands for which size letter in this run."""

    def __init__(self, of: Mapping[str, int], whole: Iterable[str] = (), near: bool = False) -> None:
        self.of = of
        self.near = near  # whether 5 is taken for n-1 where n is 6
        self.whole = frozenset(whole)  # variables whose axes stay as they are
        self.names: dict[int, Size] = {value: letter for letter, value in of.items()}
        self.truths: set[Node] = set()  # tensors of truth values, which a mask of numbers looks like

    def symbol(self, value: int) -> Size:
        """The letter whose size is this number here, or one that is near or occurred (n-1), else the number."""
        if value not in self.names:
            if not self.near:
                return value
            near = [plus_size(letter, value - own) for letter, own in self.of.items() if abs(value - own) <= NEAR]
            return near[0] if len(near) == 1 and value > FEW else value
        return self.names[value]

    def known(self, size: Size) -> Size:
        """The size, which from now on stands for its number, if that has no letter."""
        if isinstance(size, str):
            self.names.setdefault(self.number(size), size)
        return size

    def group(self, value: int) -> Group:
        """A tensor axis of this length: nothing for size 1."""
        return () if value == 1 else (self.symbol(value),)

    def number(self, size: Size) -> int:
        """A size as a number."""
        return length(size, self.of)

    def count(self, group: Group) -> int:
        """The length of a tensor axis."""
        return math.prod(map(self.number, group))


Row = Callable[..., "Traced | Iterable[Traced | None]"]
ROWS: dict[Any, Row] = {}
_PLACES: tuple[Any, ...] = (torch, Tensor, F, torch.special)


def row(*functions: Any) -> Callable[[Row], Row]:
    """Enter a row for these torch functions; a name stands for torch.name, Tensor.name, Tensor.name_, F.name, ….

    >>> torch.sin in ROWS or bool(row("sin")(lambda sizes, a: a))
    True
    """

    def enter(rule: Row) -> Row:
        for function in functions:
            if isinstance(function, str):
                ROWS.update(dict.fromkeys(_named(function), rule))
            else:
                ROWS[function] = rule
        return rule

    return enter


BY_PLACE = ({"input", "self", "a", "x1"}, {"other", "mat2", "vec", "vec2", "target", "exponent", "tensor2", "B", "x2"})
ALIASES = {"axis": "dim", "keepdims": "keepdim", "axes": "dim"}


def with_names(rule: Row, args: Sequence[Any], given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as the row takes them: input= and other= by place, numpy's axis= as dim=, no None.

    torch's own wrappers pass every default on, as None.
    """
    own, named = list(args), {k: v for k, v in given.items() if v is not None}
    known = _parameters(rule)
    for place, names in enumerate(BY_PLACE):
        found = next((name for name in names if name in named and name not in known), None)
        if found and len(own) == place:
            own.append(named.pop(found))
    return own, {k if k in known else ALIASES.get(k, k): v for k, v in named.items()}


@cache
def _parameters(rule: Row) -> Mapping[str, Any]:
    """What a row takes, by name; asking takes longer than most rows."""
    return signature(rule).parameters


def _named(name: str) -> Iterable[Any]:
    """Every torch function of this name, and its in-place twin."""
    for place in _PLACES:
        for own in (name, f"{name}_") if place in (torch, Tensor, F) else (name,):
            if callable(found := getattr(place, own, None)):
                yield found


# ---- contraction: every bilinear call is one line of it -----------------------------------------------------------


def contract(operands: Sequence[tuple[Traced, Names]], out: Names) -> Traced:
    """The einsum of tensors whose axes have these names; axes of size 1 stretch."""
    widths: dict[Hashable, Group] = {}
    for own, names in operands:
        for k, name in enumerate(names):
            widths[name] = max(widths.get(name, ()), own.sizes(k), key=len)
    operands = [(_regrouped(own, [widths[name] for name in names]), names) for own, names in operands]
    labels: dict[Hashable, tuple[int, ...]] = {}
    for name, width in widths.items():
        start = sum(map(len, labels.values()))
        labels[name] = tuple(range(start, start + len(width)))
    factors = []
    for own, names in operands:
        at = [0] * len(own.node.shape)
        for name, group in zip(names, own.axes, strict=True):
            if group:
                for axis, label in zip(group, labels[name], strict=True):
                    at[axis] = label
        factors.append((own.node, at))
    shape = [size for name in out for size in widths.get(name, ())]
    node = product(factors, shape, [label for name in out for label in labels.get(name, ())])
    return Traced(node, consecutive(len(widths.get(name, ())) for name in out))


def _regrouped(a: Traced, widths: Sequence[Group]) -> Traced:
    """The tensor with its axes made of axes of these sizes: one of size 6 split to 2·3, to meet a flattened one."""
    for k, width in enumerate(widths):
        found = a.sizes(k)
        if found and found != width:
            if len(found) != 1:
                raise NotTraced(f"an axis of size {_shown(found)} meets one of size {_shown(width)}")
            a = split(a, k, width)
    return a


def split(a: Traced, at: int, width: Group) -> Traced:
    """One axis written as several: a_ij = Σ_l U_ijl a_l, where U is I with its rows numbered anew."""
    (axis,) = a.axes[at]
    whole = a.node.shape[axis]
    run = next((k for k, size in enumerate(width) if isinstance(size, str)), len(width) - 1)
    fixed = [size for k, size in enumerate(width) if k != run]
    strides: list[Size] = [1]
    for size in reversed(width):  # in steps of the axes after it; only one of all sizes may be a letter
        step = strides[0]
        strides.insert(0, plus_size(0, size, step) if isinstance(step, int) else plus_size(0, step, int(size)))
    if strides[0] != whole or not all(isinstance(size, int) for size in fixed) or not isinstance(strides[run + 1], int):
        raise NotTraced(f"an axis of size {whole} meets one of size {_shown(width)}")
    terms = []
    for places in cartesian(*(range(int(size)) for size in fixed)):
        start: Size = 0
        position = iter(places)
        units = []
        for k, size in enumerate(width):
            if k != run:
                at_k = next(position)
                start = plus_size(start, strides[k + 1], at_k)
                units.append((basis(size, at_k), (k,)))
        rows = selection(width[run], whole, start, int(strides[run + 1]))
        terms.append((1, product([*units, (rows, (run, len(width)))], (*width, whole), range(len(width) + 1))))
    selector = add(terms, (*width, whole))
    names: list[Hashable] = [k if k != at else "whole" for k in range(len(a.axes))]
    parts = [("part", k) for k in range(len(width))]
    out = [name for own in names for name in (parts if own == "whole" else [own])]
    split = contract([(a, names), (vector(selector), [*parts, "whole"])], out)
    return Traced(split.node, consecutive(len(width) if k == at else len(group) for k, group in enumerate(a.axes)))


def _shown(group: Group) -> str:
    return "·".join(map(str, group))


def consecutive(lengths: Iterable[int]) -> Axes:
    """Node axes dealt out in order: lengths 1, 0, 2 give ((0,), (), (1, 2))."""
    groups, start = [], 0
    for count in lengths:
        groups.append(tuple(range(start, start + count)))
        start += count
    return tuple(groups)


def traced(value: Any) -> Traced:
    """A number as a traced scalar; a traced tensor as it is."""
    if isinstance(value, Traced):
        return value
    if hasattr(value, "item"):  # a numpy number
        value = value.item()
    if not isinstance(value, int | float):
        raise NotTraced(f"a {type(value).__name__} among the operands is not traced")
    if math.isnan(value):
        raise NotTraced("the number nan is not traced")
    return Traced(number(value), ())


def vector(node: Node) -> Traced:
    """A node with one axis as a 1-D tensor, one with two as a matrix, …"""
    return Traced(node, consecutive([1] * len(node.shape)))


def filled(value: float, groups: Sequence[Group]) -> Traced:
    """The tensor of these axes whose entries are all the number."""
    return Traced(number(value, [s for group in groups for s in group]), consecutive(map(len, groups)))


def spread(a: Traced, groups: Sequence[Group]) -> Traced:
    """The tensor broadcast to axes of these sizes."""
    if a.groups == list(groups) and a.axes == consecutive(map(len, groups)):
        return a
    own = range(len(groups) - len(a.axes), len(groups))
    return contract([(a, own), (filled(1, groups), range(len(groups)))], range(len(groups)))


def together(*tensors: Traced) -> list[Traced]:
    """The tensors broadcast to the axes that they have together."""
    rank = max(len(t.axes) for t in tensors)
    groups: list[Group] = [()] * rank
    for t in tensors:
        for k in range(len(t.axes)):
            groups[k - len(t.axes)] = groups[k - len(t.axes)] or t.sizes(k)
    return [spread(t, groups) for t in tensors]


def times(a: Traced, b: Traced) -> Traced:
    """a ⊙ b, broadcast."""
    rank = max(len(a.axes), len(b.axes))
    left, right = range(rank - len(a.axes), rank), range(rank - len(b.axes), rank)
    return contract([(a, left), (b, right)], range(rank))


def plus(terms: Sequence[tuple[float | Fraction, Traced]]) -> Traced:
    """Σ c·t, broadcast."""
    parts = together(*(t for _, t in terms))
    node = add([(c, p.node) for (c, _), p in zip(terms, parts, strict=True)], parts[0].node.shape)
    return Traced(node, parts[0].axes)


def minus(a: Traced, b: Traced) -> Traced:
    """a - b, broadcast."""
    return plus([(1, a), (-1, b)])


def shifted(a: Traced, value: float) -> Traced:
    """a + value"""
    return plus([(1, a), (value, traced(1))]) if value else a


def raised(a: Traced, exponent: float | Fraction) -> Traced:
    """a ** exponent, entry by entry."""
    return Traced(power(a.node, exponent), a.axes)


def over(a: Traced, b: Traced) -> Traced:
    """a / b, broadcast."""
    return times(a, raised(b, -1))


def applied(name: str, *arguments: Any) -> Traced:
    """A function of functions.py, entry by entry, its arguments broadcast."""
    parts = together(*map(traced, arguments))
    return Traced(functions.of(name, *(p.node for p in parts)), parts[0].axes)


def where(condition: Any, a: Any, b: Any) -> Traced:
    """a where the condition is 1, b where it is 0."""
    return applied("where", condition, a, b)


# ---- along axes ---------------------------------------------------------------------------------------------------


def dims_of(a: Traced, dim: Any) -> list[int]:
    """Tensor axes named by a `dim` argument, counted from the first; None is all."""
    rank = len(a.axes)
    chosen = range(rank) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    return [d % rank for d in chosen] if rank else []


def summed(a: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    """The sum along axes."""
    gone, rank = set(dims_of(a, dim)), len(a.axes)
    out = [("kept", k) if k in gone else k for k in range(rank) if keepdim or k not in gone]
    return contract([(a, range(rank))], out)


def count_along(a: Traced, dim: Any = None) -> Node:
    """How many entries the axes have, as a scalar expression of the sizes."""
    counts = [size_of(s) for d in dims_of(a, dim) for s in a.sizes(d)]
    return multiply(*counts) if counts else number(1)


def mean(a: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    """The mean along axes."""
    return times(summed(a, dim, keepdim), Traced(power(count_along(a, dim), -1), ()))


def reduced(name: str, a: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    """A function of matrix_functions.py that takes a vector to a number, along axes one after the other."""
    gone = dims_of(a, dim)
    node, order = a.node, list(range(len(a.node.shape)))
    for axis in (axis for d in gone for axis in a.axes[d]):
        at = order.index(axis)
        node = of(name, permute(node, [*(k for k in range(len(order)) if k != at), at]))
        order.remove(axis)
    kept = [() if k in gone else group for k, group in enumerate(a.axes) if keepdim or k not in gone]
    return Traced(node, tuple(tuple(order.index(axis) for axis in group) for group in kept))


def along(name: str, a: Traced, dim: int) -> Traced:
    """A function of matrix_functions.py that takes a vector to a vector, along one axis."""
    (axis, *others) = a.axes[dim % len(a.axes)] if a.axes and a.axes[dim % len(a.axes)] else (None,)
    if axis is None or others:
        raise NotTraced("along an axis of size 1, or a flattened one, it is not traced")
    rank = len(a.node.shape)
    there = [*(k for k in range(rank) if k != axis), axis]
    node = of(name, permute(a.node, there))
    return Traced(permute(node, [there.index(k) for k in range(rank)]), a.axes)


def on_matrices(name: str, *arguments: Traced, gives: int = 2) -> Traced:
    """A function of matrix_functions.py on the last two axes; `gives` says how many it leaves."""
    parts = [as_matrices(a) for a in arguments]
    batch, core = parts[0].axes[:-2], parts[0].axes[-2:]
    node = of(name, *(p.node for p in parts))
    lengths = [*map(len, batch), *map(len, core[:gives])]
    return Traced(node, consecutive(lengths))


def as_matrices(a: Traced) -> Traced:
    """The tensor with its node's axes in order; each of the last two must be one axis."""
    if len(a.axes) < 2 or any(len(group) != 1 for group in a.axes[-2:]):
        raise NotTraced("a matrix with an axis of size 1, or a flattened one, is not traced here")
    return in_order(a)


def in_order(a: Traced) -> Traced:
    """The same tensor, the node's axes in the order of the tensor's."""
    node = permute(a.node, [axis for group in a.axes for axis in group])
    return Traced(node, consecutive(map(len, a.axes)))


def transposed(a: Traced) -> Traced:
    """The last two axes exchanged."""
    return Traced(a.node, (*a.axes[:-2], a.axes[-1], a.axes[-2]))


def matmul(a: Traced, b: Traced) -> Traced:
    """torch.matmul: vectors, matrices, batches."""
    left = [*range(-len(a.axes), -2), "i", "j"] if len(a.axes) > 1 else ["j"]
    right = [*range(-len(b.axes), -2), "j", "k"] if len(b.axes) > 1 else ["j"]
    batch = range(-max(len(a.axes), len(b.axes), 2), -2)
    return contract([(a, left), (b, right)], [*batch, *(name for name in ("i", "k") if name in (*left, *right))])


def scalar_number(value: float | Fraction) -> Fraction | float:
    """A whole number as a fraction, for exact division."""
    return Fraction(value) if isinstance(value, int) else value
