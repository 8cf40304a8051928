"""Rows for indexing and slicing, reading and writing.

Every index is a product with a constant matrix: e_k for a whole number, rows of I for a slice, one-hot rows for a tensor
of whole numbers.  Writing to a part puts the difference back through the same matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..evaluate import evaluate
from ..expr import Node, Range, add, basis, entry, number, onehot, product, selection
from ..functions import number_in
from ..lengths import Size, affine
from ..lengths import parts as size_parts
from ..lengths import plus as size_plus
from ..walk import leaves, size_letters
from .table import Names, NotTraced, Row, Sizes, Traced, contract, in_order, minus, plus, row, traced, where

MOST_PAIRS = 40  # of row and column numbers that are written out
Operands = list[tuple[Traced, Names]]


@dataclass(frozen=True)
class Index:
    """An index brought to normal form: names of the tensor's axes, of the result's, and the selectors between them."""

    inside: Names
    selectors: Operands
    out: Names


def _items(a: Traced, index: Any) -> list[Any]:
    """One item for each axis, with None for new ones; `...` filled up."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    at = [p is Ellipsis for p in parts].index(True)
    taken = sum(p is not None and p is not Ellipsis for p in parts)
    parts[at : at + 1] = [slice(None)] * (len(a.axes) - taken)
    return parts


def _indexed(sizes: Sizes, a: Traced, items: Sequence[Any]) -> Index:
    """The selectors of an index.  Tensors among the items share the axes of their result, which stand at the first."""
    selectors: Operands = []
    out: list[Hashable] = []
    tensors = [_labels(item) for item in items if isinstance(item, Traced | list)]
    rank = max((len(t.axes) for t in tensors), default=0)
    inside: list[Hashable] = []
    for item in items:
        if item is None:
            out.append(("new", len(out)))
            continue
        axis = len(inside)
        inside.append(axis)
        if isinstance(item, slice):
            selector = _slice(sizes, a, axis, item)
            out.append(axis if selector is None else ("cut", axis))
            selectors += [] if selector is None else [(selector, [("cut", axis), axis])]
        elif isinstance(item, Traced | list):
            labels = _labels(item)
            names = [("at", k) for k in range(rank - len(labels.axes), rank)]
            selectors.append((one_hot(labels, _single(a, axis)), [*names, axis]))
            out += [("at", k) for k in range(rank) if ("at", k) not in out]
        elif isinstance(item, int) and not isinstance(item, bool):
            selectors += [(_unit(a, axis, item), [axis])] if a.axes[axis] else []
        else:
            raise NotTraced(f"indexing with a {type(item).__name__} is not traced")
    return Index(inside, selectors, out)


def _labels(item: Any) -> Traced:
    """A tensor of whole numbers; a list of them as one.  A list of one makes an axis of size 1."""
    if isinstance(item, Traced):
        return in_order(item)
    if len(item) == 1 and isinstance(item[0], int):
        return Traced(number(item[0]), ((),))
    if not all(isinstance(k, int) and k >= 0 for k in item):
        raise NotTraced("indexing with this list is not traced")
    terms = [(k, basis(len(item), position)) for position, k in enumerate(item)]
    return Traced(add(terms, (len(item),)), ((0,),))


def _single(a: Traced, axis: int) -> Size:
    """The size of a tensor axis that is one axis of the node."""
    sizes = a.sizes(axis)
    if len(sizes) != 1:
        raise NotTraced("indexing along an axis of size 1, or a flattened one, is not traced")
    return sizes[0]


def _unit(a: Traced, axis: int, position: int) -> Traced:
    """e_k for one position on an axis."""
    size = _single(a, axis)
    return Traced(basis(size, size_plus(size, position) if position < 0 else position), ((0,),))


def _slice(sizes: Sizes, a: Traced, axis: int, item: slice) -> Traced | None:
    """The rows of I that a slice takes; None for all of them."""
    if item == slice(None):
        return None
    size = _single(a, axis)
    start, stop, step = item.indices(sizes.number(size))
    count = len(range(start, stop, step))
    first = _end(sizes, size, item.start, start)
    if step != 1:
        return _rows(_multiple(sizes, size, count) or sizes.symbol(count), size, first, step)
    last = _end(sizes, size, item.stop, stop)
    return _rows(sizes.known(size_plus(last, first, -1)), size, first, 1) if count != 1 else _one(size, first)


def _one(size: Size, position: Size) -> Traced:
    """One row of I as a matrix with one row."""
    return Traced(basis(size, position), ((), (0,)))


def _rows(count: Size, size: Size, start: Size, step: int) -> Traced:
    node = selection(count, size, start, step)
    return Traced(node, ((0,), (1,)))


def _multiple(sizes: Sizes, size: Size, value: int) -> Size | None:
    """n or 2 n for a number that is n or 2 n here, on an axis of size 4 n, where plain numbers lead nowhere."""
    letters, rest = size_parts(size)
    if sizes.near and len(letters) == 1 and letters[0][1] > 1 and not rest:
        times, over = divmod(value, sizes.of[letters[0][0]])
        return affine({letters[0][0]: times}, 0) if times and not over else None
    return None


