"""Rewriting functions of matrices: what cancels is gone, what needs a property stays where it is not declared."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from corefixtures import Written, difference, shapes_of, traced, value_of
from torch import Tensor

from matmagic.differentiate import differentiate
from matmagic.matrix_rules import ROWS
from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.simplify import simplify
from matmagic.walk import transform

SHAPES = "X: n n, A: n n, B: n n, S: n n, W: m n, x: n, y: n, z: m, t:"


class Conditioned(Written):
    """A function whose square arguments have positive determinants, S symmetric."""

    def inputs(self, sizes: Mapping[str, int], seed: int = 0, positive: bool = False) -> dict[str, Tensor]:
        made = super().inputs(sizes, seed, positive)
        for name in "XABS":
            made[name] = 0.2 * made[name] / sizes["n"] + torch.eye(sizes["n"], dtype=torch.float64)
        return {**made, "S": made["S"] @ made["S"].T, "t": made["t"].abs() + 1}


def conditioned(body: str) -> Conditioned:
    return Conditioned(body, shapes_of(SHAPES))


GRADIENTS = {  # function by X: its gradient as it is printed
    "torch.linalg.det(A @ X @ B)": "det(A X B) X⁻ᵀ",
    "torch.logdet(A @ X.T @ X)": "2 X⁻ᵀ",
    "torch.logdet(3 * X)": "X⁻ᵀ",
    "torch.logdet(t * X)": "X⁻ᵀ",
    "torch.logdet(X @ X @ X)": "3 X⁻ᵀ",
    "torch.logdet(W.T @ W + X)": "(Wᵀ W + X)⁻ᵀ",
    "torch.trace(torch.linalg.matrix_exp(X.T))": "expm(Xᵀ)",
    "torch.linalg.eigvalsh(X).sum()": "I",
    "torch.trace(torch.linalg.inv(2 * X.T) @ A)": "−½ X⁻ᵀ A X⁻ᵀ",
}


@pytest.mark.parametrize("function", GRADIENTS)
def test_a_gradient_is_as_short_as_in_a_textbook(function: str) -> None:
    found = traced(conditioned(function))
    node = simplify(differentiate(found.node, found.inputs["X"][0]))
    assert text(notation(node)) == GRADIENTS[function]


VALUES = {  # function by S: its value in another form, for a symmetric S
    "torch.linalg.cholesky(S) @ torch.linalg.cholesky(S).T": "S",
    "torch.tril(torch.linalg.cholesky(S)) @ x": "chol(S) x",
    "torch.cholesky_solve(x[:, None], torch.linalg.cholesky(S))[:, 0]": "S⁻¹ x",
    "torch.linalg.eigh(S).eigenvectors @ torch.linalg.eigh(S).eigenvectors.T @ x": "x",
    "torch.softmax(x, 0).sum() * y": "y",
    "torch.softmax(W, 1).sum(1)": "𝟏",
    "torch.linalg.solve(S, S @ x + y)": "S⁻¹(S x + y)",
    "torch.linalg.inv(S) @ S @ x": "x",
    "2 * torch.linalg.cholesky(S).diagonal().log().sum()": "log det(S)",
}


@pytest.mark.parametrize("function", VALUES)
def test_what_cancels_is_gone(function: str) -> None:
    found = traced(conditioned(function))
    assert text(notation(simplify(found.node, ["S"]))) == VALUES[function]


KEPT = {  # what must not cancel without a property, or does not at all
    "torch.linalg.cholesky(S) @ torch.linalg.cholesky(S).T": (),
    "torch.linalg.cholesky(S).T @ torch.linalg.cholesky(S)": ("S",),
    "torch.triu(torch.linalg.cholesky(S)) @ x": ("S",),
    "torch.softmax(W, 1).sum(0)": (),
    "torch.linalg.inv(S) * S": ("S",),
    "torch.linalg.inv(S).T @ S": (),
    "torch.linalg.inv(S) @ x * (S @ x)": ("S",),
}


@pytest.mark.parametrize("function", KEPT)
def test_what_does_not_cancel_stays(function: str) -> None:
    found = traced(conditioned(function))
    assert "S" in text(notation(simplify(found.node, KEPT[function]))) or "softmax" in function


@pytest.mark.parametrize("function", [*GRADIENTS, *VALUES, *KEPT])
@pytest.mark.parametrize("rule", ROWS, ids=lambda rule: rule.__name__)
def test_every_rule_keeps_the_value(function: str, rule) -> None:  # type: ignore[no-untyped-def]
    own = conditioned(function)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 3)
    variable = "X" if function in GRADIENTS else "S"
    nodes = [found.node, *([differentiate(found.node, found.inputs["X"][0])] if variable == "X" else [])]
    for node in nodes:
        declared = simplify(node, ["S"] if variable == "S" and function not in KEPT else [])
        changed = transform(declared, lambda part: rule(part) or part)
        true = value_of(node, found, inputs, sizes)
        assert difference(value_of(changed, found, inputs, sizes), true) < 1e-9 * float(true.abs().max() + 1)
