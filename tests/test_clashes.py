"""Arguments with the names of symbols: each printed form has one meaning, or there is none."""

from __future__ import annotations

import re

import pytest
from fuzzing import found_of, report_of
from randomfunctions import RandomFunction

NAMES = "sigma phi Phi psi delta lam pi e i j k l T I H N K Q V d f n tr det log exp vec σ λ".split()

# functions of a scalar, a vector and a matrix that may have any of these names: s, v and M
SCALARS = [
    "torch.sigmoid({0} * x).sum()",
    "torch.special.ndtr({0} * x).sum() + torch.lgamma({0} + x ** 2).sum()",
    "{0} * torch.trace(A) + {0} ** 2 * x[1]",
    "({0} * torch.softmax(x, 0))[0] + torch.erf({0})",
    "torch.einsum('abc,b,c->a', W, x, x).sum() * {0}",
    "torch.einsum('abc,b,c->a', W, x, x) * {0}",
    "{0} * A @ A",
]
VECTORS = [
    "torch.sigmoid({0} @ x) * {0}.sum()",
    "torch.softmax({0}, 0) @ x + {0}[0] ** 2",
    "torch.einsum('abc,b->ac', W, {0})",
    "torch.outer({0}, x)",
    "torch.diag({0}) @ A",
]
MATRICES = [
    "torch.logdet({0} @ {0}.T + torch.eye(len(x))) + x @ {0} @ x",
    "torch.trace({0}) * {0}",
    "torch.linalg.matrix_exp({0}) @ x",
    "torch.triu({0}) * A",
]
SHAPES = {"x": ("n",), "A": ("n", "n"), "W": ("m", "n", "n")}


def function_of(body: str, name: str, shape: tuple[str, ...]) -> RandomFunction:
    own = body.format(name)
    shapes = {name: shape, **{other: s for other, s in SHAPES.items() if re.search(rf"\b{other}\b", own)}}
    return RandomFunction(f"def f({', '.join(shapes)}):\n    return {own}", shapes, {}, ())


@pytest.mark.parametrize("name", NAMES)
def test_each_form_has_one_meaning(name: str) -> None:
    """What is printed is read back as what it is."""
    shapes: list[tuple[list[str], tuple[str, ...]]] = [(SCALARS, ()), (VECTORS, ("n",)), (MATRICES, ("n", "n"))]
    for bodies, shape in shapes:
        for body in bodies[NAMES.index(name) % 3 :: 3]:
            found = found_of(function_of(body, name, shape))
            assert not found.wrong and not found.unread, "\n".join([str(found.made), *found.wrong, *found.unread])


# function and variable: the formula, "" for none, and the identities it rests on
SHOWN = [
    ("torch.sigmoid(sigma * x).sum()", "sigma", "sigmoid(σ x)ᵀ((𝟏 − sigmoid(σ x)) ⊙ x)"),
    ("torch.sigmoid(x).sum()", "x", "σ(x) ⊙ (𝟏 − σ(x))"),
    ("torch.special.ndtr(phi * x).sum()", "x", "φ density(φ x)"),
    ("torch.special.ndtr(t * x).sum()", "x", "t φ(t x)"),
    ("torch.trace(A) * I", "A", "I δ_ij"),
    ("torch.trace(A) * t", "A", "t I"),
    ("x[0] * e", "x", "e δ_{i,1}"),
    ("x[0] * t", "x", "t e₁"),
    ("torch.trace(A) * tr", "A", ""),
    ("x.mean() * n", "x", ""),
    ("torch.erf(x).sum() * pi", "x", "1.1283791670955126 π exp(−x^⊙2)"),
    ("x[0] * x_1", "x", "x₁ e₁"),
    ("x[0] ** 2 * x_1", "x", ""),
]


@pytest.mark.parametrize("body, variable, shown", SHOWN)
def test_what_is_shown(body: str, variable: str, shown: str) -> None:
    scalar = [n for n in ("sigma", "phi", "t", "I", "e", "tr", "n", "pi", "x_1") if re.search(rf"(?<!\.)\b{n}\b", body)]
    shapes = dict.fromkeys(scalar, ()) | {n: s for n, s in SHAPES.items() if re.search(rf"\b{n}\b", body)}
    report = report_of(RandomFunction(f"def f({', '.join(shapes)}):\n    return {body}", shapes, {}, ()))
    found = report[variable]
    assert (found.text or "") == shown
    assert found.code is not None
    for piece in found.tree.walk() if found.tree else ():
        assert not re.search(r"σ\(|φ\(", piece[1].text) or not {"sigma", "phi"} & set(shapes), piece[1].text
