"""What a user should know about how a function was called: defaults, precision, values that are no draw, changes in place.

In: a Subject with its Shapes, what is assumed of its arguments, and an input on which it runs.  Out: a Note for each.
Not known here: derivatives.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from .autograd import copies, narrow_backwards
from .calling import NARROW, Running, call, replacements
from .capture import Subject
from .drawing import own_draw
from .errors import ResultError
from .regularity import roughness
from .shapes import Shapes

SHOWN = 40  # characters of a default


@dataclass(frozen=True)
class Note:
    """A remark on the result: what was assumed, warned of, or could not be done."""

    kind: str  # "assumed", "warning", "limit", "precision"
    text: str


def remarks(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], inputs: Mapping[str, Tensor]
) -> Iterator[Note]:
    """How the function was called."""
    if subject.others:
        last = subject.others[-1]
        yield Note("assumed", f"checked {subject.name}, the last function; --function {last} checks another")
    yield from (Note("assumed", line) for line in _defaults(subject))
    for name, shape in shapes.of.items():
        if len(shape) == 2 and shape[0] == 1 != shape[1]:
            yield Note("assumed", f"{name} is a row; formulas write every vector as a column")
    yield from _values(subject, shapes, assume)
    yield from _run(subject, shapes, inputs)


def _defaults(subject: Subject) -> Iterator[str]:
    """Arguments that nobody gave."""
    for name, value in subject.defaults.items():
        plain = isinstance(value, int | float | str | None) and name not in subject.borrowed
        if plain and name not in subject.reads and len(repr(value)) <= SHOWN:
            yield f"{name} = {value!r}, its default"
    for name, parameter in subject.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            yield f"**{name} is left empty"


def _values(subject: Subject, shapes: Shapes, assume: Mapping[str, str]) -> Iterator[Note]:
    """What the notebook's own tensors are, where a formula isn't for them as they are."""
    known = {**subject.namespace, **subject.reads}
    tensors = {name: known[name] for name in shapes.of if isinstance(known.get(name), Tensor)}
    for dtype in dict.fromkeys(t.dtype for t in tensors.values() if t.dtype in NARROW):
        single = ", ".join(name for name, tensor in tensors.items() if tensor.dtype is dtype)
        yield Note("precision", f"checked in float64; {single}: {NARROW[dtype]} in the notebook")
    for name, tensor in tensors.items():
        if tensor.is_complex():
            yield Note("warning", f"{name} is complex in the notebook: this is for a real {name}")
    own = own_draw(shapes, assume)
    if own and (rough := roughness(subject, own)):
        yield Note("warning", f"{subject.name} {rough} at the notebook's values: what is shown there is autograd's")


def _run(subject: Subject, shapes: Shapes, inputs: Mapping[str, Tensor]) -> Iterator[Note]:
    """What f did with its inputs: changed them in place, computed in float32."""
    own = copies(inputs)
    running = Running(replacements(subject, own))
    with suppress(RuntimeError, AttributeError):  # hooks need inputs that autograd follows
        call(subject, own, running)
    changed = [name for name, tensor in inputs.items() if not torch.equal(own[name], tensor)]
    if changed:
        listed = ", ".join(changed)
        yield Note(
            "warning", f"{subject.name} changes {listed} in place: it ran on copies, derivatives are by what goes in"
        )
    if running.narrow:
        asked = " and ".join(dict.fromkeys(running.narrow))
        yield Note("precision", f"checked in float64, where {subject.name} asks for {asked}")
    if _compares_dtypes(subject.source):
        yield Note("precision", f"{subject.name} compares dtypes: every floating-point tensor is float64 here")
    yield from _backward(subject, inputs)


def _compares_dtypes(source: str) -> bool:
    """Whether `x.dtype == …` stands in the code."""
    with suppress(SyntaxError):
        compared = (n for n in ast.walk(ast.parse(textwrap.dedent(source))) if isinstance(n, ast.Compare))
        return any(
            isinstance(n, ast.Attribute) and n.attr == "dtype" for c in compared for n in (c.left, *c.comparators)
        )
    return False


def _backward(subject: Subject, inputs: Mapping[str, Tensor]) -> Iterator[Note]:
    """A backward of the user's own that computes in less than float64."""
    leaves = {name: t.clone().requires_grad_(t.is_floating_point()) for name, t in inputs.items()}
    with suppress(RuntimeError, ResultError):  # what fails here is said elsewhere
        value = call(subject, {name: t.clone() for name, t in leaves.items()})
        if narrow := narrow_backwards(value, [t for t in leaves.values() if t.requires_grad]):
            yield Note("precision", f"the backward of {' and '.join(narrow)} has float32's digits, about 7, or fewer")
