"""Find the matrix notation of an expression: products, transposes, traces, norms, diag, Hadamard and outer products.

In: an expression.  Out: a notation tree, which the printers turn into LaTeX, text, torch and SymPy.  A product is a
graph whose edges are the indices; it is contracted pair by pair into chains of matrices until only the output indices
are left.  Where no matrix form exists the product is shown with its indices (`Indexed`).
Not known here: how anything is written down, and which shape a user's vector has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from . import expr
from .blocks import in_blocks
from .expr import Node, Number
from .lengths import Size
from .matrix_functions import FUNCTIONS_OF_MATRICES
from .notation import (
    INDICES,
    Apply,
    Called,
    Chain,
    Constant,
    Counting,
    Diag,
    DiagonalOf,
    Entry,
    Identity,
    Indexed,
    Labelled,
    Letter,
    Listed,
    Math,
    Norm,
    Num,
    Ones,
    Plus,
    Pow,
    Quotient,
    Rows,
    Symbol,
    Times,
    Trace,
    Transpose,
    Triangular,
    Unit,
    Zero,
    mapped,
    pieces,
    rank,
)
from .summing import Term, gathered, plus, scalar_factors, scalar_term
from .writing import chain, folded, hadamard, inverse, transpose, transposes


class NoNotation(ValueError):
    """An expression that is not written down: it would need nested indices."""


def notation(node: Node, collect: bool = True) -> Math:
    """The notation of an expression; `collect` pulls out what neighbouring terms share.  Raises NoNotation."""
    return with_constants(in_blocks(_Renderer(collect).math(node)))


def with_constants(math: Math) -> Math:
    """Numbers by their names, unless π is a name of the user's."""
    numbers, names = set(), set()
    for piece in pieces(math):
        match piece:
            case Num(value=float(value)):
                numbers.add(value)
            case Symbol(name=name):
                names.add(name)
    if not numbers or names & {"pi", "π"}:
        return math
    return mapped(math, lambda piece: Constant(piece.value) if isinstance(piece, Num) else piece)


def _is_even(node: Node) -> bool:
    """Whether all entries are one number: 0, or c 𝟏."""
    terms = node.terms if isinstance(node, expr.Sum) else ((1, node),)
    return all(isinstance(term, expr.Product) and not term.factors for _, term in terms)


def _entry(node: Node) -> Number:
    """That number."""
    return expr.exact(sum(c for c, _ in node.terms)) if isinstance(node, expr.Sum) else Fraction(1)


