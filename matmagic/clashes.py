"""One meaning for each symbol: σ beside an argument sigma is written sigmoid; what has no other name has no formula.

In: a formula and the names of arguments.  Out: the formula in which no symbol of mathematics, index or size is printed like
an argument, and no two arguments are printed alike; None where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from .functions import FUNCTIONS
from .lengths import Size, letters_in
from .matrix_functions import FUNCTIONS_OF_MATRICES
from .notation import (
    INDICES,
    Apply,
    At,
    Called,
    Commutation,
    Constant,
    Diag,
    DiagonalOf,
    Entry,
    Identity,
    Increment,
    Indexed,
    Labelled,
    Letter,
    Math,
    Ones,
    Over,
    SumOver,
    Symbol,
    Trace,
    Triangular,
    Unit,
    Vec,
    mapped,
    parts_of,
    pieces,
    rank,
)
from .printers.levels import SPELLED
from .printers.names import text_name, text_size
from .printers.text import text

CALLED = [row.text for row in FUNCTIONS.values()] + [row.text for row in FUNCTIONS_OF_MATRICES.values()]
# names of functions: tr I, where tr is an argument, is no trace
WORDS = frozenset(re.findall(r"[^\W\d_]{2,}", " ".join(CALLED))) | frozenset("tr diag vec tril triu onehot".split())


def distinct(math: Math, names: Collection[str]) -> Math | None:
    """The formula with one meaning for each symbol, beside arguments of these names.

    >>> x = Symbol("x", ("n",))
    >>> text(distinct(Apply("sigmoid", (x,)), ["x", "sigma"])), distinct(Unit("n", 0), ["e"])
    ('sigmoid(x)', None)
    """
    shown = {text_name(name) for name in names}

    def spelled(piece: Math) -> Math:
        clash = isinstance(piece, Apply) and piece.function in SPELLED and FUNCTIONS[piece.function].text in shown
        return replace(piece, spelled=True) if clash else piece  # type: ignore[call-arg]

    math = mapped(math, spelled)
    symbols = {piece.name for piece in pieces(math) if isinstance(piece, Symbol) and not isinstance(piece, Increment)}
    called = any(text_name(name) in WORDS for name in symbols)
    alike = len({text_name(name) for name in symbols}) < len(symbols)
    own = set(_letters(math))
    indices = {letter[1:] for letter in own if letter.startswith("_")}
    sizes = {size for piece in pieces(math) for size in _sizes(piece)}
    return None if alike or called or (own | indices | sizes) & shown or indices & sizes else math


def _letters(math: Math) -> Iterator[str]:
    """What stands for something else than an argument; indices with a mark before them: _i."""
    match math:
        case At(of=Identity(), indices=indices):
            yield "δ"
            yield from (f"_{letter}" for index in indices for letter in letters_in(index) if letter in INDICES)
            return
        case At(of=of, indices=indices):
            yield text_name(f"{of.name}_{''.join(map(str, indices))}") if isinstance(of, Symbol) else ""
            yield from (f"_{letter}" for index in indices for letter in letters_in(index) if letter in INDICES)
        case SumOver(indices=letters):
            yield from (f"_{letter}" for letter in letters)
        case Over(function=function, index=letter):
            yield f"_{letter}"
            yield from _words(FUNCTIONS_OF_MATRICES[function].text)
        case Indexed(factors=factors, sizes=sizes):
            yield from (f"_{letter}" for letter in INDICES[: len(sizes)])
            if any(isinstance(factor, Identity) for factor, _ in factors):
                yield "δ"
        case Identity():
            yield "I"
        case Unit():
            yield from ("e", text(math))
        case Labelled(labels=labels):
            yield "onehot" if rank(labels) else "e"
        case Constant():
            yield from _words(text(math))
        case Apply(function=function, spelled=spelled):
            yield SPELLED[function] if spelled else FUNCTIONS[function].text
        case Called(function=function):
            yield from _words(FUNCTIONS_OF_MATRICES[function].text)
            yield from "e" if function == "expm" else ""
        case Entry():
            yield text(math)
        case Trace():
            yield "tr"
        case Diag() | DiagonalOf():
            yield "diag"
        case Vec():
            yield "vec"
        case Triangular(lower=lower):
            yield "tril" if lower else "triu"
        case Commutation():
            yield "K"
    for part in parts_of(math):
        yield from _letters(part)


def _words(shown: str) -> Iterator[str]:
    """Letters and words in what is printed, those with an index by themselves: u₁ as u."""
    yield from re.findall(r"[^\W\d_₀-₉]+", shown)


def _sizes(math: Math) -> Iterator[str]:
    """The letters of sizes that are printed."""
    written: list[Size] = []
    match math:
        case Letter(letter=letter):
            written = [letter]
        case Ones(size=size, sized=True) | Identity(size=size, sized=True):
            written = [size]
    for size in written:
        yield from (text_size(letter) for letter in letters_in(size) if letter not in INDICES)
