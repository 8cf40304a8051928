"""The same value with fewer and smaller operations: (A + Aᵀ) x as A x + Aᵀ x, tr(A B) as Σ A ⊙ Bᵀ.

In: a notation tree, as it is shown.  Out: one of the same value for the code printers, which put vectors before
matrices in every product and solve where an inverse meets something.  What is distributed here are vectors over sums of
matrices, and matrices over sums of outer products and diagonal matrices, so that none of those is ever formed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from ..notation import (
    Chain,
    Diag,
    DiagonalOf,
    Identity,
    Inverse,
    Letter,
    Math,
    MatrixPower,
    Num,
    Ones,
    Plus,
    Quotient,
    Symbol,
    Times,
    Trace,
    Transpose,
    is_row,
    mapped,
    parts_of,
    rank,
)
from ..writing import chain, hadamard, transpose

MOST_FACTORS = 4  # of a power that is applied factor by factor
ALL = Ones(0)  # meets a matrix, and has its size


def plan(math: Math) -> Math:
    """The formula, put together for computing.

    >>> A, B = Symbol("A", ("n", "n")), Symbol("B", ("n", "n"))
    >>> plan(Trace(Chain((A, B)))) == Chain((Transpose(ALL), hadamard([A, Transpose(B)]), ALL))
    True
    """
    return mapped(math, _cheaper)


def inverses_needed(math: Math) -> frozenset[Math]:
    """The inverses that stand by themselves, or meet matrices twice: what else they meet takes a product with them."""
    met: Counter[Math] = Counter()

    def meet(own: Math, inside: Math) -> None:
        bare = own.of if isinstance(own, Transpose) else own
        if isinstance(bare, Inverse):
            vector = isinstance(inside, Chain) and (rank(inside) < 2 or is_row(inside.parts[0]))
            met[bare] += 0 if vector else 1 if isinstance(inside, Chain | MatrixPower) else 2
        for part in parts_of(bare):
            meet(part, bare)

    meet(math, math)
    return frozenset(own for own, times in met.items() if times > 1)


def _cheaper(math: Math) -> Math:
    match math:
        case Chain(parts=parts):
            return _product(parts)
        case Times(parts=(*scalars, body)):
            return _times(scalars, body)
        case Trace(of=of):
            return _trace(of)
        case DiagonalOf(of=of):
            return _diagonal(of)
        case Plus(parts=(one, other)):
            return _led_out(one, other) or math
    return math


def _led_out(one: Math, other: Math) -> Math | None:
    """S⁻¹ u vᵀ − S⁻¹ as S⁻¹(u vᵀ − I), which is solved with S once and inverts nothing."""
    led, whole = _parted(one), _parted(other)
    if isinstance(led[1], Inverse):
        led, whole = whole, led
    (scalars, outer), (factors, inverse) = led, whole
    match outer, inverse:
        case Chain(parts=(Chain(parts=(first, *rest)), Transpose() as row)), Inverse(of=Symbol(shape=(size, _))) if (
            first == inverse and rank(rest[-1]) == 1
        ):
            left, right = _times(scalars, Chain((chain(rest), row))), _times(factors, Identity(size))
            return Chain((inverse, Plus((left, right))))
    return None


def _parted(math: Math) -> tuple[tuple[Math, ...], Math]:
    """The scalars of a term, and the rest of it."""
    return (math.parts[:-1], math.parts[-1]) if isinstance(math, Times) else ((), math)


# ---- sums and scalars ---------------------------------------------------------------------------------------------


def _times(scalars: Sequence[Math], body: Math) -> Math:
    """Scalars times anything, numbers first."""
    flat: list[Math] = []
    for part in (*scalars, body):
        flat += part.parts if isinstance(part, Times) else [part]
    number = Fraction(1)
    others = []
    for part in flat:
        if isinstance(part, Num) and isinstance(part.value, Fraction):
            number *= part.value
        else:
            others.append(part)
    front = [] if number == 1 and others else [Num(number)]
    whole = (*front, *sorted(others, key=lambda part: rank(part) > 0))
    return whole[0] if len(whole) == 1 else Times(whole)


def _sum(terms: Sequence[Math]) -> Math:
    flat: list[Math] = []
    for term in terms:
        flat += term.parts if isinstance(term, Plus) else [term]
    return flat[0] if len(flat) == 1 else Plus(tuple(flat))


def _linear(math: Math, change: Callable[[Math], Math]) -> Math:
    """A linear map of a matrix: of each term, scalars outside."""
    match math:
        case Plus(parts=parts):
            return _sum([_linear(p, change) for p in parts])
        case Transpose(of=Plus(parts=parts)) if rank(parts[0]) == 2:
            return _sum([_linear(transpose(p), change) for p in parts])
        case Times(parts=(*scalars, body)) if rank(body):
            return _times(scalars, _linear(body, change))
        case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
            return Quotient(_linear(top, change), bottom)
    return change(math)


# ---- products -----------------------------------------------------------------------------------------------------


def _product(parts: Sequence[Math]) -> Math:
    """A matrix product: scalars, then a vector, a matrix, or an outer product of vectors."""
    for k, part in enumerate(parts):
        match part:
            case Times(parts=(*scalars, body)) if scalars:
                return _times(scalars, _product([*parts[:k], body, *parts[k + 1 :]]))
            case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
                return Quotient(_product([*parts[:k], top, *parts[k + 1 :]]), bottom)
    runs = runs_of(parts)
    scalars = [_inner(run) for run in runs if is_row(run[0]) and rank(run[-1]) == 1]
    others = [run for run in runs if not (is_row(run[0]) and rank(run[-1]) == 1)]
    if len(others) == 2:
        body = _outer(_column(others[0]), _column([transpose(p) for p in reversed(others[1])]))
    elif not others:
        return _times(scalars[:-1], scalars[-1])
    elif is_row(others[0][0]):
        body = transpose(_column([transpose(p) for p in reversed(others[0])]))
    else:
        body = _column(others[0]) if rank(others[0][-1]) == 1 else _matrices(others[0])
    return _times(scalars, body)


def runs_of(parts: Sequence[Math]) -> list[list[Math]]:
    """The product split where a column meets a row."""
    whole = chain(parts)
    runs: list[list[Math]] = [[]]
    for part in whole.parts if isinstance(whole, Chain) else (whole,):
        if runs[-1] and rank(runs[-1][-1]) == 1:
            runs.append([])
        runs[-1].append(part)
    return runs


def _outer(left: Math, right: Math) -> Math:
    """u vᵀ, scalars outside."""
    for own, other, turned in ((left, right, False), (right, left, True)):
        match own:
            case Times(parts=(*scalars, body)) if scalars:
                return _times(scalars, _outer(other, body) if turned else _outer(body, other))
            case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
                return Quotient(_outer(other, top) if turned else _outer(top, other), bottom)
    return Chain((left, Transpose(right)))


def _column(parts: Sequence[Math]) -> Math:
    """Matrices times a vector, the vector first."""
    *matrices, vector = parts
    for matrix in reversed(matrices):
        vector = _applied(matrix, vector)
    return vector


def _applied(matrix: Math, vector: Math) -> Math:
    """M v"""
    match vector:
        case Times(parts=(*scalars, body)) if scalars:
            return _times(scalars, _applied(matrix, body))
    if isinstance(vector, Ones) and not any(isinstance(p, Identity | Diag) for p in _terms(matrix)):
        return chain([matrix, vector])
    return _linear(matrix, lambda term: _one_applied(term, vector))


def _terms(matrix: Math) -> list[Math]:
    """The terms of a sum, without scalars."""
    found: list[Math] = []

    def note(term: Math) -> Math:
        found.append(term)
        return term

    _linear(matrix, note)
    return found


def _one_applied(matrix: Math, vector: Math) -> Math:
    match matrix:
        case Identity():
            return vector
        case Diag(of=of):
            return hadamard([of, vector])
        case Chain(parts=parts):
            return _product([*parts, vector])
        case MatrixPower(of=of, count=count) if count <= MOST_FACTORS:
            return _column([*[of] * count, vector])
    return chain([matrix, vector])


def _inner(parts: Sequence[Math]) -> Math:
    """xᵀ M … y; written as it is where nothing in it is a sum, diagonal or an inverse."""
    row, *matrices, vector = parts
    if all(_plain(m) for m in matrices):
        return chain(parts)
    column = _column([*matrices, vector])
    match column:
        case Times(parts=(*scalars, body)) if scalars:
            return _times(scalars, chain([row, body]))
        case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
            return Quotient(chain([row, top]), bottom)
    return chain([row, column])


def _plain(matrix: Math) -> bool:
    bare = matrix.of if isinstance(matrix, Transpose) else matrix
    return not isinstance(bare, Plus | Diag | Identity | Inverse | MatrixPower)


def _matrices(parts: Sequence[Math]) -> Math:
    """A product of matrices; sums of outer products, diagonal matrices and multiples of I are multiplied out."""
    if len(parts) > 1:
        for k, part in enumerate(parts):
            terms = _terms(part)
            light = [isinstance(t, Identity | Diag) or _is_outer(t) for t in terms]
            simple = len(parts) == 2 and all(isinstance(p, Symbol | Transpose | Diag) for p in parts if p is not part)
            if len(terms) > 1 and (all(light) or (simple and any(isinstance(t, Identity) for t in terms))):
                return _linear(part, lambda term, k=k: _product([*parts[:k], term, *parts[k + 1 :]]))  # type: ignore[misc]
    return chain(parts)


def _is_outer(math: Math) -> bool:
    return isinstance(math, Chain) and any(rank(p) == 1 for p in math.parts)


# ---- traces and diagonals -----------------------------------------------------------------------------------------


def _trace(of: Math) -> Math:
    return _linear(of, _one_trace)


def _one_trace(of: Math) -> Math:
    match of:
        case Identity(size=size):
            return Letter(size)
        case Diag(of=vector):
            return chain([Transpose(ALL), vector])
        case MatrixPower(of=matrix, count=2):
            return _entries_of([matrix, transpose(matrix)])
        case Chain(parts=parts) if _is_outer(of):
            at = next(k for k, p in enumerate(parts) if rank(p) == 1) + 1
            return _product([*parts[at:], *parts[:at]])
        case Chain(parts=(*front, last)) if not any(_is_inverse(p) for p in of.parts):
            return _entries_of([_matrices(front), transpose(last)])
    return Trace(of)


def _entries_of(factors: Sequence[Math]) -> Math:
    """The sum of all entries of an entrywise product."""
    return chain([Transpose(ALL), hadamard(factors), ALL])


def _diagonal(of: Math) -> Math:
    return _linear(of, _one_diagonal)


def _one_diagonal(of: Math) -> Math:
    match of:
        case Identity(size=size):
            return Ones(size)
        case Diag(of=vector):
            return vector
        case Chain(parts=parts) if _is_outer(of):
            at = next(k for k, p in enumerate(parts) if rank(p) == 1) + 1
            return hadamard([_column(parts[:at]), _column([transpose(p) for p in reversed(parts[at:])])])
        case Chain(parts=(*front, last)):
            return chain([hadamard([_matrices(front), transpose(last)]), ALL])
    return DiagonalOf(of)


def _is_inverse(math: Math) -> bool:
    return isinstance(math.of if isinstance(math, Transpose) else math, Inverse)
