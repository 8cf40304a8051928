"""Trace by running: call the function once on real tensors and write down what it computes, in index notation.

In: a Subject, the shapes of its inputs, tensors for them.  Out: a Trace, the expression for the result.  Every torch
call of the function passes through `_Tracing` with its real values; `torch_rows` says what expression the call makes,
and that expression is evaluated and compared with the value at once.  A result that no row explains is opaque: the
trace fails only if the output depends on it, and says which call in which line it was.  Only what came in as an input
or was computed from constants is ever a constant; a tensor of unknown origin is opaque.
Not known here: derivatives, and what depends on the sizes (sizes.py compares two traces).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .calling import Callee, Running, call, replacements
from .errors import TraceError
from .evaluate import evaluate
from .expr import Leaf, Node, leaf, permute
from .lengths import Size
from .torch_rows import ROWS, Axes, NotTraced, Sizes, Traced, consecutive

TOLERANCE = 1e-9  # float64 against float64, a few operations apart


@dataclass(frozen=True)
class Opaque:
    """A value without an expression, and why."""

    reason: str
    line: int | None


@dataclass(frozen=True)
class Trace:
    """What f computes, its axes in the order of the tensor's.

    `axes` and those of `inputs` say which axes of the node each tensor axis is made of: none for size 1, several for a
    flattened one.
    """

    node: Node
    axes: Axes
    inputs: Mapping[str, tuple[Leaf, Axes]]
    sizes: Mapping[str, int]
    followed: tuple[str, ...]  # where the run took values out of tensors: control flow, numbers


def input_leaf(name: str, shape: tuple[Size, ...]) -> tuple[Leaf, Axes]:
    """The leaf for a tensor of this shape; its axes of size 1 are in the layout only."""
    kept = [s for s in shape if s != 1]
    axes, position = [], 0
    for size in shape:
        axes.append(() if size == 1 else (position,))
        position += size != 1
    return leaf(name, kept), tuple(axes)


def leaf_value(tensor: Tensor) -> Tensor:
    """The tensor with the axes of its leaf."""
    return tensor.detach().reshape([s for s in tensor.shape if s != 1])


def trace(
    subject: Callee, shapes: Mapping[str, tuple[Size, ...]], inputs: Mapping[str, Tensor], sizes: Mapping[str, int]
) -> Trace:
    """The expression that f computes at these inputs.

    Raises TraceError where the result can't be followed, and whatever f itself raises.
    """
    leaves = {name: input_leaf(name, shape) for name, shape in shapes.items()}
    fresh = {name: _recorded(t) for name, t in inputs.items()}
    running = _Tracing(subject, fresh, leaves, sizes)
    output = call(subject, fresh, running)
    found = running.lookup(output)
    if isinstance(found, Opaque):
        where = f"in line {found.line} of the cell" if found.line else f"in {subject.name}"
        raise TraceError(found.reason, where)
    if not isinstance(found, Traced):
        raise TraceError("the result is a tensor of unknown origin", f"in {subject.name}")
    node = permute(found.node, [axis for group in found.axes for axis in group])
    axes = consecutive(map(len, found.axes))
    return Trace(node, axes, leaves, dict(sizes), tuple(dict.fromkeys(running.followed)))


def _recorded(tensor: Tensor) -> Tensor:
    """A copy that autograd records and that f may change in place; integers as they are."""
    copy = tensor.detach().clone()
    return copy.requires_grad_().clone() if copy.is_floating_point() else copy


def holds(found: Trace, output: Tensor, inputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> bool:
    """Whether the expression gives what f gave at these inputs."""
    leaves = {name: leaf_value(t) for name, t in inputs.items()}
    value = evaluate(found.node, leaves, sizes).reshape(output.shape)
    scale = float(output.detach().abs().max()) if output.numel() else 0.0
    return bool(torch.allclose(value, output.detach(), TOLERANCE, TOLERANCE * scale))


class _Tracing(Running):
    """Records an expression for every tensor that the function makes."""

    def __init__(
        self,
        subject: Callee,
        inputs: Mapping[str, Tensor],
        leaves: Mapping[str, tuple[Leaf, Axes]],
        sizes: Mapping[str, int],
    ) -> None:
        super().__init__(replacements(subject, inputs))
        self.subject = subject
        self.sizes = Sizes(sizes)
        self.leaf_values = {name: leaf_value(t).clone() for name, t in inputs.items()}
        self.values: dict[Node, Tensor] = {}
        self.known: dict[int, tuple[Tensor, Traced | Opaque, int]] = {}  # tensors kept alive: ids are reused
        self.followed: list[str] = []
        for name, tensor in inputs.items():
            self.record(tensor, Traced(*leaves[name]))

    def record(self, tensor: Tensor, value: Traced | Opaque) -> None:
        self.known[id(tensor)] = (tensor, value, tensor._version)

    def lookup(self, value: Any) -> Any:
        """The expression of an argument: tensors looked up, containers searched, anything else as it is."""
        if isinstance(value, Tensor):
            if id(value) not in self.known:
                return Opaque("a tensor that was not made by a traced call", self.line())
            _, found, version = self.known[id(value)]
            if value._version != version:
                return Opaque("a tensor was changed in place through another name", self.line())
            return found
        if type(value) in (tuple, list):
            return type(value)(self.lookup(v) for v in value)
        return value

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True
        expressions = self.lookup(args), {k: self.lookup(v) for k, v in kwargs.items()}
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        if not isinstance(result, Tensor | tuple | list):
            self.note_value(func, expressions)
            return result
        if isinstance(result, torch.Size):
            return result
        outputs = [result] if isinstance(result, Tensor) else [r for r in result if isinstance(r, Tensor)]
        found: Sequence[Traced | Opaque] = self.explain(func, *expressions, outputs)
        for tensor, value in zip(outputs, found, strict=True):
            self.record(tensor, value)
        return result

    def explain(self, func: Any, args: Any, kwargs: Any, outputs: list[Tensor]) -> list[Traced] | list[Opaque]:
        """An expression for each output tensor of the call, compared with its value; or why there is none."""
        opaque = next(_opaques([args, *kwargs.values()]), None)
        if opaque is not None:
            return [opaque] * len(outputs)
        row = ROWS.get(func)
        try:
            if row is None:
                raise NotTraced(f"{call_name(func)} is not traced yet")
            if not torch.is_grad_enabled():
                raise NotTraced(f"{call_name(func)} ran under no_grad: autograd takes its result for a constant")
            given = {k: v for k, v in kwargs.items() if v is not None}  # torch's own wrappers pass every default on
            found = row(self.sizes, *args, **given)
            found = [found] if isinstance(found, Traced) else list(found)
            if len(found) != len(outputs) or not all(map(self.agrees, found, outputs)):
                raise NotTraced(f"{call_name(func)} gave another value here than its rule says")
        except (NotTraced, TypeError, ValueError, IndexError, ArithmeticError) as reason:
            said = str(reason) if isinstance(reason, NotTraced) else "not traced in this form"
            text = said if call_name(func) in said else f"{call_name(func)}: {said}"
            return [Opaque(text, self.line())] * len(outputs)
        return found

    def agrees(self, traced: Traced, tensor: Tensor) -> bool:
        value = evaluate(traced.node, self.leaf_values, self.sizes.of, self.values)
        order = [a for group in traced.axes for a in group]
        lengths = [math.prod(value.shape[a] for a in group) for group in traced.axes]
        if lengths != list(tensor.shape) or sorted(order) != list(range(value.ndim)):
            return False
        value = value.permute(order).reshape(tensor.shape)
        return bool(torch.allclose(value, tensor.detach().double(), TOLERANCE, TOLERANCE, equal_nan=True))

    def note_value(self, func: Any, expressions: Any) -> None:
        """Remember that the function took a value out of a tensor that depends on its inputs."""
        if call_name(func) in _VALUE_READS and any(True for _ in _tensors(expressions)):
            self.followed.append(f"{call_name(func)} in line {self.line()}")

    def line(self) -> int | None:
        """The line of the user's code that is running."""
        filename = getattr(getattr(self.subject.function, "__code__", None), "co_filename", None)
        frame = sys._getframe()
        while frame is not None and frame.f_code.co_filename != filename:
            frame = frame.f_back  # type: ignore[assignment]
        return frame.f_lineno if frame is not None else None


_VALUE_READS = frozenset(
    {"Tensor.item", "Tensor.__float__", "Tensor.__int__", "Tensor.__bool__", "Tensor.tolist", "Tensor.numpy"}
)


def _tensors(value: Any) -> Any:
    if isinstance(value, Traced | Opaque):
        yield value
    elif isinstance(value, tuple | list):
        for v in value:
            yield from _tensors(v)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _opaques(value: Any) -> Any:
    return (v for v in _tensors(value) if isinstance(v, Opaque))


def call_name(func: Any) -> str:
    """A torch function as a user would write it: torch.linalg.svd, Tensor.add_."""
    name = getattr(func, "__name__", str(func))
    if name == "__get__":
        return f"Tensor.{getattr(func.__self__, '__name__', '?')}"
    module = getattr(func, "__module__", None)
    if "Tensor" in getattr(func, "__qualname__", ""):
        return f"Tensor.{name}"
    if name.startswith("linalg_"):
        return f"torch.linalg.{name.removeprefix('linalg_')}"
    return f"{module}.{name}" if module and not module.startswith("torch._") else f"torch.{name}"
