"""Under which property of which argument an answer is right that is wrong in general.

In: the question, and the answer as a function of the inputs.  Out: a name and a property, or an order of two
sizes, or None. The argument is drawn with each property, the weaker ones first, and the answer compared on
every draw.  A property that makes the derivative vanish, or the function undefined, would answer an empty
question and doesn't count.
Not known here: conditions on two arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import torch
from torch import Tensor

from .autograd import copies
from .calling import call
from .drawing import inputs_at
from .lengths import said
from .reasons import Question, right
from .regularity import Evaluate, singular
from .sampling import holds, words
from .shapes import Shape, sizes_for

MATRIX = (
    "symmetric",
    "skew",
    "positive-det",
    "orthogonal",
    "lower-triangular",
    "positive-definite",
    "diagonal",
)
ENTRIES = ("positive", "negative", "unit-interval")
DISCRETE = frozenset(["one-hot", "binary", "signs"])
PROPERTIES: Mapping[str, tuple[str, ...]] = {  # the weaker before the stronger
    "square": (*MATRIX, *ENTRIES, "row-stochastic", "binary", "signs"),
    "matrix": ("orthonormal-columns", *ENTRIES, "row-stochastic", "binary", "one-hot", "signs"),
    "vector": ("unit", *ENTRIES, "simplex", "binary", "one-hot", "signs"),
    "scalar": (*ENTRIES, "binary", "signs"),
}
CONDITIONS = frozenset(prop for props in PROPERTIES.values() for prop in props)
CONDITION_DRAWS = 12
UNSPREAD = 8  # of them with values of ordinary size
LEAST = 4  # of them at which there is something to compare
SCALABLE = words("symmetric skew positive-definite positive-quadratic-form positive-det diagonal positive negative")
WORDS = {
    "unit": "a unit vector",
    "skew": "skew-symmetric",
    "simplex": "on the simplex",
    "binary": "made of zeros and ones",
    "signs": "made of signs",
    "unit-interval": "in the unit interval",
    "positive-det": "of positive determinant",
}


def condition_for(question: Question, assume: Mapping[str, str], seed: int, found: Evaluate) -> tuple[str, str] | None:
    """One argument and one property under which the answer is right on every draw, the weakest first."""
    for name, shape in question.shapes.of.items():
        for prop in PROPERTIES[_kind(shape)]:
            senseless = name == question.variable and prop in DISCRETE
            if prop != assume.get(name) and not senseless and _right_under(question, assume, seed, found, name, prop):
                return name, prop
    return None


def size_order_for(question: Question, assume: Mapping[str, str], seed: int, found: Evaluate) -> str | None:
    """The order of a matrix argument's two sizes under which the answer is right: m > n for (Aᵀ A)⁻¹."""
    shapes = question.shapes
    pairs = {tuple(t for t in shape if isinstance(t, str)) for shape in shapes.of.values() if len(shape) == 2}
    for rows, columns in (order for pair in sorted(pairs) for order in permutations(pair, 2) if len(set(pair)) == 2):
        ordered = replace(shapes, conditions=(*shapes.conditions, f"{rows}>{columns}"))
        if _right_at(replace(question, shapes=ordered), assume, seed, found):
            return f"{said(rows)} > {said(columns)}"
    return None


def _right_at(question: Question, assume: Mapping[str, str], seed: int, found: Evaluate) -> bool:
    """Whether the answer is right on every draw of these shapes."""
    for draw in range(CONDITION_DRAWS):
        try:
            inputs = inputs_at(question.shapes, sizes_for(question.shapes, draw), assume, seed + 977 * draw + 13)
            if not right(found(inputs), question.truth(inputs)):
                return False
        except Exception:
            return False
    return True


def _kind(shape: Shape) -> str:
    """square, matrix, vector or scalar, by the axes that are not 1."""
    axes = [t for t in shape if t != 1]
    if len(axes) < 2:
        return "vector" if axes else "scalar"
    return "square" if len(axes) == 2 and axes[0] == axes[1] else "matrix"


def spelled(prop: str) -> str:
    """ "positive definite"; one-hot keeps its hyphen."""
    return prop if prop in ("one-hot", "unit-interval") else prop.replace("-", " ")


def condition_words(prop: str) -> str:
    """What stands after "is"."""
    return WORDS.get(prop, prop)


def _right_under(
    question: Question, assume: Mapping[str, str], seed: int, found: Evaluate, name: str, prop: str
) -> bool:
    """Whether the claim is right on every draw with the property, which may not make the question empty.

    The property has to keep what is assumed of the argument; draws where f is not finite, or without digits, don't count.
    """
    shapes = question.shapes
    kept = shapes.values.get(name)
    if kept is not None and not kept.is_floating_point():
        return False
    compared = vanished = 0
    for draw in range(CONDITION_DRAWS):
        try:
            inputs = inputs_at(
                shapes,
                sizes_for(shapes, draw),
                {**assume, name: prop},
                seed + 977 * draw + 13,
            )
            if name in assume and not holds(inputs[name], assume[name]):
                return False
            if name not in assume:
                inputs[name] = _spread(inputs[name], prop, draw)
            truth, answer = question.truth(inputs), found(inputs)
        except Exception:
            return False
        if not bool(torch.isfinite(truth).all()):
            continue
        if not right(answer, truth):
            return False
        if singular(question.subject, inputs):  # log(xᵀx − 1) of a unit vector, finite by rounding
            continue
        compared += 1
        vanished += _vanishes(question, inputs, truth)
    return compared >= LEAST and vanished <= compared // 2


def _spread(value: Tensor, prop: str, draw: int) -> Tensor:
    """On later draws, small and large values with the same property, between which a branch may hide."""
    if draw < UNSPREAD:
        return value
    small = draw % 2 == 0
    if prop in ("unit-interval", "simplex", "row-stochastic"):
        powered = value ** (6.0 if small else 0.2)
        total = {"simplex": powered.sum(), "row-stochastic": powered.sum(-1, keepdim=True)}.get(prop)
        return powered if total is None else powered / total
    return value * (0.03 if small else 6.0) if prop in SCALABLE else value


def _vanishes(question: Question, inputs: Mapping[str, Tensor], truth: Tensor) -> bool:
    """Whether nothing is left of the derivative beside the function's own size."""
    size = float(call(question.subject, copies(inputs)).abs().max())
    natural = size / max(float(inputs[question.variable].abs().max()), 1e-300)
    return float(truth.abs().max()) <= 1e-12 * natural
