"""Rows for functions of whole matrices: inverses, determinants, factorisations, eigenvalues."""

from __future__ import annotations

from typing import Any

import torch

from ..expr import call, delta, permute, triangle
from .table import (
    NotTraced,
    Row,
    Sizes,
    Traced,
    as_matrices,
    consecutive,
    matmul,
    on_matrices,
    plus,
    row,
    times,
    transposed,
    vector,
)


def _of_matrix(name: str, gives: int = 2) -> Row:
    return lambda _, a: on_matrices(name, a, gives=gives)


def inverse(a: Traced) -> Traced:
    """A⁻¹"""
    return on_matrices("inverse", a)


row("inverse", torch.linalg.inv)(_of_matrix("inverse"))
row("det", torch.linalg.det)(_of_matrix("det", 0))
row("logdet")(_of_matrix("logdet", 0))
row("matrix_exp", torch.linalg.matrix_exp)(_of_matrix("expm"))


@row("slogdet", torch.linalg.slogdet)
def _slogdet(_: Sizes, a: Traced) -> list[Traced]:
    return [on_matrices("signdet", a, gives=0), on_matrices("logabsdet", a, gives=0)]


@row("pinverse", torch.linalg.pinv)
def _pinv(_: Sizes, a: Traced) -> Traced:
    return on_matrices("pinv", a)


def applied_inverse(a: Traced, b: Traced) -> Traced:
    """A⁻¹ B, where B may be a vector."""
    return matmul(inverse(a), b)


@row(torch.linalg.solve)
def _solve(_: Sizes, a: Traced, b: Traced, *, left: bool = True) -> Traced:
    return applied_inverse(a, b) if left else matmul(b, inverse(a))


@row("cholesky", torch.linalg.cholesky)
def _cholesky(_: Sizes, a: Traced, upper: bool = False) -> Traced:
    lower = on_matrices("cholesky", a)
    return transposed(lower) if upper else lower


@row(torch.linalg.cholesky_ex)
def _cholesky_ex(_: Sizes, a: Traced, upper: bool = False, check_errors: bool = False) -> list[Traced | None]:
    return [_cholesky(_, a, upper), None]  # type: ignore[list-item]


def one_triangle(a: Traced, upper: bool, unit: bool = False) -> Traced:
    """The triangle that a triangular solver reads."""
    if len(a.axes) < 2 or any(len(group) != 1 for group in a.axes[-2:]):
        raise NotTraced("a triangular matrix with an axis of size 1 is not traced")
    (size,) = a.sizes(-1)
    mask = vector(triangle(size, size, 1 if unit else 0))
    part = times(a, mask if upper else vector(permute(mask.node, (1, 0))))
    return plus([(1, part), (1, vector(delta(size)))]) if unit else part


@row(torch.linalg.solve_triangular)
def _solve_triangular(
    _: Sizes, a: Traced, b: Traced, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Traced:
    own = one_triangle(a, upper, unitriangular)
    return applied_inverse(own, b) if left else matmul(b, inverse(own))


@row("triangular_solve")
def _old_triangular_solve(
    _: Sizes, b: Traced, a: Traced, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> list[Traced | None]:
    own = one_triangle(a, upper, unitriangular)
    return [applied_inverse(transposed(own) if transpose else own, b), None]


@row("cholesky_solve")
def _cholesky_solve(_: Sizes, b: Traced, a: Traced, upper: bool = False) -> Traced:
    own = one_triangle(a, upper)
    whole = matmul(transposed(own), own) if upper else matmul(own, transposed(own))
    return applied_inverse(whole, b)


@row("cholesky_inverse")
def _cholesky_inverse(_: Sizes, a: Traced, upper: bool = False) -> Traced:
    own = one_triangle(a, upper)
    return inverse(matmul(transposed(own), own) if upper else matmul(own, transposed(own)))


@row(torch.linalg.eigvalsh)
def _eigvalsh(_: Sizes, a: Traced, UPLO: str = "L") -> Traced:
    return on_matrices("eigenvalues", a, gives=1)


@row(torch.linalg.eigh)
def _eigh(_: Sizes, a: Traced, UPLO: str = "L") -> list[Traced]:
    return [on_matrices("eigenvalues", a, gives=1), on_matrices("eigenvectors", a)]


@row("matrix_power", torch.linalg.matrix_power)
def _matrix_power(sizes: Sizes, a: Traced, n: int) -> Traced:
    if n == 0 or abs(n) > 12:
        raise NotTraced("a matrix power is traced for exponents from 1 to 12 and their negatives")
    base = a if n > 0 else inverse(a)
    result = base
    for _ in range(abs(n) - 1):
        result = matmul(result, base)
    return result


@row(torch.linalg.svdvals)
def _svdvals(sizes: Sizes, a: Traced) -> Traced:
    return singular_values(sizes, a)


def singular_values(sizes: Sizes, a: Traced) -> Traced:
    """One for each row or column, whichever are fewer."""
    whole = as_matrices(a)
    shorter = min(whole.node.shape[-2:], key=sizes.number)
    node = call("singular_values", (*whole.node.shape[:-2], shorter), whole.node)
    return Traced(node, consecutive([*map(len, whole.axes[:-2]), 1]))


@row("svd", torch.linalg.svd)
def _svd(sizes: Sizes, a: Traced, full_matrices: bool = True, *_rest: Any, **_more: Any) -> list[Traced | None]:
    return [None, singular_values(sizes, a), None]


@row(torch.linalg.lstsq)
def _lstsq(sizes: Sizes, a: Traced, b: Traced, *_rest: Any, **_more: Any) -> list[Traced | None]:
    return [matmul(on_matrices("pinv", a), b), None, None, None]
