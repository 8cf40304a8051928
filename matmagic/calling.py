"""Run the user's function on chosen tensors, in float64, and stop where it asks for a gradient.

In: a Subject and a tensor for each argument and for each tensor that the function reads from the notebook.
Out: the tensor that the function computes.  A function in backward style (`f.backward(); return x.grad`) is stopped
at `.backward()`: the tensor it was called on is the value.  Tensors read from the notebook are replaced while the
function runs, so that it can be tried with other values and sizes without touching the notebook.
Nothing here knows what is done with the calls: trace.py, watching.py and reasons.py listen by subclassing `Running`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .errors import ResultError
from .runs import Runs

_TYPES = {"float32": torch.FloatTensor, "float16": torch.HalfTensor, "bfloat16": torch.BFloat16Tensor}
NARROW: dict[Any, str] = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}
NARROW |= {kind: name for name, kind in _TYPES.items()} | {f"torch.{t.__name__}": n for n, t in _TYPES.items()}
CASTS = {Tensor.float: "float32", Tensor.half: "float16", Tensor.bfloat16: "bfloat16"}


FOLLOW = vars(torch._C.TensorBase)["requires_grad"].__set__


class Callee(Protocol):
    """What can be called here: capture's Subject, or the function of an identity."""

    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def name(self) -> str: ...
    @property
    def reads(self) -> Mapping[str, Any]: ...
    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]: ...


class _Stop(BaseException):
    """Carries the tensor whose gradient f asked for; a BaseException, so that `except Exception` lets it pass."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Float64(TorchFunctionMode):
    """Runs torch calls in float64: casts to float32 and less too, and tensors from outside replaced by those of this run.

    Tensors of less precision for which none is given are lifted, each once; those that are computed with so keep their graph.
    """

    def __init__(self, replacements: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.replacements = replacements
        self.lifted: dict[int, tuple[Tensor, Tensor]] = {}  # kept alive, since ids are reused
        self.narrow: list[str] = []  # the dtypes below float64 that f asked for

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        __tracebackhide__ = True  # an error in the call is the user's
        if func == FOLLOW and args[1] and args[0].requires_grad:
            return None  # it is followed already, if only as a copy
        if func in CASTS:
            self.narrow.append(CASTS[func])
            func = Tensor.double
        return self.apply(func, self.replaced(args), self.replaced(kwargs) if kwargs else {})

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call; subclasses record it."""
        __tracebackhide__ = True
        return func(*args, **kwargs)

    def replaced(self, value: Any) -> Any:
        """The same arguments with tensors and float32 exchanged."""
        if isinstance(value, torch.dtype | str | type) and value in NARROW:
            self.narrow.append(NARROW[value])
            return torch.float64
        kind = type(value)
        if kind is float or kind is int or kind is str or value is None:
            return value
        if isinstance(value, Tensor):
            found = self.replacements.get(id(value), value)
            return found if found.dtype not in NARROW else self.lift(found)
        if type(value) in (tuple, list):
            return type(value)(self.replaced(v) for v in value)
        if type(value) is dict:
            return {k: self.replaced(v) for k, v in value.items()}
        return value

    def lift(self, tensor: Tensor) -> Tensor:
        """A copy of the tensor in float64."""
        if id(tensor) not in self.lifted:
            with torch._C.DisableTorchFunction():
                own = tensor.detach() if tensor.is_leaf else tensor
                copy = own.to(torch.float64, copy=True) if own.is_floating_point() else own.clone()
                self.lifted[id(tensor)] = tensor, copy
        return self.lifted[id(tensor)][1]


class Running(Float64):
    """Stops a function in backward style where it differentiates: that tensor is the value."""

    def __init__(self, replacements: Mapping[int, Tensor]) -> None:
        super().__init__(replacements)
        self.stops = False  # whether f is in backward style

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        __tracebackhide__ = True
        asks = func in (Tensor.backward, torch.autograd.grad)
        if asks and self.stops:
            outputs = args[0] if args else (kwargs or {})["outputs"]
            raise _Stop(outputs[0] if isinstance(outputs, tuple | list) and len(outputs) == 1 else outputs)
        if asks and not _asked_by_torch():
            raise ResultError(
                "the function asks autograd for a gradient, and is not in backward style",
                "return the value itself, without .backward(); or end with f.backward(); return x.grad",
            )
        return super().__torch_function__(func, types, args, kwargs)


def _asked_by_torch() -> bool:
    """Whether torch's own code (torch.func.grad) asks for the gradient, rather than the user's."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (
        "torch.overrides",
        "torch.autograd",
        "torch._tensor",
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).startswith("torch.")


@contextmanager
def validated() -> Iterator[None]:
    """Have torch.distributions check values, which torch leaves out once its compiler is loaded."""
    known = torch.distributions.Distribution
    before = known._validate_args
    known.set_default_validate_args(True)
    try:
        yield
    finally:
        known._validate_args = before


@contextmanager
def float64() -> Iterator[None]:
    """Make float64 the default dtype for a while: float32 differences are noise."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _not_compiled() -> AbstractContextManager[Any]:
    """Functions that torch would compile, which takes minutes, run as they are written."""
    started = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if started else nullcontext()


