"""An expression with up to four axes as one matrix: A_ik B_lj is Bᵀ ⊗ A where the columns of f and of X are stacked.

In: an expression, which of its axes run along the rows of the matrix, the slow one first, and which along the columns.
Out: its notation, of Kronecker products, diag(vec(U)), vec(U) vec(V)ᵀ and the commutation matrix; NoNotation where a
term is nothing of that.  A term is a product of parts, each with one or two of the axes, which say where it belongs.
Source: Magnus and Neudecker, Matrix Differential Calculus (1988), chapters 2 and 3.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from . import expr
from .expr import Factor, Labels, Node, Number, add, number, product, scale
from .notation import Commutation, Diag, Indexed, Kronecker, Math, Num, Quotient, Times, Transpose, Vec, pieces, rank
from .rendering import NoNotation, notation, with_constants
from .simplify import simplify, written_out
from .summing import Term, gathered, scalar_factors, scalar_term
from .torch_rows import Axes
from .writing import chain

Slot = tuple[int | None, int | None]  # which axes run along the rows and the columns of one Kronecker factor


def stacked(node: Node, rows: Labels, columns: Labels) -> Math:
    """The matrix of these rows and columns; the vector, if no axis runs along columns.  Raises NoNotation.

    >>> from .printers.text import text
    >>> A, B = expr.leaf("A", ("p", "m")), expr.leaf("B", ("n", "q"))
    >>> node = product([(A, (0, 2)), (B, (3, 1))], ("p", "q", "m", "n"), range(4))  # of A X B by X
    >>> text(stacked(node, (1, 0), (3, 2))), text(stacked(node, (0, 1), (2, 3)))
    ('Bᵀ ⊗ A', 'A ⊗ Bᵀ')
    """
    found = [_Placing(c, term, rows, columns).placed() for c, term in _terms(written_out(node))]
    if not found:
        raise NoNotation("zero")
    for place in (2, 1, 0, 3):
        found = _joined(found, place)
    return with_constants(gathered([term.written() for term in found]))


def laid_out(node: Node, axes: Axes, collect: bool = True) -> Math:
    """The notation of a tensor, of which an axis may be two of the node's, one after the other: vec(Xᵀ), A ⊗ B.

    `collect` as in rendering.py.  Raises NoNotation.

    >>> from .printers.text import text
    >>> X = expr.leaf("X", ("m", "n"))
    >>> text(laid_out(X, ((0, 1),))), text(laid_out(X, ((0,), (1,))))
    ('vec(Xᵀ)', 'X')
    """
    if all(len(group) < 2 for group in axes):
        return notation(written_out(node) if collect else node, collect)
    rows, *others = (group for group in axes if group)
    if len(others) > 1 or any(len(group) > 2 for group in axes) or axes[0] != rows:
        raise NoNotation("more than two axes")
    return stacked(node, rows, others[0] if others else ())


def _terms(node: Node, coefficient: Number = Fraction(1)) -> Iterator[tuple[Number, Node]]:
    """The terms of a sum, and of the sums in it."""
    if isinstance(node, expr.Sum):
        for c, term in node.terms:
            yield from _terms(term, expr.exact(c * coefficient))
    else:
        yield coefficient, node


@dataclass(frozen=True)
class _Stacked:
    """scalar · diag(vec(before)) (left ⊗ right) K diag(vec(after)), or, without slots, scalar · vec(before) vec(after)ᵀ."""

    scalar: Node
    places: tuple[Node | None, ...]  # before, left, right, after
    slots: tuple[Slot, ...] = ()  # of left and right
    swap: Commutation | None = None

    def written(self) -> Term:
        """The term in notation, with its scalars in front."""
        scalars = scalar_factors(_plain(self.scalar))
        before, after = (_vec(self.places[k], scalars) for k in (0, -1))
        if not self.slots:
            return scalar_term(scalars, chain([*before, *map(Transpose, after)]))
        return scalar_term(scalars, chain([*map(Diag, before), *self.middle(scalars), *map(Diag, after)]))

    def middle(self, scalars: list[Math]) -> Iterator[Math]:
        """left ⊗ right and K; the scalars of the factors go to those of the term."""
        before, left, right, after = self.places
        bodies = []
        for node, (row, column) in zip((left, right), self.slots, strict=False):
            if node is not None:
                body = _bare(_plain(node), scalars)
                bodies.append(Transpose(body) if row is None and column is not None else body)
        alone = before is None and after is None and self.swap is None
        if alone or not (isinstance(left, expr.Delta) and isinstance(right, expr.Delta)):
            yield bodies[0] if len(bodies) == 1 else Kronecker(bodies[0], bodies[1])
        if self.swap is not None:
            yield self.swap


def _joined(terms: Sequence[_Stacked], place: int) -> list[_Stacked]:
    """Terms that differ in one place only as one: I ⊗ A + I ⊗ B is I ⊗ (A + B)."""

    def with_place(term: _Stacked, node: Node | None) -> _Stacked:
        places = (*term.places[:place], node, *term.places[place + 1 :])
        return replace(term, places=places, scalar=number(1))

    groups: dict[_Stacked, list[_Stacked]] = {}
    for term in terms:
        groups.setdefault(with_place(term, None), []).append(term)
    found = []
    for same in groups.values():
        values = [(term.scalar, node) for term in same if (node := term.places[place]) is not None]
        if len(values) < 2:
            found += same
            continue
        shape = values[0][1].shape
        axes = range(len(shape))
        whole = add([(1, product([(s, ()), (node, axes)], shape, axes)) for s, node in values], shape)
        found.append(with_place(same[0], simplify(whole)))
    return found


# ---- one term -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """Factors that share sums, and the axes that they have."""

    factors: tuple[Factor, ...]
    labels: Labels

    def within(self, axes: Iterable[int | None]) -> bool:
        return bool(self.labels) and set(self.labels).issubset(axes)


class _Placing:
    """One product, its parts put where their axes are."""

    def __init__(self, coefficient: Number, node: Node, rows: Labels, columns: Labels) -> None:
        self.coefficient, self.rows, self.columns = coefficient, rows, columns
        whole = node if isinstance(node, expr.Product) else None
        self.sizes = whole.sizes if whole else node.shape
        factors = list(whole.factors if whole else [(node, tuple(range(len(node.shape))))])
        self.links = [f for f in factors if isinstance(f[0], expr.Delta) and self.crosses(f[1])]
        self.parts = [self.renamed(part) for part in self.apart([f for f in factors if f not in self.links])]

    def crosses(self, labels: Labels) -> bool:
        """Whether one is an axis of the rows and the other one of the columns."""
        return any(a in self.rows and b in self.columns for a, b in (labels, labels[::-1]))

    def apart(self, factors: Sequence[Factor]) -> list[_Part]:
        """The factors in groups that share sums."""
        out = self.rows + self.columns
        groups: list[tuple[Factor, ...]] = []
        for factor in factors:
            summed = set(factor[1]).difference(out)
            near = [g for g in groups if any(summed.intersection(own) for _, own in g)]
            groups = [g for g in groups if g not in near] + [(*(f for g in near for f in g), factor)]
        return [_Part(g, tuple(dict.fromkeys(i for _, own in g for i in own if i in out))) for g in groups]

    def renamed(self, part: _Part) -> _Part:
        """δ_ik M_kj is δ_ik M_ij: the axes all of the rows or all of the columns, if they can be."""
        if len(part.labels) < 2:
            return part
        if len(part.labels) > 2:
            raise NoNotation("a part with more than two axes")
        equal = [{label, *(i for _, own in self.links if label in own for i in own)} for label in part.labels]
        choices = [own for own in itertools.product(*equal) if len(set(own)) == 2]
        sides = (self.rows, self.columns, part.labels)
        best = next(own for side in sides for own in choices if set(own).issubset(side))
        names = dict(zip(part.labels, best, strict=True))
        factors = tuple((f, tuple(names.get(i, i) for i in own)) for f, own in part.factors)
        return _Part(factors, best)

    def placed(self) -> _Stacked:
        scalar = self.of((), [part for part in self.parts if not part.labels])
        wide = [part for part in self.parts if len(part.labels) == 2]
        pairs = [own for _, own in self.links] + [part.labels for part in wide if self.crosses(part.labels)]
        ends = [[part for part in wide if part.within(axes)] for axes in (self.rows, self.columns)]
        if wide and not pairs:
            ends = [[part for part in self.parts if part.within(axes)] for axes in (self.rows, self.columns)]
            return _Stacked(scalar, (self.side(self.rows, ends[0]), None, None, self.side(self.columns, ends[1])))
        slots = self.slots(pairs)
        swapped = len(slots) == len(self.rows) == len(self.columns) == 2 and slots[0][1] != self.columns[0]
        swap = Commutation(self.sizes[self.columns[1]], self.sizes[self.columns[0]]) if swapped else None
        before, after = (
            self.side(own, end) if end else None for own, end in zip((self.rows, self.columns), ends, strict=True)
        )
        left, right = (*map(self.between, slots), None)[:2]
        return _Stacked(scalar, (before, left, right, after), slots, swap)

    def side(self, axes: Labels, parts: Sequence[_Part]) -> Node | None:
        """The matrix that is stacked to these axes."""
        return self.of(axes[::-1], parts) if axes else None

    def between(self, slot: Slot) -> Node | None:
        """The parts of one Kronecker factor."""
        axes = tuple(label for label in slot if label is not None)
        linked = [_Part((f,), f[1]) for f in self.links if set(f[1]) == set(slot)]
        own = [part for part in self.parts if part.within(slot)]
        return self.of(axes, [*linked, *own]) if axes else None

    def of(self, axes: Labels, parts: Iterable[_Part]) -> Node:
        """The product of the parts; a scalar has the number of the term."""
        factors = [f for part in parts for f in part.factors]
        node = product(factors, [self.sizes[axis] for axis in axes], axes)
        return node if axes else scale(self.coefficient, node)

    def slots(self, pairs: Sequence[Labels]) -> tuple[Slot, ...]:
        """Which axes each Kronecker factor has: those of each pair together."""
        wider = len(self.columns) > len(self.rows)
        short, long = (self.rows, self.columns) if wider else (self.columns, self.rows)
        for own in itertools.permutations((*short, *[None] * (len(long) - len(short)))):
            found = tuple((a, b) if wider else (b, a) for a, b in zip(own, long, strict=True))
            if all(any(set(pair) == set(slot) for slot in found) for pair in pairs):
                return found
        raise NoNotation("parts that cross")


# ---- notation of parts --------------------------------------------------------------------------------------------


def _plain(node: Node) -> Math:
    """The notation of a part without indices."""
    math = notation(node)
    if any(isinstance(piece, Indexed) for piece in pieces(math)):
        raise NoNotation("a part with indices")
    return math


def _vec(node: Node | None, scalars: list[Math]) -> list[Math]:
    """The columns of the matrix, or the vector, without its scalars; nothing for None."""
    if node is None:
        return []
    body = _bare(_plain(node), scalars)
    return [Vec(body) if rank(body) == 2 else body]


def _bare(math: Math, scalars: list[Math]) -> Math:
    """The piece without its scalars, which are added to these."""
    match math:
        case Times(parts=(*front, body)) if rank(body):
            scalars += front
            return _bare(body, scalars)
        case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
            scalars += scalar_factors(Quotient(Num(Fraction(1)), bottom))
            return _bare(top, scalars)
    return math