def _end(sizes: Sizes, size: Size, given: Any, found: int) -> Size:
    """Where a slice begins or ends: counted from the end if that is how it was given, or how a size would be."""
    if multiple := _multiple(sizes, size, found):
        return multiple
    if given is None:
        return 0 if found == 0 else size if found == sizes.number(size) else size_plus(size, found - sizes.number(size))
    if given < 0:
        return size_plus(size, given)
    return size if found == sizes.number(size) else found if isinstance(size, int) else sizes.symbol(found)


def one_hot(labels: Traced, classes: Size) -> Traced:
    """Rows of I for labels; all of I for 0 … n-1, and the rows themselves for constants."""
    node: Node = onehot(labels.node, classes)
    fixed = None if labels.node.shape else number_in(labels.node)
    if fixed is not None:
        node = basis(classes, size_plus(classes, int(fixed)) if fixed < 0 else int(fixed))
    elif isinstance(labels.node, Range):
        node = selection(labels.node.shape[0], classes, 0)
    elif len(labels.node.shape) == 1 and not leaves(labels.node) and not size_letters(labels.node):
        node = _chosen_rows(evaluate(labels.node, {}, {}).long().tolist(), classes)
    return Traced(node, (*labels.axes, (len(labels.node.shape),)))


def _chosen_rows(positions: Sequence[int], size: Size) -> Node:
    """Rows of I at these positions, in order."""
    count = len(positions)
    rows = [product([(basis(count, k), (0,)), (basis(size, at), (1,))], (count, size), (0, 1))
            for k, at in enumerate(positions)]  # fmt: skip
    return add([(1, row) for row in rows], (count, size))


def _indices(of: Callable[..., Tensor]) -> Row:
    """Row and column numbers of a triangle, which are constants where the sizes are fixed."""

    def rule(_: Sizes, row: int, col: int, offset: int = 0, **_more: Any) -> Traced:
        values = of(row, col, offset)
        count = values.shape[1]
        if count > MOST_PAIRS:
            raise NotTraced("the numbers of so large a triangle are traced as an index only")
        parts = [
            (int(values[i, k]), product([(basis(2, i), (0,)), (basis(count, k), (1,))], (2, count), (0, 1)))
            for i in range(2)
            for k in range(count)
        ]
        return Traced(add(parts, (2, count)), ((0,), (1,)))

    return rule


row(torch.triu_indices)(_indices(torch.triu_indices))
row(torch.tril_indices)(_indices(torch.tril_indices))


# ---- reading ------------------------------------------------------------------------------------------------------


def getitem(sizes: Sizes, a: Traced, index: Any) -> Traced:
    """a[index]"""
    items = _items(a, index)
    axis = 0
    for at, item in enumerate(items):  # whole numbers first: they can be taken inside sums and functions
        if isinstance(item, int) and not isinstance(item, bool):
            a = taken(a, axis, item)
            items[at] = "gone"
        elif item is not None:
            axis += 1
    items = [item for item in items if not isinstance(item, str)]
    found = _indexed(sizes, a, items)
    return contract([(a, found.inside), *found.selectors], found.out)


def taken(a: Traced, axis: int, position: int) -> Traced:
    """The tensor at one position of an axis, which goes."""
    rest = (*a.axes[:axis], *a.axes[axis + 1 :])
    if not a.axes[axis]:
        return Traced(a.node, rest)
    size = _single(a, axis)
    (gone,) = a.axes[axis]
    node = entry(a.node, gone, size_plus(size, position) if position < 0 else position)
    return Traced(node, tuple(tuple(k - (k > gone) for k in group) for group in rest))


@row(Tensor.__getitem__)
def _getitem(sizes: Sizes, a: Traced, index: Any) -> Traced:
    return getitem(sizes, a, index)


@row("select")
def _select(sizes: Sizes, a: Traced, dim: int, index: int) -> Traced:
    return getitem(sizes, a, (slice(None),) * (dim % len(a.axes)) + (index,))


@row("unbind", Tensor.__iter__)
def _unbind(sizes: Sizes, a: Traced, dim: int = 0) -> list[Traced]:
    return [taken(a, dim % len(a.axes), k) for k in range(sizes.count(a.sizes(dim)))]


def cut(sizes: Sizes, a: Traced, dim: int, start: int, stop: int | None) -> Traced:
    """A slice along one axis."""
    return getitem(sizes, a, (slice(None),) * (dim % len(a.axes)) + (slice(start, stop),))


@row("narrow")
def _narrow(sizes: Sizes, a: Traced, dim: int, start: int, length: int) -> Traced:
    return cut(sizes, a, dim, start, start + length)


def _pieces(sizes: Sizes, a: Traced, lengths: Sequence[int], dim: int) -> list[Traced]:
    starts = [sum(lengths[:k]) for k in range(len(lengths))]
    return [cut(sizes, a, dim, start, start + length) for start, length in zip(starts, lengths, strict=True)]


