"""How tightly pieces bind in mathematical writing, for the LaTeX and text printers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from ..notation import Called, Chain, Hadamard, Indexed, Math, Num, Plus, Quotient, SumOver, Zero, rank
from ..summing import is_negative, negated
from ..writing import constant_of

SUM, PRODUCT, POWER, ATOM = range(4)

CONSTANTS = {  # by the text; with the LaTeX
    "√2": (r"\sqrt{2}", math.sqrt(2)),
    "√3": (r"\sqrt{3}", math.sqrt(3)),
    "√5": (r"\sqrt{5}", math.sqrt(5)),
    "π": (r"\pi", math.pi),
    "√π": (r"\sqrt{\pi}", math.sqrt(math.pi)),
    "√(2π)": (r"\sqrt{2 \pi}", math.sqrt(2 * math.pi)),
    "√(2/π)": (r"\sqrt{2/\pi}", math.sqrt(2 / math.pi)),
    "√(π/2)": (r"\sqrt{\pi/2}", math.sqrt(math.pi / 2)),
    "log(2)": (r"\log(2)", math.log(2)),
    "log(10)": (r"\log(10)", math.log(10)),
    "log(2π)": (r"\log(2 \pi)", math.log(2 * math.pi)),
}

SPELLED = {  # functions with a letter for a name, in words
    "sigmoid": "sigmoid",
    "ndtr": "ndtr",
    "density": "density",
    "digamma": "digamma",
    "detach": "detach",
}

# how functions of matrices bind that are not written name(X)
CALLED = {
    "logdet": PRODUCT,
    "logabsdet": PRODUCT,
    "signdet": PRODUCT,
    "top_singular": PRODUCT,
    "expm": POWER,
    "right_singular": POWER,
}


def called(
    template: str, args: list[str], mark: str = "", rows: bool = False, enclosed: Callable[[str], str] = "({})".format
) -> str:
    """A function of matrices, as its row says; the mark names the index, or says that it is of rows.

    >>> called("softmax", ["X"], "_rows", rows=True), called("‖□‖₂", ["X"])
    ('softmax_rows(X)', '‖X‖₂')
    """
    written = template.split("¦")[-1 if rows else 0]
    inside = ", ".join(args)
    whole = written.replace("(□)", enclosed(inside)) if "□" in written else f"{written}@{enclosed(inside)}"
    return whole.replace("@", mark).replace("□", inside)


def near(value: Fraction | float) -> Fraction | float:
    """A float as the short fraction from which only rounding parts it.

    >>> near(2.9999999999999996), near(0.3333333333333333), near(0.1234567890123)
    (Fraction(3, 1), Fraction(1, 3), 0.1234567890123)
    """
    if isinstance(value, Fraction) or not 1e-9 < abs(value) < 1e9:
        return value
    short = Fraction(value).limit_denominator(1000)
    return short if abs(float(short) - value) <= 4e-16 * abs(value) else value


def beside(args: tuple[Math, ...]) -> tuple[Math, ...]:
    """The arguments of a function of several: c for c 𝟏 beside one whose entries differ."""
    plain = tuple(constant_of(a) for a in args)
    return args if all(rank(a) == 0 or isinstance(a, Zero) for a in plain) else plain


def compared(math: Math) -> tuple[Math, str, Math]:
    """m > 0 with what is negative on the other side: a − b > 0 as a > b, c 𝟏 − a > 0 as a < c."""
    parts = math.parts if isinstance(math, Plus) else (math,)
    left = [p for p in parts if not is_negative(p)]
    right = [negated(p) for p in parts if is_negative(p)]
    sides = [Plus(tuple(side)) if len(side) > 1 else side[0] if side else Num(Fraction(0)) for side in (left, right)]
    more, less = (constant_of(side) for side in sides)
    return (less, "<", more) if rank(more) < rank(less) or not left else (more, ">", less)


def scientific(value: Fraction | float) -> tuple[str, int] | None:
    """Mantissa and exponent of a very small or large number; None for one that is written out.

    >>> scientific(Fraction(1, 50000)), scientific(0.25), scientific(Fraction(10**9))
    (('2', -5), None, ('1', 9))
    """
    if isinstance(value, Fraction) and 1 < value.denominator < 17:
        return None
    short = f"{float(value):.6g}"
    exact = short if float(short) == float(value) else repr(float(value))
    mantissa, mark, exponent = exact.partition("e")
    return (mantissa, int(exponent)) if mark else None


def decimal(value: Fraction | float) -> str | None:
    """A number as a decimal: 0.7; None for a fraction such as 1/3 or 3/4.

    >>> decimal(Fraction(7, 10)), decimal(Fraction(1, 3)), decimal(Fraction(1, 4)), decimal(0.30000000000000004)
    ('0.7', None, None, '0.30000000000000004')
    """
    if not isinstance(value, Fraction):
        return repr(value)
    if value.denominator == 1:
        return str(value.numerator)
    short = f"{float(value):.6g}"
    return short if (value.denominator > 16 or value.denominator % 5 == 0) and float(short) == float(value) else None


def constant(value: Fraction | float) -> tuple[Fraction, str, bool] | None:
    """r and c for a number that is r·c, or, with True, r/c, for a well-known c; None for any other.

    >>> constant(2 / math.sqrt(math.pi)), constant(math.pi / 180), constant(0.3)
    ((Fraction(2, 1), '√π', True), (Fraction(1, 180), 'π', False), None)
    """
    if isinstance(value, Fraction) or not 1e-9 < abs(value) < 1e9:  # nan and infinities too
        return None
    found = []
    for name, (_, number) in CONSTANTS.items():
        for ratio, below in ((value / number, False), (value * number, True)):
            near = Fraction(ratio).limit_denominator(360)
            if 0 < abs(near.numerator) < 100 and abs(float(near) - ratio) <= 1e-15 * abs(ratio):
                found.append((2 * (abs(near.numerator) + near.denominator) + below, (near, name, below)))
    return min(found)[1] if found else None


def factors(parts: tuple[Math, ...], at_least: Callable[[Math, int], str]) -> list[str]:
    """The factors of a product as text; the last one needs no parentheses of its own if it can't be misread.

    2 A x, (xᵀ b) A x and 2 xᵀ x, but (aᵀ x)(xᵀ b): two scalar products side by side would read as one chain.
    """
    *front, last = parts
    levels = [PRODUCT if isinstance(p, Num) else POWER for p in front]
    open_end = rank(last) > 0 or not any(isinstance(p, Chain) for p in front)
    product = isinstance(last, Chain | Quotient | Hadamard | Called | SumOver | Indexed) or not front
    is_chain = front and not isinstance(front[0], Num) and rank(front[0]) > 0
    last_level = PRODUCT if open_end and product and not is_chain else POWER
    return [at_least(p, level) for p, level in zip(parts, [*levels, last_level], strict=True)]
