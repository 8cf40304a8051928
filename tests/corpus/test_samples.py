"""What answers are compared with: inputs have the properties that cases assume, and wrong answers are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from .cases import SAMPLERS, drawn, draws, load, no_formula, samples, wrong

SHAPES = {"orthonormal-columns": (5, 3), "simplex": (5,), "unit": (5, 1)}
HOLDS: dict[str, Callable[[Tensor], bool]] = {
    "": lambda m: bool(m.min() < 0 < m.max()),
    "symmetric": lambda m: torch.equal(m, m.T),
    "skew": lambda m: torch.equal(m, -m.T),
    "positive-definite": lambda m: torch.equal(m, m.T) and bool((torch.linalg.eigvalsh(m) > 0.2).all()),
    "orthogonal": lambda m: torch.allclose(m.T @ m, torch.eye(4).double()),
    "orthonormal-columns": lambda m: torch.allclose(m.T @ m, torch.eye(3).double()),
    "diagonal": lambda m: torch.equal(m, torch.diag(m.diag())),
    "lower-triangular": lambda m: torch.equal(m, m.tril()),
    "invertible": lambda m: bool(torch.linalg.svdvals(m).min() > 0.4),
    "positive-det": lambda m: bool(torch.linalg.det(m) > 0.01),
    "contraction": lambda m: bool((torch.linalg.svdvals(m).max() - 0.5).abs() < 1e-12),
    "unit": lambda v: bool((v.norm() - 1).abs() < 1e-12),
    "positive": lambda m: bool((m > 0).all()),
    "negative": lambda m: bool((m < 0).all()),
    "unit-interval": lambda m: bool(((m >= 0.1) & (m <= 0.9)).all()),
    "simplex": lambda v: bool((v > 0).all() and (v.sum() - 1).abs() < 1e-12),
    "row-stochastic": lambda m: bool((m > 0).all() and ((m.sum(1) - 1).abs() < 1e-12).all()),
    "one-hot": lambda m: bool((m.sum(1) == 1).all() and (m.max(1).values == 1).all()),
    "binary": lambda m: set(m.unique().tolist()) == {0.0, 1.0},
    "signs": lambda m: set(m.unique().tolist()) == {-1.0, 1.0},
    "counts": lambda m: bool((m == m.round()).all() and (m >= 0).all()),
}


@pytest.mark.parametrize("prop", SAMPLERS)
def test_property(prop: str) -> None:
    generator = torch.Generator().manual_seed(3)
    values = [drawn(prop, SHAPES.get(prop, (4, 4)), {}, generator) for _ in range(20)]
    assert all(HOLDS[prop](m) and m.dtype == torch.float64 for m in values)
    assert not torch.equal(values[0], values[1])
    if prop in ("orthogonal", "invertible"):
        assert {float(torch.linalg.det(m).sign()) for m in values} == {-1.0, 1.0}


def test_labels() -> None:
    labels = drawn("index<k", (50,), {"k": 3}, torch.Generator().manual_seed(3))
    assert not labels.is_floating_point() and set(labels.tolist()) == {0, 1, 2}


def test_sizes() -> None:
    """Different letters get different sizes, which change from draw to draw and keep the conditions."""
    case = next(case for case in load("open.toml", "case") if case.get("need") == ["m>n"])
    sizes = [tuple(inputs["X"].shape) for inputs in draws(case)]
    assert len(set(sizes)) == len(sizes) > 1 and all(m > n > 1 for m, n in sizes)


OF_EACH_GROUP = {case["group"]: case for case in load("open.toml", "case")}.values()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", OF_EACH_GROUP, ids=lambda case: case["id"])
def test_corrupted_answers_are_refused(case: dict[str, Any]) -> None:
    right, known = f"({case['expected']})", samples(case)
    assert not wrong(right, known)
    for corrupted in (f"-{right}", f"1.000001 * {right}", f"{right}[None]", f"{right}.float()", f"{right} / 0", "0"):
        assert wrong(corrupted, known), corrupted


@pytest.mark.parametrize(
    "code, problem",
    [
        ("2 * A @ x", ""),
        ("F.softmax(x, dim=0) + torch.zeros(x.shape[0])", ""),
        ("torch.eye(len(x))", "uses len"),
        ("(lambda A: A)(x)", "uses lambda"),
        ("torch.autograd.functional.jacobian(f, x)", "uses autograd"),
        ("torch.func.grad(f)(x)", "uses torch.func"),
        ("A @ y + z", "uses y, z"),
    ],
)
def test_formulas_use_the_arguments_only(code: str, problem: str) -> None:
    assert no_formula(code, ["x", "A"]) == problem
