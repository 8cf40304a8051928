"""A matrix that is given entry by entry as it is written on paper: one line for each row.

In: notation and what stands before it.  Out: lines of Unicode text.
"""

from __future__ import annotations

from ..notation import Listed, Math
from .text import text

BRACKETS = (("⎡", "⎤"), ("⎢", "⎥"), ("⎣", "⎦"))  # first, middle and last line


def is_table(math: Math | None) -> bool:
    """Whether it is a matrix of at least two rows, each entry by itself."""
    return isinstance(math, Listed) and len(math.parts) > 1 and all(isinstance(row, Listed) for row in math.parts)


def grid(math: Math, before: str) -> list[str]:
    """The rows with their entries one below the other; `before` stands in front of the first.

    >>> from fractions import Fraction
    >>> from matmagic.notation import Letter, Num
    >>> n, one = Letter("n"), Num(Fraction(1))
    >>> print("\\n".join(grid(Listed((Listed((n, one)), Listed((one, n)))), "J = ")))
    J = ⎡n  1⎤
        ⎣1  n⎦
    """
    assert isinstance(math, Listed)
    rows = [[text(entry) for entry in row.parts] for row in math.parts if isinstance(row, Listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for k, row in enumerate(rows):
        left, right = BRACKETS[0 if k == 0 else 2 if k == len(rows) - 1 else 1]
        entries = "  ".join(entry.ljust(width) for entry, width in zip(row, widths, strict=True))
        lines.append(f"{before if k == 0 else ' ' * len(before)}{left}{entries}{right}")
    return lines
