"""Where values come from: no formula takes a function of x for a constant, unless autograd does.

Each function reaches some of its value by a way that a trace could lose: numpy, numbers, scripted code, detached tensors,
changes behind torch's back.  Either there is no formula, or it is autograd's on fresh draws and the traced expression
has f's values there.  Where autograd's derivative is another function's, a note says so.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from matmagic.autograd import copies, derivative_of, relative_error
from matmagic.calling import call, float64
from matmagic.capture import subject_of
from matmagic.checking import Check
from matmagic.options import Options
from matmagic.report import check
from matmagic.shapes import find_shapes
from matmagic.trace import holds

pytestmark = pytest.mark.filterwarnings("ignore")  # numpy and torch warn about what is done here on purpose

CASES: dict[str, tuple[Callable[..., Tensor], bool | None, str]] = {}  # function, whether it has a formula, a note


def case(formula: bool | None, note: str = "") -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Enter a function; None: either way is honest."""

    def enter(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        CASES[function.__name__] = function, formula, note
        return function

    return enter


NUMPY = "autograd can't follow it"
NUMBERS = "takes numbers out of tensors"
DETACHED = "detaches part of its value"

# --------------------------------------------------------------------------- numpy and numbers


@case(False, NUMPY)
def from_numpy(x: Tensor) -> Tensor:
    return (x * torch.from_numpy(x.detach().numpy() * 2)).sum()


@case(False, NUMPY)
def shared_from_numpy(x: Tensor) -> Tensor:
    return (x * torch.from_numpy(x.detach().numpy())).sum()


@case(False, NUMPY)
def asarray(x: Tensor) -> Tensor:
    return (x * torch.as_tensor(np.asarray(x.detach()))).sum()


@case(False, "np.sum in line")
def numpy_scalar(x: Tensor) -> Tensor:
    return x.sum() * np.sum(x.detach().numpy())


@case(False, NUMBERS)
def from_list(x: Tensor) -> Tensor:
    return (x * torch.tensor(x.tolist())).sum()


@case(None, NUMBERS)
def tensor_of_tensor(x: Tensor) -> Tensor:
    return (x * torch.tensor(x)).sum()


@case(False, NUMBERS)
def item(x: Tensor) -> Tensor:
    return (x @ x) * (x @ x).item()


@case(False, NUMBERS)
def float_of(x: Tensor) -> Tensor:
    return (x @ x) * float(x.sum())


@case(False, NUMBERS)
def filled(x: Tensor) -> Tensor:
    return (x * torch.full((x.shape[0],), x.sum().item())).sum()


@case(False, NUMBERS)
def new_tensor(x: Tensor) -> Tensor:
    return (x * x.new_tensor(x.tolist())).sum()


@case(False, NUMBERS)
def entry_by_entry(x: Tensor) -> Tensor:
    y = torch.zeros(x.shape[0])
    for i in range(x.shape[0]):
        y[i] = x[i].item()
    return y @ x


@case(False, "control flow or numbers depend on values: int() in line")
def chosen_entry(x: Tensor) -> Tensor:
    return x[int(x.argmax())] ** 2


@case(False, "control flow or numbers depend on values: float() in line")
def chosen_branch(x: Tensor) -> Tensor:
    return (x**2).sum() if float(x.sum()) > 0 else (x**3).sum()


# --------------------------------------------------------------------------- scripted, vmapped, recomputed


@torch.jit.script
def scripted_product(x: Tensor) -> Tensor:
    return x * x.sum()


@torch.jit.script
def scripted_detach(x: Tensor) -> Tensor:
    return x * x.detach().sum()


@case(True)
def scripted(x: Tensor) -> Tensor:
    return scripted_product(x).sum()


@case(True, DETACHED)
def scripted_and_detached(x: Tensor) -> Tensor:
    return scripted_detach(x).sum()


@case(True)
def vmapped(x: Tensor) -> Tensor:
    return torch.func.vmap(lambda t: t * x.sum())(x).sum()


@case(True, DETACHED)
def vmapped_and_detached(x: Tensor) -> Tensor:
    return torch.func.vmap(lambda t: t * x.detach().sum())(x).sum()


@case(True)
def functional_gradient(x: Tensor) -> Tensor:
    return torch.func.grad(lambda t: (t**3).sum())(x) @ x


@case(True)
def recomputed(x: Tensor) -> Tensor:
    return checkpoint(lambda t: (t**3).sum(), x, use_reentrant=False)


# --------------------------------------------------------------------------- detached


@case(True, ".data in line")
def data(x: Tensor) -> Tensor:
    return (x * x.data).sum()


@case(True, ".detach() in line")
def detached(x: Tensor) -> Tensor:
    return (x * x.detach()).sum()


@case(True, DETACHED)
def target(x: Tensor) -> Tensor:
    return ((x - (x**2).detach()) ** 2).sum()


@case(True, DETACHED)
def weights(x: Tensor) -> Tensor:
    return torch.softmax(x, 0).data @ x


@case(True)
def shifted_by_the_maximum(x: Tensor) -> Tensor:
    shift = x.max().detach()
    return torch.log(torch.exp(x - shift).sum()) + shift


@case(True, "torch.no_grad() in line")
def no_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        total = x.sum()
    return (x * total).sum()


@case(True, DETACHED)
def view_under_no_grad(x: Tensor) -> Tensor:
    y = 2 * x
    with torch.no_grad():
        v = y[1:]
    return (v * x[1:]).sum()


@torch.no_grad()
def quiet_sum(x: Tensor) -> Tensor:
    return x.sum()


@case(True, DETACHED)
def decorated_helper(x: Tensor) -> Tensor:
    return (x * quiet_sum(x)).sum()


@case(False, DETACHED)
def changed_under_no_grad(x: Tensor) -> Tensor:
    y = x * 1
    with torch.no_grad():
        y *= 2
    return (y * y).sum()


@case(None, DETACHED)
def inference_mode(x: Tensor) -> Tensor:
    with torch.inference_mode():
        total = x.sum()
    return (x * total.clone()).sum()


@case(None, DETACHED)
def required_anew(x: Tensor) -> Tensor:
    return ((x**2).detach().requires_grad_() * x).sum()


@case(False, DETACHED)
def parameter(x: Tensor) -> Tensor:
    return (torch.nn.Parameter(x.detach()) * x).sum()


# --------------------------------------------------------------------------- changed in place


@case(None)
def through_a_slice(x: Tensor) -> Tensor:
    y = x * 1
    v = y[1:]
    v *= 2
    return (y * x).sum()


@case(None)
def through_a_view(x: Tensor) -> Tensor:
    y = x * 1
    y.view(-1).mul_(x)
    return (y * x).sum()


@case(None)
def through_a_transpose(X: Tensor) -> Tensor:
    Y = X * 1
    Y.T.mul_(2)
    return (Y * X).sum()


@case(None)
def through_the_diagonal(X: Tensor) -> Tensor:
    Y = X * 1
    Y.diagonal().add_(X[0, 0])
    return (Y * X).sum()


@case(None)
def under_a_view(x: Tensor) -> Tensor:
    y = x * 1
    v = y[1:]
    y *= 2
    return (v * v).sum()


@case(False, DETACHED)
def through_data(x: Tensor) -> Tensor:
    y = x * 1
    y.data.mul_(2)
    return (y * y).sum()


@case(False, DETACHED)
def into_data(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y.data.add_(x)
    return (y * x).sum()


@case(False, DETACHED)
def exchanged_data(x: Tensor) -> Tensor:
    y = x * 1
    y.data = 2 * x.detach()
    return (y * y).sum()


@case(False, DETACHED)
def through_a_detached_alias(x: Tensor) -> Tensor:
    y = x * 1
    y.detach().mul_(3)
    return (y * y).sum()


@case(False, NUMPY)
def through_numpy(x: Tensor) -> Tensor:
    y = torch.zeros_like(x)
    y.numpy()[:] = x.detach().numpy()
    return (y * x).sum()


@case(False, NUMPY)
def through_an_array_of_its_own(x: Tensor) -> Tensor:
    a = np.zeros(x.shape[0])
    t = torch.from_numpy(a)
    a[:] = x.detach().numpy()
    return (t * x).sum()


@case(False, "np.multiply in line")
def through_numpys_out(x: Tensor) -> Tensor:
    t = torch.zeros_like(x)
    np.multiply(x.detach().numpy(), 2, out=t.numpy())
    return (t * x).sum()


@case(False, NUMPY)
def of_x_itself_through_numpy(x: Tensor) -> Tensor:
    a = x.detach().numpy()
    a *= 2
    return (x * x).sum()


@case(None, DETACHED)
def through_out(x: Tensor) -> Tensor:
    y = torch.empty(x.shape[0])
    torch.mul(x.detach(), 2, out=y)
    return (y * x).sum()


@case(None, DETACHED)
def through_out_of_a_view(x: Tensor) -> Tensor:
    y = torch.zeros(2, x.shape[0])
    torch.mul(x.detach(), 2, out=y[0])
    return (y[0] * x).sum()


# --------------------------------------------------------------------------- copies and other ways to memory


@case(None, DETACHED)
def deep_copied(x: Tensor) -> Tensor:
    return (x * copy.deepcopy(x.detach())).sum()


@case(None, DETACHED)
def copied(x: Tensor) -> Tensor:
    return (x * copy.copy(x.detach())).sum()


@case(None, DETACHED)
def pickled(x: Tensor) -> Tensor:
    return (x * pickle.loads(pickle.dumps(x.detach().clone()))).sum()


@case(None, DETACHED)
def saved(x: Tensor) -> Tensor:
    file = io.BytesIO()
    torch.save(x.detach(), file)
    file.seek(0)
    return (x * torch.load(file)).sum()


@case(None, DETACHED)
def through_dlpack(x: Tensor) -> Tensor:
    return (x * torch.from_dlpack(x.detach())).sum()


@case(False, NUMPY)
def through_bytes(x: Tensor) -> Tensor:
    buffer = bytearray(x.detach().numpy().tobytes())
    return (x * torch.frombuffer(buffer, dtype=torch.float64)).sum()


@case(None, DETACHED)
def on_the_same_storage(x: Tensor) -> Tensor:
    return (x * torch.empty(0).set_(x.detach())).sum()


@case(None, DETACHED)
def python_for_each_entry(x: Tensor) -> Tensor:
    return (x * x.detach().clone().apply_(lambda v: v * v)).sum()


# --------------------------------------------------------------------------- backwards of their own


class Cube(torch.autograd.Function):
    """x³, with its derivative."""

    factor = 3

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * g


class WrongCube(Cube):
    """x³, with the derivative of something else."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x**2 * g


class NumpyCube(WrongCube):
    """The same by numpy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.from_numpy(x.detach().numpy() ** 3)


class StraightThrough(torch.autograd.Function):
    """sign(x), with the derivative of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


OWN = "a backward of its own"


@case(None)
def own_backward(x: Tensor) -> Tensor:
    return Cube.apply(x).sum()


@case(False, OWN)
def wrong_backward(x: Tensor) -> Tensor:
    return WrongCube.apply(x).sum()


@case(False)
def wrong_backward_by_numpy(x: Tensor) -> Tensor:
    return NumpyCube.apply(x).sum()


@case(False, OWN)
def straight_through(x: Tensor) -> Tensor:
    return (StraightThrough.apply(x) * x).sum()


@case(False, "a hook in line")
def hook(x: Tensor) -> Tensor:
    y = x**2
    y.register_hook(lambda g: 2 * g)
    return y.sum()


@case(False, "a hook in line")
def hook_on_the_argument(x: Tensor) -> Tensor:
    x.register_hook(lambda g: 3 * g)
    return (x**2).sum()


@case(True)
def hook_that_only_looks(x: Tensor) -> Tensor:
    y = x**2
    y.register_hook(lambda g: None)
    return y.sum()


@case(False, "a hook on a grad_fn in line")
def hook_on_the_graph(x: Tensor) -> Tensor:
    y = x**2
    y.grad_fn.register_prehook(lambda gs: tuple(2 * g for g in gs))  # type: ignore[union-attr]
    return y.sum()


@case(False, OWN)
def hook_on_a_module(x: Tensor) -> Tensor:
    module = torch.nn.Identity()
    module.register_full_backward_hook(lambda m, before, after: (2 * before[0],))
    return module(x**2).sum()


# --------------------------------------------------------------------------- the check


@pytest.mark.parametrize("name", CASES)
def test_no_function_of_x_is_taken_for_a_constant(name: str) -> None:
    function, formula, note = CASES[name]
    variable = function.__code__.co_varnames[0]
    subject = subject_of(function, globals())
    options = Options(shapes={variable: "n" if variable == "x" else "n,m"})
    report = check(subject, options)
    (derivative,) = report
    if formula is not None:
        assert (derivative.code is not None) == formula, [n.text for n in report.notes]
    if derivative.code is not None:
        assert derivative.verdict.ok
        for inputs in fresh(variable):
            with float64():
                found = torch.as_tensor(eval(derivative.code, {"torch": torch, "F": F, **inputs}))
            assert relative_error(found.double(), derivative_of(subject, inputs, variable)) < 1e-8
    question = Check(subject, find_shapes(subject, options), {}, options)
    traced, _ = question.trace()
    if traced is not None:
        assert all(holds(traced, call(subject, copies(at)), at, question.sizes(at)) for at in fresh(variable))
    notes = " ".join(n.text for n in report.notes)
    assert note in notes
    parted = note and note != OWN and not note.startswith("control flow")
    assert derivative.verdict.autograd_ok or parted or "own" in name or "wrong" in name or OWN in note
    assert parted or not any(said in notes for said in (NUMPY, NUMBERS, DETACHED, "hook"))


def fresh(variable: str) -> list[dict[str, Tensor]]:
    """Draws that the check has not seen, at other sizes and scales."""
    drawn = []
    for size, scale in ((4, 1.0), (6, 0.2), (5, 5.0)):
        generator = torch.Generator().manual_seed(1000 + size)
        shape = (size,) if variable == "x" else (size, 3)
        drawn.append({variable: scale * torch.randn(shape, dtype=torch.float64, generator=generator)})
    return drawn


def test_these_draws_tell_formulas_apart() -> None:
    subject = subject_of(detached, globals())
    for inputs in fresh("x"):
        assert relative_error(2 * inputs["x"], derivative_of(subject, inputs, "x")) > 0.1
