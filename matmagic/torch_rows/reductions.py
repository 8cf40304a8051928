"""Rows for sums, means, norms, extremes and softmaxes along axes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..expr import add, number, power, triangle
from ..functions import may_vanish
from .indexing import cut, taken
from .table import (
    NotTraced,
    Row,
    Sizes,
    Traced,
    along,
    applied,
    contract,
    count_along,
    dims_of,
    mean,
    minus,
    on_matrices,
    plus,
    raised,
    reduced,
    row,
    spread,
    summed,
    times,
    vector,
    where,
)


@row("sum")
def _sum(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Traced:
    return summed(a, dim, keepdim)


@row("mean")
def _mean(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Traced:
    return mean(a, dim, keepdim)


# ---- variance -----------------------------------------------------------------------------------------------------


def variance(a: Traced, dim: Any, correction: float, keepdim: bool) -> Traced:
    """Σ (a - mean)² / (n - correction)"""
    deviations = minus(a, mean(a, dim, True))
    count = count_along(a, dim)
    less = add([(1, count), (-correction, number(1))], ())
    return times(summed(raised(deviations, 2), dim, keepdim), Traced(power(less, -1), ()))


def _correction(dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Any, float]:
    """var(x, dim), var(x, False), var(x, dim, True), var(x, correction=0)"""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return dim, correction if correction is not None else float(unbiased is not False)


@row("var")
def _var(
    _: Sizes, a: Traced, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Traced:  # fmt: skip
    dim, less = _correction(dim, unbiased, correction)
    return variance(a, dim, less, keepdim)


def rooted(squares: Traced) -> Traced:
    """√ of a sum of squares; where that may be 0 on a region, with slope 0 there, as torch has it."""
    return applied("root", squares) if may_vanish(squares.node) else raised(squares, Fraction(1, 2))


@row("std")
def _std(
    _: Sizes, a: Traced, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Traced:  # fmt: skip
    dim, less = _correction(dim, unbiased, correction)
    return rooted(variance(a, dim, less, keepdim))


@row("var_mean")
def _var_mean(
    _: Sizes, a: Traced, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> list[Traced]:  # fmt: skip
    dim, less = _correction(dim, unbiased, correction)
    return [variance(a, dim, less, keepdim), mean(a, dim, keepdim)]


@row("std_mean")
def _std_mean(
    _: Sizes, a: Traced, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> list[Traced]:  # fmt: skip
    dim, less = _correction(dim, unbiased, correction)
    return [rooted(variance(a, dim, less, keepdim)), mean(a, dim, keepdim)]


@row("cov")
def _cov(_: Sizes, a: Traced, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Traced:
    if len(a.axes) != 2 or fweights is not None or aweights is not None:
        raise NotTraced("torch.cov is traced for a matrix of observations in columns, without weights")
    deviations = minus(a, mean(a, 1, True))
    less = add([(1, count_along(a, 1)), (-correction, number(1))], ())
    products = contract([(deviations, "ik"), (deviations, "jk")], "ij")
    return times(products, Traced(power(less, -1), ()))


@row("corrcoef")
def _corrcoef(_: Sizes, a: Traced) -> Traced:
    covariance = _cov(_, a)
    assert isinstance(covariance, Traced)
    scale = raised(contract([(covariance, "ii")], "i"), Fraction(-1, 2))
    return contract([(covariance, "ij"), (scale, "i"), (scale, "j")], "ij")


# ---- norms --------------------------------------------------------------------------------------------------------


def vector_norm(a: Traced, order: float, dim: Any = None, keepdim: bool = False) -> Traced:
    """(Σ |a|^p)^(1/p) along axes, and its limits; of a row of zeros the slope is 0, as torch has it."""
    if order == 2:
        squares = summed(raised(a, 2), dim, keepdim)
        return rooted(squares)
    size = applied("abs", a)
    if order == 1:
        return summed(size, dim, keepdim)
    if math.isinf(order):
        return reduced("max" if order > 0 else "min", size, dim, keepdim)
    if order == 0:
        raise NotTraced("the number of entries that are not zero has no useful derivative")
    exact = Fraction(order).limit_denominator(1000)
    powers = raised(a, exact) if exact.denominator == 1 and exact % 2 == 0 else raised(size, exact)
    return raised(summed(powers, dim, keepdim), 1 / exact)


def matrix_norm(a: Traced, order: Any, dim: Any = (-2, -1), keepdim: bool = False) -> Traced:
    """Frobenius, nuclear and spectral norm; the largest (smallest) column or row sum."""
    if order in (None, "fro"):
        return vector_norm(a, 2, dim, keepdim)
    rows, columns = dims_of(a, dim)
    if order in ("nuc", 2):
        if keepdim or (rows, columns) != (len(a.axes) - 2, len(a.axes) - 1):
            raise NotTraced("this norm is traced on the last two axes, without keepdim")
        return on_matrices("nuclear" if order == "nuc" else "spectral", a, gives=0)
    if order in (1, -1, math.inf, -math.inf):
        inner, outer = (rows, columns) if abs(order) == 1 else (columns, rows)
        sums = summed(applied("abs", a), inner, True)
        return reduced("max" if order > 0 else "min", sums, (inner, outer) if not keepdim else outer, keepdim)
    raise NotTraced(f"the matrix norm of order {order} is not traced")


@row(torch.norm, Tensor.norm)
def _norm(_: Sizes, a: Traced, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Traced:
    if p == "nuc":
        return matrix_norm(a, p, (-2, -1) if dim is None else dim, keepdim)
    return vector_norm(a, 2 if p in ("fro", None) else p, dim, keepdim)


@row(torch.linalg.norm)
def _linalg_norm(
    _: Sizes, a: Traced, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Traced:
    if ord is None or (dim is None and len(a.axes) < 2) or (dim is not None and len(dims_of(a, dim)) == 1):
        return vector_norm(a, 2 if ord is None else ord, dim, keepdim)
    return matrix_norm(a, ord, (-2, -1) if dim is None else dim, keepdim)


@row(torch.linalg.vector_norm)
def _vector_norm(
    _: Sizes, a: Traced, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Traced:
    return vector_norm(a, ord, dim, keepdim)


@row(torch.linalg.matrix_norm)
def _matrix_norm(
    _: Sizes, a: Traced, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Traced:
    return matrix_norm(a, ord, dim, keepdim)


@row("dist")
def _dist(_: Sizes, a: Traced, b: Traced, p: float = 2) -> Traced:
    return vector_norm(minus(a, b), p)


# ---- extremes and products ----------------------------------------------------------------------------------------


def _reduction(name: str) -> Row:
    def rule(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Traced:
        return reduced(name, a, None if dim == () else dim, keepdim)

    return rule


for _names, _function in (("amax", "max"), ("amin", "min"), ("prod", "prod")):
    row(_names)(_reduction(_function))


def _extreme(name: str, pair: str) -> Row:
    """max(a), max(a, dim) with its positions, max(a, b)"""

    def rule(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Traced) or other is not None:
            return applied(pair, a, dim if other is None else other)
        value = reduced(name, a, dim, keepdim)
        return value if dim is None else [value, None]

    return rule


row("max")(_extreme("max", "maximum"))
row("min")(_extreme("min", "minimum"))


@row("sort", "msort")
def _sort(_: Sizes, a: Traced, dim: int = -1, descending: bool = False, stable: bool = False) -> list[Traced | None]:
    return [ordered(a, dim, descending), None]


def ordered(a: Traced, dim: int, descending: bool) -> Traced:
    """The entries along an axis in order."""
    sign = -1 if descending else 1
    return plus([(sign, along("sorted", plus([(sign, a)]), dim))])


@row("topk")
def _topk(
    sizes: Sizes, a: Traced, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> list[Traced | None]:
    return [cut(sizes, ordered(a, dim, largest), dim, 0, k), None]


@row("kthvalue")
def _kthvalue(sizes: Sizes, a: Traced, k: int, dim: int = -1, keepdim: bool = False) -> list[Traced | None]:
    whole = ordered(a, dim, False)
    return [cut(sizes, whole, dim, k - 1, k) if keepdim else taken(whole, dim % len(a.axes), k - 1), None]


@row("median", "nanmedian")
def _median(sizes: Sizes, a: Traced, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the middle entries."""
    whole = a if dim is not None else Traced(a.node, (tuple(axis for group in a.axes for axis in group),))
    at = 0 if dim is None else dim % len(a.axes)
    middle = (sizes.count(whole.sizes(at)) - 1) // 2
    in_line = ordered(whole, at, False)
    value = cut(sizes, in_line, at, middle, middle + 1) if keepdim else taken(in_line, at, middle)
    return value if dim is None else [value, None]


