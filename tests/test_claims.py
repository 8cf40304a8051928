"""Claims as text: what is read equals what Python computes, and what is not on the lists is refused."""

from __future__ import annotations

import math
import time

import pytest
import torch
import torch.nn.functional as F

from matmagic.capture import subject_of
from matmagic.claims import claim_of_option, parse_claim
from matmagic.errors import OptionError
from matmagic.options import Options
from matmagic.report import check

torch.manual_seed(0)
VALUES = {
    "x": torch.randn(4, dtype=torch.float64),
    "A": torch.randn(4, 4, dtype=torch.float64),
    "c": torch.randn(4, 1, dtype=torch.float64),
    "lam": torch.tensor(0.3, dtype=torch.float64),
}

READ = [
    "2 * A @ x",
    "(A + A.T) @ x",
    "-x",
    "+x / 3",
    "x ** 2 - 1e-3",
    "x ** -0.5 if False else x" if False else "(x * x) ** 0.5",
    "torch.outer(x, x)",
    "torch.linalg.inv(A).T @ x",
    "torch.linalg.solve(A, c)",
    "torch.nn.functional.softmax(x, dim=0)",
    "F.softmax(x, dim=0)",
    "torch.einsum('ij,j->i', A, x)",
    "torch.eye(A.shape[0]) * torch.trace(A)",
    "torch.stack([x, 2 * x])",
    "torch.where(x > 0, x, 0 * x)",
    "A[0, 1:3]",
    "x[None, :]",
    "A[..., 0]",
    "x.sum() * torch.ones_like(x)",
    "A.T.reshape(-1)",
    "(x > 0).double()",
    "torch.sigmoid(x) * (1 - torch.sigmoid(x))",
    "2 / len(x) * x",
    "torch.exp(-x.pow(2).sum())",
    "c.mT @ A",
    "lam * x",
    "x.size(0) * x",
    "torch.pi * x",
    "torch.norm(A, p='fro')",
    "1",
    "math.sqrt(2 * math.pi) * x + math.e",
    "torch.eye(A.shape[0]).to(A) - (A > 0).to(x)",
    "x.to(torch.float64)",
    "x.new_tensor([2.0, 1.0])",
    "torch.linalg.svd(A, full_matrices=False).U @ torch.linalg.svd(A, full_matrices=False).Vh",
    "torch.linalg.svd(A).S",
    "torch.special.ndtr(x) + torch.special.i0(x) + torch.asinh(x) + torch.sort(x).values",
    "(v1 := A @ x, v2 := v1 + x, v1 @ v2)[-1]",
    "(v1 := x, v1)[-1].mul(v1)",
]


@pytest.mark.parametrize("text", READ)
def test_reads_as_python_does(text: str) -> None:
    found = parse_claim(text, tuple(VALUES))(VALUES)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        expected = eval(text, {"torch": torch, "F": F, "math": math, **VALUES})
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))


REFUSED = [
    ("__import__('os').system('ls')", r"\.system\(\) can't stand"),
    ("__import__('os')", "only functions of torch and F"),
    ("open('f')", "only functions of torch and F"),
    ("x.__class__", "__class__ can't stand"),
    ("x.data", r"\.data can't stand"),
    ("x.grad", r"\.grad can't stand"),
    ("x.T.grad", r"\.grad can't stand"),
    ("torch.load('f')", r"torch\.load can't stand"),
    ("torch.save(x, 'f')", r"torch\.save can't stand"),
    ("torch.autograd.grad(x, x)", r"\.grad\(\) can't stand"),
    ("torch.func.grad(f)(x)", "only functions of torch and F"),
    ("torch.os.system('ls')", r"\.system\(\) can't stand"),
    ("torch.linalg.__dict__", "can't stand"),
    ("torch.exp", "can't stand"),
    ("F.torch", "can't stand"),
    ("x @ os", "os is no argument of the function"),
    ("y @ A", "y is no argument of the function"),
    ("lan * x", r"did you mean lam\?"),
    ("torch.sofmax(x, 0)", r"did you mean softmax\?"),
    ("(lambda: 0)()", "only functions of torch and F"),
    ("lambda: 0", "Lambda can't stand"),
    ("[i for i in x]", "ListComp can't stand"),
    ("x if x else x", "IfExp can't stand"),
    ("(y := x)", "NamedExpr can't stand"),
    ("(x := A, x)[-1]", "x has a meaning already"),
    ("(torch := A, torch)[-1]", "torch has a meaning already"),
    ("(v := A, v := x, v)[-1]", "v has a meaning already"),
    ("v + (v := x, v)[-1]", "v is no argument of the function"),
    ("(v := x.data, v)[-1]", r"\.data can't stand"),
    ("x.to('cuda')", "a device can't stand"),
    ("x.to(device='meta')", "a device can't stand"),
    ("math.factorial(9)", r"math\.factorial can't stand"),
    ("math.__dict__", "can't stand"),
    ("f'{x}'", "JoinedStr can't stand"),
    ("~x", "'~' can't stand"),
    ("x and x", "BoolOp can't stand"),
    ("x.add_(1)", r"\.add_\(\) can't stand"),
    ("torch.exp(x, out=x)", "out can't stand"),
    ("torch.exp(**x)", r"\*\* can't stand"),
    ("x.item()", r"\.item\(\) can't stand"),
    ("1e300", "too large"),
    ("2 *", "the formula ends too early"),
    ("", "the formula ends too early"),
    ("x = 2", "= can't stand here"),
    ("import os", "import is no argument of the function"),
    ("torch.exp(x", "not a Python expression"),
    ("torch.exp(x) y", "not a Python expression"),
    ("x + " * 600 + "x", "characters"),
    ("(" * 90 + "x" + ")" * 90 + "+" * 90 + "x", "nested too deeply"),
]


