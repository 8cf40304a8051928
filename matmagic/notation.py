"""Find the matrix notation of an index expression: products, transposes, traces, norms, diag, Hadamard and outer products.

In: an expression.  Out: a notation tree, which the printers turn into LaTeX, text, torch and SymPy.  A product is a graph
whose edges are the indices; it is contracted pair by pair into chains of matrices until only the output indices are
left.  Vectors are columns here.  Where no matrix form exists the product is shown with its indices (`Indexed`).
Not known here: how anything is written down, and which shape a user's vector has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

from . import expr
from .expr import Node, Number, Size


@dataclass(frozen=True)
class Math:
    """A piece of notation."""


@dataclass(frozen=True)
class Num(Math):
    """A number."""

    value: Number


@dataclass(frozen=True)
class Symbol(Math):
    """A named scalar, vector or matrix (rank 0, 1, 2)."""

    name: str
    shape: tuple[Size, ...]
    symmetric: bool = False


@dataclass(frozen=True)
class Letter(Math):
    """A size as a number."""

    letter: str


@dataclass(frozen=True)
class Ones(Math):
    """The vector of ones."""

    size: Size


@dataclass(frozen=True)
class Identity(Math):
    """I"""

    size: Size


@dataclass(frozen=True)
class Unit(Math):
    """e_k, k from 0."""

    size: Size
    position: int


@dataclass(frozen=True)
class Zero(Math):
    """The zero of this shape."""

    shape: tuple[Size, ...]


@dataclass(frozen=True)
class Transpose(Math):
    """A matrix transposed, or a vector as a row."""

    of: Math


@dataclass(frozen=True)
class Chain(Math):
    """A matrix product; rows are transposed vectors."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class MatrixPower(Math):
    """A square matrix times itself, `count` factors."""

    of: Math
    count: int


