"""The notation tree: the pieces that mathematical writing is made of.

A piece is a scalar, a column vector, a matrix, or what has more indices; a row is a transposed vector.
Not known here: how pieces are put together well (writing.py), how one is found in an expression (rendering.py), and how
it is written down (printers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from .expr import Number
from .lengths import Size

INDICES = "ijklpqrstuv"  # the letters of indices, in the order of the axes that they stand for


@dataclass(frozen=True)
class Math:
    """A piece of notation."""


@dataclass(frozen=True)
class Num(Math):
    """A number."""

    value: Number


@dataclass(frozen=True)
class Constant(Num):
    """A number shown by its name where it has one: 2/√π."""


@dataclass(frozen=True)
class Symbol(Math):
    """A named scalar, vector or matrix (rank 0, 1, 2)."""

    name: str
    shape: tuple[Size, ...]
    symmetric: bool = False


@dataclass(frozen=True)
class Increment(Symbol):
    """dX for the symbol X; `name` is what it is called in code."""

    of: str = ""
    mark: str = "d"


@dataclass(frozen=True)
class Letter(Math):
    """A size or an index as a number: n, i-1."""

    letter: Size


@dataclass(frozen=True)
class Ones(Math):
    """The vector of ones; `sized`, here and below, where its size has to be written."""

    size: Size
    sized: bool = False


@dataclass(frozen=True)
class Identity(Math):
    """I"""

    size: Size
    sized: bool = False


@dataclass(frozen=True)
class Unit(Math):
    """e_k, k from 0."""

    size: Size
    position: Size
    sized: bool = False


@dataclass(frozen=True)
class Zero(Math):
    """The zero of this shape."""

    shape: tuple[Size, ...]
    sized: bool = False


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
    """A function of the table, entry by entry; `spelled` where its symbol means something else."""

    function: str
    args: tuple[Math, ...]
    spelled: bool = False


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
    """One column of a matrix that has a name for its columns: q_k(A), k from 0."""

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
    sized: bool = False


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
class Blocks(Math):
    """Vectors or matrices one below the other, or `beside` each other; of that many rows, or columns, together."""

    parts: tuple[Math, ...]
    size: Size
    beside: bool = False


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
    sized: bool = False


@dataclass(frozen=True)
class Over(Math):
    """A function of matrix_functions.py of the vector whose entries are a scalar with this index."""

    function: str
    index: str
    size: Size
    args: tuple[Math, ...]
    vector: bool
    sized: bool = False


@dataclass(frozen=True)
class Holds(Math):
    """1 where the relation (=, <, ≤) holds, else 0."""

    left: Math
    relation: str
    right: Math


@dataclass(frozen=True)
class Kronecker(Math):
    """A ⊗ B: the blocks a_ij B."""

    left: Math
    right: Math


@dataclass(frozen=True)
class Vec(Math):
    """The columns of a matrix, one below the other."""

    of: Math


@dataclass(frozen=True)
class Commutation(Math):
    """K_mn, by which vec(Xᵀ) is K_mn vec(X) for an m × n matrix X."""

    rows: Size
    columns: Size


# ---- looking at notation ------------------------------------------------------------------------------------------


def rank(math: Math) -> int:
    """0 scalar, 1 column, 2 matrix (a row counts as a matrix)."""
    match math:
        case Num() | Letter() | Norm() | Trace() | Entry() | At() | SumOver() | Holds():
            return 0
        case Symbol(shape=shape) | Zero(shape=shape) | Labelled(shape=shape) | Called(shape=shape):
            return len(shape)
        case Ones() | Unit() | DiagonalOf() | Counting() | Column() | Vec():
            return 1
        case Identity() | Transpose() | Diag() | MatrixPower() | Triangular() | Inverse() | Commutation():
            return 2
        case Kronecker(left=left, right=right):
            return max(rank(left), rank(right))
        case Rows(of=of):
            return rank(of)
        case Over(vector=vector):
            return int(vector)
        case Chain(parts=parts):
            return {(False, False): 2, (False, True): 1, (True, False): 2, (True, True): 0}[
                is_row(parts[0]), rank(parts[-1]) == 1
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
        case Blocks(parts=parts, beside=beside):
            return 2 if beside or any(rank(part) == 2 for part in parts) else 1
        case Indexed(out=out):
            return len(out)
    raise TypeError(type(math).__name__)


def rows_in(math: Listed | Blocks) -> list[tuple[Math, ...]]:
    """The entries, or the blocks, row by row."""
    if isinstance(math, Listed):
        return [part.parts if isinstance(part, Listed) else (part,) for part in math.parts]
    if math.beside:
        return [math.parts]
    rows = [part.parts if isinstance(part, Blocks) and part.beside else (part,) for part in math.parts]
    return rows if len({len(row) for row in rows}) == 1 else [(part,) for part in math.parts]


def is_row(math: Math) -> bool:
    """Whether this is a transposed vector, or put together from such."""
    match math:
        case Transpose(of=of):
            return rank(of) == 1
        case Plus(parts=(first, *_)) | Times(parts=(*_, first)) | Quotient(top=first):
            return is_row(first)
        case Chain(parts=(first, *_, last)):
            return is_row(first) and rank(last) == 2
        case Blocks(parts=parts, beside=True):
            return all(is_row(part) or rank(part) == 0 for part in parts)
    return False


def parts_of(math: Math) -> Iterator[Math]:
    """What the piece is put together from."""

    def inside(own: object) -> Iterator[Math]:
        if isinstance(own, Math):
            yield own
        elif isinstance(own, tuple):
            for part in own:
                yield from inside(part)

    for field in fields(math):
        yield from inside(getattr(math, field.name))


def pieces(math: Math) -> Iterator[Math]:
    """The piece and all that it is made of."""
    yield math
    for part in parts_of(math):
        yield from pieces(part)


def mapped(math: Math, change: Callable[[Math], Math]) -> Math:
    """The formula with each piece changed, the inner ones first."""

    done: dict[int, Math] = {}  # by identity: pieces that are shared stay shared

    def inside(own: object) -> object:
        if isinstance(own, tuple):
            return tuple(map(inside, own))
        return whole(own) if isinstance(own, Math) else own

    def whole(piece: Math) -> Math:
        if id(piece) not in done:
            parts = {field.name: inside(getattr(piece, field.name)) for field in fields(piece)}
            done[id(piece)] = change(replace(piece, **parts))
        return done[id(piece)]

    return whole(math)
