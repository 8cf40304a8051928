"""Rewrite rows for functions of whole matrices: A A⁻¹ = I, (A B)⁻¹ = B⁻¹ A⁻¹ where that cancels, L Lᵀ = S, Σ softmax = 1.

Each row sees one node whose children are simple and gives an equal one, or None.  Conditions stand in the rows: a
product of square matrices has an inverse only if every factor has one, so splitting it needs no assumption; that the
Cholesky factor gives its matrix back needs the matrix to be symmetric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from .canonical import is_symmetric
from .expr import (
    Call,
    Delta,
    Elementwise,
    Factor,
    Node,
    OneHot,
    Power,
    Product,
    Sum,
    Triangle,
    add,
    delta,
    number,
    permute,
    power,
    product,
    scale,
    transpose,
)
from .matrix_functions import matmul, of

TURNS = frozenset({"inverse", "pinv", "expm"})  # f(Xᵀ) = f(X)ᵀ


def again(node: Product, factors: Sequence[Factor]) -> Node:
    """The product with other factors."""
    rank = len(node.shape)
    return product(factors, node.sizes[:rank], range(rank))


def uses_of(node: Product) -> Counter[int]:
    """How often each label occurs, the output among the places."""
    return Counter([*range(len(node.shape)), *(label for _, labels in node.factors for label in labels)])


def _is_call(node: Node, *names: str) -> bool:
    return isinstance(node, Call) and node.function in names


def without(factors: Sequence[Factor], *gone: int) -> list[Factor]:
    return [factor for k, factor in enumerate(factors) if k not in gone]


def turned_argument(node: Node) -> Node | None:
    """f(Xᵀ) = f(X)ᵀ for inverse, pseudoinverse and exponential."""
    if not isinstance(node, Call) or node.function not in TURNS or len(node.shape) != 2:
        return None
    (x,) = node.args
    if isinstance(x, Product) and len(x.factors) == 1 and x.factors[0][1] == (1, 0):
        return transpose(of(node.function, x.factors[0][0]))
    return None


def scaled_inverse(node: Node) -> Node | None:
    """(c A)⁻¹ = A⁻¹ / c; c is not 0 where there is an inverse."""
    if not isinstance(node, Call) or node.function != "inverse" or len(node.shape) != 2:
        return None
    coefficient, (x,) = Fraction(1), node.args
    if isinstance(x, Sum) and len(x.terms) == 1:
        ((coefficient, x),) = x.terms  # type: ignore[assignment]
    scalars = [f for f in x.factors if not f[1]] if isinstance(x, Product) else []
    if coefficient == 1 and not scalars:
        return None
    if isinstance(x, Product):
        x = again(x, [f for f in x.factors if f[1]])
    below = [(power(f, -1), ()) for f, _ in scalars]
    return scale(1 / coefficient, product([*below, (of("inverse", x), (0, 1))], node.shape, (0, 1)))


def inverse_cancels(node: Node) -> Node | None:
    """A A⁻¹ = A⁻¹ A = I, with one index between the two."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (inverse, inner) in enumerate(node.factors):
        if not isinstance(inverse, Call) or inverse.function != "inverse" or len(inner) != 2:
            continue
        (matrix,) = inverse.args
        either = is_symmetric(matrix)
        for other, (factor, outer) in enumerate(node.factors):
            if factor is not matrix:
                continue
            for a, b in ((0, 1), (1, 0), *(((0, 0), (1, 1)) if either else ())):
                if inner[a] == outer[b] and uses[inner[a]] == 2 and inner[0] != inner[1]:
                    rest = (delta(matrix.shape[0]), (inner[1 - a], outer[1 - b]))
                    return again(node, [*without(node.factors, k, other), rest])
    return None


