"""How tightly pieces bind in mathematical writing, for the LaTeX and text printers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..notation import Called, Chain, Hadamard, Math, Num, Quotient, SumOver, rank

SUM, PRODUCT, POWER, ATOM = range(4)

# how functions of matrices bind that are not written name(X)
CALLED = {"logdet": PRODUCT, "logabsdet": PRODUCT, "signdet": PRODUCT, "top_singular": PRODUCT, "expm": POWER}


def called(template: str, args: list[str], rows: str) -> str:
    """A function of matrices: a name, or a template with □ for the arguments and @ for what says that it is of rows.

    >>> called("softmax", ["X"], "_rows"), called("‖□‖₂", ["X"], "")
    ('softmax_rows(X)', '‖X‖₂')
    """
    whole = template if "□" in template else f"{template}@(□)"
    return whole.replace("@", rows).replace("□", ", ".join(args))


def scientific(value: Fraction | float) -> tuple[str, int] | None:
    """Mantissa and exponent of a very small or large number; None for one that is written out.

    >>> scientific(Fraction(1, 50000)), scientific(0.25)
    (('2', -5), None)
    """
    short = f"{float(value):.6g}"
    mantissa, mark, exponent = (short if float(short) == float(value) else repr(float(value))).partition("e")
    return (mantissa, int(exponent)) if mark else None


def factors(parts: tuple[Math, ...], at_least: Callable[[Math, int], str]) -> list[str]:
    """The factors of a product as text; the last one needs no parentheses of its own if it can't be misread.

    2 A x, (xᵀ b) A x and 2 xᵀ x, but (aᵀ x)(xᵀ b): two scalar products side by side would read as one chain.
    """
    *front, last = parts
    levels = [PRODUCT if isinstance(p, Num) else POWER for p in front]
    open_end = rank(last) > 0 or not any(isinstance(p, Chain) for p in front)
    product = isinstance(last, Chain | Quotient | Hadamard | Called | SumOver) or not front
    is_chain = front and not isinstance(front[0], Num) and rank(front[0]) > 0
    last_level = PRODUCT if open_end and product and not is_chain else POWER
    return [at_least(p, level) for p, level in zip(parts, [*levels, last_level], strict=True)]
