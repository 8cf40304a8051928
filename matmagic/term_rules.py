"""Rewrite rows for sums and products of terms: like ones as one, multiplied out where that cancels.

Each row sees one node whose children are simple and gives an equal one, or None.  Factored forms stay factored: a
product of sums is multiplied out only where terms then meet and the whole gets shorter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from .canonical import key
from .expr import (
    Elementwise,
    Factor,
    Node,
    Number,
    Power,
    Product,
    Sum,
    add,
    elementwise,
    number,
    power,
    product,
    scale,
    zero,
)
from .matrix_rules import again, sums_to_one, uses_of
from .named_rules import is_negative
from .walk import written_size

MOST_TERMS = 16  # of a sum that is multiplied out to see what cancels
LONGEST = 200  # nodes of one

Terms = list[tuple[Number, Node]]


def like_terms(node: Node) -> Node | None:
    """a f(i,j) + b f(i,j) = (a + b) f(i,j), whatever the order of factors in f."""
    if not isinstance(node, Sum) or len(node.terms) < 2:
        return None
    terms = _collected(node.terms)
    return None if len(terms) == len(node.terms) else add(terms, node.shape)


def _collected(terms: Iterable[tuple[Number, Node]]) -> Terms:
    """Equal terms as one."""
    groups: dict[bytes, Terms] = {}
    for coefficient, term in terms:
        groups.setdefault(key(term), []).append((coefficient, term))
    totals = [(sum(c for c, _ in same), same[0][1]) for same in groups.values()]
    return [(c, term) for c, term in totals if c]


def like_factors(node: Node) -> Node | None:
    """f(i) f(i) = f(i)^2 where the two are equal but were built in another order."""
    if not isinstance(node, Product):
        return None
    first: dict[bytes, Node] = {}
    swapped: dict[Node, Node] = {}
    for factor, _ in node.factors:
        base = factor.base if isinstance(factor, Power) else factor
        kept = first.setdefault(key(base), base)
        if kept is not base:
            swapped[factor] = power(kept, factor.exponent) if isinstance(factor, Power) else kept
    return again(node, [(swapped.get(f, f), labels) for f, labels in node.factors]) if swapped else None


def multiplied_out(node: Node) -> Node | None:
    """(a + b) c − b c = a c: a sum whose products of sums, multiplied out, cancel."""
    if not isinstance(node, Sum) or len(node.terms) < 2 or not any(_has_sum(t) for _, t in node.terms):
        return None
    size = written_size(node)
    opened = _opened(node.terms) if size < LONGEST else None
    if opened is None or not len(node.terms) < len(opened) <= MOST_TERMS:
        return None
    terms = _collected(opened)
    if len(terms) == len(opened):
        return None
    shorter = add(terms, node.shape)
    return shorter if written_size(shorter) < size else None


def _has_sum(node: Node) -> bool:
    """Whether it is a sum, or a product with one, or with σ(−u), which is 1 − σ(u)."""
    return isinstance(node, Sum) or (isinstance(node, Product) and any(_as_sum(f) for f, _ in node.factors))


def _as_sum(node: Node) -> Sum | None:
    """The node as a sum of several terms."""
    if isinstance(node, Elementwise) and node.function == "sigmoid" and is_negative(node.args[0]):
        turned = elementwise("sigmoid", scale(-1, node.args[0]))
        return _as_sum(add([(1, number(1, node.shape)), (-1, turned)], node.shape))
    return node if isinstance(node, Sum) and len(node.terms) > 1 else None


def _opened(terms: Sequence[tuple[Number, Node]]) -> Terms | None:
    """The terms multiplied out, those of sums in sums too; None where there are too many."""
    found: Terms = []
    for c, term in terms:
        own = _as_sum(term)
        inner: Terms | None = [(Fraction(1), term)]
        if own is not None:
            inner = _opened(own.terms)
        elif isinstance(term, Product) and _has_sum(term):
            inner = distributed(term)
        if inner is None:
            return None
        found += [(c * d, t) for d, t in inner]
    return found


def distributed(node: Product, chosen: Node | None = None) -> Terms | None:
    """The product multiplied out, by all its sums or by the chosen one; None beyond MOST_TERMS terms."""
    rank = len(node.shape)
    terms: list[tuple[Number, list[Factor]]] = [(Fraction(1), [])]
    for factor, labels in node.factors:
        own = _as_sum(factor) if chosen is None or factor is chosen else None
        choices: Sequence[tuple[Number, Node]] = own.terms if own is not None else ((Fraction(1), factor),)
        if len(terms) * len(choices) > MOST_TERMS:
            return None
        terms = [(c * d, [*done, (t, labels)]) for c, done in terms for d, t in choices]
    found: Terms = []
    for c, factors in terms:
        part = product(factors, node.sizes[:rank], range(rank))
        inner = part.terms if isinstance(part, Sum) and len(part.terms) < 2 else ((Fraction(1), part),)
        found += [(c * d, t) for d, t in inner]
    return found


def sums_to_zero(node: Node) -> Node | None:
    """Σ_i (x_i − mean x) = 0: a sum all of whose terms, summed along an axis, cancel."""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for factor, labels in node.factors:
        if not isinstance(factor, Sum) or len(factor.terms) < 2:
            continue
        for axis, label in enumerate(labels):
            if uses[label] == 1 and _cancels(factor, axis):
                return zero(node.shape)
    return None


def _cancels(node: Sum, axis: int) -> bool:
    """Whether the sum along an axis is 0."""
    rest = [k for k in range(len(node.shape)) if k != axis]
    shape = [node.shape[k] for k in rest]
    summed = [(c, product([(term, range(len(node.shape)))], shape, rest)) for c, term in node.terms]
    summed = [(c, sums_to_zero(s) or sums_to_one(s) or s) for c, s in summed]
    return not _collected((c * d, t) for c, s in summed for d, t in (s.terms if isinstance(s, Sum) else ((1, s),)))


def powers_of_products(node: Node) -> Node | None:
    """A_ij x_j (Σ_k A_ik x_k)⁻² = (A x)_i⁻¹: what stands below a line, and factor by factor beside it."""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        if isinstance(factor, Power) and factor.exponent < 0 and isinstance(factor.base, Product):
            rest = _without_product(node, k, factor.base, labels)
            if rest is not None:
                return again(node, [*rest, (power(factor.base, factor.exponent + 1), labels)])
    return None


def _without_product(node: Product, place: int, base: Product, labels: Sequence[int]) -> list[Factor] | None:
    """The other factors without those of the base at these labels; None where they aren't all there."""
    left = [f for k, f in enumerate(node.factors) if k != place]
    uses = uses_of(node)
    inner = Counter(label for _, own in base.factors for label in own)

    def taken(at: int, meant: dict[int, int], rest: list[Factor]) -> list[Factor] | None:
        if at == len(base.factors):
            return rest
        own, places = base.factors[at]
        for factor in rest:
            if factor[0] is own:
                now = dict(meant)
                alike = all(now.setdefault(a, b) == b for a, b in zip(places, factor[1], strict=True))
                summed = [a for a in places if a >= len(base.shape)]
                if alike and all(uses[now[a]] == inner[a] for a in summed):
                    others = list(rest)
                    others.remove(factor)
                    found = taken(at + 1, now, others)
                    if found is not None:
                        return found
        return None

    return taken(0, dict(enumerate(labels)), left)


