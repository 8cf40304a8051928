"""Sums of terms in notation, with what the terms share pulled out: A x + Aᵀ x is (A + Aᵀ) x.

In: terms, each a number, scalars above and below a line, and a vector or matrix.  Out: one piece of notation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd

from .expr import Number, exact
from .notation import (
    Chain,
    Diag,
    Hadamard,
    Letter,
    Math,
    Num,
    Plus,
    Pow,
    Quotient,
    Symbol,
    Times,
    Transpose,
    Triangular,
    rank,
)
from .writing import chain, folded, hadamard


@dataclass(frozen=True)
class Term:
    """coefficient · Π above / Π below · body; the body is a vector or matrix, None for scalars."""

    coefficient: Number
    above: tuple[Math, ...]
    below: tuple[Math, ...]
    body: Math | None

    def math(self) -> Math:
        """The term as one piece of notation."""
        match self.body:
            case Times(parts=(*more, inner)) if rank(inner) and not any(map(rank, more)):
                return self.with_inner(scalar_term(more, inner)).math()
            case Quotient(top=top, bottom=bottom, entrywise=False) if rank(top) and not rank(bottom):
                return self.with_inner(scalar_term([Pow(bottom, Fraction(-1), False)], top)).math()
            case Quotient(top=Num(value=value), bottom=bottom, entrywise=True):
                scalars = replace(self, coefficient=exact(max(self.coefficient, -self.coefficient) * value), body=None)
                whole = Quotient(scalars.math(), bottom, entrywise=True)
                return whole if self.coefficient > 0 else Times((Num(Fraction(-1)), whole))
        top_number, bottom_number = self.coefficient, Fraction(1)
        exponents = _exponents(self)
        below = _powers({base: -p for base, p in exponents.items() if p < 0})
        below.sort(key=lambda scalar: not isinstance(scalar, Num))
        if isinstance(top_number, Fraction) and below and max(abs(top_number.numerator), top_number.denominator) < 1000:
            top_number, bottom_number = Fraction(top_number.numerator), Fraction(top_number.denominator)
        parts = [
            *_powers({base: p for base, p in exponents.items() if p > 0}),
            *([folded(self.body)] if self.body is not None else []),
        ]
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

    def with_inner(self, inner: Term) -> Term:
        """The term whose body is a term."""
        coefficient = exact(self.coefficient * inner.coefficient)
        return Term(coefficient, (*self.above, *inner.above), (*self.below, *inner.below), inner.body)


def scalar_term(scalars: Sequence[Math], body: Math | None) -> Term:
    """A term from scalar factors: negative powers and quotients go below the line."""
    coefficient: Number = Fraction(1)
    above: list[Math] = []
    below: list[Math] = []
    for s in scalars:
        match s:
            case Num(value=value):
                coefficient = exact(coefficient * value)
            case Pow(base=Num(value=value), exponent=p) if abs(p) == 1:
                coefficient = exact(coefficient * value if p > 0 else coefficient / value)
            case Times() | Quotient():
                inner = scalar_term(scalar_factors(s), None)
                coefficient = exact(coefficient * inner.coefficient)
                above += inner.above
                below += inner.below
            case Pow(base=base, exponent=p) if p < 0:
                below.append(base if p == -1 else Pow(base, -p, False))
            case Plus(parts=parts) if all(map(is_negative, parts)):
                coefficient = -coefficient
                above.append(Plus(tuple(map(negated, parts))))
            case _:
                above.append(s)
    return Term(coefficient, tuple(above), tuple(below), body)


def is_negative(math: Math) -> bool:
    """Whether it has a minus sign in front."""
    number = math.parts[0] if isinstance(math, Times) else math
    return isinstance(number, Num) and number.value < 0


def negated(math: Math) -> Math:
    """-m for a negative m."""
    match math:
        case Times(parts=(Num(value=value), *rest)):
            parts = [*([] if value == -1 else [Num(-value)]), *rest]
            return parts[0] if len(parts) == 1 else Times(tuple(parts))
        case Num(value=value):
            return Num(-value)
    raise TypeError(type(math).__name__)


def scalar_factors(math: Math) -> list[Math]:
    """What a scalar product is made of; what stands below a line with negative powers."""
    match math:
        case Times(parts=parts):
            return [factor for part in parts for factor in scalar_factors(part)]
        case Quotient(top=top, bottom=bottom):
            below = [f if isinstance(f, Pow) else Pow(f, Fraction(1), False) for f in scalar_factors(bottom)]
            return [*scalar_factors(top), *(Pow(f.base, -f.exponent, False) for f in below)]
    return [math]


def _powers(exponents: Mapping[Math, Number]) -> list[Math]:
    """Scalars as powers, letters first."""
    found = [folded(b) if p == 1 else Pow(folded(b), p, False) for b, p in exponents.items()]
    return sorted(found, key=lambda s: not isinstance(s.base if isinstance(s, Pow) else s, Symbol | Letter))


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
    return exact(a / b)


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
    """The sum with what its terms share pulled out: (A + Aᵀ) x, ½ (B + Bᵀ), det(X)(B + C), (I − r rᵀ / ‖r‖²) / ‖r‖."""
    above, below = _shared_scalars(terms)
    if not above and not below:
        return _added(terms)
    inner = _added([_without(t, above, below) for t in terms], enclosed=True)
    number, whole = _number_apart(inner)
    outer = scalar_term(
        [Num(number), *([whole] if terms[0].body is None else [])], None if terms[0].body is None else whole
    )
    return replace(outer, above=(*above, *outer.above), below=(*below, *outer.below)).math()


def _added(terms: Sequence[Term], enclosed: bool = False) -> Math:
    """The sum with the ends of chains that its terms share pulled out, and a number that they all have.

    `enclosed` sums stand in parentheses, so that the number needs no new ones.
    """
    terms = _entrywise(_plain_first(collected(_in_functions(_of_chains(_opened(terms))))))
    sizes = {abs(t.coefficient) for t in terms}
    if len(terms) < 2 or len(sizes) > 1 or sizes == {1} or not (enclosed or _one_number(terms)):
        return plus(terms)
    common = _common_factor([t.coefficient for t in terms])
    return Times((Num(common), plus([replace(t, coefficient=exact_ratio(t.coefficient, common)) for t in terms])))


def _one_number(terms: Sequence[Term]) -> bool:
    """Whether a number that all terms have is written once: ½ (B + Bᵀ), ½ (xᵀ A x − tr(A)), but 2 x + 2 y, 2 A x + 2 λ x."""
    if all(t.body is None for t in terms):
        return not any(isinstance(s, Symbol | Letter) for t in terms for s in t.above[:1])
    return not any(t.above or t.below or t.body is None for t in terms)


def _exponents(term: Term) -> dict[Math, Number]:
    """The scalars of a term with their powers."""
    found: dict[Math, Number] = {}
    for sign, scalars in ((1, term.above), (-1, term.below)):
        for s in scalars:
            base, p = (s.base, s.exponent) if isinstance(s, Pow) else (s, Fraction(1))
            found[base] = exact(found.get(base, Fraction(0)) + sign * p)
    return {base: p for base, p in found.items() if p}


def _shared_scalars(terms: Sequence[Term]) -> tuple[list[Math], list[Math]]:
    """What all the terms of a sum have above the line, and below it.

    Symbols of a sum of scalars are left: x² + x y is no shorter as x (x + y).
    """
    if len(terms) < 2:
        return [], []
    first, *others = map(_exponents, terms)
    shared = {b: (p, *(o[b] for o in others)) for b, p in first.items() if all(b in o for o in others)}
    if any(t.body is None for t in terms):
        shared = {b: p for b, p in shared.items() if not isinstance(b, Symbol | Letter)}
    above = [_to(b, min(p)) for b, p in shared.items() if min(p) > 0]
    return above, [_to(b, -max(p)) for b, p in shared.items() if max(p) < 0]


def _to(base: Math, exponent: Number) -> Math:
    return base if exponent == 1 else Pow(base, exponent, False)


def _without(term: Term, above: Sequence[Math], below: Sequence[Math]) -> Term:
    """The term without these scalars."""
    left = _exponents(term)
    for base, p in _exponents(Term(Fraction(1), tuple(above), tuple(below), None)).items():
        left[base] = exact(left[base] - p)
    over = [_to(b, p) for b, p in left.items() if p > 0]
    under = [_to(b, -p) for b, p in left.items() if p < 0]
    return replace(term, above=tuple(over), below=tuple(under))


def _opened(terms: Sequence[Term]) -> list[Term]:
    """a − (b + c) -> a − b − c"""
    found: list[Term] = []
    for term in terms:
        if (
            len(terms) > 1
            and isinstance(term.body, Plus)
            and abs(term.coefficient) == 1
            and not (term.above or term.below)
        ):
            found += [_of(part, term.coefficient) for part in term.body.parts]
        else:
            found.append(term)
    return found


def _of(math: Math, sign: Number) -> Term:
    """A piece of a sum as a term."""
    scalars: list[Math] = [Num(sign)]
    if isinstance(math, Quotient) and not math.entrywise:
        scalars += scalar_factors(Quotient(Num(Fraction(1)), math.bottom))
        math = math.top
    if isinstance(math, Times):
        scalars += math.parts[:-1]
        math = math.parts[-1]
    return scalar_term(scalars, math)


def _in_functions(terms: Sequence[Term]) -> list[Term]:
    """tril(A) + tril(B) -> tril(A + B), diag(a) + diag(b) -> diag(a + b)"""
    groups: dict[object, list[Term]] = {}
    for k, term in enumerate(terms):
        own = replace(term.body, of=Num(Fraction(0))) if isinstance(term.body, Triangular | Diag) else k
        groups.setdefault((term.above, term.below, own), []).append(term)
    return [_one_function(same) if len(same) > 1 else same[0] for same in groups.values()]


def _one_function(terms: Sequence[Term]) -> Term:
    inside = [Term(t.coefficient, (), (), t.body.of) for t in terms if isinstance(t.body, Triangular | Diag)]
    common, whole = _number_apart(_added(inside))
    assert isinstance(terms[0].body, Triangular | Diag)
    return replace(terms[0], coefficient=common, body=replace(terms[0].body, of=whole))


def _number_apart(math: Math) -> tuple[Number, Math]:
    """c and m for c m."""
    match math:
        case Times(parts=(Num(value=value), body)):
            return value, body
    return Fraction(1), math


def _of_chains(terms: Sequence[Term]) -> list[Term]:
    """Scalars xᵀ A y as bodies, if each term of a sum of scalars is one and has no other."""
    if any(t.body is not None or t.below or len(t.above) != 1 or not isinstance(t.above[0], Chain) for t in terms):
        return list(terms)
    return [replace(t, above=(), body=t.above[0]) for t in terms]


def _entrywise(terms: Sequence[Term]) -> list[Term]:
    """a ⊙ u + b ⊙ u -> (a + b) ⊙ u: what all the terms have, entry by entry."""
    bodies = [t.body for t in terms if t.body is not None]
    if len(terms) < 2 or len(bodies) < len(terms) or any(t.above or t.below for t in terms):
        return list(terms)
    parts = [list(body.parts) if isinstance(body, Hadamard) else [body] for body in bodies]
    shared = [p for p in dict.fromkeys(parts[0]) if all(p in own for own in parts[1:])]
    if not shared or not any(isinstance(body, Hadamard) for body in bodies):
        return list(terms)
    for own in parts:
        for part in shared:
            own.remove(part)
    if not all(parts):
        return list(terms)
    rest = _added([Term(t.coefficient, (), (), hadamard(own)) for t, own in zip(terms, parts, strict=True)])
    common, inner = _number_apart(rest)
    return [Term(common, (), (), hadamard([*shared, inner]))]


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
