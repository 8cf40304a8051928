"""The table of torch functions: what expression each call makes, one row a function.

A row takes the arguments that torch takes, with a `Traced` for every tensor, and gives a `Traced` (or several).  Most
are one line of `contract`, the einsum of tensor axes.  Where a call's form is not covered the row raises NotTraced with
a sentence; any argument it does not know raises TypeError, which the trace reports in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .expr import Node, add, basis, delta, elementwise, multiply, number, power, product, scale, size_of
from .lengths import Size

Axes = tuple[tuple[int, ...], ...]
Names = Sequence[Hashable]


class NotTraced(Exception):
    """Why a call has no expression, in words for the user."""


@dataclass(frozen=True)
class Traced:
    """A tensor's expression: tensor axis k is made of the node's axes `axes[k]` (none: size 1; several: flattened)."""

    node: Node
    axes: Axes

    def sizes(self, k: int) -> tuple[Size, ...]:
        """What tensor axis k is made of."""
        return tuple(self.node.shape[a] for a in self.axes[k])


class Sizes:
    """Which number stands for which size letter in this run."""

    def __init__(self, of: Mapping[str, int]) -> None:
        self.of = of
        self.letters = {value: letter for letter, value in of.items()}

    def symbol(self, value: int) -> Size:
        """The letter whose size is this number here, else the number."""
        return self.letters.get(value, value)

    def group(self, value: int) -> tuple[Size, ...]:
        """A tensor axis of this length: nothing for size 1."""
        return () if value == 1 else (self.symbol(value),)

    def number(self, size: Size) -> int:
        return size if isinstance(size, int) else self.of[size]


Row = Callable[..., "Traced | Iterable[Traced]"]
ROWS: dict[Any, Row] = {}


def row(*functions: Any) -> Callable[[Row], Row]:
    """Enter a row for these torch functions."""

    def enter(rule: Row) -> Row:
        for function in functions:
            ROWS[function] = rule
        return rule

    return enter


# ---- contraction: every bilinear call is one line of it -----------------------------------------------------------


def contract(operands: Sequence[tuple[Traced, Names]], out: Names) -> Traced:
    """The einsum of tensors whose axes have these names; axes of size 1 stretch."""
    widths: dict[Hashable, tuple[Size, ...]] = {}
    for traced, names in operands:
        for k, name in enumerate(names):
            found = traced.sizes(k)
            if found and widths.setdefault(name, found) != found:
                raise NotTraced(f"an axis of size {found} meets one of size {widths[name]}")
    labels: dict[Hashable, tuple[int, ...]] = {}
    for name, width in widths.items():
        start = sum(map(len, labels.values()))
        labels[name] = tuple(range(start, start + len(width)))
    factors = []
    for traced, names in operands:
        own = [0] * len(traced.node.shape)
        for name, group in zip(names, traced.axes, strict=True):
            if group:
                for axis, label in zip(group, labels[name], strict=True):
                    own[axis] = label
        factors.append((traced.node, own))
    shape = [size for name in out for size in widths.get(name, ())]
    node = product(factors, shape, [label for name in out for label in labels.get(name, ())])
    return Traced(node, consecutive(len(widths.get(name, ())) for name in out))


def consecutive(lengths: Iterable[int]) -> Axes:
    """Node axes dealt out in order: lengths 1, 0, 2 give ((0,), (), (1, 2))."""
    groups, start = [], 0
    for length in lengths:
        groups.append(tuple(range(start, start + length)))
        start += length
    return tuple(groups)


def traced(value: Any) -> Traced:
    """A number as a traced scalar; a traced tensor as it is."""
    if isinstance(value, Traced):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotTraced(f"a {type(value).__name__} among the operands is not traced")
    if not math.isfinite(value):
        raise NotTraced(f"the number {value} is not traced")
    return Traced(number(value), ())


def _aligned(a: Traced, b: Traced) -> tuple[range, range, range]:
    """Names of the axes of a, of b and of the broadcast result, counted from the last."""
    rank = max(len(a.axes), len(b.axes))
    return range(rank - len(a.axes), rank), range(rank - len(b.axes), rank), range(rank)


def spread(a: Traced, groups: Sequence[tuple[Size, ...]]) -> Traced:
    """The tensor broadcast to axes of these sizes."""
    own = range(len(groups) - len(a.axes), len(groups))
    ones = Traced(number(1, [s for group in groups for s in group]), consecutive(map(len, groups)))
    return contract([(a, own), (ones, range(len(groups)))], range(len(groups)))


def times(a: Traced, b: Traced) -> Traced:
    """a ⊙ b, broadcast."""
    left, right, out = _aligned(a, b)
    return contract([(a, left), (b, right)], out)


def plus(terms: Sequence[tuple[float | Fraction, Traced]]) -> Traced:
    """Σ c·t, broadcast."""
    rank = max(len(t.axes) for _, t in terms)
    groups: list[tuple[Size, ...]] = [()] * rank
    for _, t in terms:
        for k in range(len(t.axes)):
            groups[k - len(t.axes)] = groups[k - len(t.axes)] or t.sizes(k)
    parts = [(c, spread(t, groups)) for c, t in terms]
    shape = tuple(s for group in groups for s in group)
    return Traced(add([(c, p.node) for c, p in parts], shape), parts[0][1].axes)


def raised(a: Traced, exponent: float | Fraction) -> Traced:
    """a ** exponent, entry by entry."""
    return Traced(power(a.node, exponent), a.axes)


def scalar_number(value: float | Fraction) -> Fraction | float:
    return Fraction(value) if isinstance(value, int) else value


# ---- products -----------------------------------------------------------------------------------------------------


@row(torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.mm, Tensor.mm, torch.mv, Tensor.mv, torch.bmm, Tensor.bmm)
def _matmul(_: Sizes, a: Traced, b: Traced) -> Traced:
    left = [*range(-len(a.axes), -2), "i", "j"] if len(a.axes) > 1 else ["j"]
    right = [*range(-len(b.axes), -2), "j", "k"] if len(b.axes) > 1 else ["j"]
    batch = range(-max(len(a.axes), len(b.axes), 2), -2)
    return contract([(a, left), (b, right)], [*batch, *(name for name in ("i", "k") if name in (*left, *right))])


@row(Tensor.__rmatmul__)
def _rmatmul(sizes: Sizes, a: Traced, b: Traced) -> Traced:
    return _matmul(sizes, b, a)  # type: ignore[return-value]


@row(torch.dot, Tensor.dot, torch.vdot, Tensor.vdot, torch.inner, Tensor.inner)
def _inner(_: Sizes, a: Traced, b: Traced) -> Traced:
    if not a.axes or not b.axes:
        return times(a, b)
    left = [*(("a", k) for k in range(len(a.axes) - 1)), "j"] if a.axes else []
    right = [*(("b", k) for k in range(len(b.axes) - 1)), "j"] if b.axes else []
    return contract([(a, left), (b, right)], [name for name in (*left, *right) if name != "j"])


@row(torch.outer, Tensor.outer, torch.ger, Tensor.ger)
def _outer(_: Sizes, a: Traced, b: Traced) -> Traced:
    return contract([(a, ["i"]), (b, ["j"])], ["i", "j"])


@row(
    torch.mul,
    Tensor.mul,
    Tensor.__mul__,
    Tensor.__rmul__,
    torch.multiply,
    Tensor.multiply,
    Tensor.mul_,
    Tensor.__imul__,
)
def _mul(_: Sizes, a: Any, b: Any) -> Traced:
    return times(traced(a), traced(b))


@row(torch.einsum)
def _einsum(_: Sizes, subscripts: str, *operands: Any) -> Traced:
    if len(operands) == 1 and isinstance(operands[0], tuple | list):
        operands = tuple(operands[0])
    if not isinstance(subscripts, str) or "." in subscripts:
        raise NotTraced("torch.einsum is traced with letters only")
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    names = left.split(",")
    if not arrow:
        letters = "".join(names)
        right = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return contract(list(zip(map(traced, operands), names, strict=True)), right)


@row(torch.tensordot)
def _tensordot(_: Sizes, a: Traced, b: Traced, dims: Any = 2) -> Traced:
    if isinstance(dims, int):
        dims = (range(len(a.axes) - dims, len(a.axes)), range(dims))
    left: list[Hashable] = [("a", k) for k in range(len(a.axes))]
    right: list[Hashable] = [("b", k) for k in range(len(b.axes))]
    for i, j in zip(*dims, strict=True):
        right[j] = left[i]
    free = [n for n in left if n not in right] + [n for n in right if n not in left]
    return contract([(a, left), (b, right)], free)


@row(torch.trace, Tensor.trace)
def _trace(_: Sizes, a: Traced) -> Traced:
    return contract([(a, "ii")], "")


@row(torch.diagonal, Tensor.diagonal)
def _diagonal(_: Sizes, a: Traced) -> Traced:
    if len(a.axes) != 2:
        raise NotTraced("torch.diagonal is traced for matrices")
    return contract([(a, "ii")], "i")


@row(torch.diag, Tensor.diag)
def _diag(sizes: Sizes, a: Traced) -> Traced:
    if len(a.axes) == 2:
        return _diagonal(sizes, a)  # type: ignore[return-value]
    (size,) = a.sizes(0)
    return contract([(a, "i"), (Traced(delta(size), ((0,), (1,))), "ij")], "ij")


# ---- sums and elementwise -----------------------------------------------------------------------------------------


@row(torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.add_, Tensor.__iadd__)
def _add(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (alpha, traced(b))])


@row(torch.sub, Tensor.sub, Tensor.__sub__, torch.subtract, Tensor.subtract, Tensor.sub_, Tensor.__isub__)
def _sub(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (-alpha, traced(b))])


@row(Tensor.__rsub__, torch.rsub)
def _rsub(_: Sizes, a: Any, b: Any) -> Traced:
    return plus([(1, traced(b)), (-1, traced(a))])


@row(torch.neg, Tensor.neg, Tensor.__neg__, torch.negative, Tensor.negative)
def _neg(_: Sizes, a: Traced) -> Traced:
    return plus([(-1, a)])


@row(
    torch.positive, Tensor.positive, Tensor.__pos__, torch.clone, Tensor.clone, Tensor.contiguous, Tensor.requires_grad_
)
def _same(_: Sizes, a: Traced) -> Traced:
    return a


@row(
    torch.div, Tensor.div, Tensor.__div__, Tensor.__truediv__, torch.divide, Tensor.divide, torch.true_divide,
    Tensor.true_divide, Tensor.div_, Tensor.__itruediv__,
)  # fmt: skip
def _div(_: Sizes, a: Any, b: Any) -> Traced:
    if not isinstance(b, Traced):
        return plus([(1 / scalar_number(b), traced(a))])
    return times(traced(a), raised(b, -1))


@row(Tensor.__rdiv__, Tensor.__rtruediv__)
def _rdiv(_: Sizes, a: Traced, b: Any) -> Traced:
    return times(traced(b), raised(a, -1))


@row(torch.reciprocal, Tensor.reciprocal)
def _reciprocal(_: Sizes, a: Traced) -> Traced:
    return raised(a, -1)


@row(torch.pow, Tensor.pow, Tensor.__pow__, Tensor.pow_, Tensor.__ipow__)
def _pow(_: Sizes, a: Any, exponent: Any) -> Traced:
    if isinstance(exponent, Traced) or not isinstance(a, Traced):
        raise NotTraced("a power is traced where the exponent is a number")
    return raised(a, scalar_number(exponent))


@row(torch.square, Tensor.square)
def _square(_: Sizes, a: Traced) -> Traced:
    return raised(a, 2)


@row(torch.sqrt, Tensor.sqrt)
def _sqrt(_: Sizes, a: Traced) -> Traced:
    return raised(a, Fraction(1, 2))


@row(torch.sum, Tensor.sum)
def _sum(_: Sizes, a: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    rank = len(a.axes)
    dims = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {d % rank for d in dims} if rank else set()
    out = [("kept", k) if k in gone else k for k in range(rank) if keepdim or k not in gone]
    return contract([(a, range(rank))], out)


@row(torch.mean, Tensor.mean)
def _mean(sizes: Sizes, a: Traced, dim: Any = None, keepdim: bool = False) -> Traced:
    total = _sum(sizes, a, dim, keepdim)
    rank = len(a.axes)
    dims = range(rank) if dim is None else [dim] if isinstance(dim, int) else dim
    counts = [power(size_of(s), -1) for d in dims for s in a.sizes(d % rank)]
    return times(total, Traced(multiply(*counts), ())) if counts else total  # type: ignore[arg-type, return-value]


@row(torch.norm, Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm, torch.linalg.matrix_norm)
def _norm(sizes: Sizes, a: Traced, p: Any = None, dim: Any = None, keepdim: bool = False, *, ord: Any = None) -> Traced:
    order = ord if ord is not None else p
    flat = sum(map(len, a.axes)) < 2
    if order not in (None, "fro") and not (order == 2 and (flat or dim is not None)):
        raise NotTraced(f"the norm of order {order} is not traced yet")
    return raised(_sum(sizes, raised(a, 2), dim, keepdim), Fraction(1, 2))  # type: ignore[arg-type]


def _unary(name: str) -> Row:
    return lambda _, a: Traced(elementwise(name, a.node), a.axes)


UNARY: dict[str, tuple[Any, ...]] = {
    "exp": (torch.exp, Tensor.exp),
    "expm1": (torch.expm1, Tensor.expm1, torch.special.expm1),
    "log": (torch.log, Tensor.log),
    "log1p": (torch.log1p, Tensor.log1p, torch.special.log1p),
    "sin": (torch.sin, Tensor.sin),
    "cos": (torch.cos, Tensor.cos),
    "tan": (torch.tan, Tensor.tan),
    "sinh": (torch.sinh, Tensor.sinh),
    "cosh": (torch.cosh, Tensor.cosh),
    "tanh": (torch.tanh, Tensor.tanh, F.tanh),
    "asin": (torch.asin, Tensor.asin, torch.arcsin, Tensor.arcsin),
    "acos": (torch.acos, Tensor.acos, torch.arccos, Tensor.arccos),
    "atan": (torch.atan, Tensor.atan, torch.arctan, Tensor.arctan),
    "sigmoid": (torch.sigmoid, Tensor.sigmoid, torch.special.expit, F.sigmoid),
    "softplus": (F.softplus,),
    "abs": (torch.abs, Tensor.abs, Tensor.__abs__, torch.absolute, Tensor.absolute),
    "sign": (torch.sign, Tensor.sign, torch.sgn, Tensor.sgn),
    "erf": (torch.erf, Tensor.erf, torch.special.erf),
}
for _name, _functions in UNARY.items():
    row(*_functions)(_unary(_name))


@row(torch.relu, Tensor.relu, F.relu)
def _relu(_: Sizes, a: Traced, inplace: bool = False) -> Traced:
    if inplace:
        raise NotTraced("F.relu in place is not traced yet")
    return Traced(elementwise("relu", a.node), a.axes)


@row(F.logsigmoid)
def _logsigmoid(_: Sizes, a: Traced) -> Traced:
    negated = elementwise("softplus", scale(-1, a.node))
    return Traced(scale(-1, negated), a.axes)


@row(torch.logsumexp, Tensor.logsumexp, torch.special.logsumexp)
def _logsumexp(sizes: Sizes, a: Traced, dim: Any, keepdim: bool = False) -> Traced:
    total = _sum(sizes, Traced(elementwise("exp", a.node), a.axes), dim, keepdim)
    assert isinstance(total, Traced)
    return Traced(elementwise("log", total.node), total.axes)


@row(torch.softmax, Tensor.softmax, F.softmax, torch.special.softmax)
def _softmax(sizes: Sizes, a: Traced, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Traced:
    exponentials = Traced(elementwise("exp", a.node), a.axes)
    return times(exponentials, raised(_sum(sizes, exponentials, dim, True), -1))  # type: ignore[arg-type]


@row(torch.log_softmax, Tensor.log_softmax, F.log_softmax, torch.special.log_softmax)
def _log_softmax(sizes: Sizes, a: Traced, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Traced:
    return plus([(1, a), (-1, _logsumexp(sizes, a, dim, True))])  # type: ignore[list-item]


# ---- axes ---------------------------------------------------------------------------------------------------------


def _reordered(a: Traced, order: Iterable[int]) -> Traced:
    return Traced(a.node, tuple(a.axes[k] for k in order))


@row(torch.t, Tensor.t, Tensor.T.__get__, torch.adjoint, Tensor.adjoint)  # type: ignore[attr-defined]
def _t(_: Sizes, a: Traced) -> Traced:
    return _reordered(a, reversed(range(len(a.axes))))


@row(Tensor.mT.__get__, Tensor.mH.__get__, Tensor.H.__get__)  # type: ignore[attr-defined]
def _mt(sizes: Sizes, a: Traced) -> Traced:
    return _transpose(sizes, a, -2, -1)  # type: ignore[return-value]


@row(torch.transpose, Tensor.transpose, torch.swapaxes, Tensor.swapaxes, torch.swapdims, Tensor.swapdims)
def _transpose(_: Sizes, a: Traced, i: int, j: int) -> Traced:
    order = list(range(len(a.axes)))
    order[i], order[j] = order[j], order[i]
    return _reordered(a, order)


@row(torch.permute, Tensor.permute)
def _permute(_: Sizes, a: Traced, *dims: Any) -> Traced:
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return _reordered(a, order)


@row(torch.unsqueeze, Tensor.unsqueeze)
def _unsqueeze(_: Sizes, a: Traced, dim: int) -> Traced:
    at = dim % (len(a.axes) + 1)
    return Traced(a.node, (*a.axes[:at], (), *a.axes[at:]))


@row(torch.squeeze, Tensor.squeeze)
def _squeeze(_: Sizes, a: Traced, dim: Any = None) -> Traced:
    dims = range(len(a.axes)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {d % len(a.axes) for d in dims} if a.axes else set()
    return Traced(a.node, tuple(g for k, g in enumerate(a.axes) if g or k not in gone))


@row(torch.reshape, Tensor.reshape, Tensor.view)
def _reshape(sizes: Sizes, a: Traced, *shape: Any) -> Traced:
    wanted = list(shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)
    count = math.prod(sizes.number(s) for s in a.node.shape)
    if -1 in wanted:
        wanted[wanted.index(-1)] = count // -math.prod(wanted)
    rest = [axis for group in a.axes for axis in group]
    groups = []
    for length in wanted:
        group: list[int] = []
        while math.prod(sizes.number(a.node.shape[axis]) for axis in group) < length and rest:
            group.append(rest.pop(0))
        if math.prod(sizes.number(a.node.shape[axis]) for axis in group) != length:
            raise NotTraced("a reshape that cuts through an axis is not traced yet")
        groups.append(tuple(group))
    return Traced(a.node, tuple(groups))


@row(torch.flatten, Tensor.flatten, torch.ravel, Tensor.ravel)
def _flatten(sizes: Sizes, a: Traced) -> Traced:
    return _reshape(sizes, a, -1)  # type: ignore[return-value]


@row(Tensor.__getitem__)
def _getitem(_: Sizes, a: Traced, index: Any) -> Traced:
    parts = list(index) if isinstance(index, tuple) else [index]
    taken = sum(1 for p in parts if p is not None and p is not Ellipsis)
    if Ellipsis not in [p if p is Ellipsis else None for p in parts]:
        parts.append(Ellipsis)
    at = [p is Ellipsis for p in parts].index(True)
    parts[at : at + 1] = [slice(None)] * (len(a.axes) - taken)
    operands: list[tuple[Traced, Names]] = [(a, range(len(a.axes)))]
    out: list[Hashable] = []
    axis = 0
    for part in parts:
        if part is None:
            out.append(("new", len(out)))
            continue
        if isinstance(part, slice) and part == slice(None):
            out.append(axis)
        elif isinstance(part, int) and not isinstance(part, bool):
            operands += [(_unit(a, axis, part), [axis])] if a.axes[axis] else []
        else:
            raise NotTraced("indexing is traced with whole numbers, : and None")
        axis += 1
    return contract(operands, out)


def _unit(a: Traced, axis: int, position: int) -> Traced:
    """e_k for one position on an axis, counted from its start."""
    sizes = a.sizes(axis)
    if len(sizes) != 1 or (position < 0 and not isinstance(sizes[0], int)):
        raise NotTraced("an index counted from the end is not traced yet")
    at = position % sizes[0] if isinstance(sizes[0], int) else position
    return Traced(basis(sizes[0], at), ((0,),))


@row(torch.select, Tensor.select)
def _select(sizes: Sizes, a: Traced, dim: int, index: int) -> Traced:
    return _getitem(sizes, a, (slice(None),) * (dim % len(a.axes)) + (index,))  # type: ignore[return-value]


@row(torch.unbind, Tensor.unbind)
def _unbind(sizes: Sizes, a: Traced, dim: int = 0) -> list[Traced]:
    length = math.prod(sizes.number(s) for s in a.sizes(dim))
    return [_select(sizes, a, dim, k) for k in range(length)]  # type: ignore[misc]


@row(torch.stack)
def _stack(sizes: Sizes, tensors: Sequence[Any], dim: int = 0) -> Traced:
    parts = [traced(t) for t in tensors]
    at = dim % (len(parts[0].axes) + 1)
    if len(parts) == 1:
        return Traced(parts[0].node, (*parts[0].axes[:at], (), *parts[0].axes[at:]))
    names = list(range(len(parts[0].axes)))
    out: list[Hashable] = [*names[:at], "new", *names[at:]]
    stacked = [
        contract([(t, names), (Traced(basis(sizes.symbol(len(parts)), k), ((0,),)), ["new"])], out)
        for k, t in enumerate(parts)
    ]
    return plus([(1, t) for t in stacked])


# ---- constants ----------------------------------------------------------------------------------------------------


def _filled(sizes: Sizes, value: float, shape: Sequence[Any]) -> Traced:
    lengths = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    groups = [sizes.group(n) for n in lengths]
    return Traced(number(value, [s for g in groups for s in g]), consecutive(map(len, groups)))


@row(torch.ones)
def _ones(sizes: Sizes, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Traced:
    return _filled(sizes, 1, shape)


@row(torch.zeros)
def _zeros(sizes: Sizes, *shape: Any, dtype: Any = None, requires_grad: bool = False) -> Traced:
    return _filled(sizes, 0, shape)


@row(torch.ones_like)
def _ones_like(_: Sizes, a: Traced) -> Traced:
    return Traced(number(1, a.node.shape), a.axes)


@row(torch.zeros_like)
def _zeros_like(_: Sizes, a: Traced) -> Traced:
    return Traced(number(0, a.node.shape), a.axes)


@row(torch.eye)
def _eye(sizes: Sizes, n: int, m: int | None = None, *, dtype: Any = None) -> Traced:
    if m not in (None, n) or n == 1:
        raise NotTraced("torch.eye is traced for square matrices")
    return Traced(delta(sizes.symbol(n)), ((0,), (1,)))


@row(torch.tensor)
def _tensor(_: Sizes, value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Traced:
    if isinstance(value, int | float):
        return traced(value)
    return _stack(_, [_tensor(_, v) for v in value])  # type: ignore[return-value]


@row(F.mse_loss)
def _mse_loss(
    sizes: Sizes,
    a: Traced,
    b: Traced,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Traced:
    if reduction not in ("sum", "mean") or weight is not None or len(a.axes) != len(b.axes):
        raise NotTraced(f"mse_loss with reduction={reduction!r} is not traced")
    squares = raised(plus([(1, a), (-1, b)]), 2)
    return (_sum if reduction == "sum" else _mean)(sizes, squares)  # type: ignore[return-value]
