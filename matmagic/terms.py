"""The terms of a derivative, found without a formula: one for each path from the result to the variable.

In: a Subject, inputs, a variable.  Out: tensors whose sum is the derivative.
Each node of autograd's graph is linear in the gradient it is given, so walking every path alone splits the
derivative as product and chain rule do: xᵀAx has the terms A x and Aᵀ x.
Not known here: terms that share a path, such as those of a residual A x − b.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .autograd import derivative_of, recorded, relative_error
from .capture import Subject

STEPS = 3000  # of a walk through the graph


def terms_of(subject: Subject, inputs: Mapping[str, Tensor], variable: str, order: int) -> list[Tensor] | None:
    """One term for each path from f to the variable, together the derivative; None where there are too
    many."""
    try:
        value, leaf = recorded(subject, inputs, variable)
        if order == 2:
            (value,) = torch.autograd.grad(value.reshape(()), leaf, create_graph=True)
        budget = [STEPS]
        rows = []
        for entry in value.reshape(-1):
            paths = list(_paths(entry.grad_fn, 0, torch.ones((), dtype=entry.dtype), leaf, budget))
            rows.append(torch.stack([p.reshape(-1) for p in paths]))
        stacked = torch.stack(rows, 1)
    except (RuntimeError, TypeError, ValueError, AttributeError, _TooMany):
        return None
    terms = [stacked[i] for i in range(stacked.shape[0])]
    total = torch.stack(terms).sum(0).reshape(-1)
    return terms if relative_error(total, derivative_of(subject, inputs, variable, order).reshape(-1)) <= 1e-7 else None


class _TooMany(Exception):
    """The graph has too many paths."""


def _paths(node: Any, index: int, gradient: Tensor | None, leaf: Tensor, budget: list[int]) -> Iterator[Tensor]:
    """What each path below a node of autograd's graph contributes to the gradient of the leaf."""
    budget[0] -= 1
    if budget[0] < 0:
        raise _TooMany
    if hasattr(node, "variable"):
        if node.variable is leaf:
            yield torch.zeros_like(leaf) if gradient is None else gradient.detach()
        return
    below: Any = None
    if gradient is not None:
        outputs = range(len(node._input_metadata))
        below = node(*[gradient if i == index else None for i in outputs])
    results = below if isinstance(below, tuple) else (below,) * (len(node.next_functions) if below is None else 1)
    for (following, position), result in zip(node.next_functions, results, strict=True):
        if following is not None:
            yield from _paths(following, position, result, leaf, budget)
