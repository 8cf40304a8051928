"""The length of an axis: a letter, a number, or a whole-number sum of them such as n-1 or m+n.

Sums are written in one way (letters sorted, the number last), so that equal lengths are equal strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

Size = str | int  # "n", 3, "n-1", "m+n", "2*n-1"


def affine(letters: Mapping[str, int], number: int) -> Size:
    """Σ count · letter + number, written in the one way.

    >>> affine({"n": 1, "m": 1}, 0), affine({"n": 2}, -1), affine({}, 4)
    ('m+n', '2*n-1', 4)
    """
    line = ""
    for letter in sorted(letters):
        count = letters[letter]
        if count:
            times = "" if abs(count) == 1 else f"{abs(count)}*"
            line += ("-" if count < 0 else "+" if line else "") + times + letter
    if not line:
        return number
    return f"{line}{number:+d}" if number else line


@lru_cache(maxsize=4096)
def parts(size: Size) -> tuple[tuple[tuple[str, int], ...], int]:
    """The letters with their counts, and the number."""
    if isinstance(size, int):
        return (), size
    if size.isidentifier():
        return ((size, 1),), 0
    counts: dict[str, int] = {}
    number = 0
    for sign, count, letter, digits in re.findall(r"([+-]?)(?:(?:(\d+)\*)?([^\W\d][\w']*)|(\d+))", size):
        value = int(count or digits or 1) * (-1 if sign == "-" else 1)
        if letter:
            counts[letter] = counts.get(letter, 0) + value
        else:
            number += value
    return tuple(counts.items()), number


def plus(a: Size, b: Size, times: int = 1) -> Size:
    """a + times · b

    >>> plus("n", 1, -1), plus("n-1", "m"), plus("n", "n", -1)
    ('n-1', 'm+n-1', 0)
    """
    (own, number), (others, more) = parts(a), parts(b)
    counts = dict(own)
    for letter, count in others:
        counts[letter] = counts.get(letter, 0) + times * count
    return affine(counts, number + times * more)


def length(size: Size, sizes: Mapping[str, int]) -> int:
    """A size as a number.

    >>> length("m+n-1", {"m": 3, "n": 4})
    6
    """
    if isinstance(size, int):
        return size
    if size in sizes:
        return sizes[size]
    letters, number = parts(size)
    return sum(count * sizes[letter] for letter, count in letters) + number


def letters_in(size: Size) -> list[str]:
    """The letters of a size."""
    return [letter for letter, _ in parts(size)[0]]


def with_letters(size: Size, new: Callable[[str], Size]) -> Size:
    """The size with other letters or numbers in place of its own."""
    if isinstance(size, int):
        return size
    own, number = parts(size)
    total: Size = number
    for letter, count in own:
        total = plus(total, new(letter), count)
    return total
