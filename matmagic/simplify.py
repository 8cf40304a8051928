"""Rewrite an expression to its shortest known form, one row a rule.

In: an expression and what is known of its leaves.  Out: an equal expression.  A row sees a node whose children are
already simple and gives another or None; `simplify` applies the rows until none fires, and tells `record` of every
rewrite, which is where derivation steps come from.  Equality up to order is by canonical keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from . import matrix_rules, named_rules, slice_rules, term_rules
from .canonical import is_symmetric
from .expr import Leaf, Node, Number, Product, Sum, add, exact, product
from .functions import at_zero
from .property_rules import rows_for
from .walk import ordered, rebuild, transform, with_fields

Rule = Callable[[Node], Node | None]
Record = Callable[[str, Node, Node], None]


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


RULES: tuple[Rule, ...] = (
    at_zero, *term_rules.ROWS, *slice_rules.ROWS, symmetric_transpose, *matrix_rules.ROWS, *named_rules.ROWS
)  # fmt: skip


def simplify(
    node: Node,
    symmetric: Iterable[str] = (),
    record: Record | None = None,
    assumed: Mapping[str, str] | None = None,
    kept: Node | None = None,
) -> Node:
    """An equal expression, with the leaves named in `symmetric` equal to their transposes.

    `assumed` are other properties by name, in the words of --assume, that the values have; parts of `kept` stay
    factored, whatever cancels.
    """
    names = set(symmetric)
    if names:

        def declared(part: Node) -> Node:
            matrix = isinstance(part, Leaf) and part.name in names and len(part.shape) == 2
            return with_fields(part, symmetric=True) if matrix else part

        node = transform(node, declared)
        kept = transform(kept, declared) if kept is not None else None
    parts = {*ordered(kept), *ordered(_rewritten(kept, RULES))} if kept is not None else ()
    return _rewritten(node, (*RULES, *rows_for(assumed or {})), term_rules.LAST, record, parts)


def with_names(node: Node) -> Node:
    """The function with exp(u) / Σ exp(u) as softmax(u), 1 / (1 + e⁻ᵘ) as σ(u): its derivative is then in these too."""
    return _rewritten(node, named_rules.ROWS)


def written_out(node: Node) -> Node:
    """The expression as notation needs it: sums with more than two indices multiplied out, which code does without."""
    return _rewritten(node, (*RULES, term_rules.wide_sums))


def _rewritten(
    node: Node,
    rules: Sequence[Rule],
    last: Sequence[Rule] = (),
    record: Record | None = None,
    kept: Collection[Node] = (),
) -> Node:
    """The node and all below it after every rule that fires; `last` are those to try where no other does."""
    done: dict[Node, Node] = {}
    for part in ordered(node):
        better: Node | None = rebuild(part, done)
        own = rules if part in kept else (*rules, *last)
        while better is not None:
            settled = better
            better = next((b for rule in own if (b := _told(rule, settled, record)) is not None), None)
        done[part] = settled
    return done[node]


def _told(rule: Rule, node: Node, record: Record | None) -> Node | None:
    """What a rule makes of a node, if it is another one."""
    better = rule(node)
    if better is None or better is node:
        return None
    if record:
        record((rule.__doc__ or "").strip(), node, better)
    return better


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
        return simplify(transform(node, lambda part: flattened(multiply_out(part))))
    except TooMany:
        return None


def flattened(node: Node) -> Node:
    """A sum with its inner sums opened, whatever their coefficients."""
    if not isinstance(node, Sum):
        return node
    terms: list[tuple[Number, Node]] = []
    for coefficient, term in node.terms:
        terms += [(coefficient * c, t) for c, t in term.terms] if isinstance(term, Sum) else [(coefficient, term)]
    return add(terms, node.shape)


def opened(node: Node) -> Node:
    """c (s + t) as c s + c t, for a number c in front, and 𝟏ᵀ(s + t) as 𝟏ᵀ s + 𝟏ᵀ t."""
    if isinstance(node, Product):
        sums = [k for k, (factor, _) in enumerate(node.factors) if isinstance(factor, Sum)]
        return opened(_distributed(node, sums[0])) if len(sums) == 1 else node
    if not isinstance(node, Sum) or not any(isinstance(term, Sum | Product) for _, term in node.terms):
        return node
    within = ((c, opened(term) if isinstance(term, Product) else term) for c, term in node.terms)
    inner = ((c, term.terms if isinstance(term, Sum) else ((Fraction(1), term),)) for c, term in within)
    whole = add([(exact(c * own), term) for c, terms in inner for own, term in terms], node.shape)
    return whole if whole is node else opened(whole)


def _distributed(node: Product, place: int) -> Node:
    """The product with one of its factors, a sum, opened."""
    rank = len(node.shape)
    summed, labels = node.factors[place]
    others = [factor for k, factor in enumerate(node.factors) if k != place]
    terms = summed.terms if isinstance(summed, Sum) else ()
    parts = [(c, product([*others, (term, labels)], node.sizes[:rank], range(rank))) for c, term in terms]
    return add(parts, node.shape)
