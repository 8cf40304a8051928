"""Rows for what a constant matrix does to an axis: reversals, running sums, differences, triangles, diagonals, blocks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ..expr import delta, permute, selection, triangle
from ..lengths import Size
from ..lengths import plus as size_plus
from .indexing import getitem
from .shaping import at_least_2d, cat, flattened, numbers, reordered, stack
from .table import (
    NotTraced,
    Sizes,
    Traced,
    contract,
    filled,
    minus,
    row,
    times,
    traced,
    vector,
    where,
)

# ---- constant matrices that act on one axis -----------------------------------------------------------------------


def _acted(a: Traced, dim: int, matrix: Traced) -> Traced:
    """Σ_j M_ij a_j along one axis."""
    names: list[Hashable] = list(range(len(a.axes)))
    at = dim % len(a.axes)
    return contract([(matrix, ["new", at]), (a, names)], ["new" if n == at else n for n in names])


def _length(a: Traced, dim: int) -> Size:
    sizes = a.sizes(dim)
    if len(sizes) != 1:
        raise NotTraced("along an axis of size 1, or a flattened one, it is not traced")
    return sizes[0]


def flipped(a: Traced, dims: Iterable[int]) -> Traced:
    """The entries along some axes in reverse order."""
    for dim in dims:
        size = _length(a, dim)
        a = _acted(a, dim, vector(selection(size, size, size_plus(size, -1), -1)))
    return a


@row("flip")
def _flip(_: Sizes, a: Traced, *shape: Any, dims: Any = None) -> Traced:
    return flipped(a, [dims] if isinstance(dims, int) else numbers(shape) if dims is None else dims)


@row("flipud")
def _flipud(_: Sizes, a: Traced) -> Traced:
    return flipped(a, [0])


@row("fliplr")
def _fliplr(_: Sizes, a: Traced) -> Traced:
    return flipped(a, [1])


@row("cumsum")
def _cumsum(_: Sizes, a: Traced, dim: int, *, dtype: Any = None) -> Traced:
    size = _length(a, dim)
    return _acted(a, dim, vector(permute(triangle(size, size, 0), (1, 0))))


@row("diff")
def _diff(sizes: Sizes, a: Traced, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Traced:
    if prepend is not None or append is not None:
        a = cat(sizes, [t for t in (prepend, a, append) if t is not None], dim)
    for _ in range(n):
        before = (slice(None),) * (dim % len(a.axes))
        later, earlier = (getitem(sizes, a, (*before, part)) for part in (slice(1, None), slice(None, -1)))
        a = minus(later, earlier)
    return a


def _masked(a: Traced, offset: int, upper: bool) -> Traced:
    rows, columns = _length(a, -2), _length(a, -1)
    mask = triangle(rows, columns, offset) if upper else permute(triangle(columns, rows, -offset), (1, 0))
    return times(a, vector(mask))


@row("triu")
def _triu(_: Sizes, a: Traced, diagonal: int = 0) -> Traced:
    return _masked(a, diagonal, True)


@row("tril")
def _tril(_: Sizes, a: Traced, diagonal: int = 0) -> Traced:
    return _masked(a, diagonal, False)


# ---- diagonals ----------------------------------------------------------------------------------------------------


@row("trace")
def _trace(_: Sizes, a: Traced) -> Traced:
    return contract([(a, "ii")], "")


def _off_diagonal(sizes: Sizes, a: Traced, offset: int) -> tuple[Size, Traced, Traced]:
    """How long a diagonal is, and which rows and columns it goes through."""
    rows, columns = _length(a, -2), _length(a, -1)
    first, second = max(-offset, 0), max(offset, 0)
    counts = (size_plus(rows, -first), size_plus(columns, -second))
    count = sizes.known(min(counts, key=sizes.number))
    return count, vector(selection(count, rows, first)), vector(selection(count, columns, second))


@row("diagonal", torch.linalg.diagonal)
def _diagonal(sizes: Sizes, a: Traced, offset: int = 0, dim1: int | None = None, dim2: int | None = None) -> Traced:
    rank = len(a.axes)
    ends = ((0 if dim1 is None else dim1) % rank, (1 if dim2 is None else dim2) % rank)
    last = reordered(a, [*(k for k in range(rank) if k not in ends), *ends])
    names: list[Hashable] = list(range(rank - 2))
    if not offset and last.sizes(-2) == last.sizes(-1):
        return contract([(last, [*names, "i", "i"])], [*names, "i"])
    _count, rows, columns = _off_diagonal(sizes, last, offset)
    return contract([(last, [*names, "i", "j"]), (rows, ["k", "i"]), (columns, ["k", "j"])], [*names, "k"])


@row("diag_embed")
def _diag_embed(sizes: Sizes, a: Traced, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Traced:
    if (dim1, dim2) != (-2, -1):
        raise NotTraced("diag_embed is traced on the last two axes")
    names: list[Hashable] = list(range(len(a.axes)))
    size = _length(a, -1)
    if not offset:
        return contract([(a, names), (vector(delta(size)), [names[-1], "new"])], [*names, "new"])
    whole = sizes.known(size_plus(size, abs(offset)))
    rows, columns = (vector(selection(size, whole, max(at, 0))) for at in (-offset, offset))
    return contract([(a, names), (rows, [names[-1], "i"]), (columns, [names[-1], "j"])], [*names[:-1], "i", "j"])


@row("diag")
def _diag(sizes: Sizes, a: Traced, diagonal: int = 0) -> Traced:
    return (_diagonal if len(a.axes) == 2 else _diag_embed)(sizes, a, diagonal)  # type: ignore[return-value]


@row("diagflat")
def _diagflat(sizes: Sizes, a: Traced, offset: int = 0) -> Traced:
    return _diag_embed(sizes, flattened(a), offset)  # type: ignore[return-value]


@row("kron")
def _kron(_: Sizes, a: Traced, b: Traced) -> Traced:
    rank = max(len(a.axes), len(b.axes))
    left = [("a", k) for k in range(rank - len(a.axes), rank)]
    right = [("b", k) for k in range(rank - len(b.axes), rank)]
    whole = contract([(a, left), (b, right)], [name for k in range(rank) for name in (("a", k), ("b", k))])
    pairs = [whole.axes[2 * k] + whole.axes[2 * k + 1] for k in range(rank)]
    return Traced(whole.node, tuple(pairs))


@row("block_diag")
def _block_diag(sizes: Sizes, *tensors: Any) -> Traced:
    parts = [at_least_2d(traced(t)) for t in tensors]
    heights, widths = ([part.groups[at] for part in parts] for at in (0, 1))
    rows = []
    for k, part in enumerate(parts):
        blocks = [part if j == k else filled(0, [heights[k], widths[j]]) for j in range(len(parts))]
        rows.append(cat(sizes, blocks, 1))
    return cat(sizes, rows, 0)


@row("fill_diagonal")
def _fill_diagonal(_: Sizes, a: Traced, value: float, wrap: bool = False) -> Traced:
    return where(vector(delta(_length(a, -1))), value, a)


@row("rot90")
def _rot90(_: Sizes, a: Traced, k: int = 1, dims: Sequence[int] = (0, 1)) -> Traced:
    first, second = (d % len(a.axes) for d in dims)
    for _turn in range(k % 4):
        order = list(range(len(a.axes)))
        order[first], order[second] = order[second], order[first]
        a = flipped(reordered(a, order), [first])
    return a


@row("unfold")
def _unfold(sizes: Sizes, a: Traced, dimension: int, size: int, step: int) -> Traced:
    """Windows of an axis, each along a new last axis."""
    at = dimension % len(a.axes)
    count = sizes.count(a.sizes(at))
    before = (slice(None),) * at
    if step == 1:
        last = [None if k == size - 1 else k - size + 1 for k in range(size)]
    else:
        last = [k + (count - size) // step * step + 1 for k in range(size)]
    return stack(sizes, [getitem(sizes, a, (*before, slice(k, last[k], step))) for k in range(size)], len(a.axes))


@row(F.pad)
def _pad(sizes: Sizes, a: Traced, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Traced:
    """Zeros, or another number, before and after each of the last axes."""
    if mode != "constant":
        raise NotTraced(f"padding with mode={mode!r} is not traced")
    for k in range(len(pad) // 2):
        dim = len(a.axes) - 1 - k
        sides = [
            [filled(value or 0, [*a.groups[:dim], sizes.group(n), *a.groups[dim + 1 :]])] if n else []
            for n in pad[2 * k : 2 * k + 2]
        ]
        a = cat(sizes, [*sides[0], a, *sides[1]], dim)
    return a
