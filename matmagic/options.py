"""The options of a check and the small languages they are written in.

In: what stands after `%%gradcheck`, or the keywords of `gradcheck(f, ...)`.  Out: Options.
The same words mean the same in both; a dict is taken wherever a text is.  Whether an argument of that name
exists is not known here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import OptionError
from .lengths import parsed
from .places import PLACE, spelled

PROPERTIES = (
    "symmetric",
    "positive-definite",
    "positive-quadratic-form",  # xᵀ A x > 0, symmetric or not
    "orthogonal",
    "orthonormal-columns",
    "diagonal",
    "skew",
    "lower-triangular",
    "cholesky-factor",  # lower triangular with a positive diagonal
    "invertible",
    "positive-det",
    "contraction",
    "unit",
    "unit-ball",  # norm below 1
    "positive",
    "negative",
    "unit-interval",
    "above-one",
    "simplex",
    "row-stochastic",
    "one-hot",
    "binary",
    "signs",
    "counts",
    "index<k",  # k is a letter of a size or a number
)

_NAMED = re.compile(rf"(?:^|[\s,;])({PLACE})\s*[=:](?!=)\s*")
_SUM = r"\w+(?:\s*[-+*]\s*\w+)*"
_CONDITION = re.compile(rf"({_SUM})\s*(>=|<=|==|!=|>|<)\s*({_SUM})")
_INDEX = re.compile(rf"({PLACE})\s*=\s*index\s*<\s*({_SUM})")


@dataclass(frozen=True)
class Options:
    """What is asked for, beside the function itself."""

    wrt: tuple[str, ...] = ()
    shapes: Mapping[str, str] = field(default_factory=dict)  # "n,1", "n", "()"
    assume: Mapping[str, str] = field(default_factory=dict)  # argument -> one of PROPERTIES
    sizes: tuple[str, ...] = ()  # conditions between sizes, "m>n"
    order: int = 1
    claims: tuple[str, ...] = ()
    function: str | None = None
    seed: int = 0
    trials: int = 6
    text: bool = False
    remember: str | None = None  # the name of an identity to keep

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise OptionError(f"order is 1 (gradient, Jacobian) or 2 (Hessian), not {self.order}")
        if self.trials < 1:
            raise OptionError(f"trials is at least 1, not {self.trials}")


def nearest(word: str, known: Iterable[str]) -> str:
    """' (did you mean …?)' or nothing, to be put after an unknown word.

    >>> nearest("symetric", PROPERTIES)
    ' (did you mean symmetric?)'
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def parse_names(text: str | Iterable[str]) -> tuple[str, ...]:
    """Names separated by commas or spaces, each once; places such as lin.weight too.

    >>> parse_names("x, A"), parse_names("lin.weight p['W']")
    (('x', 'A'), ('lin.weight', 'p["W"]'))
    """
    names = re.split(r"[\s,;]+", text.strip(" ,;")) if isinstance(text, str) else list(text)
    for name in names:
        if name and not re.fullmatch(PLACE, name):
            raise OptionError(f"{name!r} is not a name", "names are separated by commas: -w x,A")
    return tuple(dict.fromkeys(spelled(name) for name in names if name))


def parse_shapes(text: str | Mapping[str, str]) -> dict[str, str]:
    """Shapes by argument; `n` is 1-D, `n,1` a column, `()` a scalar, a number a fixed size.

    >>> parse_shapes("x=n,1 A=n,n t=()")
    {'x': 'n,1', 'A': 'n,n', 't': '()'}
    """
    given = text if isinstance(text, Mapping) else _by_name(text, "shapes", 'shapes are written "x=n,1 A=n,n t=()"')
    return {spelled(name): _shape(name, shape) for name, shape in given.items()}


def parse_assume(text: str | Mapping[str, str] | Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Properties by argument, and conditions between sizes.

    >>> parse_assume("A=symmetric m>n")
    ({'A': 'symmetric'}, ('m>n',))
    """
    if isinstance(text, Mapping):
        return {spelled(name): _property(name, word) for name, word in text.items()}, ()
    if not isinstance(text, str):
        text = " ".join(text)
    indices = {spelled(name): f"index<{k}" for name, k in _INDEX.findall(text)}
    rest = _INDEX.sub(" ", text)
    sizes = tuple("".join(found) for found in _CONDITION.findall(rest))
    rest = _CONDITION.sub(" ", rest).strip(" ,;")
    words = _by_name(rest, "assume", 'assumptions are written "A=symmetric m>n"')
    for name in words.keys() & indices.keys():
        raise OptionError(f"assume names {name} twice")
    return indices | {name: _property(name, word) for name, word in words.items()}, sizes


def _by_name(text: str, option: str, example: str) -> dict[str, str]:
    """'a=… b=…' -> {a: …, b: …}; what is assigned may hold commas and spaces."""
    before, *pieces = _NAMED.split(text.strip())
    if before.strip(" ,;"):
        raise OptionError(f"{option}: can't read {before.strip()!r}", example)
    found: dict[str, str] = {}
    for name, value in zip(pieces[::2], pieces[1::2], strict=True):
        name = spelled(name)
        if name in found:
            raise OptionError(f"{option} names {name} twice", example)
        found[name] = value.strip(" ,;")
        if not found[name]:
            raise OptionError(f"{option}: nothing follows {name}=", example)
    return found


def _shape(name: str, text: str) -> str:
    """One shape in the form 'n,1'; brackets and spaces are optional."""
    inner = re.sub(r"\s*([-+*])\s*", r"\1", re.sub(r"^[(\[]|[)\]]$", "", text.strip()).strip())
    sizes = [size for size in re.split(r"[\s,]+", inner) if size]
    for size in sizes:
        if parsed(size) is None:
            raise OptionError(
                f"the shape of {name} can't be {text!r}: {size!r} is not a size",
                f'sizes are n, 3, 2n, n+1, m+n: "{name}=n,1" a column, "{name}=n" 1-D, "{name}=()" a scalar',
            )
    return ",".join(sizes) if sizes else "()"


def _property(name: str, text: str) -> str:
    """One property of the vocabulary; underscores and spaces stand for hyphens."""
    word = re.sub(r"[\s_]+", "-", re.sub(r"\s*<\s*", "<", text.strip()))
    if word.lower() in PROPERTIES or re.fullmatch(r"index<\w+([-+*]\w+)*", word):
        return word if "<" in word else word.lower()
    raise OptionError(
        f"{name}={text.strip()}: no such property{nearest(word, PROPERTIES)}",
        "properties: " + ", ".join(PROPERTIES),
    )
