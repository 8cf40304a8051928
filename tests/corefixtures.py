"""A function in a line, traced at two sets of sizes, and what autograd says about it.

Shapes are written as in the identities: "x: n 1, A: m n, t:" is a column, a matrix and a scalar.
Nothing here uses capture, shapes or verify, so that the core is tested alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from matmagic.calling import float64
from matmagic.canonical import key
from matmagic.derivative import Formula, derived, formulas
from matmagic.derivative import statement as statement_of
from matmagic.differentiate import differentiate
from matmagic.evaluate import evaluate
from matmagic.expr import Node, permute
from matmagic.identified import Match, Writer, matched
from matmagic.notation import Math
from matmagic.sizes import followed
from matmagic.trace import Trace, trace

LETTERS = ("n", "m", "k", "p", "q")
TRACED_AT = ((4, 7, 5, 9, 6), (9, 6, 8, 5, 7))  # distinct, and none of them a number that test functions use
FRESH = (5, 8, 7, 6, 11)

Shape = tuple[str | int, ...]


def shapes_of(text: str) -> dict[str, Shape]:
    """ "x: n 1, t:" -> {"x": ("n", 1), "t": ()}"""
    found: dict[str, Shape] = {}
    for part in filter(str.strip, text.split(",")):
        name, _, sizes = part.partition(":")
        found[name.strip()] = tuple(int(s) if s.isdigit() else s for s in sizes.split())
    return found


@dataclass(frozen=True)
class Written:
    """A function to trace: a text (an expression, or lines that end in `return`), or a Python function."""

    body: str | Callable[..., Any]
    shapes: Mapping[str, Shape]
    reads: Mapping[str, Tensor] = field(default_factory=dict)
    name: str = "f"

    @property
    def returned_grads(self) -> tuple[str, ...]:
        """Arguments whose gradient is returned as it is."""
        returned = re.search(r"return (?:(\w+)\.grad|torch\.autograd\.grad\(\w+, (\w+)\)\[0\])$", str(self.body))
        return tuple(filter(None, returned.groups())) if returned else ()

    @property
    def function(self) -> Callable[..., Any]:
        if not isinstance(self.body, str):
            return self.body
        lines = self.body.strip("\n").splitlines()
        if not re.search(r"^\s*return\b", self.body, re.MULTILINE):
            lines[-1] = f"return {lines[-1]}"
        source = f"def f({', '.join(self.shapes)}):\n" + "\n".join("    " + line for line in lines)
        names: dict[str, Any] = {"torch": torch, "F": F, "math": math, **self.reads}
        exec(compile(source, f"<cell of {id(self)}>", "exec"), names)
        made: Callable[..., Any] = names["f"]
        return made

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(inputs[name] for name in self.shapes), {}

    def letters(self) -> list[str]:
        used = {s for shape in self.shapes.values() for s in shape if isinstance(s, str)}
        return [letter for letter in LETTERS if letter in used]

    def sizes(self, numbers: Sequence[int] = FRESH) -> dict[str, int]:
        return {letter: number for letter, number in zip(LETTERS, numbers, strict=True) if letter in self.letters()}

    def inputs(self, sizes: Mapping[str, int], seed: int = 0, positive: bool = False) -> dict[str, Tensor]:
        """Random tensors of these sizes; the entries of positive ones are between 1/2 and 3/2."""
        generator = torch.Generator().manual_seed(seed)
        made = {}
        for name, shape in self.shapes.items():
            numbers = [s if isinstance(s, int) else sizes[s] for s in shape]
            if positive:
                made[name] = torch.rand(numbers, generator=generator, dtype=torch.float64) + 0.5
            else:
                made[name] = torch.randn(numbers, generator=generator, dtype=torch.float64)
        return made

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Its value, in float64; the function may change its arguments."""
        with float64():
            value: Tensor = self.function(*(inputs[name].clone() for name in self.shapes))
        return value


def written(body: str | Callable[..., Any], shapes: str, **reads: Tensor) -> Written:
    """The function with this body and these shapes of its arguments."""
    return Written(body, shapes_of(shapes), reads)


