"""The corpus: its cases, fresh inputs for them, autograd's derivative in the corpus layout, and a case put to matmagic.

Inputs and derivatives are this module's own: nothing of matmagic has a part in what an answer is compared with.
A case says its `cell`, `shapes` ("n,1" a column, "n" 1-D, "" a scalar, numbers fixed sizes), `wrt`, `order`,
`expected`, and, where they matter, `fn` (the function's name), `assume` (a property by argument) and `need` (conditions
on sizes).
"""

from __future__ import annotations

import ast
import itertools
import random
import re
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from matmagic import capture
from matmagic.options import Options
from matmagic.report import Report, check

Case = Mapping[str, Any]
Inputs = dict[str, Tensor]
Size = tuple[int, ...]

DRAWS = 5
SIZES = range(2, 8)  # none is 1, and different letters get different ones: a transposed answer can't pass
TOLERANCE = 1e-8  # relative to the largest entry
ROUNDING = 1e-13  # relative to |f| / |x|: what is left of a derivative that vanishes


def load(file: str, kind: str) -> list[dict[str, Any]]:
    """The entries of this kind ("case", "claim", "cell") in a file of the corpus."""
    found: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / file).read_text())[kind]
    return found


# ---- put to matmagic ----------------------------------------------------------------------------------------------


def asked(case: Case, *claims: str) -> tuple[Report, float]:
    """The Report on a case, with the grades of these claims; and how many seconds check() took."""
    names: dict[str, Any] = {"torch": torch, "F": F}
    cell = capture.parse(case["cell"])
    subject = capture.subject(cell, names, case.get("fn"), capture.run(cell, names))
    options = Options(
        wrt=(case["wrt"],),
        shapes={name: shape or "()" for name, shape in case["shapes"].items()},
        assume=case.get("assume", {}),
        sizes=tuple(case.get("need", ())),
        order=case["order"],
        claims=claims,
    )
    start = time.perf_counter()
    report = check(subject, options)
    return report, time.perf_counter() - start


# ---- inputs -------------------------------------------------------------------------------------------------------


@contextmanager
def float64() -> Iterator[None]:
    """Make float64 the default dtype for a while."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def draws(case: Case) -> Iterator[Inputs]:
    """Random float64 inputs at several sizes, with the properties that the case assumes; the same in every run."""
    shapes = {name: [size for size in text.split(",") if size] for name, text in case["shapes"].items()}
    letters = list(dict.fromkeys(size for shape in shapes.values() for size in shape if not size.isdecimal()))
    choices = [dict(zip(letters, sizes, strict=True)) for sizes in itertools.permutations(SIZES, len(letters))]
    choices = [sizes for sizes in choices if all(eval(condition, {}, sizes) for condition in case.get("need", ()))]
    random.Random(case["id"]).shuffle(choices)
    generator = torch.Generator().manual_seed(random.Random(case["id"]).getrandbits(32))
    for sizes in itertools.islice(itertools.cycle(choices), DRAWS):
        yield {
            name: drawn(case.get("assume", {}).get(name, ""), tuple(_size(s, sizes) for s in shape), sizes, generator)
            for name, shape in shapes.items()
        }


def _size(text: str, sizes: Mapping[str, int]) -> int:
    return int(text) if text.isdecimal() else sizes[text]


def drawn(prop: str, shape: Size, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    """A tensor with this property ("" for none), standard normal where that leaves it free."""
    if prop.startswith("index<"):
        return torch.randint(_size(prop.removeprefix("index<"), sizes), shape, generator=generator)
    with float64():
        return SAMPLERS[prop](shape, generator)


def _normal(shape: Size, g: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=g)


def _between(low: float, high: float) -> Callable[[Size, torch.Generator], Tensor]:
    return lambda shape, g: low + (high - low) * torch.rand(shape, generator=g)


def _signs(shape: Size, g: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(2, shape, generator=g) - 1


def _orthogonal(shape: Size, g: torch.Generator) -> Tensor:
    """QR of a normal matrix, its columns turned around at random: determinants of both signs."""
    q: Tensor = torch.linalg.qr(_normal(shape, g)).Q
    return q * _signs(shape[1:], g)


def _positive_definite(shape: Size, g: torch.Generator) -> Tensor:
    """B Bᵀ / n + I / 4."""
    whole = _normal(shape, g)
    whole = whole @ whole.T / shape[0] + torch.eye(shape[0]) / 4
    return (whole + whole.T) / 2


def _invertible(shape: Size, g: torch.Generator) -> Tensor:
    """Q diag(d) P with singular values in 0.5 .. 2."""
    return _orthogonal(shape, g) * _between(0.5, 2.0)(shape[:1], g) @ _orthogonal(shape, g)


def _positive_det(shape: Size, g: torch.Generator) -> Tensor:
    whole = _invertible(shape, g)
    whole[0] *= torch.sign(torch.linalg.det(whole))
    return whole


def _contraction(shape: Size, g: torch.Generator) -> Tensor:
    """Spectral norm 1/2."""
    whole = _normal(shape, g)
    norm: Tensor = torch.linalg.matrix_norm(whole, 2)
    return whole / (2 * norm)


def _one_hot(shape: Size, g: torch.Generator) -> Tensor:
    """One 1 in each row; in a vector, a column or a row, one in all."""
    width = shape[-1] if len(shape) > 1 and 1 not in shape else max(shape)
    flat = torch.zeros(torch.Size(shape).numel() // width, width)
    return flat.scatter(1, torch.randint(width, (len(flat), 1), generator=g), 1.0).reshape(shape)


def _stochastic(dim: int | None) -> Callable[[Size, torch.Generator], Tensor]:
    """Positive entries that sum to 1, along an axis or in all."""

    def draw(shape: Size, g: torch.Generator) -> Tensor:
        weights = _between(0.2, 1.0)(shape, g)
        return weights / weights.sum(dim, keepdim=True)

    return draw


SAMPLERS: Mapping[str, Callable[[Size, torch.Generator], Tensor]] = {
    "": _normal,
    "symmetric": lambda shape, g: (whole := _normal(shape, g)) + whole.T,
    "skew": lambda shape, g: (whole := _normal(shape, g)) - whole.T,
    "positive-definite": _positive_definite,
    "orthogonal": _orthogonal,
    "orthonormal-columns": _orthogonal,
    "diagonal": lambda shape, g: torch.diag(_normal(shape[:1], g)),
    "lower-triangular": lambda shape, g: torch.tril(_normal(shape, g)) + 2 * torch.eye(shape[0]),
    "invertible": _invertible,
    "positive-det": _positive_det,
    "contraction": _contraction,
    "unit": lambda shape, g: F.normalize(_normal(shape, g).reshape(-1), dim=0).reshape(shape),
    "positive": _between(0.3, 2.0),
    "negative": _between(-2.0, -0.3),
    "unit-interval": _between(0.1, 0.9),
    "simplex": _stochastic(None),
    "row-stochastic": _stochastic(-1),
    "one-hot": _one_hot,
    "binary": lambda shape, g: (_signs(shape, g) + 1) / 2,
    "signs": _signs,
    "counts": lambda shape, g: torch.randint(0 if shape else 1, 6, shape, generator=g).double(),
}


# ---- what is right ------------------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """Inputs, autograd's derivative there in the corpus layout, and the size |f| / |x| of what may cancel in it."""

    inputs: Inputs
    truth: Tensor
    size: float


