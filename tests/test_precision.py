"""Dtypes: float32 and less is computed in float64, which is said; integers and complex numbers are explained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from matmagic import capture
from matmagic.capture import parse, run
from matmagic.options import Options
from matmagic.report import Report, check


def checked(text: str, setup: str = "", **options: Any) -> Report:
    names: dict[str, Any] = {"torch": torch, "F": F}
    exec(setup, names)
    cell = parse(text)
    outcome = run(cell, names)
    return check(capture.subject(cell, names, outcome=outcome), Options(**options))


ASKED = [  # what f does with x, and what it asks for
    ("x.float()", "float32"),
    ("x.to(torch.float32)", "float32"),
    ("x.to(dtype=torch.float32)", "float32"),
    ("x.type(torch.FloatTensor)", "float32"),
    ("x.type('torch.FloatTensor')", "float32"),
    ("x.type(torch.float32)", "float32"),
    ("x.half()", "float16"),
    ("x.to(torch.float16)", "float16"),
    ("x.bfloat16()", "bfloat16"),
    ("x.to(torch.bfloat16).to(x.dtype)", "bfloat16"),
    ("x.half().float()", "float16 and float32"),
    ("(x + torch.zeros(3, dtype=torch.float32))", "float32"),
    ("(x * torch.ones(3, dtype=torch.float16))", "float16"),
]


@pytest.mark.parametrize("part, asked", ASKED)
def test_less_precision_is_lifted_and_said(part: str, asked: str) -> None:
    """The derivative is that of float64, to all its digits."""
    report = checked(f"def f(x): return ({part} ** 2).sum()")
    assert report["x"].text == "2 x" and report["x"].verdict.max_error < 1e-14 and report.passed
    assert [n.text for n in report.notes if n.kind == "precision"] == [f"checked in float64, where f asks for {asked}"]


@pytest.mark.parametrize("part", ["x", "x.double()", "x.to(torch.float64)", "x.to(x.dtype)", "x.clone()"])
def test_float64_is_no_matter(part: str) -> None:
    assert not [n for n in checked(f"def f(x): return ({part} ** 2).sum()").notes if n.kind == "precision"]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "cell, setup",
    [
        ("def f(x): return x @ x", "x = torch.randn(3, dtype=torch.{})"),
        ("def f(x): return (x - c) @ (x - c)", "c = torch.randn(3, dtype=torch.{})"),
        ("def f(x): return (net(x) ** 2).sum()", "net = torch.nn.Linear(3, 2).to(torch.{})"),
        ("def f(x): return (net(x.to(torch.{0})) ** 2).sum().float()", "net = torch.nn.Linear(3, 2).to(torch.{0})"),
    ],
)
def test_tensors_of_the_notebook_are_lifted_and_said(cell: str, setup: str, dtype: str) -> None:
    report = checked(cell.format(dtype), setup.format(dtype))
    assert report["x"].code and report.passed
    notes = [n.text for n in report.notes if n.kind == "precision"]
    assert any(note.startswith("checked in float64; ") and f": {dtype} in the notebook" in note for note in notes), (
        notes
    )


def test_the_notebooks_tensors_stay_as_they_are() -> None:
    names: dict[str, Any] = {"torch": torch}
    exec("net = torch.nn.Linear(3, 2).half(); c = torch.randn(2)", names)
    cell = parse("def f(x): return ((net(x.half()) - c.half()) ** 2).sum()")
    check(capture.subject(cell, names, outcome=run(cell, names)), Options())
    assert names["net"].weight.dtype is torch.float16 and names["c"].dtype is torch.float32
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize(
    "body, error",
    [
        ("\n    assert x.dtype == torch.float32\n    return x @ x", AssertionError),
        ("\n    if x.dtype != torch.float32:\n        raise TypeError('float32 please')\n    return x @ x", TypeError),
        (" return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize().sum()", RuntimeError),
    ],
)
def test_float32_only_is_refused_with_the_reason(body: str, error: type[Exception], tmp_path: Any) -> None:
    import linecache

    text = f"def f(x):{body}"
    names: dict[str, Any] = {"torch": torch}
    cell = parse(text, "<asks for float32>")
    linecache.cache["<asks for float32>"] = (len(text), None, text.splitlines(True), "<asks for float32>")
    with pytest.raises(error) as raised:
        check(capture.subject(cell, names, outcome=run(cell, names)), Options(shapes={"x": "n"}))
    assert any("in float64" in note for note in raised.value.__notes__)


def test_a_branch_on_the_dtype_is_said() -> None:
    text = "def f(x):\n    if x.dtype == torch.float32:\n        return x @ x\n    return 2 * x @ x"
    report = checked(text)
    assert report["x"].text == "4 x"
    assert any("compares dtypes" in note.text for note in report.notes)


OTHER = [
    ("def f(x): return (x ** 2).sum()", "x = torch.tensor([1, 2])", "integer tensors are taken as float64: x"),
    ("def f(x): return (x.float() ** 2).mean()", "x = torch.tensor([1, 2], dtype=torch.uint8)", "integer tensors"),
    ("def f(x): return (x * x.conj()).real.sum()", "x = torch.randn(3, dtype=torch.complex64)", "x is complex"),
    ("def f(x): return (x * k).sum()", "k = torch.tensor(3)", ""),
    ("def f(x): return (x[i] ** 2).sum()", "i = torch.tensor([2, 0])", ""),
    ("def f(x): return x @ A.float() @ x", "A = torch.eye(3, dtype=torch.float64); x = torch.ones(3)", "float32"),
]


@pytest.mark.parametrize("cell, setup, said", OTHER)
def test_other_dtypes(cell: str, setup: str, said: str) -> None:
    report = checked(cell, setup)
    assert report["x"].code and report.passed
    assert said in " ".join(note.text for note in report.notes)


@pytest.mark.parametrize(
    "cell, setup, wrt, said",
    [
        ("def f(z, y): return F.cross_entropy(z, y)", "y = torch.tensor([1, 0]); z = torch.ones(2, 3)", "y", "integer"),
        ("def f(x): return torch.fft.fft(x).sum()", "", None, "complex128"),
        ("def f(x): return x.long().sum()", "", None, "int64"),
    ],
)
def test_what_has_no_derivative_says_its_dtype(cell: str, setup: str, wrt: str | None, said: str) -> None:
    with pytest.raises(Exception, match=said):
        checked(cell, setup, **({"wrt": (wrt,)} if wrt else {}))