def quotients_cancel(node: Node) -> Node | None:
    """(a / b + c / d) b d = a d + c b"""
    if not isinstance(node, Product):
        return None
    for factor, labels in node.factors:
        if not isinstance(factor, Sum) or len(factor.terms) < 2:
            continue
        below = [{(p.base, own) for p, own in _factors(t, labels) if isinstance(p, Power) and p.exponent < 0}
                 for _, t in factor.terms]  # fmt: skip
        others = {(f.base if isinstance(f, Power) else f, own) for f, own in node.factors if f is not factor}
        if not any(own & others for own in below):
            continue
        opened = distributed(node, factor)
        whole = None if opened is None else add(opened, node.shape)
        if whole is not None and written_size(whole) < written_size(node):
            return whole
    return None


def _factors(node: Node, labels: Sequence[int]) -> list[Factor]:
    """The factors of a term that are all along the axes of it, by these labels."""
    if not isinstance(node, Product):
        return [(node, tuple(labels))]
    return [(f, tuple(labels[k] for k in own)) for f, own in node.factors if all(k < len(labels) for k in own)]


def wide_sums(node: Node) -> Node | None:
    """(S + T)_ijk U = S_ijk U + T_ijk U: a factor with more than two indices has no matrix notation."""
    if not isinstance(node, Product):
        return None
    for factor, labels in node.factors:
        if isinstance(factor, Sum) and len(labels) > 2:
            shape = node.sizes[: len(node.shape)]
            k = node.factors.index((factor, labels))
            parts = [[*node.factors[:k], (term, labels), *node.factors[k + 1 :]] for _, term in factor.terms]
            products = [product(part, shape, range(len(shape))) for part in parts]
            return add([(c, p) for (c, _), p in zip(factor.terms, products, strict=True)], node.shape)
    return None


ROWS = (like_terms, like_factors, powers_of_products, sums_to_zero)
LAST = (quotients_cancel, multiplied_out)  # where no other row fires
