"""Positive definite by structure: what is said to be so has positive eigenvalues, and what needn't have is not said to."""

from __future__ import annotations

import pytest
import torch
from corefixtures import node_of

from matmagic.definite import is_definite, is_semidefinite
from matmagic.report import gradcheck
from matmagic.sampling import sample
from matmagic.simplify import simplify

SHAPES = {"B": ("m", "n"), "C": ("n", "k"), "S": ("n", "n"), "P": ("n", "n"), "x": ("n",), "t": (), "u": ()}
ASSUMED = {"P": "positive-definite", "t": "positive", "S": "symmetric"}
DEFINITE = [
    "P",
    "torch.linalg.inv(P)",
    "B.T @ B + torch.eye(B.shape[1])",
    "2 * P + torch.outer(x, x)",
    "t * P",
    "torch.exp(u) * P / len(x)",
    "B.T @ B / len(B) + t * torch.eye(B.shape[1])",
    "C @ torch.linalg.inv(C.T @ P @ C + torch.eye(C.shape[1])) @ C.T + P",
    "P + S @ P @ S",
]
SEMIDEFINITE = [
    "B.T @ B",
    "torch.outer(x, x)",
    "C @ C.T",
    "t * (C @ C.T) + torch.outer(x, x)",
    "S @ S",
]
NEITHER = [
    "S",
    "P - B.T @ B",
    "u * P",
    "-P",
    "S @ P",
    "P @ P @ S",
    "B.T @ B - torch.eye(B.shape[1])",
    "P * u + P",
    "torch.outer(x, S @ x)",
    "torch.outer(x * x, x)",
    "(B * B).T @ B",
]


def said(code: str) -> tuple[bool, bool]:
    used = ", ".join(f"{name}: {' '.join(shape)}" for name, shape in SHAPES.items() if name in code)
    node = simplify(node_of(code, used), ["S", "P"])
    return is_definite(node, ASSUMED), is_semidefinite(node, ASSUMED)


def smallest(code: str, seed: int) -> float:
    """The smallest eigenvalue at random values."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {"n": 5, "m": 3, "k": 4}
    names = {
        name: sample(tuple(sizes[s] for s in shape), ASSUMED.get(name), generator) for name, shape in SHAPES.items()
    }
    value = eval(code, {"torch": torch}, names)
    return float(torch.linalg.eigvalsh(value).min()) / float(value.abs().max())


@pytest.mark.parametrize("code", DEFINITE)
def test_definite(code: str) -> None:
    assert said(code) == (True, True)
    assert min(smallest(code, seed) for seed in range(20)) > 0


@pytest.mark.parametrize("code", SEMIDEFINITE)
def test_semidefinite(code: str) -> None:
    assert said(code) == (False, True)
    assert min(smallest(code, seed) for seed in range(20)) > -1e-12


@pytest.mark.parametrize("code", NEITHER)
def test_neither(code: str) -> None:
    assert said(code) == (False, False)


def test_a_condition_says_what_fulfils_it() -> None:
    f = lambda x, B: torch.sqrt(x @ (B.T @ B + torch.eye(len(x))) @ x)  # noqa: E731
    (found,) = gradcheck(f, wrt="x", shapes="x=n B=m,n")
    assert found.identity.conditions_said == ("W positive-definite, which Bᵀ B + I is",)
