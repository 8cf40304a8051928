"""The text of a formula in pieces: Unicode, ASCII and LaTeX give the same ones.

In: `2Aᵀ(x − b)`, `2 A^T (x - b)` or `2 A^{\\top} (x - b)`.  Out: tokens, scripts as `^{…}` and `_{…}`, whatever they were
written with.  A word is a run of letters; names in it are found by symbols.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace

from ..printers.names import GREEK, SUBSCRIPTS, SUPERSCRIPTS
from .tree import Unread

LOW = {shown: plain for plain, shown in SUBSCRIPTS.items()} | {"₊": "+", "₋": "-", "ᵦ": "β", "ᵧ": "γ"}
HIGH = {shown: plain for plain, shown in SUPERSCRIPTS.items()} | {"ᵀ": "ᵀ", "⁽": "(", "⁾": ")", "ᵗ": "ᵀ", "ˣ": "x"}
FRACTIONS = {c: unicodedata.normalize("NFKC", c).replace("\u2044", "/") for c in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅛"}

# symbols as they are typed, the longer ones first; each is one of those of the grammar
TYPED = {
    "**": "**", "||": "‖", ":=": "=", "<=": "≤", ">=": "≥", "!=": "≠", "==": "=", ".*": "⊙", "./": "⊘", ".T": "'", "...": "…",
    "−": "-", "–": "-", "·": "·", "⋅": "·", "∙": "·", "×": "×", "∗": "*", "⊙": "⊙", "∘": "⊙", "◦": "⊙", "⊘": "⊘", "⊗": "⊗",
    "‖": "‖", "∥": "‖", "′": "'", "’": "'", "'": "'", "⊤": "ᵀ", "†": "†", "√": "√", "∑": "Σ", "∞": "∞", "…": "…", "≤": "≤",
    "≥": "≥", "≠": "≠", "𝟏": "𝟏", "𝟙": "𝟏", "@": "@", "&": "&", "∂": "∂",
    "∇": "∇", "⟨": "⟨", "⟩": "⟩",
    **{c: c for c in "+-*/()[]{},;:=<>|^_"},
}  # fmt: skip
SYMBOLS = sorted(TYPED, key=len, reverse=True)
IGNORED = frozenset(
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle quad qquad displaystyle textstyle "
    "limits nolimits , ; ! : > mathstrut allowbreak [ ] ( )".split()
)
DISPLAYS = frozenset("equation equation* align align* aligned gather gather* split math displaymath".split())
MARKS_ABOVE = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde"}
ENDING = re.compile(r"[.,;][\s$]*(\\[\])]|\\end\{\w+\*?\})?[\s$]*$")  # of a sentence with a formula at its end
SPACES = frozenset(", ; : > quad qquad".split()) | frozenset(" \t\n")
COMMANDS = {
    "cdot": "·", "times": "×", "odot": "⊙", "circ": "⊙", "oslash": "⊘", "otimes": "⊗", "top": "ᵀ", "intercal": "ᵀ",
    "prime": "'", "dagger": "†", "lVert": "‖<", "rVert": ">‖", "Vert": "‖", "|": "‖", "lvert": "|<", "rvert": ">|",
    "vert": "|", "mid": "|", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "lt": "<", "gt": ">", "ne": "≠", "neq": "≠",
    "ldots": "…", "dots": "…", "cdots": "…", "infty": "∞", "sum": "Σ", "frac": "frac", "tfrac": "frac", "dfrac": "frac",
    "sqrt": "√", "\\": "\\\\", "{": "(", "}": ")", "lbrack": "[", "rbrack": "]", "ast": "*", "colon": ":", "partial": "∂",
    "nabla": "∇", "langle": "⟨", "rangle": "⟩",
}  # fmt: skip
STYLES = frozenset("mathbf boldsymbol bm mathbb mathit mathcal vec pmb mathds mathnormal".split())
UPRIGHT = frozenset("operatorname mathrm mathsf mathtt text textrm textsf textbf rm".split())
ACCENTS = frozenset("hat bar tilde widehat overline widetilde".split())
NAMED = frozenset(
    "exp log ln sin cos tan sinh cosh tanh arcsin arccos arctan det max min arg lg sup inf ker dim".split()
)
LETTERS = GREEK | {
    "varepsilon": "ε", "varphi": "φ", "vartheta": "θ", "varrho": "ρ", "varsigma": "σ", "varpi": "π", "ell": "ℓ",
}  # fmt: skip
VARIANTS = str.maketrans("ϵϕϑϱς", "εφθρσ")


@dataclass(frozen=True)
class Token:
    """A piece: `kind` is number, word (letters, to be split into names), upright (one name) or symbol; `spaced`, if there
    is a space before it."""

    kind: str
    text: str
    place: int
    spaced: bool = False


def is_letter(c: str) -> bool:
    """Whether words are made of it; ᵀ and ₂ are scripts, 𝟏 is a symbol."""
    return c.isalpha() and c not in HIGH and c not in LOW


def tokens(text: str, known: Collection[str] = ()) -> list[Token]:
    """The text in pieces; `known` are names that may have digits and underscores in them.

    >>> " ".join(t.text for t in tokens("2Aᵀx₁"))
    '2 A ^ { ᵀ } x _ { 1 }'
    >>> " ".join(t.text for t in tokens(r"\\tfrac12 A^\\top \\mathbf{x}_1"))
    'frac { 1 } { 2 } A ^ { ᵀ } x _ { 1 }'
    """
    plain = "".join(map(_plain, text)).translate(VARIANTS)
    return joined(_Lexer(plain, known).whole())


def _plain(c: str) -> str:
    """Bold and other letters of mathematics as ordinary ones."""
    styled = "\U0001d400" <= c <= "\U0001d7cb"
    return unicodedata.normalize("NFKC", c) if styled else c


class _Lexer:
    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text, self.known = text, known
        self.latex = "\\" in text
        self.blank = "~$" if self.latex else "$"
        self.at = 0
        self.gap = False  # before the next piece
        self.display = False  # in an environment of one equation
        self.found: list[Token] = []

    def whole(self) -> list[Token]:
        while self.skip_spaces():
            self.step()
        return self.found

    def put(self, token: Token) -> None:
        self.found.append(token)
        self.gap = False

    def skip_spaces(self) -> bool:
        """Whether there is more."""
        while self.at < len(self.text) and (self.text[self.at].isspace() or self.text[self.at] in self.blank):
            self.at += 1
            self.gap = True
        return self.at < len(self.text)

    def add(self, kind: str, text: str, length: int) -> None:
        self.put(Token(kind, text, self.at, self.gap))
        self.at += length

    def step(self) -> None:
        """The next piece."""
        rest, c = self.text[self.at :], self.text[self.at]
        if ENDING.match(rest):
            self.at += 1
        elif marked := self.marked(rest):
            self.put(Token("upright", marked[1], self.at, self.gap))
            self.at += marked[0]
        elif rest.startswith(".^"):
            self.add("symbol", "^", 2)
            self.add("symbol", "⊙", 0)
            self.argument("^")
        elif c in HIGH or c in LOW:
            self.script(c in HIGH)
        elif number := re.match(r"(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", rest, re.ASCII):
            self.add("number", number[0], len(number[0]))
        elif c in FRACTIONS:
            self.add("number", FRACTIONS[c], 1)
        elif c == "\\":
            self.command()
        elif is_letter(c):
            word = self.word(rest)
            self.add("word", word, len(word))
        else:
            symbol = next((s for s in SYMBOLS if rest.startswith(s)), None)
            if symbol == "&" and self.display:
                self.at += 1
                return
            if symbol is None:
                raise Unread(f"{c!r} can't stand in a formula", self.at)
            self.add("symbol", TYPED[symbol], len(symbol))
            if symbol in "^_":
                self.argument(symbol)

    def marked(self, rest: str) -> tuple[int, str] | None:
        """A letter with a mark above it, as one character or two: its length, and ŷ as y_hat."""
        for length in (1, 2):
            plain = unicodedata.normalize("NFD", rest[:length])
            if len(plain) == 2 and plain[1] in MARKS_ABOVE and rest[:length] not in self.known:
                return length, f"{plain[0]}_{MARKS_ABOVE[plain[1]]}"
        return None

    def word(self, rest: str) -> str:
        """The longest known name here, or the letters."""
        named = [name for name in self.known if rest.startswith(name) and not _goes_on(rest[len(name) :])]
        letters = re.match(r"\w", rest) and next((k for k, c in enumerate(rest) if not is_letter(c)), len(rest))
        return max([rest[: letters or 1], *named], key=len)

    def script(self, above: bool) -> None:
        """⁻¹ as ^{-1}, ₁₂ as _{12}."""
        table = HIGH if above else LOW
        end = next((k for k in range(self.at, len(self.text)) if self.text[k] not in table), len(self.text))
        self.add("symbol", "^" if above else "_", 0)
        self.add("symbol", "{", 0)
        plain = "".join(table[c] for c in self.text[self.at : end])
        for piece in re.findall(r"\d+|[^\W\d_ᵀ]+|.", plain):
            kind = "number" if piece.isdecimal() else "word" if piece[0].isalpha() and piece != "ᵀ" else "symbol"
            self.add(kind, piece, len(piece))
        self.add("symbol", "}", 0)

    def argument(self, mark: str = "") -> None:
        """What belongs to ^, _ or a command: a group as it is, or one piece, put into a group."""
        if not self.skip_spaces():
            raise Unread("the formula ends too early", self.at)
        if self.text[self.at] in "{(" and (mark or self.text[self.at] == "{"):
            return
        if mark == "^" and self.text[self.at] in "⊙∘":
            self.add("symbol", "⊙", 1)
            return self.argument(mark)
        self.add("symbol", "{", 0)
        if (
            mark == "^"
            and self.text[self.at] in "-−+"
            and len(self.text) > self.at + 1
            and not self.text[self.at + 1].isspace()
        ):
            self.add("symbol", "+" if self.text[self.at] == "+" else "-", 1)
        self.one(mark)
        if mark == "^" and self.text[self.at : self.at + 1] in LOW:  # x^⊙d₂
            self.script(above=False)
        self.add("symbol", "}", 0)
        return None

    def one(self, mark: str) -> None:
        """One piece without braces: in LaTeX a digit or letter, else a number, a T, or a word."""
        if not self.skip_spaces():
            raise Unread("the formula ends too early", self.at)
        rest = self.text[self.at :]
        digits = r"\d" if self.latex or mark == "" else r"\d+"
        run = re.match(rf"{digits}(\.\d+)?" if mark == "^" else digits, rest, re.ASCII)  # x^0.5
        if run:
            self.add("number", run[0], len(run[0]))
        elif is_letter(rest[0]):
            word = self.word(rest)
            whole = mark == "_" and not self.latex
            one = word if whole or (word in self.known and not self.latex) else rest[0]
            self.add("word", one, len(one))
        else:
            self.step()

    def command(self) -> None:
        """A LaTeX command with what it needs."""
        name = re.match(r"\\([a-zA-Z]+\*?|.)", self.text[self.at :], re.DOTALL)
        if name is None:
            raise Unread("the formula ends with a backslash", self.at)
        word, start, length = name[1].rstrip("*") or "*", self.at, len(name[0])
        if word in IGNORED or word.isspace():
            self.at += length
            gap = self.gap or word in SPACES
            if word in ("left", "right") and self.text[self.at : self.at + 1] == ".":
                self.at += 1
            self.skip_spaces()
            self.gap = gap
        elif word in COMMANDS:
            self.add("symbol", COMMANDS[word], length)
            for _ in range(
                2 if COMMANDS[word] == "frac" else COMMANDS[word] == "√" and not self.text.startswith("[", self.at)
            ):
                self.fraction_part()
        elif word in LETTERS:
            self.add("letter", LETTERS[word], length)
        elif word in NAMED:
            self.add("upright", word, length)
        elif word in UPRIGHT or word in ACCENTS:
            self.at += length
            inside = self.group()
            inside = re.sub(r"\\[a-z]+\s*\{(\\?\w+)\}", r"\1", inside)
            shown = re.sub(r"\\[ ,_;]?", lambda m: "_" if m[0] == r"\_" else "", inside).strip()
            accent = f"{LETTERS.get(shown, shown)}_{word.removeprefix('wide')}" if word in ACCENTS else shown
            self.put(Token("upright", accent, start, True))
        elif word in STYLES:
            self.at += length
            self.styled()
        elif word in ("begin", "end"):
            self.at += length
            kind = self.group()
            if kind in DISPLAYS:
                self.display = word == "begin"
                return
            if kind not in ("bmatrix", "pmatrix", "matrix", "smallmatrix"):
                raise Unread(f"the environment {kind} is not known", start)
            self.put(Token("symbol", word, start))
        else:
            raise Unread(f"\\{word} is not known", start)

    def fraction_part(self) -> None:
        """{…}, or one piece put into braces; the group stands where it was found, up to its end."""
        start = len(self.found)
        self.argument()
        while self.skip_spaces() and (len(self.found) == start or self.depth(start) > 0):
            self.step()

    def depth(self, start: int) -> int:
        """Braces that are open since this token."""
        since = [t.text for t in self.found[start:] if t.kind == "symbol"]
        return since.count("{") - since.count("}")

    def styled(self) -> None:
        r"""\mathbf{X} as X, \mathbf{1} as 𝟏."""
        self.skip_spaces()
        inside = re.match(r"\{\s*(\\[a-zA-Z]+|.)\s*\}|(\d)", self.text[self.at :])
        if inside is None:
            return
        one, start = inside[1] or inside[2], self.at
        if one == "1":
            self.add("symbol", "𝟏", len(inside[0]))
        elif one[0] == "\\" or is_letter(one[0]):
            letter = LETTERS.get(one[1:], "") if one[0] == "\\" else one
            if letter:
                self.put(Token("letter", letter, start, self.gap))
                self.at += len(inside[0])

    def group(self) -> str:
        """The text in braces."""
        self.skip_spaces()
        inside = re.match(r"\{((?:[^{}]|\{[^{}]*\})*)\}|(.)", self.text[self.at :])
        if inside is None:
            raise Unread("a group in braces is missing", self.at)
        self.at += len(inside[0])
        return (inside[1] if inside[2] is None else inside[2]).strip()


def _goes_on(rest: str) -> bool:
    """Whether a name that ends here would be cut in two."""
    return bool(rest) and (is_letter(rest[0]) or rest[0] in "0123456789")


def joined(parts: list[Token]) -> list[Token]:
    """arg max and log Γ as one name."""
    found: list[Token] = []
    for token in parts:
        before = found[-1] if found else None
        if before and before.text == "arg" and token.text in ("max", "min"):
            found[-1] = replace(before, text=f"arg{token.text}")
        elif before and before.text == "log" and token.text == "Γ":
            found[-1] = replace(before, text="logΓ")
        else:
            found.append(token)
    return found