@dataclass(frozen=True)
class Times(Math):
    """Scalars, then at most one vector or matrix."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class Quotient(Math):
    """Anything over a scalar, or entry by entry."""

    top: Math
    bottom: Math
    entrywise: bool = False


@dataclass(frozen=True)
class Plus(Math):
    """A sum."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class Hadamard(Math):
    """The entrywise product."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class Pow(Math):
    """A scalar to a power, or each entry of a vector or matrix."""

    base: Math
    exponent: Number
    entrywise: bool


@dataclass(frozen=True)
class Norm(Math):
    """The Euclidean norm, of a matrix the Frobenius norm."""

    of: Math
    frobenius: bool


@dataclass(frozen=True)
class Trace(Math):
    """The trace."""

    of: Math


@dataclass(frozen=True)
class Diag(Math):
    """The diagonal matrix of a vector."""

    of: Math


@dataclass(frozen=True)
class DiagonalOf(Math):
    """The diagonal of a matrix, as a vector."""

    of: Math


@dataclass(frozen=True)
class Entry(Math):
    """One entry, positions from 0."""

    of: Math
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Listed(Math):
    """A vector or a matrix given entry by entry: scalars, or rows of scalars."""

    parts: tuple[Math, ...]


@dataclass(frozen=True)
class Indexed(Math):
    """Σ Π factor[labels], to the output labels: what has no matrix form."""

    factors: tuple[tuple[Math, tuple[int, ...]], ...]
    out: tuple[int, ...]
    sizes: tuple[tuple[int, Size], ...]


# ---- making notation ----------------------------------------------------------------------------------------------


def rank(math: Math) -> int:
    """0 scalar, 1 column, 2 matrix (a row counts as a matrix)."""
    match math:
        case Num() | Letter() | Norm() | Trace() | Entry():
            return 0
        case Symbol(shape=shape) | Zero(shape=shape):
            return len(shape)
        case Ones() | Unit() | DiagonalOf():
            return 1
        case Identity() | Transpose() | Diag() | MatrixPower():
            return 2
        case Chain(parts=parts):
            return {(False, False): 2, (False, True): 1, (True, False): 2, (True, True): 0}[
                _is_row(parts[0]), rank(parts[-1]) == 1
            ]
        case Times(parts=parts):
            return max(rank(p) for p in parts)
        case Plus(parts=parts) | Hadamard(parts=parts):
            return rank(parts[0])
        case Quotient(top=top, bottom=bottom):
            return max(rank(top), rank(bottom))
        case Pow(base=base):
            return rank(base)
        case Listed(parts=parts):
            return 2 if isinstance(parts[0], Listed) else 1
        case Indexed(out=out):
            return len(out)
    raise TypeError(type(math).__name__)


def _is_row(math: Math) -> bool:
    return isinstance(math, Transpose) and rank(math.of) == 1


def transpose(math: Math) -> Math:
    """Mᵀ with the transpose carried inside where that is shorter."""
    match math:
        case Transpose(of=of):
            return of
        case Chain(parts=parts):
            return chain([transpose(p) for p in reversed(parts)])
        case Identity() | Diag():
            return math
        case Symbol(symmetric=True):
            return math
        case MatrixPower(of=of, count=count):
            return MatrixPower(transpose(of), count)
        case Times(parts=parts):
            return Times((*parts[:-1], transpose(parts[-1])))
        case Quotient(top=top, bottom=bottom, entrywise=False):
            return Quotient(transpose(top), bottom)
        case Hadamard(parts=parts) if rank(math) == 2:
            return Hadamard(tuple(transpose(p) for p in parts))
    return math if rank(math) == 0 else Transpose(math)


def transposes(math: Math) -> int:
    """How many transposes are written in a product."""
    return sum(isinstance(p, Transpose) for p in (math.parts if isinstance(math, Chain) else (math,)))


def chain(parts: Iterable[Math]) -> Math:
    """A matrix product, flat, without identities."""
    flat: list[Math] = []
    for part in parts:
        flat += part.parts if isinstance(part, Chain) else [part]
    kept = [p for p in flat if not isinstance(p, Identity)] or flat[:1]
    return kept[0] if len(kept) == 1 else Chain(tuple(kept))


def folded(math: Math) -> Math:
    """A chain with equal neighbours as powers: X X -> X²."""
    if not isinstance(math, Chain):
        return math
    runs: list[tuple[Math, int]] = []
    for part in math.parts:
        if runs and runs[-1][0] == part and rank(part) == 2 and not _is_row(part):
            runs[-1] = (part, runs[-1][1] + 1)
        else:
            runs.append((part, 1))
    parts = tuple(p if n == 1 else MatrixPower(p, n) for p, n in runs)
    return parts[0] if len(parts) == 1 else Chain(parts)


def hadamard(parts: Sequence[Math]) -> Math:
    """Entrywise product: equal parts as powers, reciprocals below a line, 1-vectors gone."""
    exponents: dict[Math, Number] = {}
    for base, p in (pair for part in parts for pair in _factors(part)):
        exponents[base] = exponents.get(base, Fraction(0)) + p
    above = [_entrywise(b, p) for b, p in exponents.items() if p > 0 and not isinstance(b, Ones)]
    below = [_entrywise(b, -p) for b, p in exponents.items() if p < 0]
    top: Math = above[0] if len(above) == 1 else Hadamard(tuple(above)) if above else parts[0]
    if not below:
        return top
    if not above:
        top = Num(Fraction(1))
    return Quotient(top, below[0] if len(below) == 1 else Hadamard(tuple(below)), entrywise=True)


def _factors(math: Math) -> list[tuple[Math, Number]]:
    """What an entrywise product is made of, each with its exponent."""
    match math:
        case Hadamard(parts=parts):
            return [pair for part in parts for pair in _factors(part)]
        case Quotient(top=top, bottom=bottom, entrywise=True):
            above = [] if isinstance(top, Num) else _factors(top)
            return above + [(base, -p) for base, p in _factors(bottom)]
        case Pow(base=base, exponent=p, entrywise=True):
            return [(base, p)]
    return [(math, Fraction(1))]


def _entrywise(base: Math, exponent: Number) -> Math:
    return base if exponent == 1 else Pow(base, exponent, True)


# ---- terms --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """coefficient · Π above / Π below · body; the body is a vector or matrix, None for scalars."""

    coefficient: Number
    above: tuple[Math, ...]
    below: tuple[Math, ...]
    body: Math | None

    def math(self) -> Math:
        """The term as one piece of notation."""
        top_number, bottom_number = self.coefficient, Fraction(1)
        below = _powers(self.below)
        if isinstance(top_number, Fraction) and below:
            top_number, bottom_number = Fraction(top_number.numerator), Fraction(top_number.denominator)
        parts = [*_powers(self.above), *([folded(self.body)] if self.body is not None else [])]
        if below and top_number < 0:
            return Times((Num(Fraction(-1)), replace(self, coefficient=-self.coefficient).math()))
        if top_number != 1 or not parts:
            parts.insert(0, Num(top_number))
        top = parts[0] if len(parts) == 1 else Times(tuple(parts))
        if not below:
            return top
        if bottom_number != 1:
            below.insert(0, Num(bottom_number))
        return Quotient(top, below[0] if len(below) == 1 else Times(tuple(below)))


def _powers(scalars: Iterable[Math]) -> list[Math]:
    """Equal scalars as powers."""
    exponents: dict[Math, Number] = {}
    for s in scalars:
        base, p = (s.base, s.exponent) if isinstance(s, Pow) else (s, Fraction(1))
        exponents[base] = exponents.get(base, Fraction(0)) + p
    return [folded(b) if p == 1 else Pow(folded(b), p, False) for b, p in exponents.items()]


def collected(terms: Sequence[Term]) -> list[Term]:
    """A x + Aᵀ x -> (A + Aᵀ) x: terms that share the end or the beginning of their chain."""
    work = list(terms)
    for end in (-1, 0):
        groups: dict[object, list[Term]] = {}
        for term in work:
            parts = _parts(term.body)
            shared = parts[end] if len(parts) > 1 else (term, len(groups))
            groups.setdefault((term.above, term.below, shared), []).append(term)
        work = [
            t for group in groups.values() for t in ([_joined(group, end)] if _worth_joining(group, work) else group)
        ]
    return work


def _worth_joining(group: Sequence[Term], terms: Sequence[Term]) -> bool:
    """All terms, or some that leave single factors: (A + Aᵀ) x + b, but not half of a sum of long products."""
    return len(group) > 1 and (len(group) == len(terms) or all(len(_parts(t.body)) == 2 for t in group))


def _parts(body: Math | None) -> tuple[Math, ...]:
    return body.parts if isinstance(body, Chain) else () if body is None else (body,)


def _joined(group: Sequence[Term], end: int) -> Term:
    """The group as one term: what the chains share, times the sum of what they don't."""
    chains = [list(_parts(t.body)) for t in group]
    shared: list[Math] = []
    while all(len(c) > 1 for c in chains) and len({c[end] for c in chains}) == 1:
        shared.append(chains[0][end])
        for parts in chains:
            parts.pop(end)
    common = _common_factor([t.coefficient for t in group])
    rest = [Term(exact_ratio(t.coefficient, common), (), (), chain(c)) for t, c in zip(group, chains, strict=True)]
    inner = gathered(rest)
    whole = [inner, *reversed(shared)] if end == -1 else [*shared, inner]
    return Term(common, group[0].above, group[0].below, chain(whole))


