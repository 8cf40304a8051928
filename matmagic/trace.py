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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .calling import Callee, Running, call, replacements
from .errors import TraceError
from .evaluate import evaluate
from .expr import Elementwise, Leaf, Node, leaf
from .lengths import Size, length
from .torch_rows import ROWS, Axes, NotTraced, Sizes, SplitLeaf, Traced
from .torch_rows.aten import IGNORED, row_below
from .torch_rows.chosen import Chosen, choose, chosen_in, mask_of, on_chosen
from .torch_rows.table import Row, applied, in_order, with_names
from .walk import leaves, ordered

MOST_CALLS = 800  # of one run; a loop that makes more is not written down
TOLERANCE = 1e-9  # float64 against float64, a few operations apart


class TooLong(TraceError):
    """A run with too many calls."""


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
    held: bool = False  # whether f detaches what depends on the inputs
    calls: int = 0  # how many calls the run made


def input_leaf(name: str, shape: tuple[Size, ...]) -> tuple[Leaf, Axes]:
    """The leaf for a tensor of this shape; its axes of size 1 are in the layout only."""
    kept = [s for s in shape if s != 1]
    axes, position = [], 0
    for size in shape:
        axes.append(() if size == 1 else (position,))
        position += size != 1
    return leaf(name, kept), tuple(axes)


