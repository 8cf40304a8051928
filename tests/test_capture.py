"""Capture: which function is meant, its arguments, the tensors it reads, the gradients it returns."""

from __future__ import annotations

import functools
from typing import Any

import founding
import pytest
import torch

from matmagic.capture import Subject, parse, run, subject, subject_of
from matmagic.errors import CellError, OptionError


def captured(cell: str, function: str | None = None, **names: Any) -> Subject:
    """What a cell gives in a notebook that holds torch and the names."""
    notebook = {"torch": torch, **names}
    parsed = parse(cell)
    return subject(parsed, notebook, function, run(parsed, notebook))


CHOSEN = {  # cell -> function, others
    "def f(x): return x": ("f", ()),
    "f = lambda x: x": ("f", ()),
    "def square(t): return t * t\ndef f(x): return square(x).sum()": ("f", ()),
    "def f(x): return square(x).sum()\ndef square(t): return t * t": ("f", ()),
    "def f(x): return x\ndef g(x): return x": ("g", ("f",)),
    "def f(x): return x\ndef h(x): return x\ndef g(x): return h(x)": ("g", ("f",)),
    "def f(x): return g(x)\ndef g(x): return f(x)": ("g", ()),
    "def f(x): return x\ndef f(y): return y": ("f", ()),
    "def f(x): return x\ndef grad_f(x): return 1": ("f", ()),
}


@pytest.mark.parametrize("cell", CHOSEN)
def test_chosen_function(cell: str) -> None:
    found = captured(cell)
    assert (found.name, found.others) == CHOSEN[cell]


def test_function_by_option() -> None:
    cell = "def square(t): return t * t\ndef f(x): return square(x).sum()"
    found = captured(cell, "square")
    assert (found.name, found.parameters, found.source, found.line) == (
        "square",
        ("t",),
        cell.splitlines()[0],
        1,
    )
    with pytest.raises(
        OptionError, match=r"no function sqare in this cell \(did you mean square\?\)\n  it has: square, f"
    ):
        captured(cell, "sqare")


def test_source_and_line() -> None:
    found = captured("\nimport functools\n@functools.cache\ndef f(x):\n    return x\ny = 1")
    assert (found.source, found.line) == ("@functools.cache\ndef f(x):\n    return x", 4)


REFUSED = {
    "def f(): return torch.tensor(3.0)": "f takes no argument\n  so there is nothing to differentiate by",
    "def f(*args): return args": r"the arguments of f have no names: f\(\*args\)\n  name them:  def f",
    "def f(x):\n    yield x": "f is a generator: calling it gives no tensor\n  write return in place",
    "def f(x): return x\nf = 3": "f is no function any more when the cell has run\n  line 1 defines it",
}


@pytest.mark.parametrize("cell", REFUSED)
def test_refused_function(cell: str) -> None:
    with pytest.raises(CellError, match=REFUSED[cell]):
        captured(cell)


class Net:
    def __call__(self, *args: Any) -> Any:
        return args


async def waits(x: Any) -> Any:
    return x


OBJECTS = [
    (3, "int is int, not a function"),
    (torch.nn.Linear, "Linear is a class, not a function"),
    (torch.logdet, r"the arguments of logdet can't be read\n  wrap it:  def f\(x\): return logdet\(x\)"),
    (Net(), r"the arguments of Net have no names: Net\(\*args: .*\)"),
    (waits, "waits is an async function, which can't be checked"),
]


