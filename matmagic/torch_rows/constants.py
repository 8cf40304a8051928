"""Rows for tensors of constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..expr import delta, number
from .shaping import stack
from .table import (
    Group,
    NotTraced,
    Sizes,
    Traced,
    filled,
    row,
    traced,
)


def _groups(sizes: Sizes, shape: Sequence[Any]) -> list[Group]:
    lengths = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    return [sizes.group(n) for n in lengths]


@row(torch.ones)
def _ones(sizes: Sizes, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Traced:
    return filled(1, _groups(sizes, shape))


@row(torch.zeros)
def _zeros(sizes: Sizes, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Traced:
    return filled(0, _groups(sizes, shape))


@row(torch.ones_like)
def _ones_like(_: Sizes, a: Traced) -> Traced:
    return Traced(number(1, a.node.shape), a.axes)


@row(torch.zeros_like)
def _zeros_like(_: Sizes, a: Traced) -> Traced:
    return Traced(number(0, a.node.shape), a.axes)


@row(torch.eye)
def _eye(sizes: Sizes, n: int, m: int | None = None, *, dtype: Any = None) -> Traced:
    if m not in (None, n) or n == 1:
        raise NotTraced("torch.eye is traced for square matrices")
    return Traced(delta(sizes.symbol(n)), ((0,), (1,)))


@row(torch.tensor)
def _tensor(_: Sizes, value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Traced:
    if isinstance(value, int | float):
        return traced(value)
    return stack(_, [_tensor(_, v) for v in value])  # type: ignore[return-value]
