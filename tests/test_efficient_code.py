"""Code of derivatives is as fast as autograd by its operations, keeps dtypes, and agrees as a function and in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F
from corefixtures import run_code
from corpus.cases import asked, load
from losses import LOSSES, Loss
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from matmagic.calling import float64
from matmagic.derivative import Derivative
from matmagic.printers.numpy_code import numpy_code
from matmagic.printers.sharing import function, one_expression
from matmagic.report import gradcheck

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch warns of x.T for 1-D tensors

CASES = {case["id"]: case for case in load("open.toml", "case")}


def derivative_of(body: str, shapes: str, wrt: str, **assume: str) -> Derivative:
    loss = Loss(body, body, shapes, wrt, assume)
    return loss.derivative


# function, shapes, variable, what is assumed: the code of its derivative
CODES: dict[tuple[str, str, str], str] = {
    ("x @ A @ x", "x: n, A: n n", "x"): "A @ x + A.T @ x",
    ("((A @ B @ x - b) ** 2).sum()", "x: n, A: m k, B: k n, b: m", "x"): "2 * (B.T @ (A.T @ (A @ (B @ x) - b)))",
    ("b @ torch.linalg.inv(A) @ b", "b: n, A: n n", "b"): "torch.linalg.solve(A, b) + torch.linalg.solve(A.T, b)",
    ("torch.trace(torch.linalg.inv(A))", "A: n n", "A"): "-torch.linalg.matrix_power(A.T, -2)",
    ("t * torch.trace(A @ B)", "t:, A: m n, B: n m", "t"): "(A * B.T).sum()",
    ("torch.diagonal(X @ A @ X.T) @ a", "X: m n, A: n n, a: m", "a"): "((X @ A) * X).sum(1)",
    ("a @ torch.exp(A @ x)", "x: n, A: m n, a: m", "x"): "A.T @ (a * torch.exp(A @ x))",
    ("torch.exp(A @ x)", "x: n, A: m n", "x"): "torch.exp(A @ x)[:, None] * A",
    ("torch.relu(A @ x).sum()", "x: n, A: m n", "x"): "A.T @ (A @ x > 0).to(x)",
    ("torch.relu(A @ x) @ a", "x: n, A: m n, a: m", "x"): "A.T @ (a * (A @ x > 0))",
    ("((X @ W + b) ** 2).sum()", "W: n k, X: m n, b: k", "W"): "2 * (X.T @ (X @ W + b))",
    ("x.sum() ** 2", "x: n", "x"): "(2 * x.sum()).expand_as(x)",
    ("X.sum(0) @ a", "X: m n, a: n", "X"): "a.expand(X.shape[0], -1)",
    ("torch.trace(X)", "X: n n", "X"): "torch.eye(X.shape[0]).to(X)",
    ("(A @ x)[0] * (x @ A)[1]", "x: n, A: n n", "A"): "",
    ("3 * t", "t:", "t"): "t.new_tensor(3)",
    ("torch.log(1 + x.T @ A @ x)", "x: n 1, A: n n", "x"): "(A @ x + A.T @ x) / (x.T @ A @ x + 1)",
    ("F.cross_entropy(X @ W, y)", "W: n k, X: m n, y: m", "W"): (
        "X.T @ (torch.softmax(X @ W, -1) - F.one_hot(y.long(), W.shape[1])) / X.shape[0]"
    ),
}


@pytest.mark.parametrize("case", CODES, ids=lambda case: f"{case[0]} by {case[2]}")
def test_code(case: tuple[str, str, str]) -> None:
    assume = {"y": "index<k"} if "cross_entropy" in case[0] else {}
    found = derivative_of(*case, **assume)
    assert found.verdict.ok
    assert CODES[case] in ("", found.code)


# ---- operations ---------------------------------------------------------------------------------------------------


class Counting(TorchDispatchMode):
    """Multiplications of matrix products and factorisations, by the textbook's counts."""

    total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shapes = [tuple(a.shape) for a in args if isinstance(a, Tensor)]
        name = func.overloadpacket.__name__
        if name in ("mm", "mv", "dot", "addmm", "addmv", "bmm"):
            left, right = shapes[-2:]
            self.total += math.prod(left) * (right[-1] if len(right) > 1 else 1)
        elif name in ("linalg_inv_ex", "_linalg_solve_ex", "_linalg_det", "_linalg_slogdet", "linalg_lu_factor_ex"):
            rows = shapes[0][-1]
            right = rows**2 if name == "linalg_inv_ex" else math.prod(shapes[1]) if len(shapes) > 1 else 0
            self.total += rows**3 / 3 + rows * right * (2 / 3 if name == "linalg_inv_ex" else 1)
        elif name in ("linalg_lu_solve", "linalg_solve_triangular"):
            right = shapes[2] if name == "linalg_lu_solve" else shapes[1]
            self.total += shapes[0][-1] * math.prod(right) * (1 if name == "linalg_lu_solve" else 0.5)
        elif name == "linalg_lu":
            self.total += shapes[0][-1] ** 3 / 3
        return func(*args, **(kwargs or {}))


def products(run: Callable[[], object]) -> float:
    with Counting() as counted:
        run()
    return counted.total


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_code_has_no_more_matrix_products_than_autograd(loss: Loss) -> None:
    inputs, code = loss.inputs(60), loss.code
    given = {name: tensor.clone() for name, tensor in inputs.items()}
    given[loss.wrt].requires_grad_()
    theirs = products(lambda: loss.function(**given).backward())
    ours = products(lambda: run_code(code, inputs))
    torch.testing.assert_close(run_code(code, inputs), given[loss.wrt].grad)
    assert ours <= max(1.1 * theirs, 3 * 72 * 60), code  # three products of a matrix and a vector are short anyway