def samples(case: Case) -> list[Sample]:
    """The derivative on every draw."""
    return [Sample(inputs, *_truth(case, inputs)) for inputs in draws(case)]


def _truth(case: Case, inputs: Inputs) -> tuple[Tensor, float]:
    """A function with one entry has a gradient of the variable's shape; otherwise the derivative is output by input,
    where a column or a row counts as a vector."""
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(case["cell"], names)
    function, variable, order = names[case.get("fn", "f")], inputs[case["wrt"]], case["order"]

    def f(value: Tensor) -> Tensor:
        found: Tensor = function(**{**_copies(inputs), case["wrt"]: value})
        return found.reshape(()) if order == 2 else found

    with float64():
        value = f(variable.clone())
        differentiate = torch.autograd.functional.hessian if order == 2 else torch.autograd.functional.jacobian
        found = differentiate(f, variable.clone())
    before = _entries(variable) if order == 2 else _entries(value)
    gradient = order == 1 and value.numel() == 1
    size = float(value.abs().max() / variable.abs().max() ** order)
    return found.reshape(variable.shape if gradient else before + _entries(variable)), size


def _entries(tensor: Tensor) -> Size:
    """The shape, a column or a row as a vector."""
    shape = tuple(tensor.shape)
    return tuple(size for size in shape if size != 1) if len(shape) == 2 else shape


def _copies(inputs: Inputs) -> Inputs:
    return {name: value.clone() for name, value in inputs.items()}


def wrong(code: str, known: Iterable[Sample]) -> str:
    """Where and how this code differs from the derivative; nothing where it is right everywhere."""
    for sample in known:
        try:
            with float64():
                found = eval(code, {"torch": torch, "F": F}, _copies(sample.inputs))
            problem = _difference(found, sample)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            return f"{problem} at {', '.join(f'{name}: {list(value.shape)}' for name, value in sample.inputs.items())}"
    return ""


def _difference(found: Any, sample: Sample) -> str:
    """In what a value differs from the derivative: type, shape or numbers."""
    true = sample.truth
    if not isinstance(found, Tensor) or found.dtype != torch.float64:
        return f"{getattr(found, 'dtype', type(found).__name__)} in place of a float64 tensor"
    if found.shape != true.shape:
        return f"shape {list(found.shape)} in place of {list(true.shape)}"
    error, largest = float((found - true).abs().max()), float(true.abs().max())
    agree = error <= max(TOLERANCE * largest, ROUNDING * sample.size)  # never so for NaN
    return "" if agree else f"error {error:.1e}, largest entry {largest:.1e}"


def no_formula(code: str, arguments: Iterable[str]) -> str:
    """What the code uses that a formula may not: autograd, a lambda, a name beside the arguments, torch and F."""
    if found := re.search(r"\blambda\b|autograd|torch\.func\b", code):
        return f"uses {found[0]}"
    names = {node.id for node in ast.walk(ast.parse(code, mode="eval")) if isinstance(node, ast.Name)}
    others = sorted(names - {*arguments, "torch", "F"})
    return f"uses {', '.join(others)}" if others else ""