def inverse_of_factors_cancels(node: Node) -> Node | None:
    """(B C)⁻¹ B C = I, where B and C stand in the product by themselves"""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (inverse, inner) in enumerate(node.factors):
        whole = inverse.args[0] if isinstance(inverse, Call) and inverse.function == "inverse" else None
        if not isinstance(whole, Product) or len(inner) != 2 or len(whole.factors) != 2:
            continue
        for near, axis in ((0, 1), (1, 0)):  # (B C)⁻¹ has this end, B C that one
            if uses[inner[near]] != 2 or inner[0] == inner[1]:
                continue
            found = _placed(whole, {axis: inner[near]}, node)
            if found is not None and uses[found[1][2]] == 2 and found[1][2] >= len(node.shape):
                used, names = found
                rest = (delta(whole.shape[0]), (inner[1 - near], names[1 - axis]))
                return again(node, [*without(node.factors, k, *used), rest])
    return None


def _placed(whole: Product, names: dict[int, int], node: Product) -> tuple[list[int], dict[int, int]] | None:
    """Where the two factors of a matrix stand in a product, and what its labels are there."""
    for first in whole.factors:
        second = next(f for f in whole.factors if f is not first)
        for j, (factor, labels) in enumerate(node.factors):
            own = _named(first[1], labels, names) if factor is first[0] else None
            for i, (other, at) in enumerate(node.factors):
                both = _named(second[1], at, own) if own is not None and i != j and other is second[0] else None
                if both is not None and len(both) == 3 and len(set(both.values())) == 3:
                    return [j, i], both
    return None


def _named(own: Sequence[int], labels: Sequence[int], names: dict[int, int]) -> dict[int, int] | None:
    """The names with these labels too, None where they differ or nothing is known of any."""
    found = dict(names)
    if not any(label in names for label in own):
        return None
    return found if all(found.setdefault(a, b) == b for a, b in zip(own, labels, strict=True)) else None


def inverse_of_product(node: Node) -> Node | None:
    """(A B)⁻¹ = B⁻¹ A⁻¹ for square A and B, where a factor then cancels."""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        if isinstance(factor, Call) and factor.function == "inverse" and len(labels) == 2:
            parts = _chain(factor.args[0])
            if parts is None or not any(f is p for p in _bare(parts) for f, _ in node.factors):
                continue
            split = of("inverse", parts[0])
            for part in parts[1:]:
                split = matmul(of("inverse", part), split)
            split = _settled_calls(split)
            better = again(node, [*without(node.factors, k), (split, labels)])
            shorter = _cancelled(better)
            if isinstance(shorter, Product) and len(shorter.factors) > len(node.factors):
                continue
            return shorter
    return None


def _bare(parts: Sequence[Node]) -> list[Node]:
    """The factors without their transposes."""
    return [p.factors[0][0] if isinstance(p, Product) else p for p in parts]


def _settled_calls(node: Node) -> Node:
    """f(Xᵀ) = f(X)ᵀ in every factor."""
    if not isinstance(node, Product):
        return turned_argument(node) or node
    return again(node, [(turned_argument(f) or f, labels) for f, labels in node.factors])


def _cancelled(node: Node) -> Node:
    """A A⁻¹ = I, as often as it occurs."""
    while (better := inverse_cancels(node)) is not None:
        node = better
    return node


def _chain(node: Node) -> list[Node] | None:
    """The square matrices, two or more, that a matrix is the product of, in order; None for anything else."""
    if not isinstance(node, Product) or len(node.shape) != 2 or len(node.factors) < 2:
        return None
    if len(set(node.sizes)) != 1 or any(len(labels) != 2 for _, labels in node.factors):
        return None
    if any(uses != 2 for uses in uses_of(node).values()):  # B ⊙ B ⊙ B
        return None
    left = list(node.factors)
    at, parts = 0, []
    while left:
        step = next((f for f in left if at in f[1]), None)
        if step is None or step[1][0] == step[1][1]:
            return None
        left.remove(step)
        factor, labels = step
        forward = labels[0] == at
        parts.append(factor if forward else transpose(factor))
        at = labels[1] if forward else labels[0]
    return parts if at == 1 else None


def lower_triangle_of_cholesky(node: Node) -> Node | None:
    """tril(L) = L for a Cholesky factor L."""
    if not isinstance(node, Product):
        return None
    for k, (mask, labels) in enumerate(node.factors):
        if isinstance(mask, Triangle) and mask.offset <= 0:
            for factor, at in node.factors:
                if _is_call(factor, "cholesky") and at == labels[::-1]:
                    return again(node, without(node.factors, k))
    return None


