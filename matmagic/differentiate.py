"""The derivative of an expression, as an expression: reverse mode, one rule for each node type.

In: a node F and a leaf X.  Out: the node dF/dX with F's axes, then X's.  The adjoint of a part is the
derivative of F by it; each part hands its adjoint on to its children, shared parts once, so `r = A x - b` gives
2 A^T r and never its expansion.  For a Hessian the function is applied twice.
Source: the rules are the product, sum and power rule in index notation (Matrix Cookbook, 2012, section 2).
"""

from __future__ import annotations

from collections.abc import Iterator

from .expr import Call, Elementwise, Leaf, Node, Number, Power, Product, Sum, add, delta, power, product, zero
from .functions import FUNCTIONS
from .matrix_functions import FUNCTIONS_OF_MATRICES, Pull
from .walk import children, ordered


def differentiate(node: Node, variable: Leaf) -> Node:
    """dF/dX; shape: F's axes, then X's.

    >>> from matmagic.expr import leaf, multiply
    >>> t = leaf("t", ())
    >>> differentiate(multiply(t, t), t).terms[0][0]
    Fraction(2, 1)
    """
    rank = len(node.shape)
    found: dict[Node, list[tuple[Number, Node]]] = {node: [(1, _identity(node))]}
    result = zero((*node.shape, *variable.shape))
    active = depending(node, variable.name)
    for part in reversed(ordered(node, last_first=True)):  # terms come out in the order of F's
        if part not in active or part not in found:
            continue
        adjoint = add(found.pop(part), (*node.shape, *part.shape))
        if isinstance(part, Leaf):
            result = adjoint
        for child, contribution in _handed_on(part, adjoint, rank):
            if child in active:
                found.setdefault(child, []).append((1, contribution))
    return result


def _identity(node: Node) -> Node:
    """dF/dF: a delta for each axis."""
    rank = len(node.shape)
    deltas = [(delta(size), (k, rank + k)) for k, size in enumerate(node.shape)]
    return product(deltas, (*node.shape, *node.shape), range(2 * rank))


def depending(node: Node, name: str) -> set[Node]:
    """The parts that contain the leaf."""
    found: set[Node] = set()
    for part in ordered(node):
        if (isinstance(part, Leaf) and part.name == name) or found.intersection(children(part)):
            found.add(part)
    return found


def _handed_on(part: Node, adjoint: Node, rank: int) -> Iterator[tuple[Node, Node]]:
    """Each child with what this part adds to its adjoint; the first `rank` axes of an adjoint are F's."""
    front = tuple(range(-rank, 0))
    match part:
        case Sum(terms=terms):
            for coefficient, term in terms:
                yield term, add([(coefficient, adjoint)], adjoint.shape)
        case Power(base=base, exponent=p):
            axes = tuple(range(len(base.shape)))
            slope = power(base, p - 1)
            yield (
                base,
                add(
                    [(p, product([(adjoint, front + axes), (slope, axes)], adjoint.shape, front + axes))], adjoint.shape
                ),
            )
        case Elementwise(function=function, args=args):
            axes = tuple(range(len(part.shape)))
            for arg, rule in zip(args, FUNCTIONS[function].slopes, strict=True):
                yield arg, product([(adjoint, front + axes), (rule(*args), axes)], adjoint.shape, front + axes)
        case Call(function=function, args=args):
            row = FUNCTIONS_OF_MATRICES[function]
            yield from zip(args, row.adjoint(part, Pull(part, adjoint, row.takes)), strict=True)
        case Product():
            yield from _product_rule(part, adjoint, front)


def _product_rule(part: Product, adjoint: Node, front: tuple[int, ...]) -> Iterator[tuple[Node, Node]]:
    """d(Σ Π f_k) = Σ_k (the adjoint times the other factors), summed over what f_k does not have."""
    own = tuple(range(len(part.shape)))
    for k, (child, labels) in enumerate(part.factors):
        others = [(f, at) for j, (f, at) in enumerate(part.factors) if j != k]
        out, links = [], []
        for position, label in enumerate(labels):
            if label in labels[:position]:  # a diagonal: X_ii gives a delta
                fresh = len(part.sizes) + position
                links.append((delta(part.sizes[label]), (label, fresh)))
                label = fresh
            out.append(label)
        shape = (*adjoint.shape[: len(front)], *child.shape)
        yield child, product([(adjoint, front + own), *others, *links], shape, (*front, *out))