@row("split", "split_with_sizes")
def _split(sizes: Sizes, a: Traced, lengths: Any, dim: int = 0) -> list[Traced]:
    total = sizes.count(a.sizes(dim))
    if isinstance(lengths, int):
        lengths = [min(lengths, total - at) for at in range(0, total, lengths)]
    return _pieces(sizes, a, lengths, dim)


@row("chunk")
def _chunk(sizes: Sizes, a: Traced, chunks: int, dim: int = 0) -> list[Traced]:
    total = sizes.count(a.sizes(dim))
    return _split(sizes, a, -(-total // chunks), dim)  # type: ignore[return-value]


@row("tensor_split")
def _tensor_split(sizes: Sizes, a: Traced, parts: Any, dim: int = 0) -> list[Traced]:
    total = sizes.count(a.sizes(dim))
    if isinstance(parts, int):
        short, more = divmod(total, parts)
        return _pieces(sizes, a, [short + 1] * more + [short] * (parts - more), dim)
    cuts = [0, *parts, total]
    return _pieces(sizes, a, [b - c for b, c in zip(cuts[1:], cuts, strict=False)], dim)


# ---- by tensors of whole numbers ----------------------------------------------------------------------------------


def _gathered(a: Traced, dim: int, index: Traced) -> tuple[Traced, Names, Traced, Names, Names]:
    """What gather and scatter multiply: a and its names, the one-hot selector and its names, the result's names."""
    at = dim % len(a.axes)
    others = [k for k in range(len(a.axes)) if k != at]
    if len(index.axes) != len(a.axes) or any(index.sizes(k) != a.sizes(k) for k in others):
        raise NotTraced("the index must have the sizes of the tensor on all other axes")
    labels = in_order(index)
    out = ["at" if k == at else k for k in range(len(a.axes))]
    return a, range(len(a.axes)), one_hot(labels, _single(a, at)), [*out, at], out


@row("gather")
def _gather(_: Sizes, a: Traced, dim: int, index: Traced, *, sparse_grad: bool = False) -> Traced:
    own, names, selector, at, out = _gathered(a, dim, index)
    return contract([(own, names), (selector, at)], out)


@row("take_along_dim")
def _take_along_dim(_: Sizes, a: Traced, indices: Traced, dim: int) -> Traced:
    return _gather(_, a, dim, indices)  # type: ignore[return-value]


@row("scatter")
def _scatter(
    _: Sizes, a: Traced, dim: int, index: Traced, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Traced:
    own, names, selector, at, out = _gathered(a, dim, index)
    new = traced(src if value is None else value)
    if reduce is not None:
        raise NotTraced("scatter with reduce is not traced")
    change = minus(new, contract([(own, names), (selector, at)], out))
    return plus([(1, a), (1, contract([(change, out), (selector, at)], names))])


@row("scatter_add")
def _scatter_add(_: Sizes, a: Traced, dim: int, index: Traced, src: Traced) -> Traced:
    _own, names, selector, at, out = _gathered(a, dim, index)
    return plus([(1, a), (1, contract([(src, out), (selector, at)], names))])


@row("index_select")
def _index_select(sizes: Sizes, a: Traced, dim: int, index: Traced) -> Traced:
    return getitem(sizes, a, (slice(None),) * (dim % len(a.axes)) + (index,))


@row("index_add")
def _index_add(_: Sizes, a: Traced, dim: int, index: Traced, source: Traced, *, alpha: float = 1) -> Traced:
    names: list[Hashable] = list(range(len(a.axes)))
    selector = one_hot(in_order(index), _single(a, dim % len(a.axes)))
    at = ["at" if k == dim % len(a.axes) else k for k in names]
    return plus([(1, a), (alpha, contract([(source, at), (selector, ["at", dim % len(a.axes)])], names))])


@row(F.embedding)
def _embedding(
    sizes: Sizes, index: Traced, weight: Traced, padding_idx: Any = None, *_rest: Any, **_more: Any
) -> Traced:
    return getitem(sizes, weight, index)


@row(F.one_hot)
def _one_hot(sizes: Sizes, labels: Traced, num_classes: int = -1) -> Traced:
    if num_classes < 1:
        raise NotTraced("F.one_hot is traced with num_classes given")
    return one_hot(in_order(labels), sizes.symbol(num_classes))


# ---- writing ------------------------------------------------------------------------------------------------------


@row(Tensor.__setitem__)
def _setitem(sizes: Sizes, a: Traced, index: Any, value: Any) -> Traced:
    return written(sizes, a, index, value)


def written(sizes: Sizes, a: Traced, index: Any, value: Any) -> Traced:
    """The tensor after a[index] = value."""
    new = traced(value)
    if isinstance(index, Traced) and index.groups == a.groups:  # a mask
        return where(index, new, a)
    found = _indexed(sizes, a, _items(a, index))
    change = minus(new, getitem(sizes, a, index))
    if len(change.axes) != len(found.out):
        raise NotTraced("a value with more axes than its place is not traced")
    return plus([(1, a), (1, contract([(change, found.out), *found.selectors], found.inside))])


@row("masked_fill")
def _masked_fill(_: Sizes, a: Traced, mask: Traced, value: Any) -> Traced:
    return where(mask, value, a)
