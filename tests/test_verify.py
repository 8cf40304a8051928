"""Draws, autograd and verdicts; the oracles are torch.func, the definitions, and corrupted formulas."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import matmagic
from matmagic import capture
from matmagic.autograd import derivative_of, differences_agree
from matmagic.capture import Subject, parse, run
from matmagic.domains import domain_of
from matmagic.drawing import draws
from matmagic.errors import ResultError
from matmagic.options import Options
from matmagic.sampling import SAMPLERS, SQUARE, holds, sample
from matmagic.shapes import Shapes, find_shapes
from matmagic.verify import Verdict, agreement, verify

Formula = Callable[[Mapping[str, Tensor]], Tensor]


def subject(cell: str, setup: str = "") -> Subject:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    parsed = parse(cell)
    return capture.subject(parsed, names, outcome=run(parsed, names))


def check(cell: str, variable: str, candidate: Formula | None, order: int = 1, **given: Any) -> Verdict:
    asked, options = subject(cell), Options(**given)
    return verify(asked, find_shapes(asked, options), options.assume, options, variable, order, candidate)


def formula(text: str) -> Formula:
    return lambda inputs: eval(text, {"torch": torch, **inputs})


# --------------------------------------------------------------------------- samples


@pytest.mark.parametrize("prop", SAMPLERS)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (6,), (4, 1), ()])
def test_samples_have_their_property(prop: str, shape: tuple[int, ...]) -> None:
    if (prop in SQUARE and shape != (4, 4)) or (prop in ("orthonormal-columns", "contraction") and len(shape) != 2):
        pytest.skip("a property of matrices")
    for seed in range(5):
        value = sample(shape, prop, torch.Generator().manual_seed(seed))
        assert value.shape == shape and value.dtype == torch.float64
        if prop in ("simplex", "one-hot") and shape == ():
            continue
        assert holds(value, prop), value


def test_orthogonal_samples_have_both_determinants() -> None:
    signs = {
        round(float(torch.linalg.det(sample((3, 3), "orthogonal", torch.Generator().manual_seed(s)))))
        for s in range(20)
    }
    assert signs == {1, -1}


@pytest.mark.parametrize("prop", ["symmetric", "orthogonal", "diagonal", "positive", "unit", "simplex", "one-hot"])
def test_a_generic_value_has_no_property(prop: str) -> None:
    assert not holds(sample((4, 4), None, torch.Generator().manual_seed(1)), prop)


def test_index_samples() -> None:
    value = sample((50,), "index<3", torch.Generator().manual_seed(0))
    assert value.dtype == torch.int64 and set(value.tolist()) == {0, 1, 2}


# --------------------------------------------------------------------------- draws


def test_draws_differ_in_size_and_honour_properties() -> None:
    asked, options = subject("def f(x, A): return x @ A @ x"), Options(assume={"A": "symmetric"})
    shapes = find_shapes(asked, options)
    drawn = list(draws(asked, shapes, options.assume, options))
    assert len(drawn) == 6 and len({d["x"].shape for d in drawn}) >= 5
    assert all(torch.equal(d["A"], d["A"].T) for d in drawn)


def test_notebook_values_are_one_more_draw() -> None:
    asked = subject("def f(x): return x @ x", "x = torch.tensor([1.0, 2.0])")
    drawn = list(draws(asked, find_shapes(asked, Options()), {}, Options()))
    assert len(drawn) == 7 and drawn[-1]["x"].tolist() == [1.0, 2.0]


def test_global_random_state_is_not_touched() -> None:
    before = torch.get_rng_state()
    check("def f(x): return x @ x", "x", formula("2 * x"))
    assert torch.equal(before, torch.get_rng_state())


def test_a_function_that_is_nowhere_finite() -> None:
    with pytest.raises(ResultError, match="not finite"):
        check("def f(x): return torch.log(-x.abs()).sum()", "x", None)


def test_draws_where_f_is_not_finite_are_replaced() -> None:
    assert check("def f(X): return torch.logdet(X)", "X", formula("torch.linalg.inv(X).T")).ok


@pytest.mark.parametrize(
    "cell, needed",
    [
        ("def f(x): return torch.sqrt(x).sum()", {"x": "positive"}),
        ("def f(x): return torch.logit(x).sum()", {"x": "unit-interval"}),
        ("def f(x): return torch.acosh(x).sum()", {"x": "above-one"}),
        ("def f(x): return -torch.log(1 - x @ x)", {"x": "unit-ball"}),
        ("def f(p, q): return (p * (torch.log(p) - torch.log(q))).sum()", {"p": "positive", "q": "positive"}),
        ("def f(w, X, y): return y @ torch.log(X @ w)", {"w": "positive-mean", "X": "positive-mean"}),
        ("def f(x, y): return torch.log(x @ y)", {}),  # finite on half of the draws
        ("def f(x, A): return torch.sqrt(x @ A @ x)", {}),
        ("def f(A): return torch.log(torch.trace(A))", {}),
        ("def f(S): return torch.logdet(S)", {"S": "positive-det"}),
        ("def f(A): return A.diagonal().log().sum()", {"A": "positive-quadratic-form"}),
        (
            "def f(x, A): return x.log().sum() + A.diagonal().log() @ x",
            {"x": "positive", "A": "positive-quadratic-form"},
        ),
        ("def f(A): return torch.linalg.eigvalsh(A).log().sum()", {"A": "positive-definite"}),
        ("def f(x, A, b): return -torch.log(b - A @ x).sum()", {"x": "unit-ball", "b": "above-one"}),
        (
            "def f(x, a, b): return torch.distributions.Beta(a, b).log_prob(x).sum()",
            {"x": "unit-interval", "a": "positive", "b": "positive"},
        ),
        ("def f(X): return torch.linalg.cholesky(X).sum()", {"X": "positive-definite"}),
        ("def f(A): return torch.linalg.eigvalsh(A).sum()", {"A": "symmetric"}),
        ("def f(L): return torch.tril(L).sum()", {}),
        ("def f(x): return x @ x", {}),
    ],
)
@pytest.mark.parametrize("validates", [True, False])  # as torch's compiler leaves it, once it is loaded
def test_domain(cell: str, needed: dict[str, str], validates: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", validates)
    asked = subject(cell)
    assert domain_of(asked, find_shapes(asked, Options()), {}, Options()) == needed


# f is not finite on every generic draw: f, by what, its gradient, and an answer that is right only under more than f needs
STRONGER = [
    ("x, A", "x@A@x + A.diagonal().log().sum()", "x", "(A + A.T)@x", "2*A@x"),
    ("x, A", "x@A@x - torch.log(torch.trace(A))", "x", "(A + A.T)@x", "2*A@x"),
    ("x, A", "x@x.log() + A.diagonal().log().sum() + x@A@x", "x", "x.log() + 1 + (A + A.T)@x", "x.log() + 1 + 2*A@x"),
    ("x, A", "torch.sqrt(x@A@x)", "x", "(A + A.T)@x / (2*torch.sqrt(x@A@x))", "A@x/torch.sqrt(x@A@x)"),
    ("x, A", "(x@A@x)**1.5", "x", "1.5*(A + A.T)@x*torch.sqrt(x@A@x)", "3*A@x*torch.sqrt(x@A@x)"),
    (
        "x, A, B",
        "torch.log(x@A@x) - torch.log(x@B@x)",
        "x",
        "(A + A.T)@x/(x@A@x) - (B + B.T)@x/(x@B@x)",
        "2*A@x/(x@A@x) - 2*B@x/(x@B@x)",
    ),
    (
        "x, y, W",
        "torch.acosh(1 + (x-y)@W@(x-y))",
        "x",
        "(W + W.T)@(x-y)/torch.sqrt((1 + (x-y)@W@(x-y))**2 - 1)",
        "2*W@(x-y)/torch.sqrt((1 + (x-y)@W@(x-y))**2 - 1)",
    ),
    (
        "L, x",
        "torch.linalg.solve_triangular(L, x[:, None], upper=False).pow(2).sum() + 2*L.diagonal().log().sum()",
        "x",
        "2*torch.linalg.inv(torch.tril(L)).T@torch.linalg.inv(torch.tril(L))@x",
        "2*torch.linalg.inv(torch.triu(L))@torch.linalg.inv(torch.tril(L))@x",
    ),
    ("A, x", "torch.log(x@torch.linalg.inv(A)@x)", "x", None, "2*torch.linalg.inv(A)@x/(x@torch.linalg.inv(A)@x)"),
    ("x, y", "torch.log(x@y) + x.abs().sum()", "x", "y/(x@y) + x.sign()", "y/(x@y) + torch.ones_like(x)"),
    ("x", "torch.log(x@x - 1) + x.abs().sum()", "x", "2*x/(x@x - 1) + x.sign()", "2*x/(x@x - 1) + 1"),
    ("x", "torch.log(x.prod()) + x.abs().sum()", "x", "1/x + x.sign()", "1/x + 1"),
    ("x", "torch.log(x.sum()) + x.abs().sum()", "x", "1/x.sum() + x.sign()", "1/x.sum() + torch.ones_like(x)"),
    ("X", "torch.log(X.sum(1)).sum() + X.abs().sum()", "X", None, "1/X.sum(1)[:, None] + torch.ones_like(X)"),
    (
        "x, A",
        "torch.log(A@x).sum() + x.abs().sum() + A.abs().sum()",
        "x",
        "A.T@(1/(A@x)) + x.sign()",
        "A.T@(1/(A@x)) + 1",
    ),
    (
        "x, A",
        "torch.log(A@x).sum() + x.abs().sum() + A.abs().sum()",
        "A",
        "torch.outer(1/(A@x), x) + A.sign()",
        "torch.outer(1/(A@x), x) + 1",
    ),
]


@pytest.mark.parametrize("arguments, body, variable, right, answer", STRONGER)
def test_no_more_is_taken_than_f_needs(
    arguments: str, body: str, variable: str, right: str | None, answer: str
) -> None:
    """The formula holds at points that suit f and nothing else; the answer is not right without a condition."""
    asked = subject(f"def f({arguments}): return {body}")
    report = matmagic.gradcheck(asked.function, wrt=variable, claim=[answer, *([right] if right else [])])
    assert [g.verdict == "correct" for g in report.claims] == [False, *([True] if right else [])]
    generator, seen = torch.Generator().manual_seed(5), 0
    sizes = dict(zip("nmkp", (3, 2, 4, 5), strict=True))
    for _ in range(2000):
        inputs = {
            name: torch.randn([sizes[t] for t in shape.split(",")], dtype=torch.float64, generator=generator)
            for name, shape in report.shapes.items()
        }
        if seen < 20 and bool(torch.isfinite(asked.function(**inputs))):
            seen += 1
            true = derivative_of(asked, inputs, variable)
            found = eval(report[variable].code, {"torch": torch, **inputs})
            assert torch.allclose(found, true, rtol=1e-7)
    assert seen >= 10


@pytest.mark.parametrize("condition", ["n>5", "n>=6", "m<n"])
def test_a_domain_is_sought_at_sizes_that_are_asked_for(condition: str) -> None:
    asked, options = subject("def f(x, A): return torch.log(A @ x).sum()"), Options(sizes=(condition,))
    shapes = find_shapes(asked, options)
    assert domain_of(asked, shapes, {}, options) == {"x": "positive-mean", "A": "positive-mean"}


def test_replaced_draws_are_told() -> None:
    def notes(function: Callable[..., Tensor]) -> list[str]:
        return [note.text for note in matmagic.gradcheck(function).notes]

    said = "draws at which f is not finite, or fails, are replaced by others"
    assert said in notes(subject("def f(x, y): return torch.log(x @ y)").function)
    assert said not in notes(subject("def f(x): return torch.log(x).sum()").function)


def test_a_slow_function_that_is_finite_nowhere_is_not_tried_for_long() -> None:
    def slow(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        time.sleep(0.1)
        return torch.log(-x.abs()).sum()

    calls = 0
    asked = capture.subject_of(slow)
    with pytest.raises(ResultError, match=r"on 12 random inputs"):
        list(draws(asked, Shapes({"x": ("n",)}), {}, Options()))
    assert calls <= 2 * 12


def test_a_form_on_random_matrices_is_positive_and_they_are_not_symmetric() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        value, x = (
            sample((5, 5), "positive-quadratic-form", generator),
            torch.randn(5, 40, generator=generator).double(),
        )
        assert bool(((x * (value @ x)).sum(0) > 0).all()) and bool(torch.linalg.det(value) > 0)
        assert not holds(value, "symmetric") and not holds(value, "positive-definite")
        assert holds(value @ value.T, "positive-quadratic-form") and not holds(-value, "positive-quadratic-form")


def test_a_positive_quadratic_form_can_be_declared() -> None:
    f = subject("def f(x, A): return torch.log(x @ A @ x)").function
    report = matmagic.gradcheck(
        f, wrt="x", assume="A=positive-quadratic-form", claim=["2*A@x/(x@A@x)", "(A+A')x/(x'Ax)"]
    )
    assert [g.verdict for g in report.claims] == ["correct-if", "correct"]
    assert not any("replaced" in note.text for note in report.notes)


# --------------------------------------------------------------------------- autograd's derivative

LAYOUTS = [
    ("a.T @ x", {"a": (3, 1), "x": (3, 1)}, (3, 1)),
    ("x @ x", {"x": (3,)}, (3,)),
    ("A @ x", {"A": (4, 3), "x": (3, 1)}, (4, 3)),
    ("A @ x", {"A": (4, 3), "x": (3,)}, (4, 3)),
    ("A @ x", {"A": (1, 3), "x": (3, 1)}, (3, 1)),
    ("A @ x @ A", {"A": (3, 3), "x": (3, 3)}, (3, 3, 3, 3)),
    ("x.T * 2", {"x": (3, 1)}, (3, 3)),
    ("x * a", {"x": (), "a": (4,)}, (4,)),
    ("x ** 2", {"x": ()}, ()),
]


@pytest.mark.parametrize("body, sizes, layout", LAYOUTS)
def test_layout_and_numbers(body: str, sizes: dict[str, tuple[int, ...]], layout: tuple[int, ...]) -> None:
    asked = subject(f"def f({', '.join(sizes)}): return {body}")
    g = torch.Generator().manual_seed(0)
    inputs = {n: torch.randn(s, dtype=torch.float64, generator=g) for n, s in sizes.items()}
    derivative = derivative_of(asked, inputs, "x")
    other = torch.func.jacrev(lambda x: asked.function(**{**inputs, "x": x}))(inputs["x"])
    assert derivative.shape == layout and torch.allclose(derivative, other.reshape(layout))


def test_hessian_counts_a_column_as_a_vector() -> None:
    asked = subject("def f(x, A): return x.T @ A @ x")
    inputs = {
        "x": torch.ones(3, 1, dtype=torch.float64),
        "A": torch.arange(9.0, dtype=torch.float64).reshape(3, 3),
    }
    assert torch.equal(derivative_of(asked, inputs, "x", 2), inputs["A"] + inputs["A"].T)


def test_backward_style_and_read_tensors() -> None:
    cell = "def f(x):\n    y = x.T @ A @ x\n    y.backward()\n    return x.grad"
    asked = subject(cell, "A = torch.randn(3, 3); x = torch.randn(3, 1, requires_grad=True)")
    shapes = find_shapes(asked, Options())
    assert verify(asked, shapes, {}, Options(), "x", 1, formula("(A + A.T) @ x")).ok
    assert verify(asked, shapes, {}, Options(), "A", 1, formula("x @ x.T")).ok
    assert asked.namespace["x"].grad is None


@pytest.mark.parametrize(
    "body",
    [
        "(x.detach() ** 2).sum()",
        "torch.tensor([x[0] ** 2, x[1] * 3]).sum()",
        "x.data @ x.data",
        "torch.no_grad()(lambda t: t @ t)(x)",
    ],
)
@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_a_cut_graph_is_said(body: str) -> None:
    asked = subject(f"def f(x): return {body}")
    with pytest.raises(ResultError, match=r"f changes with x, but autograd can't see it: the graph is cut"):
        derivative_of(asked, {"x": torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)}, "x")


def test_differences_are_taken_among_symmetric_matrices_where_the_variable_is_one() -> None:
    asked = subject("def f(S): return torch.linalg.cholesky(S).sum() + (S ** 2).sum()")
    inputs = {"S": torch.eye(3, dtype=torch.float64) + 0.1}
    assert differences_agree(asked, inputs, "S", derivative_of(asked, inputs, "S"))[0]
    wrong = derivative_of(asked, inputs, "S") + torch.eye(3)
    assert not differences_agree(asked, inputs, "S", wrong)[0]


def test_a_hessian_that_nearly_vanishes_agrees_with_differences() -> None:
    asked = subject("def f(x): return torch.tanh(x @ x)")
    inputs = {"x": torch.tensor([2.0, 1.7, 1.3], dtype=torch.float64)}
    right = derivative_of(asked, inputs, "x", 2)
    assert differences_agree(asked, inputs, "x", right, 2)[0]
    assert not differences_agree(asked, inputs, "x", right + 1e-3, 2)[0]


def test_differences_allow_for_the_digits_that_f_loses() -> None:
    """log(1 - p), p near 1; a wrong gradient is still seen."""
    asked = subject("def f(x): return -torch.log(1 - torch.sigmoid(x)).mean()")
    inputs = {"x": torch.tensor([23.0, 21.5, 0.3], dtype=torch.float64)}
    right = derivative_of(asked, inputs, "x")
    assert differences_agree(asked, inputs, "x", right)[0]
    assert not differences_agree(asked, inputs, "x", 2 * right)[0]


# 1 + x**2 is rounded to about 1e-16: beside it an x**2 of 1e-9 has seven digits
CANCELLING = "def f(x): return (1 + (x / 3e4) ** 2).sqrt().sub(1).mul(1e9).pow(2).sum()"
LOSING = {"x": torch.tensor([1.3, -0.7, 2.1], dtype=torch.float64)}


@pytest.mark.parametrize("factor, right", [(1, True), (1 + 1e-6, False), (1 + 3e-7, False)])
def test_tolerance_follows_the_digits_that_are_lost(factor: float, right: bool) -> None:
    """Two right forms differ by 1e-8 here, and a form that is wrong by some 1e-7 is refused all the same."""
    asked = subject(CANCELLING)
    true = derivative_of(asked, LOSING, "x")

    def found(inputs: Mapping[str, Tensor]) -> Tensor:
        u = inputs["x"] / 3e4
        root = (1 + u**2).sqrt()
        return factor * 2e18 / 3e4 * u**3 / (root * (root + 1))  # root - 1 = u² / (root + 1)

    compared = agreement(asked, found, lambda at: derivative_of(asked, at, "x"), LOSING, "x", true)
    assert compared.error > 1e-9 and compared.holds is right


def test_results_that_differ_by_rounding_are_not_random() -> None:
    asked = subject("def f(x): return (x ** 2).sum() * (1 + 1e-15 * float(torch.rand(())))")
    inputs = {"x": torch.ones(3, dtype=torch.float64)}
    assert differences_agree(asked, inputs, "x", 2 * inputs["x"])[0]


def test_a_variable_that_is_not_used_has_derivative_zero() -> None:
    asked = subject("def f(x, a): return (a ** 2).sum()")
    inputs = {"x": torch.ones(3, dtype=torch.float64), "a": torch.ones(3, dtype=torch.float64)}
    assert derivative_of(asked, inputs, "x").tolist() == [0, 0, 0]


def test_a_function_may_change_its_argument() -> None:
    asked = subject("def f(x):\n    x.mul_(2)\n    return (x ** 2).sum()")
    inputs = {"x": torch.tensor([1.0, 2.0], dtype=torch.float64)}
    assert derivative_of(asked, inputs, "x").tolist() == [8, 16] and inputs["x"].tolist() == [1, 2]


# --------------------------------------------------------------------------- differences

WRONG_BACKWARD = """
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        right = 2 * x * g
        right[3, 0] *= 0.99
        return right
