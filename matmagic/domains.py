"""The properties that a function needs of its arguments to be finite: sqrt(x) a positive x, cholesky(S) a definite S.

In: a Subject with its shapes, and what is declared.  Out: a property for each argument that needs one.
Found by trying, within a bound of time: properties that all values have at which f is finite; then none at all, where
draws can be replaced; then weak properties of few arguments.  A property that is stronger than f needs would make
2 A x of (A + Aᵀ) x, and a wrong formula a right one.
Not known here: what the function is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor

from .autograd import copies, derivative_of, is_symmetric
from .calling import Running, call, replacements, validated
from .capture import Subject
from .drawing import inputs_at
from .errors import OptionError
from .lengths import letters_of
from .options import Options
from .patience import Patience
from .regularity import singular
from .sampling import holds
from .shapes import Shapes, assign, sizes_for
from .watching import call_name

__all__ = [
    "ONE_TRIANGLE",
    "domain_of",
    "finite_draws",
    "finite_everywhere",
    "property_words",
    "reads_one_triangle",
    "reason_for",
]

DRAWS = 5  # on which f is finite, none of them replaced
SOME = 3  # of them, where the others are replaced
SECONDS = 0.5  # for the search
GENERIC = 24  # draws without a property, and as many small ones
FAIR = 4  # of them on which f is finite, for the others to be replaced
LOOKING = 0.2  # seconds for them
KNOWN = 3  # values at which f is finite, to say what all of them are
ENTRIES = ("positive", "unit-interval", "unit-ball", "above-one")
SAID = {
    "unit-ball": "of norm below 1",
    "above-one": "above 1",
    "unit-interval": "between 0 and 1",
    "simplex": "with positive entries that sum to 1",
    "counts": "as whole numbers from 0 on",
    "binary": "as 0 and 1",
    "cholesky-factor": "lower triangular with a positive diagonal",
    "positive-det": "with a positive determinant",
    "positive-quadratic-form": "with a positive quadratic form, symmetric or not",
    "positive-mean": "with a positive mean",
}
SQUARE = ("positive-det", "positive-quadratic-form", "positive-definite", "positive")
WEAK = ("positive-det", "positive-quadratic-form", "positive-mean")
ONE_TRIANGLE = frozenset(["symmetric", "positive-definite"])  # of which f may read only one

Properties = Mapping[str, tuple[str, ...]]  # those of each argument


def domain_of(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> dict[str, str]:
    """The properties that f needs to be finite (sqrt(x): x positive), {} where it needs none or none is found.

    A function that reads one triangle of a matrix (eigvalsh, cholesky) is given a symmetric one.
    """
    question = (subject, shapes, assume, options)
    with validated():
        if finite_everywhere(*question):
            return _one_sided(*question)
        small = _finite_draws(*question, sizes=lambda draw: _small_sizes(shapes, draw))
        usual = _finite_draws(*question, sizes=lambda draw: sizes_for(shapes, draw))
        known = [*small, *usual]
        whole = _properties(shapes, assume)
        needed = {name: tuple(p for p in own if all(holds(at[name], p) for at in known)) for name, own in whole.items()}
        found = _first(*question, needed, DRAWS)
        if found is None and len(usual) >= FAIR:
            return _one_sided(*question)
        weak = _weak(shapes, needed if len(known) >= KNOWN else {}, whole)
        tried = (_first(*question, own, least) for own, least in ((weak, DRAWS), (weak, SOME), (whole, DRAWS)))
        return found or next((own for own in tried if own), {})


def finite_draws(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options
) -> list[dict[str, Tensor]]:
    """Small draws on which f happens to be finite, with a derivative."""
    found = _finite_draws(subject, shapes, assume, options, sizes=lambda draw: _small_sizes(shapes, draw))
    return [at for at in found if _is_regular(subject, at)]


def finite_everywhere(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> bool:
    """Whether f is finite on a few draws, none of them replaced."""
    return _runs(subject, shapes, assume, options, DRAWS)


def property_words(prop: str) -> str:
    """How a property is named in a remark: x taken …"""
    if prop.startswith("index<"):
        return f"as labels, whole numbers below {prop.removeprefix('index<')}"
    return SAID.get(prop, prop)


def reason_for(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options, name: str, prop: str
) -> str:
    """ "logdet needs it": the first torch call that gives no finite number, or fails, where only this property is missing."""
    if prop == "symmetric":
        return f"{subject.name} reads one triangle of it"
    others = {argument: p for argument, p in assume.items() if argument != name}
    for draw in range(DRAWS):
        inputs = inputs_at(shapes, sizes_for(shapes, draw), others, options.seed + 31 * draw + 5)
        looking = _Looking(replacements(subject, inputs))
        try:
            call(subject, inputs, looking)
        except Exception as error:  # whatever f says of values that don't suit it
            looking.found = next(iter(re.findall(r"distribution (\w+)\(", str(error))), looking.found)
        if looking.found:
            return f"{looking.found} needs it"
    return f"{subject.name} needs it"


class _Looking(Running):
    """Notes the first call that makes of finite numbers something that isn't, or that fails."""

    found = ""

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            result = func(*args, **kwargs)
        except Exception:
            self.found = self.found or _said(func)
            raise
        if not self.found and isinstance(result, Tensor) and not bool(torch.isfinite(result).all()):
            self.found = _said(func)
        return result


