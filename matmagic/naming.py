"""Names for what a long formula says several times: … r rᵀ …, where r = A x − b.

In: a formula in notation, and the names that are taken.  Out: the formula with short names, and what they stand for; a
later definition may use an earlier one.  A part gets a name only if that makes the whole clearly shorter.
Not known here: whether the names are in the code too (they are not).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from .notation import (
    Apply,
    At,
    Called,
    Chain,
    Diag,
    Holds,
    Identity,
    Increment,
    Indexed,
    Letter,
    Math,
    Num,
    Ones,
    Over,
    Plus,
    Quotient,
    SumOver,
    Symbol,
    Times,
    Transpose,
    mapped,
    pieces,
    rank,
)
from .printers.latex import latex
from .printers.text import text
from .summing import is_negative

LONG = 72  # characters of a formula that is worth shortening
LEAST = 10  # characters of a part that gets a name
WORTH = 0.25  # of the formula's length that a name has to save
MOST = 3  # names
LETTERS = {0: "scab", 1: "uvwghz", 2: "MNSGHV"}  # by rank, after the conventional ones

Definition = tuple[Symbol, Math]


def named(math: Math, taken: Collection[str]) -> tuple[Math, tuple[Definition, ...]]:
    """The formula, and its definitions in the order in which they can be read.

    >>> x, y, A = Symbol("x", ("n",)), Symbol("y", ("n",)), Symbol("A", ("n", "n"))
    >>> z = Called("softmax", (Plus((x, Plus((y, x)))),), ("n",))
    >>> text_where(Plus((z, Called("softmax", (Plus((z, y)),), ("n",)), z, z)), ["x", "p"])
    'q + softmax(q + y) + q + q, where q = softmax(x + y + x)'
    """
    if any(isinstance(p, Indexed | At | SumOver | Over | Holds | Increment) for p in pieces(math)):
        return math, ()
    used = {*taken, *(p.name for p in pieces(math) if isinstance(p, Symbol)), "e", "d", "V", "Q"}
    body = math
    found: list[Definition] = []
    centring = [p for p in pieces(math) if _is_centring(p)]
    if len(centring) > 1 and len(set(centring)) == 1 and "H" not in used:
        used.add("H")
        found = [(Symbol("H", ("·", "·"), symmetric=True), centring[0])]
        body = _put_in(body, centring[0], found[0][0])
    while len(found) < MOST and len(text(body)) >= LONG:
        part = _worthy(body, [of for _, of in found])
        letter = None if part is None else _letter(part, used)
        if part is None or letter is None:
            break
        used.add(letter)
        symbol = Symbol(letter, ("·",) * rank(part))
        body = _put_in(body, part, symbol)
        found = [(name, _put_in(of, part, symbol)) for name, of in found] + [(symbol, part)]
    return body, tuple(_in_order(found))


def _is_centring(math: Math) -> bool:
    """I − 𝟏 𝟏ᵀ / n, which has the letter H."""
    match math:
        case Plus(parts=(Identity(size=size), Times(parts=(Num(value=-1), other)))):
            return other == Quotient(Chain((Ones(size), Transpose(Ones(size)))), Letter(size))
    return False


def _worthy(body: Math, others: list[Math]) -> Math | None:
    """The part whose name saves most, if it saves enough."""
    counts: Counter[Math] = Counter()
    for whole in (body, *others):
        counts.update(p for p in pieces(whole) if _can_be_named(p))
    total = len(text(body)) + sum(len(text(other)) for other in others)
    saved = {p: (n - 1) * len(text(p)) - n - 8 for p, n in counts.items() if n > 1 and len(text(p)) >= LEAST}
    best = max(saved, key=lambda p: saved[p], default=None)
    return best if best is not None and saved[best] >= WORTH * total else None


def _can_be_named(math: Math) -> bool:
    """Sums, and functions of more than a letter: what has a meaning of its own."""
    match math:
        case Called(function="eigenvectors" | "eigenvalues"):
            return False  # their columns and entries have names of their own: q₁, λ₁
        case Called(args=args) | Apply(args=args):
            return not any(isinstance(arg, Symbol | Num) for arg in args)
        case Diag(of=of):
            return not isinstance(of, Symbol)
    return isinstance(math, Plus)


def _put_in(whole: Math, part: Math, symbol: Symbol) -> Math:
    return mapped(whole, lambda piece: symbol if piece == part else piece)


def _letter(math: Math, taken: Collection[str]) -> str | None:
    """The conventional letter that is free: r for a residual, p for probabilities, z for scores."""
    first = ""
    match math:
        case Called(function="softmax") | Apply(function="sigmoid"):
            first = "pq" if rank(math) == 1 else "P" if rank(math) == 2 else "p"
        case Diag():
            first = "D"
        case Plus(parts=parts):
            first = {0: "s", 1: "zr", 2: "MR"}[rank(math)][:: -1 if any(map(is_negative, parts)) else 1]
    return next((letter for letter in first + LETTERS[rank(math)] if letter not in taken), None)


def _in_order(definitions: list[Definition]) -> Iterator[Definition]:
    """Each after those that it uses."""
    left = list(definitions)
    while left:
        names = {symbol for symbol, _ in left}
        ready = next(pair for pair in left if not names.intersection(pieces(pair[1])))
        left.remove(ready)
        yield ready


def text_where(math: Math, taken: Collection[str]) -> str:
    """The formula in Unicode, with its names: "Xᵀ r, where r = X w − y"."""
    body, definitions = named(math, taken)
    lines = "; ".join(f"{text(symbol)} = {text(of)}" for symbol, of in definitions)
    return f"{text(body)}, where {lines}" if lines else text(body)


def latex_where(math: Math, taken: Collection[str]) -> str:
    """The same in LaTeX."""
    body, definitions = named(math, taken)
    lines = r";\ ".join(f"{latex(symbol)} = {latex(of)}" for symbol, of in definitions)
    return rf"{latex(body)}, \quad \text{{where }} {lines}" if lines else latex(body)
