"""What torch's messages say of sizes: which have to be equal, or a certain number, or sums and multiples of others.

In: a message, and the number that each size has in that run.  Out: what may be put in place of a letter, likeliest first.
The numbers differ from size to size, so those in the message name them; 6 beside a vector of 5 is one more.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from .lengths import Size, affine, letters_in, plus

Step = tuple[str, Size]  # a letter, and what it has to be
Named = Mapping[int, str]  # sizes by their numbers

MANY = {2: 16, 3: 8}  # letters, above which no sums of two, of three, are looked for
FEW = 8  # pieces
SHORT = 2  # n+1, 2n, m+n
GAPS, LONG_GAPS = range(-2, 3), range(-5, 6)
COUNTS = {1: ((1,), (2,), (3,), (4,)), 2: ((1, 1), (2, 1), (1, 2), (2, 2)), 3: ((1, 1, 1),)}


def suggestions(message: str, sizes: Mapping[str, int]) -> list[Step]:
    """Which sizes have to be equal, or something else, for this message to go away; likeliest first.

    >>> suggestions("expected tensor [6] and src [7] to have the same number of elements", {"?x0": 5, "?w0": 7})[0]
    ('?w0', '?x0+1')
    """
    named = {size: name for name, size in sizes.items()}
    for pattern, steps in MESSAGES.items():
        found = re.search(pattern, message)
        if found:
            return list(dict.fromkeys(steps(found, named)))
    return list(dict.fromkeys(_unequal(message, named)))


# ---- messages that say what is wrong ------------------------------------------------------------------------------


def _beyond(found: re.Match[str], named: Named) -> list[Step]:
    """Too short for a constant index, or for a loop over another size."""
    least = int(found[1]) + 1 if int(found[1]) >= 0 else -int(found[1])
    short = named.get(int(found[2]))
    if short is None:
        return []
    return [(short, least), *((short, name) for size, name in named.items() if size >= least and name != short)]


def _label(found: re.Match[str], named: Named) -> list[Step]:
    name = named.get(int(found[1]))
    return [(name, own) for size, own in named.items() if size > int(found[1])] if name else []


def _unpacked(found: re.Match[str], named: Named) -> list[Step]:
    """An axis of as many entries as there are names, or, of chunks, a multiple of that."""
    count, got = int(found[1]), int(found[2] or 0)
    if got in named:
        return [(named[got], count)]
    chunks = [_times(name, count) for name in named.values()] if got else []
    return [*chunks, *((name, count) for name in named.values())]


def _uneven(found: re.Match[str], named: Named) -> list[Step]:
    numbers = _numbers(found.string)
    counts = [n for n in numbers if n not in named and 2 <= n <= FEW] or [2]
    return [_times(named[n], count) for count in counts for n in numbers if n in named]


def _reshaped(found: re.Match[str], named: Named) -> list[Step]:
    name = named.get(int(found[2]))
    counts = [n for n in _numbers(found[1]) if n > 1]
    return [step for n in counts for step in (_times(name, n), (name, n))] if name else []


def _trailing(found: re.Match[str], named: Named) -> list[Step]:
    wanted, had = (_numbers(shape, every=True) for shape in found.groups())
    unequal = [(a, b) for a, b in zip(had[-len(wanted) :], wanted, strict=False) if a != b and a in named]
    return [(named[a], named.get(b, b)) for a, b in unequal]


def _parts(found: re.Match[str], named: Named) -> list[Step]:
    return [_times(named[int(found[1])], int(found[2]))] if int(found[1]) in named else []


MESSAGES: dict[str, Callable[[re.Match[str], Named], list[Step]]] = {
    r"index (-?\d+) is out of bounds for dimension \d+ with size (\d+)": _beyond,
    r"Target (\d+) is out of bounds": _label,
    r"unpack \(expected (\d+)(?:, got (\d+))?\)": _unpacked,
    r"size (\d+) in (\d+) equal parts": _parts,
    r"must be even|divisible": _uneven,
    r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)": _reshaped,
    r"shape \[\*, ([\d, ]+)\], but got input of size ?\[([\d, ]+)\]": _trailing,
}
PRODUCTS = re.compile(r"\(\d+x(\d+) and (\d+)x\d+\)|mat \(\d+x(\d+)\), vec \((\d+)\)")
OF_RANKS = re.compile(r"number of (dimensions|subscripts)|at least \d-?D")
AXES = re.compile(r"size\(-?\d+\)")  # which axis it is, not how long
ALIKE = re.compile(r"should match|must match|same size|same shape|for each")


# ---- messages that say which numbers don't fit --------------------------------------------------------------------


def _unequal(message: str, named: Named) -> list[Step]:
    if OF_RANKS.search(message):
        return []
    numbers = _numbers(AXES.sub("", message))
    product = PRODUCTS.search(message)
    inner = [int(n) for n in product.groups() if n] if product else []
    pairs = [(inner[0], inner[1])] if inner else []
    pairs += itertools.combinations([n for n in numbers if n in named], 2)
    found: list[Step] = [(named[a], named[b]) for a, b in pairs if a in named and b in named]
    if inner and not all(n in named for n in inner):
        return [*_made(inner, named), *_fixed(inner, named), *found]
    if not found:
        found = [*_made(numbers, named), *_fixed(numbers, named)]
    if not found and ALIKE.search(message):  # which, torch doesn't say
        apart = sorted(itertools.combinations(named.values(), 2), key=lambda pair: pair[0][:-1] == pair[1][:-1])
        found = list(apart)  # those of two arguments first
    return found


def _numbers(text: str, every: bool = False) -> list[int]:
    """The numbers in a text, each once."""
    numbers = [int(digits) for digits in re.findall(r"\d+", text)]
    return numbers if every else list(dict.fromkeys(numbers))


def _fixed(numbers: Sequence[int], named: Named) -> list[Step]:
    """Numbers that no letter has."""
    return [(named[a], b) for a in numbers if a in named for b in numbers if b not in named and 2 <= b <= 64]


def _times(name: str, count: int) -> Step:
    """The size as a multiple of another letter."""
    return name, affine({f"{name}/{count}": count}, 0)


def _made(numbers: Sequence[int], named: Named) -> list[Step]:
    """Where x has 5 entries and w 7, 6 and 7 make w one longer than x, 4 and 6 make them equal, and 2 and 3 make x even."""
    new = [n for n in numbers if n not in named]
    letters = {name: size for size, name in named.items() if letters_in(name) == [name]}
    halves = [
        (name, {size // 2, size - size // 2} & {*numbers}) for name, size in letters.items() if size not in numbers
    ]
    even = [_times(name, 2) for name, met in halves if len(met) == 2]
    odd = [_times(name, 2) for name, met in halves if len(met) == 1 and met & {*new}]
    odd += [_times(name, k) for name, size in letters.items() for k in (3, 4) if -(-size // k) in new]
    sums = [
        (length, (name, made))
        for name in (named[n] for n in numbers if n in named)
        for length, made in _sums(new, {own: size for own, size in letters.items() if own != name})
    ]
    short, long = ([step for length, step in sums if (length <= SHORT) is first] for first in (True, False))
    return [*even, *short, *_apart(numbers, letters, named), *odd, *long]


def _apart(numbers: Sequence[int], letters: Mapping[str, int], named: Named) -> list[Step]:
    """A letter that differs from another size by a number: x without its last entry, and y with one more."""
    new = [n for n in numbers if n not in named]
    ends = [(n, name, n - size) for n in new for name, size in letters.items() if n - size in GAPS]
    found: list[Step] = []
    for (n, a, here), (other, b, there) in itertools.combinations(ends, 2):
        found += [(a, plus(b, there - here))] if n != other and a != b else []
    for n, name, gap in ends:
        whole = [named.get(other, other) for other in numbers if other != n and named.get(other) != name]
        found += [(name, plus(size, -gap)) for size in whole if isinstance(size, str) or size > gap + 1]
    return found


def _sums(totals: Sequence[int], letters: Mapping[str, int]) -> list[tuple[int, Size]]:
    """Sums of multiples of some letters, and a small number, that come to one of these totals: the shortest, with lengths."""
    found = [
        (sum(times) + abs(more), affine(dict(zip(names, times, strict=True)), more))
        for number, choices in COUNTS.items()
        if number == 1 or len(letters) <= MANY[number]
        for names in itertools.combinations(letters, number)
        for times in choices
        for more in (LONG_GAPS if times == (1,) else GAPS)
        if sum(k * letters[n] for k, n in zip(times, names, strict=True)) + more in totals
    ]
    return sorted(found, key=lambda one: one[0])[:6]
