"""The differential of an expression: dF for an increment dX, as an expression.

In: a node F, a leaf X, and an increment with X's axes.  Out: the node dF with F's axes, linear in the increment: what the
derivative does to it.  Forward mode, one rule for each node type, shared parts once; a sum inside a product stays one, so
d(r rᵀ) with r = A x - b is A dx rᵀ + r dxᵀ Aᵀ.  differentiate.py finds the derivative itself, by the other mode.
Source: Magnus and Neudecker, Matrix Differential Calculus (1988), chapters 5 and 8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .expr import Call, Elementwise, Leaf, Node, Number, Power, Product, Sum, add, delta, multiply, power, product, zero
from .functions import FUNCTIONS
from .matrix_functions import FUNCTIONS_OF_MATRICES, Pull
from .walk import children, ordered


def differential(node: Node, variable: Leaf, increment: Node) -> Node:
    """dF; shape: F's.

    >>> from matmagic.expr import leaf
    >>> t, dt = leaf("t", ()), leaf("dt", ())
    >>> differential(power(t, -1), t, dt).terms[0][0]
    Fraction(-1, 1)
    """
    moved: dict[Node, Node] = {}
    for part in ordered(node):
        if isinstance(part, Leaf):
            if part.name == variable.name:
                moved[part] = increment
        elif any(child in moved for child in children(part)):
            moved[part] = add(_moved(part, moved), part.shape)
    return moved.get(node, zero(node.shape))


def _moved(part: Node, moved: Mapping[Node, Node]) -> Iterator[tuple[Number, Node]]:
    """The terms of a part's differential, from those of its children."""
    match part:
        case Sum(terms=terms):
            yield from ((coefficient, moved[term]) for coefficient, term in terms if term in moved)
        case Product(factors=factors, sizes=sizes):
            rank = len(part.shape)
            for k, (factor, labels) in enumerate(factors):
                if factor in moved:
                    others = [*factors[:k], *factors[k + 1 :], (moved[factor], labels)]
                    yield 1, product(others, sizes[:rank], range(rank))
        case Power(base=base, exponent=p):
            yield p, multiply(power(base, p - 1), moved[base])
        case Elementwise(function=function, args=args):
            for arg, rule in zip(args, FUNCTIONS[function].slopes, strict=True):
                if arg in moved:
                    yield 1, multiply(rule(*args), moved[arg])
        case Call(function=function, args=args):
            row = FUNCTIONS_OF_MATRICES[function]
            slopes = row.adjoint(part, Pull(part, _identity(part), row.takes))
            for arg, slope in zip(args, slopes, strict=True):
                if arg in moved:
                    out, inner = range(len(part.shape)), range(len(part.shape), len(slope.shape))
                    yield 1, product([(slope, (*out, *inner)), (moved[arg], inner)], part.shape, out)


def _identity(node: Node) -> Node:
    """The derivative of a node by itself: a delta for each axis."""
    rank = len(node.shape)
    deltas = [(delta(size), (k, rank + k)) for k, size in enumerate(node.shape)]
    return product(deltas, (*node.shape, *node.shape), range(2 * rank))
