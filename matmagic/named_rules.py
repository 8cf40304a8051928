"""Rewrite rows that find functions that have a name: exp(u) / Σ exp(u) = softmax(u), 1 / (1 + e⁻ᵘ) = σ(u).

Each row sees one node whose children are simple and gives an equal one, or None.  They hold wherever both sides are
defined, and need nothing of the arguments: exp is positive, and so is 1 + exp.
Not known here: which of two known forms is shorter where both have names, as 1 − σ(u) and σ(−u).
"""

from __future__ import annotations

from fractions import Fraction

from .canonical import key
from .expr import (
    Call,
    Elementwise,
    Labels,
    Node,
    Number,
    Power,
    Product,
    Sum,
    add,
    broadcast,
    elementwise,
    permute,
    power,
    product,
    scale,
    size_of,
)
from .functions import number_in
from .matrix_functions import of
from .matrix_rules import again, without


def is_negative(node: Node) -> bool:
    """Whether every term of a sum has a minus sign."""
    return isinstance(node, Sum) and bool(node.terms) and all(c < 0 for c, _ in node.terms)


def argument(node: Node, function: str) -> Node | None:
    """u for g(u), g this function."""
    return node.args[0] if isinstance(node, Elementwise) and node.function == function else None


def _one_and(node: Node, coefficient: Number, function: str) -> Node | None:
    """u for 1 + c g(u), g this function."""
    if not isinstance(node, Sum) or len(node.terms) != 2:
        return None
    for (one, first), (c, term) in (node.terms, node.terms[::-1]):
        if one == 1 and number_in(first) == 1 and c == coefficient:
            return argument(term, function)
    return None


def sigmoid(node: Node) -> Node | None:
    """1 / (1 + exp(−u)) = σ(u)"""
    if not isinstance(node, Power) or node.exponent >= 0:
        return None
    inner = _one_and(node.base, 1, "exp")
    return None if inner is None else power(elementwise("sigmoid", scale(-1, inner)), -node.exponent)


def less_sigmoid(node: Node) -> Node | None:
    """1 − σ(−u) = σ(u)"""
    inner = _one_and(node, -1, "sigmoid")
    return elementwise("sigmoid", scale(-1, inner)) if inner is not None and is_negative(inner) else None


def exponential_times_sigmoid(node: Node) -> Node | None:
    """exp(u) σ(−u) = σ(u)"""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        inner = argument(factor, "exp")
        if inner is None:
            continue
        partner = (elementwise("sigmoid", scale(-1, inner)), labels)
        if partner in node.factors:
            rest = without(node.factors, k, node.factors.index(partner))
            return again(node, [*rest, (elementwise("sigmoid", inner), labels)])
    return None


def tangent(node: Node) -> Node | None:
    """(exp(2u) − 1) / (exp(2u) + 1) = tanh(u), sinh(u) / cosh(u) = tanh(u)"""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        inner = _exponential_less_one(factor)
        below = inner and elementwise("sigmoid", scale(-1, inner))
        whole = inner and elementwise("tanh", scale(Fraction(1, 2), inner))
        if (sine := argument(factor, "sinh")) is not None:
            below, whole = power(elementwise("cosh", sine), -1), elementwise("tanh", sine)
        if below and whole and (below, labels) in node.factors:
            return again(node, [*without(node.factors, k, node.factors.index((below, labels))), (whole, labels)])
    return None


def _exponential_less_one(node: Node) -> Node | None:
    """u for exp(u) − 1."""
    if not isinstance(node, Sum) or len(node.terms) != 2:
        return None
    for (one, first), (c, term) in (node.terms, node.terms[::-1]):
        if one == -1 and number_in(first) == 1 and c == 1:
            return argument(term, "exp")
    return None


def size_and_sign(node: Node) -> Node | None:
    """sign(u) / |u| = 1 / u, |u| sign(u) = u"""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        inner = argument(factor, "sign")
        if inner is None:
            continue
        size = elementwise("abs", inner)
        for p in (-1, 1):
            partner = (power(size, p), labels)
            if partner in node.factors:
                rest = without(node.factors, k, node.factors.index(partner))
                return again(node, [*rest, (power(inner, p), labels)])
    return None


def logarithm_of_determinant(node: Node) -> Node | None:
    """log det X and log |det X| as functions of X"""
    inner = argument(node, "log")
    size = argument(inner, "abs") if inner is not None else None
    for determinant, name in ((inner, "logdet"), (size, "logabsdet")):
        if isinstance(determinant, Call) and determinant.function == "det":
            return of(name, *determinant.args)
    return None


def exponential_of_difference(node: Node) -> Node | None:
    """exp(u − logsumexp(u)) = softmax(u)"""
    inner = argument(node, "exp")
    if not isinstance(inner, Sum) or len(inner.terms) < 2:
        return None
    rank = len(inner.shape)
    for c, term in inner.terms:
        factors = term.factors if isinstance(term, Product) else ()
        if c == -1 and len(factors) == 1 and factors[0][1] == tuple(range(rank - 1)):
            (whole, _), *_ = factors
            rest = add([other for other in inner.terms if other[1] is not term], inner.shape)
            if isinstance(whole, Call) and whole.function == "logsumexp" and key(whole.args[0]) == key(rest):
                return of("softmax", rest)
    return None


