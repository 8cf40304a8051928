"""Answers: what their names say, and their values for other arguments, without touching the notebook."""

from __future__ import annotations

from typing import Any

import founding
import pytest
import torch
from torch import Tensor

from matmagic.capture import Claim, Subject, parse, run, subject
from matmagic.errors import CellError

X = torch.tensor([[2.0], [3.0]], dtype=torch.float64)
A = torch.tensor([[1.0, 5.0], [7.0, 2.0]], dtype=torch.float64)


def captured(cell: str, **names: Any) -> Subject:
    """What a cell gives in a notebook that holds torch and the names."""
    notebook = {"torch": torch, **names}
    parsed = parse(cell)
    return subject(parsed, notebook, outcome=run(parsed, notebook))


def answer(cell: str, **names: Any) -> Claim:
    return captured("def f(x, A): return x.T @ A @ x\n" + cell, **names).claims[-1]


NAMES = {  # answer -> variable, kind
    "expected": (None, None),
    "expected_gradient": (None, "gradient"),
    "expected_grad": (None, "gradient"),
    "expected_gradients": (None, "gradient"),
    "expected_jacobian": (None, "jacobian"),
    "expected_hessian": (None, "hessian"),
    "expected_grad_x": ("x", "gradient"),
    "expected_grad_X": ("x", "gradient"),  # the only argument so called, but for case
    "expected_gradient_wrt_A": ("A", "gradient"),
    "expected_hess_x": ("x", "hessian"),
    "expected_jac_x": ("x", "jacobian"),
    "expected_A": ("A", None),
    "expected_grad_f": (None, "gradient"),
    "expected_gradient_2": (None, "gradient"),
    "expected_result": (None, None),
    "expectedly": (None, None),
}


@pytest.mark.parametrize("name", NAMES)
def test_name_tells_variable_and_kind(name: str) -> None:
    claim = answer(f"{name} = 2 * 3")
    assert (claim.variable, claim.kind) == NAMES[name]
    assert (claim.text, claim.line, claim.name) == ("2 * 3", 2, name)


@pytest.mark.parametrize("name", ["expected_gradient_y", "expected_grad_z", "expected_jacobian_wrt_B", "expected_y"])
def test_a_name_that_is_no_argument_is_asked_about(name: str) -> None:
    with pytest.raises(CellError, match=rf"{name}: f has no argument {name[-1]}\n  it has x, A"):
        answer(f"{name} = 2 * 3")


def test_a_name_near_to_an_argument_is_proposed() -> None:
    with pytest.raises(CellError, match=r"f has no argument thetta \(did you mean theta\?\)"):
        captured("def f(theta): return theta @ theta\nexpected_gradient_thetta = 2 * theta")


def test_a_parameter_of_a_module_by_its_last_name() -> None:
    claim = captured("def f(x): return lin(x).sum()\nexpected_grad_weight = 0", lin=torch.nn.Linear(2, 1)).claims[0]
    assert claim.variable == "lin.weight"


def test_both_cases_of_a_letter_are_two_arguments() -> None:
    claims = captured("def f(x, X): return x @ X\nexpected_grad_x = 1\nexpected_grad_X = 2").claims
    assert [c.variable for c in claims] == ["x", "X"]


FUNCTIONS = {
    "def grad_f(x, A): return (A + A.T) @ x": ("grad_f(x, A)", "gradient"),
    "def f_grad(A, *, x): return (A + A.T) @ x": ("f_grad(A, x)", "gradient"),
    "grad_f = lambda A, x: (A + A.T) @ x": ("grad_f(A, x)", "gradient"),
    "def jacobian_f(x, A, c=1.0): return c * (A + A.T) @ x": ("jacobian_f(x, A, c)", "jacobian"),
    "def hessian_f(x, A): return (A + A.T) @ x": ("hessian_f(x, A)", "hessian"),
    "def expected_gradient(x, A): return (A + A.T) @ x": ("expected_gradient(x, A)", "gradient"),
    "expected_grad_x = lambda x, A: (A + A.T) @ x": ("expected_grad_x(x, A)", "gradient"),
}


@pytest.mark.parametrize("cell", FUNCTIONS)
def test_function_as_answer(cell: str) -> None:
    claim = answer(cell)
    assert (claim.text, claim.kind) == FUNCTIONS[cell]
    assert torch.equal(claim.evaluate({"x": X, "A": A}), (A + A.T) @ X)


EVALUATED = [  # cell, its value for X and A
    ("expected = 2 * A @ x", 2 * A @ X),
    ("S = A + A.T\nexpected = S @ x", (A + A.T) @ X),
    ("S = A.clone()\nS += A.T\nexpected = S @ x", (A + A.T) @ X),
    ("u, v = A @ x, A.T @ x\nexpected = u + v", (A + A.T) @ X),
    ("total = 0\nfor M in (A, A.T):\n    total = total + M @ x\nexpected = total", (A + A.T) @ X),
    ("def twice(t): return 2 * t\nexpected = twice(x)", 2 * X),
    ("torch.manual_seed(47)\nx = torch.randn(5, 1)\nc = 3\nexpected = c * x", 3 * X),
    ("expected = A @ x\nexpected = expected + A.T @ x", (A + A.T) @ X),
    ("expected = A @ x\nexpected += A.T @ x", (A + A.T) @ X),
    ("expected_grad_A, expected_grad_x = x @ x.T, 2 * x", 2 * X),
    (
        "B = torch.ones(2, 2)\nexpected = B @ x",
        torch.ones(2, 2, dtype=torch.float64) @ X,
    ),  # lifted to float64
    ("c = 2\nexpected = c * x\nc = 5", 2 * X),  # as it was when the answer was written
    (
        "def h(t): return B @ t\nB = torch.ones(2, 2)\nexpected = h(x)",
        torch.ones(2, 2, dtype=torch.float64) @ X,
    ),
    ("net = torch.nn.Linear(2, 1, bias=False)\nexpected = net.weight.T * 0 + x", X),
]


