"""Rows for + - × ÷ and powers, entry by entry."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from .table import (
    NotTraced,
    Sizes,
    Traced,
    plus,
    raised,
    row,
    scalar_number,
    times,
    traced,
)


@row(torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.add_, Tensor.__iadd__)
def _add(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (alpha, traced(b))])


@row(torch.sub, Tensor.sub, Tensor.__sub__, torch.subtract, Tensor.subtract, Tensor.sub_, Tensor.__isub__)
def _sub(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (-alpha, traced(b))])


@row(Tensor.__rsub__, torch.rsub)
def _rsub(_: Sizes, a: Any, b: Any) -> Traced:
    return plus([(1, traced(b)), (-1, traced(a))])


@row(torch.neg, Tensor.neg, Tensor.__neg__, torch.negative, Tensor.negative)
def _neg(_: Sizes, a: Traced) -> Traced:
    return plus([(-1, a)])


@row(
    torch.positive, Tensor.positive, Tensor.__pos__, torch.clone, Tensor.clone, Tensor.contiguous, Tensor.requires_grad_
)
def _same(_: Sizes, a: Traced) -> Traced:
    return a


@row(
    torch.div, Tensor.div, Tensor.__div__, Tensor.__truediv__, torch.divide, Tensor.divide, torch.true_divide,
    Tensor.true_divide, Tensor.div_, Tensor.__itruediv__,
)  # fmt: skip
def _div(_: Sizes, a: Any, b: Any) -> Traced:
    if not isinstance(b, Traced):
        return plus([(1 / scalar_number(b), traced(a))])
    return times(traced(a), raised(b, -1))


@row(Tensor.__rdiv__, Tensor.__rtruediv__)
def _rdiv(_: Sizes, a: Traced, b: Any) -> Traced:
    return times(traced(b), raised(a, -1))


@row(torch.reciprocal, Tensor.reciprocal)
def _reciprocal(_: Sizes, a: Traced) -> Traced:
    return raised(a, -1)


@row(torch.pow, Tensor.pow, Tensor.__pow__, Tensor.pow_, Tensor.__ipow__)
def _pow(_: Sizes, a: Any, exponent: Any) -> Traced:
    if isinstance(exponent, Traced) or not isinstance(a, Traced):
        raise NotTraced("a power is traced where the exponent is a number")
    return raised(a, scalar_number(exponent))


@row(torch.square, Tensor.square)
def _square(_: Sizes, a: Traced) -> Traced:
    return raised(a, 2)


@row(torch.sqrt, Tensor.sqrt)
def _sqrt(_: Sizes, a: Traced) -> Traced:
    return raised(a, Fraction(1, 2))
