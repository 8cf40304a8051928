"""Rewriting by declared properties: what a property makes shorter, with values that have it; what it does not."""

from __future__ import annotations

import pytest
import torch
from corefixtures import difference, traced, value_of, written

from matmagic.printers.text import text
from matmagic.rendering import notation
from matmagic.sampling import SAMPLERS
from matmagic.simplify import simplify

SHAPES = "Q: m n, R: n n, Y: m n, x: n, y: n, z: m"

SHORTER = {  # function, properties: what it is
    ("x @ R.T @ R @ y", "R orthogonal"): "xᵀ y",
    ("R @ R.T @ x", "R orthogonal"): "x",
    ("x @ Q.T @ Q @ y", "Q orthonormal-columns"): "xᵀ y",
    ("torch.trace(Q.T @ Q @ R)", "Q orthonormal-columns"): "tr(R)",
    ("y.sum() * x", "y simplex"): "x",
    ("y.sum() * x - y", "y one-hot"): "x − y",
    ("Y.sum(1) * z", "Y one-hot"): "z",
    ("Y.sum(1) * z", "Y row-stochastic"): "z",
    ("(x @ x) * y", "x unit"): "y",
}
KEPT = [
    ("x @ R.T @ R @ y", "R invertible"),
    ("x @ R @ R @ y", "R orthogonal"),
    ("Q @ Q.T @ z", "Q orthonormal-columns"),
    ("Y.sum(0) * x", "Y row-stochastic"),
    ("(x * x).sum() * x", "y unit"),
    ("(x * x) * x.sum()", "x unit"),
    ("y.sum() * x", "y positive"),
    ("Y.sum(1) * z", "Y simplex"),
    ("(R * R) @ x", "R orthogonal"),
    ("y ** 2 @ x", "y simplex"),
]


def values(function: str, said: str) -> tuple[str, str, float]:
    """The function as it is, simplified, and how far their values are apart."""
    name, prop = said.split()
    own = written(function, SHAPES)
    found = traced(own)
    sizes = dict(zip("nmkpq", (3, 5, 4, 6, 7), strict=True))
    inputs = own.inputs(sizes, 3)
    shape = tuple(inputs[name].shape)
    inputs[name] = SAMPLERS[prop](shape, torch.Generator().manual_seed(5)).double()
    short = simplify(found.node, assumed={name: prop})
    apart = difference(value_of(short, found, inputs, sizes), value_of(found.node, found, inputs, sizes))
    return text(notation(simplify(found.node))), text(notation(short)), apart


@pytest.mark.parametrize(("function", "said"), SHORTER)
def test_what_a_property_makes_shorter(function: str, said: str) -> None:
    before, after, apart = values(function, said)
    assert after == SHORTER[function, said] != before
    assert apart < 1e-12


@pytest.mark.parametrize(("function", "said"), KEPT)
def test_what_it_does_not(function: str, said: str) -> None:
    before, after, apart = values(function, said)
    assert before == after and apart == 0