def orthogonal_columns(node: Node) -> Node | None:
    """V Vᵀ = Vᵀ V = I for eigenvectors; L Lᵀ = S and L⁻ᵀ L⁻¹ = S⁻¹ for the Cholesky factor of a symmetric S."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (first, a) in enumerate(node.factors):
        for other in range(k + 1, len(node.factors)):
            second, b = node.factors[other]
            if first is not second or len(a) != 2 or a[0] == a[1]:
                continue
            for shared in (0, 1):
                if a[shared] != b[shared] or uses[a[shared]] != 2:
                    continue
                whole = _paired(first, shared)
                if whole is not None:
                    labels = (a[1 - shared], b[1 - shared])
                    return again(node, [*without(node.factors, k, other), (whole, labels)])
    return None


def _paired(node: Node, shared: int) -> Node | None:
    """Σ M_ik M_jk (shared 1), or Σ M_ki M_kj (shared 0), where that is known."""
    if _is_call(node, "eigenvectors"):
        return delta(node.shape[0])
    inner = node.args[0] if isinstance(node, Call) and node.function == "inverse" else node
    if not isinstance(inner, Call) or inner.function != "cholesky" or not is_symmetric(inner.args[0]):
        return None
    if inner is node:
        return inner.args[0] if shared == 1 else None
    return of("inverse", inner.args[0]) if shared == 0 else None


def diagonal_of_triangle(node: Node) -> Node | None:
    """triu(M)_ii = M_ii"""
    if not isinstance(node, Product):
        return None
    for k, (mask, labels) in enumerate(node.factors):
        if isinstance(mask, Triangle) and labels[0] == labels[1]:
            rest = again(node, [*without(node.factors, k), (number(1, mask.shape[:1]), labels[:1])])
            return rest if mask.offset <= 0 else scale(0, rest)
    return None


def determinant_of_eigenvalues(node: Node) -> Node | None:
    """Π λ(S) = det S for a symmetric S."""
    if not isinstance(node, Call) or node.function != "prod":
        return None
    (values,) = node.args
    if not isinstance(values, Call) or values.function != "eigenvalues" or not is_symmetric(values.args[0]):
        return None
    return of("det", values.args[0])


def spectrum(node: Node) -> Node | None:
    """Q diag(λ) Qᵀ = S, Q diag(1/λ) Qᵀ = S⁻¹ for a symmetric S."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (values, labels) in enumerate(node.factors):
        bare, p = (values.base, values.exponent) if isinstance(values, Power) else (values, Fraction(1))
        if not isinstance(bare, Call) or bare.function != "eigenvalues" or p not in (1, -1) or len(labels) != 1:
            continue
        (matrix,) = bare.args
        vectors = of("eigenvectors", matrix)
        own = [j for j, (f, at) in enumerate(node.factors) if f is vectors and at[1] == labels[0]]
        if len(own) == 2 and uses[labels[0]] == 3 and is_symmetric(matrix):
            whole = matrix if p == 1 else of("inverse", matrix)
            ends = tuple(node.factors[j][1][0] for j in own)
            return again(node, [*without(node.factors, k, *own), (whole, ends)])
    return None


def trace_of_sum(node: Node) -> Node | None:
    """tr(u vᵀ − A) = vᵀ u − tr A: the trace of a sum with an outer product in it."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        if not isinstance(factor, Sum) or len(labels) != 2 or labels[0] != labels[1] or uses[labels[0]] != 2:
            continue
        if any(_is_outer(term) for _, term in factor.terms):
            rest = without(node.factors, k)
            shape = node.shape
            parts = [(c, again(node, [*rest, (term, labels)])) for c, term in factor.terms]
            return add(parts, shape)
    return None


def _is_outer(node: Node) -> bool:
    """Whether its two axes are joined by nothing: u vᵀ."""
    if not isinstance(node, Product):
        return False
    near, grown = {0}, True
    while grown:
        reached = near.union(*(own for _, own in node.factors if near.intersection(own)))
        near, grown = reached, reached != near
    return 1 not in near


def logarithms_of_cholesky(node: Node) -> Node | None:
    """Σ log L_ii = ½ log det S for the Cholesky factor L of a symmetric S."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        if not isinstance(factor, Elementwise) or factor.function != "log" or len(labels) != 1 or uses[labels[0]] != 1:
            continue
        (inner,) = factor.args
        if isinstance(inner, Product) and len(inner.factors) == 1:
            ((root, at),) = inner.factors
            if isinstance(root, Call) and root.function == "cholesky" and at == (0, 0) and is_symmetric(root.args[0]):
                whole = scale(Fraction(1, 2), of("logdet", root.args[0]))
                return again(node, [*without(node.factors, k), (whole, ())])
    return None