def replacements(subject: Callee, inputs: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """Which notebook tensors stand for which inputs, by identity."""
    return {id(t): inputs[name] for name, t in subject.reads.items() if name in inputs}


def call(subject: Callee, inputs: Mapping[str, Tensor], running: Running | None = None) -> Tensor:
    """f(inputs), a real tensor; `inputs` names arguments and, optionally, tensors that f reads.

    Raises whatever f raises, and ResultError when the result is not one real floating-point tensor.
    A function that needs inputs that autograd follows, for its hooks, gets them where nobody else listens.
    """
    try:
        return _called(subject, inputs, running or Running(replacements(subject, inputs)))
    except (RuntimeError, AttributeError) as error:
        if running is not None or not needs_graph(error):
            raise
    recorded = followed(inputs)
    return _called(subject, recorded, Running(replacements(subject, recorded)))


def needs_graph(error: Exception) -> bool:
    """Whether the error is about tensors that autograd doesn't follow."""
    return re.search(r"register_(multi_grad_|pre)?hook|cannot register a hook", str(error)) is not None


def followed(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies that autograd follows and that may be changed in place; those that it follows already as they are."""
    return {
        name: t if t.requires_grad or not t.is_floating_point() else t.clone().requires_grad_().clone()
        for name, t in inputs.items()
    }


def _called(subject: Callee, inputs: Mapping[str, Tensor], running: Running) -> Tensor:
    args, kwargs = subject.bind(inputs)
    running.stops = bool(getattr(subject, "returned_grads", ()))
    runs = getattr(subject, "runs", None) or Runs()
    with float64(), torch.enable_grad(), _not_compiled(), running, runs.one():
        try:
            value = subject.function(*args, **kwargs)
        except _Stop as stop:
            value = stop.value
        except RecursionError as error:
            raise ResultError(f"{subject.name} calls itself without end", f"RecursionError: {error}") from None
        except StopIteration as error:  # a generator of ours would take it for its own end
            raise ResultError(
                f"{subject.name} finds no next item: StopIteration in {_place(error)}",
                "it is run many times, and an iterator gives its items once: make it a list",
            ) from None
        except (AssertionError, RuntimeError) as error:
            if not re.search(r"not compiled|not linked with support|No CUDA GPUs|NVIDIA driver", str(error)):
                raise
            raise ResultError(f"{subject.name} asks for a device that is not here", f"torch: {error}") from None
    return checked(subject, value)


def _place(error: Exception) -> str:
    """The line that raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return f"line {at.tb_lineno}" if at is not None else "a call"


def returned(subject: Callee, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """The tensors that a function in backward style returns when it is run to its end."""
    leaves = {n: t.detach().clone().requires_grad_(t.is_floating_point()) for n, t in inputs.items()}
    args, kwargs = subject.bind(leaves)
    runs = getattr(subject, "runs", None) or Runs()
    with float64(), torch.enable_grad(), Float64(replacements(subject, leaves)), runs.one():
        value = subject.function(*args, **kwargs)
    found = value if isinstance(value, tuple | list) else [value]
    return [v.detach() for v in found if isinstance(v, Tensor)]


def checked(subject: Callee, value: Any) -> Tensor:
    """The value, if it is one that has a derivative; a ResultError that says why not, otherwise."""
    name = subject.name
    if isinstance(value, Tensor) and value.is_meta:
        raise ResultError(f"{name} returns a tensor on the meta device, which has no values", "leave out device='meta'")
    if isinstance(value, Tensor) and value.is_floating_point() and not value.numel():
        raise ResultError(f"{name} returns a tensor without entries, {describe(value)}", "return what has a derivative")
    if isinstance(value, Tensor) and value.is_floating_point():
        return value
    if isinstance(value, Tensor):
        raise ResultError(
            f"{name} returns {describe(value)}, which has no derivative", "return a real floating-point tensor"
        )
    if value is None:
        raise ResultError(f"{name} returns nothing", "end it with a return statement: return <a tensor>")
    if isinstance(value, tuple | list):
        raise ResultError(
            f"{name} returns a {type(value).__name__} of {len(value)} values; one tensor is needed",
            "return one of them, or torch.stack([...]) of the scalars",
        )
    if isinstance(value, dict):
        keys = list(map(repr, value))
        raise ResultError(
            f"{name} returns a dict of {', '.join(keys)}; one tensor is needed",
            f"return one of them, as {name}(...)[{keys[0] if keys else '...'}]",
        )
    if type(value).__module__ == "numpy":
        raise ResultError(
            f"{name} returns numpy's {type(value).__name__}, which autograd can't follow",
            "use torch's functions, mostly of the same names: torch.exp for np.exp",
        )
    if isinstance(value, int | float | complex):
        raise ResultError(
            f"{name} returns the Python number {value!r}, which autograd can't follow",
            "leave out .item() and float(...): return the tensor itself",
        )
    raise ResultError(
        f"{name} returns {type(value).__name__}, not a tensor", "return a torch tensor computed from the arguments"
    )


def describe(value: Any) -> str:
    """A tensor as "float64[3, 4]"; anything else by its type."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return type(value).__name__
