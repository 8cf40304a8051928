"""The notation tree: the pieces that mathematical writing is made of, and the ways to put them together.

A piece is a scalar, a column vector, a matrix, or what has more indices; a row is a transposed vector.  The
constructors (`transpose`, `chain`, `hadamard`) write things the short way: (A B)ᵀ as Bᵀ Aᵀ, no identities in a product.
Not known here: how a piece is found in an expression (rendering.py), and how it is written down (printers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction

from .expr import Number
from .lengths import Size

COMMUTING = frozenset({"expm", "polar", "top_singular"})  # functions of Xᵀ that are the transpose of that of X


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
    """A size or an index as a number: n, i-1."""

    letter: Size


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
    position: Size


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
class Apply(Math):
    """A function of the table, entry by entry."""

    function: str
    args: tuple[Math, ...]


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
    """One entry, positions from 0, of what has these sizes."""

    of: Math
    positions: tuple[Size, ...]
    sizes: tuple[Size, ...]


@dataclass(frozen=True)
class Column(Math):
    """One column of a matrix that has a name for its columns: v_k(A), k from 0."""

    of: Math
    position: Size
    size: Size


@dataclass(frozen=True)
class Rows(Math):
    """`count` entries of a vector, or rows of a matrix, of `size`: from `start` (from 0) on, each `step` further."""

    of: Math
    start: Size
    step: int
    count: Size
    size: Size


@dataclass(frozen=True)
class Counting(Math):
    """The vector 0, 1, …, size - 1."""

    size: Size


@dataclass(frozen=True)
class Labelled(Math):
    """e_y for a label y; for a vector of labels the matrix with these rows."""

    labels: Math
    shape: tuple[Size, ...]


@dataclass(frozen=True)
class Triangular(Math):
    """The part of a matrix where column - row >= offset, or, if lower, <= offset; 0 elsewhere."""

    of: Math
    offset: int
    lower: bool


@dataclass(frozen=True)
class Inverse(Math):
    """A⁻¹, or the pseudoinverse A⁺."""

    of: Math
    pseudo: bool


@dataclass(frozen=True)
class Called(Math):
    """A function of matrix_functions.py; of each row, where it takes a vector and is given a matrix."""

    function: str
    args: tuple[Math, ...]
    shape: tuple[Size, ...]


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


@dataclass(frozen=True)
class At(Math):
    """The entry at indices, which count from 1: A_ij, x_{i+1}; of I it is δ_ij."""

    of: Math
    indices: tuple[Size, ...]


@dataclass(frozen=True)
class SumOver(Math):
    """Σ of a scalar over indices, each from 1 to its size."""

    indices: tuple[str, ...]
    sizes: tuple[Size, ...]
    of: Math


@dataclass(frozen=True)
class Over(Math):
    """A function of matrix_functions.py of the vector whose entries are a scalar with this index."""

    function: str
    index: str
    size: Size
    args: tuple[Math, ...]
    vector: bool


@dataclass(frozen=True)
class Holds(Math):
    """1 where the relation (=, <, ≤) holds, else 0."""

    left: Math
    relation: str
    right: Math


# ---- making notation ----------------------------------------------------------------------------------------------


def rank(math: Math) -> int:
    """0 scalar, 1 column, 2 matrix (a row counts as a matrix)."""
    match math:
        case Num() | Letter() | Norm() | Trace() | Entry() | At() | SumOver() | Holds():
            return 0
        case Symbol(shape=shape) | Zero(shape=shape) | Labelled(shape=shape) | Called(shape=shape):
            return len(shape)
        case Ones() | Unit() | DiagonalOf() | Counting() | Column():
            return 1
        case Identity() | Transpose() | Diag() | MatrixPower() | Triangular() | Inverse():
            return 2
        case Rows(of=of):
            return rank(of)
        case Over(vector=vector):
            return int(vector)
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
        case Apply(args=args):
            return rank(args[0])
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
        case Triangular(of=of, offset=offset, lower=lower):
            return Triangular(transpose(of), -offset, not lower)
        case Inverse(of=of) if transpose(of) == of:
            return math
        case Called(function=function, args=(of,), shape=shape) if function in COMMUTING:
            return Called(function, (transpose(of),), shape[::-1])
        case Times(parts=parts):
            return Times((*parts[:-1], transpose(parts[-1])))
        case Quotient(top=top, bottom=bottom, entrywise=False):
            return Quotient(transpose(top), bottom)
        case Plus(parts=parts) if rank(math) == 2 and Counter(map(transpose, parts)) == Counter(parts):
            return math
        case Hadamard(parts=parts) if rank(math) == 2:
            return Hadamard(tuple(transpose(p) for p in parts))
        case Apply(function=function, args=args) if rank(math) == 2:
            return Apply(function, tuple(transpose(a) for a in args))
    return math if rank(math) == 0 else Transpose(math)


def pieces(math: Math) -> Iterator[Math]:
    """The piece and all that it is made of."""
    yield math
    for field in fields(math):
        own = getattr(math, field.name)
        for part in own if isinstance(own, tuple) else (own,):
            if isinstance(part, Math):
                yield from pieces(part)


def transposes(math: Math) -> int:
    """How many transposes are written in a formula."""
    return sum(isinstance(piece, Transpose) for piece in pieces(math))


def chain(parts: Iterable[Math]) -> Math:
    """A matrix product, flat, without identities."""
    flat: list[Math] = []
    for part in parts:
        flat += part.parts if isinstance(part, Chain) else [part]
    kept: list[Math] = []
    for part in [p for p in flat if not isinstance(p, Identity)] or flat[:1]:
        joined = _joined(kept[-1], part) if kept else None
        kept[-1:] = [*kept[-1:], part] if joined is None else [joined]
    return kept[0] if len(kept) == 1 else Chain(tuple(kept))


def _joined(left: Math, right: Math) -> Math | None:
    """Two neighbours in a product that have a short form: rows of M for S M, columns for M Sᵀ, v_k(A) for V(A) e_k."""
    match left, right:
        case Rows(of=Identity()), _ if not _selecting(right) and not _is_row(right):
            return _taken(left, right)
        case _, Transpose(of=Rows(of=Identity()) as rows) if not _selecting(left) and rank(left) != 1:
            return transpose(_taken(rows, transpose(left)))
        case Called(function="eigenvectors"), Unit(size=size, position=k):
            return Column(left, k, size)
    return None


def _selecting(math: Math) -> bool:
    return isinstance(_bare(math), Rows | Unit | Listed)


def _taken(rows: Rows, of: Math) -> Math:
    return Ones(rows.count) if isinstance(of, Ones) else replace(rows, of=of)


def inverse(math: Math, pseudo: bool = False) -> Math:
    """M⁻¹ or M⁺, a transpose outside: M⁻ᵀ."""
    return transpose(inverse(math.of, pseudo)) if isinstance(math, Transpose) else Inverse(math, pseudo)


def is_ones(math: Math) -> bool:
    """𝟏 or 𝟏𝟏ᵀ"""
    return isinstance(math, Ones) or (
        isinstance(math, Chain) and all(isinstance(p, Ones | Transpose) and is_ones(_bare(p)) for p in math.parts)
    )


def _bare(math: Math) -> Math:
    return math.of if isinstance(math, Transpose) else math


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
    """Entrywise product: equal parts as powers, reciprocals below a line, 1-vectors gone; triangular parts outside."""
    for k, part in enumerate(parts):
        if isinstance(part, Triangular):
            return replace(part, of=hadamard([*parts[:k], part.of, *parts[k + 1 :]]))
    exponents: dict[Math, Number] = {}
    for base, p in (pair for part in parts for pair in _factors(part)):
        exponents[base] = exponents.get(base, Fraction(0)) + p
    above = [_entrywise(b, p) for b, p in exponents.items() if p > 0 and not is_ones(b)]
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
