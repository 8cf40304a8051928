"""Ways to put notation together that write things short: (A B)ᵀ as Bᵀ Aᵀ, no identities in a product, A ⊘ A² as 1 ⊘ A.

In: pieces of notation.  Out: one piece that means their transpose, inverse, matrix product or entrywise product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from .expr import Number
from .notation import (
    Apply,
    Blocks,
    Called,
    Chain,
    Column,
    Diag,
    Hadamard,
    Identity,
    Inverse,
    Listed,
    Math,
    MatrixPower,
    Num,
    Ones,
    Plus,
    Pow,
    Quotient,
    Rows,
    Symbol,
    Times,
    Transpose,
    Triangular,
    Unit,
    is_row,
    pieces,
    rank,
)

COMMUTING = frozenset({"expm", "polar", "top_singular"})  # functions of Xᵀ that are the transpose of that of X


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
        case Blocks(parts=parts, size=size, beside=beside):
            turned = Blocks(tuple(map(transpose, parts)), size, not beside)
            return turned if transposes(turned) <= transposes(math) else Transpose(math)
        case Apply(function=function, args=args) if rank(math) == 2:
            return Apply(function, tuple(transpose(a) for a in args))
    return math if rank(math) == 0 else Transpose(math)


def inverse(math: Math, pseudo: bool = False) -> Math:
    """M⁻¹ or M⁺, a transpose outside: M⁻ᵀ."""
    return transpose(inverse(math.of, pseudo)) if isinstance(math, Transpose) else Inverse(math, pseudo)


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
    """Two neighbours in a product that have a short form: rows of M for S M, columns for M Sᵀ, q_k(A) for Q(A) e_k."""
    match left, right:
        case Rows(of=Identity()), _ if not _selecting(right) and not is_row(right):
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


def folded(math: Math) -> Math:
    """A chain with equal neighbours as powers: X X -> X²."""
    if not isinstance(math, Chain):
        return math
    runs: list[tuple[Math, int]] = []
    for part in math.parts:
        if runs and runs[-1][0] == part and rank(part) == 2 and not is_row(part):
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


def is_ones(math: Math) -> bool:
    """𝟏 or 𝟏𝟏ᵀ"""
    return isinstance(math, Ones) or (
        isinstance(math, Chain) and all(isinstance(p, Ones | Transpose) and is_ones(_bare(p)) for p in math.parts)
    )


def transposes(math: Math) -> int:
    """How many transposes are written in a formula; columns X_{:,1:n} are the transpose of rows of Xᵀ, without a mark."""
    turned = [piece.of for piece in pieces(math) if isinstance(piece, Transpose)]
    return len(turned) - 2 * sum(isinstance(of, Rows) and isinstance(of.of, Transpose) for of in turned)


def _bare(math: Math) -> Math:
    return math.of if isinstance(math, Transpose) else math


def constant_of(math: Math) -> Math:
    """c for c 𝟏, the piece itself where its entries differ."""
    match math:
        case Ones():
            return Num(Fraction(1))
        case Times(parts=(scalar, body)) if is_ones(body):
            return scalar
    return math
