"""Grades of answers: the corpus, every kind of answer, sentences, counterexamples; the oracle is autograd."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic.asked import Asked
from matmagic.autograd import derivative_of
from matmagic.capture import Subject, parse, run, subject, subject_of
from matmagic.claims import claim_of_option
from matmagic.counterexamples import entries
from matmagic.grading import Grade, grade_claim, grade_claims
from matmagic.options import Options
from matmagic.report import Report, gradcheck
from matmagic.shapes import find_shapes

CORPUS = tomllib.loads((Path(__file__).parent / "corpus" / "claims_open.toml").read_text())["claim"]


def asked(cell: str, name: str = "f") -> Subject:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(cell, names)
    return subject_of(names[name], names)


def grade(cell: str, claim: str, variable: str = "x", order: int = 1, right: str | None = None, **given: Any) -> Grade:
    about, options = asked(cell), Options(**given)
    shapes = find_shapes(about, options)
    question = Asked(about, shapes, options.assume, options)
    return grade_claim(question, variable, order, claim_of_option(claim, about), right, None)


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["id"])
def test_corpus(case: dict[str, Any]) -> None:
    about = asked(case["cell"], case.get("fn", "f"))
    options = Options(shapes={n: s or "()" for n, s in case["shapes"].items()}, assume=case.get("assume", {}))
    shapes = find_shapes(about, options)
    claim = claim_of_option(case["claim"], about)
    question = Asked(about, shapes, options.assume, options)
    found = grade_claim(question, case["wrt"], case["order"], claim, case.get("right"), None)
    assert found.verdict == case["verdict"]
    assert found.why in (case["why"], *case.get("also", []))
    assert found.condition == case.get("condition")
    if found.counterexample and found.value_only is False:
        truth = derivative_of(about, found.counterexample, case["wrt"], case["order"])
        value = torch.as_tensor(claim.evaluate(found.counterexample))
        assert value.shape != truth.shape or not torch.allclose(value.double(), truth, atol=1e-4)


QUADRATIC = "def f(x, A): return x.T @ A @ x"


def test_sentence_of_the_first_page() -> None:
    found = grade(QUADRATIC, "2 * A @ x", right="(A + Aᵀ) x")
    assert found.sentence == (
        "Your answer 2 * A @ x is right only if A is symmetric: it is (A + Aᵀ) x in general. "
        "It fails at A = [[0, 1], [0, 0]], x = [1, 1]."
    )
    assert list(found.counterexample) == ["A", "x"] and found.counterexample["x"].shape == (2, 1)


@pytest.mark.parametrize(
    "claim, sentence",
    [
        ("(A + A.T) @ x", "Your answer (A + A.T) @ x is right."),
        (
            "-(A + A.T) @ x",
            "Your answer -(A + A.T) @ x is wrong: the sign is wrong; it is G. "
            "It fails at x = [1, 1], A = [[0, 1], [0, 0]].",
        ),
        (
            "x.T @ (A + A.T)",
            "Your answer x.T @ (A + A.T) is wrong: its shape is (1, n) in place of (n, 1); it is G.",
        ),
    ],
)
def test_sentences(claim: str, sentence: str) -> None:
    assert grade(QUADRATIC, claim, right="G").sentence == sentence


def test_hint_does_not_tell_the_formula() -> None:
    found = grade(QUADRATIC, "A @ x", right="(A + Aᵀ) x")
    assert found.hint == "A term is missing." and "(A + Aᵀ) x" in found.sentence


RIDGE = "def f(w, X, y, lam): return ((X @ w - y) ** 2).sum() + lam * (w @ w)"
ENTROPY = "def f(z, y): return -(y * F.log_softmax(z, 0)).sum()"
REASONS = [
    (RIDGE, "2 * X.T @ (X @ w - y) + lam * w", "w", "missing-term"),
    (RIDGE, "2 * X.T @ (X @ w - y) - 2 * lam * w", "w", "missing-term"),
    (RIDGE, "2 * X.T @ X @ w + 2 * lam * w", "w", "missing-term"),
    (RIDGE, "X.T @ (X @ w - y) + lam * w", "w", "factor"),
    ("def f(X, A, B): return torch.trace(A @ X @ B @ X)", "(A @ X @ B).T", "X", "missing-term"),
    ("def f(x, A): return torch.exp(-x @ A @ x)", "-(A + A.T) @ x", "x", "factor"),
    ("def f(x): return torch.sin(x).sum() + x.sum()", "torch.sin(x)", "x", "wrong-function"),
    ("def f(x): return (x ** 3).sum()", "x ** 2", "x", "factor"),
    ("def f(x): return (x ** 3).sum()", "3 * x", "x", "wrong-function"),
    ("def f(x, A): return A @ torch.exp(x)", "A", "x", "wrong-function"),
    (
        "def f(x): return torch.softmax(x, 0)",
        "torch.diag(torch.softmax(x, 0))",
        "x",
        "missing-term wrong-function",
    ),
    (
        "def f(x): return torch.exp(torch.sin(x))",
        "torch.exp(torch.sin(x)) * torch.cos(x)",
        "x",
        "shape/layout",
    ),
    (QUADRATIC, "((A + A.T) @ x).reshape(-1)", "x", "shape/layout"),
    (QUADRATIC, "(A + A.T) @ x @ torch.ones(1, 2)", "x", "shape/layout"),
    (QUADRATIC, "x @ A", "x", "shape/layout"),
    ("def f(X): return torch.trace(X @ X @ X)", "3 * X @ X", "X", "transposed"),
    ("def f(x, y): return x ** 2 + 3 * x * y", "2 * x", "x", "missing-term"),
]


@pytest.mark.parametrize("cell, claim, variable, why", REASONS)
def test_reasons(cell: str, claim: str, variable: str, why: str) -> None:
    found = grade(cell, claim, variable, shapes={"x": "n"} if "exp(torch.sin" in cell else {})
    assert found.verdict in ("wrong", "correct-if")
    assert found.why in why.split() or (found.why == "condition-needed" and "X @ X" in claim), found


SQUARES = "def f(x, A, b): return ((A @ x - b) ** 2).sum()"

CONDITIONS = [
    ("def f(x): return torch.norm(x)", "x", "x", "x unit"),
    ("def f(x): return x.abs().sum()", "torch.ones_like(x)", "x", "x positive"),
    (ENTROPY, "torch.softmax(z, 0) - y", "z", "y simplex"),
    ("def f(x, Q): return (Q @ x) @ (Q @ x)", "2 * x", "x", None),
    ("def f(X): return torch.linalg.slogdet(X)[1]", "torch.inverse(X)", "X", "X symmetric"),
    ("def f(x, A): return torch.exp(-x @ A @ x)", "-2 * torch.exp(-x @ A @ x) * A @ x", "x", "A symmetric"),
    (SQUARES, "2 * A.T @ A @ (x - torch.inverse(A.T @ A) @ A.T @ b)", "x", "m > n"),
    (SQUARES, "2 * A.T @ A @ (x - torch.linalg.pinv(A) @ b + 1)", "x", None),
]


@pytest.mark.parametrize("cell, claim, variable, condition", CONDITIONS)
def test_conditions(cell: str, claim: str, variable: str, condition: str | None) -> None:
    found = grade(cell, claim, variable)
    assert found.condition == condition
    assert found.verdict == ("correct-if" if condition else "wrong")


def test_a_square_matrix_may_be_orthogonal() -> None:
    cell = "def f(x, Q): return (Q @ x) @ (Q @ x)"
    assert grade(cell, "2 * x", shapes={"x": "n", "Q": "n,n"}).condition == "Q orthogonal"


def test_a_property_that_makes_the_question_empty_does_not_count() -> None:
    found = grade(QUADRATIC, "0 * x")
    assert found.verdict == "wrong" and found.condition is None


def test_a_branch_is_not_hidden_by_a_property() -> None:
    cell = "def f(x): return F.smooth_l1_loss(x, torch.zeros_like(x), reduction='sum', beta=0.1)"
    assert grade(cell, "torch.sign(x)").verdict == "wrong"


WRONG = [
    ("def f(x): return (1.38e-23 * x) @ x", "-2 * 1.38e-23 * x"),
    ("def f(x): return 1 + (1e-20 * x) @ x", "1e-20 * x"),
    ("def f(x): return torch.softmax(x, 0).sum()", "1e-15 * x"),
    ("def f(x): return x @ x", "2 * x * 1.0001"),
    ("def f(x): return x @ x", "2.0000001 * x"),
    ("def f(x): return x @ x", "2 * x + 0 / (x - x)"),
    ("def f(x): return x @ x", "2 * x[:0]"),
    ("def f(x): return x @ x", "2 * x.reshape(-1, 1)"),
    ("def f(x): return torch.relu(x).sum()", "torch.sigmoid(1e2 * x)"),
    ("def f(x): return torch.clamp(x, max=2.0).sum()", "torch.ones_like(x)"),
    ("def f(x): return x @ x", "2 * torch.clamp(x, -50, 50)"),
    ("def f(x): return x @ x", "2 * x * (x.abs() > 1e-3)"),
    ("def f(x): return torch.exp(x).sum()", "torch.exp(torch.clamp(x, max=30))"),
    ("def f(x): return (x * x).sum()", "2 * x * (x.abs() < 60)"),
]


@pytest.mark.parametrize("cell, claim", WRONG)
def test_a_wrong_answer_is_never_correct(cell: str, claim: str) -> None:
    assert grade(cell, claim).verdict != "correct"


def test_a_right_answer_to_a_vanishing_gradient() -> None:
    assert grade("def f(x): return torch.softmax(x, 0).sum()", "0 * x").verdict == "correct"


LARGE = [  # where exponentials overflow, saturate or lose digits
    ("def f(x): return F.softplus(x).sum()", "torch.exp(x) / (1 + torch.exp(x))"),
    ("def f(x): return torch.tanh(x).sum()", "1 / torch.cosh(x) ** 2"),
    ("def f(x): return torch.logsumexp(x, 0)", "torch.exp(x) / torch.exp(x).sum()"),
    (
        "def f(x): return torch.softmax(x, 0)",
        "torch.diag(torch.softmax(x, 0)) - torch.outer(torch.softmax(x, 0), torch.softmax(x, 0))",
    ),
    ("def f(x, y): return torch.exp(-((x - y) ** 2).sum())", "-2 * torch.exp(-((x - y) ** 2).sum()) * (x - y)"),
    ("def f(x): return torch.erf(x).sum()", "2 / torch.pi ** 0.5 * torch.exp(-x * x)"),
    (
        "def f(x): return F.gelu(x).sum()",
        "0.5 * (1 + torch.erf(x / 2 ** 0.5)) + x * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5",
    ),
    ("def f(x): return torch.log1p(x * x).sum()", "2 * x / (1 + x * x)"),
    ("def f(x): return x / x.norm()", "torch.eye(len(x)) / x.norm() - torch.outer(x, x) / x.norm() ** 3"),
    (
        "def f(X): return torch.logdet(torch.eye(len(X)) + X @ X.T)",
        "2 * torch.inverse(torch.eye(len(X)) + X @ X.T) @ X",
    ),
    ("def f(x): return torch.prod(x)", "torch.prod(x) / x"),
    ("def f(X, A): return torch.logdet(X + A)", "torch.inverse(X + A).T"),
    ("def f(x, A): return torch.log(x @ A @ x)", "(A + A.T) @ x / (x @ A @ x)"),
    ("def f(x): return F.logsigmoid(x).sum()", "1 - torch.sigmoid(x)"),
    ("def f(x): return F.binary_cross_entropy_with_logits(x, torch.ones_like(x))", "(torch.sigmoid(x) - 1) / len(x)"),
]


@pytest.mark.parametrize("cell, claim", LARGE)
def test_a_right_answer_may_lose_digits_where_arguments_are_large_or_tiny(cell: str, claim: str) -> None:
    assert grade(cell, claim, "X" if "X" in cell else "x").verdict == "correct"


# --------------------------------------------------------------------------- beyond the draws


BOUNDED = [  # a bound beyond the draws, and the answer that leaves it out
    ("def f(x): return x.clamp(min=-100).sum()", "torch.ones_like(x)"),
    ("def f(x): return x.clamp(max=1e8).sum()", "torch.ones_like(x)"),
    ("def f(x): return (x ** 2).clamp(max=1e4).sum()", "2x"),
    ("def f(x): return (x ** 3).clamp(max=1e6).sum()", "3 * x ** 2"),
    ("def f(x): return torch.exp(x).clamp(max=1e20).sum()", "torch.exp(x)"),
    ("def f(x): return torch.maximum(x, torch.tensor(-100.0)).sum()", "torch.ones_like(x)"),
    ("def f(x): return x.clamp(-1e3, 1e3).sum()", "torch.ones_like(x)"),
    ("def f(x): return torch.relu(x + 200).sum()", "torch.ones_like(x)"),
    ("def f(x): return torch.relu(0.001 * x + 1).sum()", "0.001 * torch.ones_like(x)"),
    ("def f(x, A): return torch.relu(A @ x + 5000).sum()", "A.sum(0)"),
    ("def f(x, y): return torch.relu(x / y + 1e4).sum()", "1 / y"),
    ("def f(x, y): return F.huber_loss(x, y, delta=1e3)", "(x - y) / len(x)"),
    ("def f(x, y): return F.smooth_l1_loss(x, y, beta=1e-3)", "torch.sign(x - y) / len(x)"),
    ("def f(x): return x.norm().clamp(max=1e3) ** 2", "2 * x"),
    ("def f(x): return (x / x.norm().clamp(min=1e-2)).sum()", "1 / x.norm() - x * x.sum() / x.norm() ** 3"),
    ("def f(x): return (x / x.norm().clamp(min=1e-3)).sum()", "1 / x.norm() - x * x.sum() / x.norm() ** 3"),
    ("def f(x): return F.threshold(x, -300, 0).sum()", "torch.ones_like(x)"),
    ("def f(x): return F.hardshrink(x, 1e-3).sum()", "torch.ones_like(x)"),
]


@pytest.mark.parametrize("cell, claim", BOUNDED)
def test_an_answer_that_leaves_out_a_bound_is_wrong(cell: str, claim: str) -> None:
    (found,) = checked(cell, claim).claims
    assert found.verdict == "wrong" and "it is another function where the arguments are" in found.sentence
    assert "; it is " in found.sentence


SPELLED = [  # right ones, which overflow or lose digits far from the draws, beside numbers of unusual size in the code
    ("def f(x): return x.clamp(min=-100).sum()", "(x > -100) * torch.ones_like(x)"),
    ("def f(x): return (x ** 2).clamp(max=1e4).sum()", "2 * x * (x.abs() < 100)"),
    ("def f(x): return x.norm().clamp(max=1e3) ** 2", "2 * x * (x.norm() < 1e3)"),
    ("def f(x): return F.normalize(x, dim=0).sum()", "1 / x.norm() - x * x.sum() / x.norm() ** 3"),
    ("def f(x): return F.softplus(0.01 * x).sum()", "0.01 * torch.exp(0.01 * x) / (1 + torch.exp(0.01 * x))"),
    ("def f(x): return torch.tanh(5 * x).sum()", "5 / torch.cosh(5 * x) ** 2"),
    ("def f(x): return torch.logsumexp(20 * x, 0) / 20", "torch.exp(20 * x) / torch.exp(20 * x).sum()"),
    ("def f(x): return torch.sqrt(1e-4 + x ** 2).sum()", "x * (1e-4 + x ** 2) ** -0.5"),
    (
        "def f(x): return torch.sqrt(16 + x * x).sum() - x.sum()",
        "(x - torch.sqrt(16 + x * x)) / torch.sqrt(16 + x * x)",
    ),
    ("def f(x): return (x - torch.sin(5 * x) / 5).sum()", "2 * torch.sin(2.5 * x) ** 2"),
    ("def f(x): return torch.log(5 + x @ x)", "2 * x / (x @ x + 5)"),
    ("def f(x): return (1 / (1 + torch.exp(-7 * x))).sum()", "7 * torch.sigmoid(7 * x) * torch.sigmoid(-7 * x)"),
    (
        "def f(X): return torch.logdet(5 * torch.eye(X.shape[1]) + X.T @ X)",
        "2 * torch.inverse(5 * torch.eye(X.shape[0]) + X @ X.T) @ X",
    ),
    (
        "def f(X): return torch.logdet(0.01 * torch.eye(X.shape[0]) + X @ X.T)",
        "2 * X @ torch.inverse(0.01 * torch.eye(X.shape[1]) + X.T @ X)",
    ),
    (
        "def f(x, A, b): return ((A @ x - b) ** 2).sum() + 0.01 * x @ x",
        "2 * (A.T @ A + 0.01 * torch.eye(len(x))) @ x - 2 * A.T @ b",
    ),
    ("def f(x, y): return F.huber_loss(x, y, delta=1e3)", "torch.clamp(x - y, -1e3, 1e3) / len(x)"),
    ("def f(x): return torch.erf(10 * x).sum()", "20 / torch.pi ** 0.5 * torch.exp(-100 * x * x)"),
    ("def f(x): return torch.atan(100 * x).sum()", "100 / (1 + 1e4 * x ** 2)"),
    ("def f(x): return (x ** 7).sum() / 7 + 4 * x.sum()", "x ** 6 + 4"),
]


@pytest.mark.parametrize("cell, claim", SPELLED)
def test_a_right_answer_stays_right_where_bounds_are_met_or_digits_lost(cell: str, claim: str) -> None:
    (found,) = checked(cell, claim).claims
    assert found.verdict == "correct", found.sentence


def test_no_property_makes_an_answer_right_that_leaves_out_a_bound() -> None:
    for cell, claim, verdict in (
        ("def f(x): return torch.log(x.clamp(min=1e-3)).sum()", "1 / x", "wrong"),
        ("def f(x): return x.clamp(0, 500).sum()", "torch.ones_like(x)", "wrong"),
        ("def f(x): return x.clamp(min=0).sum()", "torch.ones_like(x)", "correct-if"),
    ):
        (found,) = checked(cell, claim).claims
        assert found.verdict == verdict, found.sentence


def test_a_right_answer_stays_right_where_f_itself_loses_digits() -> None:
    def nll(w, X, y):  # type: ignore[no-untyped-def]
        return F.binary_cross_entropy(torch.sigmoid(X @ w), y, reduction="sum")

    def neuron(w, x, b):  # type: ignore[no-untyped-def]
        return 1 / (1 + torch.exp(-(w @ x + b)))

    for f, assume, right, wrong in (
        (
            nll,
            {"y": "binary"},
            "X.T @ (torch.sigmoid(X @ w) - y)",
            "X.T @ (torch.sigmoid(X @ w) - y) * (w.abs().max() > 1e-3)",
        ),
        (neuron, {}, "torch.sigmoid(w @ x + b) * (1 - torch.sigmoid(w @ x + b)) * x", "torch.sigmoid(w @ x + b) * x"),
    ):
        report = gradcheck(f, wrt="w", assume=assume, claim=right)
        assert report.claims[0].verdict == "correct", report.claims[0].sentence
        assert gradcheck(f, wrt="w", assume=assume, claim=wrong).claims[0].verdict != "correct"


def checked(cell: str, claim: str) -> Report:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(cell, names)
    return gradcheck(names["f"], wrt="X" if "X" in cell else "x", claim=claim)  # type: ignore[no-any-return]


def test_a_formula_that_fails_elsewhere_too_is_not_offered() -> None:
    (found,) = checked("def f(x): return x.sum() if x.norm() < 100 else 2 * x.sum()", "torch.ones_like(x)").claims
    assert found.sentence == "Your answer 𝟏 is wrong: f is another function where the arguments are large."


BEYOND = [  # f is finite without the property that draws are given, where the answer is another function
    ("def f(x, y): return (torch.log(x * y) + x.abs()).sum()", "1 / x + torch.sign(x)", "correct", None),
    ("def f(x, y): return (torch.log(x * y) + x.abs()).sum()", "1 / x + 1", "correct-if", "x positive"),
    (
        "def f(x, y): return torch.log(torch.outer(x, y)).sum() + x.norm(1)",
        "len(y) / x + 1",
        "correct-if",
        "x positive",
    ),
    ("def f(x, y): return torch.sqrt(x * y).sum()", "(y / x).sqrt() / 2", "correct-if", "x positive"),
    ("def f(x, y): return torch.sqrt(x * y).sum()", "y.sqrt() / x.sqrt() / 2", "correct", None),
    (
        "def f(x, A, b): return x.sum() - torch.log(b.abs() * b - A @ x).sum() + x.norm(1)",
        "1 + A.T @ (1 / (b * b - A @ x)) + torch.sign(x)",
        "wrong",
        None,
    ),
    ("def f(x, y): return (torch.log(x * y) + (x * y).abs()).sum()", "1 / x + y", "correct", None),
    ("def f(x): return torch.log(x).sum() + x.norm(1)", "1 / x + 1", "correct", None),
    (
        "def f(x, y, S): return (torch.log(x * y) + x.abs()).sum() + torch.linalg.cholesky(S).sum()",
        "1 / x + 1",
        "correct-if",
        "x positive",
    ),
]


@pytest.mark.parametrize("cell, claim, verdict, condition", BEYOND)
def test_an_answer_is_tried_wherever_f_is_finite(cell: str, claim: str, verdict: str, condition: str | None) -> None:
    report = checked(cell, claim)
    (found,) = report.claims
    assert (found.verdict, found.condition) == (verdict, condition), found.sentence
    if found.counterexample:
        at = {name: value.double() for name, value in found.counterexample.items()}
        assert torch.isfinite(report(**at)).all(), found.sentence


ZEROS = [
    ("def f(x): return torch.softmax(x, 0).sum()", "0", "correct"),
    ("def f(x): return torch.softmax(x, 0).sum()", "0.0", "correct"),
    ("def f(x): return torch.round(x)", "0", "correct"),
    ("def f(x): return torch.softmax(x, 0).sum()", "1", "wrong"),
    ("def f(x): return torch.softmax(x, 0).sum()", "torch.zeros(2, 2)", "wrong"),
    ("def f(x): return x @ x", "0", "wrong"),
    ("def f(x): return x.sum()", "1", "wrong"),
]


@pytest.mark.parametrize("cell, claim, verdict", ZEROS)
def test_the_number_0_is_the_zero_of_any_shape(cell: str, claim: str, verdict: str) -> None:
    assert grade(cell, claim).verdict == verdict


STACKED = [
    ("torch.kron(B.T.contiguous(), A)", "It is the matrix of vec(df) = J vec(dX), but its shape"),
    ("torch.kron(A, B.T.contiguous())", "It has the right numbers, but its shape is"),
    ("torch.kron(B.T.contiguous(), 2 * A)", "Its shape is"),
]


@pytest.mark.parametrize("claim, hint", STACKED)
def test_a_derivative_of_a_matrix_laid_out_as_a_matrix(claim: str, hint: str) -> None:
    (found,) = checked("def f(A, X, B): return A @ X @ B", claim).claims
    assert (found.verdict, found.why) == ("wrong", "shape/layout") and found.hint.startswith(hint), found.hint


# --------------------------------------------------------------------------- cells


def grades(cell: str, setup: str = "", wrt: tuple[str, ...] = ()) -> tuple[Grade, ...]:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    read = parse(cell)
    about = subject(read, names, None, run(read, names))
    options = Options()
    shapes = find_shapes(about, options)
    order = 2 if any(c.kind == "hessian" for c in about.claims) else 1
    variables = wrt or about.returned_grads or about.parameters
    return grade_claims(Asked(about, shapes, {}, options), [(v, order) for v in variables], about.claims)


COLUMNS = "A = torch.randn(2, 2); x, y = (torch.randn(2, 1, requires_grad=True) for _ in range(2))"
BACKWARD = "def grad_f(A, x, y):\n    f = x.T @ A @ y\n    f.backward()\n    return x.grad, y.grad\n"


def test_answers_in_a_cell_in_backward_style() -> None:
    found = grades(BACKWARD + "expected_grad_x = A @ y\nexpected_grad_y = A @ x\n", COLUMNS)
    assert [(g.variable, g.verdict, g.line) for g in found] == [("x", "correct", 5), ("y", "wrong", 6)]


def test_a_jacobian_of_a_function_that_reads_a_matrix() -> None:
    cell = "def f(x): return A @ x\nexpected_jacobian = A\n"
    (found,) = grades(cell, "A = torch.randn(2, 3); x = torch.randn(3, 1)")
    assert found.verdict == "correct" and not found.value_only


def test_a_claim_without_a_variable_is_graded_against_all() -> None:
    cell = "def f(x, A, y): return x.T @ A @ y\nexpected_gradient = A.T @ x\n"
    (found,) = grades(cell, COLUMNS)
    assert (found.variable, found.verdict) == ("y", "correct")
    assert found.sentence == "Your answer A.T @ x is right for y."


def test_a_claim_in_numbers_is_graded_at_the_notebooks_values() -> None:
    setup = "A = torch.eye(2); x = torch.tensor([[1.0], [2.0]])"
    for numbers, verdict in (("[[2.0], [4.0]]", "correct"), ("[[2.0], [3.0]]", "wrong")):
        cell = f"def f(x, A): return x.T @ A @ x\nexpected_gradient = torch.tensor({numbers})\n"
        (found,) = grades(cell, setup, ("x",))
        assert found.verdict == verdict and (found.value_only or verdict == "wrong")


def test_a_claim_with_sizes_of_its_own_is_graded_at_these() -> None:
    cell = "def f(x, A): return x.T @ A @ x\nexpected_gradient = (A + A.T) @ x + torch.zeros(2, 1)\n"
    (found,) = grades(cell, "A = torch.eye(2); x = torch.tensor([[1.0], [2.0]])", ("x",))
    assert found.verdict == "correct" and found.value_only and "at the notebook's sizes" in found.sentence


def test_a_claim_that_fails_is_undecided() -> None:
    cell = "def f(x, A): return x.T @ A @ x\nexpected_gradient = foo @ x\n"
    (found,) = grades(cell, COLUMNS, ("x",))
    assert found.verdict == "undecided" and "NameError: name 'foo' is not defined" in found.sentence


def test_right_only_where_sizes_are_equal() -> None:
    found = grade("def f(X, A): return (A * X).sum()", "A + A.T - A.T", "X")
    assert found.verdict == "wrong" and found.hint.endswith("It is right only where all sizes are equal.")


@pytest.mark.parametrize(
    "value, text",
    [
        ([[1.0], [2.0]], "[1, 2]"),
        ([[1.0, 2.0]], "[1, 2]"),
        ([[0.0, 1.0], [0.5, 0.0]], "[[0, 1], [0.5, 0]]"),
        (2.0, "2"),
    ],
)
def test_entries(value: Any, text: str) -> None:
    assert entries(torch.tensor(value)) == text
