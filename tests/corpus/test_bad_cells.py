"""Cells that go wrong, in a real IPython shell: what each says, in how many lines, and that it leaves no traceback of ours.

`expect` of bad_cells.toml says in words what an answer has to contain; SAID has the words that are looked for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty

CELLS = {c["id"]: c for c in tomllib.loads((Path(__file__).parent / "bad_cells.toml").read_text())["cell"]}
LINES = 6  # of a message of ours

SAID: dict[str, list[str]] = {
    "bad-empty": ["no function in this cell", "def f(x)"],
    "bad-no-function": ["no function", "x = torch.randn(3)", "def f(x): return (x ** 2).sum()"],
    "bad-class": ["Model is a class", "def f("],
    "bad-import-missing": ["No module named 'a_module_that_is_not_there'", "line 1"],
    "bad-syntax-colon": ["SyntaxError", "expected ':'"],
    "bad-syntax-indent": ["IndentationError"],
    "bad-unicode-minus": ["U+2212", "MINUS SIGN", "type -"],
    "bad-shell-line": ["∇ₓ f = 𝟏"],
    "bad-two-functions": ["checked g", "--function f"],
    "ok-helper-function": ["∇ₓ f = 2 x"],
    "bad-lambda": ["∇ₓ f = 2 x"],
    "bad-async": ["async"],
    "bad-generator": ["generator", "return"],
    "bad-no-arguments": ["takes no argument"],
    "bad-star-args": ["*args", "def f(x, y)"],
    "bad-star-kwargs": ["∇ₓ f = 2 x", "**opts is left empty"],
    "ok-default-argument": ["lam = 0.5", "∇ₓ f = x"],
    "ok-keyword-only": ["(A + Aᵀ) x"],
    "bad-positional-only": ["∇ₓ f = 2 x"],
    "bad-decorator": ["∇ₓ f = 2 x"],
    "bad-no-grad-decorator": ["no_grad", "autograd can't see it"],
    "bad-return-none": ["returns nothing", "return"],
    "bad-return-string": ["str", "tensor"],
    "bad-return-item": [".item()", "leave out"],
    "bad-return-tuple": ["tuple of 2", "return one"],
    "ok-matrix-valued": ["A dX"],
    "bad-return-argmax": ["int64", "no derivative"],
    "bad-complex": ["complex128", "real"],
    "bad-sparse": ["no closed form", "to_sparse"],
    "bad-detach": ["detach", "autograd can't see it"],
    "bad-numpy-round-trip": ["np.square", "torch.square"],
    "bad-tensor-constructor": ["torch.tensor", "torch.stack"],
    "bad-wrt-unused": ["does not depend on x"],
    "bad-step-function": ["jumps"],
    "bad-integer-input": ["∇ₓ f = 2 x", "integer tensors are taken as float64: x"],
    "bad-nan": ["not finite", "inputs: x"],
    "bad-half-domain": ["x taken positive", "½"],
    "bad-singular": ["singular"],
    "bad-float32-constant": ["float64", "float32"],
    "bad-huge": ["needs 8 TB", "line 2"],
    "bad-shape-mismatch": ["x: n", "A: m,n", "size mismatch"],
    "bad-missing-name": ["'B' is not defined", "notebook", "constant"],
    "bad-raises": ["ValueError", "need 7 entries", "--shapes"],
    "bad-recursion": ["RecursionError"],
    "bad-while-loop": ["no closed form", "depend on values"],
    "bad-cuda": ["not compiled with CUDA"],
    "bad-inplace-argument": ["8 x", "in place"],
    "bad-inplace-slice": ["∇ₓ f =", "in place"],
    "bad-backward-inside": ["backward()", "return the value"],
    "bad-random": ["random"],
    "bad-dropout": ["random", "dropout"],
    "bad-hidden-state": ["keeps state"],
    "bad-control-flow": ["depend on values"],
    "ok-global-tensor": ["(A + Aᵀ) x"],
    "bad-global-leaf": ["∇ₓ f = W"],
    "bad-symmetric-global": ["(S + Sᵀ) x"],
    "bad-shadow-builtins": ["∇_input f = sum"],
    "bad-shadow-torch": ["∇ₓ f = 2 x"],
    "ok-unicode-names": ["∇_α f = β"],
    "bad-name-collision": ["(I + Iᵀ) x"],
}
ONE_LINE = {"bad-recursion", "bad-cuda"}


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(colors="NoColor")
    shell.run_line_magic("load_ext", "matmagic")
    yield shell
    InteractiveShell.clear_instance()


def options(cell: dict[str, Any]) -> str:
    """Shapes and variable as the cell's row has them; integer arguments are the notebook's."""
    shapes = {} if cell.get("integer") else cell["shapes"]
    listed = " ".join(f"{name}={shape or '()'}" for name, shape in shapes.items())
    given = f'--shapes "{listed}"' if shapes else ""
    return " ".join([given, f"--wrt {cell['wrt']}" if cell.get("wrt") else ""])


def test_every_cell_has_its_words() -> None:
    assert set(SAID) == set(CELLS)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_cells(name: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    cell = CELLS[name]
    empty(shell)
    shell.run_cell("import torch\nimport torch.nn.functional as F")
    if cell.get("setup"):
        shell.run_cell(cell["setup"])
    for argument in cell.get("integer", ()):
        shell.user_ns[argument] = torch.tensor([1, 2, 3])
    capsys.readouterr()
    done = shell.run_cell(f"%%gradcheck --text {options(cell)}\n" + cell["cell"].strip("\n"))
    said = capsys.readouterr()
    text = said.out + said.err
    for words in SAID[name]:
        assert words in text, text
    wanted = cell["outcome"].split(" or ")
    assert ("error" in wanted and not done.success) or (set(wanted) - {"error"} and done.success), text
    assert not re.search(r"(?<!venv)/matmagic/\w+\.py", text), f"a traceback of ours:\n{text}"
    if not done.success and type(done.error_in_exec or done.error_before_exec).__module__.startswith("matmagic"):
        assert len(text.strip().splitlines()) <= LINES, text
    if name in ONE_LINE:
        assert len(text.strip().splitlines()) <= 3, text
