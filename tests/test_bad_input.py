"""Inputs and functions for which there is no derivative, or none that can be checked: each is named, none gets a formula
that isn't so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic import capture, report
from matmagic.calling import float64
from matmagic.capture import parse, run
from matmagic.errors import ResultError
from matmagic.options import Options

RANDOM = "gives different results on the same inputs"


def check(cell: str, setup: str = "", **options: Any) -> report.Report:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    parsed = parse(cell)
    subject = capture.subject(parsed, names, outcome=run(parsed, names))
    return report.check(subject, Options(**options))


@pytest.mark.parametrize(
    "body, said",
    [
        ("(x * float('nan')).sum()", "not finite"),
        ("(x / 0).sum()", "not finite"),
        ("torch.log(-x * x).sum()", "not finite"),
        ("torch.logdet(torch.outer(x, x) - torch.outer(x, x))", "not finite"),
        ("torch.linalg.inv(torch.outer(x, x)).sum()", "without a right digit"),
        ("torch.logdet(torch.outer(x, x))", "without a right digit"),
        ("f(x) + 1", "calls itself without end"),
        ("(x * 1j).sum()", "complex128"),
        ("x.long().sum()", "int64"),
        ("x.argmax()", "int64"),
        ("x > 0", "bool"),
        ("(x // 1).sum()", "can't differentiate"),
    ],
)
def test_what_has_no_derivative_is_refused(body: str, said: str) -> None:
    with pytest.raises(ResultError, match=said):
        check(f"def f(x): return {body}")


@pytest.mark.parametrize(
    "body",
    [
        "F.dropout(x, 0.5).sum()",
        "(x * torch.randn(x.shape)).sum()",
        "(x ** 2).sum() + torch.rand(())",
        "(F.gumbel_softmax(x) ** 2).sum()",
        "(torch.bernoulli(torch.sigmoid(x)) * x).sum()",
        "x.sum() * __import__('random').random()",
        "x.sum() * float(__import__('numpy').random.rand())",
        "(x * torch.distributions.Normal(0.0, 1.0).sample(x.shape)).sum()",
    ],
)
def test_random_functions_are_named(body: str) -> None:
    found = check(f"def f(x): return {body}")
    (derivative,) = found
    assert derivative.code is None and derivative.text is None and not derivative.verdict.autograd_ok
    assert RANDOM in derivative.verdict.text
    assert any(RANDOM in note.text for note in found.notes) and not found.passed


def test_a_function_that_counts_its_calls_is_named() -> None:
    found = check("seen = []\ndef f(x):\n    seen.append(1)\n    return x.sum() * len(seen)")
    assert found["x"].code is None and RANDOM in found["x"].verdict.text


@pytest.mark.parametrize(
    "setup, cell, code, said",
    [
        ("x = torch.zeros(4)", "def f(x): return x.norm()", "x / torch.linalg.norm(x)", "kink"),
        ("x = torch.zeros(4)", "def f(x): return x.abs().sum()", "torch.sign(x)", "kink"),
        ("x = torch.ones(3)", "def f(x): return x.max()", "F.one_hot(x.argmax(), len(x)).double()", "kink"),
        ("x = torch.tensor([1., float('nan')])", "def f(x): return x @ x", "2 * x", "NaN or infinite"),
        ("x = torch.tensor([1., float('inf')])", "def f(x): return x @ x", "2 * x", "NaN or infinite"),
        ("x = torch.ones(3) * 1e30", "def f(x): return torch.exp(x).sum()", "torch.exp(x)", "NaN or infinite"),
        ("x = torch.empty(0)", "def f(x): return x @ x", "2 * x", "nothing to differentiate"),
        ("x = torch.tensor([1 + 1j, 2])", "def f(x): return (x.abs() ** 2).sum()", "2 * x", "complex"),
        ("x = torch.tensor([1, 2, 3])", "def f(x): return (x ** 2).sum()", "2 * x", "integer tensors"),
        (
            "A = torch.eye(3)",
            "def f(A): return torch.linalg.eigvalsh(A)[-1]",
            "torch.outer(torch.linalg.eigh(A)[1][:, -1], torch.linalg.eigh(A)[1][:, -1])",
            "kink",
        ),
    ],
)
def test_values_of_the_notebook_that_are_no_draw(setup: str, cell: str, code: str, said: str) -> None:
    """The formula stays, and it is said why the notebook's values don't count."""
    found = check(cell, setup)
    (derivative,) = found
    assert derivative.verdict.ok and derivative.code
    assert any(said in note.text for note in found.notes), found.notes
    value = torch.randn(5, 5 if "A" in derivative.variable else 1, dtype=torch.float64).squeeze()
    names = {"torch": torch, "F": F, derivative.variable: value}
    with float64():
        assert torch.allclose(eval(derivative.code, dict(names)), eval(code, dict(names)))


def test_a_formula_that_the_notebooks_values_do_not_allow() -> None:
    """det A is smooth at a singular A, where A⁻¹ is not defined; a claim in these terms is right all the same."""
    claim = "expected = torch.linalg.det(A) * torch.linalg.inv(A).T"
    found = check("def f(A): return torch.linalg.det(A)\n" + claim, "A = torch.zeros(3, 3)")
    assert found["A"].verdict.ok and found["A"].code
    assert found.claims[0].verdict in ("correct", "undecided")


@pytest.mark.parametrize("size", ["1e-3", "1.0", "1e3"])
def test_a_stationary_point_is_no_kink(size: str) -> None:
    found = check("def f(x): return (x ** 2).sum() + (x ** 4).sum()", f"x = 0 * torch.ones(3) * {size}")
    assert "the notebook's values" in found["x"].verdict.text
    assert not any("kink" in note.text for note in found.notes)


def test_a_wrong_branch_at_the_notebooks_values_still_counts() -> None:
    """Values at which f is smooth, but another function, leave it without a formula."""
    cell = "def f(x): return (x ** 2).sum() if x.sum() < 500 else (x ** 3).sum()"
    found = check(cell, "x = torch.full((3,), 300.0)")
    assert found["x"].code is None


CONSTANT = """(X - X.mean()).sum()|(X - X.mean(0)).sum()|(X - X.mean(0)).sum(0)|X.softmax(-1).sum()|x @ x / x.norm() ** 2
(x / x.norm()).norm()|((x - x.mean()) / x.std()).pow(2).sum()|torch.trace(X @ torch.linalg.inv(X))|F.layer_norm(x, x.shape).sum()
x @ A @ x - x @ A.T @ x|torch.log(x.exp().sum()) - x.logsumexp(0)|torch.trace(X @ torch.linalg.pinv(X))
(torch.cosh(x) ** 2 - torch.sinh(x) ** 2).sum()|torch.cat([x, -x]).sum()""".replace("\n", "|")


@pytest.mark.parametrize("body", CONSTANT.split("|"))
def test_a_function_that_is_constant_up_to_rounding(body: str) -> None:
    arguments = ["X"] if "X" in body else ["x", "A"] if "A" in body else ["x"]
    zero, other = f"torch.zeros_like({arguments[0]})", f"1e-9 * torch.ones_like({arguments[0]})"
    found = check(f"def f({', '.join(arguments)}): return {body}", wrt=(arguments[0],), claims=(zero, other, "0"))
    (derivative,) = found
    assert derivative.text == "0" and derivative.code is not None
    assert any(note.text == f"f does not depend on {arguments[0]}" for note in found.notes)
    right = "wrong" if ".sum(0)" in body else "correct"  # of a vector-valued one the zeros have three indices
    assert [claim.verdict for claim in found.claims] == [right, "wrong", "correct"]


def test_what_is_zero_on_all_draws_is_not_taken_for_zero() -> None:
    for body in ("torch.relu(x - 5).sum()", "torch.relu(x - 100).sum()", "(x > 50).double() @ x", "x.sum() * y * z"):
        found = check(f"def f(x, y, z): return {body} + 0 * y * z", wrt=("x",), assume={"y": "binary", "z": "binary"})
        assert found["x"].text != "0", body


NOT_CONSTANT = [
    ("1e20 + x.sum()", "1"),
    ("1e-13 * x.sum() + (x - x.mean()).sum()", "1e-13"),
    ("1e-12 * (x @ x)", "2e-12 * x"),
]


@pytest.mark.parametrize("body, gradient", NOT_CONSTANT)
def test_what_is_small_beside_the_rest_is_not_nothing(body: str, gradient: str) -> None:
    claims = check(f"def f(x): return {body}", claims=("torch.zeros_like(x)", f"{gradient} + 0 * x")).claims
    assert [claim.verdict for claim in claims] == ["wrong", "correct"]


@pytest.mark.parametrize(
    "body, said",
    [
        (
            "x.sum() if len(x) < 20 else (x.sin().sum() - x.flip(0).sin().cumsum(0)[-1]) * 7",
            "f is another function at n = 24",
        ),
        ("x[0] * x[1] * x[2] if len(x) > 2 else x.sum() * 0", "f is another function at n = "),
        ("x[2:].exp().sum()", ""),
        ("(x[2:] - 2 * x[1:-1] + x[:-2]).pow(2).sum()", "f is another function at n = 1"),
    ],
)
def test_sizes_at_which_f_is_another_function_are_told(body: str, said: str) -> None:
    found = check(f"def f(x): return {body}")
    assert any(said in note.text for note in found.notes), found.notes


def test_sizes_at_which_f_is_singular_are_replaced() -> None:
    """XᵀX has an inverse where X is tall."""
    found = check("def f(X): return torch.logdet(X.T @ X)")
    assert found["X"].verdict.ok and found["X"].text == "2 X (Xᵀ X)⁻¹"
