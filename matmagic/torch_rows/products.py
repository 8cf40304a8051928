"""Rows for products: every bilinear call is one line of contract."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor

from .table import (
    NotTraced,
    Sizes,
    Traced,
    contract,
    matmul,
    row,
    times,
    traced,
)


@row("matmul", Tensor.__matmul__, "mm", "mv", "bmm", torch.linalg.matmul)
def _matmul(_: Sizes, a: Traced, b: Traced) -> Traced:
    return matmul(a, b)


@row(Tensor.__rmatmul__)
def _rmatmul(_: Sizes, a: Traced, b: Traced) -> Traced:
    return matmul(b, a)


@row(torch.dot, Tensor.dot, torch.vdot, Tensor.vdot, torch.inner, Tensor.inner)
def _inner(_: Sizes, a: Traced, b: Traced) -> Traced:
    if not a.axes or not b.axes:
        return times(a, b)
    left = [*(("a", k) for k in range(len(a.axes) - 1)), "j"] if a.axes else []
    right = [*(("b", k) for k in range(len(b.axes) - 1)), "j"] if b.axes else []
    return contract([(a, left), (b, right)], [name for name in (*left, *right) if name != "j"])


@row(torch.outer, Tensor.outer, torch.ger, Tensor.ger)
def _outer(_: Sizes, a: Traced, b: Traced) -> Traced:
    return contract([(a, ["i"]), (b, ["j"])], ["i", "j"])


@row(
    torch.mul,
    Tensor.mul,
    Tensor.__mul__,
    Tensor.__rmul__,
    torch.multiply,
    Tensor.multiply,
    Tensor.mul_,
    Tensor.__imul__,
)
def _mul(_: Sizes, a: Any, b: Any) -> Traced:
    return times(traced(a), traced(b))


@row(torch.einsum)
def _einsum(_: Sizes, subscripts: str, *operands: Any) -> Traced:
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if not isinstance(subscripts, str) or "." in subscripts:
        raise NotTraced("torch.einsum is traced with letters only")
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    names = left.split(",")
    if not arrow:
        letters = "".join(names)
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return contract(list(zip(map(traced, operands), names, strict=True)), right)


@row(torch.tensordot)
def _tensordot(_: Sizes, a: Traced, b: Traced, dims: Any = 2) -> Traced:
    if isinstance(dims, int):
        dims = (range(len(a.axes) - dims, len(a.axes)), range(dims))
    left: list[Hashable] = [("a", k) for k in range(len(a.axes))]
    right: list[Hashable] = [("b", k) for k in range(len(b.axes))]
    for i, j in zip(*dims, strict=True):
        right[j] = left[i]
    free = [n for n in left if n not in right] + [n for n in right if n not in left]
    return contract([(a, left), (b, right)], free)
