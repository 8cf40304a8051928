"""The value of an expression: index notation -> torch tensor.

Independent of how an expression is written or printed, so it serves as an oracle for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .calling import float64
from .expr import (
    Basis,
    Call,
    Delta,
    Elementwise,
    Leaf,
    Node,
    OneHot,
    Power,
    Product,
    Range,
    Selection,
    SizeOf,
    Sum,
    Triangle,
)
from .functions import code_of
from .lengths import length
from .matrix_functions import FUNCTIONS_OF_MATRICES
from .walk import ordered


def evaluate(
    node: Node, leaves: Mapping[str, Tensor], sizes: Mapping[str, int], known: dict[Node, Tensor] | None = None
) -> Tensor:
    """The tensor that the node stands for, one axis for each of the node's.

    `leaves` have the axes of their nodes (a column is a vector); `known` holds and collects values of shared nodes.
    """
    known = {} if known is None else known
    if node not in known:
        for part in ordered(node):
            if part not in known:
                known[part] = _value(part, leaves, sizes, known)
    return known[node]


def _value(node: Node, leaves: Mapping[str, Tensor], sizes: Mapping[str, int], known: Mapping[Node, Tensor]) -> Tensor:
    shape = [length(s, sizes) for s in node.shape]
    match node:
        case Leaf(name=name):
            return leaves[name]
        case SizeOf(letter=letter):
            return torch.tensor(float(sizes[letter]), dtype=torch.float64)
        case Basis(position=k):
            return torch.eye(shape[0], dtype=torch.float64)[length(k, sizes)]
        case Delta():
            return torch.eye(shape[0], dtype=torch.float64)
        case Selection(start=start, step=step):
            chosen = length(start, sizes) + step * torch.arange(shape[0])
            return torch.eye(shape[1], dtype=torch.float64)[chosen]
        case Triangle(offset=offset):
            return torch.triu(torch.ones(shape, dtype=torch.float64), offset)
        case Range():
            return torch.arange(shape[0], dtype=torch.float64)
        case OneHot(labels=labels):
            return torch.eye(shape[-1], dtype=torch.float64)[known[labels].long()]
        case Sum(terms=terms):
            total = torch.zeros(shape, dtype=torch.float64)
            for coefficient, term in terms:
                total = total + float(coefficient) * known[term]
            return total
        case Power(base=base, exponent=p):
            return known[base] ** float(p)
        case Elementwise(function=function, args=args):
            return _applied(lambda names: code_of(function, names), [known[a] for a in args])
        case Call(function=function, args=args):
            template = FUNCTIONS_OF_MATRICES[function].torch
            with float64():
                return _applied(lambda names: template.format(*names), [known[a] for a in args])
        case Product():
            return _product(node, shape, sizes, known)
    raise TypeError(f"no value for {type(node).__name__}")


def _applied(code: Callable[[list[str]], str], arguments: Sequence[Tensor]) -> Tensor:
    """The function's own torch code, run on the values."""
    names = [f"_{k}" for k in range(len(arguments))]
    value: Tensor = eval(code(names), {"torch": torch, "F": F}, dict(zip(names, arguments, strict=True)))
    return value


def _product(node: Product, shape: list[int], sizes: Mapping[str, int], known: Mapping[Node, Tensor]) -> Tensor:
    present = {label for _, labels in node.factors for label in labels}
    kept = [label for label in range(len(shape)) if label in present]
    operands: list[object] = []
    for factor, labels in node.factors:
        operands += [known[factor], list(labels)]
    value = torch.einsum(*operands, kept) if operands else torch.ones((), dtype=torch.float64)
    for label in range(len(shape)):
        if label not in present:
            value = value.unsqueeze(label)
    return value.expand(shape)
