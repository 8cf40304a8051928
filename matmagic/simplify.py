"""Rewrite an expression to its shortest known form, one row a rule.

In: an expression and what is known of its leaves.  Out: an equal expression.  A row sees a node whose children are
already simple and gives another or None; `simplify` applies the rows until none fires, and tells `record` of every
rewrite, which is where derivation steps come from.  Equality up to order is by canonical keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from . import matrix_rules
from .canonical import is_symmetric, key
from .expr import Leaf, Node, Number, Power, Product, Sum, add, power, product
from .functions import at_zero
from .walk import ordered, rebuild, transform, with_fields

Rule = Callable[[Node], Node | None]
Record = Callable[[str, Node, Node], None]


def like_terms(node: Node) -> Node | None:
    """a f(i,j) + b f(i,j) = (a + b) f(i,j), whatever the order of factors in f."""
    if not isinstance(node, Sum) or len(node.terms) < 2:
        return None
    groups: dict[bytes, list[tuple[Number, Node]]] = {}
    for coefficient, term in node.terms:
        groups.setdefault(key(term), []).append((coefficient, term))
    if len(groups) == len(node.terms):
        return None
    return add([(sum(c for c, _ in same), same[0][1]) for same in groups.values()], node.shape)


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
    if not swapped:
        return None
    rank = len(node.shape)
    return product([(swapped.get(f, f), labels) for f, labels in node.factors], node.sizes[:rank], range(rank))


def symmetric_transpose(node: Node) -> Node | None:
    """M^T = M for a symmetric M, inside a product: its two labels in order."""
    if not isinstance(node, Product):
        return None
    factors = [
        (f, tuple(sorted(labels)) if len(labels) == 2 and not isinstance(f, Leaf) and is_symmetric(f) else labels)
        for f, labels in node.factors
    ]
    if factors == list(node.factors):
        return None
    rank = len(node.shape)
    return product(factors, node.sizes[:rank], range(rank))


def wide_sums(node: Node) -> Node | None:
    """(S + T)_ijk U = S_ijk U + T_ijk U: a factor with more than two indices has no matrix notation."""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        if isinstance(factor, Sum) and len(labels) > 2:
            shape = node.sizes[: len(node.shape)]
            parts = [[*node.factors[:k], (term, labels), *node.factors[k + 1 :]] for _, term in factor.terms]
            products = [product(part, shape, range(len(shape))) for part in parts]
            return add([(c, p) for (c, _), p in zip(factor.terms, products, strict=True)], node.shape)
    return None


RULES: tuple[Rule, ...] = (at_zero, like_terms, like_factors, symmetric_transpose, *matrix_rules.ROWS)


def simplify(node: Node, symmetric: Iterable[str] = (), record: Record | None = None) -> Node:
    """An equal expression, with the leaves named in `symmetric` equal to their transposes."""
    names = set(symmetric)
    if names:

        def declared(part: Node) -> Node:
            matrix = isinstance(part, Leaf) and part.name in names and len(part.shape) == 2
            return with_fields(part, symmetric=True) if matrix else part

        node = transform(node, declared)
    return _rewritten(node, RULES, record)


def written_out(node: Node) -> Node:
    """The expression as notation needs it: sums with more than two indices multiplied out, which code does without."""
    return _rewritten(node, (*RULES, wide_sums), None)


def _rewritten(node: Node, rules: Sequence[Rule], record: Record | None) -> Node:
    done: dict[Node, Node] = {}
    for part in ordered(node):
        done[part] = _settled(rebuild(part, done), rules, record)
    return done[node]


def _settled(node: Node, rules: Sequence[Rule], record: Record | None) -> Node:
    changed = True
    while changed:
        changed = False
        for rule in rules:
            better = rule(node)
            if better is not None and better is not node:
                if record:
                    record((rule.__doc__ or "").strip(), node, better)
                node, changed = better, True
    return node


def expand(node: Node, most_terms: int = 64) -> Node | None:
    """The expression with every product of sums multiplied out; None beyond `most_terms` terms."""

    class TooMany(Exception):
        pass

    def multiply_out(part: Node) -> Node:
        if not isinstance(part, Product):
            return part
        rank = len(part.shape)
        terms: list[tuple[Number, list[tuple[Node, tuple[int, ...]]]]] = [(Fraction(1), [])]
        for factor, labels in part.factors:
            choices = factor.terms if isinstance(factor, Sum) else ((Fraction(1), factor),)
            terms = [(c * d, [*chosen, (t, labels)]) for c, chosen in terms for d, t in choices]
            if len(terms) > most_terms:
                raise TooMany
        return add([(c, product(chosen, part.sizes[:rank], range(rank))) for c, chosen in terms], part.shape)

    try:
        return simplify(transform(node, lambda part: _flattened(multiply_out(part))))
    except TooMany:
        return None


def _flattened(node: Node) -> Node:
    """A sum with its inner sums opened, whatever their coefficients."""
    if not isinstance(node, Sum):
        return node
    terms: list[tuple[Number, Node]] = []
    for coefficient, term in node.terms:
        terms += [(coefficient * c, t) for c, t in term.terms] if isinstance(term, Sum) else [(coefficient, term)]
    return add(terms, node.shape)
