"""Canonical keys: equal for one function, different for two, whatever order and names they were built with."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from corefixtures import node_of
from hypothesis import given, settings
from hypothesis import strategies as st

from matmagic.canonical import is_symmetric, key, pattern
from matmagic.evaluate import evaluate
from matmagic.expr import Node, add, basis, delta, leaf, number, product, transpose

SHAPES = "x: n, y: n, z: m, A: m n, B: n n, C: n n, X: n n, t:"

EQUAL = {
    "x @ B @ y": ("y @ B.T @ x", "torch.einsum('j,ij,i', y, B, x)", "(B @ y) @ x", "(x[:, None] * B * y).sum()"),
    "torch.trace(B @ C @ X)": ("torch.trace(C @ X @ B)", "torch.trace(X.T @ C.T @ B.T)", "(B * (C @ X).T).sum()"),
    "torch.trace(X @ X)": ("(X * X.T).sum()", "torch.einsum('ij,ji', X, X)"),
    "(A ** 2).sum()": (
        "torch.trace(A.T @ A)",
        "torch.trace(A @ A.T)",
        "A.reshape(-1) @ A.reshape(-1)",
        "torch.norm(A) ** 2",
    ),
    "B @ x + y": ("y + B @ x", "torch.einsum('ij,j->i', B, x) + y", "-(-y - B @ x)"),
    "x * y": ("y * x", "torch.diag(x) @ y", "torch.diagonal(torch.outer(x, y))"),
    "x.sum() * y.sum()": ("torch.outer(x, y).sum()", "torch.einsum('i,j->', y, x)"),
    "torch.outer(x, y)": ("torch.outer(y, x).T", "x[:, None] * y", "x[:, None] @ y[None, :]"),
    "(A @ x - z) @ (A @ x - z)": (
        "((A @ x - z) ** 2).sum()",
        "(z - A @ x) @ (z - A @ x)",
        "torch.dot(-z + A @ x, A @ x - z)",
    ),
    "torch.trace(X @ X @ X)": ("torch.trace(X.T @ X.T @ X.T)",),
}

PAIRS = [(a, b) for a, others in EQUAL.items() for b in others]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_function_has_one_key(one: str, other: str) -> None:
    if "(z - A" in other:
        pytest.skip("the sign of a square is match's, not the key's")
    assert key(node_of(one, SHAPES)) == key(node_of(other, SHAPES))


DIFFERENT = [
    "torch.trace(X @ X)",
    "torch.trace(X) ** 2",
    "torch.trace(X @ X.T)",
    "torch.trace(X @ X @ X)",
    "torch.trace(X) ** 3",
    "torch.trace(X) * torch.trace(X @ X)",
    "torch.trace(X @ X @ X.T)",
    "torch.trace(B @ X @ B @ X)",
    "torch.trace(B @ X) ** 2",
    "torch.trace(B @ B @ X @ X)",
    "torch.trace(B @ X @ B.T @ X)",
    "torch.trace(B @ X @ B @ X.T)",
    "torch.trace(B @ X @ C @ X)",
    "x @ B @ x",
    "x @ C @ x",
    "x @ B @ y",
    "y @ B @ x",
    "x @ x",
    "(x @ x) ** 2",
    "x @ B @ B @ x",
    "x @ B.T @ B @ x",
    "x @ B @ B.T @ x",
    "(x @ B @ x) ** 2",
    "x.sum()",
    "x.sum() ** 2",
    "(x ** 3).sum()",
    "(x ** 2).sum() * x.sum()",
    "(x * y).sum() * x.sum()",
    "(x * x * y).sum()",
    "(x @ y) * (x @ y)",
    "(x @ x) * (y @ y)",
    "x[0]",
    "x[1]",
    "x[0] * x[1]",
    "x[0] ** 2",
    "t * x[0]",
    "torch.trace(B * X)",
    "torch.trace(B) * torch.trace(X)",
    "(B * X).sum()",
    "B.sum() * X.sum()",
    "(B.sum(0) * X.sum(0)).sum()",
    "(B.sum(0) * X.sum(1)).sum()",
    "(B.sum(1) * X.sum(1)).sum()",
]
VECTORS = [
    "x",
    "y",
    "x * y",
    "x * x",
    "x.sum() * y",
    "y.sum() * x",
    "x * y.sum() + x",
    "x + y",
    "x - y",
    "B @ x",
    "B.T @ x",
    "B @ y",
    "B @ B @ x",
    "x * (B @ x)",
    "(x @ B @ x) * x",
    "(B * B) @ x",
    "torch.diagonal(B)",
    "B.sum(0)",
    "B.sum(1)",
    "x * B.sum(0)",
    "x.sum() * B.sum(0)",
    "x ** 2 * x.sum()",
    "x * (x ** 2).sum()",
]
MATRICES = [
    "B",
    "B.T",
    "B @ C",
    "C @ B",
    "B @ C.T",
    "B * C",
    "B * C.T",
    "torch.outer(x, y)",
    "torch.outer(y, x)",
    "torch.outer(x, x)",
    "torch.outer(y, y)",
    "torch.diag(x)",
    "torch.diag(x) @ B",
    "B @ torch.diag(x)",
    "B.T * x",
    "torch.diag(x * y)",
    "torch.outer(x, torch.ones(B.shape[0]))",
    "torch.outer(torch.ones(B.shape[0]), x)",
    "torch.outer(B @ x, y)",
    "torch.outer(x, B @ y)",
    "torch.outer(y, B @ x)",
    "torch.outer(B @ y, x)",
    "torch.outer(x, y) @ B",
]
APART = [pair for group in (DIFFERENT, VECTORS, MATRICES) for pair in combinations(group, 2)]


def test_two_functions_have_two_keys() -> None:
    nodes = {text: node_of(text, SHAPES) for group in (DIFFERENT, VECTORS, MATRICES) for text in group}
    confused = [(a, b) for a, b in APART if key(nodes[a]) == key(nodes[b])]
    assert confused == []


SYMMETRIC = {
    "B.T @ B": True,
    "B + B.T": True,
    "B @ C @ B.T": False,
    "B @ (C + C.T) @ B.T": True,
    "torch.outer(x, x)": True,
    "torch.diag(x)": True,
    "torch.outer(x, y) + torch.outer(y, x)": True,
    "torch.outer(x, y)": False,
    "B": False,
    "B @ B": False,
    "torch.outer(x, y) + torch.outer(z, t)": False,
    "torch.outer(x, torch.ones(x.shape[0]))": False,
    "torch.eye(x.shape[0])": True,
    "torch.outer(B @ x, B @ x)": True,
    "torch.outer(B @ x, x)": False,
    "B * C": False,
    "B * B.T": True,
}


@pytest.mark.parametrize("case", SYMMETRIC)
def test_is_symmetric(case: str) -> None:
    shapes = "x: n, y: n, z: n, t: n, B: n n, C: n n"
    assert is_symmetric(node_of(case, shapes)) is SYMMETRIC[case]


# ---- patterns -----------------------------------------------------------------------------------------------------

PATTERN_SAME = {
    "x @ B @ x": ("x @ B.T @ x", "x @ C @ x", "x @ X @ x"),
    "x @ B @ y": ("y @ C.T @ x", "x @ A.T @ z", "z @ A @ x"),
    "(A @ x - z) @ (A @ x - z)": ("(B @ x - y) @ (B @ x - y)",),
    "x @ B @ C @ x": ("x @ C @ B @ x", "x @ B.T @ C.T @ x", "x @ B.T @ C @ x"),
    "torch.outer(x, y) @ z": (),
}
PATTERN_DIFFERENT = [
    "x @ B @ x",
    "x @ B @ B @ x",
    "x @ B.T @ B @ x",
    "x @ B @ C @ x",
    "x @ y",
    "(x @ y) ** 2",
    "(x @ y) * (x @ C.sum(0))",
    "x @ B @ y",
    "(x * y) @ x",
    "x @ x",
    "x @ B @ x + x @ y",
    "x @ B @ x + x @ B @ y",
    "t * (x @ x)",
    "x.sum()",
    "x * y",
    "y.sum() * x",
    "x.sum() * y",
    "(x @ y) * x",
    "(x @ x) * y",
    "B @ x",
    "torch.outer(x, y)",
    "torch.outer(y, x)",
]


@pytest.mark.parametrize(("one", "other"), [(a, b) for a, others in PATTERN_SAME.items() for b in others])
def test_pattern_forgets_names_and_orientation_of_constants(one: str, other: str) -> None:
    found = [pattern(node_of(text, SHAPES), "x") for text in (one, other)]
    assert found[0] is not None and found[1] is not None and found[0].key == found[1].key


def test_orientation_counts_for_the_key_but_not_for_the_pattern() -> None:
    straight, turned = node_of("x @ B @ y", SHAPES), node_of("x @ B.T @ y", SHAPES)
    assert key(straight) != key(turned)
    quadratic, transposed = node_of("x @ B @ x", SHAPES), node_of("x @ B.T @ x", SHAPES)
    assert pattern(quadratic, "x").key == pattern(transposed, "x").key  # type: ignore[union-attr]


def test_patterns_of_different_functions_differ() -> None:
    keys = {text: pattern(node_of(text, SHAPES.replace("z: m", "z: n")), "x").key for text in PATTERN_DIFFERENT}  # type: ignore[union-attr]
    confused = [(a, b) for a, b in combinations(keys, 2) if keys[a] == keys[b]]
    assert [pair for pair in confused if pair != ("torch.outer(x, y)", "torch.outer(y, x)")] == []


@pytest.mark.parametrize(
    ("one", "other"), [("x @ B @ B @ x", "x @ B @ C @ x"), ("(x - y) @ B @ (x - y)", "(x - y) @ B @ (x - C[0])")]
)
def test_repeated_constants_bind_to_one_thing(one: str, other: str) -> None:
    found = [pattern(node_of(text, SHAPES), "x") for text in (one, other)]
    assert found[0].key != found[1].key  # type: ignore[union-attr]


def test_the_constants_of_two_patterns_correspond() -> None:
    one = pattern(node_of("x @ B @ C.T @ y", SHAPES), "x")
    other = pattern(node_of("y @ X @ B.T @ x", SHAPES), "x")  # B := Bᵀᵀ … in another order
    assert one is not None and other is not None and one.key == other.key
    assert len(one.constants) == len(other.constants) == 3
    assert [c.shape for c in one.constants] == [c.shape for c in other.constants]


def test_no_pattern_without_the_variable_and_with_too_many_alike() -> None:
    assert pattern(node_of("x @ y", SHAPES), "t") is None
    names = "abcdeghk"
    alike = product([(leaf("x", ("n",)), (0,)), *((leaf(c, ("n",)), (0,)) for c in names)], (), ())
    assert pattern(alike, "x") is None


# ---- random ones --------------------------------------------------------------------------------------------------

POOL: list[Node] = [
    leaf("x", ("n",)),
    leaf("y", ("n",)),
    leaf("B", ("n", "n")),
    leaf("C", ("n", "n")),
    leaf("t", ()),
    basis("n", 0),
    delta("n"),
    add([(1, leaf("B", ("n", "n"))), (2, leaf("C", ("n", "n")))], ("n", "n")),
]

Drawn = tuple[list[tuple[Node, tuple[int, ...]]], int]


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    """Factors over up to five labels, and how many of the labels are kept."""
    count = draw(st.integers(1, 5))
    factors = [draw(st.sampled_from(POOL)) for _ in range(draw(st.integers(1, 6)))]
    drawn = [(f, tuple(draw(st.integers(0, count - 1)) for _ in f.shape)) for f in factors]
    return drawn, draw(st.integers(0, min(2, count)))


def made(drawn: Drawn, names: list[int] | None = None, order: list[int] | None = None) -> Node:
    factors, rank = drawn
    names = names or list(range(9))
    order = order or list(range(len(factors)))
    return product(
        [(factors[k][0], tuple(names[i] for i in factors[k][1])) for k in order], ("n",) * rank, names[:rank]
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graphs(), st.randoms(use_true_random=False))
def test_key_does_not_depend_on_order_or_names(drawn: Drawn, random: object) -> None:
    names, order = list(range(9)), list(range(len(drawn[0])))
    random.shuffle(names)  # type: ignore[attr-defined]
    random.shuffle(order)  # type: ignore[attr-defined]
    assert key(made(drawn)) == key(made(drawn, names, order))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(graphs(), graphs())
def test_equal_keys_have_equal_values(one: Drawn, other: Drawn) -> None:
    """Beside the other graph: every rewiring of one output label of the first."""
    generator = torch.Generator().manual_seed(0)
    values = {p.name: torch.rand([4] * len(p.shape), generator=generator, dtype=torch.float64) + 0.5 for p in POOL[:5]}  # type: ignore[attr-defined]
    candidates = [made(other)]
    factors, rank = one
    for k, (factor, labels) in enumerate(factors):
        for at in range(len(labels)):
            moved = (*labels[:at], (labels[at] + 1) % 5, *labels[at + 1 :])
            candidates.append(made(([*factors[:k], (factor, moved), *factors[k + 1 :]], rank)))
    node = made(one)
    right = evaluate(node, values, {"n": 4})
    for candidate in candidates:
        if candidate.shape == node.shape and key(candidate) == key(node):
            assert torch.allclose(evaluate(candidate, values, {"n": 4}), right)


def test_numbers_are_part_of_the_key() -> None:
    assert key(number(2)) != key(number(3))
    assert key(number(1, ("n",))) != key(number(1, ("m",)))


@pytest.mark.parametrize("body", ["torch.tril(A)", "torch.triu(A, 1) * A", "torch.exp(torch.tril(A))"])
def test_matrices_that_are_no_products_have_keys(body: str) -> None:
    """Triangles and selections are factors of their own transposes."""
    node = node_of(body, "A: n n")
    assert key(node) == key(node_of(body, "A: n n")) != key(transpose(node))