def _sum_of_exponentials(node: Node) -> tuple[Node, Labels, int] | None:
    """For Σ exp(u) along one axis: u, the labels of its axes, by the axes of the sum, and which axis is summed."""
    if not isinstance(node, Product) or len(node.factors) != 1:
        return None
    ((factor, labels),) = node.factors
    inner, summed = argument(factor, "exp"), len(node.shape)
    if inner is None or not len(set(labels)) == len(labels) == summed + 1 == len(node.sizes):
        return None
    return inner, labels, labels.index(summed)


def _last(node: Node, axis: int) -> Node:
    """The node with this axis as its last one."""
    rank = len(node.shape)
    return node if axis == rank - 1 else permute(node, [*(k for k in range(rank) if k != axis), axis])


def softmax(node: Node) -> Node | None:
    """exp(u)_i / Σ_j exp(u)_j = softmax(u)_i"""
    if not isinstance(node, Product):
        return None
    for k, (below, outer) in enumerate(node.factors):
        found = _sum_of_exponentials(below.base) if isinstance(below, Power) and below.exponent <= -1 else None
        if found is None or not isinstance(below, Power):
            continue
        inner, labels, axis = found
        for other, (factor, own) in enumerate(node.factors):
            fits = all(own[a] == outer[label] for a, label in enumerate(labels) if a != axis and len(own) > a)
            if argument(factor, "exp") is inner and fits:
                named = (of("softmax", _last(inner, axis)), (*own[:axis], *own[axis + 1 :], own[axis]))
                rest = (power(below.base, below.exponent + 1), outer)
                return again(node, [*without(node.factors, k, other), named, rest])
    return None


def logarithm(node: Node) -> Node | None:
    """log exp(u) = u, log σ(u) = −softplus(−u), log(1 − σ(u)) = −softplus(u), log(1 + exp(u)) = softplus(u)"""
    inner = argument(node, "log")
    if inner is None:
        u = argument(argument(node, "log1p") or node, "exp")
        return elementwise("softplus", u) if u is not None and argument(node, "log1p") is not None else None
    if (u := argument(inner, "exp")) is not None:
        return u
    if (u := argument(inner, "sigmoid")) is not None:
        return scale(-1, elementwise("softplus", scale(-1, u)))
    if (u := _one_and(inner, -1, "sigmoid")) is not None:
        return scale(-1, elementwise("softplus", u))
    u = _one_and(inner, 1, "exp")
    return None if u is None else elementwise("softplus", u)


def logarithm_of_sum(node: Node) -> Node | None:
    """log Σ exp(u) = logsumexp(u), log softmax(u) = u − logsumexp(u)"""
    inner = argument(node, "log")
    if isinstance(inner, Call) and inner.function == "softmax":
        (u,) = inner.args
        rank = len(u.shape)
        whole = product([(of("logsumexp", u), range(rank - 1))], u.shape, range(rank))
        return add([(1, u), (-1, whole)], u.shape)
    found = _sum_of_exponentials(inner) if inner is not None else None
    if found is None:
        return None
    u, labels, axis = found
    whole = of("logsumexp", _last(u, axis))
    return product([(whole, without_axis(labels, axis))], node.shape, range(len(node.shape)))


def without_axis(labels: Labels, axis: int) -> Labels:
    """The labels of the other axes."""
    return (*labels[:axis], *labels[axis + 1 :])


def shifted(node: Node) -> Node | None:
    """softmax(u + c 𝟏) = softmax(u), logsumexp(u + c 𝟏) = logsumexp(u) + c; softmax(c 𝟏) = 𝟏 / n, logsumexp(0) = log n"""
    if not isinstance(node, Call) or node.function not in ("softmax", "logsumexp"):
        return None
    (u,) = node.args
    terms = u.terms if isinstance(u, Sum) else ((1, u),)
    last = len(u.shape) - 1
    even = [(c, t) for c, t in terms if isinstance(t, Product) and all(last not in own for _, own in t.factors)]
    rest = [term for term in terms if term not in even]
    if rest and not even:
        return None
    count = size_of(u.shape[-1])
    equal = power(count, -1) if node.function == "softmax" else elementwise("log", count)
    inner = of(node.function, add(rest, u.shape)) if rest else broadcast(equal, node.shape)
    if node.function == "softmax":
        return inner
    return add([(1, inner), *((c, _one_of(t)) for c, t in even if isinstance(t, Product))], node.shape)


def _one_of(node: Product) -> Node:
    """What is the same all along its last axis, without that axis."""
    last = len(node.shape) - 1
    return product(node.factors, node.sizes[:last], range(last))


ROWS = (
    sigmoid,
    less_sigmoid,
    exponential_times_sigmoid,
    tangent,
    size_and_sign,
    logarithm_of_determinant,
    exponential_of_difference,
    softmax,
    logarithm,
    logarithm_of_sum,
    shifted,
)
