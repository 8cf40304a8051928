"""Cells: parsing, running, hints, and which names a statement reads and writes."""

from __future__ import annotations

import ast
import sys

import pytest
import torch
from founding import RULE_5

from matmagic.cells import answer_lines, backward, depending, parse, reads, run, writes
from matmagic.errors import CellError

F = "def f(x): return x\n"

NO_FUNCTION = {
    "": ["it is empty", "def f(x): return x @ x"],
    "# only a comment": ["it is empty"],
    "n = 3": ["it has: n = 3", "def f(x): return x @ x"],
    "x = torch.randn(3)\ny = (x ** 2).sum()": [
        "it has: x = torch.randn(3), y",
        "def f(x): return (x ** 2).sum()",
    ],
    "x = 1\nprint(x)": ["write:  def f(x): return print(x)"],
    "class Model:\n    def f(self, x): return x": ["Model is a class", "return Model(...)"],
    "async def f(x): return x": ["f is an async function", "write: def f(...)"],
    "def expected_gradient(x): return x": ["no function in this cell"],
}


@pytest.mark.parametrize("cell", NO_FUNCTION)
def test_cell_without_function_is_told_what_to_write(cell: str) -> None:
    with pytest.raises(CellError) as caught:
        parse(cell)
    message = str(caught.value)
    assert message.startswith("CellError: ") and len(message.splitlines()) <= 6
    for part in NO_FUNCTION[cell]:
        assert part in message


FUNCTIONS = {
    F: (["f"], []),
    "f = lambda x: x": (["f"], []),
    "f: object = lambda x: x": (["f"], []),
    F + "def grad_f(x): return 1": (["f"], ["grad_f"]),
    F + "f_grad = lambda x: 1": (["f"], ["f_grad"]),
    F + "def jacobian_f(x): return 1\ndef hessian_f(x): return 0": (["f"], ["jacobian_f", "hessian_f"]),
    F + "def expected_gradient(x): return 1": (["f"], ["expected_gradient"]),
    "def grad_f(x): return 1": (["grad_f"], []),  # alone, it is what is checked
    "def g(x): return x\ndef grad_f(x): return 1": (["g", "grad_f"], []),
    "if True:\n    def h(x): return x\n" + F: (["f"], []),
}


@pytest.mark.parametrize("cell", FUNCTIONS)
def test_candidates_and_claim_functions(cell: str) -> None:
    found = parse(cell)
    assert (list(found.functions), list(found.claim_functions)) == FUNCTIONS[cell]


SYNTAX = {
    "def f(x)\n    return x": (1, "expected ':'", None),
    "def f(x):\n    y = x\n  return y": (3, "unindent", None),
    "def f(x):\n    return x − 1": (2, "U+2212", "− is U+2212 MINUS SIGN, not Python, type -"),
    "def f(x):\n    return “x”": (2, "U+201C", '“ is U+201C LEFT DOUBLE QUOTATION MARK, not Python, type "'),
    "def f（x): return x": (1, "U+FF08", "（ is U+FF08 FULLWIDTH LEFT PARENTHESIS, not Python, type ("),
    "def f(x): return x²": (1, "U+00B2", "² is U+00B2 SUPERSCRIPT TWO, not Python, type **2"),
    "def f(x):\n\u00a0   return x": (
        2,
        "U+00A0",
        "\u00a0 is U+00A0 NO-BREAK SPACE, not Python, type a plain space",
    ),
    "def f(x): return √x": (1, "U+221A", "√ is U+221A SQUARE ROOT, not Python"),
}


@pytest.mark.parametrize("cell", SYNTAX)
def test_syntax_error_is_pythons_own(cell: str) -> None:
    line, message, note = SYNTAX[cell]
    with pytest.raises(SyntaxError) as caught:
        parse(cell, "<here>")
    error = caught.value
    assert (error.filename, error.lineno) == ("<here>", line) and message in error.msg
    assert getattr(error, "__notes__", []) == ([note] if note else [])


