"""torch.autograd.Functions: a wrong backward is caught and its place named, a right one passes; the oracle is the row itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic import capture
from matmagic.capture import parse, run
from matmagic.errors import ResultError
from matmagic.options import Options
from matmagic.report import Report, check

CLASS = """
class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, {inputs}):
        ctx.save_for_backward({inputs})
        return {value}
    @staticmethod
    def backward(ctx, g):
        {inputs}, = ctx.saved_tensors
        {backward}
def f({inputs}): return {result}
"""
SQUARE = {"inputs": "x", "value": "x ** 2", "result": "(3 * Own.apply(x)).sum()", "shapes": {"x": "n"}}
PRODUCT = {"inputs": "x, y", "value": "x * y", "result": "(Own.apply(x, y) ** 2).sum()", "shapes": {"x": "n", "y": "n"}}
LINEAR = {
    "inputs": "A, x",
    "value": "A @ x",
    "result": "(Own.apply(A, x) ** 2).sum()",
    "shapes": {"A": "m,n", "x": "n"},
}
EVEN = {**LINEAR, "shapes": {"A": "n,n", "x": "n"}}
VALUED = {**LINEAR, "result": "Own.apply(A, x)"}


def checked(text: str, shapes: dict[str, str], order: int = 1, **options: Any) -> Report:
    names: dict[str, Any] = {"torch": torch, "F": F}
    cell = parse(text)
    outcome = run(cell, names)
    return check(capture.subject(cell, names, outcome=outcome), Options(shapes=shapes, order=order, **options))


def own(kind: dict[str, Any], backward: str, **options: Any) -> Report:
    return checked(CLASS.format(backward=backward, **kind), kind["shapes"], **options)


GIVES = r"entry \({}\): backward gives (\S+), differences give (\S+)"
WRONG = [  # what f is, its backward, the variable that is wrong, where, and how far off the entry is
    (SQUARE, "return 4 * x * g", "x", r"\d", 2.0),
    (SQUARE, "return 2.02 * x * g", "x", r"\d", 1.01),
    (SQUARE, "return 2.0002 * x * g", "x", r"\d", 1.0001),
    (SQUARE, "r = 2 * x * g; r[0] *= 0.99; return r", "x", "0", 0.99),
    (SQUARE, "return -2 * x * g", "x", r"\d", -1.0),
    (SQUARE, "return 2 * x", "x", r"\d", 1 / 3),
    (SQUARE, "return torch.where(x > 0, 2 * x, 1.9 * x) * g", "x", r"\d", 0.95),
    (SQUARE, "return torch.where(x > 1.5, 2.5 * x, 2 * x) * g", "x", r"\d", 1.25),  # met by one of the draws
    (SQUARE, "return (2 * x * g).half()", "x", r"\d", None),
    (PRODUCT, "return y * g, 2 * x * g", "y", r"\d", 2.0),
    (PRODUCT, "return x * g, y * g", "x", r"\d", None),
    (EVEN, "return torch.outer(x, g), A.T @ g", "A", r"\d, \d", None),
    (EVEN, "return torch.outer(g, x), A @ g", "x", r"\d", None),
    (LINEAR, "r = torch.outer(g, x); r[3, 0] *= 0.99; return r, A.T @ g", "A", "3, 0", 0.99),
    (VALUED, "r = A.T @ g; r[1] *= 0.99; return torch.outer(g, x), r", "x", r"\d, 1", 0.99),
]


@pytest.mark.parametrize("kind, backward, variable, place, factor", WRONG)
def test_wrong_backward_is_placed(
    kind: dict[str, Any], backward: str, variable: str, place: str, factor: float | None
) -> None:
    report = own(kind, backward)
    found = report[variable]
    assert not found.verdict.ok and not found.verdict.autograd_ok and found.code is None and not report.passed
    said = re.search(GIVES.format(place), found.verdict.text)
    assert said is not None, found.verdict.text
    assert said[1] != said[2]
    if factor is not None:
        assert float(said[1]) / float(said[2]) == pytest.approx(factor, rel=2e-3)


FAILING = [
    (SQUARE, "return None", "x", "the backward of Own returns None for it"),
    (PRODUCT, "return y * g, None", "y", "the backward of Own returns None for it"),
    (SQUARE, "return (2 * x * g).sum()", "x", "the backward of Own returns shape [] for its first input"),
    (
        LINEAR,
        "return torch.outer(x, g), A.T @ g",
        "A",
        "returns shape [4, 3] for its first input, which has shape [3, 4]",
    ),
    (PRODUCT, "return y * g", "x", "the backward of Own returns an incorrect number of gradients"),
]


def test_a_backward_that_raises_without_a_word() -> None:
    with pytest.raises(ResultError, match="NotImplementedError"):
        own(PRODUCT, "raise NotImplementedError")


@pytest.mark.parametrize("kind, backward, variable, said", FAILING)
def test_backward_without_a_gradient_is_named(kind: dict[str, Any], backward: str, variable: str, said: str) -> None:
    report = own(kind, backward)
    found = report[variable]
    assert said in found.verdict.text and not found.verdict.autograd_ok and not report.passed


RIGHT = [
    (SQUARE, "return 2 * x * g"),
    (PRODUCT, "return y * g, x * g"),
    (LINEAR, "return torch.outer(g, x), A.T @ g"),
    (VALUED, "return torch.outer(g, x), A.T @ g"),
]


@pytest.mark.parametrize("kind, backward", RIGHT)
def test_right_backward_passes(kind: dict[str, Any], backward: str) -> None:
    report = own(kind, backward)
    assert report.passed and len(list(report)) == len(kind["shapes"])
    assert all(d.verdict.autograd_ok and "agrees with finite differences" in d.verdict.text for d in report)


def test_the_other_input_of_a_wrong_backward_is_right() -> None:
    report = own(PRODUCT, "return y * g, 2 * x * g")
    assert report["x"].verdict.autograd_ok and not report["y"].verdict.autograd_ok


@pytest.mark.parametrize("claim, verdict", [("6 * x", "correct"), ("12 * x", "wrong")])
def test_answers_to_a_right_backward_are_graded(claim: str, verdict: str) -> None:
    assert own(SQUARE, "return 2 * x * g", claims=(claim,)).claims[0].verdict == verdict


@pytest.mark.parametrize("claim", ["6 * x", "12 * x"])
def test_no_answer_is_graded_against_a_wrong_backward(claim: str) -> None:
    (grade,) = own(SQUARE, "return 4 * x * g", claims=(claim,)).claims
    assert grade.verdict == "undecided" and "differences give" in grade.sentence


@pytest.mark.parametrize(
    "backward, narrow",
    [
        ("return (2 * x * g).float()", True),
        ("return (2 * x * g).to(torch.float32).to(x.dtype)", True),
        ("return 2 * x.float() * g.float()", True),
        ("return 2 * x * g", False),
        ("return 2 * x.to(x.dtype) * g", False),
    ],
)
def test_a_backward_in_float32_is_said(backward: str, narrow: bool) -> None:
    report = own(SQUARE, backward)
    notes = [note.text for note in report.notes if note.kind == "precision"]
    assert any("backward of Own has float32's digits" in note for note in notes) == narrow


@pytest.mark.parametrize(
    "backward, fine",
    [
        ("return 2 * x * g", True),
        ("return 2 * x.detach() * g", False),
        ("return (x + x.detach()) * g", False),
    ],
)
def test_double_backward(backward: str, fine: bool) -> None:
    """The gradient is right in all of them, the Hessian in the first."""
    assert own(SQUARE, backward)["x"].verdict.autograd_ok
    found = own(SQUARE, backward, order=2)["x"]
    assert found.verdict.autograd_ok == fine
    assert fine or re.search(GIVES.format(r"(\d), \1"), found.verdict.text)


OF_TORCH = [
    "torch.linalg.eigvalsh(S)[-1]",
    "torch.linalg.eigvalsh(S)",
    "(torch.linalg.eigvalsh(S) ** 3).sum()",
    "torch.linalg.eigh(S)[1].abs().sum()",
    "(lambda w, V: (V * torch.exp(w)) @ V.T)(*torch.linalg.eigh(S))",
    "torch.linalg.cholesky(S)",
    "torch.linalg.cholesky(S).diagonal().log().sum()",
    "torch.cholesky_inverse(torch.linalg.cholesky(S)).sum()",
    "torch.linalg.svdvals(S).sum()",
    "torch.logdet(S)",
    "torch.linalg.solve(S, S @ S).sum()",
    "torch.linalg.lstsq(S, S).solution.sum()",
    "torch.linalg.matrix_exp(S)",
    "torch.linalg.pinv(S)",
]


@pytest.mark.parametrize("body", OF_TORCH)
@pytest.mark.parametrize("prop", ["positive-definite", "symmetric"])
def test_torchs_own_pass(body: str, prop: str) -> None:
    """Symmetric directions where one triangle is read."""
    if prop == "symmetric" and ("cholesky" in body or "logdet" in body):
        prop = "positive-definite"
    report = checked(f"def f(S): return {body}", {"S": "n,n"}, assume={"S": prop})
    assert report["S"].verdict.autograd_ok, report["S"].verdict.text
