"""The properties that a function needs of its arguments to be finite: sqrt(x) a positive x, cholesky(S) a definite S.

In: a Subject with its shapes, and what is declared.  Out: a property for each argument that needs one.
Found by trying: few arguments and weak properties first, within a bound of time.
Not known here: what the function is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any

import torch
from torch import Tensor

from .autograd import copies, derivative_of, is_symmetric
from .calling import Running, call, replacements, validated
from .capture import Subject
from .options import Options
from .patience import Patience
from .shapes import Shapes, sizes_for
from .verify import inputs_at
from .watching import call_name

__all__ = ["domain_of", "property_words", "reads_one_triangle", "reason_for"]

DRAWS = 5  # on which f is finite, none of them replaced
SECONDS = 0.5  # for the search
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
}
SQUARE = ("positive-det", "positive-definite", "positive")


def domain_of(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> dict[str, str]:
    """The properties that f needs to be finite (sqrt(x): x positive), {} where it needs none or none is found.

    A function that reads one triangle of a matrix (eigvalsh, cholesky) is given a symmetric one.
    """
    with validated():
        if _runs(subject, shapes, assume, options):
            return {
                n: "symmetric" for n in shapes.of if n not in assume and reads_one_triangle(subject, shapes, assume, n)
            }
        patience = Patience(SECONDS)
        for needed in _candidates(shapes, assume):
            with patience.trying():
                if _runs(subject, shapes, {**assume, **needed}, options):
                    return needed
            if not patience.left:
                break
    return {}


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


def _candidates(shapes: Shapes, assume: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Properties of one argument, then of two, …"""
    own = {
        name: SQUARE if len(shape) == 2 and shape[0] == shape[1] else ENTRIES
        for name, shape in shapes.of.items()
        if name not in assume
    }
    for count in range(1, len(own) + 1):
        for names in combinations(own, count):
            for properties in product(*(own[name] for name in names)):
                yield dict(zip(names, properties, strict=True))


def _runs(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> bool:
    """Whether f is finite on a few draws, none of them replaced."""
    for draw in range(DRAWS):
        inputs = inputs_at(shapes, sizes_for(shapes, draw), assume, options.seed + 31 * draw + 5)
        try:
            if not bool(torch.isfinite(call(subject, inputs)).all()):
                return False
        except (RuntimeError, ValueError, IndexError):
            return False
    return True


def reads_one_triangle(subject: Subject, shapes: Shapes, assume: Mapping[str, str], name: str) -> bool:
    """Whether f sees one side of the diagonal only, and its gradient is symmetric all the same."""
    shape = shapes.of[name]
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 1:
        return False
    inputs = inputs_at(shapes, sizes_for(shapes, 0), assume, 3)
    inputs[name] = inputs[name] + inputs[name].T
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
