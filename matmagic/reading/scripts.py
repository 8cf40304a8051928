"""What stands above and below: exponents, transposes, inverses, indices and ranges of indices."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace

from .tokens import Token
from .tree import Part, Unread
from .words import Words

RELATIONS = frozenset("= < > ≤ ≥ ≠".split())

# exponents that are no numbers: transposed, inverted, or the pseudoinverse
TURNED = {
    "ᵀ": "T", "'": "T", "T": "T", "t": "T", "-T": "-T", "-ᵀ": "-T", "+": "+", "†": "+", "+ᵀ": "+T", "+T": "+T",
}  # fmt: skip


class Scripts(Words):
    """A reader of words that knows scripts; sums and factors are the grammar's."""

    @abstractmethod
    def sum(self) -> Part: ...

    @abstractmethod
    def related(self) -> Part: ...

    @abstractmethod
    def factors(self, one: bool = False) -> list[Part]: ...

    @abstractmethod
    def side_by_side(self, factors: list[Part]) -> Part: ...

    def scripted(self, part: Part) -> Part:
        """With exponents, transposes and indices."""
        while True:
            if self.is_next("'"):
                part = _turned(part, "T", self.take().place)
            elif self.is_next("**"):
                place = self.take().place
                sign = self.sign()
                exponent = self.scripted(self.side_by_side([*self.factors(one=True)]))
                exponent = exponent if sign == 1 else Part("sum", (exponent,), (-1,), place)
                part = Part("star power", (part, exponent), place=place)
            elif self.is_next("^"):
                part = self.raised(part, self.exponent_tokens())
            elif self.is_next("_"):
                part = self.indexed(part)
            else:
                return part

    def exponent_tokens(self) -> list[Token]:
        """The tokens of an exponent, with the ⊙ before it; nothing if there is none."""
        if not self.is_next("^"):
            return []
        own = [self.take()]
        if self.is_next("⊙"):
            own.append(self.take())
        return own + self.group("{(")

    def raw_subscript(self) -> list[Token]:
        if not self.is_next("_"):
            return []
        self.take()
        if not self.is_next("{"):
            return [self.take()]
        return self.group("{")[1:-1]

    def subscript_text(self) -> str:
        return "".join("," if t.text == "_" else t.text for t in self.raw_subscript() if t.text not in "{}")

    def raised(self, part: Part, script: list[Token]) -> Part:
        """To a power, transposed, or inverted."""
        if not script:
            return part
        place, own = script[0].place, script[1:]
        marked = own[0].text == "⊙"  # x^⊙3
        own = own[marked + 1 : -1]
        entrywise = marked or (bool(own) and own[0].text == "⊙")  # x^{⊙3}
        own = own[1:] if entrywise and not marked else own
        words = "".join(t.text for t in own)
        if not own:
            raise Unread("an exponent is missing", place)
        if words in TURNED and not entrywise:
            letter = words.lstrip("-+")
            if letter not in ("T", "t") or not self.meaning(letter):
                return _turned(part, TURNED[words], place)
            if not self.choose(f"^{letter} as the transpose", f"to the power {letter}"):
                return replace(_turned(part, TURNED[words], place), value=letter)
        exponent = self.inside(own, self.sum)
        if part.kind == "number" and part.value == math.e and not entrywise:
            return Part("call", (exponent,), "e^", place)
        return Part("entrywise power" if entrywise else "power", (part, exponent), place=place)

    def indexed(self, part: Part) -> Part:
        """The entries at indices, or a size: A_ij, x_{2:n}, I_n, 𝟏_n."""
        token = self.take("_")
        own = self.group("{") if self.is_next("{") else [self.take()]
        own = own[1:-1] if own[0].text == "{" else own
        one = part.kind in ("ones", "identity") or (part.kind == "number" and part.value == 1)
        if one and any(t.text in RELATIONS for t in own):  # 1_{x > 0}
            return self.inside(own, self.related)
        specs = self.positions(own)
        part = Part("ones", place=part.place) if one and part.kind == "number" and len(specs) == 1 else part
        if part.kind in ("ones", "identity") and len(specs) == 1 and specs[0].kind != "slice":
            return replace(part, parts=(specs[0],))
        if part.kind == "number" and part.value == 0 and len(specs) == 1 and specs[0].kind != "slice":
            return Part("product", (part, Part("ones", (specs[0],), place=part.place)), place=part.place)
        return Part("at", (part, *specs), place=token.place)

    def positions(self, own: list[Token]) -> list[Part]:
        """The indices in a subscript: i, j side by side or with commas; i+1; ranges a:b and a:step:b; : for all."""
        cuts = [k for k, t in enumerate(own) if t.text == "," and t.kind == "symbol"]
        found: list[Part] = []
        for start, end in zip([0, *(k + 1 for k in cuts)], [*cuts, len(own)], strict=True):
            piece = own[start:end]
            if any(t.text == ":" for t in piece):
                found.append(self.slice(piece))
            elif all(t.kind in ("word", "letter") for t in piece) and piece:
                found += [self.inside([t], self.index_sum) for t in self.letters(piece)]
            elif piece:
                found.append(self.inside(piece, self.index_sum))
            else:
                raise Unread("an index is missing", own[0].place if own else self.next().place)
        return found

    def letters(self, piece: list[Token]) -> list[Token]:
        """Words of indices as single ones: ij as i, j; a name or a size of several letters stays one."""
        found = []
        for token in piece:
            whole = self.known.named(token.text) or self.known.size(token.text)
            found += (
                [token] if whole else [replace(token, text=c, place=token.place + k) for k, c in enumerate(token.text)]
            )
        return found

    def slice(self, piece: list[Token]) -> Part:
        cuts = [k for k, t in enumerate(piece) if t.text == ":"]
        pieces = [piece[a:b] for a, b in zip([0, *(k + 1 for k in cuts)], [*cuts, len(piece)], strict=True)]
        if len(pieces) > 3 or (len(piece) > 1 and not all(pieces)):
            raise Unread("a range is written a:b or a:step:b", piece[0].place)
        return Part("slice", tuple(self.inside(p, self.index_sum) for p in pieces if p), place=piece[0].place)

    def index_sum(self) -> Part:
        return self.sum()


def _turned(part: Part, how: str, place: int) -> Part:
    """Aᵀ, A⁻ᵀ, A⁺, A⁺ᵀ; a number transposed is the vector of ones: 1ᵀ."""
    if how == "T" and part.kind == "number" and part.value == 1:
        part = Part("ones", place=part.place)
    if how[0] == "-":
        part = Part("power", (part, Part("number", value=-1.0, place=place)), place=place)
    if how[0] == "+":
        part = Part("call", (part,), "pinv", place)
    return Part("transpose", (part,), place=place) if how[-1] == "T" else part
