"""Words of a formula: a run of letters as names side by side, each with what it means."""

from __future__ import annotations

import math
from dataclasses import replace

from ..notation import INDICES
from .cursor import Cursor
from .symbols import LETTERED, SYNONYMS, WITHOUT_BRACKETS, Known, is_function
from .tokens import Token
from .tree import Part, Unread

LONGEST_WORD = 60
MARKED = {"I": ("0", "1"), "L": ("exp",), **dict.fromkeys("quv", tuple("123456789"))}  # need an index
MARKS = ("d", "δ", "Δ")  # of increments


class Words(Cursor):
    """A cursor that knows names."""

    def __init__(self, pieces: list[Token], known: Known, path: tuple[int, ...]) -> None:
        super().__init__(pieces, known, path)
        for letter in known.free:
            self.free_index(letter)

    def split_word(self) -> None:
        """Put the names in the place of a word."""
        token = self.next()
        if token.kind not in ("word", "letter", "upright"):
            return
        if token.text in MARKS and token.kind != "word" and token.text + self.next(1).text in self.known.moved:
            self.pieces[self.at : self.at + 2] = [replace(token, kind="name", text=token.text + self.next(1).text)]
            self.end -= 1
            return
        ways = self.ways(token)
        if not ways:
            raise Unread(f"{token.text} is no argument of the function{self.known.near(token.text)}", token.place)
        way = (
            ways[0]
            if len(ways) == 1
            else ways[self.once(token.text, *(f"{token.text} as {' '.join(w)}" for w in ways))]
        )
        places = [token.place + sum(map(len, way[:k])) for k in range(len(way))]
        new = [Token("piece", piece, place) for piece, place in zip(way, places, strict=True)]
        self.pieces[self.at : self.at + 1] = new
        self.end += len(new) - 1
        self.pieces[self.at] = replace(new[0], kind=self.kind(way[0]), spaced=token.spaced)

    def ways(self, token: Token) -> list[tuple[str, ...]]:
        """How a word can be read."""
        if token.text in self.known.moved:
            return [(token.text,)]
        if is_function(token.text) and not self.meaning(token.text) and self.is_bracketed(token.text):
            return [(token.text,)]
        if token.kind == "upright":
            whole = self.meaning(token.text) or is_function(token.text) or token.text in ("e", "I")
            return [(token.text,)] if whole else []
        indices = {*self.bound, *self.free, *(self.subscripts & set(INDICES)), *(stem for stem, _ in self.defined)}
        if len(token.text) > LONGEST_WORD:
            raise Unread(f"a word of {len(token.text)} letters", token.place)
        ways = self.known.splits(token.text, indices)
        if ways and self.known.named(token.text, ""):  # idx is no product with an index i
            ways = [way for way in ways if all(self.known.named(piece, "") for piece in way)]
        return [tuple(self.known.spelled.get(piece, piece) for piece in way) for way in ways]

    def meaning(self, stem: str) -> bool:
        """Whether it is the beginning of a name."""
        return stem in self.known.stems or any(stem == own for own, _ in self.defined)

    def named(self, token: Token, index: str = "") -> Part:
        """The argument, definition, size, index or constant of this name; an ambiguous one is chosen."""
        key = (token.text, index)
        if key in self.defined:
            return self.defined[key]
        names = self.known.named(*key)
        if names:
            name = names[0] if len(names) == 1 else names[self.once(f"{key}", *(f"{token.text} as {n}" for n in names))]
            return Part("name", value=name, place=token.place)
        if self.known.size(*key):
            return Part("size", value=self.known.size(*key), place=token.place)
        if token.text in self.bound:
            return Part("index", value=self.bound[token.text], place=token.place)
        if token.text in self.free or (token.text in INDICES and token.text in self.subscripts):
            return Part("index", value=self.free_index(token.text), place=token.place)
        if key == ("I", ""):
            return Part("identity", place=token.place)
        if key in (("e", ""), ("π", "")):
            return Part("number", value=math.e if token.text == "e" else math.pi, place=token.place)
        raise Unread(f"{token.text} is no argument of the function{self.known.near(token.text)}", token.place)

    def free_index(self, letter: str) -> int:
        if letter not in self.free:
            self.free[letter] = self.new_axis()
        return self.free[letter]

    def new_axis(self) -> int:
        self.axes += 1
        return self.axes - 1

    def kind(self, piece: str) -> str:
        """What a piece of a word is; a function only where its brackets, or an argument without, follow."""
        after = self.next(1)
        last = after.kind != "piece"
        function = last and is_function(piece)
        if function and self.is_called(piece):
            if not self.meaning(piece):
                return "function"
            if self.next(self.bracket_at(piece)).spaced:  # λ (x + y) is a product
                return "name"
            return ("name", "function")[self.once(piece, f"{piece} as the argument {piece}", f"{piece} as a function")]
        if self.meaning(piece):
            return "name"
        return "const"

    def is_called(self, piece: str) -> bool:
        """Whether brackets follow, or any argument for a function that needs none."""
        bare = SYNONYMS.get(piece, piece) in WITHOUT_BRACKETS and not self.meaning(piece)
        return self.is_bracketed(piece) or (bare and not self.is_entrywise_power())

    def is_entrywise_power(self) -> bool:
        return [self.next(k).text for k in (1, 2)] == ["^", "⊙"]

    def is_mark(self, piece: str, index: str) -> bool:
        """Whether it says which one of several is meant: q₁(S), q_n(S)."""
        return index in MARKED[piece] or (piece in "quv" and self.known.size(index, "") is not None)

    def is_bracketed(self, piece: str) -> bool:
        """Whether brackets follow, after an index or a power."""
        return self.bracket_at(piece) > 0

    def bracket_at(self, piece: str) -> int:
        """How many tokens further brackets follow; 0 where none do."""
        at = 1
        alone = self.next(1).text == "_" and self.next(4).text == "}"  # I_{1:2,:} is no function I₁
        if piece in MARKED and not (alone and self.is_mark(piece, self.next(3).text)):
            return 0
        marks = ("_",) if piece in LETTERED and piece != "ψ" else ("_", "^")
        while self.next(at).text in marks and self.next(at).kind == "symbol":
            at += 1
            if self.next(at).text == "⊙":
                return 0
            if self.next(at).text in ("{", "("):
                depth = 0
                while True:
                    token = self.next(at)
                    depth += (token.text in "({[") - (token.text in ")}]") if token.kind == "symbol" else 0
                    at += 1
                    if depth == 0 or token.kind == "end":
                        break
            else:
                at += 1
        return at if self.next(at).text in ("(", "[", "{") and self.next(at).kind == "symbol" else 0