def traced(
    body: str | Callable[..., Any] | Written, shapes: str = "", positive: bool = False, **reads: Tensor
) -> Trace:
    """The trace for all sizes, from runs at two sets of sizes."""
    own = body if isinstance(body, Written) else written(body, shapes, **reads)
    sizes = [own.sizes(numbers) for numbers in TRACED_AT]
    samples = [(own.inputs(one, seed, positive), one) for seed, one in enumerate(sizes, start=3)]
    return followed(own, own.shapes, samples) if own.letters() else trace(own, own.shapes, *samples[0])


def node_of(body: str | Callable[..., Any], shapes: str) -> Node:
    """The function in index notation, its axes in the order of the result's."""
    found = traced(body, shapes)
    return permute(found.node, [axis for group in found.axes for axis in group])


def value_of(node: Node, found: Trace, inputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> Tensor:
    """An expression at these inputs, axes of size 1 left out."""
    return evaluate(node, {name: leaf_value(inputs[name]) for name in found.inputs}, sizes)


def laid_out(value: Tensor, found: Trace) -> Tensor:
    """A node's value with the axes that the function's result has."""
    order = [axis for group in found.axes for axis in group]
    lengths = [math.prod(value.shape[axis] for axis in group) for group in found.axes]
    return value.permute(order).reshape(lengths)


def squeezed(tensor: Tensor) -> Tensor:
    """The tensor without its axes of size 1."""
    return tensor.reshape([s for s in tensor.shape if s != 1])


# ---- autograd -----------------------------------------------------------------------------------------------------


def truth(own: Written, inputs: Mapping[str, Tensor], variable: str, order: int = 1) -> Tensor:
    """Autograd's derivative: in the variable's shape, or, for several entries, out shape, then in shape, columns as vectors."""
    names = list(own.shapes)
    at = names.index(variable)
    function = own.function

    def of(value: Tensor) -> Tensor:
        arguments = [inputs[name].clone() for name in names]
        arguments[at] = value.clone()
        result: Tensor = function(*arguments)
        return result

    with float64():
        if order == 2:
            found = torch.autograd.functional.hessian(lambda v: of(v).squeeze(), inputs[variable])
            return squeezed(found)
        found = torch.autograd.functional.jacobian(of, inputs[variable])
        scalar = of(inputs[variable]).numel() == 1
    return found.reshape(inputs[variable].shape) if scalar else squeezed(found)


def difference(found: Tensor, right: Tensor) -> float:
    """The largest error of an entry beside the largest entry; infinite where the shapes differ."""
    if found.shape != right.shape or not bool(torch.isfinite(found).all()):
        return math.inf
    return float((found - right).abs().max() / (1 + right.abs().max())) if right.numel() else 0.0


# ---- the derivative and its forms ---------------------------------------------------------------------------------


def leaf_value(tensor: Tensor) -> Tensor:
    """The tensor with the axes of its leaf: those of size 1 left out."""
    return tensor.detach().reshape([s for s in tensor.shape if s != 1])


def formula_of(
    own: Written, found: Trace, variable: str, order: int = 1, symmetric: Sequence[str] = ()
) -> Formula | None:
    """The derivative's notation and code, as the report makes them."""
    node = derived(found, variable, order, symmetric)
    return next(formulas(node, found, own.shapes, (variable,), order), None)


def derivative_value(own: Written, found: Trace, variable: str, order: int = 1) -> Tensor:
    """The derivative's expression (not its code) at fresh sizes, axes of size 1 left out."""
    node = found.node
    for _ in range(order):
        node = differentiate(node, found.inputs[variable][0])
    sizes = own.sizes()
    return value_of(node, found, own.inputs(sizes, 11), sizes)


def writer(own: Written, found: Trace) -> Writer:
    """Torch code for notation in the function's own names."""
    return Writer({name: own_axes for name, (_, own_axes) in found.inputs.items()}, own.shapes)


def match_of(own: Written, found: Trace, variable: str, symmetric: Sequence[str] = ()) -> Match | None:
    """The identity that the function is, as the report finds it."""
    return matched(found, variable, writer(own, found), symmetric)


def run_code(code: str, inputs: Mapping[str, Tensor]) -> Tensor:
    """The value of torch code over the arguments."""
    with float64():
        value = eval(code, {"torch": torch, "F": F}, dict(inputs))
    return value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)


def same(body: str, other: str, shapes: str) -> bool:
    """Whether two functions have one key."""
    return key(node_of(body, shapes)) == key(node_of(other, shapes))


def statement(own: Written, found: Trace) -> Math | None:
    """The function itself in notation, as the report shows it."""
    return statement_of(found)
