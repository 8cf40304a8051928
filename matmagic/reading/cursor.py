"""Where a parser stands in its tokens, and the choices that it makes where a text has several readings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from .symbols import Known
from .tokens import Token
from .tree import Part, Unread

MOST_CHOICES = 6


class TooMany(Unread):
    """A text with more readings than are tried."""


class Cursor:
    """One reading: `path` are the choices to make, 0 after its end."""

    def __init__(self, pieces: list[Token], known: Known, path: tuple[int, ...]) -> None:
        self.pieces, self.known, self.path = list(pieces), known, path
        self.end = len(self.pieces)
        self.at = 0
        self.depth = 0
        self.made: list[tuple[int, int, str]] = []  # choice, of how many, in words
        self.settled: dict[str, int] = {}  # choices by word
        self.bars: list[str] = []  # that are open
        self.defined: dict[tuple[str, str], Part] = {}
        self.bound: dict[str, int] = {}  # index letters, by the number of their axis
        self.axes = 0
        self.free: dict[str, int] = {}
        self.subscripts = _subscript_letters(self.pieces)

    def next(self, ahead: int = 0) -> Token:
        at = self.at + ahead
        return self.pieces[at] if at < self.end else Token("end", "", self.last_place())

    def last_place(self) -> int:
        before = self.pieces[self.end - 1] if self.end else None
        return before.place + len(before.text) if before else 0

    def is_next(self, *texts: str) -> bool:
        token = self.next()
        return token.kind == "symbol" and token.text in texts

    def take(self, *texts: str) -> Token:
        """The next token, one of these if any are given."""
        token = self.next()
        if texts and not self.is_next(*texts):
            self.refuse(token, f"{' or '.join(texts)} expected")
        if token.kind == "end":
            self.refuse(token, "")
        self.at += 1
        return token

    def sign(self) -> int:
        sign = 1
        while self.is_next("-", "+"):
            sign = -sign if self.take().text == "-" else sign
        return sign

    def refuse(self, token: Token, reason: str) -> NoReturn:
        if token.kind == "end":
            raise Unread(f"the formula ends too early{', ' if reason else ''}{reason}", token.place)
        raise Unread(
            f"{reason or 'unexpected'}, not {token.text}" if reason else f"{token.text} can't stand here", token.place
        )

    def choose(self, *said: str) -> int:
        """Which of several readings to take."""
        k = len(self.made)
        if k >= MOST_CHOICES:
            raise TooMany("the formula can be read in too many ways; more parentheses help", self.next().place)
        choice = self.path[k] if k < len(self.path) else 0
        self.made.append((choice, len(said), said[choice]))
        return choice

    def once(self, word: str, *said: str) -> int:
        """The same choice wherever this word stands."""
        if word not in self.settled:
            self.settled[word] = self.choose(*said)
        return self.settled[word]

    def source(self, start: int, end: int) -> str:
        """The tokens as text, for messages."""
        shown = ""
        for token in self.pieces[start:end]:
            shown += (" " if token.spaced and shown else "") + token.text
        return shown.replace("^{", "^").replace("}", "") if len(shown) < 40 else "…"

    def group(self, opening: str) -> list[Token]:
        """The tokens up to the closing bracket, with both."""
        own, depth = [self.take(*opening)], 1
        while depth:
            token = self.take()
            if token.kind == "symbol":
                depth += (token.text in "({[") - (token.text in ")}]")
            own.append(token)
        return own

    def inside(self, own: list[Token], read: Callable[[], Part]) -> Part:
        """Read tokens by themselves."""
        rest, self.pieces = self.pieces, [*own]
        at, end = self.at, self.end
        self.at, self.end = 0, len(own)
        try:
            part = self.outside_bars(read)
            if self.at < self.end:
                self.refuse(self.next(), "")
        finally:
            self.pieces, self.at, self.end = rest, at, end
        return part

    def outside_bars(self, read: Callable[[], Part]) -> Part:
        """Read what is in brackets, where bars open anew."""
        bars, self.bars = self.bars, []
        try:
            return read()
        finally:
            self.bars = bars


def _subscript_letters(pieces: list[Token]) -> frozenset[str]:
    """Single letters that stand in a subscript."""
    found: set[str] = set()
    depth = 0
    for before, token in zip([Token("end", "", 0), *pieces], pieces, strict=False):
        if token.text == "{" and (before.text == "_" or depth):
            depth += 1
        elif token.text == "}" and depth:
            depth -= 1
        elif depth and token.kind in ("word", "letter"):
            found |= set(token.text)
    return frozenset(found)