@row("nansum")
def _nansum(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Traced:
    return summed(a, dim, keepdim)


def running(name: str, a: Traced, dim: int, beyond: float) -> Traced:
    """A function of a_0 … a_i at each place i: of a row of a, with a number that makes no difference beyond the diagonal."""
    at = dim % len(a.axes)
    rows = Traced(a.node, (*a.axes[: at + 1], (), *a.axes[at + 1 :]))  # j stands first, i after it
    (size,) = a.sizes(at)
    lead = [()] * at
    mask = spread(vector(triangle(size, size, 0)), [*lead, (size,), (size,)][-2:])
    inside = Traced(mask.node, (*mask.axes, *[()] * (len(a.axes) - at - 1)))
    return reduced(name, where(inside, rows, beyond), at)


@row("cumprod")
def _cumprod(_: Sizes, a: Traced, dim: int, *, dtype: Any = None) -> Traced:
    return running("prod", a, dim, 1)


@row("cummax")
def _cummax(_: Sizes, a: Traced, dim: int) -> list[Traced | None]:
    return [running("max", a, dim, -math.inf), None]


@row("cummin")
def _cummin(_: Sizes, a: Traced, dim: int) -> list[Traced | None]:
    return [running("min", a, dim, math.inf), None]


@row("logcumsumexp")
def _logcumsumexp(_: Sizes, a: Traced, dim: int) -> Traced:
    return running("logsumexp", a, dim, -math.inf)


# ---- softmax ------------------------------------------------------------------------------------------------------


@row("logsumexp")
def _logsumexp(_: Sizes, a: Traced, dim: Any, keepdim: bool = False) -> Traced:
    return reduced("logsumexp", a, dim, keepdim)


def log_softmax(a: Traced, dim: int) -> Traced:
    """a - logsumexp(a) along an axis"""
    return minus(a, reduced("logsumexp", a, dim, True))


@row("softmax")
def _softmax(_: Sizes, a: Traced, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Traced:
    return along("softmax", a, dim)


@row("log_softmax")
def _log_softmax(_: Sizes, a: Traced, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Traced:
    return log_softmax(a, dim)


@row(F.softmin)
def _softmin(_: Sizes, a: Traced, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Traced:
    return along("softmax", plus([(-1, a)]), dim)
