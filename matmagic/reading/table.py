"""The functions that a formula can call: for each the shape it gives and how it is computed.

Tensors have the axes of indices in front, then rows and columns; a vector is a column, a scalar 1 × 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .fitting import Dim, Fitting, Shape, Unknown

Value = Callable[..., Tensor]


@dataclass(frozen=True)
class Row:
    """`shape` gives the result's shape from the arguments', or raises Misfit; `value` computes it."""

    shape: Callable[[Fitting, Sequence[Shape]], Shape]
    value: Value


# ---- shapes -------------------------------------------------------------------------------------------------------


def _alike(fit: Fitting, given: Sequence[Shape]) -> Shape:
    """Entry by entry: one shape, and scalars."""
    shape = given[0]
    for other in given[1:]:
        shape = fit.same(shape, other, "a function of several arguments")
    return shape


def _column(fit: Fitting, given: Sequence[Shape]) -> Shape:
    (shape,) = given
    fit.need(fit.is_column(shape), "a vector", shape)
    return shape


def _of_column(fit: Fitting, given: Sequence[Shape]) -> Shape:
    _column(fit, given)
    return fit.scalar


def _onto_itself(fit: Fitting, given: Sequence[Shape]) -> Shape:
    rows, _ = _column(fit, given)
    return rows, rows


def _square(fit: Fitting, given: Sequence[Shape]) -> Shape:
    for shape in given:
        fit.need(fit.unify(*shape), "a square matrix", shape)
    return given[0]


def _of_square(fit: Fitting, given: Sequence[Shape]) -> Shape:
    _square(fit, given)
    return fit.scalar


def _diagonal(fit: Fitting, given: Sequence[Shape]) -> Shape:
    rows, _ = _square(fit, given)
    return rows, fit.one


def _diag(fit: Fitting, given: Sequence[Shape]) -> Shape:
    (shape,) = given
    return (shape[0], shape[0]) if fit.is_column(shape) else _diagonal(fit, given)


def _vec(fit: Fitting, given: Sequence[Shape]) -> Shape:
    ((rows, columns),) = given
    fit.stacked.append((rows, columns))
    return fit.times(columns, rows), fit.one


def _smaller(fit: Fitting, given: Sequence[Shape]) -> Dim:
    return min(map(fit.number, given[0]))


def _first(fit: Fitting, given: Sequence[Shape]) -> Shape:
    return given[0]


def _triangular(fit: Fitting, given: Sequence[Shape]) -> Shape:
    """Square, if nothing else says what it is."""
    fit.guesses.append(given[0])
    return given[0]


def _rows(fit: Fitting, given: Sequence[Shape]) -> Shape:
    return given[0][0], fit.one


def _along(value: Tensor) -> int:
    """The axis of a vector; of a matrix that of its rows, as scores are."""
    return -2 if value.shape[-1] == 1 else -1


# ---- values -------------------------------------------------------------------------------------------------------


def _norm_of_columns(function: Callable[[Tensor], Tensor]) -> Value:
    """A function of the last axis, of columns."""
    return lambda x: function(x[..., 0])[..., None, None]


def _diag_value(x: Tensor) -> Tensor:
    return torch.diag_embed(x[..., 0]) if x.shape[-1] == 1 else torch.diagonal(x, dim1=-2, dim2=-1)[..., None]


def _over_scalar(function: Value) -> Value:
    """A function of matrices that gives a scalar, as 1 × 1."""
    return lambda x: function(x)[..., None, None]


def _rank_one(x: Tensor, k: int = 0) -> tuple[Tensor, Tensor]:
    found = torch.linalg.svd(x)
    return found.U[..., :, k : k + 1], found.Vh[..., k : k + 1, :].mT


def _polar(x: Tensor) -> Tensor:
    left, _, right = torch.linalg.svd(x, full_matrices=False)
    whole: Tensor = left @ right
    return whole


def _frechet(x: Tensor, e: Tensor) -> Tensor:
    n = x.shape[-1]
    x, e = torch.broadcast_tensors(x, e)
    upper, lower = torch.cat([x, e], -1), torch.cat([torch.zeros_like(x), x], -1)
    both: Tensor = torch.linalg.matrix_exp(torch.cat([upper, lower], -2))
    return both[..., :n, n:]


def _one_hot(labels: Tensor, count: int) -> Tensor:
    return (labels == torch.arange(count)).double()


def _where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition != 0, a, b)


def _reciprocal(x: Tensor) -> Tensor:
    return torch.where(x == 0, torch.zeros_like(x), 1 / x)


def _density(x: Tensor) -> Tensor:
    return torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _triangle(take: Callable[..., Tensor]) -> Value:
    return lambda x, k=None: take(x, 0 if k is None else int(k.reshape(-1)[0]))


def _reduced(take: Callable[..., Tensor], pairs: Callable[[Tensor, Tensor], Tensor]) -> Value:
    """max(x) of a vector, max(a, b) entry by entry."""

    def value(*given: Tensor) -> Tensor:
        if len(given) == 1:
            return take(given[0], -2, True)
        whole = given[0]
        for other in given[1:]:
            whole = pairs(whole, other)
        return whole

    return value


def _reduced_shape(fit: Fitting, given: Sequence[Shape]) -> Shape:
    return _of_column(fit, given) if len(given) == 1 else _alike(fit, given)


def _sorting(x: Tensor) -> Tensor:
    order = torch.argsort(x[..., 0], -1)
    return torch.eye(x.shape[-2])[order]


ENTRYWISE: Mapping[str, Any] = {
    "exp": torch.exp, "expm1": torch.expm1, "log": torch.log, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos,
    "tan": torch.tan, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "arcsin": torch.asin,
    "arccos": torch.acos, "arctan": torch.atan, "arsinh": torch.asinh, "arcosh": torch.acosh, "artanh": torch.atanh,
    "atan2": torch.atan2, "sinc": torch.sinc, "σ": torch.sigmoid, "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "logaddexp": torch.logaddexp, "Φ": torch.special.ndtr, "φ": _density, "I0": torch.special.i0, "I1": torch.special.i1,
    "erf": torch.erf, "erfc": torch.erfc, "erfcx": torch.special.erfcx, "erfinv": torch.erfinv, "logΓ": torch.lgamma,
    "Γ": lambda x: torch.exp(torch.lgamma(x)), "ψ": torch.digamma, "xlogy": torch.special.xlogy, "pow": torch.pow,
    "relu": torch.relu, "elu": F.elu, "abs": torch.abs, "clamp": torch.clamp, "where": _where,
    "step": lambda x: (x > 0).double(), "equals": lambda x, y: (x == y).double(), "sign": torch.sign, "floor": torch.floor,
    "ceil": torch.ceil, "round": torch.round, "trunc": torch.trunc, "recip0": _reciprocal, "sqrt": torch.sqrt,
    "sech": lambda x: 1 / torch.cosh(x), "sg": lambda x: x,
    **{f"ψ{n}": lambda x, n=n: torch.polygamma(n, x) for n in range(1, 5)},
}  # fmt: skip

_SVD = {"full_matrices": False}
FUNCTIONS: Mapping[str, Row] = {
    **{name: Row(_alike, value) for name, value in ENTRYWISE.items()},
    "e^": Row(lambda fit, given: given[0] if fit.is_column(given[0]) else _square(fit, given),
              lambda x: torch.exp(x) if x.shape[-1] == 1 else torch.linalg.matrix_exp(x)),
    "softmax": Row(_first, lambda x: torch.softmax(x, _along(x))),
    "log_softmax": Row(_first, lambda x: torch.log_softmax(x, _along(x))),
    "logsumexp": Row(_of_column, lambda x: torch.logsumexp(x, -2, True)),
    "prod": Row(_of_column, lambda x: torch.prod(x, -2, True)),
    "sum": Row(lambda fit, given: fit.scalar, lambda x: x.sum((-2, -1), True)),
    "mean": Row(lambda fit, given: fit.scalar, lambda x: x.mean((-2, -1), True)),
    "max": Row(_reduced_shape, _reduced(torch.amax, torch.maximum)),
    "min": Row(_reduced_shape, _reduced(torch.amin, torch.minimum)),
    "argmax": Row(_of_column, lambda x: torch.argmax(x, -2, True).double()),
    "argmin": Row(_of_column, lambda x: torch.argmin(x, -2, True).double()),
    "sort": Row(_column, lambda x: torch.sort(x, -2).values),
    "sorting": Row(_onto_itself, _sorting),
    "softmax_rows": Row(_first, lambda x: torch.softmax(x, -1)),
    "logsumexp_rows": Row(_rows, lambda x: torch.logsumexp(x, -1, True)),
    "prod_rows": Row(_rows, lambda x: torch.prod(x, -1, True)),
    "max_rows": Row(_rows, lambda x: torch.amax(x, -1, True)),
    "min_rows": Row(_rows, lambda x: torch.amin(x, -1, True)),
    "argmax_rows": Row(_rows, lambda x: torch.argmax(x, -1, True).double()),
    "argmin_rows": Row(_rows, lambda x: torch.argmin(x, -1, True).double()),
    "sort_rows": Row(_first, lambda x: torch.sort(x, -1).values),
    "tr": Row(_of_square, lambda x: torch.diagonal(x, dim1=-2, dim2=-1).sum(-1)[..., None, None]),
    "det": Row(_of_square, _over_scalar(torch.linalg.det)),
    "logdet": Row(_of_square, _over_scalar(torch.logdet)),
    "diag": Row(_diag, _diag_value),
    "vec": Row(_vec, lambda x: x.mT.reshape(*x.shape[:-2], -1, 1)),
    "onehot": Row(lambda fit, given: (_column(fit, given)[0], Unknown()), _one_hot),
    "tril": Row(_triangular, _triangle(torch.tril)),
    "triu": Row(_triangular, _triangle(torch.triu)),
    "transpose": Row(lambda fit, given: given[0][::-1], lambda x: x.mT),
    "inv": Row(_square, torch.linalg.inv),
    "pinv": Row(lambda fit, given: given[0][::-1], torch.linalg.pinv),
    "expm": Row(_square, torch.linalg.matrix_exp),
    "Lexp": Row(lambda fit, given: fit.same(_square(fit, given), given[1], "L_exp"), _frechet),
    "chol": Row(_square, torch.linalg.cholesky),
    "λ": Row(_diagonal, lambda x: torch.linalg.eigvalsh(x)[..., None]),
    "Q": Row(_square, lambda x: torch.linalg.eigh(x).eigenvectors),
    "u_k": Row(lambda fit, given: (given[0][0], fit.one), lambda x, k: _rank_one(x, _place(k, x))[0]),
    "v_k": Row(lambda fit, given: (given[0][1], fit.one), lambda x, k: _rank_one(x, _place(k, x))[1]),
    "polar": Row(_first, _polar),
    "sv": Row(lambda fit, given: (_smaller(fit, given), fit.one), lambda x: torch.linalg.svdvals(x)[..., None]),
    "U": Row(lambda fit, given: (given[0][0], _smaller(fit, given)), lambda x: torch.linalg.svd(x, **_SVD).U),
    "V": Row(lambda fit, given: (given[0][1], _smaller(fit, given)), lambda x: torch.linalg.svd(x, **_SVD).Vh.mT),
}  # fmt: skip


def _place(k: Tensor, x: Tensor) -> int:
    """A place from 1 as one from 0."""
    place = int(k.reshape(-1)[0]) - 1
    if k.numel() != 1 or not 0 <= place < min(x.shape[-2:]):
        raise IndexError(f"there is no entry {place + 1}")
    return place


OVER_INDEX: Mapping[str, tuple[int, Callable[[Tensor, int], Tensor]]] = {  # of an axis: the rank of what it gives
    "softmax": (1, torch.softmax),
    "logsumexp": (0, lambda x, axis: torch.logsumexp(x, axis, True)),
    "max": (0, lambda x, axis: torch.amax(x, axis, True)),
    "min": (0, lambda x, axis: torch.amin(x, axis, True)),
    "prod": (0, lambda x, axis: torch.prod(x, axis, True)),
    "argmax": (0, lambda x, axis: torch.argmax(x, axis, True).double()),
    "argmin": (0, lambda x, axis: torch.argmin(x, axis, True).double()),
    "sort": (1, lambda x, axis: torch.sort(x, axis).values),
    "sorting": (2, lambda x, axis: _sorting(x)),
}
