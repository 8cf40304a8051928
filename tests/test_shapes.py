"""Shapes: given, annotated, from the notebook, inferred; the oracle is the shape a person would write."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic.capture import Subject, subject_of
from matmagic.errors import OptionError, ResultError, ShapeError
from matmagic.options import Options
from matmagic.shapes import Shapes, find_shapes, parse_shape, shape_text, sizes_for


def subject(cell: str, setup: str = "", name: str = "f") -> Subject:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    exec(cell, names)
    return subject_of(names[name], names)


def shown(shapes: Shapes) -> str:
    return " ".join(f"{name}={shape_text(shape)}" for name, shape in shapes.of.items())


def found(cell: str, setup: str = "", **options: Any) -> str:
    return shown(find_shapes(subject(cell, setup), Options(**options)))


INFERRED = [
    ("x", "x @ x", "x=n"),
    ("x", "x.T @ x", "x=n,1"),
    ("x, A", "x @ A @ x", "x=n A=n,n"),
    ("x, A", "x.T @ A @ x", "x=n,1 A=n,n"),
    ("x, A, y", "x.T @ A @ y", "x=n,1 A=n,m y=m,1"),
    ("X, a, b", "a.T @ X @ b", "X=n,m a=n,1 b=m,1"),
    ("x, A", "A @ x", "x=n A=m,n"),
    ("x, A, b", "((A @ x - b) ** 2).sum()", "x=n A=m,n b=m"),
    ("x, y", "x ** 2 + 3 * x * y", "x=() y=()"),
    ("w, X, y, lam", "((X @ w - y) ** 2).sum() + lam * (w @ w)", "w=n X=m,n y=m lam=()"),
    ("w, X, y, c", "(X @ w - y).T @ (X @ w - y) + c * w.T @ w", "w=n,1 X=m,n y=m,1 c=()"),
    ("w, x, b", "torch.sigmoid(w @ x + b)", "w=n x=n b=()"),
    ("x", "torch.tanh(x)", "x=n"),
    ("X", "torch.trace(X)", "X=n,n"),
    ("X, A", "torch.trace(X @ A)", "X=n,m A=m,n"),
    ("X, A", "torch.trace(torch.kron(A, X))", "X=n,n A=m,m"),
    ("X", "torch.logdet(X.T @ X)", "X=n,m"),
    ("X, a", "torch.logdet(a * X)", "X=n,n a=()"),
    ("x, y", "torch.einsum('i,j->ij', x, y)", "x=n y=m"),
    ("X, Y", "torch.einsum('bij,bjk->', X, Y)", "X=n,m,k Y=n,k,p"),
    ("X, W", "F.linear(X, W)", "X=n,m W=k,m"),
    ("v", "v[0] * v[8]", "v=9"),
    ("x", "torch.ones(3) @ x", "x=3"),
    ("n, m", "n @ m", "n=k m=k"),
    ("input, sum, list", "input @ sum + list", "input=n sum=n list=()"),
    ("x, w", "w * x", "x=() w=()"),
    ("x, w", "w @ torch.cat([x, torch.ones(1)])", "x=n w=n+1"),
    ("X, y, w", "(torch.cat([X, torch.ones(len(X), 1)], 1) @ w - y).norm()", "X=n,m y=n w=m+1"),
    ("h, x, W", "W @ torch.cat([h, x])", "h=n x=m W=k,m+n"),
    ("u, v, w", "w @ torch.cat((u, v, u * 0.5))", "u=n v=m w=m+2n"),
    ("x, y", "torch.diff(x) @ y", "x=n y=n-1"),
    ("x, y", "(x[:-1] - y[1:]).norm()", "x=n y=n"),
    ("x, y", "torch.trapezoid(y, x)", "x=n y=n"),
    ("x", "F.glu(x, 0)", "x=2n"),
    ("x", "torch.stack(x.chunk(2)).prod(0).sum()", "x=2n"),
    ("x", "x[: len(x) // 2] @ x[len(x) // 2 :]", "x=2n"),
    ("x", "x[::2] @ x[1::2]", "x=2n"),
    ("W, V, x", "V @ F.glu(W @ x, 0)", "W=2n,m V=k,n x=m"),
    ("x, a", "a @ x.view(-1, 3).norm(dim=1)", "x=3n a=n"),
    ("h, x, W", "torch.sigmoid(torch.stack((W @ torch.cat([x, h])).chunk(2))[0]) @ h", "h=n x=m W=2n,m+n"),
    ("x, h, c, W, b", "sum(g @ c for g in (W @ torch.cat([x, h]) + b).chunk(4))", "x=n h=m c=k W=4k,m+n b=4k"),
    ("x, We, Wd, e", "Wd @ ((We @ x).chunk(2)[0] + (We @ x).chunk(2)[1].exp() * e) - x", "x=n We=2m,n Wd=n,m e=m"),
    ("X, W, E", "((X @ W).chunk(2, 1)[0] + (X @ W).chunk(2, 1)[1] * E).sum()", "X=n,m W=m,2k E=n,k"),
    ("X, Win, Wout", "F.glu(X @ Win) @ Wout", "X=n,m Win=m,2k Wout=k,p"),
    ("X, W, q", "torch.stack((X @ W).chunk(2, 1)) @ q", "X=n,m W=m,2k q=k"),
    ("x, w", "F.pad(x, (2, 3)) @ w", "x=n w=n+5"),
    ("a, b, c, x", "(torch.diag(a, -1) + torch.diag(b) + torch.diag(c, 1)) @ x", "a=n b=n+1 c=n x=n+1"),
    ("X, Y, W, y", "F.cross_entropy(torch.cat([X, Y], 1) @ W, y)", "X=n,m Y=n,k W=k+m,p y=n"),
]


@pytest.mark.parametrize("arguments, body, expected", INFERRED)
def test_most_general_shapes(arguments: str, body: str, expected: str) -> None:
    cell = f"def f({arguments}): return {body}"
    assert found(cell) == expected


def test_unpacked_vector_has_its_size() -> None:
    assert found("def f(v):\n    x, y = v\n    return x ** 2 + y") == "v=2"


COLUMNS = "a, x, y = (torch.randn(2, 1) for _ in range(3)); A = torch.randn(2, 2)"
NOTEBOOK = [
    ("def f(x): return A @ x", "A = torch.randn(2, 3); x = torch.randn(3, 1)", "x=n,1 A=m,n"),
    ("def f(x): return A @ x", "A = torch.randn(3, 3); x = torch.randn(3, 1)", "x=n,1 A=m,n"),
    ("def f(A, x): return x.T @ A @ x", COLUMNS, "A=n,n x=n,1"),
    ("def f(A, x, y): return x.T @ A @ y", COLUMNS, "A=n,m x=n,1 y=m,1"),
    ("def f(x): return x @ A @ x", "A = torch.arange(9.0).reshape(3, 3)", "x=n A=n,n"),
    ("def f(x): return torch.ones(3) @ x", "x = torch.randn(3)", "x=3"),
    (
        "def f(z, y): return F.cross_entropy(z, y)",
        "z = torch.randn(4, 3); y = torch.tensor([0, 1, 2, 1])",
        "z=4,n y=4",
    ),
    ("def f(x, A): return x.T @ A @ x", "A = torch.randn(3, 3); x = torch.randn(2, 1)", "x=n,1 A=n,n"),
]


@pytest.mark.parametrize("cell, setup, expected", NOTEBOOK)
def test_notebook_sizes_become_letters(cell: str, setup: str, expected: str) -> None:
    assert found(cell, setup) == expected


def test_notebook_values_are_float64_copies() -> None:
    asked = subject("def f(x): return x @ x", "x = torch.randn(3, requires_grad=True)")
    values = find_shapes(asked, Options()).values
    assert values["x"].dtype == torch.float64 and not values["x"].requires_grad
    assert values["x"] is not asked.namespace["x"]


def test_integer_tensor_is_taken_as_float() -> None:
    shapes = find_shapes(subject("def f(x): return (x * x).sum()", "x = torch.arange(4)"), Options())
    assert shown(shapes) == "x=n" and any("float64: x" in note for note in shapes.notes)


def test_note_says_how_to_change_them() -> None:
    notes = find_shapes(subject("def f(x, A): return x.T @ A @ x"), Options()).notes
    assert notes == ('shapes assumed: x: n,1, A: n,n; change with --shapes "x=n,1 A=n,n"',)


def test_broadcasting_is_said() -> None:
    notes = find_shapes(
        subject("def f(X, y): return (torch.linalg.inv(X) - y.reshape(y.shape[0], 1)).sum()"), Options()
    ).notes
    assert any("broadcast" in note for note in notes)


def test_annotations_come_before_the_notebook() -> None:
    cell = "def f(x: 'd', A: 'd d'): return x @ A @ x"
    assert found(cell, "x = torch.randn(3, 1); A = torch.randn(3, 3)") == "x=d A=d,d"


PARTLY = [
    ("W, x", "W @ torch.cat([x, torch.ones(1)])", "W=m,n+1", "W=m,n+1 x=n"),
    ("W, x", "W @ torch.cat([x, torch.ones(1)])", "W=m,n", "W=m,n x=n-1"),
    ("W, x", "W @ torch.cat([x, torch.ones(1)])", "W=3,4", "W=3,4 x=3"),
    ("x, y", "torch.diff(x) @ y", "y=n", "x=n+1 y=n"),
    ("x, y", "x[: len(x) - len(y)].sum() * y.sum()", "x=m+n y=n", "x=m+n y=n"),
]


@pytest.mark.parametrize(("arguments", "body", "given", "expected"), PARTLY)
def test_what_is_given_makes_the_rest(arguments: str, body: str, given: str, expected: str) -> None:
    cell = f"def f({arguments}):\n    return {body}"
    assert found(cell, shapes=dict(part.split("=") for part in given.split())) == expected


REFUSED = [
    ("x=m+n", "m+n: what m is can't be told from that"),
    ("x=20000n", "the size 20000n of x is too large"),
    ("x=n²", "can't read the shape"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_sizes_that_are_refused(given: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        found("def f(x): return x.sum()", shapes=dict(part.split("=") for part in given.split()))
    assert message in str(caught.value)


def test_options_come_before_annotations_and_may_be_partial() -> None:
    assert found("def f(x: 'd', A): return x.T @ A @ x", shapes={"x": "k,1"}) == "x=k,1 A=k,k"


def test_given_shapes_that_do_not_fit() -> None:
    cell = "def f(x, A): return (A.T @ x).sum()"
    with pytest.raises(
        ShapeError,
        match=r"doesn't run with the shapes given\n  shapes: x: n, A: m,n\n  RuntimeError: size mismatch",
    ):
        found(cell, shapes={"x": "n", "A": "m,n"})


def test_unknown_name_is_suggested() -> None:
    with pytest.raises(OptionError, match=r"(?s)--shapes names theta_.*did you mean theta\?"):
        found("def f(theta): return theta @ theta", shapes={"theta_": "n"})


def test_nothing_runs() -> None:
    with pytest.raises(ShapeError, match=r"(?s)no shapes found.*tried first: x: n, A: m,k.*--shapes \"x=n A=m,k\""):
        found("def f(x, A): return x.reshape(3, 4, 5) @ A")


@pytest.mark.parametrize(
    "body, error, message",
    [
        ("x @ B @ x", NameError, "'B' is not defined"),
        ("f(x) + 1", ResultError, "calls itself without end"),
        ("(_ for _ in ()).throw(ValueError('need 7 entries'))", ValueError, "need 7 entries"),
        ("x @ torch.zeros(10 ** 7, 10 ** 7)[:3, :3] @ x", RuntimeError, "allocate"),
    ],
)
def test_the_functions_own_exception_is_not_changed(body: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        found(f"def f(x): return {body}")


def test_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    found("def f(x):\n    print('hello')\n    return x.T @ x")
    assert capsys.readouterr() == ("", "")


def test_sizes_differ_and_meet_conditions() -> None:
    shapes = Shapes({"X": ("m", "n"), "b": ("k",), "c": (4,)}, conditions=("m>n",))
    drawn = [sizes_for(shapes, draw) for draw in range(6)]
    for sizes in drawn:
        assert sizes["m"] > sizes["n"] and len(set(sizes.values())) == 3 and 4 not in sizes.values()
    assert len({tuple(s.items()) for s in drawn}) >= 4
    free = [sizes_for(Shapes({"X": ("m", "n")}), draw) for draw in range(4)]
    assert {s["m"] > s["n"] for s in free} == {True, False}


def test_conditions_that_contradict_each_other() -> None:
    with pytest.raises(OptionError, match="no sizes meet m>n, n>m"):
        sizes_for(Shapes({"X": ("m", "n")}, conditions=("m>n", "n>m")), 0)


@pytest.mark.parametrize("text, shape", [("n,1", ("n", 1)), ("n", ("n",)), ("()", ()), ("3, k", (3, "k"))])
def test_parse_shape(text: str, shape: tuple[Any, ...]) -> None:
    assert parse_shape(text, "x") == shape


def test_ordinary_homework_is_quick() -> None:
    asked = subject("def f(w, X, y, lam): return ((X @ w - y) ** 2).sum() + lam * (w @ w)")
    find_shapes(asked, Options())
    start = time.thread_time()
    find_shapes(asked, Options())
    assert time.thread_time() - start < 0.1
