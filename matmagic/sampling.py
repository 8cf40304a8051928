"""Tensors with a property: drawing one, and testing one.

In: a shape and a property's name.  Out: a float64 tensor that has the property and is generic otherwise, so
that what holds on a few draws holds for the property.  Orthogonal matrices have determinants of both signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .errors import OptionError

Size = tuple[int, ...]


def words(text: str) -> frozenset[str]:
    """A set of words, written as one text."""
    return frozenset(text.split())


def sample(shape: Size, prop: str | None, generator: torch.Generator) -> Tensor:
    """A float64 tensor of this shape with this property; entries standard normal where it leaves them
    free."""
    if not prop:
        return _normal(shape, generator)
    if prop.startswith("index<"):
        return torch.randint(0, int(prop.removeprefix("index<")), shape, generator=generator)
    if prop not in SAMPLERS:
        raise OptionError(f"no property {prop}", f"properties: {', '.join(SAMPLERS)}, index<k")
    if prop in SQUARE and (len(shape) != 2 or shape[0] != shape[1]):
        raise OptionError(f"{prop} is a property of square matrices, not of shape {shape}")
    return SAMPLERS[prop](shape, generator)


def _normal(shape: Size, g: torch.Generator) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=g)


def _between(low: float, high: float, shape: Size, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, dtype=torch.float64, generator=g)


def _orthogonal(shape: Size, g: torch.Generator) -> Tensor:
    """QR of a normal matrix, times a random sign: QR alone fixes the determinant's for each n."""
    sign = 1.0 if torch.rand((), generator=g) < 0.5 else -1.0
    q: Tensor = torch.linalg.qr(_normal(shape, g))[0]
    return q * torch.cat([torch.tensor([sign], dtype=q.dtype), torch.ones(shape[0] - 1, dtype=q.dtype)])


def _positive_definite(shape: Size, g: torch.Generator) -> Tensor:
    """Q diag(d) Qᵀ with d from 0.05 to 6: far enough apart that entries and row sums have either sign."""
    q = _orthogonal(shape, g)
    whole = (q * (0.05 * 120.0 ** _between(0.0, 1.0, shape[:1], g))) @ q.T
    return (whole + whole.T) / 2


def _positive_quadratic_form(shape: Size, g: torch.Generator) -> Tensor:
    """A positive-definite matrix and a skew one as large, so that little of it is symmetric."""
    skew = _normal(shape, g) / math.sqrt(shape[0])
    return _positive_definite(shape, g) + skew - skew.T


def _invertible(shape: Size, g: torch.Generator) -> Tensor:
    """Q diag(d) P, singular values in 0.7 .. 1.8."""
    return (_orthogonal(shape, g) * _between(0.7, 1.8, shape[:1], g)) @ _orthogonal(shape, g)


def _positive_det(shape: Size, g: torch.Generator) -> Tensor:
    """An invertible matrix, its first row turned around where the determinant is negative."""
    whole = _invertible(shape, g)
    if torch.linalg.det(whole) < 0:
        whole[0] = -whole[0]
    return whole


def _orthonormal_columns(shape: Size, g: torch.Generator) -> Tensor:
    if len(shape) != 2 or shape[0] < shape[1]:
        raise OptionError(
            f"a matrix of shape {shape} can't have orthonormal columns", 'ask for tall ones: --assume "m>n"'
        )
    q: Tensor = torch.linalg.qr(_normal(shape, g))[0]
    return q


def _lower(shape: Size, g: torch.Generator) -> Tensor:
    return torch.tril(_normal(shape, g)) + 2 * torch.eye(shape[0], dtype=torch.float64)


def _cholesky_factor(shape: Size, g: torch.Generator) -> Tensor:
    """Lower triangular with a positive diagonal."""
    return torch.tril(_normal(shape, g), -1) + torch.diag(_between(0.4, 1.9, shape[:1], g))


def _contraction(shape: Size, g: torch.Generator) -> Tensor:
    """Spectral norm 1/2."""
    whole = _normal(shape, g)
    norm: Tensor = torch.linalg.matrix_norm(whole, 2)
    return 0.5 * whole / norm


def _one_hot(shape: Size, g: torch.Generator) -> Tensor:
    """One 1 in each row; in a vector or a column, one 1 in all."""
    flat = len(shape) < 2 or (len(shape) == 2 and 1 in shape)
    rows, width = (1, math.prod(shape)) if flat else (math.prod(shape[:-1]), shape[-1])
    which = torch.randint(width, (rows,), generator=g)
    return torch.nn.functional.one_hot(which, width).double().reshape(shape)


def _simplex(shape: Size, g: torch.Generator) -> Tensor:
    weights = _between(0.2, 1.0, shape, g)
    return weights / weights.sum()


def _row_stochastic(shape: Size, g: torch.Generator) -> Tensor:
    weights = _between(0.2, 1.0, shape, g)
    return weights / weights.sum(-1, keepdim=True)


def _two_values(low: float, high: float, shape: Size, g: torch.Generator) -> Tensor:
    """Each entry one of two values, both of them present."""
    picked = torch.where(_normal(shape, g) > 0, high, low).double()
    flat = picked.view(-1)
    if flat.numel() > 1:
        flat[0], flat[-1] = high, low
    return picked