def sums_to_one(node: Node) -> Node | None:
    """Σ_i softmax(x)_i = 1, and the entries of a one-hot row sum to 1."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        known = _is_call(factor, "softmax", "argmax", "argmin") or isinstance(factor, OneHot)
        if known and labels[-1] >= len(node.shape) and uses[labels[-1]] == 1:
            return again(node, _dropped(node, k))
    return None


def _dropped(node: Product, k: int) -> list[Factor]:
    """The factors without one whose last index is summed to 1; what it alone had stays counted."""
    _, labels = node.factors[k]
    rest = without(node.factors, k)
    kept = {label for _, own in rest for label in own} | set(range(len(node.shape)))
    ones = [label for label in dict.fromkeys(labels[:-1]) if label not in kept]
    sizes = [node.sizes[label] for label in ones]
    return [*rest, (product([], sizes, range(len(sizes))), tuple(ones))] if ones else rest


def exponential_along(node: Node) -> Node | None:
    """The derivative of exp at X in a direction E that X is a multiple of, or I: E exp(X)."""
    if not isinstance(node, Call) or node.function != "expm_frechet" or len(node.shape) != 2:
        return None
    x, direction = node.args
    if isinstance(direction, Delta):
        return of("expm", x)
    if _multiple(x, direction) or _multiple(direction, x):
        return matmul(direction, of("expm", x))
    return None


def _multiple(x: Node, y: Node) -> bool:
    """Whether x is y times scalars."""
    if x is y:
        return True
    own = [f for f in x.factors if f[1]] if isinstance(x, Product) else []
    return isinstance(x, Product) and product(own, x.sizes[:2], (0, 1)) is y


def exponential_adjoint(node: Node) -> Node | None:
    """Σ_ij L(Xᵀ, E)_ij C_ij = L(X, C)_ab where E is 1 at (a, b) alone: the derivative of exp is its own adjoint."""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        if not isinstance(factor, Call) or factor.function != "expm_frechet" or len(labels) != 4:
            continue
        x, unit = factor.args
        pairs = [at for f, at in unit.factors if isinstance(f, Delta)] if isinstance(unit, Product) else []
        if sorted(map(sorted, pairs)) != [[0, 2], [1, 3]] or len(unit.factors) != 2:  # type: ignore[attr-defined]
            continue
        for other, (matrix, at) in enumerate(node.factors):
            if other != k and sorted(at) == sorted(labels[2:]) and len(at) == 2:
                inner = _one_matrix(x)
                if inner is None or any(uses_of(node)[label] != 2 for label in at):
                    continue
                along = matrix if at == labels[2:] else permute(matrix, (1, 0))
                whole = of("expm_frechet", transpose(inner), along)
                return again(node, [*without(node.factors, k, other), (exponential_along(whole) or whole, labels[:2])])
    return None


def _one_matrix(x: Node) -> Node | None:
    """The matrix that a tensor repeats along its first two axes."""
    if not isinstance(x, Product) or any(label < 2 for _, labels in x.factors for label in labels):
        return None
    lowered = [(f, [label - 2 for label in labels]) for f, labels in x.factors]
    return product(lowered, x.sizes[2:4], (0, 1))


ROWS = (
    turned_argument,
    scaled_inverse,
    lower_triangle_of_cholesky,
    inverse_cancels,
    inverse_of_factors_cancels,
    inverse_of_product,
    orthogonal_columns,
    logarithms_of_cholesky,
    diagonal_of_triangle,
    determinant_of_eigenvalues,
    spectrum,
    trace_of_sum,
    sums_to_one,
    exponential_along,
    exponential_adjoint,
)
