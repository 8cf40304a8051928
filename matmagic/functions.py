"""Functions applied entry by entry: one row each, with its derivative and how it is written.

A slope is the derivative by one argument, as an expression of the arguments.  At points where there is none (relu and
abs at 0) it is what torch takes.  Source: the standard table of derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .expr import Node, add, elementwise, multiply, number, power, scale, zero

Slope = Callable[..., Node]


@dataclass(frozen=True)
class Function:
    """An entrywise function: its torch code, how it is written, and its derivative by each argument."""

    torch: str
    latex: str
    text: str
    slopes: tuple[Slope, ...]


def _plus_one(x: Node, coefficient: float = 1) -> Node:
    """1 + c·x"""
    return add([(1, number(1, x.shape)), (coefficient, x)], x.shape)


def _of(name: str) -> Slope:
    """The slope that is itself a function of the table."""
    return lambda x: elementwise(name, x)


def _sigmoid_slope(x: Node) -> Node:
    s = elementwise("sigmoid", x)
    return multiply(s, _plus_one(s, -1))


def _erf_slope(x: Node) -> Node:
    return scale(2 / math.sqrt(math.pi), elementwise("exp", scale(-1, power(x, 2))))


FUNCTIONS: dict[str, Function] = {
    "exp": Function("torch.exp", r"\exp", "exp", (_of("exp"),)),
    "expm1": Function("torch.expm1", r"\operatorname{expm1}", "expm1", (_of("exp"),)),
    "log": Function("torch.log", r"\log", "log", (lambda x: power(x, -1),)),
    "log1p": Function("torch.log1p", r"\operatorname{log1p}", "log1p", (lambda x: power(_plus_one(x), -1),)),
    "sin": Function("torch.sin", r"\sin", "sin", (_of("cos"),)),
    "cos": Function("torch.cos", r"\cos", "cos", (lambda x: scale(-1, elementwise("sin", x)),)),
    "tan": Function("torch.tan", r"\tan", "tan", (lambda x: _plus_one(power(elementwise("tan", x), 2)),)),
    "sinh": Function("torch.sinh", r"\sinh", "sinh", (_of("cosh"),)),
    "cosh": Function("torch.cosh", r"\cosh", "cosh", (_of("sinh"),)),
    "tanh": Function("torch.tanh", r"\tanh", "tanh", (lambda x: _plus_one(power(elementwise("tanh", x), 2), -1),)),
    "asin": Function(
        "torch.asin", r"\arcsin", "arcsin", (lambda x: power(_plus_one(power(x, 2), -1), Fraction(-1, 2)),)
    ),
    "acos": Function(
        "torch.acos", r"\arccos", "arccos", (lambda x: scale(-1, power(_plus_one(power(x, 2), -1), Fraction(-1, 2))),)
    ),
    "atan": Function("torch.atan", r"\arctan", "arctan", (lambda x: power(_plus_one(power(x, 2)), -1),)),
    "sigmoid": Function("torch.sigmoid", r"\sigma", "σ", (_sigmoid_slope,)),
    "softplus": Function("F.softplus", r"\operatorname{softplus}", "softplus", (_of("sigmoid"),)),
    "relu": Function("torch.relu", r"\operatorname{relu}", "relu", (_of("step"),)),
    "step": Function("torch.relu(torch.sign({}))", r"\operatorname{step}", "step", (lambda x: zero(x.shape),)),
    "abs": Function("torch.abs", r"\operatorname{abs}", "abs", (_of("sign"),)),
    "sign": Function("torch.sign", r"\operatorname{sign}", "sign", (lambda x: zero(x.shape),)),
    "erf": Function("torch.erf", r"\operatorname{erf}", "erf", (_erf_slope,)),
}


def code_of(name: str, arguments: list[str]) -> str:
    """The call as torch code."""
    template = FUNCTIONS[name].torch
    inside = ", ".join(arguments)
    return template.format(inside) if "{}" in template else f"{template}({inside})"
