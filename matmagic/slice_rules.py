"""Rewrite rows for slices: of what was put together from pieces, a slice is the piece.

Rows of an identity matrix, S_ij, choose entries along j: all of a run of places, or one (a unit vector).  Each row of this
table sees one node whose children are simple and gives an equal one, or None.  A size letter is at least 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from .expr import (
    Basis,
    Elementwise,
    Factor,
    Labels,
    Node,
    Number,
    Power,
    Product,
    Selection,
    Sum,
    add,
    basis,
    elementwise,
    exact,
    number,
    power,
    product,
    selection,
    zero,
)
from .lengths import Size, parts, plus
from .matrix_rules import again, uses_of, without
from .term_rules import like_terms

Run = tuple[Size, Size]  # its first place, and the first place behind it


def slices_meet(node: Node) -> Node | None:
    """Σ_k S_ik T_jk for rows S and T of one identity matrix: I where they are the same rows, 0 where no row is in both"""
    if not isinstance(node, Product):
        return None
    for (k, outer), (other, inner) in permutations(_runs(node), 2):
        (wide, labels), (narrow, others) = node.factors[k], node.factors[other]
        if labels[-1] != others[-1]:
            continue
        if _apart(outer, inner):
            return zero(node.shape)
        if not isinstance(wide, Selection) or labels[0] == others[0] or not _within(outer, inner):
            continue
        start, count = plus(inner[0], outer[0], -1), wide.shape[0]
        if isinstance(narrow, Basis):
            return again(node, [*without(node.factors, k), (basis(count, start), labels[:1])])
        rows = (selection(narrow.shape[0], count, start), (others[0], labels[0]))
        gone = (k, other) if _is_between(node, labels[1]) else (k,)
        return again(node, [*without(node.factors, *gone), rows])
    return None


def slice_of_slice(node: Node) -> Node | None:
    """Σ_j S_ij T_jk = U_ik for rows S of I and rows T of another one: rows of it, and an entry of them is one of its own"""
    if not isinstance(node, Product):
        return None
    for k, (first, labels) in enumerate(node.factors):
        for other, (second, others) in enumerate(node.factors):
            if not isinstance(second, Selection) or labels[-1:] != others[:1] or not _is_between(node, others[0]):
                continue
            size, rest = second.shape[1], without(node.factors, k, other)
            if isinstance(first, Basis):
                place = plus(second.start, first.position, second.step)
                return again(node, [*rest, (basis(size, place), others[1:])])
            if isinstance(first, Selection) and labels[0] != others[1]:
                start = plus(second.start, first.start, second.step)
                rows = selection(first.shape[0], size, start, first.step * second.step)
                return again(node, [*rest, (rows, (labels[0], others[1]))])
    return None


def slice_of_pieces(node: Node) -> Node | None:
    """f([x; y])_{1:n} = f(x): a slice of what is put together from pieces, each at places of its own"""
    if not isinstance(node, Product):
        return None
    runs = _runs(node)
    for k, (factor, labels) in enumerate(node.factors):
        for other, _ in runs:
            rows = node.factors[other]
            if other == k or labels.count(rows[1][-1]) != 1:
                continue
            found = _sliced(factor, labels, rows)
            if found is not None:
                gone = (k, other) if _is_between(node, rows[1][-1]) else (k,)
                return again(node, [*without(node.factors, *gone), (found, _left(labels, rows))])
    return None


def pieces_meet(node: Node) -> Node | None:
    """[A B] [x; y] = A x + B y: what is put together from pieces, along an index at which they meet"""
    if not isinstance(node, Product):
        return None
    for k, (factor, labels) in enumerate(node.factors):
        if not isinstance(factor, Sum) or len(factor.terms) < 2:
            continue
        for other, (met, others) in enumerate(node.factors):
            shared = set(labels).intersection(others)
            if other == k or isinstance(met, Selection | Basis) or len(shared) != 1:
                continue
            (label,) = shared
            if not _is_between(node, label):
                continue
            left = tuple(dict.fromkeys(name for name in (*labels, *others) if name != label))
            sizes = [node.sizes[name] for name in left]
            products = [(c, product([(term, labels), (met, others)], sizes, left)) for c, term in factor.terms]
            found = [(c, better) for c, part in products if (better := slice_of_pieces(part)) is not None]
            if len(found) == len(products):
                whole = _sum([(c, _met(part)) for c, part in found])
                return again(node, [*without(node.factors, k, other), (whole, left)])
    return None


def whole_rows(node: Node) -> Node | None:
    """S 𝟏 = 𝟏 for rows S of an identity matrix"""
    if not isinstance(node, Product):
        return None
    uses = uses_of(node)
    for k, (factor, labels) in enumerate(node.factors):
        if isinstance(factor, Selection) and uses[labels[1]] == 1:
            return again(node, [*without(node.factors, k), (number(1, factor.shape[:1]), labels[:1])])
    return None


# ---- the slice of a node --------------------------------------------------------------------------------------------


def _sliced(node: Node, labels: Labels, rows: Factor) -> Node | None:
    """The slice, entry by entry down to the pieces; None where there are others than pieces."""
    match node:
        case Sum(terms=terms) if terms:
            found = [(c, part) for c, term in terms if (part := _sliced(term, labels, rows)) is not None]
            return _sum(found) if len(found) == len(terms) else None
        case Power(base=base, exponent=exponent):
            own = _sliced(base, labels, rows)
            return None if own is None else power(own, exponent)
        case Elementwise(function=function, args=args):
            known = [part for arg in args if (part := _sliced(arg, labels, rows)) is not None]
            return elementwise(function, *known) if len(known) == len(args) else None
        case Product() | Selection() | Basis() if _is_piece(node, labels.index(rows[1][-1]), rows[0]):
            left = _left(labels, rows)
            return _met(product([rows, (node, labels)], _sizes(node, labels, rows), left))
        case Product():
            return _sliced_factors(node, labels, rows)
    return None


def _sliced_factors(node: Product, labels: Labels, rows: Factor) -> Node | None:
    """A product with the slice of each factor along the axis."""
    first = 1 + max(*labels, *rows[1])  # those below 0 are product's own
    names = (*labels, *(first + k for k in range(len(node.sizes) - len(labels))))
    found: list[Factor] = []
    for factor, places in node.factors:
        own = tuple(names[place] for place in places)
        if rows[1][-1] not in own:
            found.append((factor, own))
            continue
        part = _sliced(factor, own, rows) if own.count(rows[1][-1]) == 1 else None
        if part is None:
            return None
        found.append((part, _left(own, rows)))
    return product(found, _sizes(node, labels, rows), _left(labels, rows))


def _left(labels: Labels, rows: Factor) -> Labels:
    """The axes of a slice: those of the rows that are chosen, and the others of what they are chosen from."""
    return tuple(dict.fromkeys(label for label in (*rows[1][:-1], *labels) if label != rows[1][-1]))


def _sizes(node: Node, labels: Labels, rows: Factor) -> list[Size]:
    """The sizes of these axes."""
    sizes = dict(zip((*rows[1], *labels), (*rows[0].shape, *node.shape), strict=True))
    return [sizes[label] for label in _left(labels, rows)]


def _is_piece(node: Node, axis: int, rows: Node) -> bool:
    """Whether it is constant along an axis, or has entries at places that are all among these rows, or all outside: then
    `slices_meet` has a row for it."""
    own: Sequence[Factor] = node.factors if isinstance(node, Product) else [(node, tuple(range(len(node.shape))))]
    along = [(factor, labels) for factor, labels in own if axis in labels]
    runs = [run for factor, labels in along if labels[-1] == axis and (run := _run(factor)) is not None]
    chosen = _run(rows)
    return not along or any(
        chosen is not None and (_apart(chosen, run) or _within(chosen, run) or _within(run, chosen)) for run in runs
    )


def _met(node: Node) -> Node:
    """The product after all slices in it that meet."""
    while (better := slices_meet(node) or whole_rows(node)) is not None:
        node = better
    return node


def _sum(terms: Sequence[tuple[Number, Node]]) -> Node:
    """The sum, with those in it opened, and like terms as one."""
    inner = ((c, term.terms if isinstance(term, Sum) else ((1, term),)) for c, term in terms)
    whole = add([(exact(c * d), part) for c, own in inner for d, part in own], terms[0][1].shape)
    return like_terms(whole) or whole


# ---- places ---------------------------------------------------------------------------------------------------------


def _is_between(node: Product, label: int) -> bool:
    """Whether a label is summed over, and two factors have it."""
    return label >= len(node.shape) and uses_of(node)[label] == 2


def _runs(node: Product) -> list[tuple[int, Run]]:
    """The factors that are rows of an identity matrix one after the other, and their places."""
    return [(k, run) for k, (factor, _) in enumerate(node.factors) if (run := _run(factor)) is not None]


def _run(node: Node) -> Run | None:
    """The places that rows of an identity matrix, one after the other, take."""
    if isinstance(node, Basis):
        return node.position, plus(node.position, 1)
    if isinstance(node, Selection) and node.step == 1:
        return node.start, plus(node.start, node.shape[0])
    return None


def _apart(one: Run, other: Run) -> bool:
    return _at_least(one[0], other[1]) or _at_least(other[0], one[1])


def _within(run: Run, inner: Run) -> bool:
    return _at_least(inner[0], run[0]) and _at_least(run[1], inner[1])


def _at_least(a: Size, b: Size) -> bool:
    """Whether a ≥ b for all sizes from 1 on."""
    letters, constant = parts(plus(a, b, -1))
    return all(count >= 0 for _, count in letters) and sum(count for _, count in letters) + constant >= 0


ROWS = (slices_meet, slice_of_slice, slice_of_pieces, pieces_meet, whole_rows)