def exact_ratio(a: Number, b: Number) -> Number:
    return expr.exact(a / b)


def _common_factor(coefficients: Sequence[Number]) -> Number:
    sizes: set[Number] = {max(c, -c) for c in coefficients}
    common: Number
    if len(sizes) == 1:
        common = sizes.pop()
    elif all(isinstance(c, Fraction) and c.denominator == 1 for c in coefficients):
        common = Fraction(gcd(*(int(c) for c in coefficients)))
    else:
        return Fraction(1)
    return -common if all(c < 0 for c in coefficients) else common


def plus(terms: Sequence[Term]) -> Math:
    """The sum of the terms, a positive one first."""
    if len(terms) == 1:
        return terms[0].math()
    first = next((k for k, t in enumerate(terms) if t.coefficient > 0), 0)
    return Plus(tuple(t.math() for t in (terms[first], *terms[:first], *terms[first + 1 :])))


def gathered(terms: Sequence[Term]) -> Math:
    """The sum with what its terms share pulled out: (A + Aᵀ) x, ½ (B + Bᵀ)."""
    terms = _plain_first(collected(terms))
    sizes = {abs(t.coefficient) for t in terms}
    if len(terms) < 2 or sizes == {1} or len(sizes) > 1 or any(t.above or t.below or t.body is None for t in terms):
        return plus(terms)
    common = _common_factor([t.coefficient for t in terms])
    return Times((Num(common), plus([replace(t, coefficient=exact_ratio(t.coefficient, common)) for t in terms])))


