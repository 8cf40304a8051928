"""Rows for functions applied entry by entry."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..expr import elementwise, scale
from .table import (
    NotTraced,
    Row,
    Sizes,
    Traced,
    row,
)


def _unary(name: str) -> Row:
    return lambda _, a: Traced(elementwise(name, a.node), a.axes)


UNARY: dict[str, tuple[Any, ...]] = {
    "exp": (torch.exp, Tensor.exp),
    "expm1": (torch.expm1, Tensor.expm1, torch.special.expm1),
    "log": (torch.log, Tensor.log),
    "log1p": (torch.log1p, Tensor.log1p, torch.special.log1p),
    "sin": (torch.sin, Tensor.sin),
    "cos": (torch.cos, Tensor.cos),
    "tan": (torch.tan, Tensor.tan),
    "sinh": (torch.sinh, Tensor.sinh),
    "cosh": (torch.cosh, Tensor.cosh),
    "tanh": (torch.tanh, Tensor.tanh, F.tanh),
    "asin": (torch.asin, Tensor.asin, torch.arcsin, Tensor.arcsin),
    "acos": (torch.acos, Tensor.acos, torch.arccos, Tensor.arccos),
    "atan": (torch.atan, Tensor.atan, torch.arctan, Tensor.arctan),
    "sigmoid": (torch.sigmoid, Tensor.sigmoid, torch.special.expit, F.sigmoid),
    "softplus": (F.softplus,),
    "abs": (torch.abs, Tensor.abs, Tensor.__abs__, torch.absolute, Tensor.absolute),
    "sign": (torch.sign, Tensor.sign, torch.sgn, Tensor.sgn),
    "erf": (torch.erf, Tensor.erf, torch.special.erf),
}
for _name, _functions in UNARY.items():
    row(*_functions)(_unary(_name))


@row(torch.relu, Tensor.relu, F.relu)
def _relu(_: Sizes, a: Traced, inplace: bool = False) -> Traced:
    if inplace:
        raise NotTraced("F.relu in place is not traced yet")
    return Traced(elementwise("relu", a.node), a.axes)


@row(F.logsigmoid)
def _logsigmoid(_: Sizes, a: Traced) -> Traced:
    negated = elementwise("softplus", scale(-1, a.node))
    return Traced(scale(-1, negated), a.axes)