def _unit(shape: Size, g: torch.Generator) -> Tensor:
    v = _normal(shape, g)
    norm: Tensor = v.norm()
    return v / norm


def _unit_ball(shape: Size, g: torch.Generator) -> Tensor:
    """Norm below 1."""
    return _unit(shape, g) * _between(0.1, 0.8, (), g)


def _positive_mean(shape: Size, g: torch.Generator) -> Tensor:
    """Entries of either sign, about one in six negative, with a positive mean."""
    whole = 1 + _normal(shape, g)
    return whole if whole.mean() > 0 else -whole


SAMPLERS: Mapping[str, Callable[[Size, torch.Generator], Tensor]] = {
    "symmetric": lambda s, g: (m := _normal(s, g)) + m.T,
    "skew": lambda s, g: (m := _normal(s, g)) - m.T,
    "positive-definite": _positive_definite,
    "positive-quadratic-form": _positive_quadratic_form,
    "orthogonal": _orthogonal,
    "orthonormal-columns": _orthonormal_columns,
    "diagonal": lambda s, g: torch.diag(_normal(s[:1], g)),
    "lower-triangular": _lower,
    "cholesky-factor": _cholesky_factor,
    "invertible": _invertible,
    "positive-det": _positive_det,
    "contraction": _contraction,
    "unit": _unit,
    "unit-ball": _unit_ball,
    "positive": lambda s, g: _between(0.4, 1.9, s, g),
    "positive-mean": _positive_mean,
    "negative": lambda s, g: -_between(0.1, 1.2, s, g),
    "unit-interval": lambda s, g: _between(0.1, 0.9, s, g),
    "above-one": lambda s, g: 1 + _between(0.1, 1.9, s, g),
    "simplex": _simplex,
    "row-stochastic": _row_stochastic,
    "one-hot": _one_hot,
    "binary": lambda s, g: _two_values(0.0, 1.0, s, g),
    "signs": lambda s, g: _two_values(-1.0, 1.0, s, g),
    "counts": lambda s, g: torch.randint(0 if s else 1, 6, s, generator=g).double(),
}
SQUARE = words(
    "symmetric skew positive-definite positive-quadratic-form orthogonal diagonal lower-triangular cholesky-factor "
    "invertible positive-det"
)


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def _eye(width: int) -> Tensor:
    return torch.eye(width, dtype=torch.float64)


TESTS: Mapping[str, Callable[[Tensor], bool]] = {
    "symmetric": lambda m: _near(m, m.T),
    "skew": lambda m: _near(m, -m.T),
    "positive-definite": lambda m: _near(m, m.T) and bool((torch.linalg.eigvalsh(m) > 0).all()),
    "positive-quadratic-form": lambda m: bool((torch.linalg.eigvalsh(m + m.T) > 0).all()),
    "orthogonal": lambda m: _near(m @ m.T, _eye(m.shape[0])),
    "orthonormal-columns": lambda m: _near(m.T @ m, _eye(m.shape[1])),
    "diagonal": lambda m: _near(m, torch.diag(torch.diagonal(m))),
    "lower-triangular": lambda m: _near(m, torch.tril(m)),
    "cholesky-factor": lambda m: _near(m, torch.tril(m)) and bool((m.diagonal() > 0).all()),
    "invertible": lambda m: bool(torch.linalg.det(m).abs() > 1e-9),
    "positive-det": lambda m: bool(torch.linalg.det(m) > 1e-9),
    "contraction": lambda m: bool(torch.linalg.matrix_norm(m, 2) < 1),
    "unit": lambda v: bool((v.norm() - 1).abs() < 1e-5),
    "unit-ball": lambda v: bool(v.norm() < 1),
    "positive": lambda v: bool((v > 0).all()),
    "positive-mean": lambda v: bool(v.mean() > 0),
    "negative": lambda v: bool((v < 0).all()),
    "unit-interval": lambda v: bool(((v > 0) & (v < 1)).all()),
    "above-one": lambda v: bool((v > 1).all()),
    "simplex": lambda v: bool((v >= 0).all() and (v.sum() - 1).abs() < 1e-5),
    "row-stochastic": lambda m: bool((m >= 0).all() and ((m.sum(-1) - 1).abs() < 1e-5).all()),
    "one-hot": lambda v: bool(((v == 0) | (v == 1)).all() and (v.sum() if 1 in v.shape else v.sum(-1)).eq(1).all()),
    "binary": lambda v: bool(((v == 0) | (v == 1)).all()),
    "signs": lambda v: bool((v.abs() == 1).all()),
    "counts": lambda v: bool(((v >= 0) & (v == v.round())).all()),
}


def holds(value: Tensor, prop: str) -> bool:
    """Whether a tensor has the property, up to rounding in float32."""
    if prop.startswith("index<"):
        return not value.is_floating_point()
    if prop in SQUARE | {"orthonormal-columns", "contraction"} and value.ndim != 2:
        return False
    if prop in SQUARE and value.shape[0] != value.shape[1]:
        return False
    return TESTS[prop](value.double())
