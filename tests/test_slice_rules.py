"""Slices of what is put together from pieces: the piece, nothing, or less of it; values stay."""

from __future__ import annotations

import pytest
from corefixtures import TRACED_AT, difference, traced, value_of, written

from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.simplify import simplify

SHAPES = "x: n, y: m, z: k, A: m n, B: n n, C: n k, W: k n, t:"
BOTH = "torch.cat([x, y])"

VALUES = {  # function: its value as it is printed
    f"{BOTH}[: len(x)]": "x",
    f"{BOTH}[len(x) :]": "y",
    f"({BOTH} * 2)[len(x) :]": "2 y",
    "torch.cat([x, y, z])[len(x) : len(x) + len(y)]": "y",
    "torch.cat([B, A])[len(B) :] @ x": "A x",
    "torch.cat([B, B], 1)[:, len(x) :] @ x": "B x",
    "torch.cat([A, W])[: len(A)].sum(0)": "Aᵀ 𝟏",
    f"{BOTH}[-1]": "yₘ",
    f"{BOTH}[0]": "x₁",
    f"{BOTH}[1 : len(x)]": "x_{2:n}",
    "torch.cat([x, y, z])[len(x) :][: len(y)]": "y",
    f"torch.tanh({BOTH})[: len(x)]": "tanh(x)",
    f"(1 - torch.tanh(3 * {BOTH}) ** 2)[len(x) :]": "𝟏 − tanh(3 y)^⊙2",
    f"({BOTH} * torch.sigmoid({BOTH}))[: len(x)] @ x": "(x^⊙2)ᵀ σ(x)",
    f"(torch.exp({BOTH}) / torch.exp({BOTH}).sum())[: len(x)]": "exp(x) / (𝟏ᵀ exp(I_{:,1:n} x + I_{:,n+1:m+n} y))",
    f"{BOTH} @ {BOTH}": "xᵀ x + yᵀ y",
    f"torch.cat([torch.cat([B, A.T], 1), torch.cat([A, A @ A.T], 1)]) @ {BOTH}": (
        "(Bᵀ I_{1:n,:} + Aᵀ I_{n+1:m+n,:})ᵀ x + (I_{1:n,:} + Aᵀ I_{n+1:m+n,:})ᵀ Aᵀ y"
    ),
    f"{BOTH} @ torch.exp({BOTH})": "xᵀ exp(x) + yᵀ exp(y)",
    f"torch.outer({BOTH}, z)[: len(x)] @ z": "(zᵀ z) x",
    "torch.block_diag(B, t * B) @ torch.cat([x, x])": "I_{:,1:n} B x + t I_{:,n+1:2n} B x",
    "torch.cat([t.view(1), x])[-1] ** 2": "xₙ²",
    "torch.cat([t.view(1), x, y[:1]])[0] + t": "2 t",
    "torch.exp(torch.tanh(torch.tanh(torch.cat([B, A])) @ C) @ z)[: len(x)]": "exp(tanh(tanh(B) C) z)",
    "torch.exp(torch.tanh(torch.tanh(torch.cat([B, A])) @ B) @ x)[: len(x)]": "exp(tanh(tanh(B) B) x)",
    "torch.eye(len(x))[1:].sum() * t": "t (n − 1)",
    "x[1:][1:]": "x_{3:n}",
    "torch.stack([x, 2 * x])[1]": "2 x",
    "torch.cat([x, x]).view(2, -1)[1]": "x",
}


@pytest.mark.parametrize("function", VALUES)
def test_a_slice_of_pieces(function: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    better = simplify(found.node)
    assert text(notation(better)) == VALUES[function]
    sizes = own.sizes(TRACED_AT[0])
    inputs = own.inputs(sizes)
    assert difference(value_of(better, found, inputs, sizes), value_of(found.node, found, inputs, sizes)) < 1e-12