@pytest.mark.parametrize("text, message", REFUSED)
def test_refuses_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_claim(text, tuple(VALUES))


def test_refusal_shows_the_place() -> None:
    with pytest.raises(OptionError) as caught:
        parse_claim("A @ foo", tuple(VALUES))
    assert str(caught.value).splitlines()[1:] == ["  A @ foo", "      ^"]


KRON = "torch.kron(A, A)"
for _ in range(3):
    KRON = f"torch.kron({KRON}, {KRON})"


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9",
        "x ** 100",
        "torch.ones(10 ** 6, 10 ** 6)",
        "torch.eye(10 ** 9)",
        "torch.diag(torch.ones(100000))",
        "torch.ones(100000).diag_embed()",
        "torch.diag_embed(torch.ones(1000, 1000))",
        "torch.diagflat(torch.ones(1000, 1000))",
        "x.expand(10 ** 9, 4)",
        "x.repeat(10 ** 6, 10 ** 6)",
        "'a' * 10 ** 9",
        "[x] * 10 ** 9",
        "[1, 2] + [3]",
        KRON,
    ],
)
def test_evaluation_is_bounded(text: str) -> None:
    start = time.thread_time()
    with pytest.raises(OptionError, match=r"too large|only tensors and numbers"):
        parse_claim(text, tuple(VALUES))(VALUES)
    assert time.thread_time() - start < 1


def test_names_that_shadow_modules_are_arguments() -> None:
    evaluate = parse_claim("2 * F", ("F",))
    assert torch.equal(evaluate({"F": VALUES["x"]}), 2 * VALUES["x"])


def test_a_claim_of_an_option_evaluates_like_one_of_the_cell() -> None:
    names = {"x": torch.tensor([1.0, 2.0])}
    exec("def f(x, k=3.0): return k * (x @ x)", names)
    claim = claim_of_option("2 * k * x", subject_of(names["f"], names))
    assert claim.evaluate({"x": torch.ones(2)}).tolist() == [6, 6]
    assert claim.value().tolist() == [6, 12] and claim.variable is None and claim.line is None


# ---- graded alike ---------------------------------------------------------------------------------------------------

QUADRATIC = ("def f(x, A): return x @ A @ x", {"x": "n", "A": "n,n"})
COLUMN = ("def f(x, A): return x.T @ A @ x", {"x": "n,1", "A": "n,n"})
LEAST = ("def f(x, A, b): return ((A @ x - b) ** 2).sum()", {"x": "n", "A": "m,n", "b": "m"})
LOGISTIC = ("def f(w, X, y): return F.softplus(X @ w).sum() - y @ X @ w", {"w": "n", "X": "m,n", "y": "m"})
TRACE = ("def f(X, A): return torch.trace(X @ A)", {"X": "m,n", "A": "n,m"})
TRACES = ("def f(X, A): return torch.trace(X) * torch.trace(A)", {"X": "n,n", "A": "n,n"})
MEAN = ("def f(x): return x.mean()", {"x": "n"})
NORM = ("def f(x): return x.norm()", {"x": "n"})
LINEAR = ("def f(x, A): return A @ x", {"x": "n", "A": "m,n"})