def _up_to_two(node: Node) -> tuple[Size, ...]:
    """The shape of what a function in notation is given or gives."""
    if len(node.shape) > 2:
        raise NoNotation(f"a part with {len(node.shape)} indices")
    return node.shape


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
            case expr.Selection(start=start, step=step):
                count, size = node.shape
                return Rows(Identity(size), start, step, count, size)
            case expr.Triangle(offset=offset):
                rows, columns = map(Ones, node.shape)
                return Triangular(chain([rows, Transpose(columns)]), offset, lower=False)
            case expr.Range():
                return Counting(node.shape[0])
            case expr.OneHot(labels=labels):
                return Labelled(self.math(labels), _up_to_two(node))
            case expr.Power(base=base, exponent=p):
                return self.power(base, p)
            case expr.Call():
                return self.call(node)
            case expr.Elementwise(function=function, args=args) if node.shape and all(map(_is_even, args)):
                one = expr.elementwise(function, *(expr.number(_entry(a)) for a in args))
                return self.math(expr.product([(one, ())], node.shape, range(len(node.shape))))
            case expr.Elementwise(function="root", args=(base,)):
                return self.power(base, Fraction(1, 2))
            case expr.Elementwise(function=function, args=args):
                return Apply(function, tuple(map(self.math, args)))
            case expr.Sum(terms=terms):
                return self.sum(node, terms)
        return self.term(node).math()

    def call(self, node: expr.Call) -> Math:
        """A⁻¹, or the function's name with its arguments."""
        args = [self.math(a) for a in node.args if _up_to_two(a)]
        if node.function in ("inverse", "pinv"):
            return inverse(args[0], node.function == "pinv")
        if not FUNCTIONS_OF_MATRICES[node.function].text:
            raise NoNotation(f"{node.function} has no name")
        return Called(node.function, tuple(args), node.shape)

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
        length = self.length(base) if isinstance(p, Fraction) and p.denominator == 2 else None
        if length is not None and p > 0:
            return length if p == Fraction(1, 2) else Pow(length, p * 2, False)
        if p < 0 and not base.shape:
            return Quotient(Num(Fraction(1)), self.power(base, -p) if p != -1 else self.math(base))
        whole = Pow(self.math(base), p, bool(base.shape))
        return hadamard([whole]) if base.shape and p < 0 and p == int(p) else whole

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
        if term.coefficient != 1 or term.below or len(term.above) != 1:
            return None
        (inner,) = (a.of if isinstance(a, Trace) else a for a in term.above)
        parts = inner.parts if isinstance(inner, Chain) else ()
        half = parts[len(parts) // 2 :]
        if half and len(parts) % 2 == 0 and chain(half) == transpose(chain(parts[: len(parts) // 2])):
            return Norm(chain(half), isinstance(term.above[0], Trace))
        return None

    # ---- products

    def term(self, node: Node) -> Term:
        """A node as one term of a sum."""
        if isinstance(node, expr.Sum) and len(node.terms) == 1:
            ((c, inner),) = node.terms
            return self.scaled(c, inner)
        if isinstance(node, expr.Product):
            return _Contracting(self, node).term()
        return scalar_term([self.math(node)], None) if not node.shape else Term(Fraction(1), (), (), self.math(node))

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
        if isinstance(factor, expr.Basis) and isinstance(factor.position, int) and labels[0] < rank:
            at[labels[0]] = factor.position
        elif any(label < rank for label in labels):
            return None
        else:
            scalars.append((factor, labels))
    if len(at) != rank:
        return None
    return [(tuple(at[k] for k in range(rank)), Fraction(1), expr.product(scalars, (), ()))]


def _units(factors: Sequence[expr.Factor]) -> dict[int, expr.Basis]:
    """The indices that one unit vector fixes."""
    units = [(at[0], f) for f, at in factors if isinstance(f, expr.Basis)]
    labels = [label for label, _ in units]
    return {label: unit for label, unit in units if labels.count(label) == 1}


class _Contracting:
    """One product's graph on its way to a term."""

    def __init__(self, renderer: _Renderer, node: expr.Product) -> None:
        self.out = tuple(range(len(node.shape)))
        self.sizes = list(node.sizes)
        self.scalars: list[Math] = []
        self.pieces: list[_Piece] = []
        self.entries(renderer, self.apart(node.factors))

    def apart(self, factors: Sequence[expr.Factor]) -> list[expr.Factor]:
        """A fixed index has a unit vector of its own wherever it is used: Σ_i e_ki V_ai V_bi is (V e_k)_a (V e_k)_b."""
        units = _units(factors)
        uses = [label for f, at in factors if not isinstance(f, expr.Basis) for label in at]
        often = {label for label in units if uses.count(label) > (label not in self.out)}
        found: list[expr.Factor] = []
        for factor, labels in factors:
            if isinstance(factor, expr.Basis):
                if labels[0] not in often or labels[0] in self.out:
                    found.append((factor, labels))
                continue
            own = list(labels)
            for k, label in enumerate(labels):
                if label in often:
                    own[k] = len(self.sizes)
                    self.sizes.append(self.sizes[label])
                    found.append((units[label], (own[k],)))
            found.append((factor, tuple(own)))
        return found

    def entries(self, renderer: _Renderer, factors: Sequence[expr.Factor]) -> None:
        """The factors as pieces; a matrix or vector all of whose indices are fixed is an entry."""
        fixed = {label: unit.position for label, unit in _units(factors).items() if label not in self.out}
        others = [(f, at) for f, at in factors if not isinstance(f, expr.Basis)]
        inside = {label for f, at in others if set(at) <= fixed.keys() for label in at}
        for factor, labels in factors:
            if isinstance(factor, expr.Basis):
                if labels[0] not in inside:
                    self.pieces.append(_Piece(renderer.math(factor), labels))
            elif labels and set(labels) <= fixed.keys():
                at = tuple(fixed[label] for label in labels)
                self.scalars.append(Entry(renderer.math(factor), at, factor.shape))
            elif len(labels) > 2 and not isinstance(factor, expr.Leaf):
                raise NoNotation(f"a factor with {len(labels)} indices")
            elif labels:
                self.pieces.append(_Piece(self.bare(renderer.math(factor)), labels))
            else:
                self.scalars.append(renderer.math(factor))

    def bare(self, math: Math) -> Math:
        """A vector or matrix without the scalars before it and below it, which go with the product's."""
        match math:
            case Times(parts=(*scalars, body)) if rank(body):
                self.scalars += scalars
                return self.bare(body)
            case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
                self.scalars += scalar_factors(Quotient(Num(Fraction(1)), bottom))
                return self.bare(top)
        return math

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
        for label, size in enumerate(self.sizes):
            if self.count(label) == 1:
                self.pieces.append(_Piece(Ones(size), (label,)))
        steps = (self.masked, self.trace, self.equal_pair, self.join, self.diagonal, self.entrywise, self.scale_rows)
        while any(step() for step in steps):
            pass
        return scalar_term(self.scalars, self.body())

    def masked(self) -> bool:
        """T_ij M_ij -> triu(M)_ij; Σ_ij too, as 𝟏ᵀ triu(M) 𝟏."""
        for mask in (p for p in self.pieces if isinstance(p.math, Triangular)):
            for other in (p for p in self.pieces if p is not mask and sorted(p.labels) == sorted(mask.labels)):
                inner = other.math if other.labels == mask.labels else transpose(other.math)
                closed = [label for label in mask.labels if self.count(label) == 2 and label not in self.out]
                ones = [_Piece(Ones(self.sizes[label]), (label,)) for label in closed]
                return self.swap([mask, other], _Piece(hadamard([mask.math, inner]), mask.labels), *ones)
        return False

    def trace(self) -> bool:
        """M_ii -> tr M"""
        for piece in self.pieces:
            if len(piece.labels) == 2 and len(set(piece.labels)) == 1 and self.count(piece.labels[0]) == 2:
                inner = min(piece.math, transpose(piece.math), key=transposes)
                while isinstance(inner, Times):
                    self.scalars += inner.parts[:-1]
                    inner = inner.parts[-1]
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
        for label in range(len(self.out), len(self.sizes)):
            holding = self.holding(label)
            if self.count(label) == 2 and len(holding) == 2 and all(len(piece.labels) < 3 for piece in holding):
                p, q = holding
                if self.rowwise(p, q):
                    continue
                at = self.pieces.index(p)
                choices.append((at, self.pieces.index(q, at + 1), p.labels[-1] != label, label, p, q))
        if not choices:
            return False
        *_, label, p, q = min(choices, key=lambda choice: choice[:4])
        if len(p.labels) == len(q.labels) == 1:
            p, q = (q, p) if isinstance(q.math, Ones) else (p, q)
            inner = chain([transpose(p.math), q.math])
            inner = min(inner, transpose(inner), key=transposes)
            self.scalars.append(inner)
            return self.swap([p, q])
        if len(p.labels) == 1:
            return self.swap([p, q], _Piece(chain([q.along(label), p.math]), q.other(label)))
        if len(q.labels) == 1:
            return self.swap([p, q], _Piece(chain([p.along(label), q.math]), p.other(label)))
        right = transpose(q.along(label))
        return self.swap([p, q], _Piece(chain([p.along(label), right]), p.other(label) + q.other(label)))

    def rowwise(self, p: _Piece, q: _Piece) -> bool:
        """Σ_j X_ij Y_ij with i needed elsewhere: (X ⊙ Y) 𝟏 and not diag(X Yᵀ), which takes a whole product."""
        alike = p.labels == q.labels and len(set(p.labels)) == 2
        open_ended = any(self.count(label) > 2 or label in self.out for label in p.labels)
        return alike and open_ended and not isinstance(p.math, Chain) and not isinstance(q.math, Chain)

    def diagonal(self) -> bool:
        """M_ii with i needed elsewhere -> diag(M)_i"""
        for piece in self.pieces:
            if len(piece.labels) == 2 and len(set(piece.labels)) == 1:
                inner = min(piece.math, transpose(piece.math), key=transposes)
                return self.swap([piece], _Piece(DiagonalOf(inner), piece.labels[:1]))
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
            self.swap(same, *(_Piece(hadamard(part), p.labels) for part in (first, rest) if part))
            alone = [label for label in p.labels if label not in self.out and self.count(label) == 1]
            self.pieces += [_Piece(Ones(self.sizes[label]), (label,)) for label in alone]
            return True
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
        sizes = tuple((label, self.sizes[label]) for label in sorted(used))
        if len(sizes) > len(INDICES):
            raise NoNotation("a product with more indices than there are letters for")
        kept = [p for p in self.pieces if not (isinstance(p.math, Ones) and p.labels[0] in self.out)]
        return Indexed(tuple((p.math, p.labels) for p in kept), self.out, sizes)