def f(x): return Square.apply(x).sum()
"""


def test_a_wrong_backward_is_caught_and_named() -> None:
    asked = subject(WRONG_BACKWARD)
    inputs = {"x": torch.ones(4, 1, dtype=torch.float64)}
    ok, error, text = differences_agree(asked, inputs, "x", derivative_of(asked, inputs, "x"))
    assert not ok and error > 1e-4
    disagree = "autograd and finite differences disagree"
    assert text == f"{disagree}: entry (3, 0): backward gives 1.98, differences give 2"
    options = Options(shapes={"x": "5,1"})
    verdict = verify(asked, find_shapes(asked, options), {}, options, "x", 1, None)
    assert not verdict.autograd_ok and "entry (3, 0)" in verdict.text


@pytest.mark.parametrize(
    "body, prop",
    [
        ("torch.exp(x).sum()", None),
        ("torch.tanh(x)", None),
        ("x @ x.T", None),
        ("torch.linalg.inv(x).sum()", "invertible"),
        ("torch.linalg.eigvalsh(x)[-1]", "symmetric"),
        ("torch.linalg.cholesky(x)", "positive-definite"),
        ("(1e6 * x).sum() + 1e8", None),
        ("1e-9 * (x ** 3).sum()", None),
        ("x.sum() * 0", None),
    ],
)
def test_differences_agree_with_autograd(body: str, prop: str | None) -> None:
    asked = subject(f"def f(x): return {body}")
    inputs = {"x": sample((4, 4), prop, torch.Generator().manual_seed(2))}
    ok, error, text = differences_agree(asked, inputs, "x", derivative_of(asked, inputs, "x"))
    assert ok and text == "", (error, text)


@pytest.mark.parametrize("scale", [1.0001, -1.0, 0.0])
def test_differences_refuse_a_wrong_gradient(scale: float) -> None:
    asked = subject("def f(x): return torch.sin(x).sum()")
    inputs = {"x": torch.tensor([0.3, 1.2, -0.5], dtype=torch.float64)}
    assert not differences_agree(asked, inputs, "x", scale * derivative_of(asked, inputs, "x"))[0]


@pytest.mark.parametrize("body", ["(x * torch.rand_like(x)).sum()", "F.dropout(x, 0.5).sum()"])
def test_a_random_function_is_said(body: str) -> None:
    verdict = check(f"def f(x): return {body}", "x", None)
    assert not verdict.autograd_ok and "random or keeps state" in verdict.text


def test_partly_detached_functions_disagree() -> None:
    assert not check("def f(x): return x.detach() @ x", "x", formula("x")).autograd_ok


# --------------------------------------------------------------------------- verdicts

RIGHT = [
    ("def f(x, A): return x @ A @ x", "x", "(A + A.T) @ x", 1),
    ("def f(x, A): return x.T @ A @ x", "x", "(A + A.T) @ x", 1),
    ("def f(x, A): return x @ A @ x", "x", "A + A.T", 2),
    ("def f(X, a, b): return a.T @ X @ b", "X", "a @ b.T", 1),
    ("def f(x, A): return A @ x", "x", "A", 1),
    (
        "def f(x): return torch.softmax(x, 0)",
        "x",
        "torch.diag(torch.softmax(x, 0)) - torch.outer(torch.softmax(x, 0), torch.softmax(x, 0))",
        1,
    ),
    ("def f(x): return torch.softmax(x, 0).sum()", "x", "0 * x", 1),
]
CORRUPTED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "negated": lambda t: -t,
    "scaled": lambda t: 1.0001 * t,
    "transposed": lambda t: t.mT if t.ndim == 2 else t.unsqueeze(-1),
    "flattened": lambda t: t.reshape(1, -1),
    "one entry off": lambda t: t + 1e-4 * (torch.arange(t.numel()).reshape(t.shape) == t.numel() - 1),
    "not a number": lambda t: t * math.nan,
    "infinite": lambda t: t / 0.0,
}


@pytest.mark.parametrize("cell, variable, text, order", RIGHT)
def test_right_formulas_are_accepted(cell: str, variable: str, text: str, order: int) -> None:
    verdict = check(cell, variable, formula(text), order)
    assert verdict.ok and verdict.autograd_ok and verdict.max_error < 1e-13, verdict
    assert verdict.draws == 6 and verdict.text.startswith("checked on 6 random draws, ")


@pytest.mark.parametrize("how", CORRUPTED)
@pytest.mark.parametrize("cell, variable, text, order", RIGHT[:6])
def test_corrupted_formulas_are_refused(cell: str, variable: str, text: str, order: int, how: str) -> None:
    if how == "transposed" and (order == 2 or "softmax" in text):
        pytest.skip("symmetric")
    assert not check(cell, variable, lambda inputs: CORRUPTED[how](formula(text)(inputs)), order).ok


@pytest.mark.parametrize(
    "body, wrong",
    [
        ("(1.38e-23 * x) @ x", "-2 * 1.38e-23 * x"),
        ("1 + (1e-20 * x) @ x", "1e-20 * x"),
        ("torch.softmax(x, 0).sum()", "1e-15 * x"),
        ("F.huber_loss(x, torch.zeros_like(x), reduction='sum')", "x"),
    ],
)
def test_tiny_gradients_and_hidden_branches_are_refused(body: str, wrong: str) -> None:
    assert not check(f"def f(x): return {body}", "x", formula(wrong)).ok


def test_a_candidate_that_raises_is_not_right() -> None:
    assert not check("def f(x, A): return A @ x", "x", formula("A @ A")).ok


def test_same_seed_same_verdict() -> None:
    cell = "def f(x, A): return x @ A @ x"
    assert check(cell, "x", formula("(A + A.T) @ x")) == check(cell, "x", formula("(A + A.T) @ x"))


def test_a_draw_takes_little_time() -> None:
    asked, options = subject("def f(x, A): return x @ A @ x"), Options(trials=20)
    shapes = Shapes({"x": ("n",), "A": ("n", "n")})
    verify(asked, shapes, {}, options, "x", 1, formula("(A + A.T) @ x"))
    start = time.thread_time()
    verify(asked, shapes, {}, options, "x", 1, formula("(A + A.T) @ x"))
    assert (time.thread_time() - start) / 20 < 0.01


FLAT = [  # made of functions that are 0 on a region, where a quotient would have no value and autograd takes 0
    "torch.norm(torch.relu(x))",
    "torch.relu(x).std()",
    "torch.clamp(X, min=0).std(0).sum()",
    "torch.linalg.vector_norm(torch.minimum(X, 0 * X), dim=1).sum()",
    "F.cosine_similarity(torch.relu(x), y, dim=0)",
    "F.normalize(torch.relu(x), dim=0) @ y",
    "torch.relu(X @ y).norm() ** 3",
]


@pytest.mark.parametrize("body", FLAT)
def test_code_is_autograds_where_a_part_vanishes_on_a_region(body: str) -> None:
    names = {"torch": torch, "F": torch.nn.functional}
    own = [n for n in "xyX" if re.search(rf"\b{n}\b", body)]
    f = eval(f"lambda {', '.join(own)}: {body}", names)
    sizes = {"x": (4,), "y": (3,) if "X" in own else (4,), "X": (5, 3)}
    signs = [{n: side * torch.rand(sizes[n], dtype=torch.float64) for n in own} for side in (1, -1)]
    for derivative in matmagic.gradcheck(f):
        for inputs in signs:
            if derivative.code is None:
                continue
            leaves = {n: t.clone().requires_grad_() for n, t in inputs.items()}
            (truth,) = torch.autograd.grad(f(**leaves), leaves[derivative.variable])
            found = eval(derivative.code, {**names, **inputs})
            assert torch.allclose(found, truth, rtol=1e-9, atol=1e-12), (derivative.code, inputs)