def test_cell_runs_as_an_ordinary_one(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    shown: list[object] = []
    before, sys.displayhook = sys.displayhook, shown.append
    try:
        run(parse("a = 1\n" + F + "print(a)\na + 1"), names, display=True)
        run(parse("a = 1\n" + F + "a + 2"), names)
    finally:
        sys.displayhook = before
    assert names["a"] == 1 and names["f"](5) == 5  # type: ignore[operator]
    assert shown == [2] and capsys.readouterr().out == "1\n"


def test_answer_that_fails_is_recorded() -> None:
    names: dict[str, object] = {}
    outcome = run(parse(F + "expected = 1 / 0\nafter = 2"), names)
    assert names["after"] == 2
    assert [type(e) for e in outcome.failures.values()] == [ZeroDivisionError]


@pytest.mark.parametrize(
    "cell",
    [
        F + "expected = 1 / 0\nassert expected == 1",  # read later
        F + "expected, b = 1 / 0\nc = b",
        F + "b = 1 / 0\nexpected = b",  # not an answer
        F + "expected = 1\nassert 1 / 0",
    ],
)
def test_other_failures_are_the_users_own(cell: str) -> None:
    with pytest.raises(ZeroDivisionError):
        run(parse(cell), {})


def test_interrupt_in_an_answer_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(parse("def stop(): raise KeyboardInterrupt\nexpected = stop()"), {})


NOWHERE = "{} is neither in the cell nor in the notebook; a tensor of that name there would be a constant"
HINTS = [
    ({"zX": torch.ones(2)}, "X", "did you mean zX?"),
    ({"x": torch.ones(2), "zX": torch.ones(2)}, "X", "did you mean x?"),
    ({"xs": 1, "x_": torch.ones(2)}, "X", "did you mean x_?"),  # tensors first
    ({"alpha": 1.0}, "alhpa", "did you mean alpha?"),
    ({"weights": 1.0}, "weight", "did you mean weights?"),
    ({"torch": torch}, "tor", NOWHERE.format("tor")),  # modules aren't meant
    ({"_x": 1}, "x", NOWHERE.format("x")),
    ({"something_long_with_x": 1}, "x", NOWHERE.format("x")),
    ({}, "x", NOWHERE.format("x")),
    ({}, "softmax", "did you mean torch.softmax?"),
    ({}, "logdet", "did you mean torch.logdet?"),
    ({}, "t", "t is an argument of f; an answer to be checked is called expected_gradient_t"),
]


@pytest.mark.parametrize(("names", "missing", "hint"), HINTS)
def test_missing_name_gets_a_hint(names: dict[str, object], missing: str, hint: str) -> None:
    with pytest.raises(NameError, match=f"name '{missing}' is not defined") as caught:
        run(parse(f"def f(t): return t\n{missing}"), dict(names))
    assert getattr(caught.value, "__notes__", []) == [hint]


def test_misspelt_founding_cell_fails_with_its_own_error_and_a_hint() -> None:
    names: dict[str, object] = {"x": torch.ones(2, 1, requires_grad=True)}  # of an earlier cell
    with pytest.raises(NameError, match="name 'X' is not defined") as caught:
        run(parse(RULE_5), names)
    assert caught.value.__notes__ == ["did you mean zX?"]


def test_name_error_of_other_code_gets_no_hint() -> None:
    def elsewhere() -> None:
        exec("missing", {})

    with pytest.raises(NameError) as caught:
        run(parse(F + "elsewhere()"), {"elsewhere": elsewhere, "missin": 1})
    assert not hasattr(caught.value, "__notes__")


WRITES = {
    "B = 1": {"B"},
    "B, (c, *d) = 1, (2, 3)": {"B", "c", "d"},
    "B += 1": {"B"},
    "B[0] = 1": {"B"},
    "B.data = 1": {"B"},
    "B.mul_(2)": {"B"},
    "B.append(2)": {"B"},
    "B.sum()": set(),
    "for i in y:\n    B = i": {"i", "B"},
    "with y as z: pass": {"z"},
    "torch.manual_seed(47)": set(),
}


@pytest.mark.parametrize("statement", WRITES)
def test_writes(statement: str) -> None:
    assert writes(ast.parse(statement).body[0]) == WRITES[statement]


def test_reads() -> None:
    assert reads(ast.parse("B += c.T @ g(lambda t: d)")) == {"B", "c", "g", "d"}


ANSWERS = {
    "expected = 2 * A @ x": {"expected": "2 * A @ x"},
    "expected_a, expected_b = y, (x)": {"expected_a": "y", "expected_b": "x"},
    "expected_a, expected_b = pair": {"expected_a": "pair[0]", "expected_b": "pair[1]"},
    "g = expected = y": {"expected": "y"},
    "expected: int = (y +\n 1)": {"expected": "y + 1"},
    "expected += y": {"expected": "y"},
    "expected: int": {},
    "calculated = y": {},
    "unexpected = y": {},
}


@pytest.mark.parametrize("statement", ANSWERS)
def test_answer_lines(statement: str) -> None:
    assert answer_lines(ast.parse(statement).body[0], statement) == ANSWERS[statement]


SLICES = {  # cell -> lines of the slice of `expected` when x is given, and those that depend on x
    "expected = x": ([1], [1]),
    "torch.manual_seed(1)\nx = 1\nexpected = x": ([3], [3]),
    "c = 1\nB = x * c\nd = 2\nexpected = B": ([1, 2, 4], [2, 4]),
    "B = 1\nB = x\nexpected = B": ([2, 3], [2, 3]),
    "B = 1\nB += x\nexpected = B": ([1, 2, 3], [1, 2, 3]),  # computed anew from the start
    "B = 1\nB += 2\nexpected = B": ([1, 2, 3], [3]),
    "B = []\nfor t in x:\n    B.append(t)\nexpected = B": ([1, 2, 4], [1, 2, 4]),
    "p, q = g(x)\nexpected = q": ([1, 2], [1, 2]),
    "x, q = 1, 2\nexpected = q * x": ([1, 2], [2]),
    "import g\ndef h(): return x\nexpected = h()": ([3], [3]),
}


@pytest.mark.parametrize("cell", SLICES)
def test_backward_slice(cell: str) -> None:
    statements = backward(ast.parse(cell).body, "expected", ["x"])
    assert [s.lineno for s in statements] == SLICES[cell][0]
    assert [s.lineno for s in depending(statements, {"x"})] == SLICES[cell][1]
