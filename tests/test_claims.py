"""Claims as text: what is read equals what Python computes, and what is not on the lists is refused."""

from __future__ import annotations

import time

import pytest
import torch
import torch.nn.functional as F

from matmagic.capture import subject_of
from matmagic.claims import claim_of_option, parse_claim
from matmagic.errors import OptionError

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
]


@pytest.mark.parametrize("text", READ)
def test_reads_as_python_does(text: str) -> None:
    found = parse_claim(text, tuple(VALUES))(VALUES)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        expected = eval(text, {"torch": torch, "F": F, **VALUES})
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
        "x.expand(10 ** 9, 4)",
        "x.repeat(10 ** 6, 10 ** 6)",
        "'a' * 10 ** 9",
        "[x] * 10 ** 9",
        "[1, 2] + [3]",
        KRON,
    ],
)
def test_evaluation_is_bounded(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(OptionError, match=r"too large|only tensors and numbers"):
        parse_claim(text, tuple(VALUES))(VALUES)
    assert time.perf_counter() - start < 1


def test_names_that_shadow_modules_are_arguments() -> None:
    evaluate = parse_claim("2 * F", ("F",))
    assert torch.equal(evaluate({"F": VALUES["x"]}), 2 * VALUES["x"])


def test_a_claim_of_an_option_evaluates_like_one_of_the_cell() -> None:
    names = {"x": torch.tensor([1.0, 2.0])}
    exec("def f(x, k=3.0): return k * (x @ x)", names)
    claim = claim_of_option("2 * k * x", subject_of(names["f"], names))
    assert claim.evaluate({"x": torch.ones(2)}).tolist() == [6, 6]
    assert claim.value().tolist() == [6, 12] and claim.variable is None and claim.line is None