@pytest.mark.parametrize(("value", "message"), OBJECTS)
def test_refused_object(value: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        subject_of(value)


def test_function_that_exists() -> None:
    c = torch.ones(3)

    def outer(x: Any, k: int = 2) -> Any:
        return (c * x).sum() * k

    found = subject_of(outer)
    assert (found.name, found.parameters, found.defaults, found.claims) == ("outer", ("x",), {"k": 2}, ())
    assert list(found.reads) == ["c"] and found.reads["c"] is c
    assert found.source.startswith("def outer(x: Any") and found.line == outer.__code__.co_firstlineno
    assert found.namespace is globals()


def test_lambda_has_the_name_it_is_bound_to() -> None:
    f = lambda x: x  # noqa: E731
    assert subject_of(f, {"g": f}).name == "g"
    assert subject_of(f, {}).name == "f"


def test_function_without_source() -> None:
    names: dict[str, Any] = {}
    exec("def f(x): return x", names)
    found = subject_of(names["f"])
    assert (found.name, found.source, found.line) == ("f", "", 1)


class Report:
    """Stands for matmagic's own, which is told by its module."""

    __module__ = "matmagic.report"

    def __init__(self, function: Any) -> None:
        self.__wrapped__ = function

    def __call__(self, *args: Any) -> Any:
        raise AssertionError("the function inside is meant")


def test_report_is_opened_and_other_wrappers_are_kept() -> None:
    def f(x: Any) -> Any:
        return x

    @functools.wraps(f)
    def doubled(*args: Any) -> Any:
        return 2 * f(*args)

    assert subject_of(Report(Report(f))).function is f
    found = subject_of(doubled)
    assert (found.function, found.name, found.parameters) == (doubled, "f", ("x",))
    args, kwargs = found.bind({"x": 3})
    assert doubled(*args, **kwargs) == 6


BOUND = [  # signature, inputs -> args, kwargs
    ("x, A", {"A": 2, "x": 1}, (1, 2), {}),
    ("x, /", {"x": 1}, (1,), {}),
    ("x, *, A", {"A": 2, "x": 1}, (1,), {"A": 2}),
    ("x, lam=0.5", {"x": 1}, (1,), {}),
    ("x, lam=0.5", {"x": 1, "lam": 3}, (1, 3), {}),
    ("x, k=7, m=8", {"x": 1, "m": 3}, (1, 7, 3), {}),
    ("x, *rest, A=4, **more", {"x": 1}, (1,), {}),
    ("x", {"x": 1, "B": 2}, (1,), {}),  # a tensor that it reads
    ("input, sum, list", {"list": 3, "sum": 2, "input": 1}, (1, 2, 3), {}),
]


@pytest.mark.parametrize(("signature", "inputs", "args", "kwargs"), BOUND)
def test_bind(signature: str, inputs: dict[str, int], args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    assert captured(f"def f({signature}): return x").bind(inputs) == (args, kwargs)


def test_bind_without_a_value() -> None:
    with pytest.raises(TypeError, match="f needs a value for x, A"):
        captured("def f(x, A): return x").bind({})


class Float:
    """Stands for jaxtyping: an annotation object that knows its dimensions."""

    def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
        made = cls()
        made.dim_str = item[1]  # type: ignore[attr-defined]
        return made


FUTURE = "from __future__ import annotations\n"
SHAPES = {
    'x: Float[torch.Tensor, "n n"]': "n n",
    'x: Float[torch.Tensor, ""]': "",
    'x: "n"': "n",
    'x: "n 1"': "n 1",
    'x: "n, k"': "n, k",
    'x: "3 n"': "3 n",
    'x: ""': "",
    "x": None,
    "x: torch.Tensor": None,
    'x: "torch.Tensor"': None,
    'x: "Tensor"': None,
    'x: "float"': None,
    "x: float": None,
}


@pytest.mark.parametrize("parameter", SHAPES)
@pytest.mark.parametrize("quoted", [False, True])
def test_shape_annotations(parameter: str, quoted: bool) -> None:
    names: dict[str, Any] = {"torch": torch, "Float": Float, "n": 3}
    flags = 0x1000000 if quoted else 0  # from __future__ import annotations
    code = compile(f"def f({parameter}): return x", "<cell>", "exec", flags=flags, dont_inherit=True)
    exec(code, names)
    found = subject_of(names["f"], names).annotations
    assert found == ({} if SHAPES[parameter] is None else {"x": SHAPES[parameter]})


GRADS = {  # body of f(x, y) -> gradients returned
    "s.backward()\n    return x.grad": ("x",),
    "s.backward()\n    return y.grad, x.grad": ("y", "x"),
    "s.backward()\n    g = x.grad\n    return g": ("x",),
    "s.backward()\n    g, h = x.grad, y.grad\n    return h, g": ("y", "x"),
    "s.backward()\n    return x.grad.clone()": ("x",),
    "torch.autograd.backward(s)\n    return [x.grad]": ("x",),
    "return torch.autograd.grad(s, x)": ("x",),
    "return torch.autograd.grad(s, x)[0]": ("x",),
    "return torch.autograd.grad(s, (x, y))[1]": ("y",),
    "g, = torch.autograd.grad(s, [x])\n    return g": ("x",),
    "(g, h) = torch.autograd.grad(s, (x, y), create_graph=True)\n    return g, h": ("x", "y"),
    "s.backward()\n    return s": (),
    "s.backward()\n    return x.grad.T": (),
    "return x.grad": (),  # nobody asked for it
    "return s": (),
    "s.backward()\n    return z.grad": (),  # no argument
}


@pytest.mark.parametrize("body", GRADS)
def test_returned_grads(body: str) -> None:
    assert captured(f"def f(x, y):\n    s = (x * y).sum()\n    {body}").returned_grads == GRADS[body]


READS = {
    "def f(x): return x @ A @ x": ["A"],
    "def f(x, A): return x @ A @ x": [],
    "def f(x): return x.T": [],  # T is an attribute here
    "def f(x): return [A @ x for _ in range(2)]": ["A"],
    "def f(x): return (lambda t: A @ t)(x)": ["A"],
    "def h(t): return A @ t\ndef f(x): return h(x)": ["A"],
    "def g(t): return T @ t\ndef h(t): return A @ g(t)\ndef f(x): return h(x)": ["A", "T"],
    "def make():\n    c = A * 2\n    return lambda x: c @ x\ndef f(x): return x\nf = make()": ["c"],
    "import functools\n@functools.lru_cache\ndef f(x): return A @ x": ["A"],
    "@torch.no_grad()\ndef f(x): return A @ x": ["A"],
    "def f(x): return number * x": [],
    "def f(x):\n    A = x\n    return A": [],
    "def f(x): return f(A)": ["A"],
    "f = lambda x: A @ x": ["A"],
    "def h(t): return A @ t\ndef f(x, h=h): return h(x)": ["A"],
    "table = {'h': lambda t: A @ t}\ndef f(x): return table['h'](x)": ["A"],
    "class Net:\n    def __call__(self, t): return A @ t\nnet = Net()\ndef f(x): return net(x)": ["A"],
    "class Net:\n    @staticmethod\n    def h(t): return A @ t\ndef f(x): return Net.h(x)": ["A"],
    "class Net:\n    @property\n    def B(self): return A.T\nnet = Net()\ndef f(x): return net.B @ x": ["A"],
}


@pytest.mark.parametrize("cell", READS)
def test_tensors_that_are_read(cell: str) -> None:
    found = captured(cell, A=torch.eye(2), T=torch.eye(2), number=2).reads
    assert sorted(found) == READS[cell]


FOUNDING = [  # cell, name, parameters, gradients returned, tensors read
    (founding.RULE_1, "grad_f", ("x", "a"), ("x",), []),
    (founding.RULE_2, "f", ("x",), (), ["A"]),
    (founding.RULE_3, "grad_f", ("A", "x"), ("x",), []),
    (founding.RULE_4, "grad_f", ("A", "x", "y"), ("x", "y"), []),
    (founding.RULE_5.replace("zX", "X"), "grad_f", ("X", "a", "b"), ("X",), []),
]


@pytest.mark.parametrize(("cell", "name", "parameters", "grads", "reads"), FOUNDING)
def test_founding_cells(cell: str, name: str, parameters: Any, grads: Any, reads: list[str]) -> None:
    found = captured(cell)
    assert (found.name, found.parameters, found.returned_grads) == (name, parameters, grads)
    assert list(found.reads) == reads and found.others == ()


def test_founding_variables() -> None:
    assert [c.variable for c in captured(founding.RULE_4).claims] == ["x", "y"]
    assert [c.variable for c in captured(founding.RULE_5.replace("zX", "X")).claims] == ["X"]
    assert [(c.kind, c.text) for c in captured(founding.RULE_2).claims] == [("jacobian", "A")]