def test_a_product_with_a_matrix_would_be_counted() -> None:
    inputs = {"A": torch.randn(60, 60), "x": torch.randn(60)}
    assert products(lambda: run_code("(A.T @ A) @ x", inputs)) > 10 * products(
        lambda: run_code("A.T @ (A @ x)", inputs)
    )
    assert products(lambda: run_code("torch.linalg.inv(A)", inputs)) == 60**3


# ---- dtypes -------------------------------------------------------------------------------------------------------


def as_float32(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in inputs.items()}


@pytest.mark.parametrize("name", CASES)
def test_each_form_of_the_code(name: str) -> None:
    """float32 stays float32 whatever the default dtype; the function and NumPy give the same numbers."""
    case = CASES[name]
    found = asked(case)[0][case["wrt"]]
    inputs = found.draws[0]
    right = run_code(str(found.code), inputs)
    small = eval(str(found.code), {"torch": torch, "F": F}, as_float32(inputs))
    with float64():
        other = eval(str(found.code), {"torch": torch, "F": F}, as_float32(inputs))
    assert small.dtype == other.dtype == torch.float32
    assert float((small - right).abs().max()) <= 1e-3 * float(right.abs().max())
    assert found.function_code is not None and found.function_code.startswith("def ")
    space: dict[str, Any] = {"torch": torch, "F": F}
    exec(found.function_code, space)
    own = next(value for key, value in space.items() if key.endswith(f"_{case['wrt']}"))
    torch.testing.assert_close(own(**inputs), right)
    if "matrix_exp" in str(found.code):
        assert found.numpy_code is None
        return
    assert found.numpy_code is not None
    value = eval(found.numpy_code, {"np": numpy}, {key: tensor.numpy() for key, tensor in inputs.items()})
    torch.testing.assert_close(torch.tensor(numpy.asarray(value, dtype=float)), right)


# ---- names --------------------------------------------------------------------------------------------------------

SHARED = {
    "torch.linalg.inv(X).T @ A.T @ torch.linalg.inv(X).T": "(P := torch.linalg.inv(X)).T @ A.T @ P.T",
    "torch.outer(torch.linalg.solve(S, r), torch.linalg.solve(S, r))": "torch.outer(v := torch.linalg.solve(S, r), v)",
    "P * (torch.linalg.inv(X) + torch.linalg.inv(X).T)": "P * ((u := torch.linalg.inv(X)) + u.T)",
    "torch.exp(x) * torch.exp(x)": "torch.exp(x) * torch.exp(x)",
}


@pytest.mark.parametrize("code", SHARED)
def test_what_is_costly_has_a_name_that_is_free(code: str) -> None:
    assert one_expression(code, {"torch.linalg.inv(X)", "torch.linalg.solve(S, r)"}, longest=0) == SHARED[code]


def test_code_that_is_too_deep_stays_as_it_is() -> None:
    deep = "(" * 300 + "A @ x" + ")" * 300
    assert one_expression(deep, longest=0) == deep
    long = " + ".join(["A @ x"] * 2000)
    assert one_expression(long, longest=0) == long


def test_a_function_names_what_it_needs_twice() -> None:
    found = gradcheck(lambda x, A, b: torch.sqrt(((A @ x - b) ** 2).sum() + 1), wrt="x", shapes="x=n A=m,n b=m")["x"]
    assert found.function_code == (
        "def grad_x(x, A, b):\n    r = A @ x - b\n    return A.T @ r / torch.sqrt(torch.linalg.norm(r) ** 2 + 1)"
    )
    code = "((v1 := torch.exp(X), v2 := v1 * v1, v1 + v2)[-1]).reshape(X.shape)"
    assert function("g", ["X"], code) == (
        "def g(X):\n    v1 = torch.exp(X)\n    v2 = v1 * v1\n    return (v1 + v2).reshape(X.shape)"
    )


def test_without_a_closed_form_there_is_none() -> None:
    found = gradcheck(lambda x: torch.tensor(x.detach().numpy()).sum() + x.sum(), shapes="x=n")["x"]
    assert found.code is found.function_code is found.numpy_code is None


NUMPY = {
    "F.softplus(x)": "np.logaddexp(0, x)",
    "torch.eye(x.shape[0]).to(x)": "np.eye(x.shape[0]).astype(x.dtype)",
    "b.expand(X.shape[0], -1)": "np.tile(b, (X.shape[0], 1))",
    "torch.linalg.solve(A, B, left=False)": "np.linalg.solve(A.T, B.T).T",
    "torch.softmax(X @ w, -1)": "np.exp(X @ w - np.logaddexp.reduce(X @ w, -1, keepdims=True))",
    "torch.softmax(z := X @ w, -1)": "np.exp((z := (X @ w)) - np.logaddexp.reduce(z, -1, keepdims=True))",
    "torch.sort(x).values": "np.sort(x)",
    "torch.clamp(x, min=1)": "np.maximum(x, 1)",
}


@pytest.mark.parametrize("code", NUMPY)
def test_numpy(code: str) -> None:
    assert numpy_code(code) == NUMPY[code]


@pytest.mark.parametrize("code", ["torch.erf(x)", "x.cummax(0)", "torch.linalg.eigh(A).other", "len(x)"])
def test_no_numpy_where_there_is_no_such_function(code: str) -> None:
    assert numpy_code(code) is None
