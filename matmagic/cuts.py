"""Where the function takes its arguments out of autograd's sight: numbers, numpy, detached tensors, hooks.

In: a Subject, inputs, the variables that matter.  Out: Cuts, each with the line of the user's code and, for numpy and
math, the torch call to use.  f is run once more, and each call is looked at that gets something made of a variable.
Not known here: whether a cut matters; checking.py says so where autograd and finite differences disagree.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from .calling import Running, call, replacements
from .capture import Subject

READS = {  # calls that give the numbers in a tensor
    Tensor.item: ".item()",
    Tensor.__float__: "float()",
    Tensor.__int__: "int()",
    Tensor.__index__: "an index",
    Tensor.tolist: ".tolist()",
    Tensor.__bool__: "a condition",
    Tensor.numpy: ".numpy()",
    Tensor.__array__: "numpy",
    torch.tensor: "torch.tensor()",
    Tensor.new_tensor: ".new_tensor()",
}
_ATTRIBUTES = vars(torch._C.TensorBase)
DETACHES = {Tensor.detach: ".detach()", Tensor.detach_: ".detach_()", _ATTRIBUTES["data"].__get__: ".data"}
HOOKS = {Tensor.register_hook: "a hook", _ATTRIBUTES["grad_fn"].__get__: "a hook on a grad_fn"}
NUMPY = {"concatenate": "cat", "power": "pow", "dot": "matmul", "array": "stack", "asarray": ""}  # by torch's name
PARTED = "autograd takes {}, finite differences do not"
CHOICES = ("a condition", "an index", "int()")  # what control flow and indexing read


@dataclass(frozen=True)
class Cut:
    """One such place."""

    kind: str  # "number", "numpy", "detach", "hook"
    call: str  # as it is written: .item(), np.exp
    line: int | None
    use: str = ""  # the torch call instead

    @property
    def place(self) -> str:
        """ ".item() in line 3" """
        return f"{self.call} in line {self.line}" if self.line else self.call


def cuts(subject: Subject, inputs: Mapping[str, Tensor], variables: Iterable[str]) -> list[Cut]:
    """Each place once, in order; what only leads to numpy or to a number in its line is not named."""
    cutting = _Cutting(subject, {n: t.clone() for n, t in inputs.items()}, variables)
    with contextlib.suppress(Exception):
        call(subject, cutting.inputs, cutting)
    found = list(dict.fromkeys(cutting.found))
    strong = {cut.line for cut in found if cut.kind in ("number", "numpy")}
    return [cut for cut in found if cut.kind != "detach" or cut.line not in strong]


def sentences(found: Sequence[Cut], name: str) -> Iterator[str]:
    """What to tell the user about places where autograd and finite differences part."""
    for cut in found:
        if cut.kind == "numpy" or cut.use:
            yield f"{cut.place}: autograd can't follow it, {f'use {cut.use}' if cut.use else 'stay with torch tensors'}"
    numbers = [c.place for c in found if c.kind == "number" and not c.use and c.call not in CHOICES]
    if numbers:
        yield f"{name} takes numbers out of tensors ({', '.join(numbers)}): {PARTED.format('them for constants')}"
    detached = [c.place for c in found if c.kind == "detach"]
    if detached:
        yield f"{name} detaches part of its value ({', '.join(detached)}): {PARTED.format('it for a constant')}"
    yield from (f"{cut.place} of {name} may change what autograd passes back" for cut in found if cut.kind == "hook")


class _Cutting(Running):
    """Follows what is made of the variables, and notes what leaves autograd."""

    def __init__(self, subject: Subject, inputs: Mapping[str, Tensor], variables: Iterable[str]) -> None:
        super().__init__(replacements(subject, inputs))
        self.subject, self.inputs = subject, inputs
        self.made = {id(inputs[n]): inputs[n] for n in variables if n in inputs}  # kept alive, since ids are reused
        self.found: list[Cut] = []

    def apply(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Carry out one call, and look at it if it gets something made of the variables."""
        __tracebackhide__ = True
        depends = any(id(t) in self.made for t in _tensors((args, kwargs)))
        if depends:
            self.look(func)
        result = func(*args, **kwargs)
        if depends or func is Tensor.__setitem__:
            given = [args[0]] if func is Tensor.__setitem__ and depends else []
            self.made.update((id(t), t) for t in _tensors((result, given)))
        return result

    def look(self, func: Any) -> None:
        """Note what a call does to autograd's graph; not inside a torch.autograd.Function, nor torch's own reads."""
        frames = list(_frames())
        names = [str(f.f_globals.get("__name__")) for f in frames]
        if "torch.autograd.function" in names or not frames:
            return
        frame = next((f for f, n in zip(frames, names, strict=True) if not n.startswith(("torch", "numpy"))), frames[0])
        inner = names[0].startswith("torch") and names[0] != "torch._tensor"
        if func in READS and not inner:
            self.found.append(self.read(READS[func], frame))
        elif func in DETACHES and not inner:
            self.found.append(Cut("detach", DETACHES[func], frame.f_lineno))
        elif func in HOOKS and not inner:
            self.found.append(Cut("hook", HOOKS[func], frame.f_lineno))
        elif not torch.is_grad_enabled():
            self.found.append(Cut("detach", "torch.no_grad()", frame.f_lineno))

    def read(self, how: str, frame: FrameType) -> Cut:
        """A read of numbers: by numpy or math where the line calls them with a tensor."""
        for text, function in _callers(self.source(frame), how, frame):
            home = (getattr(function, "__module__", None) or type(function).__module__).partition(".")[0]
            if home in ("numpy", "math"):
                return Cut("numpy" if home == "numpy" else "number", text, frame.f_lineno, _torch_call(text))
        return Cut("numpy" if how in (".numpy()", "numpy") else "number", how, frame.f_lineno)

    def source(self, frame: FrameType) -> str:
        """The line that runs."""
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        own = getattr(self.subject.function, "__code__", None)
        if line or own is not frame.f_code:
            return line
        lines = self.subject.source.splitlines()
        at = frame.f_lineno - own.co_firstlineno
        return lines[at] if 0 <= at < len(lines) else ""