# function, variable, and claims that say the same: torch, on paper, LaTeX
ALIKE = [
    (QUADRATIC, "x", "(A + A.T) @ x", ["(A + A')x", "Ax + Aᵀx", "(A+A^T) x"], [r"(A + A^{\top}) x"]),
    (QUADRATIC, "x", "2 * A @ x", ["2Ax", "2 A x"], [r"2 A x", r"2\,A\,\mathbf{x}"]),
    (QUADRATIC, "x", "-(A + A.T) @ x", ["−(A + Aᵀ) x"], [r"-\left(A + A^{\top}\right) x"]),
    (QUADRATIC, "x", "(A + A.T) @ x / 2", ["½(A + A')x"], [r"\tfrac12 (A+A^\top)x"]),
    (QUADRATIC, "x", "A @ x", ["A x"], [r"A \mathbf{x}"]),
    (COLUMN, "x", "(A + A.T) @ x", ["(A + Aᵀ)x"], [r"(A + A^T)x"]),
    (COLUMN, "x", "x.T @ (A + A.T)", ["xᵀ(A + Aᵀ)", "x'(A + A')"], [r"x^{\top}(A + A^{\top})"]),
    (LEAST, "x", "2 * A.T @ (A @ x - b)", ["2Aᵀ(Ax − b)", "2 A^T A x - 2 A^T b"], [r"2 A^{\top} (A x - b)"]),
    (LEAST, "x", "2 * (A @ x - b)", ["2(Ax − b)"], [r"2(Ax-b)"]),
    (LEAST, "x", "2 * A.T @ A @ x", ["2AᵀAx"], [r"2 A^{\top} A x"]),
    (LEAST, "A", "2 * torch.outer(A @ x - b, x)", ["2(A x − b) xᵀ", "2(Ax-b)x'"], [r"2 (A x - b) x^{\top}"]),
    (LEAST, "A", "2 * torch.outer(x, A @ x - b)", ["2x(A x − b)ᵀ"], [r"2 x (A x - b)^{\top}"]),
    (LOGISTIC, "w", "X.T @ (torch.sigmoid(X @ w) - y)", ["Xᵀ(σ(X w) − y)"], [r"X^\top(\sigma(Xw) - y)"]),
    (LOGISTIC, "w", "X.T @ (y - torch.sigmoid(X @ w))", ["X'(y - sigmoid(Xw))"], [r"X^\top(y-\sigma(Xw))"]),
    (TRACE, "X", "A.T", ["A'", "Aᵀ", "A^T"], [r"A^{\top}"]),
    (TRACE, "X", "A", ["1 A"], [r"\mathbf{A}"]),
    (TRACES, "X", "torch.trace(A) * torch.eye(len(A))", ["tr(A) I", "tr(A) I_n"], [r"\operatorname{tr}(A)\, I"]),
    (MEAN, "x", "torch.ones_like(x) / len(x)", ["𝟏 / n", "1/n 𝟏", "𝟏_n/n"], [r"\frac{1}{n} \mathbf{1}"]),
    (MEAN, "x", "torch.ones_like(x)", ["𝟏"], [r"\mathbf{1}"]),
    (NORM, "x", "x / x.norm()", ["x / ‖x‖", "x/||x||"], [r"\frac{x}{\lVert x \rVert}", r"\frac{x}{\|x\|_2}"]),
    (NORM, "x", "x / x.norm() ** 2", ["x/‖x‖²"], [r"\frac{x}{\|x\|^2}"]),
    (LINEAR, "x", "A", ["2A/2"], [r"\mathbf{A}"]),
    (LINEAR, "x", "A.T", ["A'"], [r"A^{\top}"]),
]  # fmt: skip


@pytest.mark.parametrize("function, variable, code, paper, tex", ALIKE)
def test_a_claim_is_graded_alike_in_every_language(
    function: tuple[str, dict[str, str]], variable: str, code: str, paper: list[str], tex: list[str]
) -> None:
    cell, shapes = function
    names = {"torch": torch, "F": F}
    exec(cell, names)
    claims = (code, *paper, *tex)
    report = check(subject_of(names["f"], names), Options(wrt=(variable,), shapes=shapes, claims=claims))
    first = report.claims[0]
    for claim, grade in zip(claims, report.claims, strict=True):
        assert (grade.verdict, grade.why, grade.condition) == (first.verdict, first.why, first.condition), claim
        assert (grade.edit is None) == (first.edit is None)
        assert grade.edit is None or claim in grade.edit
        assert claim == code or f"Your answer {claim} is" in grade.sentence
        assert grade.hint == first.hint or grade.why == "shape/layout"


