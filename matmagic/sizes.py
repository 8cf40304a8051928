"""What two traces say about all sizes: numbers that are sizes found.

In: two traces of one function, at two sets of sizes.  Out: one expression that gives both.  Loops are rolled up
(loops.py).  A number that differs between the traces is a function of the sizes (1/n, n - 1, √n, log n); equal ones are
literals.  Structures that still differ are refused: the function treats other sizes in another way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import combinations, permutations, product

from torch import Tensor

from .calling import Callee
from .canonical import key
from .errors import TraceError
from .expr import (
    Basis,
    Call,
    Elementwise,
    Node,
    Number,
    OneHot,
    Power,
    Product,
    Sum,
    add,
    basis,
    broadcast,
    elementwise,
    multiply,
    number,
    power,
    scale,
    size_of,
)
from .functions import at_zero
from .lengths import Size, length, plus
from .loops import rolled
from .trace import TooLong, Trace, trace
from .walk import children, depth, rebuild, transform, written_size

DEEPEST, LARGEST, MOST_UNROLLED = 60, 700, 20_000  # depth; written size, and that with loops written out
HOLE = -1  # the position of a basis vector that a loop moves


Sample = tuple[Mapping[str, Tensor], Mapping[str, int]]  # inputs and their sizes


def followed(subject: Callee, shapes: Mapping[str, tuple[Size, ...]], samples: Sequence[Sample]) -> Trace:
    """The trace for all sizes, from runs at two samples.

    Numbers are literals, unless sizes near to them explain them better.  Raises TraceError where nothing does.
    """
    try:
        return unified(*(trace(subject, shapes, inputs, sizes) for inputs, sizes in samples))
    except TooLong:
        raise
    except TraceError as first:
        try:
            return unified(*(trace(subject, shapes, inputs, sizes, near=True) for inputs, sizes in samples))
        except TraceError:
            raise first from None


def unified(first: Trace, second: Trace) -> Trace:
    """The trace for all sizes; TraceError where the two don't agree on one."""
    for one in (first, second):
        refuse_large(one.node, DEEPEST, MOST_UNROLLED)
    a, b = rolled(first.node, first.sizes), rolled(second.node, second.sizes)
    refuse_large(a, DEEPEST, LARGEST)
    node = a if key(a) == key(b) else _with_sizes(a, b, first.sizes, second.sizes, {})
    if node is None or len(first.axes) != len(second.axes):
        raise TraceError(
            "the function computes something else at other sizes or values",
            'if sizes make the difference, fix them: --shapes "x=3"',
        )
    return replace(first, node=transform(node, lambda part: at_zero(part) or part))


def refuse_large(node: Node, deepest: int, largest: int) -> None:
    """TooLong for an expression that is too deep, or too large when shared parts are written out, to be worked with."""
    if (deep := depth(node)) > deepest:
        raise TooLong("too deep to be written down", f"{deep} calls, one inside the other")
    if (size := written_size(node)) > largest:
        raise TooLong("too large to be written down", f"{size:,} operations")


# ---- numbers ------------------------------------------------------------------------------------------------------


_Pairs = dict[tuple[Node, Node], Node | None]


def _with_sizes(a: Node, b: Node, first: Mapping[str, int], second: Mapping[str, int], done: _Pairs) -> Node | None:
    """The expression of which a and b are the values of its numbers at the two sets of sizes."""
    if (a, b) not in done:
        done[a, b] = _joined(a, b, first, second, done)
    return done[a, b]


def _joined(a: Node, b: Node, first: Mapping[str, int], second: Mapping[str, int], done: _Pairs) -> Node | None:
    if type(a) is not type(b) or len(children(a)) != len(children(b)) or a.shape != b.shape:
        return None
    parts: dict[Node, Node] = {}
    for x, y in zip(children(a), children(b), strict=True):
        both = _with_sizes(x, y, first, second, done)
        if both is None or parts.setdefault(x, both) is not both:
            return None
    if isinstance(a, Sum) and isinstance(b, Sum):
        terms = []
        for (c, x), (d, _) in zip(a.terms, b.terms, strict=True):
            factor = _size_number(c, d, first, second)
            if factor is None:
                return None
            terms.append((1, multiply(parts[x], factor)))
        return add(terms, a.shape)
    if isinstance(a, Basis) and isinstance(b, Basis):
        at = _position(a.position, b.position, first, second)
        return None if at is None else basis(a.shape[0], at)
    if not children(a):
        return a if a is b else None
    if isinstance(a, Product) and isinstance(b, Product):
        same = [labels for _, labels in a.factors] == [labels for _, labels in b.factors] and a.sizes == b.sizes
        return rebuild(a, parts) if same else None
    if isinstance(a, Elementwise | Call) and isinstance(b, Elementwise | Call):
        return rebuild(a, parts) if a.function == b.function else None
    if isinstance(a, OneHot):
        return rebuild(a, parts)
    return _joined_powers(a, b, parts[a.base], first, second) if isinstance(a, Power) and isinstance(b, Power) else None


def _position(p: Size, q: Size, first: Mapping[str, int], second: Mapping[str, int]) -> Size | None:
    """A position that is p at the first sizes and q at the second: the same, or counted from a size."""
    if p == q:
        return p
    if isinstance(p, int) and isinstance(q, int):
        for letter in first:
            if p - first[letter] == q - second[letter]:
                return plus(letter, p - first[letter])
    return None