@pytest.mark.parametrize(("cell", "value"), EVALUATED)
def test_answer_for_other_arguments(cell: str, value: Tensor) -> None:
    claim = answer(cell, x=torch.ones(2, 1), A=torch.eye(2))
    result = claim.evaluate({"x": X, "A": A})
    assert torch.equal(result, value) and result.dtype == torch.float64 and not result.requires_grad


def test_answer_without_the_notebooks_tensors() -> None:
    claim = answer("expected_gradient = 2 * A @ x")
    assert torch.equal(claim.evaluate({"x": X, "A": A}), 2 * A @ X)
    with pytest.raises(CellError, match=r"expected_gradient has no value\n  NameError: name 'A' is not defined"):
        claim.value()


def test_failed_answer_is_not_taken_from_an_earlier_cell() -> None:
    with pytest.raises(CellError, match="ZeroDivisionError: division by zero"):
        answer("expected = 1 / 0", expected=5).value()


def test_answer_that_was_deleted() -> None:
    with pytest.raises(CellError, match=r"expected has no value\n  it is not defined after line 2 has run"):
        answer("expected = 1\ndel globals()['expected']").value()


def test_function_as_answer_needs_its_arguments() -> None:
    claim = answer("def grad_f(x, A, z): return z")
    with pytest.raises(CellError, match="grad_f needs a value for z"):
        claim.evaluate({"x": X, "A": A})


def test_value_is_the_notebooks() -> None:
    claim = answer("expected = 2 * x", x=torch.ones(2, 1))
    assert torch.equal(claim.value(), 2 * torch.ones(2, 1))


MEDDLING = [
    "expected = x.mul_(2)",
    "expected = A.mul_(2) @ x",
    "S = B\nS += x\nexpected = S",
    "S = B\nS.mul_(x)\nexpected = S",
    "L = names\nL.append(x)\nexpected = L[-1]",
    "def h(t):\n    global B\n    B = t\n    return t\nexpected = h(x)",
]


@pytest.mark.parametrize("cell", MEDDLING)
def test_nothing_in_the_notebook_changes(cell: str) -> None:
    held = {"x": torch.ones(2, 1), "A": torch.eye(2), "B": torch.ones(2, 1), "names": []}
    claim = answer(cell, **held)
    notebook = claim.slice.namespace
    before = {n: v.clone() if isinstance(v, Tensor) else str(v) for n, v in notebook.items() if n in held}
    objects = dict(notebook)
    given = X.clone()
    for _ in range(2):
        claim.evaluate({"x": given, "A": A})
    assert torch.equal(given, X)
    assert all(notebook[n] is v for n, v in objects.items()) and notebook.keys() == objects.keys()
    for n, v in before.items():
        assert torch.equal(notebook[n], v) if isinstance(v, Tensor) else str(notebook[n]) == v


def test_default_of_the_function_holds_in_its_answer() -> None:
    claim = captured("def f(x, lam=0.5): return lam * (x ** 2).sum()\nexpected = 2 * lam * x").claims[0]
    assert torch.equal(claim.evaluate({"x": X}), X)


def test_answer_may_use_the_notebooks_own_gradient_function() -> None:
    claim = captured(founding.RULE_3.replace("A @ x + A.T @ x", "grad_f(A, x)")).claims[0]
    assert torch.equal(claim.evaluate({"x": X, "A": A}), (A + A.T) @ X)


def test_answers_are_in_the_order_of_the_cell() -> None:
    cell = "def f(x): return x\nexpected_hessian = 0\ndef grad_f(x): return 1\n"
    cell += "expected = 1\nexpected_hessian = 2"
    assert [(c.name, c.line, c.text) for c in captured(cell).claims] == [
        ("grad_f", 3, "grad_f(x)"),
        ("expected", 4, "1"),
        ("expected_hessian", 5, "2"),
    ]


FOUNDING = [  # rule, answers for A, x and (where there is one) y = 3 x, a = -x, X = x yᵀ
    (founding.RULE_1, [-X]),
    (founding.RULE_2, [A]),
    (founding.RULE_3, [(A + A.T) @ X]),
    (founding.RULE_4, [A @ (3 * X), A.T @ X]),
    (founding.RULE_5.replace("zX", "X"), [-X @ X.T]),
]


@pytest.mark.parametrize(("cell", "expected"), FOUNDING)
def test_founding_answers(cell: str, expected: list[Tensor]) -> None:
    inputs = {"A": A, "x": X, "y": 3 * X, "a": -X, "b": X, "X": X @ X.T}
    claims = captured(cell).claims
    assert len(claims) == len(expected)
    for claim, value in zip(claims, expected, strict=True):
        assert torch.equal(claim.evaluate(inputs), value)
        assert claim.value().dtype == torch.float32
