"""The sample of functions: a case's arguments at several sizes, autograd's derivative there, and matmagic's report.

A case has the keys of the corpus: cell, fn, shapes, assume, need, wrt, order; and a subject.  There is no expected
answer: it is what autograd says, in the layout of the corpus.
"""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from matmagic import capture, report
from matmagic.options import Options
from matmagic.sampling import sample

Case = Mapping[str, Any]
Inputs = Mapping[str, Tensor]

CASES: list[Case] = tomllib.loads((Path(__file__).parent / "sample.toml").read_text(encoding="utf-8"))["case"]
BY_ID: dict[str, Case] = {case["id"]: case for case in CASES}

SIZES = ((3, 5, 4, 7, 6), (6, 4, 7, 3, 5), (5, 7, 3, 4, 8))  # of the letters in order of appearance; all different
TOLERANCE = 1e-8


@contextmanager
def float64() -> Iterator[None]:
    """float64 as default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def split(shape: str) -> list[str]:
    """The sizes in "n,1"; none in "" (a scalar)."""
    return [size.strip() for size in shape.split(",") if size.strip()]


def sizes(case: Case, draw: int) -> dict[str, int]:
    """A size for each letter, all different, honouring the case's conditions."""
    shapes = [split(shape) for shape in case["shapes"].values()]
    letters = list(dict.fromkeys(size for shape in shapes for size in shape if not size.isdigit()))
    for choice in itertools.permutations(SIZES[draw], len(letters)):
        found = dict(zip(letters, choice, strict=True))
        if all(eval(condition, {}, found) for condition in case.get("need", ())):
            return found
    raise ValueError(f"no sizes for {letters} with {case['need']}")


def inputs(case: Case, draw: int, seed: int = 0) -> dict[str, Tensor]:
    """Random arguments that have the properties assumed."""
    own, generator = sizes(case, draw), torch.Generator().manual_seed(101 * draw + seed)
    found = {}
    for name, shape in case["shapes"].items():
        kind = case.get("assume", {}).get(name)
        if kind and kind.startswith("index<"):
            bound = kind.removeprefix("index<")
            kind = f"index<{own.get(bound, bound)}"
        found[name] = sample(tuple(own.get(size) or int(size) for size in split(shape)), kind, generator)
    return found


def namespace(case: Case) -> dict[str, Any]:
    """The names of a notebook in which the cell has run."""
    names: dict[str, Any] = {"torch": torch, "F": F, "__name__": "__main__"}
    with float64():
        exec(compile(case["cell"], f"<{case['id']}>", "exec"), names)
    return names


def true_derivative(case: Case, at: Inputs) -> Tensor:
    """Autograd's derivative: in the variable's shape, or out shape + in shape, columns and rows as vectors."""
    function, wrt = namespace(case)[case.get("fn", "f")], case["wrt"]

    def of(value: Tensor) -> Tensor:
        given: Tensor = function(**{name: (value if name == wrt else t).clone() for name, t in at.items()})
        return given

    with float64():
        out = of(at[wrt])
        if case.get("order", 1) == 2:
            second = torch.autograd.functional.hessian(lambda v: of(v).reshape(()), at[wrt])
            return second.reshape(as_vector(at[wrt].shape) * 2)
        first = torch.autograd.functional.jacobian(of, at[wrt])
    if out.numel() == 1:
        return first.reshape(at[wrt].shape)
    return first.reshape(as_vector(out.shape) + as_vector(at[wrt].shape))


def as_vector(shape: Sequence[int]) -> list[int]:
    """The shape, without the axis of size 1 of a column or a row."""
    return [size for size in shape if size != 1] if len(shape) == 2 and 1 in shape else list(shape)


@cache
def report_of(id_: str) -> report.Report:
    """What matmagic says of a case, its shapes and properties given."""
    case = BY_ID[id_]
    names: dict[str, Any] = {"torch": torch, "F": F, "__name__": "__main__"}
    cell = capture.parse(case["cell"])
    with float64():
        outcome = capture.run(cell, names)
    subject = capture.subject(cell, names, case.get("fn", "f"), outcome)
    asked = Options(
        wrt=(case["wrt"],),
        shapes={name: shape or "()" for name, shape in case["shapes"].items()},
        assume=case.get("assume", {}),
        sizes=tuple(case.get("need", ())),
        order=case.get("order", 1),
    )
    return report.check(subject, asked)


def code_of(id_: str) -> str | None:
    """The derivative as torch code, where there is a closed form."""
    code: str | None = report_of(id_)[BY_ID[id_]["wrt"]].code
    return code


def value_of(code: str, case: Case, at: Inputs) -> Tensor:
    """The code's value on these arguments; tensors of the cell that the function reads keep their names."""
    with float64():
        value = eval(code, namespace(case), {name: t.clone() for name, t in at.items()})
    return value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)


def disagreement(found: Tensor, right: Tensor) -> str | None:
    """How two derivatives differ; None where they are equal."""
    if found.shape != right.shape:
        return f"shape {tuple(found.shape)} instead of {tuple(right.shape)}"
    error = float((found - right).abs().max()) if right.numel() else 0.0
    largest = float(right.abs().max()) if right.numel() else 0.0
    if math.isfinite(error) and error <= TOLERANCE * largest + 1e-12:
        return None
    return f"off by {error:.3g}, where the largest entry is {largest:.3g}"


def wrong(id_: str) -> str | None:
    """Where the code differs from autograd on fresh draws; None where it agrees, or where there is no code."""
    code, case = code_of(id_), BY_ID[id_]
    for draw in range(len(SIZES)) if code is not None else ():
        at = inputs(case, draw)
        differs = disagreement(value_of(code, case, at), true_derivative(case, at))
        if differs is not None:
            return f"{differs}, at sizes {sizes(case, draw)}: {code}"
    return None
