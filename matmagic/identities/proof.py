"""A row checked from the row alone: its derivative against autograd's, at several sizes, with what it assumes.

In: a row.  Out: what is wrong with it, in a sentence, or None.  Conditions in the vocabulary of sampling.py ("A
symmetric", "A, B positive-definite") and on sizes ("m >= n") are honoured by the draws; others ("x nonzero") hold for
almost every draw.  A simpler form has to hold under its condition, and to fail without it, or nobody would need it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ..calling import float64
from ..sampling import SAMPLERS, sample
from . import Identity
from .reading import as_column

SIZES = ((5, 8, 7, 6, 4), (4, 3, 5, 7, 6), (3, 9, 4, 5, 8), (7, 4, 3, 5, 6))  # distinct, so that a transpose shows
DRAWS = 4
TOLERANCE = 1e-8
_STRONGER = {"positive-det": "positive-definite", "positive-definite": "positive-definite", "invertible": "symmetric"}
_FREE = {
    "symmetric": lambda p: torch.tril(p) + torch.tril(p, -1).mT,
    "diagonal": lambda p: torch.diag(torch.diagonal(p)),
    "lower-triangular": torch.tril,
}  # a matrix of each kind, by its free entries


def fault(row: Identity) -> str | None:
    """What is wrong with a row; None where it holds.  Each of its numbers, functions and spellings is tried."""
    for instance in row.instances:
        for said in _faults(instance):
            return f"{row.name}: {said}"
    return None


def _faults(row: Identity) -> Iterator[str]:
    if not error(row, row.gradient) < TOLERANCE:
        yield f"the derivative of {row.function} by {row.wrt} is not {row.gradient}"
    for condition, code in row.simpler.items():
        if not error(row, code, condition) < TOLERANCE:
            yield f"under {condition}, the derivative of {row.function} by {row.wrt} is not {code}"
        elif error(row, code) < TOLERANCE:
            yield f"{code} needs no {condition}"
    for kind, code in row.structured.items():
        if not structured_error(row, kind, code) < TOLERANCE:
            yield f"for {kind} {row.wrt}, the derivative of {row.function} is not {code}"


def error(row: Identity, code: str, condition: str = "") -> float:
    """How far the code is from autograd's derivative beside its largest entry, at the worst of several sizes."""
    worst, drawn = 0.0, 0
    for seed, sizes in enumerate(sizes_of(row, condition)):
        with float64():
            inputs = draw(row, sizes, seed, condition)
            if not bool(row.callable(row.function)(**inputs).isfinite().all()):
                continue
            right = truth(row, inputs)
            try:
                worst = max(worst, difference(computed(row, code, inputs), right))
            except RuntimeError:  # shapes that clash
                return math.inf
        drawn += 1
        if drawn == DRAWS:
            return worst
    return math.inf


def difference(found: Tensor, right: Tensor) -> float:
    """The largest error of an entry beside the largest entry; infinite for another shape or where there is no number.

    Axes of size 1 don't count, and one axis may stand for several.
    """
    found, right = found.squeeze(), right.squeeze()
    whole = found.numel() == right.numel() and (found.shape == right.shape or found.dim() != right.dim())
    if not whole or not bool(found.isfinite().all()):
        return math.inf
    return float((found.reshape(right.shape) - right).abs().max() / (1e-3 + right.abs().max()))


def computed(row: Identity, code: str, inputs: Mapping[str, Tensor]) -> Tensor:
    """The code's value."""
    value = row.callable(code)(*inputs.values())
    return torch.as_tensor(value, dtype=torch.float64).detach()


def truth(row: Identity, inputs: Mapping[str, Tensor]) -> Tensor:
    """Autograd's derivative of the row's order."""
    function = row.callable(row.function)

    def of(value: Tensor) -> Tensor:
        result: Tensor = function(**{**inputs, row.wrt: value})
        return result

    if row.order == 2:
        whole = torch.autograd.functional.hessian(lambda v: of(v).sum(), inputs[row.wrt])
    else:
        whole = torch.autograd.functional.jacobian(of, inputs[row.wrt])
    return torch.as_tensor(whole).squeeze()


def structured_error(row: Identity, kind: str, code: str) -> float:
    """As error, by the free entries of a structured variable alone; entries that are tied have one derivative."""
    worst = 0.0
    for seed, sizes in zip(range(DRAWS), sizes_of(row, f"{row.wrt} square"), strict=False):
        with float64():
            inputs = draw(row, sizes, seed, f"{row.wrt} {kind}")
            made, function = _FREE[kind], row.callable(row.function)
            free = inputs[row.wrt].clone().requires_grad_()
            (slope,) = torch.autograd.grad(function(**{**inputs, row.wrt: made(free)}).sum(), free)
            worst = max(worst, difference(computed(row, code, inputs), made(slope)))
    return worst


def draw(row: Identity, sizes: Mapping[str, int], seed: int, condition: str = "") -> dict[str, Tensor]:
    """Random tensors that honour the row's conditions and one more."""
    generator = torch.Generator().manual_seed(seed + 1)
    wanted: dict[str, str] = {}
    for said in (*row.conditions, condition):
        names, _, prop = said.rpartition(" ")
        if prop in SAMPLERS:
            for name in names.split(", "):
                wanted[name] = _STRONGER.get(wanted.get(name, ""), prop) if prop == "symmetric" else prop
    shapes = {name: as_column(shape) for name, shape in row.shapes.items()}
    numbers = {name: tuple(s if isinstance(s, int) else sizes[s] for s in shape) for name, shape in shapes.items()}
    return {name: sample(shape, wanted.get(name), generator) for name, shape in numbers.items()}


def sizes_of(row: Identity, condition: str = "") -> Iterator[dict[str, int]]:
    """Sizes for the letters, those of squares alike, that keep what is said of them."""
    letters = list(dict.fromkeys(s for shape in row.shapes.values() for s in shape if isinstance(s, str)))
    asked = [said.split(" >= ") for said in row.conditions if " >= " in said]
    square = row.shapes[condition.split()[0]] if condition.endswith("square") else ()
    for numbers in 40 * (*SIZES, *(tuple(reversed(n)) for n in SIZES)):
        sizes = dict(zip(letters, numbers, strict=False))
        if square:
            sizes[str(square[0])] = sizes[str(square[1])]
        if square or _kept(asked, sizes):
            yield sizes


def _kept(asked: Sequence[Sequence[str]], sizes: Mapping[str, int]) -> bool:
    return all(sizes[larger] >= sizes[smaller] for larger, smaller in asked)
