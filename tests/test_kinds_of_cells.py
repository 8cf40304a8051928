"""Every kind of cell, through the magic in a real shell: its formula, or one to six lines that say why there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from notebooks import empty

LINES = 6  # of a message of ours


class Kind(NamedTuple):
    """A cell, what was run before it, options, and what is shown."""

    cell: str
    says: tuple[str, ...]
    setup: str = ""
    line: str = ""


SQUARE, QUADRATIC = "∇ₓ f = 2 x", "∇ₓ f = (A + Aᵀ) x"
CLASS = (
    "class M:\n    def __init__(self): self.W = torch.ones(3, 3)\n    def {}(self, x): return x @ self.W @ x\nm = M()"
)
NET = """class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.W = torch.nn.Parameter(torch.ones(2, 3))
    def forward(self, x): return ((self.W @ x) ** 2).sum()
net = Net()"""
TWICE = "def twice(g):\n    {}def h({}): return 2 * g({})\n    return h\n@twice\ndef f(x): return x @ x"
MANY = "\n".join(f"c{i} = {i}" for i in range(2000))
INSIDE = "\n".join(f"    c{i} = {i}" for i in range(2000))

KINDS = {
    # several functions
    "helpers": Kind("def square(v): return v * v\ndef f(x): return square(x).sum()", (SQUARE,)),
    "helper below": Kind("def f(x): return square(x).sum()\ndef square(v): return v * v", (SQUARE,)),
    "--function": Kind("def g(x): return 3 * x @ x\ndef f(x): return x @ x", ("∇ₓ g = 6 x",), line="--function g"),
    "two functions": Kind("def g(x): return x.sum()\ndef f(x): return x @ x", (SQUARE, "--function g")),
    "defined twice": Kind("def f(x): return x.sum()\ndef f(x): return x @ x", (SQUARE,)),
    "made by another": Kind("def make(p):\n    def g(x): return p * x @ x\n    return g\nf = make(3)", ("∇ₓ f = 6 x",)),
    "only called": Kind("def f(x): return x @ x\ny = f(torch.ones(2))", (SQUARE,)),
    "nested": Kind("def f(x):\n    def g(v): return v * v\n    return g(x).sum()", (SQUARE,)),
    "recursion": Kind(
        "def p(x, k): return x if k == 1 else x * p(x, k - 1)\ndef f(x): return p(x, 2).sum()", (SQUARE,)
    ),
    "own recursion": Kind("def f(x, k=2): return 0 * x.sum() if k == 0 else x @ x + f(x, k - 1)", ("∇ₓ f = 4 x",)),
    # arguments
    "default": Kind("def f(x, lam=0.5): return lam * x @ x", ("∇ₓ f = x", "lam = 0.5, its default")),
    "default tensor": Kind("def f(x, A=torch.eye(3)): return x @ A @ x", (QUADRATIC,)),
    "default None": Kind("def f(x, A=None): return x @ x if A is None else x @ A @ x", (SQUARE, "A = None")),
    "keyword only": Kind("def f(x, *, A): return x @ A @ x", (QUADRATIC, "∇_A f = x xᵀ")),
    "keyword default": Kind("def f(x, *, c=3): return c * x @ x", ("∇ₓ f = 6 x", "c = 3")),
    "positional only": Kind("def f(x, /, A): return x @ A @ x", (QUADRATIC,)),
    "*rest": Kind("def f(x, *rest): return x @ x + sum(r @ x for r in rest)", (SQUARE,)),
    "*args": Kind("def f(*args): return args[0] @ args[1]", ("*args", "def f(x, y)")),
    "*args, unpacked": Kind("def f(*args):\n    x, A = args\n    return x @ A @ x", (QUADRATIC, "∇_A f = x xᵀ")),
    "**options": Kind("def f(x, **kw): return x @ x * kw.get('a', 1)", (SQUARE, "**kw is left empty")),
    "hints": Kind("def f(x: torch.Tensor, k: int = 1) -> torch.Tensor: return k * x @ x", (SQUARE,)),
    "hint of a shape": Kind("def f(x: 'd', A: 'd d'): return x @ A @ x", (QUADRATIC, "ℝᵈ")),
    "float hint": Kind("def f(x: torch.Tensor, lam: float): return lam * x @ x", ("∇ₓ f = 2 λ x", "∂f/∂λ = xᵀ x")),
    # not def
    "lambda": Kind("f = lambda x, A: x @ A @ x", (QUADRATIC,)),
    "annotated lambda": Kind("from typing import Callable\nf: Callable = lambda x: x @ x", (SQUARE,)),
    "partial": Kind(
        "from functools import partial\ndef g(x, c): return c * x @ x\nf = partial(g, c=2.0)", ("∇ₓ f = 4 x",)
    ),
    "partial of the notebook": Kind(
        "f = functools.partial(g, c=2.0)", ("∇ₓ f = 4 x",), "import functools\ndef g(x, c): return c * x @ x"
    ),
    "partial by place": Kind(
        "%gradcheck --text h",
        ("∇ₓ h = (A + Aᵀ) x",),
        "import functools\ndef g(A, x): return x @ A @ x\nh = functools.partial(g, torch.ones(3, 3))",
    ),
    "decorated": Kind("import functools\n" + TWICE.format("@functools.wraps(g)\n    ", "*a", "*a"), ("∇ₓ f = 4 x",)),
    "decorated, no wraps": Kind(TWICE.format("", "x", "x"), ("∇ₓ f = 4 x",)),
    "decorated, *a": Kind(TWICE.format("", "*a", "*a"), ("∇ₓ f = 4 x",)),
    "cached": Kind("import functools\n@functools.lru_cache\ndef f(x): return x @ x", (SQUARE,)),
    "scripted": Kind("@torch.jit.script\ndef f(x): return (x * x).sum()", (SQUARE,)),
    "compiled": Kind("@torch.compile\ndef f(x): return (x * x).sum()", (SQUARE,)),
    "compiled helper": Kind("@torch.compile\ndef g(v): return v * v\ndef f(x): return g(x).sum()", (SQUARE,)),
    "vmap": Kind("def f(X, w): return torch.vmap(lambda r: r @ w)(X).sum()", ("∇_w f = Xᵀ 𝟏",)),
    "func.grad": Kind("def f(x): return torch.func.grad(lambda v: (v ** 3).sum())(x).sum()", ("∇ₓ f = 6 x",)),
    "async": Kind("async def f(x): return x @ x", ("async", "write: def f(...)")),
    "generator": Kind("def f(x):\n    yield x @ x", ("generator", "return")),
    # %gradcheck
    "method": Kind("%gradcheck --text m.loss", ("∇ₓ loss = (W_m + W_mᵀ) x",), CLASS.format("loss")),
    "method of a class": Kind(
        "%gradcheck --text M.loss", ("method without its object", "m = M(...)"), CLASS.format("loss")
    ),
    "callable": Kind("%gradcheck --text m", ("∇ₓ m = (W_m + W_mᵀ) x",), CLASS.format("__call__")),
    "static method": Kind(
        "%gradcheck --text M.g", ("∇ₓ g = 2 x",), "class M:\n    @staticmethod\n    def g(x): return x @ x"
    ),
    "class method": Kind(
        "%gradcheck --text M.g",
        ("∇ₓ g = 6 x",),
        "class M:\n    c = 3\n    @classmethod\n    def g(cls, x): return cls.c * x @ x",
    ),
    "nn.Module": Kind("%gradcheck --text net", ("∇ₓ net = 2 W_netᵀ W_net x",), NET),
    "nn.Linear": Kind("%gradcheck --text lin", ("∇_input lin = W_lin",), "lin = torch.nn.Linear(3, 1)"),
    "async later": Kind("%gradcheck f", ("async",), "async def f(x): return x"),
    "generator later": Kind("%gradcheck f", ("generator",), "def f(x): yield x"),
    "a class": Kind("%gradcheck M", ("M is a class",), CLASS.format("loss")),
    "a tensor": Kind("%gradcheck x", ("Tensor, not a function",), "x = torch.ones(3)"),
    "no such name": Kind("%gradcheck lost", ("no function lost", "did you mean loss?"), "def loss(x): return x @ x"),
    # inside
    "comprehension": Kind("def f(x): return sum(xi ** 2 for xi in x)", (SQUARE,)),
    "rows": Kind("def f(X): return torch.stack([row @ row for row in X]).sum()", ("∇_X f = 2 X",)),
    "no_grad inside": Kind(
        "def f(x):\n    with torch.no_grad():\n        c = x.mean()\n    return ((x - c) ** 2).sum()",
        ("sg(", "for autograd a constant"),
    ),
    "no_grad all": Kind(
        "def f(x):\n    with torch.no_grad():\n        return x @ x", ("no_grad", "autograd can't see it")
    ),
    "in place": Kind("def f(x):\n    x *= 2\n    return x @ x", ("∇ₓ f = 8 x", "changes x in place")),
    "in place, one entry": Kind("def f(x):\n    x[0] = 0\n    return x @ x", ("∇ₓ f = 2 x − 2 x₁ e₁", "in place")),
    "requires_grad_ inside": Kind("def f(x):\n    x = x.clone().requires_grad_()\n    return x @ x", (SQUARE,)),
    "prints": Kind("def f(x):\n    print('shape', x.shape)\n    return x @ x", (SQUARE,)),
    "walrus, match": Kind("def f(x, k='a'):\n    match k:\n        case 'a': return (s := x @ x) + s", ("∇ₓ f = 4 x",)),
    "assert": Kind("def f(x):\n    assert x.ndim == 1\n    return x @ x", (SQUARE,)),
    "global statement": Kind("def f(x):\n    global k\n    k = 3\n    return k * x @ x", ("∇ₓ f = 6 x",), "k = 2"),
    # the notebook
    "global tensor": Kind(
        "def f(x): return x @ A @ x", (QUADRATIC, "A: float32 in the notebook"), "A = torch.ones(3, 3)"
    ),
    "global leaf": Kind("def f(x): return x @ A @ x", (QUADRATIC,), "A = torch.ones(3, 3, requires_grad=True)"),
    "--wrt a global": Kind(
        "def f(x): return x @ A @ x", ("∇_A f = x xᵀ",), "A = torch.ones(3, 3, requires_grad=True)", "-w A"
    ),
    "no argument": Kind("def f(): return x @ A @ x", ("--wrt",), "A = torch.ones(3, 3); x = torch.ones(3)"),
    "no argument, --wrt": Kind(
        "def f(): return x @ A @ x", (QUADRATIC,), "A = torch.ones(3, 3); x = torch.ones(3)", "-w x"
    ),
    "global model": Kind(
        "def f(x, y): return ((net(x) - y) ** 2).sum()", ("∇ₓ f = 2 W_netᵀ(W_net x",), "net = torch.nn.Linear(3, 2)"
    ),
    "model as argument": Kind(
        "def f(net, x): return (net(x) ** 2).sum()", ("net is the notebook's Linear",), "net = torch.nn.Linear(3, 2)"
    ),
    "notebook values": Kind(
        "def f(x): return x @ x", (SQUARE, "the notebook's values", "[2.0000, 2.0000]"), "x = torch.ones(2)"
    ),
    # containers
    "a tuple": Kind(
        "def f(p):\n    x, A = p\n    return x @ A @ x",
        ("by which of its parts, x, A?", "def g(x, A): return f((x, A))"),
    ),
    "a dict": Kind(
        "def f(p, x): return ((p['W'] @ x + p['b']) ** 2).sum()",
        ("by which of its parts, W, b?", 'def g(W, b, x): return f({"W": W, "b": b}, x)', "--wrt 'p[\"W\"]'"),
    ),
    "the notebook's tuple": Kind(
        "def f(p):\n    x, A = p\n    return x @ A @ x", ("--wrt 'p[0],p[1]'",), "p = torch.ones(3), torch.ones(3, 3)"
    ),
    "the notebook's list": Kind(
        "def f(Ws, x): return ((Ws[1] @ Ws[0] @ x) ** 2).sum()",
        ("∇ₓ f = 2 Ws₀ᵀ Ws₁ᵀ Ws₁ Ws₀ x",),
        "Ws = [torch.ones(3, 2), torch.ones(4, 3)]",
    ),
    "the notebook's dict": Kind(
        "def f(p, x): return ((p['W'] @ x) ** 2).sum()",
        ("∇ₓ f = 2 W_pᵀ W_p x", "p is the notebook's dict"),
        "p = {'W': torch.ones(2, 3)}",
    ),
    "part of a dict": Kind(
        "def f(p, x): return p['b'] @ x", ("∇_b_p f = x",), "p = {'b': torch.ones(3)}", "-w 'p[\"b\"]'"
    ),
    "returns a tuple": Kind("def f(x): return x @ x, x.sum()", ("a tuple of 2", "return one of them")),
    "returns a dict": Kind("def f(x): return {'loss': x @ x, 'n': 3}", ("a dict of 'loss', 'n'", "f(...)['loss']")),
    "returns a list": Kind("def f(x): return [x @ x]", ("a list of 1", "return one of them")),
    "returns eigh": Kind("def f(A): return torch.linalg.eigh(A)", ("of 2 values", "return one of them")),
    # names
    "Greek": Kind("def f(β, Σ): return β @ Σ @ β", ("∇_β f = (Σ + Σᵀ) β", "∇_Σ f = β βᵀ")),
    "subscripts": Kind("def f(x_1, W_h, x_2): return x_1 @ W_h @ x_2", ("∇_x₁ f = Wₕ x₂",)),
    "numbered": Kind(
        "def f(theta0, theta1, x): return ((theta0 + theta1 * x) ** 2).sum()", ("∇_θ₀ f = 2(θ₀ + θ₁ ⊙ x)",)
    ),
    "builtins": Kind("def f(sum, list): return sum @ list", ("∇_sum f = list",)),
    "F as an argument": Kind("def f(F, x): return x @ F @ x", ("∇ₓ f = (F + Fᵀ) x",)),
    # the cell
    "line magic": Kind("%precision 3\ndef f(x): return x @ x", (SQUARE,)),
    "shell line": Kind("!echo hello\ndef f(x): return x @ x", (SQUARE, "hello")),
    "shell value": Kind("a = !echo 3\nk = int(a[0])\ndef f(x): return k * x @ x", ("∇ₓ f = 6 x",)),
    "%time inside": Kind("def f(x): return x @ x\n%time f(torch.ones(3))", (SQUARE, "Wall time")),
    "%%time above": Kind("%%time\n%%gradcheck --text\ndef f(x): return x @ x", (SQUARE, "Wall time")),
    "%%time below": Kind("%%gradcheck --text\n%%time\ndef f(x): return x @ x", ("%%time is inside", "above")),
    "comments first": Kind("\n\n# a comment\n\n'''text'''\n\ndef f(x): return x @ x\n\n# end\n", (SQUARE,)),
    "2,000 lines": Kind(MANY + "\ndef f(x): return c7 * x @ x", ("∇ₓ f = 14 x",)),
    "2,000 lines inside": Kind(f"def f(x):\n{INSIDE}\n    return c7 * x @ x", ("∇ₓ f = 14 x",)),
    "a last value": Kind("def f(x): return x @ x\nf(torch.ones(3))", (SQUARE, "tensor(3.)")),
    "deleted": Kind("def f(x): return x @ x\ndel f", ("f is no function any more",)),
    "overwritten": Kind("def f(x): return x @ x\nf = 3", ("f is no function any more",)),
    # numpy
    "np.pi": Kind("import numpy as np\ndef f(x): return np.pi * x @ x", ("∇ₓ f = 2π x",)),
    "np.sum": Kind("import numpy as np\ndef f(x): return np.sum(x ** 2)", ("use torch.sum",)),
    "np.exp": Kind("import numpy as np\ndef f(x): return np.exp(x) @ x", ("use torch.exp",)),
    "np.dot": Kind(
        "import numpy as np\ndef f(x): return torch.tensor(np.dot(x.numpy(), x.numpy()))", ("use torch.matmul",)
    ),
    "np.linalg.norm": Kind(
        "import numpy as np\ndef f(x): return np.linalg.norm(x)", ("numpy's float64", "torch.exp for np.exp")
    ),
    "an array": Kind("import numpy as np\nA = np.eye(3)\ndef f(x): return x @ A @ x", ("stay with torch tensors",)),
}


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(colors="NoColor")
    shell.run_line_magic("load_ext", "matmagic")
    yield shell
    InteractiveShell.clear_instance()


def shown(shell: InteractiveShell, kind: Kind, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    """The result of the cell, and everything it printed."""
    empty(shell)
    shell.run_cell("import torch\nimport torch.nn.functional as F\n" + kind.setup).raise_error()
    capsys.readouterr()
    whole = "gradcheck" in kind.cell
    done = shell.run_cell(kind.cell if whole else f"%%gradcheck --text {kind.line}\n{kind.cell}")
    said = capsys.readouterr()
    return done, said.out + said.err


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_kinds_of_cells(name: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    kind = KINDS[name]
    done, text = shown(shell, kind, capsys)
    for words in kind.says:
        assert words in text, text
    assert done.success == any(word in " ".join(kind.says) for word in ("∇", "∂", "sg(", "is the notebook's")), text
    assert not re.search(r"(?<!venv)/matmagic/\w+\.py", text), f"a traceback of ours:\n{text}"
    error = done.error_in_exec or done.error_before_exec
    if error is not None and type(error).__module__.startswith("matmagic"):
        assert 1 <= len(text.strip().splitlines()) <= LINES, text


def test_the_tensors_of_the_notebook_are_not_changed(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = Kind("def f(x):\n    x.mul_(2)\n    return x @ x", (), "x = torch.ones(3)")
    done, text = shown(shell, kind, capsys)
    assert done.success and "8 x" in text and torch.equal(shell.user_ns["x"], torch.ones(3))
