"""Rewrite rows for declared properties: Qᵀ Q = I for an orthogonal Q, 𝟏ᵀ y = 1 for a one-hot y.

In: the property of each leaf, in the words of the option --assume.  Out: rows that hold for values with them; a
derivative is found first, for all values.  Symmetric leaves are simplify's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from .expr import Leaf, Node, Product, delta
from .matrix_rules import again, uses_of, without

Row = Callable[[Mapping[str, str], Node], Node | None]

INVERSE_ON_THE_LEFT = frozenset({"orthogonal", "orthonormal-columns"})  # QᵀQ = I
SUMS_TO_ONE = {1: frozenset({"simplex", "one-hot"}), 2: frozenset({"one-hot", "row-stochastic"})}  # by axes


def orthogonal(assumed: Mapping[str, str], node: Node) -> Node | None:
    """QᵀQ = I for orthonormal columns, QQᵀ = I too for a square Q"""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (first, a) in enumerate(node.factors):
        held = assumed.get(first.name) if isinstance(first, Leaf) and len(a) == 2 else None
        for shared in (0, 1) if held == "orthogonal" else (0,) if held in INVERSE_ON_THE_LEFT else ():
            for other in range(k + 1, len(node.factors)):
                second, b = node.factors[other]
                if second is first and a[shared] == b[shared] and uses[a[shared]] == 2:
                    whole = (delta(first.shape[1 - shared]), (a[1 - shared], b[1 - shared]))
                    return again(node, [*without(node.factors, k, other), whole])
    return None


def of_length_one(assumed: Mapping[str, str], node: Node) -> Node | None:
    """xᵀx = 1 for a unit vector"""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        if isinstance(factor, Leaf) and assumed.get(factor.name) == "unit" and len(labels) == 1:
            same = [j for j, f in enumerate(node.factors) if f == (factor, labels)]
            if len(same) == 2 == uses[labels[0]] and labels[0] >= len(node.shape):
                return again(node, without(node.factors, k, *same))
    return None


def sums_to_one(assumed: Mapping[str, str], node: Node) -> Node | None:
    """𝟏ᵀy = 1 for a distribution, Y𝟏 = 𝟏 where each row is one"""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        known = isinstance(factor, Leaf) and assumed.get(factor.name) in SUMS_TO_ONE.get(len(labels), ())
        lone = known and labels[-1] >= len(node.shape) and uses[labels[-1]] == 1
        if lone and all(label < len(node.shape) or uses[label] > 1 for label in labels[:-1]):
            return again(node, without(node.factors, k))
    return None


ROWS: tuple[Row, ...] = (orthogonal, of_length_one, sums_to_one)


def rows_for(assumed: Mapping[str, str]) -> tuple[Callable[[Node], Node | None], ...]:
    """The rows for these properties."""
    return tuple(partial(row, assumed) for row in ROWS) if assumed else ()
