"""What both printers of torch code share: how tightly code binds, numbers, and sizes by the arguments' shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..expr import Number
from ..lengths import Size, parts, plus

SUM, PRODUCT, UNARY, POWER, ATOM = range(5)
Axes = tuple[tuple[int, ...], ...]
Shapes = Mapping[str, Sequence[Size]]


@dataclass(frozen=True)
class Piece:
    """An expression and how tightly it binds."""

    text: str
    level: int

    def at_least(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"


def outside(code: str) -> str:
    """The code without what stands in brackets.

    >>> outside("2 * (A @ x) + f(a @ b)[0]")
    '2 *  + f'
    """
    shorter = re.sub(r"\([^()[\]]*\)|\[[^()[\]]*\]", "", code)
    return code if shorter == code else outside(shorter)


def contiguous(code: Piece) -> str:
    """The code of a contiguous tensor, which torch.kron needs.

    >>> contiguous(Piece("A.T", ATOM)), contiguous(Piece("torch.eye(A.shape[0])", ATOM))
    ('A.T.contiguous()', 'torch.eye(A.shape[0])')
    """
    fresh = re.fullmatch(r"torch\.(eye|ones)\([^()]*\)", code.text)
    return code.text if fresh else f"{code.at_least(ATOM)}.contiguous()"


def number_code(value: Number) -> Piece:
    """A number: 2, 0.5, 1 / 3."""
    if isinstance(value, Fraction) and value.denominator != 1 and Fraction(repr(float(value))) != value:
        return Piece(f"{value.numerator} / {value.denominator}", PRODUCT)
    whole = isinstance(value, Fraction) and value.denominator == 1
    text = str(value.numerator) if isinstance(value, Fraction) and whole else repr(float(value))
    return Piece(text.replace("inf", "torch.inf"), ATOM if value >= 0 else UNARY)


def size_code(size: Size, shapes: Shapes) -> Piece:
    """A size by the arguments' shapes: x.shape[0], x.shape[0] - 1.  ValueError where they don't give it.

    >>> size_code("n-1", {"x": ("n",)}).text, size_code("n", {"d": ("n-1",)}).text
    ('x.shape[0] - 1', 'd.shape[0] + 1')
    """
    if isinstance(size, int):
        return Piece(str(size), ATOM if size >= 0 else UNARY)
    axes = [(f"{name}.shape[{k}]", own) for name, shape in shapes.items() for k, own in enumerate(shape)]
    gaps = [(abs(gap), gap, text) for text, own in axes if isinstance(gap := plus(size, own, -1), int)]
    if gaps:
        _, gap, text = min(gaps, key=lambda found: found[0])
        return Piece(f"{text} {'-' if gap < 0 else '+'} {abs(gap)}", SUM) if gap else Piece(text, ATOM)
    letters, number = parts(size)
    if len(letters) == 1 and letters[0][1] == 1:
        return _solved(letters[0][0], axes)
    line = ""
    for letter, count in (*letters, ("", number)):
        if count:
            one = size_code(letter, shapes).at_least(POWER) if letter else str(abs(count))
            times = f"{abs(count)} * " if letter and abs(count) != 1 else ""
            line += f"{' ' if line else ''}{'-' if count < 0 else '+' if line else ''}{' ' if line else ''}{times}{one}"
    return Piece(line, SUM)


def _solved(letter: str, axes: Sequence[tuple[str, Size]]) -> Piece:
    """A letter that only multiples and sums of it give."""
    plain = {own: text for text, own in axes}
    for text, own in axes:
        letters, number = parts(own)
        counts = dict(letters)
        others = [(plain.get(other, ""), count) for other, count in letters if other != letter]
        if counts.get(letter, 0) > 0 and all(axis for axis, _ in others):
            known = [*others, (str(abs(number)), 1 if number > 0 else -1)] if number else others
            less = "".join(
                f" {'-' if count > 0 else '+'} {'' if abs(count) == 1 else f'{abs(count)} * '}{axis}"
                for axis, count in known
            )
            if counts[letter] == 1:
                return Piece(text + less, SUM)
            return Piece(f"{f'({text}{less})' if less else text} // {counts[letter]}", PRODUCT)
    raise ValueError(f"no argument has the size {letter}")


def commutation_code(rows: Size, columns: Size, shapes: Shapes) -> str:
    """The permutation that takes the columns of a matrix, one below the other, to its rows.

    >>> commutation_code("m", "n", {"X": ("m", "n")})
    'torch.eye(X.numel()).reshape(X.shape[1], X.shape[0], -1).transpose(0, 1).reshape(X.numel(), -1)'
    """
    m, n = (size_code(size, shapes).at_least(PRODUCT) for size in (rows, columns))
    count = next((f"{name}.numel()" for name, own in shapes.items() if tuple(own) == (rows, columns)), f"{m} * {n}")
    return f"torch.eye({count}).reshape({n}, {m}, -1).transpose(0, 1).reshape({count}, -1)"


def slice_code(start: Size, count: Size, step: int, size: Size, shapes: Shapes) -> str | None:
    """The slice that takes `count` of `size` positions: 1:, :-1, 0:5:2; None where a slice can't."""
    if step < 1:
        return None
    end = plus(start, count) if step == 1 else plus(plus(start, 1 - step), count, step)
    first = "" if start == 0 else position_code(start, size, shapes)
    last = "" if end == size else position_code(end, size, shapes)
    return f"{first}:{last}" + (f":{step}" if step > 1 else "")


def position_code(position: Size, size: Size, shapes: Shapes) -> str:
    """An index into an axis of this size: 0, -1 for the last."""
    gap = plus(position, size, -1)
    fixed = position if isinstance(position, int) else gap if isinstance(gap, int) and gap < 0 else None
    return str(fixed) if fixed is not None else size_code(position, shapes).text
