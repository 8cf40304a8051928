"""What words in a formula mean: the arguments, sizes, functions and constants, and how a run of letters splits into them.

The inverse of printers/names.py: x₁, x_1 and x_{1} are the argument x1 or x_1, θ and \\theta the argument theta.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..printers.names import GREEK, SHORT, split

MOST_SPLITS = 8

WITH_DIGITS = frozenset("atan2 log1p expm1".split())

# functions by the name that values.py knows; those that take their argument without brackets too
SYNONYMS: Mapping[str, str] = {
    "trace": "tr", "Tr": "tr", "sigmoid": "σ", "ln": "log", "sgn": "sign", "Diag": "diag", "Vec": "vec", "ReLU": "relu",
    "atan": "arctan", "asin": "arcsin", "acos": "arccos", "asinh": "arsinh", "acosh": "arcosh", "atanh": "artanh",
    "ceiling": "ceil", "inverse": "inv", "lse": "logsumexp", "LSE": "logsumexp", "lgamma": "logΓ", "maximum": "max",
    "minimum": "min", "mat_exp": "expm", "one_hot": "onehot",
    "Id": "eye", "inner": "dot", "ndtr": "Φ", "density": "φ", "digamma": "ψ", "detach": "sg",
}  # fmt: skip
WITHOUT_BRACKETS = frozenset(
    "exp log sin cos tan sinh cosh tanh arcsin arccos arctan tr det logdet vec diag relu softmax sign onehot".split()
)
LETTERED = frozenset("σ λ Q U V q u v Φ φ ψ Γ I L".split())  # functions that are called by a letter
FUNCTIONS = WITHOUT_BRACKETS | LETTERED | frozenset(
    """expm1 log1p arsinh arcosh artanh atan2 sinc softplus logaddexp erf erfcx erfinv logΓ xlogy pow elu abs max min clamp
    where step equals floor ceil round trunc recip sqrt sg expm chol polar logsumexp argmax argmin prod sv sort sorting tril
    triu inv pinv sum mean norm slogdet det log_softmax
    transpose ones zeros eye outer kron dot sech""".split()
)  # fmt: skip


def is_function(word: str) -> bool:
    """Whether a function goes by this name."""
    return word in FUNCTIONS or word in SYNONYMS


@dataclass(frozen=True)
class Known:
    """The names that a formula may use: arguments, the letters of sizes, and increments by how they are written:
    {"dx": ("d", "x")}; `free` are the indices that stand on the left of the formula."""

    names: tuple[str, ...]
    letters: tuple[str, ...] = ()
    increments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    free: str = ""

    @cached_property
    def keys(self) -> dict[tuple[str, str], list[str]]:
        """Names by stem and index."""
        found: dict[tuple[str, str], list[str]] = {}
        for name in self.names:
            for key in dict.fromkeys((key_of(name), (name, ""))):
                found.setdefault(key, []).append(name)
        for name, (mark, of) in self.increments.items():
            stem, index = key_of(of)
            found.setdefault((mark + stem, index), []).append(name)
        return found

    @cached_property
    def sizes(self) -> dict[tuple[str, str], str]:
        """Letters of sizes likewise."""
        return {key_of(letter): letter for letter in self.letters}

    @cached_property
    def stems(self) -> frozenset[str]:
        """What a name or a size begins with."""
        return frozenset(stem for stem, _ in (*self.keys, *self.sizes))

    @cached_property
    def moved(self) -> frozenset[str]:
        """What increments begin with: dX."""
        return frozenset(mark + key_of(of)[0] for mark, of in self.increments.values())

    def named(self, stem: str, index: str = "") -> list[str]:
        """The arguments that are written so."""
        return self.keys.get((stem, index), []) or (self.keys.get((f"{stem}_{index}", ""), []) if index else [])

    def size(self, stem: str, index: str = "") -> str | None:
        return self.sizes.get((stem, index))

    @cached_property
    def spelled(self) -> dict[str, str]:
        """Greek letters in English, where no name is spelled so: {"lambda": "λ"}."""
        return {word: letter for word, letter in GREEK.items() if letter in self.stems and word not in self.stems}

    def near(self, word: str) -> str:
        """A suggestion."""
        for known in (self.names, [*FUNCTIONS, *SYNONYMS]):
            close = difflib.get_close_matches(word, sorted(known), 1)
            if close and len(word) > 1:
                return f" (did you mean {close[0]}?)"
        return ""

    def splits(self, word: str, indices: Iterable[str]) -> list[tuple[str, ...]]:
        """The ways to read a run of letters as names side by side, the fewest names first; a function comes last.

        >>> Known(("A", "x", "theta")).splits("Ax", ()), Known(("A", "x", "Ax")).splits("Ax", ())
        ([('A', 'x')], [('Ax',), ('A', 'x')])
        """
        short = self.stems | frozenset("IeπKδΣ") | self.spelled.keys() | frozenset(indices)
        longest = max(map(len, short))
        functions = [k for k in range(len(word)) if is_function(word[k:])]

        def rest(at: int) -> Iterator[tuple[str, ...]]:
            if at == len(word):
                yield ()
            if at in functions and word[at:] not in short:
                yield (word[at:],)
            for end in range(min(len(word), at + longest), at, -1):
                if word[at:end] in short:
                    yield from ((word[at:end], *more) for more in rest(end))

        found = []
        for one in rest(0):
            found.append(one)
            if len(found) > MOST_SPLITS:
                break
        return sorted(dict.fromkeys(found), key=len)


def key_of(name: str) -> tuple[str, str]:
    """A name's stem as it is printed, and its index: ("θ", "1").

    >>> key_of("lam"), key_of("W_ih"), key_of("model[0].bias")
    (('λ', ''), ('W', 'ih'), ('b', 'model,0'))
    """
    stem, index = split(name)
    return GREEK.get(SHORT.get(stem, stem), stem), index.replace("_", ",")