def _plain_first(terms: Sequence[Term]) -> list[Term]:
    """M before Mᵀ."""
    ordered = list(terms)
    for i, first in enumerate(ordered):
        for j in range(i + 1, len(ordered)):
            same = replace(first, body=None) == replace(ordered[j], body=None)
            if same and first.body is not None and first.body == Transpose(ordered[j].body or first.body):
                ordered[i], ordered[j] = ordered[j], ordered[i]
                return _plain_first(ordered)
    return ordered


# ---- expressions --------------------------------------------------------------------------------------------------


def notation(node: Node, collect: bool = True) -> Math:
    """The notation of an expression; `collect` pulls out what neighbouring terms share."""
    return _Renderer(collect).math(node)


@dataclass(frozen=True)
class _Piece:
    """A factor on the way: rows run along labels[0], columns along labels[1]."""

    math: Math
    labels: tuple[int, ...]

    def along(self, label: int) -> Math:
        """The piece with this label as its columns."""
        return self.math if len(self.labels) == 1 or self.labels[1] == label else transpose(self.math)

    def other(self, label: int) -> tuple[int, ...]:
        return tuple(own for own in self.labels if own != label)


class _Renderer:
    def __init__(self, collect: bool) -> None:
        self.collect = collect
        self.known: dict[Node, Math] = {}

    def math(self, node: Node) -> Math:
        if node not in self.known:
            self.known[node] = self.render(node)
        return self.known[node]

    def render(self, node: Node) -> Math:
        match node:
            case expr.Leaf(name=name, shape=shape, symmetric=symmetric):
                return Symbol(name, shape, symmetric)
            case expr.SizeOf(letter=letter):
                return Letter(letter)
            case expr.Basis(position=k):
                return Unit(node.shape[0], k)
            case expr.Delta():
                return Identity(node.shape[0])
            case expr.Power(base=base, exponent=p):
                return self.power(base, p)
            case expr.Sum(terms=terms):
                return self.sum(node, terms)
        return self.term(node).math()

    def sum(self, node: Node, terms: Sequence[tuple[Number, Node]]) -> Math:
        if not terms:
            return Zero(node.shape) if node.shape else Num(Fraction(0))
        listed = self.listed(node, terms)
        if listed is not None:
            return listed
        parts = [self.scaled(c, t) for c, t in terms]
        return gathered(parts) if self.collect else plus(parts)

    def scaled(self, coefficient: Number, node: Node) -> Term:
        term = self.term(node)
        return replace(term, coefficient=expr.exact(term.coefficient * coefficient))

    def power(self, base: Node, p: Number) -> Math:
        """Norms for roots of sums of squares, else the power of the base."""
        length = self.length(base) if p == Fraction(1, 2) else None
        whole = Pow(self.math(base), p, bool(base.shape))
        return length or (hadamard([whole]) if base.shape and p < 0 and p == int(p) else whole)

    def length(self, node: Node) -> Math | None:
        """‖v‖ for a node that is v·v, ‖M‖_F for one that is the sum of M's squared entries."""
        if not isinstance(node, expr.Product) or node.shape:
            return None
        if (
            len(node.factors) == 2
            and node.factors[0] == node.factors[1]
            and len(set(node.factors[0][1])) == len(node.factors[0][1]) == len(node.sizes) < 3
        ):
            return Norm(self.math(node.factors[0][0]), len(node.sizes) == 2)
        term = self.term(node)
        if term.coefficient != 1 or len(term.above) != 1 or not isinstance(term.above[0], Chain):
            return None
        parts = term.above[0].parts
        half = parts[len(parts) // 2 :]
        if len(parts) % 2 == 0 and chain(half) == transpose(chain(parts[: len(parts) // 2])):
            return Norm(chain(half), False)
        return None

    # ---- products

    def term(self, node: Node) -> Term:
        """A node as one term of a sum."""
        if isinstance(node, expr.Sum) and len(node.terms) == 1:
            ((c, inner),) = node.terms
            return self.scaled(c, inner)
        if isinstance(node, expr.Product):
            return _Contracting(self, node).term()
        return _scalars_out([self.math(node)], None) if not node.shape else Term(Fraction(1), (), (), self.math(node))

    def listed(self, node: Node, terms: Sequence[tuple[Number, Node]]) -> Math | None:
        """A sum of s·e_k over all k as a list of scalars; of s·e_k e_lᵀ as a table."""
        if not node.shape or len(node.shape) > 2 or not all(isinstance(s, int) for s in node.shape):
            return None
        entries: dict[tuple[int, ...], list[tuple[Number, Node]]] = {}
        for c, term in terms:
            found = _entries(term, len(node.shape))
            if found is None:
                return None
            for at, inner, scalar in found:
                entries.setdefault(at, []).append((expr.exact(c * inner), scalar))
        table = {at: self.math(expr.add(scalars, ())) for at, scalars in entries.items()}
        rows, *columns = (range(s) for s in node.shape if isinstance(s, int))
        nil = Num(Fraction(0))
        if not columns:
            return Listed(tuple(table.get((i,), nil) for i in rows))
        return Listed(tuple(Listed(tuple(table.get((i, j), nil) for j in columns[0])) for i in rows))


def _entries(node: Node, rank: int) -> list[tuple[tuple[int, ...], Number, Node]] | None:
    """Which entries of the output a term of unit vectors fills, each with a number and a scalar; None if not all."""
    factors = list(node.factors) if isinstance(node, expr.Product) else [(node, tuple(range(rank)))]
    for k, (factor, labels) in enumerate(factors):
        if isinstance(factor, expr.Sum) and any(label < rank for label in labels):
            sizes = node.sizes[:rank] if isinstance(node, expr.Product) else node.shape
            found: list[tuple[tuple[int, ...], Number, Node]] = []
            for c, term in factor.terms:
                part = expr.product([*factors[:k], (term, labels), *factors[k + 1 :]], sizes, range(rank))
                inner = _entries(part, rank)
                if inner is None:
                    return None
                found += [(at, expr.exact(c * d), scalar) for at, d, scalar in inner]
            return found
    at: dict[int, int] = {}
    scalars = []
    for factor, labels in factors:
        if isinstance(factor, expr.Basis) and labels[0] < rank:
            at[labels[0]] = factor.position
        elif any(label < rank for label in labels):
            return None
        else:
            scalars.append((factor, labels))
    if len(at) != rank:
        return None
    return [(tuple(at[k] for k in range(rank)), Fraction(1), expr.product(scalars, (), ()))]


def _scalars_out(scalars: Sequence[Math], body: Math | None) -> Term:
    """A term from scalar factors: negative powers and quotients go below the line."""
    coefficient: Number = Fraction(1)
    above: list[Math] = []
    below: list[Math] = []
    for s in scalars:
        match s:
            case Num(value=value):
                coefficient = expr.exact(coefficient * value)
            case Pow(base=base, exponent=p) if p < 0:
                below.append(base if p == -1 else _root(base, -p))
            case _:
                above.append(s)
    return Term(coefficient, tuple(above), tuple(below), body)


def _root(base: Math, p: Number) -> Math:
    return Pow(base, p, False)


class _Contracting:
    """One product's graph on its way to a term."""

    def __init__(self, renderer: _Renderer, node: expr.Product) -> None:
        self.node = node
        self.out = tuple(range(len(node.shape)))
        self.scalars: list[Math] = []
        self.pieces: list[_Piece] = []
        self.entries(renderer, node)

    def entries(self, renderer: _Renderer, node: expr.Product) -> None:
        """The factors as pieces; a matrix or vector all of whose indices are fixed is an entry."""
        fixed = {at[0]: f.position for f, at in node.factors if isinstance(f, expr.Basis) and at[0] not in self.out}
        uses = [label for f, at in node.factors if not isinstance(f, expr.Basis) for label in at]
        fixed = {label: k for label, k in fixed.items() if uses.count(label) == 1}
        for factor, labels in node.factors:
            if isinstance(factor, expr.Basis) and labels[0] in fixed:
                if not any(
                    labels[0] in at and set(at) <= fixed.keys()
                    for f, at in node.factors
                    if not isinstance(f, expr.Basis)
                ):
                    self.pieces.append(_Piece(renderer.math(factor), labels))
            elif labels and set(labels) <= fixed.keys():
                self.scalars.append(Entry(renderer.math(factor), tuple(fixed[label] for label in labels)))
            elif labels:
                self.pieces.append(_Piece(renderer.math(factor), labels))
            else:
                self.scalars.append(self.scalar(renderer, factor))

    def scalar(self, renderer: _Renderer, factor: Node) -> Math:
        """A scalar factor; negative powers of a norm's square as powers of the norm."""
        if (
            isinstance(factor, expr.Power)
            and isinstance(factor.exponent, Fraction)
            and factor.exponent.denominator == 2
        ):
            length = renderer.length(factor.base)
            if length is not None:
                return Pow(length, factor.exponent * 2, False)
        return renderer.math(factor)

    def count(self, label: int) -> int:
        return sum(p.labels.count(label) for p in self.pieces) + (label in self.out)

    def holding(self, label: int) -> list[_Piece]:
        return [p for p in self.pieces if label in p.labels]

    def swap(self, gone: Sequence[_Piece], *new: _Piece) -> bool:
        at = self.pieces.index(gone[0])
        self.pieces[at : at + 1] = new
        for piece in gone[1:]:
            self.pieces.remove(piece)
        return True

    def term(self) -> Term:
        for label, size in enumerate(self.node.sizes):
            if self.count(label) == 1:
                self.pieces.append(_Piece(Ones(size), (label,)))
        steps = (self.trace, self.equal_pair, self.join, self.diagonal, self.entrywise, self.scale_rows)
        while any(step() for step in steps):
            pass
        return _scalars_out(self.scalars, self.body())

    def trace(self) -> bool:
        """M_ii -> tr M"""
        for piece in self.pieces:
            if len(piece.labels) == 2 and len(set(piece.labels)) == 1 and self.count(piece.labels[0]) == 2:
                inner = min(piece.math, transpose(piece.math), key=transposes)
                self.scalars.append(Trace(folded(inner)))
                return self.swap([piece])
        return False

    def equal_pair(self) -> bool:
        """v_i v_i -> ‖v‖² for a sum v; M_ij M_ij -> ‖M‖²"""
        for k, p in enumerate(self.pieces):
            for q in self.pieces[k + 1 :]:
                alone = all(self.count(label) == 2 for label in p.labels)
                if p == q and alone and (len(p.labels) == 2 or isinstance(p.math, Plus)):
                    self.scalars.append(Pow(Norm(p.math, len(p.labels) == 2), Fraction(2), False))
                    return self.swap([p, q])
        return False

    def join(self) -> bool:
        """A_ij B_jk -> (A B)_ik, with vectors as columns; neighbours first, along the columns of the left one."""
        choices = []
        for label in range(len(self.out), len(self.node.sizes)):
            holding = self.holding(label)
            if self.count(label) == 2 and len(holding) == 2:
                p, q = holding
                at = self.pieces.index(p)
                choices.append((at, self.pieces.index(q, at + 1), p.labels[-1] != label, label, p, q))
        if not choices:
            return False
        *_, label, p, q = min(choices, key=lambda choice: choice[:4])
        if len(p.labels) == len(q.labels) == 1:
            p, q = (q, p) if isinstance(q.math, Ones) else (p, q)
            inner = chain([transpose(p.math), q.math])
            if isinstance(p.math, Ones) and isinstance(inner, Chain) and isinstance(inner.parts[-1], Ones):
                inner = min(inner, transpose(inner), key=transposes)
            self.scalars.append(inner)
            return self.swap([p, q])
        if len(p.labels) == 1:
            return self.swap([p, q], _Piece(chain([q.along(label), p.math]), q.other(label)))
        if len(q.labels) == 1:
            return self.swap([p, q], _Piece(chain([p.along(label), q.math]), p.other(label)))
        right = transpose(q.along(label))
        return self.swap([p, q], _Piece(chain([p.along(label), right]), p.other(label) + q.other(label)))

    def diagonal(self) -> bool:
        """M_ii with i needed elsewhere -> diag(M)_i"""
        for piece in self.pieces:
            if len(piece.labels) == 2 and len(set(piece.labels)) == 1:
                return self.swap([piece], _Piece(DiagonalOf(piece.math), piece.labels[:1]))
        return False

    def entrywise(self) -> bool:
        """v_i w_i with i needed elsewhere -> (v ⊙ w)_i, matrices too; Σ_i u_i v_i w_i -> uᵀ(v ⊙ w)."""
        for p in self.pieces:
            if isinstance(p.math, Identity) or len(p.labels) > 2:
                continue
            same = [q for q in self.pieces if sorted(q.labels) == sorted(p.labels) and not isinstance(q.math, Identity)]
            if len(same) < 2:
                continue
            maths = [q.math if q.labels == p.labels else transpose(q.math) for q in same]
            closed = all(label not in self.out and self.count(label) == len(same) for label in p.labels)
            first = [math for math in maths if closed and math == maths[0]]
            rest = [math for math in maths if not (closed and math == maths[0])]
            kept = [_Piece(hadamard(part), p.labels) for part in (first, rest) if part]
            if closed and not rest:
                kept += [_Piece(Ones(self.node.sizes[label]), (label,)) for label in p.labels]
            return self.swap(same, *kept)
        return False

    def scale_rows(self) -> bool:
        """v_i M_ij -> (diag(v) M)_ij"""
        for vector in (p for p in self.pieces if len(p.labels) == 1):
            (label,) = vector.labels
            for matrix in (p for p in self.holding(label) if len(p.labels) == 2):
                if self.count(label) == 2 and label not in self.out:
                    continue
                rows = transpose(matrix.along(label))
                scaled = chain([Diag(vector.math), rows])
                if label == matrix.labels[1]:
                    scaled = transpose(scaled)
                return self.swap([vector, matrix], _Piece(scaled, matrix.labels))
        return False

    def body(self) -> Math | None:
        """The pieces that are left, as one vector or matrix; with indices where they don't fit one."""
        labels = [label for p in self.pieces for label in p.labels]
        if sorted(labels) != list(self.out) or len(self.out) > 2:
            return self.indexed()
        if not self.pieces:
            return None
        if len(self.pieces) == 1:
            (piece,) = self.pieces
            return piece.math if piece.labels == self.out else transpose(piece.math)
        first, second = sorted(self.pieces, key=lambda p: p.labels)
        return chain([first.math, transpose(second.math)])

    def indexed(self) -> Math:
        used = {label for p in self.pieces for label in p.labels} | set(self.out)
        sizes = tuple((label, self.node.sizes[label]) for label in sorted(used))
        return Indexed(tuple((p.math, p.labels) for p in self.pieces), self.out, sizes)
