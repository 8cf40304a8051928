"""Rows for products and distances: every bilinear call is one line of contract."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from .indexing import getitem
from .reductions import vector_norm
from .shaping import stack
from .table import (
    Names,
    NotTraced,
    Sizes,
    Traced,
    applied,
    contract,
    matmul,
    minus,
    plus,
    raised,
    row,
    summed,
    times,
    traced,
)


@row("mul", "multiply", Tensor.__mul__, Tensor.__rmul__, Tensor.__imul__)
def _mul(_: Sizes, a: Any, b: Any) -> Traced:
    return times(traced(a), traced(b))


@row("matmul", "mm", "mv", "bmm", Tensor.__matmul__, torch.linalg.matmul)
def _matmul(_: Sizes, a: Traced, b: Traced) -> Traced:
    return matmul(a, b)


@row(Tensor.__rmatmul__)
def _rmatmul(_: Sizes, a: Traced, b: Traced) -> Traced:
    return matmul(b, a)


@row(torch.linalg.multi_dot)
def _multi_dot(_: Sizes, tensors: Sequence[Traced]) -> Traced:
    return reduce(matmul, tensors)


@row("chain_matmul")
def _chain_matmul(_: Sizes, *tensors: Traced) -> Traced:
    return reduce(matmul, tensors)


@row("dot", "vdot", "inner")
def _inner(_: Sizes, a: Traced, b: Traced) -> Traced:
    """Σ over the last axes"""
    if not a.axes or not b.axes:
        return times(a, b)
    left, right = _apart("a", a, 1), _apart("b", b, 1)
    return contract([(a, [*left, "last"]), (b, [*right, "last"])], [*left, *right])


def _apart(letter: str, a: Traced, less: int = 0) -> list[Hashable]:
    """Names for the axes of one operand, without the last few."""
    return [(letter, k) for k in range(len(a.axes) - less)]


@row(torch.linalg.vecdot)
def _vecdot(_: Sizes, a: Traced, b: Traced, *, dim: int = -1) -> Traced:
    return summed(times(a, b), dim)


@row("outer", "ger")
def _outer(_: Sizes, a: Traced, b: Traced) -> Traced:
    return contract([(a, "i"), (b, "j")], "ij")


@row("tensordot")
def _tensordot(_: Sizes, a: Traced, b: Traced, dims: Any = 2) -> Traced:
    if isinstance(dims, int):
        dims = (range(len(a.axes) - dims, len(a.axes)), range(dims))
    left, right = _apart("a", a), _apart("b", b)
    for i, j in zip(*dims, strict=True):
        right[j] = left[i]
    free = [n for n in left if n not in right] + [n for n in right if n not in left]
    return contract([(a, left), (b, right)], free)


@row("bilinear")
def _bilinear(_: Sizes, input1: Traced, input2: Traced, weight: Traced, bias: Traced | None = None) -> Traced:
    """Σ_ij a_i W_kij b_j + c_k"""
    batch = range(len(input1.axes) - 1)
    mapped = contract([(input1, [*batch, "i"]), (weight, "kij"), (input2, [*batch, "j"])], [*batch, "k"])
    return mapped if bias is None else plus([(1, mapped), (1, bias)])


# ---- einsum -------------------------------------------------------------------------------------------------------


@row("einsum")
def _einsum(_: Sizes, subscripts: str, *operands: Any) -> Traced:
    """Letters are names of axes; `...` stands for those before, counted from the last."""
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = [(traced(o), text) for o, text in zip(operands, left.split(","), strict=True)]
    hidden = max((len(a.axes) - _letters(text) for a, text in terms if "..." in text), default=0)
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        right = "..." * ("..." in left) + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return contract([(a, _named(text, len(a.axes) - _letters(text))) for a, text in terms], _named(right, hidden))


def _letters(subscripts: str) -> int:
    return len(subscripts.replace("...", ""))


def _named(subscripts: str, hidden: int) -> Names:
    """The axes' names, with as many as are hidden in `...`."""
    before, dots, after = subscripts.partition("...")
    return [*before, *(range(-hidden, 0) if dots else ()), *after]


# ---- in space -----------------------------------------------------------------------------------------------------


def _cross(sizes: Sizes, a: Traced, b: Traced, dim: int) -> Traced:
    """a × b, entry k: a_i b_j - a_j b_i with i and j the next ones after k"""
    at = dim % len(a.axes)
    entries = [[getitem(sizes, v, (slice(None),) * at + (k,)) for k in range(3)] for v in (a, b)]
    pairs = [(entries[0][(k + 1) % 3], entries[1][(k + 2) % 3]) for k in range(3)]
    turned = [(entries[0][(k + 2) % 3], entries[1][(k + 1) % 3]) for k in range(3)]
    return stack(sizes, [minus(times(*p), times(*q)) for p, q in zip(pairs, turned, strict=True)], at)


@row(torch.linalg.cross)
def _linalg_cross(sizes: Sizes, a: Traced, b: Traced, *, dim: int = -1) -> Traced:
    return _cross(sizes, a, b, dim)


@row("cross")
def _first_cross(sizes: Sizes, a: Traced, b: Traced, dim: int | None = None) -> Traced:
    """Along the first axis of size 3, where none is named."""
    lengths = [sizes.count(group) for group in a.groups]
    return _cross(sizes, a, b, lengths.index(3) if dim is None else dim)


def distance(a: Traced, b: Traced, p: float, dim: Any = None) -> Traced:
    """‖a - b‖_p along axes; of rows of one tensor, some of which are equal, torch's slope there is 0."""
    if p == 2 and a.node is b.node:
        return applied("root", summed(raised(minus(a, b), 2), dim))
    return vector_norm(minus(a, b), p, dim)


@row("dist")
def _dist(_: Sizes, a: Traced, b: Traced, p: float = 2) -> Traced:
    return distance(a, b, p)


@row("cdist")
def _cdist(_: Sizes, a: Traced, b: Traced, p: float = 2.0, compute_mode: str | None = None) -> Traced:
    """‖a_i - b_j‖_p for all pairs of rows"""
    if p == 0:
        raise NotTraced("torch.cdist with p=0 counts entries, which has no useful derivative")
    left = Traced(a.node, (*a.axes[:-1], (), a.axes[-1]))
    right = Traced(b.node, (*b.axes[:-2], (), *b.axes[-2:]))
    return distance(left, right, p, -1)
