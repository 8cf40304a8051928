"""What a check shows and what it withholds: cases in which something wrong was once shown, or could be."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
import torch

from matmagic import capture, derivative
from matmagic.errors import OptionError, ResultError
from matmagic.options import Options
from matmagic.report import Report, check, gradcheck


def checked(cell: str, **options: object) -> Report:
    """The report on a cell; torch is known in it."""
    names: dict[str, object] = {"torch": torch}
    parsed = capture.parse(cell)
    outcome = capture.run(parsed, names)
    return check(capture.subject(parsed, names, outcome=outcome), Options(**options))  # type: ignore[arg-type]


NO_FORMULA = {  # cell -> what a note says
    "def f(lam, lambda_, w): return lam * (w @ w) + lambda_ * w.sum()": "lam and lambda_ are written alike",
    "def f(x, tr): return tr * torch.outer(x, x)": "",
    "def f(x): return (x @ x) * (x @ x).item()": "at other sizes or values",
    "def f(x):\n    return x @ x if x.sum() > 0 else x.sum()": "",
    "def f(x): return torch.fft.rfft(x).abs().sum()": "not traced",
}


@pytest.mark.parametrize("cell", NO_FORMULA)
@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_a_formula_is_withheld_and_the_reason_said(cell: str) -> None:
    report = checked(cell)
    assert report["x" if "x" in report.shapes else "w"].text is None
    assert NO_FORMULA[cell] in " ".join(note.text for note in report.notes if note.kind == "limit")


NOT_BACKWARD_STYLE = [
    "f = (x @ x) ** 2\n    f.backward()\n    g = x.sum()\n    g.backward()\n    return x.grad",
    "f = x @ x\n    f.backward(retain_graph=True)\n    f.backward()\n    return x.grad",
    "f = x @ x\n    f.backward()\n    x.grad.zero_()\n    return x.grad",
    "f = x @ x\n    f.backward()\n    return 2 * x.grad",
    "f = x @ x\n    f.backward()\n    return f",
    "return (torch.autograd.grad((x ** 3).sum(), x, create_graph=True)[0] ** 2).sum()",
]


@pytest.mark.parametrize("body", NOT_BACKWARD_STYLE)
def test_what_is_made_of_a_gradient_is_refused(body: str) -> None:
    with pytest.raises(ResultError, match=r"returns something else|is not in backward style"):
        checked(f"def grad_f(x):\n    {body}", shapes={"x": "n"})


STATEMENTS = {  # function -> f as it is shown; None: not shown
    "torch.norm(X.mean(1))": "√(𝟏ᵀ Xᵀ X 𝟏 / m²)",
    "torch.norm(torch.diagonal(X @ X.T))": "‖X^⊙2 𝟏‖",
    "X.reshape(-1)": "vec(Xᵀ)",
    "torch.stack([X, X]).reshape(-1)": None,
    "X.T": "Xᵀ",
    "((X.T @ X - torch.eye(X.shape[1])) ** 2).sum()": "‖Xᵀ X − I‖_F²",
}


@pytest.mark.parametrize("body", STATEMENTS)
def test_what_f_is_said_to_be(body: str) -> None:
    report = checked(f"def f(X): return {body}", shapes={"X": "n,m"})
    assert report.statement_text == (STATEMENTS[body] and f"f(X) = {STATEMENTS[body]}")


@pytest.mark.parametrize("trials", [1, 2, 6])
def test_a_size_is_no_number(trials: int) -> None:
    report = checked("def f(x): return (x ** 2).sum() / x.shape[0]", shapes={"x": "n"}, trials=trials)
    assert report["x"].text == "2 x / n"


def test_fixed_sizes_leave_room_for_the_letters() -> None:
    shapes = {"x": "n", "A": "3,n", "B": "4,3", "C": "5,4", "D": "6,5"}
    report = checked(
        "def f(x, A, B, C, D): return ((D @ C @ B @ A @ x) ** 2).sum() / x.shape[0]", shapes=shapes, wrt=("x",)
    )
    assert report["x"].code is not None and report["x"].code.endswith("/ x.shape[0]")


def test_a_hessian_of_zero_is_no_independence() -> None:
    report = checked("def f(x, A): return x @ A @ x", order=2)
    assert report["A"].text == "0" and not any("depend" in note.text for note in report.notes)
    assert any(
        "does not depend on x" in n.text
        for n in checked("def f(x, a): return a @ a", shapes={"x": "n", "a": "n"}).notes
    )


def test_a_variable_that_is_only_compared_has_derivative_zero() -> None:
    report = checked("def f(x, y): return torch.where(x > 0, y, y ** 2).sum()", shapes={"x": "n", "y": "n"})
    assert report["x"].text == "0" and report["y"].code
    assert any("changes with x in jumps only" in note.text for note in report.notes)
    with pytest.raises(ResultError, match="the graph is cut"):
        checked("def f(x): return (x > 0).double().mean()", shapes={"x": "n"})


CLAIMS = {  # answer to (x @ x), verdict
    "2 * x": "correct",
    "2 * x.float()": "correct",
    "2 * x * (1 + 1e-8)": "wrong",
    "2 * x + 1e-9 * x": "wrong",
    "x / 0": "wrong",
    "x[5]": "wrong",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_grade(claim: str) -> None:
    (grade,) = checked("def f(x): return x @ x", shapes={"x": "n"}, claims=(claim,)).claims
    assert grade.verdict == CLAIMS[claim]


def test_unknown_names_are_refused() -> None:
    for options in ({"assume": {"z": "symmetric"}}, {"wrt": ("z",)}):
        with pytest.raises(OptionError, match="has no such argument"):
            checked("def f(x): return x @ x", **options)
    with pytest.raises(OptionError, match=r"no option 'shape'.*did you mean shapes"):
        gradcheck(lambda x: x @ x, shape="x=n")


ELSEWHERE = {  # function of x: whether it has a formula, and what a note says
    "x[:10].sum()": (False, "is another function at n = 24"),
    "x @ x if len(x) < 50 else x.sum()": (False, "is another function at n = 64"),
    "(x @ x) * min(len(x), 20)": (False, "is another function at n = "),
    "x @ x if len(x) > 2 else x.sum()": (True, "is another function at n = 2; this is for larger sizes"),
    "x.sum() if len(x) > 1 else x.pow(2).sum()": (True, "is another function at n = 1; this is for larger sizes"),
    "x[1:] @ x[:-1]": (True, ""),
}


@pytest.mark.parametrize("body", ELSEWHERE)
def test_a_function_that_changes_with_the_size_is_noticed(body: str) -> None:
    report = gradcheck(eval(f"lambda x: {body}"), shapes={"x": "n"})
    known, said = ELSEWHERE[body]
    assert (report["x"].code is not None) == known
    assert said in " ".join(note.text for note in report.notes)


def test_an_argument_without_a_derivative_leaves_the_others_theirs() -> None:
    loss = torch.nn.functional.binary_cross_entropy
    report = gradcheck(lambda x, y: loss(torch.sigmoid(x), y), shapes={"x": "n", "y": "n"}, assume={"y": "binary"})
    assert [d.variable for d in report if d.code] == ["x"]
    assert "no derivative by y" in " ".join(note.text for note in report.notes)


def test_gradient_mode_of_the_caller_makes_no_difference() -> None:
    with torch.no_grad():
        assert gradcheck(lambda x: x @ x, shapes={"x": "n"})["x"].text == "2 x"
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert gradcheck(lambda x: x @ x, shapes={"x": "n"})["x"].text == "2 x"


LONG = {  # loops that no formula is written down for
    "sin": "for _ in range(100):\n        x = torch.sin(x) * x\n    return x.sum()",
    "sum": "a = x\n    for _ in range(3000):\n        a = a + 0.01\n    return a.sum()",
}


@pytest.mark.parametrize("case", LONG)
def test_a_long_loop_is_answered_in_time(case: str) -> None:
    start = time.process_time()
    assert checked(f"def f(x):\n    {LONG[case]}", shapes={"x": "n"})["x"].code is None
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "cell, shapes, variable",
    [
        ("def f(Q, a): return torch.stack([(Q ** 2).mean(), 1 / (a ** 2 + 1)])", {"Q": "n,m,d", "a": "()"}, "a"),
        (
            "def f(t, T, V): return torch.square(t * T.transpose(1, 2)) - V",
            {"t": "()", "T": "m,d,n", "V": "m,n,d"},
            "t",
        ),
        ("def f(y, a): return torch.where((1 - y * y).relu().mean() > 0, a * a - a, a)", {"y": "n", "a": "()"}, "y"),
        ("def f(S): return torch.exp(-torch.linalg.cholesky(S) ** 2)", {"S": "n,n"}, "S"),
    ],
)
def test_functions_that_raised(cell: str, shapes: dict[str, str], variable: str) -> None:
    """Found by random functions: each has code now, or says why not."""
    assume = {"y": "signs"} if "y" in shapes else {"S": "positive-definite"} if "S" in shapes else {}
    derivative = checked(cell, shapes=shapes, assume=assume)[variable]
    assert derivative.code and derivative.verdict.ok


def test_a_claim_is_a_text_or_a_list_of_texts() -> None:
    for claim in ({"x": "2 * x"}, 5, ["2 * x", 3]):
        with pytest.raises(OptionError, match="claim is a text"):
            gradcheck(lambda x: x @ x, claim=claim)


def test_a_size_named_as_an_argument_is_not_printed_beside_it() -> None:
    derivative = checked("def f(x, n): return n * (x @ x) / x.shape[0]", shapes={"x": "n", "n": "()"})["x"]
    assert derivative.code and derivative.text is None
    assert checked("def f(x, n): return n * (x @ x)", shapes={"x": "n", "n": "()"})["x"].text == "2 n x"


def test_an_argument_named_pi_is_not_printed_beside_the_number() -> None:
    derivative = checked("def f(x, pi): return pi * torch.pi * (x @ x)", shapes={"x": "n", "pi": "()"})["pi"]
    assert derivative.code and derivative.text is None


def test_a_report_in_the_notebook_is_no_argument() -> None:
    names: dict[str, object] = {"torch": torch, "r": checked("def f(x): return x @ x")}
    parsed = capture.parse("def g(p, r): return p @ r")
    report = check(capture.subject(parsed, names, outcome=capture.run(parsed, names)), Options())
    assert list(report.shapes) == ["p", "r"] and report["r"].text == "p"


def test_the_first_check_imports_little() -> None:
    """torch's own lazy imports take two seconds: none of them is needed."""
    code = (
        "import sys, torch; from matmagic import gradcheck\n"
        "assert gradcheck(lambda x, A: x @ A @ x)['x'].code\n"
        "late = ('sympy', 'ipywidgets', 'torch.fx.experimental.symbolic_shapes', 'torch._dynamo')\n"
        "print([name for name in late if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


TALL = [  # singular where there are fewer rows than columns, with n - 1 in them
    "Xc = X - X.mean(0); return torch.logdet(Xc.T @ Xc / (len(X) - 1))",
    "return torch.logdet(torch.cov(X.T))",
    "return torch.trace(torch.linalg.inv(X.T @ X)) / (X.shape[0] - X.shape[1])",
]


@pytest.mark.parametrize("body", TALL)
def test_functions_of_tall_matrices_are_followed_at_sizes_of_their_own(body: str) -> None:
    report = checked(f"def f(X): {body}")
    assert report["X"].code and report["X"].verdict.ok
    assert any(note.text.startswith("n ≥ m taken") for note in report.notes)
    X = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    names: dict[str, object] = {"torch": torch}
    exec(f"def f(X): {body}", names)
    truth = torch.autograd.grad(names["f"](X), X)[0]  # type: ignore[operator]
    assert torch.allclose(eval(report["X"].code, {"torch": torch, "X": X.detach()}), truth, rtol=1e-8)


@pytest.mark.parametrize("step", ["derived", "formulas", "statement"])
def test_an_error_of_ours_leaves_autograds_derivative(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own: dict[str, Any] = {}
    exec(compile("def fails(*_, **__): raise KeyError", derivative.__file__, "exec"), own)
    monkeypatch.setattr(derivative, step, own["fails"])
    report = checked("def f(x, A): return x @ A @ x")
    assert [d.code for d in report] == [None, None] and all(d.verdict.ok for d in report)
    (limit,) = [note.text for note in report.notes if note.kind == "limit"]
    assert "matmagic itself failed at derivative.py, line" in limit and "KeyError" in limit


def test_an_error_of_the_users_stays_theirs() -> None:
    with pytest.raises(KeyError, match="beta"):
        checked("def f(x):\n    return x @ x * {}['beta']", shapes={"x": "n"})


FOLLOWED = [  # by rows that once took them for something else
    "def f(x, B): return (torch.linalg.inv(B**3) @ B @ x).sum()",
    "def f(W): return torch.linalg.svdvals(W)[0] ** 2",
    "def f(x, y, b): return y * b * (1/b + sum(x**k for k in range(1, 41)))",
]


@pytest.mark.parametrize("cell", FOLLOWED)
def test_a_closed_form_for_each_variable(cell: str) -> None:
    assert all(d.code is not None and d.verdict.ok for d in checked(cell))
