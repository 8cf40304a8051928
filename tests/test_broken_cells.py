"""Cells as people break them, through the magic in a real shell: what each is told, in how many lines, whose traceback it is.

Beside the cells of corpus/bad_cells.toml: every kind of failure that was met later has a row here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty

LINES = 6  # of a message of ours


class Broken(NamedTuple):
    """A cell, what it is told, what was run before it, options."""

    cell: str
    says: tuple[str, ...]
    setup: str = ""
    line: str = ""


GOOD, FORM = "def f(x): return x @ x", "def f(x, A): return x @ A @ x"
RIGHT = "∇ₓ f = 2 x"

FAILS = {
    # names
    "torch misspelt": Broken("def f(x): return troch.sum(x)", ("'troch' is not defined", "did you mean torch?")),
    "method misspelt": Broken("def f(x): return x.summ()", ("no attribute 'summ'", "did you mean sum?")),
    "linalg misspelt": Broken(
        "def f(X): return torch.linalg.solv(X, X)", ("no attribute 'solv'", "did you mean solve?")
    ),
    "F misspelt": Broken("def f(x): return F.sofmax(x, dim=0)", ("did you mean softmax?",)),
    "other letter": Broken("def f(x, A): return X @ A @ x", ("'X' is not defined", "in the notebook")),
    "no import of numpy": Broken("def f(x): return np.exp(x)", ("import numpy as np",)),
    "no import of nn": Broken("def f(x): return nn.functional.relu(x).sum()", ("from torch import nn",)),
    "no import of math": Broken("def f(x): return math.pi * x @ x", ("import math",)),
    "import of nothing": Broken("from torch import nonesuch\n" + GOOD, ("cannot import name 'nonesuch'", "line 1")),
    "pandas absent": Broken("import pandas_that_is_absent\n" + GOOD, ("No module named 'pandas_that_is_absent'",)),
    "torch shadowed": Broken("def f(x): return torch.sum(x)", ("torch is an int", "import torch"), "torch = 3"),
    "len shadowed": Broken("len = 3\ndef f(x): return x.sum() / len(x)", ("len is an int", "del len")),
    "no key": Broken("def f(x): return x.sum() * cfg['lr']", ("KeyError", "'lr'"), "cfg = {}"),
    "unbound": Broken("def f(x):\n    if False: y = 1\n    return x.sum() * y", ("UnboundLocalError", "'y'")),
    # shapes
    "shapes given don't fit": Broken(
        "def f(A, x): return A @ x", ("A: 3,4, x: 3", "size mismatch"), "", "-s 'A=3,4 x=3'"
    ),
    "two reshapes": Broken(
        "def f(x): return x.reshape(3, 3).sum() + x.reshape(2, 5).sum()", ("no shapes found", "--shapes")
    ),
    "no such dimension": Broken("def f(x): return x.sum(dim=3)", ("Dimension out of range", "--shapes")),
    "cat of a tensor": Broken("def f(x): return torch.cat(x, x)", ("TypeError", "tuple of Tensors")),
    "unknown keyword": Broken(
        "def f(x): return torch.sum(x, dimension=0)", ("TypeError", "invalid combination of arguments")
    ),
    "too many arguments": Broken("def f(x): return torch.dot(x, x, x)", ("TypeError", "3 were given")),
    "too few arguments": Broken("def g(a, b): return a @ b\ndef f(x): return g(x)", ("missing 1 required", "'b'")),
    # what is returned
    "no return": Broken("def f(x):\n    y = x @ x", ("returns nothing", "return")),
    "printed": Broken("def f(x): print(x @ x)", ("returns nothing",)),
    "return print": Broken("def f(x): return print(x @ x)", ("returns nothing",)),
    "pass": Broken("def f(x): pass", ("returns nothing",)),
    "ellipsis": Broken("def f(x): ...", ("returns nothing",)),
    "text only": Broken("def f(x):\n    'computes'", ("returns nothing",)),
    "to do": Broken("def f(x):\n    # your code here\n    return None", ("returns nothing",)),
    "not implemented": Broken("def f(x): raise NotImplementedError", ("not written yet",)),
    "list": Broken("def f(x): return [v * 2 for v in x]", ("a list of", "torch.stack")),
    "float()": Broken("def f(x): return float(x @ x)", ("Python number", "leave out")),
    "array": Broken("def f(x): return np.array([1.0])", ("numpy's ndarray", "torch"), "import numpy as np"),
    "argmax": Broken("def f(x): return torch.argmax(x)", ("int64", "no derivative")),
    "condition": Broken("def f(x): return x.sum() > 0", ("bool", "no derivative")),
    ".grad of nothing": Broken("def f(x): return x.grad", ("returns nothing",)),
    "text": Broken("def f(x): return 'a' + x", ("TypeError", "str")),
    "None plus": Broken("def f(x):\n    y = None\n    return y + x", ("TypeError", "NoneType")),
    "no arguments": Broken("def f(): return torch.ones(3).sum()", ("takes no argument", "def f(x)")),
    "class only": Broken(
        "class Net(torch.nn.Module):\n    def forward(self, x): return x", ("Net is a class", "def f(x)")
    ),
    # values
    "nan": Broken("def f(x): return (x * torch.nan).sum()", ("not finite", "inputs: x")),
    "root of a negative number": Broken("def f(x): return torch.sqrt(-1 - x ** 2).sum()", ("not finite",)),
    "overflow": Broken("def f(x): return torch.exp(x.abs() * 1e4).sum()", ("not finite",)),
    "x ^ 2": Broken("def f(x): return (x ^ 2).sum()", ("exclusive or", "x ** 2")),
    "floor division": Broken("def f(x): return (x // 2).sum()", ("can't differentiate", "floor_divide")),
    "whole numbers": Broken("def f(x): return (x.long() / 2).sum()", ("x as whole numbers", ".long()")),
    ".tolist()": Broken("def f(x): return torch.tensor(x.tolist()).sum()", (".tolist() in line 1", "graph is cut")),
    "backward inside": Broken("def f(x):\n    y = x @ x\n    y.backward()\n    return y", ("autograd for a gradient",)),
    "no end": Broken("def f(x): return f(x)", ("calls itself without end",)),
    "mps": Broken("def f(x): return (x.to('mps') ** 2).sum()", ("device that is not here", "mps")),
    "cuda": Broken("def f(x): return (x.to(device='cuda') ** 2).sum()", ("device that is not here", "CUDA")),
    "cuda constant": Broken("def f(x): return x @ torch.ones(3, device='cuda')", ("device that is not here",)),
    "meta": Broken("def f(x): return x.to('meta').sum()", ("meta device", "no values")),
    # syntax
    "bracket": Broken("def f(x): return (x @ x", ("SyntaxError", "never closed")),
    "bracket too many": Broken("def f(x): return x @ x)", ("SyntaxError", "unmatched ')'")),
    "quote": Broken("def f(x): return x['a", ("SyntaxError", "unterminated string")),
    "tabs": Broken("def f(x):\n\ty = x @ x\n        return y", ("TabError",)),
    "2x": Broken("def f(x): return 2x @ x", ("SyntaxError", "decimal literal")),
    "LaTeX": Broken("f(x) = x^T A x", ("SyntaxError",)),
    # options
    "no such option": Broken(GOOD, ("no option --wrtt", "did you mean --wrt?"), "", "--wrtt x"),
    "option without a value": Broken(GOOD, ("--wrt", "expected one argument"), "", "--wrt"),
    "order in words": Broken(GOOD, ("--order", "invalid int value: 'two'"), "", "--order two"),
    "order 3": Broken(GOOD, ("order is 1", "not 3"), "", "--order 3"),
    "shapes twice": Broken(GOOD, ("names x twice",), "", "--shapes x=n --shapes x=m"),
    "assume twice": Broken(FORM, ("names A twice",), "", "-a 'A=symmetric A=diagonal'"),
    "assume misspelt": Broken(FORM, ("no such property", "did you mean symmetric?"), "", "-a A=symetric"),
    "assume of nothing": Broken(FORM, ("--assume B", "it has x, A"), "", "-a B=symmetric"),
    "assume of a vector": Broken(FORM, ("property of square matrices",), "", "-a x=symmetric"),
    "size 0": Broken(GOOD, ("'0' is not a size",), "", "-s x=0"),
    "size -3": Broken(GOOD, ("'-3' is not a size",), "", "-s x=-3"),
    "wrt of nothing": Broken(FORM, ("--wrt z", "it has x, A"), "", "-w z"),
    "no such function": Broken(FORM, ("no function h in this cell", "it has: f"), "", "--function h"),
    "no trials": Broken(GOOD, ("trials is at least 1",), "", "--trials 0"),
    "open quote": Broken(GOOD, ("quote is not closed",), "", '-c "2 * x'),
    # answers that can't be read
    "answer with **": Broken(GOOD, ("can't read the claim",), "", "-c '2 * * x'"),
    "answer with an open bracket": Broken(GOOD, ("can't read the claim", "expected"), "", "-c '2 * (x'"),
    "empty answer": Broken(GOOD, ("can't read the claim",), "", "-c ''"),
    "answer in y": Broken(GOOD, ("y is no argument",), "", "-c '2 * y'"),
}

SHOWN = {
    "one option twice": Broken(GOOD, ("∇²ₓ f = 2 I",), "", "--order 1 --order 2"),
    "constant": Broken("def f(x): return torch.tensor(3.0)", ("∇ₓ f = 0", "does not depend on x")),
    "times 0": Broken("def f(x): return (0 * x).sum()", ("∇ₓ f = 0", "does not depend on x")),
    "centred sum": Broken("def f(x): return (x - x.mean()).sum()", ("∇ₓ f = 0", "does not depend on x")),
    "rounded": Broken("def f(x): return x.round().sum()", ("∇ₓ f = 0", "jumps")),
    "requires_grad_": Broken("def f(x):\n    x.requires_grad_(True)\n    return x @ x", (RIGHT,)),
    "requires_grad": Broken("def f(x):\n    x.requires_grad = True\n    return x @ x", (RIGHT,)),
    "backward style": Broken(
        "def f(x):\n    x.requires_grad_()\n    y = x @ x\n    y.backward()\n    return x.grad", ("∇ₓ y = 2 x",)
    ),
    ".item() inside": Broken("def f(x): return x.sum().item() * x.sum()", (".item() in line 1", "no closed form")),
    "torch unused": Broken("torch = None\n" + GOOD, (RIGHT,)),
    "notebook's list": Broken("def f(x): return sum(v * v for v in x)", (RIGHT,), "x = [1.0, 2.0]"),
    "global below": Broken("def f(x): return x @ B\nB = torch.ones(3)", ("∇ₓ f = B",)),
    "shape as a tuple": Broken(GOOD, (RIGHT, "ℝ³"), "", "-s 'x=(3,)'"),
    "answer None": Broken(GOOD + "\nexpected = None", ("it is None",)),
    "answer in quotes": Broken(GOOD + "\nexpected = '2 * x'", ("without quotes",)),
    "answer as a list": Broken(GOOD + "\nexpected = [2, 2]", ("is wrong", "(2,) in place of (n,)")),
    "answer of another shape": Broken(GOOD, ("is wrong", "(n, n) in place of (n,)"), "", "-c '2 * torch.outer(x, x)'"),
    "answer that fails": Broken(GOOD + "\nexpected = 2 * x / lost", ("'lost' is not defined",)),
    "answer first": Broken("expected = 2 * x\n" + GOOD, ("is right",), "x = torch.ones(3)"),
    "answer of autograd": Broken(
        GOOD + "\nexpected = torch.autograd.grad(f(x), x)[0]",
        ("at the notebook's values",),
        "x = torch.ones(3, requires_grad=True)",
    ),
    "answer of another argument": Broken(GOOD + "\ndef grad_f(y): return 2 * y", ("needs a value for y",)),
}
TABLE = {**FAILS, **SHOWN}


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(colors="NoColor")
    shell.run_line_magic("load_ext", "matmagic")
    yield shell
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.filterwarnings("ignore")
def test_broken_cells(name: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    row = TABLE[name]
    empty(shell)
    shell.run_cell("import torch\nimport torch.nn.functional as F\n" + row.setup).raise_error()
    capsys.readouterr()
    done = shell.run_cell(f"%%gradcheck --text {row.line}\n{row.cell}")
    said = capsys.readouterr()
    text = said.out + said.err
    for words in row.says:
        assert words in text, text
    assert done.success == (name in SHOWN), text
    assert not re.search(r"(?<!venv)/matmagic/\w+\.py", text), f"a traceback of ours:\n{text}"
    error = done.error_in_exec or done.error_before_exec
    if error is not None and type(error).__module__.startswith("matmagic"):
        printed = [line for line in text.strip().splitlines() if not line.startswith("tensor(")]
        assert 1 <= len(printed) <= LINES, text


def test_each_row_is_another_cell() -> None:
    assert len({(row.cell, row.line, row.setup) for row in TABLE.values()}) == len(FAILS) + len(SHOWN)
