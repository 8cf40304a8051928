"""Rows that rearrange axes, and that put tensors side by side."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from torch import Tensor

from ..expr import Leaf, basis, selection
from ..lengths import Size
from ..lengths import plus as size_plus
from .indexing import getitem
from .table import (
    NotTraced,
    Sizes,
    SplitLeaf,
    Traced,
    consecutive,
    contract,
    filled,
    in_order,
    plus,
    row,
    split,
    spread,
    together,
    traced,
    transposed,
    vector,
)


def reordered(a: Traced, order: Iterable[int]) -> Traced:
    """The axes in another order."""
    return Traced(a.node, tuple(a.axes[k] for k in order))


@row("t", Tensor.T.__get__, "adjoint")  # type: ignore[attr-defined]
def _t(_: Sizes, a: Traced) -> Traced:
    return reordered(a, reversed(range(len(a.axes))))


@row(Tensor.mT.__get__, Tensor.mH.__get__, Tensor.H.__get__)  # type: ignore[attr-defined]
def _mt(_: Sizes, a: Traced) -> Traced:
    return transposed(a)


@row("transpose", "swapaxes", "swapdims")
def _transpose(_: Sizes, a: Traced, i: int, j: int) -> Traced:
    order = list(range(len(a.axes)))
    order[i], order[j] = order[j], order[i]
    return reordered(a, order)


def numbers(given: Sequence[Any]) -> Sequence[int]:
    """permute(a, 1, 0) and permute(a, (1, 0))"""
    return given[0] if len(given) == 1 and not isinstance(given[0], int) else given


@row("permute")
def _permute(_: Sizes, a: Traced, *shape: Any, dims: Any = None) -> Traced:
    return reordered(a, numbers(shape) if dims is None else dims)


@row("movedim", "moveaxis")
def _movedim(_: Sizes, a: Traced, source: Any, destination: Any) -> Traced:
    rank = len(a.axes)
    sources = [d % rank for d in ([source] if isinstance(source, int) else source)]
    targets = [d % rank for d in ([destination] if isinstance(destination, int) else destination)]
    rest = iter(k for k in range(rank) if k not in sources)
    return reordered(a, [sources[targets.index(k)] if k in targets else next(rest) for k in range(rank)])


@row("unsqueeze")
def _unsqueeze(_: Sizes, a: Traced, dim: int) -> Traced:
    at = dim % (len(a.axes) + 1)
    return Traced(a.node, (*a.axes[:at], (), *a.axes[at:]))


@row("squeeze")
def _squeeze(_: Sizes, a: Traced, dim: Any = None) -> Traced:
    dims = range(len(a.axes)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {d % len(a.axes) for d in dims} if a.axes else set()
    return Traced(a.node, tuple(g for k, g in enumerate(a.axes) if g or k not in gone))


@row("atleast_1d")
def _atleast_1d(_: Sizes, a: Traced) -> Traced:
    return a if a.axes else Traced(a.node, ((),))


@row("atleast_2d")
def _atleast_2d(_: Sizes, a: Traced) -> Traced:
    return at_least_2d(a)


def at_least_2d(a: Traced) -> Traced:
    """With axes of size 1 in front, where there are fewer than two."""
    return Traced(a.node, (*[()] * (2 - len(a.axes)), *a.axes))


# ---- reshaping ----------------------------------------------------------------------------------------------------


def reshape(sizes: Sizes, a: Traced, shape: Sequence[int]) -> Traced:
    """The axes dealt out anew; one that is longer than its place is cut in two."""
    wanted = list(shape)
    count = sizes.count(a.node.shape)
    if -1 in wanted:
        wanted[wanted.index(-1)] = count // -math.prod(wanted)
    a = in_order(a)
    groups: list[tuple[int, ...]] = []
    at = 0
    for length in wanted:
        start, inside = at, 1
        while inside < length and at < len(a.node.shape):
            inside *= sizes.number(a.node.shape[at])
            at += 1
        if inside > length:
            before = inside // sizes.number(a.node.shape[at - 1])
            a = _cut(sizes, a, at - 1, length // before, wanted)
        groups.append(tuple(range(start, at)))
    return Traced(a.node, tuple(groups))


def _cut(sizes: Sizes, a: Traced, axis: int, first: int, wanted: Sequence[int]) -> Traced:
    """One axis of the node as two, the first of this length: a variable gets axes of its own, others a selector."""
    if isinstance(a.node, Leaf) and len(a.node.shape) == 1 and a.node.name not in sizes.whole:
        raise SplitLeaf(a.node.name, tuple(map(sizes.symbol, wanted)))
    rest, left = divmod(sizes.number(a.node.shape[axis]), first)
    if left or first < 2:
        raise NotTraced("a reshape that cuts through these axes is not traced")
    return in_order(split(vector(a.node), axis, (sizes.symbol(first), sizes.symbol(rest))))


@row("reshape", "view")
def _reshape(sizes: Sizes, a: Traced, *given: Any, shape: Any = None, size: Any = None) -> Traced:
    return reshape(sizes, a, numbers(given) if given else shape or size)


@row("reshape_as", "view_as")
def _reshape_as(sizes: Sizes, a: Traced, other: Traced) -> Traced:
    return reshape(sizes, a, [sizes.count(group) for group in other.groups])


@row("flatten")
def _flatten(_: Sizes, a: Traced, start_dim: int = 0, end_dim: int = -1) -> Traced:
    return flattened(a, start_dim, end_dim)


def flattened(a: Traced, start: int = 0, end: int = -1) -> Traced:
    """Some axes as one."""
    if not a.axes:
        return Traced(a.node, ((),))
    first, last = start % len(a.axes), end % len(a.axes)
    merged = tuple(axis for group in a.axes[first : last + 1] for axis in group)
    return Traced(a.node, (*a.axes[:first], merged, *a.axes[last + 1 :]))


@row("ravel")
def _ravel(_: Sizes, a: Traced) -> Traced:
    return flattened(a)


@row("unflatten")
def _unflatten(sizes: Sizes, a: Traced, dim: int, lengths: Sequence[int]) -> Traced:
    at = dim % len(a.axes)
    own = [sizes.count(group) for group in a.groups]
    inner = list(lengths)
    if -1 in inner:
        inner[inner.index(-1)] = own[at] // -math.prod(inner)
    return reshape(sizes, a, [*own[:at], *inner, *own[at + 1 :]])


# ---- stretching ---------------------------------------------------------------------------------------------------


def _stretched(sizes: Sizes, a: Traced, shape: Sequence[int]) -> Traced:
    groups = [sizes.group(n) for n in shape]
    for k in range(len(a.axes)):
        at = k - len(a.axes)
        groups[at] = a.sizes(k) or groups[at]
    return spread(a, groups)


@row("expand")
def _expand(sizes: Sizes, a: Traced, *shape: Any, size: Any = None) -> Traced:
    return _stretched(sizes, a, numbers(shape) if size is None else size)


@row("broadcast_to")
def _broadcast_to(sizes: Sizes, a: Traced, size: Sequence[int]) -> Traced:
    return _stretched(sizes, a, size)


@row("broadcast_tensors")
def _broadcast_tensors(_: Sizes, *tensors: Any) -> list[Traced]:
    return together(*(tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Traced) else tensors))


@row("meshgrid")
def _meshgrid(_: Sizes, *tensors: Any, indexing: str = "ij") -> list[Traced]:
    parts = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Traced) else tensors
    rank = len(parts)
    order = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    wide = [Traced(t.node, tuple(t.axes[0] if t.axes and at == k else () for at in order)) for k, t in enumerate(parts)]
    return together(*wide)


@row("expand_as")
def _expand_as(_: Sizes, a: Traced, other: Traced) -> Traced:
    return spread(a, other.groups)


@row("repeat", "tile")
def _repeat(sizes: Sizes, a: Traced, *counts: Any, dims: Any = None) -> Traced:
    """Each axis with one of the copies before it, flattened together."""
    times_each = list(numbers(counts) if dims is None else dims)
    rank = max(len(times_each), len(a.axes))
    times_each = [1] * (rank - len(times_each)) + times_each
    groups = [()] * (rank - len(a.axes)) + a.groups
    whole = [(*sizes.group(n), *group) for n, group in zip(times_each, groups, strict=True)]
    names: list[Hashable] = [("own", k) for k in range(rank - len(a.axes), rank)]
    ones = filled(1, [sizes.group(n) for n in times_each] + groups)
    out: list[Hashable] = [*(("copy", k) for k in range(rank)), *(("own", k) for k in range(rank))]
    stretched = contract([(a, names), (ones, out)], [name for k in range(rank) for name in (("copy", k), ("own", k))])
    return Traced(stretched.node, consecutive(map(len, whole)))


@row("repeat_interleave")
def _repeat_interleave(sizes: Sizes, a: Traced, repeats: int, dim: int | None = None) -> Traced:
    if not isinstance(repeats, int):
        raise NotTraced("repeat_interleave is traced with one number of repeats")
    if dim is None:
        a, dim = flattened(a), 0
    at = dim % len(a.axes) + 1
    groups = [*a.groups[:at], sizes.group(repeats), *a.groups[at:]]
    wide = spread(Traced(a.node, (*a.axes[:at], (), *a.axes[at:])), groups)
    return flattened(wide, at - 1, at)


# ---- side by side -------------------------------------------------------------------------------------------------


@row("stack")
def _stack(sizes: Sizes, tensors: Sequence[Any], dim: int = 0) -> Traced:
    return stack(sizes, tensors, dim)


def stack(sizes: Sizes, tensors: Sequence[Any], dim: int = 0) -> Traced:
    """The tensors along a new axis."""
    parts = [traced(t) for t in tensors]
    at = dim % (len(parts[0].axes) + 1)
    if len(parts) == 1:
        return Traced(parts[0].node, (*parts[0].axes[:at], (), *parts[0].axes[at:]))
    names = list(range(len(parts[0].axes)))
    out: list[Hashable] = [*names[:at], "new", *names[at:]]
    count = sizes.symbol(len(parts))
    stacked = [contract([(t, names), (Traced(basis(count, k), ((0,),)), ["new"])], out) for k, t in enumerate(parts)]
    return plus([(1, t) for t in stacked])


@row("cat", "concat", "concatenate")
def _cat(sizes: Sizes, tensors: Sequence[Any], dim: int = 0, *, axis: int | None = None) -> Traced:
    return cat(sizes, [traced(t) for t in tensors], dim if axis is None else axis)


def cat(sizes: Sizes, parts: Sequence[Traced], dim: int) -> Traced:
    """The tensors one after the other along an axis: Σ Pᵀ A, P the rows of I where A goes."""
    if len(parts) == 1:
        return parts[0]
    at = dim % len(parts[0].axes)
    names: list[Hashable] = list(range(len(parts[0].axes)))
    lengths: list[Size] = []
    for part in parts:
        if len(part.axes[at]) > 1:
            raise NotTraced("a flattened axis is not traced here")
        lengths.append(part.sizes(at)[0] if part.axes[at] else 1)
    total: Size = 0
    starts: list[Size] = []
    for length in lengths:
        starts.append(total)
        total = sizes.known(size_plus(total, length))
    if all(length == 1 for length in lengths):
        total = sizes.symbol(len(lengths))
    placed = []
    for part, start, length in zip(parts, starts, lengths, strict=True):
        place = Traced(basis(total, start), ((), (0,))) if length == 1 else vector(selection(length, total, start))
        out = ["whole" if name == at else name for name in names]
        placed.append(contract([(part, names), (place, [at, "whole"])], out))
    return plus([(1, p) for p in placed])


@row("vstack", "row_stack")
def _vstack(sizes: Sizes, tensors: Sequence[Any]) -> Traced:
    return cat(sizes, [at_least_2d(traced(t)) for t in tensors], 0)


@row("hstack")
def _hstack(sizes: Sizes, tensors: Sequence[Any]) -> Traced:
    parts = [_atleast_1d(sizes, traced(t)) for t in tensors]
    return cat(sizes, parts, 1 if len(parts[0].axes) > 1 else 0)  # type: ignore[arg-type, union-attr]


@row("column_stack")
def _column_stack(sizes: Sizes, tensors: Sequence[Any]) -> Traced:
    parts = [traced(t) for t in tensors]
    return cat(sizes, [Traced(t.node, (*t.axes, ())) if len(t.axes) == 1 else t for t in parts], 1)


@row("roll")
def _roll(sizes: Sizes, a: Traced, shifts: int, dims: int | None = None) -> Traced:
    if not isinstance(shifts, int) or (dims is None and len(a.axes) != 1):
        raise NotTraced("torch.roll is traced along one axis")
    at = (0 if dims is None else dims) % len(a.axes)
    before = (slice(None),) * at
    pieces = [getitem(sizes, a, (*before, part)) for part in (slice(-shifts, None), slice(None, -shifts))]
    return cat(sizes, pieces, at) if shifts else a