def test_the_mended_answer_can_be_read() -> None:
    names = {"torch": torch, "F": F}
    exec(QUADRATIC[0], names)
    subject = subject_of(names["f"], names)
    for claim in ("−(A + Aᵀ) x", r"\frac12 (A + A^{\top}) x", "½(A + A')x"):
        (grade,) = check(subject, Options(wrt=("x",), shapes=QUADRATIC[1], claims=(claim,))).claims
        (mended,) = check(subject, Options(wrt=("x",), shapes=QUADRATIC[1], claims=(str(grade.edit),))).claims
        assert grade.verdict == "wrong" and mended.verdict == "correct"


@pytest.mark.parametrize(
    "function, shapes, claim, verdict",
    [
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "A dX B", "correct"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, r"A\, \mathrm{d}X\, B", "correct"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "2 A dX B", "wrong"),
        ("A @ X @ B", {"X": "m,n", "A": "m,m", "B": "n,n"}, "Aᵀ dX B", "correct-if"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "df = A dX B", "correct"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "vec(df) = (Bᵀ ⊗ A) vec(dX)", "correct"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "Bᵀ ⊗ A", "correct"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "A ⊗ Bᵀ", "wrong"),
        ("A @ X @ B", {"X": "m,n", "A": "k,m", "B": "n,p"}, "(A ⊗ Bᵀ) vec(dX)", "wrong"),
        ("X @ A", {"X": "m,n", "A": "n,p"}, r"A^T \otimes I", "correct"),
        ("X @ A", {"X": "m,n", "A": "n,p"}, "(A' ⊗ I) vec(dX)", "correct"),
        ("X @ A", {"X": "m,n", "A": "n,p"}, "(I ⊗ A') vec(dX)", "wrong"),
        ("X.T", {"X": "m,n"}, "K_{m,n}", "correct"),
        ("X.T", {"X": "m,n"}, "K_{n,m}", "wrong"),
        ("X @ a", {"X": "m,n", "a": "n"}, "aᵀ ⊗ I", "correct"),
        ("X @ X", {"X": "n,n"}, "dX X + X dX", "correct"),
        ("X @ X", {"X": "n,n"}, "2 X dX", "wrong"),
        ("torch.trace(A @ X)", {"X": "m,n", "A": "n,m"}, "tr(A dX)", "correct"),
        ("torch.trace(A @ X)", {"X": "m,n", "A": "n,m"}, "A'", "correct"),
        ("X @ A @ X.T", {"X": "1,n", "A": "n,n"}, "(A + Aᵀ) X", "correct"),
        ("X @ A @ X.T", {"X": "1,n", "A": "n,n"}, "X(A + Aᵀ)", "correct"),
        ("X @ A @ X.T", {"X": "1,n", "A": "n,n"}, "2 A X", "correct-if"),
    ],
)
def test_differentials_and_rows(function: str, shapes: dict[str, str], claim: str, verdict: str) -> None:
    names = {"torch": torch}
    exec(f"def f({', '.join(shapes)}): return {function}", names)
    (grade,) = check(subject_of(names["f"], names), Options(wrt=("X",), shapes=shapes, claims=(claim,))).claims
    assert grade.verdict == verdict, grade.sentence


def test_what_both_languages_read_is_code() -> None:
    """A * x is entry by entry in torch; where it is no torch code, the shapes say what it is."""
    A, x = VALUES["A"], VALUES["x"]
    assert torch.equal(parse_claim("A * x", ("A", "x"))(VALUES), A * x)
    assert torch.equal(parse_claim("x ** 2", ("x",))(VALUES), x * x)
    assert torch.allclose(parse_claim("A^T*x", ("A", "x"))(VALUES, lambda: (4,)), A.T @ x)
    assert torch.allclose(parse_claim("A^2", ("A",))(VALUES, lambda: (4, 4)), A @ A)
    with pytest.raises(OptionError, match="is no argument of the function"):
        parse_claim("Az", ("A", "x"))
