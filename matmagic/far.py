"""Where else a right-looking answer is tried: far from the draws, and wherever another piece of the derivative may begin.

In: the question, the answer as a function of the inputs, and the derivative's code, if there is one.  Out: where the answer
is another function.  An answer that leaves out a bound (clamp(x, max=1e4)) is right on all draws; the numbers in the code
tell at which sizes of the arguments the bound is met.  There the code says whether to look, and autograd is what counts: a
right answer that loses its digits so far out stays right.
Not known here: what is said of it.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .autograd import copies, point, relative_error
from .calling import call, float64
from .conditions import SCALABLE
from .cuts import cuts
from .drawing import inputs_at
from .reasons import Question
from .regularity import Evaluate, singular
from .shapes import sizes_for

__all__ = ["Closed", "Elsewhere", "fails_far"]

FAR = (100.0, 10.0, 0.01)  # times the usual size of arguments, tried for every function
TINY = (1e-4, 1e-6)  # where there is a code to compare with
DECADES = tuple(10.0**k for k in range(-6, 7))  # where it has numbers of unusual size
USUAL = (0.3, 3.0)  # the sizes that the draws have
NUMBERS = (1e-6, 1e15)  # in the code; one below is there against a division by zero
MOST_NUMBERS = 6
OTHER = 1e-4  # relative to the derivative, a difference that is not rounding
PIECE = 1e-2  # the same for another piece, at sizes where digits are lost
LEAST = 1e-8  # relative to f / x, a derivative that is more than rounding
HELD = 1e-6  # relative, the code against autograd so far out
STEADY = 1e-3  # relative, the change of an answer by the last digits of the inputs from which it is noise


class Closed(Protocol):
    """The derivative in closed form: a function of the inputs with its code."""

    @property
    def code(self) -> str: ...
    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor: ...


@dataclass(frozen=True)
class Elsewhere:
    """Arguments at which the answer is another function, "large" or "small", and whether f `branches` to another one there."""

    where: str
    branches: bool


def fails_far(
    question: Question, assume: Mapping[str, str], found: Evaluate, closed: Closed | None
) -> Elsewhere | None:
    """Where the answer is another function than the derivative, by far more than rounding; None where it is nowhere."""
    for number, scale in enumerate(FAR):
        inputs = _scaled(question, assume, number, scale)
        answer, truth = _value(found, inputs), _truth(question, inputs)
        if answer is None or truth is None or not _apart(question, inputs, answer, truth, OTHER):
            continue
        own = _value(closed, inputs) if closed else None
        if own is None or not _apart(question, inputs, own, truth, OTHER):
            return Elsewhere(_where(scale), False)
        if _branches(question, inputs):
            return Elsewhere(_where(scale), True)
        if relative_error(answer, own) > PIECE and _is_steady(found, inputs, answer):  # f itself has no digits there
            return Elsewhere(_where(scale), False)
    for number, scale in enumerate(scales(closed.code)) if closed else ():
        for sign in (1, -1):
            inputs = _scaled(question, assume, number, sign * scale, alone=sign == -1)
            if closed and _other_piece(question, inputs, found, closed):
                return Elsewhere(_where(scale), False)
    return None


def scales(code: str) -> tuple[float, ...]:
    """Sizes of arguments on both sides of the bounds in a code, as its numbers tell them.

    >>> scales("2 * x")
    (0.0001, 1e-06)
    >>> [s for s in scales("(x + 250 > 0) * x") if s not in DECADES]
    [750.0, 27.386127875258307, 83.33333333333333]
    """
    found = {_number(node) for node in ast.walk(ast.parse(code, mode="eval"))}
    least, most = NUMBERS
    unusual = sorted((c for c in found if least < c < most and not USUAL[0] <= c <= USUAL[1]), key=_size, reverse=True)
    if not unusual:
        return TINY
    near = [s for c in unusual[:MOST_NUMBERS] for s in (3 * c, math.sqrt(3 * c), c / 3)]
    return tuple(s for s in dict.fromkeys([*near, *DECADES]) if not USUAL[0] <= s <= USUAL[1])


def _number(node: ast.AST) -> float:
    """The size of a number in a code, 0 for anything else."""
    return abs(float(node.value)) if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else 0.0


def _size(number: float) -> float:
    """How far a number is from 1, by its order of magnitude."""
    return abs(math.log(number))


def _where(scale: float) -> str:
    return "large" if scale > 1 else "small"


def _scaled(
    question: Question, assume: Mapping[str, str], number: int, scale: float, alone: bool = False
) -> dict[str, Tensor]:
    """A draw with all arguments times scale, or the variable alone, as far as their properties allow."""
    inputs = inputs_at(question.shapes, sizes_for(question.shapes, number), assume, 53 + number)
    own = question.variable.split(", ") if alone else list(inputs)
    for name in own:
        if inputs[name].is_floating_point() and assume.get(name, "positive") in SCALABLE:
            inputs[name] = inputs[name] * (abs(scale) if name in assume else scale)
    return inputs


def _other_piece(question: Question, inputs: Mapping[str, Tensor], found: Evaluate, closed: Closed) -> bool:
    """Whether the answer differs from a code that is right at these inputs, and both have digits there."""
    own, answer = _value(closed, inputs), _value(found, inputs)
    if own is None or answer is None or relative_error(answer, own) <= PIECE:
        return False
    truth = _truth(question, inputs)
    if truth is None or relative_error(own, truth) > HELD or not _apart(question, inputs, answer, truth, PIECE):
        return False
    return _is_steady(found, inputs, answer)


def _is_steady(found: Evaluate, inputs: Mapping[str, Tensor], answer: Tensor) -> bool:
    """Whether an answer has digits at these inputs: the last ones of the inputs don't change it."""
    beside = _value(found, {n: t * (1 + 1e-12) if t.is_floating_point() else t for n, t in inputs.items()})
    return beside is not None and relative_error(beside, answer) <= STEADY


def _branches(question: Question, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f's control flow depends on values, so that it may be another function at others."""
    return any(cut.kind == "number" for cut in cuts(question.subject, inputs, list(question.shapes.of)))


def _value(found: Evaluate, inputs: Mapping[str, Tensor]) -> Tensor | None:
    """The value at these inputs; None where there is none, or no finite one."""
    try:
        with float64():
            value = found(copies(inputs))
    except Exception:
        return None
    return value if bool(torch.isfinite(value).all()) else None


def _truth(question: Question, inputs: Mapping[str, Tensor]) -> Tensor | None:
    """Autograd's derivative; None where f has none, or one without digits."""
    try:
        return None if singular(question.subject, inputs) else question.truth(inputs)
    except Exception:
        return None


def _apart(question: Question, inputs: Mapping[str, Tensor], value: Tensor, truth: Tensor, tolerance: float) -> bool:
    """Whether a value is not the derivative, by more than the tolerance and than what rounding leaves of f."""
    natural = call(question.subject, copies(inputs)).abs().max() / point(inputs, question.variable).abs().max()
    least = max(float(truth.abs().max()), LEAST * float(natural))
    difference = float((value - truth).abs().max())
    return math.isfinite(difference) and difference > tolerance * least
