"""Blocks: what is put together from pieces is written so, in every form, and the code has its value."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import matmagic
from matmagic.lengths import length, parsed
from matmagic.report import Report

CASES = {  # a function: its shapes as found, its gradient by the first argument
    "x, w: w @ torch.cat([x, torch.ones(1)])": ("x=n w=n+1", "w_{1:n}"),
    "w, x: w @ torch.cat([x, torch.ones(1)])": ("w=n+1 x=n", "[x; 1]"),
    "z, x, y: torch.cat([x, y]) @ z": ("z=m+n x=n y=m", "[x; y]"),
    "x: x[: len(x) // 2] @ x[len(x) // 2 :]": ("x=2n", "[x_{n+1:2n}; x_{1:n}]"),
    "w, X, y: ((torch.cat([X, torch.ones(len(X), 1)], 1) @ w - y) ** 2).sum()": (
        "w=n+1 X=m,n y=m", "2 [X, 𝟏]ᵀ([X, 𝟏] w − y)",
    ),
    "W, h, x: torch.tanh(W @ torch.cat([h, x])).sum()": (
        "W=n,k+m h=m x=k", "(𝟏 − tanh(W [h; x])^⊙2) [h; x]ᵀ",
    ),
    "X: torch.trace(X[: len(X) // 2].T @ X[len(X) // 2 :])": ("X=2n,m", "[X_{n+1:2n,:}; X_{1:n,:}]"),
    "X: F.glu(X).sum()": (
        "X=n,2m", "[P, X_{:,1:m} ⊙ P ⊙ (𝟏 𝟏ᵀ − P)], where P = σ(X_{:,m+1:2m})",
    ),
    "x, c, s: torch.cat([x.chunk(2)[0] * c - x.chunk(2)[1] * s, x.chunk(2)[0] * s + x.chunk(2)[1] * c])": (
        "x=2n c=n s=n", "[diag(c), −diag(s); diag(s), diag(c)]",
    ),
}  # fmt: skip


def report(said: str) -> tuple[Report, dict[str, object]]:
    names: dict[str, object] = {"torch": torch, "F": F}
    arguments, body = said.split(": ", 1)
    exec(f"def f({arguments}): return {body}", names)
    return matmagic.gradcheck(names["f"]), names


@pytest.mark.parametrize("said", CASES)
def test_pieces_are_blocks(said: str) -> None:
    found, names = report(said)
    shapes, formula = CASES[said]
    assert " ".join(f"{name}={own}" for name, own in found.shapes.items()) == shapes
    assert next(iter(found)).text == formula
    sizes = {"n": 4, "m": 3, "k": 5}
    generator = torch.Generator().manual_seed(1)
    inputs = {}
    for name, own in found.shapes.items():
        shape = [length(parsed(size), sizes) for size in own.split(",")]
        inputs[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
    for derivative in found:
        right = jacobian(names["f"], inputs, derivative.variable)
        code = eval(derivative.code, {**names, **inputs})
        assert code.shape == right.shape
        assert torch.allclose(code, right)


def jacobian(f: object, inputs: dict[str, Tensor], name: str) -> Tensor:
    torch.set_default_dtype(torch.float64)
    try:
        found = torch.autograd.functional.jacobian(lambda own: f(**{**inputs, name: own}), inputs[name])
    finally:
        torch.set_default_dtype(torch.float32)
    return found


def test_blocks_in_latex() -> None:
    found, _ = report(
        "x, c, s: torch.cat([x.chunk(2)[0] * c - x.chunk(2)[1] * s, x.chunk(2)[0] * s + x.chunk(2)[1] * c])"
    )
    diagonals = [rf"\operatorname{{diag}}({name})" for name in "cs"]
    assert next(iter(found)).latex == (
        rf"\begin{{bmatrix}} {diagonals[0]} & \; -{diagonals[1]} \\ {diagonals[1]} & \; {diagonals[0]} \end{{bmatrix}}"
    )


ODD = {  # right at even lengths, wrong at odd ones, where the function runs too
    "x[: (len(x) + 1) // 2].exp().sum()": "torch.cat([x[: len(x) // 2].exp(), torch.zeros(len(x) - len(x) // 2)])",
    "x[: len(x) // 2].sum()": "torch.cat([torch.ones(len(x) - len(x) // 2), torch.zeros(len(x) // 2)])",
    "x[: len(x) // 3].sum()": "torch.cat([torch.ones(len(x) // 3), torch.zeros(2 * (len(x) // 3))])",
}


@pytest.mark.parametrize("body", ODD)
def test_an_answer_is_tried_at_odd_lengths(body: str) -> None:
    names: dict[str, object] = {"torch": torch}
    exec(f"def f(x): return {body}", names)
    found = matmagic.gradcheck(names["f"], claim=ODD[body])
    assert found.claims[0].verdict != "correct"
    assert next(iter(found)).code is not None


def test_a_slice_whose_length_is_below_0_at_some_sizes() -> None:
    def f(x, y):  # type: ignore[no-untyped-def]
        return x[: len(x) - len(y)].sum() * y.prod()

    assert all(derivative.code is None for derivative in matmagic.gradcheck(f))
    assert all(derivative.code for derivative in matmagic.gradcheck(f, shapes="x=m+n y=n"))
