"""Positive definite by structure: BᵀB + I, S⁻¹, A S Aᵀ + Σ, whatever the values.

In: a matrix expression, and which arguments are declared to have which property.  Out: whether every value of it is
positive definite, or positive semidefinite; False where nothing here says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from .expr import Call, Delta, Elementwise, Factor, Leaf, Node, Power, Product, SizeOf, Sum

POSITIVE = frozenset({"exp", "sigmoid", "softplus", "cosh"})  # functions of a number
DEFINITE = "positive-definite"


def is_definite(node: Node, assumed: Mapping[str, str]) -> bool:
    """Whether xᵀ M x > 0 for each x that is not 0.

    >>> from .expr import add, delta, leaf, product
    >>> B = leaf("B", ("m", "n"))
    >>> gram = product([(B, (2, 0)), (B, (2, 1))], ("n", "n"), (0, 1))
    >>> is_definite(gram, {}), is_definite(add([(1, gram), (2, delta("n"))], ("n", "n")), {})
    (False, True)
    """
    match node:
        case Delta():
            return True
        case Leaf(name=name):
            return assumed.get(name) == DEFINITE
        case Call(function="inverse", args=(inner,)):
            return is_definite(inner, assumed)
        case Sum(terms=terms):
            own = [c > 0 and is_semidefinite(term, assumed) for c, term in terms]
            return all(own) and any(is_definite(term, assumed) for _, term in terms)
        case Product():
            matrices, scalars = _parted(node)
            whole = len(matrices) == 1 and matrices[0][1] in ((0, 1), (1, 0))
            return whole and is_definite(matrices[0][0], assumed) and all(_is_positive(s, assumed) for s in scalars)
    return False


def is_semidefinite(node: Node, assumed: Mapping[str, str]) -> bool:
    """Whether xᵀ M x ≥ 0 for every x: a definite matrix, v vᵀ, A Aᵀ, A S Aᵀ, a sum of such."""
    if is_definite(node, assumed):
        return True
    if isinstance(node, Sum):
        return all(c > 0 and is_semidefinite(term, assumed) for c, term in node.terms)
    if not isinstance(node, Product) or len(node.shape) != 2:
        return False
    matrices, scalars = _parted(node)
    if not all(_is_positive(s, assumed) for s in scalars):
        return False
    first, last = (next((f for f in matrices if axis in f[1]), None) for axis in (0, 1))
    if first is None or last is None or not _mirrored(first, last):
        return False
    middle = [*matrices]
    middle.remove(first)
    middle.remove(last)
    left, right = (tuple(label for label in own if label not in (0, 1)) for _, own in (first, last))
    if not middle:
        return left == right
    ((core, labels), *more) = middle
    return not more and labels in (left + right, right + left) and is_semidefinite(core, assumed)


def _parted(node: Product) -> tuple[list[Factor], list[Node]]:
    """The factors with an index, and the scalars."""
    return [f for f in node.factors if f[1]], [f for f, labels in node.factors if not labels]


def _mirrored(one: Factor, other: Factor) -> bool:
    """Whether two factors are one tensor, with the row of the result where the other has its column."""
    return one[0] is other[0] and one[1].index(0) == other[1].index(1) and 1 not in one[1] and 0 not in other[1]


def _is_positive(node: Node, assumed: Mapping[str, str]) -> bool:
    """A number that is above 0, whatever the values."""
    match node:
        case Leaf(name=name):
            return assumed.get(name) in ("positive", "above-one", "unit-interval")
        case Power(base=base):
            return _is_positive(base, assumed)
        case Elementwise(function=function):
            return function in POSITIVE
    return isinstance(node, SizeOf)