def leaf_values(found: Trace, inputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """The tensors with the axes of their leaves."""
    return {name: _with_axes(own, inputs[name], sizes) for name, (own, _) in found.inputs.items()}


def _with_axes(own: Leaf, tensor: Tensor, sizes: Mapping[str, int]) -> Tensor:
    return tensor.detach().double().reshape([length(s, sizes) for s in own.shape])


def trace(
    subject: Callee,
    shapes: Mapping[str, tuple[Size, ...]],
    inputs: Mapping[str, Tensor],
    sizes: Mapping[str, int],
    near: bool = False,
) -> Trace:
    """The expression that f computes at these inputs; `near`: numbers such as 5 stand for n-1 where n is 6.

    Raises TraceError where the result can't be followed, and whatever f itself raises.
    """
    layout = {name: input_leaf(name, shape) for name, shape in shapes.items()}
    try:
        return _traced(subject, layout, inputs, Sizes(sizes, near=near))
    except SplitLeaf as wanted:
        split = {**layout, wanted.name: (leaf(wanted.name, wanted.axes), (tuple(range(len(wanted.axes))),))}
        try:
            return _traced(subject, split, inputs, Sizes(sizes, shapes, near))
        except TraceError:
            return _traced(subject, layout, inputs, Sizes(sizes, shapes, near))


def _traced(
    subject: Callee,
    layout: Mapping[str, tuple[Leaf, Axes]],
    inputs: Mapping[str, Tensor],
    sizes: Sizes,
) -> Trace:
    """The same with a layout of the inputs."""
    try:
        running, output = _run(subject, {n: _recorded(t) for n, t in inputs.items()}, layout, sizes)
    except RuntimeError as error:
        if "grad" not in str(error) and "differentiable" not in str(error):
            raise
        running, output = _run(subject, {n: t.clone() for n, t in inputs.items()}, layout, sizes)
    found = running.lookup(output)
    if isinstance(found, Opaque):
        where = f"in line {found.line} of the cell" if found.line else f"in {subject.name}"
        raise TraceError(found.reason, where)
    if isinstance(found, Chosen):
        raise TraceError("the result has as many entries as its values decide", f"in {subject.name}")
    if not isinstance(found, Traced):
        raise TraceError("the result is a tensor of unknown origin", f"in {subject.name}")
    found = in_order(found)
    held = any(isinstance(part, Elementwise) and part.function == "detach" for part in ordered(found.node))
    return Trace(
        found.node, found.axes, layout, dict(sizes.of), tuple(dict.fromkeys(running.followed)), held, running.calls
    )


def _run(
    subject: Callee, inputs: dict[str, Tensor], layout: Mapping[str, tuple[Leaf, Axes]], sizes: Sizes
) -> tuple[_Tracing, Tensor]:
    """One run of f, listened to.  Some functions refuse arguments that autograd follows (weights of a loss)."""
    running = _Tracing(subject, inputs, layout, sizes)
    with _Below(running):
        return running, call(subject, inputs, running)


def _recorded(tensor: Tensor) -> Tensor:
    """A copy that autograd records and that f may change in place; integers as they are."""
    copy = tensor.detach().clone()
    return copy.requires_grad_().clone() if copy.is_floating_point() else copy


def holds(found: Trace, output: Tensor, inputs: Mapping[str, Tensor], sizes: Mapping[str, int]) -> bool:
    """Whether the expression gives what f gave at these inputs."""
    try:
        value = evaluate(found.node, leaf_values(found, inputs, sizes), sizes).reshape(output.shape)
    except (RuntimeError, IndexError):  # a size that is another one here
        return False
    return bool(torch.allclose(value, output.detach(), TOLERANCE, TOLERANCE * _size(output), equal_nan=False))


def _size(tensor: Tensor) -> float:
    """The largest finite entry."""
    finite = tensor.detach()[tensor.detach().isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


@dataclass(frozen=True)
class _Known:
    """What is known of a tensor, which is kept alive, since ids are reused."""

    tensor: Tensor
    value: Traced | Chosen | Opaque
    version: int | None
    recorded: bool  # whether autograd follows it
    view: tuple[Tensor, Any] | None = None  # the tensor and the index that it is a part of


def _version(tensor: Tensor) -> int:
    """How often the tensor was changed in place; torch doesn't count in inference mode."""
    return -1 if tensor.is_inference() else tensor._version


class _Below(TorchDispatchMode):
    """Listens one level down, to the aten operations of scripted and vmapped functions and of calls without a row."""

    def __init__(self, tracing: _Tracing) -> None:
        super().__init__()
        self.tracing = tracing

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False keeps torch from importing torch._dynamo, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        __tracebackhide__ = True
        given = {k: v for k, v in (kwargs or {}).items() if k not in IGNORED}
        with torch._C.DisableTorchFunction():
            expressions = self.tracing.lookup(args), {k: self.tracing.lookup(v) for k, v in given.items()}
            result = func(*args, **(kwargs or {}))
            outputs = _tensors_of(result)
            found = self.tracing.explain(func, row_below(func), *expressions, outputs)
            self.tracing.enter(outputs, found, torch.is_grad_enabled())  # autograd marks its results later
            for tensor in outputs:  # so does the count of changes in place
                self.tracing.known[id(tensor)] = replace(self.tracing.known[id(tensor)], version=None)
        return result


class _Tracing(Running):
    """Records an expression for every tensor that the function makes."""

    def __init__(
        self, subject: Callee, inputs: Mapping[str, Tensor], leaves: Mapping[str, tuple[Leaf, Axes]], sizes: Sizes
    ) -> None:
        super().__init__(replacements(subject, inputs))
        self.subject = subject
        self.sizes = sizes
        self.leaf_values = {n: _with_axes(leaves[n][0], t, sizes.of).clone() for n, t in inputs.items()}
        self.values: dict[Node, Tensor] = {}
        self.known: dict[int, _Known] = {}
        self.followed: list[str] = []
        self.calls = 0
        for name, tensor in inputs.items():
            self.record(tensor, Traced(*leaves[name]))

    def record(
        self,
        tensor: Tensor,
        value: Traced | Chosen | Opaque,
        view: tuple[Tensor, Any] | None = None,
        recorded: bool = False,
    ) -> None:
        if isinstance(value, Traced) and tensor.dtype is torch.bool:
            self.sizes.truths.add(value.node)
        self.known[id(tensor)] = _Known(tensor, value, _version(tensor), recorded or tensor.grad_fn is not None, view)

    def enter(
        self, outputs: Sequence[Tensor], values: Sequence[Traced | Chosen | Opaque], recorded: bool = False
    ) -> None:
        for tensor, value in zip(outputs, values, strict=True):
            known = self.known.get(id(tensor))
            self.record(tensor, value, known.view if known else None, recorded)

    def lookup(self, value: Any) -> Any:
        """The expression of an argument: tensors looked up, containers searched, anything else as it is."""
        if isinstance(value, Tensor):
            known = self.known.get(id(value))
            if known is None:
                return Opaque("a tensor that was not made by a traced call", self.line())
            if known.version is None:  # written down before torch counted
                self.known[id(value)] = replace(known, version=_version(value))
            elif _version(value) != known.version:
                return Opaque("a tensor was changed in place through another name", self.line())
            if value.grad_fn is not None and not known.recorded:
                return Opaque("a torch.autograd.Function has a backward of its own", self.line())
            return known.value
        if type(value) in (tuple, list):
            return type(value)(self.lookup(v) for v in value)
        return value

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call and write down what it makes."""
        __tracebackhide__ = True
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise TooLong(f"more than {MOST_CALLS} calls, too many to follow", f"in line {self.line()} of the cell")
        expressions = self.lookup(args), {k: self.lookup(v) for k, v in kwargs.items()}
        func = BLANK.get(func, func)
        row: Any = None if any(id(t) not in self.known for t in _tensors_of(args)) else ROWS.get(func)
        versions = [_version(a) if isinstance(a, Tensor) else 0 for a in args]
        result = self.carried_out(func, args, kwargs, below=row is None)
        changed = any(isinstance(a, Tensor) and _version(a) != v for a, v in zip(args, versions, strict=True))
        outputs = [args[0]] if func is Tensor.__setitem__ else _tensors_of(result)
        if isinstance(result, torch.Size) or not outputs:
            self.note_value(func, expressions)
        elif row is not None:
            mask = self.mask_of(func, args, expressions[0])
            if mask is not None:
                shows = 0 < outputs[0].numel() < args[0].numel()
                row, expressions = choose, ((expressions[0][0], mask, shows), {})
            found = self.explain(func, row, *expressions, outputs)
            if mask is None and any(isinstance(f, Opaque) for f in found) and not changed:
                found = self.from_below(func, args, kwargs, outputs, found)
            self.enter(outputs, found)
            self.note_view(func, args, expressions[0], result)
        else:
            for tensor in outputs:
                if id(tensor) in self.known:
                    self.record(tensor, self.named(func, self.lookup(tensor)))
        return result

    def carried_out(self, func: Any, args: Any, kwargs: Any, below: bool) -> Any:
        """The call's result; `below` says whether its aten operations are listened to."""
        __tracebackhide__ = True
        with torch._C.DisableTorchFunction(), nullcontext() if below else torch._C._DisableTorchDispatch():
            return func(*args, **kwargs)

    def note_view(self, func: Any, args: Any, expressions: Any, result: Any) -> None:
        """Remember which part of a tensor a view is; write a part that was changed in place back into the whole."""
        if func is Tensor.__getitem__ and isinstance(result, Tensor) and result._base is not None:
            self.record(result, self.known[id(result)].value, (args[0], expressions[1]))
        changed = self.known.get(id(args[0])) if args and isinstance(args[0], Tensor) and result is args[0] else None
        if changed is None or changed.view is None:
            return
        whole, index = changed.view
        before, part = self.known[id(whole)], changed.value
        if isinstance(before.value, Opaque) or isinstance(part, Opaque):
            return
        new = self.explain(Tensor.__setitem__, ROWS[Tensor.__setitem__], (before.value, index, part), {}, [whole])
        self.record(whole, new[0], before.view)
        self.record(changed.tensor, part, changed.view)

    def named(self, func: Any, found: Traced | Chosen | Opaque) -> Traced | Chosen | Opaque:
        """An expression found one level down; where there is none, the reason names the user's call."""
        known = isinstance(found, Traced | Chosen) or call_name(func) in found.reason or found.reason.startswith("a ")
        return found if known else Opaque(f"{call_name(func)} is not traced yet", self.line())

    def from_below(
        self, func: Any, args: Any, kwargs: Any, outputs: Sequence[Tensor], found: Sequence[Traced | Chosen | Opaque]
    ) -> Sequence[Traced | Chosen | Opaque]:
        """The expressions of a call whose row does not cover its form, from the operations that it is made of."""
        again = _tensors_of(self.carried_out(func, args, kwargs, below=True))
        same = len(again) == len(outputs) and all(
            torch.equal(a, b) for a, b in zip(again, outputs, strict=True) if not isinstance(self.lookup(a), Opaque)
        )
        if not same:
            return found
        below = [self.lookup(tensor) for tensor in again]
        return [b if isinstance(b, Traced) else f for b, f in zip(below, found, strict=True)]

    def explain(
        self, func: Any, row: Row | None, args: Any, kwargs: Any, outputs: Sequence[Tensor]
    ) -> Sequence[Traced | Chosen | Opaque]:
        """An expression for each output tensor of the call, compared with its value; or why there is none."""
        opaque = next(_opaques([args, *kwargs.values()]), None)
        if opaque is not None:
            return [opaque] * len(outputs)
        try:
            if row is None:
                raise NotTraced(f"{call_name(func)} is not traced yet")
            own, named = with_names(row, args, kwargs)
            chosen = bool(chosen_in([own, named]))
            made = on_chosen(func, row, self.sizes, own, named) if chosen else row(self.sizes, *own, **named)
            found = [made] if isinstance(made, Traced | Chosen) else list(made)
            if len(found) != len(outputs):
                raise NotTraced(f"{call_name(func)} gave more or less here than its rule says")
            return [self.checked(func, f, o) for f, o in zip(found, outputs, strict=True)]
        except (NotTraced, TypeError, ValueError, IndexError, KeyError, ArithmeticError, AttributeError) as reason:
            said = str(reason) if isinstance(reason, NotTraced) else "not traced in this form"
            text = said if call_name(func) in said else f"{call_name(func)}: {said}"
            return [Opaque(text, self.line())] * len(outputs)

    def mask_of(self, func: Any, args: Any, expressions: Any) -> Traced | None:
        """The mask by which a call chooses some entries, but not all of them here."""
        if func not in (Tensor.__getitem__, Tensor.masked_select, torch.masked_select) or len(args) != 2:
            return None
        if not isinstance(expressions[0], Traced) or args[0].dtype is torch.bool:
            return None
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            mask = mask_of(expressions[0], args[1], expressions[1], args[0].shape)
        return mask

    def checked(self, func: Any, found: Traced | Chosen | None, output: Tensor) -> Traced | Chosen | Opaque:
        """The expression if it has the value; what autograd takes for a constant is one."""
        if found is None:
            return Opaque(f"{call_name(func)}: this result is not traced", self.line())
        if not self.agrees(found, output):
            raise NotTraced(f"{call_name(func)} gave another value here than its rule says")
        whole = found.whole if isinstance(found, Chosen) else found
        if torch.is_grad_enabled() or not leaves(whole.node):
            return found
        if id(output) in self.known:
            raise NotTraced(f"{call_name(func)} changed a tensor in place under no_grad")
        held = applied("detach", whole)
        return replace(found, whole=held) if isinstance(found, Chosen) else held

    def agrees(self, found: Traced | Chosen, tensor: Tensor) -> bool:
        """Whether the expression has the tensor's value; nothing listens while it is computed."""
        with torch._C._DisableTorchDispatch():
            return self.equals(found, tensor)

    def equals(self, found: Traced | Chosen, tensor: Tensor) -> bool:
        value = self.value(found.whole if isinstance(found, Chosen) else found)
        if value is not None and isinstance(found, Chosen):
            mask = self.value(found.mask)
            value = None if mask is None else value[mask > 0.5]
        if value is None or value.shape != tensor.shape:
            return False
        true = tensor.detach().double()
        return bool(torch.allclose(value, true, TOLERANCE, TOLERANCE * max(1.0, _size(true)), equal_nan=True))

    def value(self, found: Traced) -> Tensor | None:
        """The expression's value with the axes of the tensor; None where it has others, or a size below 0."""
        try:
            value = evaluate(found.node, self.leaf_values, self.sizes.of, self.values)
        except (RuntimeError, IndexError):
            return None
        order = [a for group in found.axes for a in group]
        if sorted(order) != list(range(value.ndim)):
            return None
        lengths = [math.prod(value.shape[a] for a in group) for group in found.axes]
        return value.permute(order).reshape(lengths)

    def note_value(self, func: Any, expressions: Any) -> None:
        """Remember that the user's code took a value out of a tensor that depends on its inputs."""
        if call_name(func) in _VALUE_READS and any(True for _ in _found(expressions)) and not _asked_inside_torch():
            self.followed.append(f"{call_name(func)} in line {self.line()}")

    def line(self) -> int | None:
        """The line of the user's code that is running."""
        filename = getattr(getattr(self.subject.function, "__code__", None), "co_filename", None)
        frame = sys._getframe()
        while frame is not None and frame.f_code.co_filename != filename:
            frame = frame.f_back  # type: ignore[assignment]
        return frame.f_lineno if frame is not None else None


# tensors that f fills later: what is not yet written is 0 here, so that a run can be compared with its expression
BLANK = {torch.empty: torch.zeros, torch.empty_like: torch.zeros_like, Tensor.new_empty: Tensor.new_zeros}
_VALUE_READS = frozenset(
    {"Tensor.item", "Tensor.__float__", "Tensor.__int__", "Tensor.__bool__", "Tensor.tolist", "Tensor.numpy"}
)


def _asked_inside_torch() -> bool:
    """Whether torch's own Python code (validation in torch.distributions) reads the value, rather than the user's."""
    frame: Any = sys._getframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(("matmagic.", "torch.overrides")):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("torch.")


def _tensors_of(result: Any) -> list[Tensor]:
    """The tensors that a call gives."""
    if isinstance(result, Tensor):
        return [result]
    return [r for r in result if isinstance(r, Tensor)] if isinstance(result, tuple | list) else []


def _found(value: Any) -> Iterator[Traced | Opaque]:
    """The expressions among looked-up arguments."""
    if isinstance(value, Traced | Opaque):
        yield value
    elif isinstance(value, tuple | list):
        for v in value:
            yield from _found(v)
    elif isinstance(value, dict):
        yield from _found(list(value.values()))


def _opaques(value: Any) -> Iterator[Opaque]:
    return (v for v in _found(value) if isinstance(v, Opaque))


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
