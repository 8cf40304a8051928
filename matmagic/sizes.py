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
from itertools import combinations, permutations

from .canonical import key
from .errors import TraceError
from .expr import (
    Elementwise,
    Node,
    Number,
    Power,
    Product,
    Sum,
    add,
    elementwise,
    multiply,
    number,
    power,
    size_of,
)
from .lengths import plus
from .loops import rolled
from .trace import Trace
from .walk import children, rebuild

HOLE = -1  # the position of a basis vector that a loop moves


def unified(first: Trace, second: Trace) -> Trace:
    """The trace for all sizes; TraceError where the two don't agree on one."""
    a, b = rolled(first.node, first.sizes), rolled(second.node, second.sizes)
    node = a if key(a) == key(b) else _with_sizes(a, b, first.sizes, second.sizes, {})
    if node is None or len(first.axes) != len(second.axes):
        raise TraceError(
            "the function computes something else at other sizes or values",
            'if sizes make the difference, fix them: --shapes "x=3"',
        )
    return replace(first, node=node)


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
    if not children(a):
        return a if a is b else None
    if isinstance(a, Product) and isinstance(b, Product):
        same = [labels for _, labels in a.factors] == [labels for _, labels in b.factors] and a.sizes == b.sizes
        return rebuild(a, parts) if same else None
    if isinstance(a, Elementwise) and isinstance(b, Elementwise):
        return rebuild(a, parts) if a.function == b.function else None
    return rebuild(a, parts) if isinstance(a, Power) and isinstance(b, Power) and a.exponent == b.exponent else None


def _size_number(c: Number, d: Number, first: Mapping[str, int], second: Mapping[str, int]) -> Node | None:
    """A scalar that is c at the first sizes and d at the second: a literal, or a number times a function of sizes."""
    if c == d:
        return number(c)
    for node, value in _candidates(list(first)):
        ratios = [float(c) / value(first), float(d) / value(second)]
        if math.isclose(*ratios, rel_tol=1e-13):
            short = Fraction(ratios[0]).limit_denominator(24)
            exact = short if math.isclose(float(short), ratios[0], rel_tol=1e-13) and short != 0 else ratios[0]
            return multiply(node, number(exact))
    return None


_Value = Callable[[Mapping[str, int]], float]
EXPONENTS = tuple(Fraction(p) for p in ("1", "-1", "1/2", "-1/2", "2", "-2", "3/2", "-3/2", "3", "-3"))
SHIFTS = (0, -1, 1, -2, 2)


def _candidates(letters: Sequence[str]) -> Iterator[tuple[Node, _Value]]:
    """Numbers made of sizes that code is likely to hold, simplest first."""
    shifted = [(letter, less) for less in SHIFTS for letter in letters]
    for letter, less in shifted:
        for p in EXPONENTS:
            yield power(size_of(plus(letter, less)), p), _power_of([(letter, less)], p)
    for one, other in combinations(shifted, 2):
        both = multiply(*(size_of(plus(*pair)) for pair in (one, other)))
        for p in EXPONENTS[:4]:
            yield power(both, p), _power_of([one, other], p)
    for letter in letters:
        yield elementwise("log", size_of(letter)), lambda sizes, letter=letter: math.log(sizes[letter])  # type: ignore[misc]
    for one, other in permutations(letters, 2):
        for sign in (1, -1):
            for p in EXPONENTS[:4]:
                size = size_of(plus(one, other, sign))
                yield (
                    power(size, p),
                    lambda sizes, one=one, other=other, sign=sign, p=p: _real_power(  # type: ignore[misc]
                        sizes[one] + sign * sizes[other], p
                    ),
                )


def _power_of(pairs: Sequence[tuple[str, int]], exponent: Fraction) -> _Value:
    return lambda sizes: _real_power(math.prod(sizes[letter] + less for letter, less in pairs), exponent)


def _real_power(base: int, exponent: Fraction) -> float:
    """base ** exponent; nothing that a number could equal where that isn't real."""
    return float(base ** float(exponent)) if base > 0 else math.inf