def _frames() -> Iterator[FrameType]:
    """The frames that run, innermost first, without ours and torch's dispatch."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if not name.startswith(("matmagic.", "torch.overrides")):
            yield frame
        elif name == "matmagic.calling" and frame.f_code is call.__code__:
            return
        frame = frame.f_back


def _callers(line: str, how: str, frame: FrameType) -> Iterator[tuple[str, Any]]:
    """The functions that a line calls with a tensor, or with what `how` takes out of one; the inner ones first."""
    for node in reversed([n for n in ast.walk(_parsed(line)) if isinstance(n, ast.Call)]):
        if not any(_takes(part, how, frame) for argument in node.args for part in _below(argument)):
            continue
        first, *attributes = ast.unparse(node.func).split(".")
        value = _known(first, frame)
        for name in attributes:
            value = getattr(value, name, None)
        yield ast.unparse(node.func), value


def _known(name: str, frame: FrameType) -> Any:
    """What a name stands for."""
    return frame.f_locals.get(name, frame.f_globals.get(name))


def _parsed(line: str) -> ast.AST:
    """The line's syntax tree; nothing for a part of a statement."""
    for text in (line.strip(), f"{line.strip()} pass", line.strip().rstrip("([{,\\")):
        with contextlib.suppress(SyntaxError):
            return ast.parse(text)
    return ast.Module([], [])


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """An argument's parts, without what is only asked for its size."""
    if isinstance(node, ast.Attribute) and node.attr in ("shape", "ndim", "dtype"):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("len", "size", "numel"):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _below(child)


def _takes(part: ast.AST, how: str, frame: FrameType) -> bool:
    """Whether it is a tensor, or for an explicit `.numpy()` that call."""
    if how.startswith("."):
        return isinstance(part, ast.Call) and ast.unparse(part.func).endswith(how.removesuffix("()"))
    return isinstance(part, ast.Name) and isinstance(_known(part.id, frame), Tensor)


def _torch_call(text: str) -> str:
    """torch.exp for np.exp and math.exp; "" where torch has nothing of that name."""
    name = text.rpartition(".")[2]
    name = NUMPY.get(name, name)
    if ".linalg." in text and name and hasattr(torch.linalg, name):
        return f"torch.linalg.{name}"
    return f"torch.{name}" if callable(getattr(torch, name, None)) else ""


def _tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
