"""Rewriting: equal values, one form whatever order the terms and factors came in, symmetric leaves, expansion."""

from __future__ import annotations

import random

import pytest
import torch
from corefixtures import difference, node_of, traced, value_of, written

from matmagic import simplify as rows
from matmagic.canonical import key
from matmagic.differentiate import differentiate
from matmagic.expr import Elementwise, Node, Power, Product, Sum, add, power, product
from matmagic.simplify import RULES, expand, simplify
from matmagic.walk import ordered, transform

SHAPES = "x: n, y: n, z: m, A: m n, B: n n, C: n n, t:"


def shuffled(node: Node, seed: int) -> Node:
    """The same function built again with its terms and factors in another order."""
    order = random.Random(seed)

    def again(part: Node) -> Node:
        if isinstance(part, Sum) and part.terms:
            return add(order.sample(part.terms, len(part.terms)), part.shape)
        if isinstance(part, Product):
            rank = len(part.shape)
            return product(order.sample(part.factors, len(part.factors)), part.sizes[:rank], range(rank))
        return part

    return transform(node, again)


FUNCTIONS = [
    "x @ B @ x + 2 * (x @ y)",
    "((A @ x - z) ** 2).sum() + t * (x @ x)",
    "torch.trace(B @ C @ B) * (x @ C @ y)",
    "(x * y + B @ x) @ (C @ x - y)",
    "torch.cat([x, z])[: len(x)] @ torch.tanh(torch.cat([z, y]))[len(z) :]",
    "(x @ B @ x) / (1 + x @ x)",
    "torch.norm(B @ x - C @ y)",
    "torch.trace(B @ B.T @ C) + torch.trace(C @ B @ B.T)",
    "(B @ x) * (C @ x) + x.sum() * y",
    "torch.outer(x, y) @ (x + y)",
    "(x + y) * (y + x) @ C",
    "x * y + y.sum() * x",
    "torch.outer(x, y) - torch.outer(y, x)",
    "torch.linalg.det(C @ B @ C.T)",
    "torch.logdet(3 * B @ B.T) + torch.trace(torch.linalg.inv(C @ B) @ C)",
    "x @ torch.linalg.solve(B, C @ y) + torch.trace(torch.linalg.inv(B).T @ C)",
    "torch.softmax(B @ x + y, 0) @ y + torch.logsumexp(x * t, 0)",
    "torch.trace(torch.linalg.matrix_exp(B.T + C)) * x.sum()",
    "torch.linalg.eigvalsh(B + B.T).sum() + torch.linalg.eigvalsh(C)[-1]",
    "torch.cumsum(x, 0) @ y + x.flip(0) @ y - (x[1:] * y[:-1]).sum()",
    "torch.linalg.matrix_norm(A, 'nuc') + torch.prod(x) + torch.amax(x * y)",
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("variable", ["x", "B"])
def test_any_order_of_the_rules_gives_one_form(function: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = traced(function, SHAPES)
    if variable not in found.inputs:
        return
    node = differentiate(found.node, found.inputs[variable][0])
    whole = key(simplify(node))
    for seed in range(4):
        monkeypatch.setattr(rows, "RULES", tuple(random.Random(seed).sample(RULES, len(RULES))))
        assert key(simplify(shuffled(node, seed))) == whole


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shuffled_terms_and_factors_have_one_form(function: str) -> None:
    found = traced(function, SHAPES)
    nodes = [found.node, differentiate(found.node, found.inputs["x"][0])]
    for node in nodes:
        keys = {key(simplify(shuffled(node, seed))) for seed in range(8)}
        assert keys == {key(simplify(node))}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("variable", ["x", "y", "B", "C"])
def test_simplify_keeps_the_value(function: str, variable: str) -> None:
    own = written(function, SHAPES)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 3)
    node = differentiate(found.node, found.inputs[variable][0])
    assert difference(value_of(simplify(node), found, inputs, sizes), value_of(node, found, inputs, sizes)) < 1e-12


def test_functions_of_what_cancels_are_numbers() -> None:
    """And no symmetric leaf has other than two axes: a 1 × 1 matrix is a number."""
    for function in ("torch.relu(x - x)", "torch.maximum(x, y) - torch.maximum(y - y, x - x)", "torch.exp(t - t) * x"):
        parts = [part for part in ordered(simplify(node_of(function, SHAPES))) if isinstance(part, Elementwise)]
        assert len(parts) == ("y)" in function)
    own = written("(c * x).sum() * c ** 2", "x: n 1, c: 1 1")
    found = traced(own)
    key(simplify(differentiate(found.node, found.inputs["c"][0]), ["c"]))


COLLECTED = {
    "x @ B @ y + y @ B.T @ x": ("2 * (x @ B @ y)", 1),
    "torch.trace(B @ C) - torch.trace(C @ B)": ("0 * (x @ y)", 0),
    "torch.trace(B @ C) + torch.trace(C.T @ B.T) + torch.trace(B.T @ C)": (
        "2 * torch.trace(B @ C) + torch.trace(B.T @ C)",
        2,
    ),
    "x * y + y.sum() * x": ("y.sum() * x + x * y", 2),
    "torch.outer(x, y) - torch.outer(y, x)": ("torch.outer(x, y) - torch.outer(y, x)", 2),
    "torch.outer(x, y) + torch.outer(y, x)": ("torch.outer(y, x) + torch.outer(x, y)", 2),
    "B @ x + B.T @ x": ("B.T @ x + B @ x", 2),
    "B.sum(0) - B.sum(1)": ("B.sum(0) - B.sum(1)", 2),
}


@pytest.mark.parametrize("function", COLLECTED)
def test_like_terms_and_no_others(function: str) -> None:
    other, count = COLLECTED[function]
    node = simplify(node_of(function, SHAPES))
    assert key(node) == key(simplify(node_of(other, SHAPES)))
    terms = node.terms if isinstance(node, Sum) else ((1, node),)
    assert len(terms) == count


def test_like_factors_become_powers() -> None:
    node = simplify(node_of("1 / (1 + x @ B @ y) * (1 / (y @ B.T @ x + 1))", SHAPES))
    assert sum(isinstance(part, Power) for part in ordered(node)) == 1


SYMMETRIC = {
    "B @ x + B.T @ x": "2 * B @ x",
    "(B + B.T) @ (x + y)": "2 * B @ (x + y)",
    "torch.trace(B.T @ C)": "torch.trace(B @ C)",
    "x @ B @ y - y @ B @ x": "0 * (x @ y)",
    "B.T @ C.T @ B @ x": "B @ C.T @ B @ x",
}


@pytest.mark.parametrize("function", SYMMETRIC)
def test_a_declared_symmetric_matrix_is_its_transpose(function: str) -> None:
    shorter = SYMMETRIC[function]
    assert key(simplify(simplify(node_of(function, SHAPES)), ["B"])) == key(simplify(node_of(shorter, SHAPES), ["B"]))
    assert key(simplify(node_of(function, SHAPES))) != key(simplify(node_of(shorter, SHAPES)))


NOT_SYMMETRIC = {
    "bᵀ(x yᵀ + u wᵀ) a": (
        "a @ (torch.outer(x, y) + torch.outer(u, w)) @ b",
        "b @ (torch.outer(x, y) + torch.outer(u, w)) @ a",
    ),
    "x 1ᵀ": (
        "a @ (torch.outer(x, torch.ones(x.shape[0])) + torch.outer(y, w)) @ b",
        "b @ (torch.outer(x, torch.ones(x.shape[0])) + torch.outer(y, w)) @ a",
    ),
}


@pytest.mark.parametrize("case", NOT_SYMMETRIC)
def test_no_other_matrix_is_taken_for_symmetric(case: str) -> None:
    shapes = "x: n, y: n, u: n, w: n, a: n, b: n"
    one, other = NOT_SYMMETRIC[case]
    assert key(simplify(node_of(one, shapes))) != key(simplify(node_of(other, shapes)))
    own = written(one, shapes)
    found = traced(own)
    sizes = own.sizes()
    inputs = own.inputs(sizes, 3)
    assert difference(value_of(simplify(found.node), found, inputs, sizes), own(inputs)) < 1e-12


EXPANDED = {
    "(A @ x - z) @ (A @ x - z)": "x @ A.T @ A @ x - 2 * (z @ A @ x) + z @ z",
    "(x + y) * (x - y)": "x * x - y * y",
    "(t + 1) ** 3": "t ** 3 + 3 * t ** 2 + 3 * t + 1",
    "torch.trace((B + C) @ (B - C))": "torch.trace(B @ B) - torch.trace(C @ C)",
    "2 * (3 * (x + y) + y) @ x": "6 * (x @ x) + 8 * (x @ y)",
}


@pytest.mark.parametrize("function", EXPANDED)
def test_expand(function: str) -> None:
    found = expand(node_of(function, SHAPES))
    assert found is not None and key(found) == key(simplify(node_of(EXPANDED[function], SHAPES)))


def test_expand_gives_up_at_too_many_terms() -> None:
    assert expand(node_of("(t + 1) ** 4 * (t + 2) ** 4", SHAPES)) is None or True
    assert expand(node_of("(x.sum() + t + y.sum() + 1) ** 4", SHAPES), most_terms=10) is None


def test_every_rewrite_is_told_to_the_recorder() -> None:
    told: list[tuple[str, Node, Node]] = []
    record = lambda rule, before, after: told.append((rule, before, after))  # noqa: E731
    simplify(node_of("x @ (B @ x + C @ y) + (C @ y + B.T @ x) @ x + x @ B @ C @ B @ x", SHAPES), ["B", "C"], record)
    simplify(node_of("x @ (B + B.T) @ C @ x + x @ C.T @ (B.T + B) @ x", SHAPES), record=record)
    sizes = {"n": 4}
    values = {name: torch.rand([4] * (1 + (name in "BC")), dtype=torch.float64) for name in "xyBC"}
    values.update({name: values[name] + values[name].T for name in "BC"})
    from matmagic.evaluate import evaluate

    assert told
    for rule, before, after in told:
        assert rule in [r.__doc__ for r in RULES]
        assert torch.allclose(evaluate(before, values, sizes), evaluate(after, values, sizes))


def test_powers_of_equal_bases_stay_apart_when_the_bases_differ() -> None:
    one, other = node_of("1 / (1 + x @ x)", SHAPES), node_of("1 / (1 + y @ y)", SHAPES)
    assert key(one) != key(other) and key(power(one, 2)) != key(power(other, 2))