def _joined_powers(a: Power, b: Power, base: Node, first: Mapping[str, int], second: Mapping[str, int]) -> Node | None:
    """A power whose exponent may be a function of the sizes: det(X)^(1/n)."""
    if a.exponent == b.exponent:
        return power(base, a.exponent)
    exponent = _size_number(a.exponent, b.exponent, first, second)
    if exponent is None:
        return None
    return elementwise("pow", base, broadcast(exponent, base.shape))


def _size_number(c: Number, d: Number, first: Mapping[str, int], second: Mapping[str, int]) -> Node | None:
    """A scalar that is c at the first sizes and d at the second: a literal, or made of a function of the sizes."""
    return number(c) if c == d else _made_of_sizes(c, d, tuple(first.items()), tuple(second.items()))


@lru_cache(maxsize=256)
def _made_of_sizes(
    c: Number, d: Number, one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]
) -> Node | None:
    """Tried: a simple fraction times a function of sizes, such a function and a number, two of them, any number times one."""
    first, second = dict(one), dict(other)
    known = [(make, value(first), value(second)) for make, value in _candidates(tuple(first))]
    known = [(make, a, b) for make, a, b in known if math.isfinite(a) and math.isfinite(b)]
    for make, a, b in known:
        short = _short(float(c) / a)
        if short is not None and math.isclose(float(c) / a, float(d) / b, rel_tol=1e-13):
            return multiply(make(), number(short))
    for make, a, b in known:
        times = _short((float(c) - float(d)) / (a - b), 4) if a != b else None
        if times is not None and (abs(times) == 1 or isinstance(c, float)):  # fractions meet many of these
            return add([(times, make()), (float(c) - float(times) * a, number(1))], ())
    for (make, a, b), (more, e, f) in combinations([(m, v(first), v(second)) for m, v in _basic(tuple(first))], 2):
        for sign in (1, -1):
            if math.isclose(float(c), a + sign * e, rel_tol=1e-13) and math.isclose(
                float(d), b + sign * f, rel_tol=1e-13
            ):
                return add([(1, make()), (sign, more())], ())
    for make, a, b in known:
        if math.isclose(float(c) / a, float(d) / b, rel_tol=1e-13):
            return multiply(make(), number(float(c) / a))
    return None


def _short(value: float, most: int = 24) -> Fraction | None:
    """The simple fraction that a number is up to rounding, if it has small terms."""
    short = Fraction(value).limit_denominator(most)
    return short if 0 < abs(short.numerator) <= 4 * most and math.isclose(float(short), value, rel_tol=1e-12) else None


_Value = Callable[[Mapping[str, int]], float]
EXPONENTS = tuple(Fraction(p) for p in ("1", "-1", "1/2", "-1/2", "2", "-2", "3/2", "-3/2", "3", "-3"))
SHIFTS = (0, -1, 1, -2, 2)
TIMES = tuple(Fraction(p) for p in ("1", "-1", "1/2", "-1/2"))
BASES = (2.0, 2 * math.pi, math.pi, math.e, 10.0)


def _candidates(letters: Sequence[str]) -> Iterator[tuple[Callable[[], Node], _Value]]:
    """Functions of sizes that code is likely to hold, simplest first; each with what makes its expression."""
    shifted = [plus(letter, less) for less in SHIFTS for letter in letters]
    sums = [plus(one, other, sign) for one, other in permutations(letters, 2) for sign in (1, -1)]
    quotients = [((one, 1), (other, sign)) for one, other in permutations(shifted, 2) for sign in (1, -1)]
    products: list[tuple[tuple[Size, int], ...]] = [((size, 1),) for size in [*shifted, *sums]]
    for factors in [*products, *quotients]:
        for p in EXPONENTS if len(factors) == 1 else EXPONENTS[:4]:
            yield partial(_made_of, factors, p), partial(_value_of, factors, p)
    for letter in letters:
        yield partial(_logarithm, letter), lambda sizes, letter=letter: math.log(sizes[letter])  # type: ignore[misc]
    for base, letter, times in product(BASES, letters, TIMES):
        yield partial(_exponential, base, letter, times), partial(_exponential_value, base, letter, times)


def _basic(letters: Sequence[str]) -> Iterator[tuple[Callable[[], Node], _Value]]:
    """Sizes, products and quotients of them, and their roots: what sums are made of."""
    plain: list[tuple[tuple[Size, int], ...]] = [((letter, 1),) for letter in letters]
    pairs = [((one, 1), (other, sign)) for one, other in permutations(letters, 2) for sign in (1, -1)]
    for factors, p in product([*plain, *pairs], TIMES):
        yield partial(_made_of, factors, p), partial(_value_of, factors, p)


def _made_of(factors: Sequence[tuple[Size, int]], exponent: Fraction) -> Node:
    return power(multiply(*(power(size_of(size), sign) for size, sign in factors)), exponent)


def _value_of(factors: Sequence[tuple[Size, int]], exponent: Fraction, sizes: Mapping[str, int]) -> float:
    """The product of sizes, or of their reciprocals, to a power; nan where that isn't real."""
    numbers = [(length(size, sizes), sign) for size, sign in factors]
    if any(n <= 0 for n, _ in numbers):
        return math.nan
    return float(math.prod(float(n) ** sign for n, sign in numbers) ** float(exponent))


def _logarithm(letter: str) -> Node:
    return elementwise("log", size_of(letter))


def _exponential(base: float, letter: str, times: Fraction) -> Node:
    return elementwise("pow", number(base), scale(times, size_of(letter)))


def _exponential_value(base: float, letter: str, times: Fraction, sizes: Mapping[str, int]) -> float:
    return float(base ** float(times * sizes[letter]))