def _said(func: Any) -> str:
    """A torch call in a remark: cholesky."""
    name = call_name(func).removeprefix("linalg_")
    return "indexing" if name == "getitem" else name


def _properties(shapes: Shapes, assume: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """What may be taken of each argument of which nothing is declared."""
    return {
        name: SQUARE if len(shape) == 2 and shape[0] == shape[1] else ENTRIES
        for name, shape in shapes.of.items()
        if name not in assume
    }


def _weak(shapes: Shapes, needed: Properties, whole: Properties) -> dict[str, tuple[str, ...]]:
    """Properties that leave an argument generic, for arguments without one that f needs."""
    return {
        name: needed.get(name) or tuple(p for p in (*own, "positive-mean") if p in WEAK)
        for name, own in whole.items()
        if any(size != 1 for size in shapes.of[name])
    }


def _finite_draws(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    sizes: Callable[[int], dict[str, int]],
) -> list[dict[str, Tensor]]:
    """Draws with no more than is declared on which f is finite."""
    found, patience = [], Patience(LOOKING)
    for draw in range(GENERIC):
        inputs = inputs_at(shapes, sizes(draw), assume, options.seed + 57 * draw + 7)
        with patience.trying():
            if _is_finite(subject, inputs):
                found.append(inputs)
        if not patience.left:
            break
    return found


def _small_sizes(shapes: Shapes, draw: int) -> dict[str, int]:
    """Sizes from 2 on, at which entries suit f by chance; those of a draw where they don't meet the conditions."""
    letters = letters_of(shapes.of)
    pool = list(range(2, 5 + len(letters)))
    turn = draw % len(letters) if letters else 0
    try:
        return assign([*letters[turn:], *letters[:turn]], pool, shapes.conditions)
    except OptionError:
        return sizes_for(shapes, draw)


def _first(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    properties: Properties,
    least: int,
) -> dict[str, str] | None:
    """The first of some properties with which f is finite on so many draws."""
    patience = Patience(SECONDS)
    for needed in _candidates(properties):
        with patience.trying():
            own = {**assume, **needed}
            if _runs(subject, shapes, own, options, least) and not _one_triangle(subject, shapes, own, needed):
                return needed
        if not patience.left:
            break
    return None


def _candidates(own: Properties) -> Iterator[dict[str, str]]:
    """Properties of one argument, then of two, …"""
    for count in range(1, len(own) + 1):
        for names in combinations(own, count):
            for properties in product(*(own[name] for name in names)):
                yield dict(zip(names, properties, strict=True))


def _runs(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options, least: int) -> bool:
    """Whether f is finite on so many of a few draws, none of them replaced."""
    missing = 0
    for draw in range(DRAWS):
        inputs = inputs_at(shapes, sizes_for(shapes, draw), assume, options.seed + 31 * draw + 5)
        missing += not _is_finite(subject, inputs)
        if missing > DRAWS - least:
            return False
    return True


def _is_finite(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f has a value here, and a finite one; f gets copies, which it may change."""
    try:
        return bool(torch.isfinite(call(subject, copies(inputs))).all())
    except (RuntimeError, ValueError, IndexError):
        return False


def _is_regular(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f has a derivative with right digits here."""
    try:
        return not singular(subject, inputs)
    except (RuntimeError, ValueError, IndexError):
        return False


def _one_sided(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> dict[str, str]:
    """The matrices of which f reads one triangle, as symmetric ones."""
    free = [name for name in shapes.of if name not in assume]
    return {name: "symmetric" for name in free if reads_one_triangle(subject, shapes, assume, name)}


def _one_triangle(subject: Subject, shapes: Shapes, assume: Mapping[str, str], needed: Mapping[str, str]) -> bool:
    """Whether f reads one triangle of a matrix that would not be symmetric."""
    asked = [name for name, prop in needed.items() if prop == "positive-quadratic-form"]
    return any(reads_one_triangle(subject, shapes, assume, name) for name in asked)


def reads_one_triangle(subject: Subject, shapes: Shapes, assume: Mapping[str, str], name: str) -> bool:
    """Whether f sees one side of the diagonal only, and its gradient is symmetric all the same."""
    shape = shapes.of[name]
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 1:
        return False
    for seed in range(3, 3 + DRAWS):
        inputs = inputs_at(shapes, sizes_for(shapes, 0), assume, seed)
        inputs[name] = inputs[name] + inputs[name].T
        if _is_finite(subject, inputs):
            break
    try:
        one_sided = _sees(subject, inputs, name, -1) != _sees(subject, inputs, name, 1)
    except (ValueError, RuntimeError):  # it takes symmetric matrices only
        one_sided = True
    return one_sided and is_symmetric(derivative_of(subject, inputs, name), tuple(inputs[name].shape))


def _sees(subject: Subject, inputs: Mapping[str, Tensor], name: str, side: int) -> bool:
    """Whether f changes with the entries below (-1) or above (1) the diagonal."""
    whole = inputs[name]
    moved = whole + (torch.tril(whole, -1) if side < 0 else torch.triu(whole, 1))
    before, after = call(subject, copies(inputs)), call(subject, copies({**inputs, name: moved}))
    return not torch.equal(before, after)
