"""Derivatives of expressions against autograd, at sizes that no trace has seen: gradients, Jacobians, Hessians."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import pytest
import torch
from corefixtures import derivative_value, difference, squeezed, traced, truth, value_of, written

from matmagic.differentiate import differentiate
from matmagic.expr import add, leaf, power, product, zero
from matmagic.walk import ordered

SHAPES = "x: n, y: n, z: m, c: n 1, A: m n, B: n n, C: n m, t:"

FUNCTIONS = """
x @ y | x @ x | x @ B @ x | x @ B @ y | (A @ x - z) @ (A @ x - z) | ((A @ x - z) ** 2).mean() | (x @ x) ** 2
(x @ B @ x) ** 3 | c.T @ B @ c
torch.norm(x) | torch.norm(A @ x - z) | torch.norm(A) | torch.norm(B + B.T) | 1 / (1 + x @ x) | (x @ B @ x) / (x @ x)
torch.sqrt(1 + x @ x)
x.sum() ** 2 | (x ** 3).sum() | (x ** 5).sum() | (x * y).sum() * x.sum() | x[0] * x[1] | x[0] ** 2 | (x * x.sum()) @ y
(1 / (1 + x ** 2)).sum()
torch.trace(B) | torch.trace(B) ** 2 | torch.trace(B @ B) | torch.trace(B @ B @ B) | torch.trace(B.T @ B)
torch.trace(A @ C) | torch.trace(A @ B @ C)
torch.trace(C @ A @ B @ C @ A) | (A ** 2).sum() | (A.T * C).sum() | A.sum() ** 2 | z @ A @ x | z @ A @ A.T @ z
(A @ x) @ (A @ y) | B[0, 1] * B[1, 0]
torch.diag(B) @ x | torch.diagonal(B) @ torch.diagonal(B) | torch.trace(torch.diag(x) @ B)
torch.trace(torch.diag(x) @ B @ torch.diag(x) @ B.T)
t * (x @ x) | t ** 2 * (x @ y) | (x @ y) / t | t ** 3 | (t * x + y) @ (t * x + y) | x.mean() ** 2 + x @ x / x.shape[0]
(x - x.mean()) @ (x - x.mean())
torch.outer(x, y).sum() | (torch.outer(x, y) + B).sum() | torch.trace(torch.outer(x, y) @ B)
torch.outer(x, y) @ y @ x | (torch.outer(x, x) @ B).sum()
A @ x | x | 2 * x | x * y | x * x | x ** 3 | x / torch.norm(x) | x * x.sum() | (x @ y) * x | (x @ B @ x) * y
B @ (x * x) | (B @ x) * (B @ x) | x + y | 1 / (1 + x * x)
A.sum(0) | A.sum(1) | torch.diagonal(B) | A[0] | A[:, 1] | B @ B @ x | (A @ x) ** 2 | A.T @ (A @ x - z) | c | B @ c
c * (c.T @ c) | c.T | torch.stack([x[0] * x[1], x[0] + x[1]])
torch.diag(x) @ y | torch.diag(x) @ B @ x | x - x.mean() | x.sum() * y + y.sum() * x | t * x | t * y
B | B.T | A @ B | B @ B | B @ B.T | A.T @ A | torch.outer(x, y) | torch.outer(x, x) | c @ c.T | torch.diag(x)
torch.diag(torch.diagonal(B)) | A * A | t * A | B + B.T | A @ B @ C
torch.outer(A @ x, x) | x[:, None] * B | B * x | B / (1 + torch.trace(B) ** 2)
torch.eye(x.shape[0]) - torch.outer(x, x) / (x @ x) | A - z[:, None] | (B @ x)[:, None] * B
"""
TABLE = [f.strip() for line in FUNCTIONS.strip().splitlines() for f in line.split(" | ")]


@pytest.mark.parametrize("function", TABLE)
def test_every_first_derivative(function: str) -> None:
    """By every argument, in one go; the axes of the result in the order of the result's."""
    own = written(function, SHAPES)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 11)
    order = [axis for group in found.axes for axis in group]
    for variable in own.shapes:
        value = derivative_value(own, found, variable)
        rest = range(len(order), value.dim())
        value = value.permute(*order, *rest) if value.dim() else value
        assert difference(squeezed(value), squeezed(truth(own, inputs, variable))) < 1e-11, variable


SCALARS = [f for f in TABLE[: TABLE.index("A @ x")] if f not in ("x[0] * x[1]",)]


@pytest.mark.parametrize("function", SCALARS)
@pytest.mark.parametrize("variable", ["x", "B", "t", "c"])
def test_hessians_by_differentiating_twice(function: str, variable: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    inputs = own.inputs(own.sizes(), 11)
    value = derivative_value(own, found, variable, order=2)
    assert difference(squeezed(value), truth(own, inputs, variable, order=2)) < 1e-10


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail, not hang, where the time is exponential."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_shared_parts_are_not_multiplied_out() -> None:
    """Thirty squarings of a residual stay a chain; expanded they would have a billion terms."""
    found = traced("A @ x - z", SHAPES)
    r = found.node
    with within(10):
        for _ in range(30):  # built here: a trace refuses what is so large when it is written out
            r = add([(Fraction(1, 2), power(r, 2)), (1, r)], r.shape)
        slope = differentiate(product([(r, (0,))], (), ()), found.inputs["x"][0])
    assert len(ordered(slope)) < 1000


def test_residual_is_used_whole() -> None:
    found = traced("((A @ x - z) ** 2).sum()", SHAPES)
    residual = traced("A @ x - z", SHAPES).node
    assert residual in ordered(differentiate(found.node, found.inputs["x"][0]))


def test_absent_variable_gives_zero() -> None:
    found = traced("A @ x", SHAPES)
    assert differentiate(found.node, leaf("y", ("n",))) is zero(("m", "n"))


def test_axes_of_the_function_come_first() -> None:
    own = written("torch.outer(A @ x, y)", SHAPES)
    found = traced(own)
    sizes = own.sizes()
    slope = differentiate(found.node, found.inputs["x"][0])
    assert slope.shape == ("m", "n", "n")
    assert value_of(slope, found, own.inputs(sizes), sizes).shape == (sizes["m"], sizes["n"], sizes["n"])


def test_autograd_truth_can_fail() -> None:
    """The oracle tells x yᵀ from y xᵀ and A from Aᵀ."""
    own = written("x @ B @ y", SHAPES)
    inputs = own.inputs(own.sizes(), 11)
    right = truth(own, inputs, "B")
    assert difference(torch.outer(inputs["x"], inputs["y"]), right) == 0
    assert difference(torch.outer(inputs["y"], inputs["x"]), right) > 0.1
