"""The grammar of written mathematics: tokens -> a tree, by recursive descent.

    sum      = ["-"] term {("+" | "-") term}
    term     = product {("⊙" | "⊘" | "⊗" | "/" | "*" | "·" | "@") product}
    product  = factor {factor}                         side by side; binds tighter than ⊙
    factor   = atom {"^" exponent | "_" indices | "'"}
    atom     = number | names | function | "(" sum ")" | "‖" sum "‖" | "√" atom | "Σ_ij" product | "[" … "]" | …
    text     = sum ["where" name "=" sum {";" name "=" sum}]

Where mathematics has no rule, as in 1/2x, the parser chooses, and is run again for each other choice: the readings of a
formula are all the trees that come of it.  Which of them fits is a question of shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from ..notation import INDICES
from .cursor import TooMany
from .scripts import RELATIONS, Scripts
from .symbols import SYNONYMS, WITH_DIGITS, WITHOUT_BRACKETS, Known
from .tokens import Token, tokens
from .tree import Part, Unread

LEFT_SIDE = re.compile(r"(grad|expected|answer|d\w*/d\w|frac\{d.*\}\{d.*\}|\w'+(\(|$))")
# functions by others, and their arguments
MADE = {"ones": 1, "zeros": 1, "eye": 1, "outer": 2, "kron": 2, "dot": 2, "norm": 1}
MOST_READINGS = 24
MOST_DEPTH = 60
LARGEST = 1e30

OPERATORS = {"⊙": "hadamard", "⊘": "entrywise over", "⊗": "kron", "*": "star", "·": "dot", "×": "dot", "@": "product"}
OPENING = frozenset("( [ { ‖ ‖< | |< √ Σ frac 𝟏 begin ∞ ⟨".split())
CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩"}


@dataclass(frozen=True)
class Reading:
    """One tree for a text, the choices that led to it in words, how many indices it has, and which of them are free."""

    tree: Part
    choices: tuple[str, ...]
    axes: int
    free: tuple[tuple[str, int], ...]  # letter and number, in the order of the axes that they stand for


def readings(text: str, known: Known) -> list[Reading]:
    """All readings of a text, the usual one first; Unread where there is none."""
    pieces = tokens(text, WITH_DIGITS | frozenset(known.names))
    open_: list[tuple[int, ...]] = [()]
    found: list[Reading] = []
    failed: list[Unread] = []
    tried = 0
    while open_:
        path = open_.pop(0)
        tried += 1
        if tried > MOST_READINGS:
            raise TooMany("the formula can be read in too many ways; more parentheses help", 0)
        parser = Parser(pieces, known, path)
        try:
            tree = parser.text(len(text))
            free = sorted(parser.free.items(), key=lambda item: INDICES.index(item[0]))
            found.append(Reading(tree, tuple(said for _, _, said in parser.made), parser.axes, tuple(free)))
        except TooMany:
            raise
        except Unread as error:
            failed.append(error)
        taken = tuple(choice for choice, _, _ in parser.made)
        for k in range(len(path), len(parser.made)):
            open_ += [(*taken[:k], other) for other in range(1, parser.made[k][1])]
    if not found:
        raise max(failed, key=lambda error: error.place)
    return found


class Parser(Scripts):
    """One reading: `path` are the choices to make, 0 after its end."""

    # ---- the whole

    def text(self, length: int) -> Part:
        """A formula, with what its letters stand for."""
        where = next((k for k, t in enumerate(self.pieces) if self.is_where(k)), None)
        if where is not None:
            self.definitions(where + 1)
            while where and self.pieces[where - 1].text in (",", ";"):
                where -= 1
            self.at, self.end = 0, where
        self.skip_left_side()
        tree = self.sum()
        if self.at < self.end:
            self.refuse(self.next(), "")
        return tree

    def skip_left_side(self) -> None:
        """∇ₓ f =, df/dx = and f'(x) = say what the formula is of, not what it is."""
        depth = [0, *accumulate((t.text in CLOSING) - (t.text in CLOSING.values()) for t in self.pieces[: self.end])]
        equals = next((k for k in range(self.end) if self.pieces[k].text == "=" and depth[k] == 0), 0)
        left = "".join(token.text for token in self.pieces[:equals])
        named = equals > 0 and bool(self.known.named(self.pieces[0].text))
        if re.search("[∇∂]", left) or (not named and LEFT_SIDE.match(left)):
            self.at = equals + 1

    def is_where(self, k: int) -> bool:
        after = self.pieces[k + 1].text if k + 1 < len(self.pieces) else ""
        return self.pieces[k].text in ("where", "with") and after not in ("(", "")

    def definitions(self, start: int) -> None:
        """r = A x - b; p = softmax(r): later ones may use earlier ones."""
        self.at = start
        while self.at < len(self.pieces):
            name = self.take()
            index = self.subscript_text()
            if name.kind not in ("word", "letter", "upright"):
                self.refuse(name, "a name expected")
            if self.known.named(name.text, index):
                raise Unread(f"{name.text} is an argument already", name.place)
            self.take("=")
            self.defined[name.text, index] = self.sum()
            if self.at < len(self.pieces):
                if self.next().text == "and":
                    self.take()
                else:
                    self.take(";", ",")

    # ---- sums and products

    def sum(self) -> Part:
        token = self.next()
        signs, parts = [self.sign()], [self.term()]
        while self.is_next("+", "-"):
            signs.append(-1 if self.take().text == "-" else 1)
            parts.append(self.term())
        return parts[0] if signs == [1] else Part("sum", tuple(parts), tuple(signs), token.place)

    def term(self) -> Part:
        start = self.at
        left = self.side_by_side(self.factors())
        while self.is_next("/", *OPERATORS):
            operator = self.take()
            sign = self.sign()
            if operator.text == "/":
                left = self.quotient(left, start, operator)
            else:
                right = self.side_by_side(self.factors())
                left = Part(OPERATORS[operator.text], (left, right), place=operator.place)
            left = left if sign == 1 else Part("sum", (left,), (-1,), left.place)
        return left

    def quotient(self, left: Part, start: int, slash: Token) -> Part:
        """a / b c is (a / b) c or a / (b c); 1/2 c, with a space, is ½ c."""
        begin = self.at
        first = self.factors(one=True)
        middle = self.at
        spaced = self.next().spaced
        rest = self.factors() if self.starts_factor() else []
        if len(first) > 1:
            first, rest, middle, spaced = first[:1], [*first[1:], *rest], begin + 1, False
        number = left.kind == first[0].kind == "number"
        if rest and not (number and spaced):
            above, below, more = self.source(start, begin - 1), self.source(begin, middle), self.source(middle, self.at)
            if self.choose(f"({above} / {below}) {more}", f"{above} / ({below} {more})"):
                return Part("over", (left, self.side_by_side([*first, *rest])), place=slash.place)
        return self.side_by_side([Part("over", (left, self.side_by_side(first)), place=slash.place), *rest])

    def side_by_side(self, factors: list[Part]) -> Part:
        return factors[0] if len(factors) == 1 else Part("product", tuple(factors), place=factors[0].place)

    def factors(self, one: bool = False) -> list[Part]:
        """Factors side by side; names that are written as one word are several."""
        if not self.starts_factor(True):
            self.refuse(self.next(), "a number, a name or a parenthesis expected")
        found = self.factor()
        while not one and self.starts_factor():
            found += self.factor()
        return found

    def starts_factor(self, first: bool = False) -> bool:
        """Whether another factor follows."""
        token = self.next()
        if token.kind in ("word", "letter", "upright", "name", "const", "size", "index", "function"):
            ends = token.text in ("where", "with", "and") and not (token.text == "where" and self.next(1).text == "(")
            return not ends or token.kind in ("name", "size")
        if token.text == "<" and token.kind == "symbol":
            return first  # <a, b>
        if token.kind == "number":
            return first or self.pieces[self.at - 1].kind != "number"
        if token.text in ("‖", "|") and self.bars and self.bars[-1] == token.text and not first:
            after = self.next(1)
            return token.spaced and not after.spaced and (after.kind in ("word", "number") or after.text in OPENING)
        return token.kind == "symbol" and token.text in OPENING

    def factor(self) -> list[Part]:
        """An atom with its scripts; the names before it, if it is the last of several in one word."""
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise Unread("the formula is nested too deeply", self.next().place)
        before: list[Part] = []
        while True:
            self.split_word()
            if self.next().kind in ("name", "const", "size", "index") and self.next(1).kind == "piece":
                before.append(self.named(self.take()))
                self.pieces[self.at] = replace(self.next(), kind=self.kind(self.next().text))
                continue
            break
        last = self.applied() if self.next().kind == "function" else [self.scripted(self.atom())]
        self.depth -= 1
        return [*before, *last]

    # ---- functions

    def applied(self) -> list[Part]:
        """f(x, y), f_k(x), f²(x), tr A; without brackets the argument may be one factor or all that follow."""
        token = self.take()
        name = SYNONYMS.get(token.text, token.text)
        mark = self.raw_subscript()
        power = self.exponent_tokens()
        if not self.is_next("(", "[", "{"):
            if name not in WITHOUT_BRACKETS or not self.starts_factor():
                self.refuse(self.next(), f"an argument of {token.text} in parentheses expected")
            begin = self.at
            first = self.factor()
            middle = self.at
            rest = self.factors() if self.starts_factor() else []
            whole = not rest or self.choose(
                f"{token.text}({self.source(begin, middle)}) {self.source(middle, self.at)}",
                f"{token.text}({self.source(begin, self.at)})",
            )
            own = [*first, *rest] if whole else first
            call = self.raised(Part("call", (self.side_by_side(own),), name, token.place), power)
            return [call] if whole else [call, *rest]
        call = self.called(name, mark, token)
        return [self.scripted(self.raised(call, power))]

    def called(self, name: str, mark: list[Token], token: Token) -> Part:
        """With arguments in brackets; the mark says of what (rows), which one (λ₁) or over which index."""
        words = "".join(t.text for t in mark)
        if name in MADE and not words:
            return self.made_of(name, self.arguments(), token)
        if words == "rows" or not words:
            return Part("call", self.arguments(), f"{name}_rows" if words else name, token.place)
        if (name, words) in (("I", "0"), ("I", "1"), ("L", "exp"), ("recip", "0")):
            return Part("call", self.arguments(), name + words, token.place)
        if name == "onehot":  # with this many columns
            columns = Part("identity", (self.inside(mark, self.index_sum),), place=token.place)
            return Part("product", (Part("call", self.arguments(), name, token.place), columns), place=token.place)
        if name in ("λ", "q", "u", "v"):
            position, given = self.inside(mark, self.index_sum), self.arguments()
            if name in ("u", "v"):
                return Part("call", (*given, position), f"{name}_k", token.place)
            whole = Part("call", given, "Q" if name == "q" else name, token.place)
            return Part("at", (whole, *[Part("slice")] * (name == "q"), position), place=token.place)
        letter, end = words[:1], [self.inside(mark[2:], self.index_sum)] if words[1:2] == "≤" else []
        if letter in INDICES and (len(words) == 1 or end):
            axis, outer = self.new_axis(), self.bound.get(letter)
            self.bound[letter] = axis
            parts = self.arguments()
            self.bound.pop(letter)
            if outer is not None:
                self.bound[letter] = outer
            return Part("over index", (*parts, *end), (name, axis, len(parts)), token.place)
        raise Unread(f"{name}_{words} is not known", token.place)

    def made_of(self, name: str, given: tuple[Part, ...], token: Token) -> Part:
        """ones(n), zeros(n), eye(n), outer(a, b), kron(A, B), dot(a, b) and norm(x) by what they stand for."""
        if len(given) != MADE[name]:
            raise Unread(f"{name} takes {MADE[name]} argument{'s' * (MADE[name] > 1)}", token.place)
        match name:
            case "ones" | "eye":
                return Part("ones" if name == "ones" else "identity", given, place=token.place)
            case "zeros":
                ones = Part("ones", given, place=token.place)
                return Part("product", (Part("number", value=0.0), ones), place=token.place)
            case "outer":
                return Part("product", (given[0], Part("transpose", given[1:])), place=token.place)
            case "kron" | "norm":
                return Part(name, given, "", token.place)
        return Part("call", (Part("hadamard", given, place=token.place),), "sum", token.place)

    def arguments(self) -> tuple[Part, ...]:
        closing = CLOSING[self.take("(", "[", "{").text]
        parts = [self.related()]
        while self.is_next(",", ";"):
            self.take()
            parts.append(self.related())
        self.take(closing)
        return tuple(parts)

    def related(self) -> Part:
        """A sum, or two in a relation."""
        left = self.outside_bars(self.sum)
        if not self.is_next(*RELATIONS):
            return left
        relation = self.take()
        return Part("holds", (left, self.outside_bars(self.sum)), relation.text, relation.place)

    # ---- atoms

    def atom(self) -> Part:
        token = self.take()
        if token.kind == "number":
            return Part("number", value=_number(token), place=token.place)
        if token.kind in ("name", "const", "size", "index", "stem"):
            return self.word_with_index(token)
        match token.text:
            case "(" | "{":
                return self.bracketed(token)
            case "[":
                return self.listed(token)
            case "‖" | "‖<" | "|" | "|<":
                return self.barred(token)
            case "𝟏":
                return self.bracketed(self.take()) if self.is_relation() else Part("ones", place=token.place)
            case "⟨" | "<":
                first = self.outside_bars(self.sum)
                self.take(",")
                given = (first, self.outside_bars(self.sum))
                self.take("⟩" if token.text == "⟨" else ">")
                return self.made_of("dot", given, token)
            case "∞":
                return Part("number", value=math.inf, place=token.place)
            case "√":
                return self.root(token)
            case "frac":
                above, below = self.braces(), self.braces()
                return Part("over", (above, below), place=token.place)
            case "Σ":
                return self.total(token)
            case "begin":
                return self.matrix(token)
        self.at -= 1
        self.refuse(token, "")

    def is_relation(self) -> bool:
        """Whether brackets with a relation in them follow, as in 𝟏[x > 0]."""
        if not self.is_next("(", "[", "{"):
            return False
        depth, ahead = 0, 0
        while (token := self.next(ahead)).kind != "end":
            depth += (token.text in CLOSING) - (token.text in CLOSING.values())
            if depth == 1 and token.text in RELATIONS:
                return True
            if depth == 0:
                return False
            ahead += 1
        return False

    def braces(self) -> Part:
        self.take("{")
        part = self.outside_bars(self.sum)
        self.take("}")
        return part

    def root(self, token: Token) -> Part:
        degree = self.listed(self.take("[")) if self.is_next("[") else Part("number", value=2.0)
        if self.is_next("{"):
            inside = self.braces()
        else:
            parts = self.factor() if self.next().kind not in ("number",) and not self.is_next("(") else [self.atom()]
            if len(parts) > 1:
                raise Unread("what is under the root? put it in parentheses", token.place)
            inside = parts[0]
        return Part("root", (inside, degree), place=token.place)

    def word_with_index(self, token: Token) -> Part:
        """A name with or without an index, an entry of it, or a constant."""
        if not self.is_next("_"):
            return self.single(token)
        start = self.at
        own = self.raw_subscript()
        words = "".join("," if t.text == "_" else t.text for t in own if t.text not in "{}")
        after, self.at = self.at, start
        ways: list[tuple[str, Callable[[], Part]]] = []
        if (
            self.known.named(token.text, words)
            or (token.text, words) in self.defined
            or self.known.size(token.text, words)
        ):
            ways.append((f"{token.text}_{words} as a name", lambda: self.named(token, words)))
        if token.text == "Σ" and set(words.partition("=")[0]) <= set(INDICES) and words:
            ways.append(("Σ as a sum", lambda: self.total(token)))
        if self.known.named(token.text) or (token.text, "") in self.defined or self.known.size(token.text):
            ways.append((f"{token.text}_{words} as an entry of {token.text}", lambda: self.single(token)))
        elif token.text in ("e", "K", "δ", "I"):
            ways.append((f"{token.text}_{words}", lambda: self.constant(token, own)))
        if not ways:
            raise Unread(
                f"{token.text}_{words} is no argument of the function{self.known.near(token.text)}", token.place
            )
        said, read = (
            ways[0] if len(ways) == 1 else ways[self.once(f"{token.text}_{words}", *(said for said, _ in ways))]
        )
        if not said.endswith((" as a sum", f" as an entry of {token.text}")):
            self.at = after
        return read()

    def single(self, token: Token) -> Part:
        if token.text == "Σ" and not self.known.named("Σ"):
            return self.total(token)
        return self.named(token)

    def constant(self, token: Token, own: list[Token]) -> Part:
        """e_k, K_mn, δ_ij, I_n"""
        if token.text == "e":
            return Part("unit", (self.inside(own, self.sum),), place=token.place)
        specs = self.positions(own)
        if token.text == "I" and len(specs) == 1 and specs[0].kind != "slice":
            return Part("identity", tuple(specs), place=token.place)
        if token.text == "δ" and len(specs) == 2:
            return Part("holds", tuple(specs), "=", token.place)
        if token.text == "I":
            return Part("at", (Part("identity", place=token.place), *specs), place=token.place)
        if token.text == "K" and len(specs) == 2:
            return Part("commutation", tuple(specs), place=token.place)
        raise Unread(f"{token.text} with these indices is not known", token.place)

    def bracketed(self, token: Token) -> Part:
        """(…); with commas a row of numbers: (0, 1, 2) or (0, …, n−1)."""
        closing = CLOSING[token.text]
        parts = [self.related()]
        if closing == ")" and self.is_next(","):
            while self.is_next(","):
                self.take()
                if self.is_next("…"):
                    self.take("…")
                    self.take(",")
                    last = self.outside_bars(self.sum)
                    self.take(")")
                    return Part("counting", (*parts, last), place=token.place)
                parts.append(self.outside_bars(self.sum))
            self.take(")")
            return Part("transpose", (Part("list", tuple(parts), place=token.place),), place=token.place)
        self.take(closing)
        return parts[0]

    def listed(self, token: Token) -> Part:
        """[i = j], [a, b] as a column, [[a, b], [c, d]] by rows, blocks as [A, B; C, D]; [a] is a."""
        rows = [[self.related()]]
        while self.is_next(",", ";"):
            rows += [[]] if self.take().text == ";" else []
            rows[-1].append(self.related())
        self.take("]")
        if len(rows) == 1 and (len(rows[0]) > 1 or rows[0][0].kind == "list"):
            return Part("list", tuple(rows[0]), ",", token.place)
        if len(rows) == 1:
            return rows[0][0]
        return self.by_rows(rows, token)

    def by_rows(self, rows: Sequence[Sequence[Part]], token: Token) -> Part:
        if all(len(row) == 1 for row in rows):
            return Part("list", tuple(row[0] for row in rows), ";", token.place)
        return Part("list", tuple(Part("list", tuple(row), ",", token.place) for row in rows), ";", token.place)

    def matrix(self, token: Token) -> Part:
        rows: list[list[Part]] = [[]]
        while not self.is_next("end"):
            if self.is_next("&"):
                self.take()
            elif self.is_next("\\\\"):
                self.take()
                rows.append([])
            else:
                rows[-1].append(self.outside_bars(self.sum))
        self.take("end")
        rows = [row for row in rows if row]
        if not rows or len({len(row) for row in rows}) > 1:
            raise Unread("a matrix has rows of one length", token.place)
        return self.by_rows(rows, token)

    def barred(self, token: Token) -> Part:
        """‖x‖, ‖X‖_F, |x|"""
        closing = {"‖<": ">‖", "|<": ">|"}.get(token.text, token.text)
        self.bars.append(closing)
        inside = self.sum()
        self.bars.pop()
        self.take(closing)
        if token.text[0] == "|":
            return Part("bars", (inside,), place=token.place)
        kind = "".join(t.text for t in self.raw_subscript())
        if kind not in ("", "F", "2", "1", "∞", "*"):
            raise Unread(f"the norm ‖·‖_{kind} is not known", token.place)
        return Part("norm", (inside,), kind, token.place)

    def total(self, token: Token) -> Part:
        """Σ_ij of the product that follows; Σ_{i=1}^{n}"""
        own = self.raw_subscript()
        if not own:
            raise Unread("Σ needs an index, as in Σ_i", token.place)
        first, equals = own, next((k for k, t in enumerate(own) if t.text == "="), None)
        ends: list[Part] = []
        if equals is not None:
            first = own[:equals]
            ends = [self.inside(own[equals + 1 :], self.index_sum)]
        if self.is_next("^"):
            ends.append(self.inside(self.exponent_tokens()[2:-1], self.index_sum))
        letters = [c for t in first if t.text != "," for c in t.text]
        if len(set(letters)) != len(letters) or not set(letters) <= set(INDICES) | set("mnabch"):
            raise Unread("the indices of Σ are letters such as i, j, k", token.place)
        if any(self.meaning(c) for c in letters):
            raise Unread(
                f"{' and '.join(c for c in letters if self.meaning(c))} can't be an index of Σ: it is a name",
                token.place,
            )
        outer = {c: self.bound[c] for c in letters if c in self.bound}
        axes = [self.new_axis() for _ in letters]
        self.bound |= dict(zip(letters, axes, strict=True))
        inside = self.summand()
        for c in letters:
            del self.bound[c]
        self.bound |= outer
        return Part("total", (inside, *ends), tuple(axes), token.place)

    def summand(self) -> Part:
        """What stands behind Σ, up to the next + or -."""
        return self.term()


def _number(token: Token) -> float:
    value = float(Fraction(token.text)) if "/" in token.text else float(token.text)
    if value > LARGEST:
        raise Unread("this number is too large", token.place)
    return value
