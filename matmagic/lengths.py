"""The length of an axis: a letter, a number, or a whole-number sum of them such as n-1 or m+n.

Sums are written in one way (letters sorted, the number last), so that equal lengths are equal strings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    for sign, count, letter, digits in re.findall(r"([+-]?)(?:(?:(\d+)\*)?(\?[^-+*]+|[^\W\d][\w']*)|(\d+))", size):
        value = int(count or digits or 1) * (-1 if sign == "-" else 1)
        if letter:
            counts[letter] = counts.get(letter, 0) + value
        else:
            number += value
    return tuple(counts.items()), number


_TERM = r"(?:\d+\*?)?[^\W\d]\w*|\d+"


def parsed(text: str) -> Size | None:
    """A size as written by hand; None for what is none, or is below 1 whatever its letters are.

    >>> parsed("2n"), parsed("n + 1"), parsed("m+n-1"), parsed("3"), parsed("0"), parsed("1-n"), parsed("1e3"), parsed("n m")
    ('2*n', 'n+1', 'm+n-1', 3, None, None, None, None)
    """
    line = re.sub(r"\s*([-+*])\s*", r"\1", text.strip())
    if not re.fullmatch(rf"-?({_TERM})([+-]({_TERM}))*", line) or not line.isprintable():
        return None
    if re.search(r"(?<!\w)(0\d*\*?[^\W\d]|\d+(_|[eE]\d))", line):  # 0n, 1_000 and 1e3 are no multiples
        return None
    letters, number = parts(re.sub(r"(?<!\w)(\d+)\*?(?=[^\W\d])", r"\1*", line))
    if not all(letter.isidentifier() for letter, _ in letters):
        return None
    size = affine(dict(letters), number)
    return size if any(count > 0 for _, count in letters) or (isinstance(size, int) and size > 0) else None


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


def lengths(shape: Iterable[Size], sizes: Mapping[str, int]) -> tuple[int, ...]:
    """A shape in numbers.

    >>> lengths(("2*n", 1), {"n": 3})
    (6, 1)
    """
    return tuple(length(size, sizes) for size in shape)


def said(size: Size) -> str:
    """A size as users write it.

    >>> said("2*n+1"), said("-m+n")
    ('2n+1', 'n-m')
    """
    terms = re.findall(r"[+-]?[^-+]+", str(size).replace("*", ""))
    return "".join(sorted(terms, key=lambda term: term.startswith("-"))).removeprefix("+")


def letters_in(size: Size) -> list[str]:
    """The letters of a size."""
    return [letter for letter, _ in parts(size)[0]]


def letters_of(shapes: Mapping[str, Iterable[Size]]) -> list[str]:
    """The letters of all shapes, each once, in order of appearance.

    >>> letters_of({"x": ("2*n",), "A": ("m", "n", 3)})
    ['n', 'm']
    """
    return list(dict.fromkeys(letter for shape in shapes.values() for size in shape for letter in letters_in(size)))


def in_place(shapes: Mapping[str, Iterable[Size]], old: str, new: Size) -> dict[str, tuple[Size, ...]]:
    """The shapes with a size in place of a letter.

    >>> in_place({"x": ("n", 1), "A": ("m", "n+1")}, "n", "2*n")
    {'x': ('2*n', 1), 'A': ('m', '2*n+1')}
    """

    def put(letter: str) -> Size:
        return new if letter == old else letter

    return {name: tuple(with_letters(size, put) for size in shape) for name, shape in shapes.items()}


def reduced(shapes: Mapping[str, Iterable[Size]]) -> dict[str, tuple[Size, ...]]:
    """The shapes with m in place of 2 m where all sizes have an even number of m.

    >>> reduced({"x": ("2*m",), "A": ("n", "6*m+1")})
    {'x': ('m',), 'A': ('n', '3*m+1')}
    """
    sums = {size: parts(size) for shape in shapes.values() for size in shape if isinstance(size, str)}
    common: dict[str, int] = {}
    for letters, _ in sums.values():
        common |= {letter: math.gcd(common.get(letter, 0), count) for letter, count in letters}
    smaller = {
        size: affine({own: count // common[own] for own, count in letters}, number)
        for size, (letters, number) in sums.items()
    }
    return {
        name: tuple(smaller[size] if isinstance(size, str) else size for size in shape)
        for name, shape in shapes.items()
    }


def solved(shapes: Mapping[str, Iterable[Size]], found: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Which number each letter is, where tensors of these shapes have these.

    >>> solved({"z": ("m+n",), "x": ("2*n",)}, {"z": (7,), "x": (6,)})
    {'n': 3, 'm': 4}
    """
    equations = [pair for name, shape in shapes.items() for pair in zip(shape, found[name], strict=True)]
    sizes: dict[str, int] = {}
    for _ in letters_of(shapes):  # each time the letters that follow from those known
        for size, number in equations:
            letters, rest = parts(size)
            free = [(letter, count) for letter, count in letters if letter not in sizes]
            if len(free) == 1:
                known = rest + sum(count * sizes.get(letter, 0) for letter, count in letters)
                sizes[free[0][0]] = (number - known) // free[0][1]
    return sizes


def with_letters(size: Size, new: Callable[[str], Size]) -> Size:
    """The size with other letters or numbers in place of its own."""
    if isinstance(size, int):
        return size
    own, number = parts(size)
    total: Size = number
    for letter, count in own:
        total = plus(total, new(letter), count)
    return total
