"""Rows for tensors of constants.

A number that is a size stands for the size (`Sizes.symbol`).  What dtype and device a constant has makes no difference
here; random ones have no row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from torch import Tensor

from ..expr import add, arange, basis, delta, exact, number, power, size_of, triangle
from ..lengths import plus as size_plus
from .arithmetic import to_the
from .shaping import stack
from .table import (
    Group,
    NotTraced,
    Row,
    Sizes,
    Traced,
    consecutive,
    filled,
    minus,
    plus,
    row,
    spread,
    times,
    traced,
    vector,
)

IGNORED = frozenset("dtype device requires_grad layout pin_memory memory_format".split())
MOST_ENTRIES = 64  # of a list: each is a term


def constant(*names: Any) -> Callable[[Row], Row]:
    """Enter a row; what has no bearing on the values is ignored."""

    def enter(rule: Row) -> Row:
        @wraps(rule)
        def ruled(sizes: Sizes, *arguments: Any, **options: Any) -> Any:
            return rule(sizes, *arguments, **{k: v for k, v in options.items() if k not in IGNORED})

        row(*names)(ruled)
        return rule

    return enter


# ---- one number everywhere ----------------------------------------------------------------------------------------


def _groups(sizes: Sizes, shape: Sequence[Any]) -> list[Group]:
    """ones(2, 3), ones((2, 3))"""
    lengths = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    return [sizes.group(n) for n in lengths]


def _number(value: Any) -> float:
    """A fill value; torch takes the value of a tensor, without its derivative."""
    if isinstance(value, Traced):
        raise NotTraced("a tensor as fill value loses its derivative")
    return float(value) if isinstance(value, bool) else value


def _filled_with(value: float) -> dict[str, Row]:
    return {
        "": lambda sizes, *shape, size=(): filled(value, _groups(sizes, shape or (size,))),
        "_like": lambda _, a: filled(value, a.groups),
        "new_": lambda sizes, _, *shape, size=(): filled(value, _groups(sizes, shape or (size,))),
    }


for _name, _value in (("ones", 1), ("zeros", 0)):
    for _form, _rule in _filled_with(_value).items():
        constant(f"{_form}{_name}" if _form.endswith("_") else f"{_name}{_form}")(_rule)


@constant("full")
def _full(sizes: Sizes, size: Any, fill_value: Any) -> Traced:
    return filled(_number(fill_value), _groups(sizes, (size,)))


@constant("full_like")
def _full_like(_: Sizes, a: Traced, fill_value: Any) -> Traced:
    return filled(_number(fill_value), a.groups)


@constant("new_full")
def _new_full(sizes: Sizes, _a: Traced, size: Any, fill_value: Any) -> Traced:
    return filled(_number(fill_value), _groups(sizes, (size,)))


@constant("fill")
def _fill(_: Sizes, a: Traced, value: Any) -> Traced:
    return spread(traced(value), a.groups)


@constant("zero_")
def _zero(_: Sizes, a: Traced) -> Traced:
    return filled(0, a.groups)


@constant("eye")
def _eye(sizes: Sizes, n: int, m: int | None = None) -> Traced:
    """δ_ij; of a matrix that is not square, what is on and above the diagonal less what is above it."""
    rows, columns = sizes.symbol(n), sizes.symbol(n if m is None else m)
    if 1 in (rows, columns):
        long = [size for size in (rows, columns) if size != 1]
        return Traced(basis(long[0], 0) if long else number(1), consecutive([int(rows != 1), int(columns != 1)]))
    if rows == columns:
        return vector(delta(rows))
    return minus(*(vector(triangle(rows, columns, offset)) for offset in (0, 1)))


# ---- 0, 1, 2, … ---------------------------------------------------------------------------------------------------


def _progression(sizes: Sizes, first: Any, step: Traced, count: int) -> Traced:
    """first + step · (0, 1, …)"""
    (size,) = sizes.group(count) or (None,)
    if size is None:
        return Traced(traced(first).node, ((),))
    return plus([(1, traced(first)), (1, times(step, vector(arange(size))))])


@constant("arange", "range")
def _arange(sizes: Sizes, start: Any, end: Any = None, step: Any = 1) -> Traced:
    first, last = (0, start) if end is None else (start, end)
    return _progression(sizes, first, traced(step), math.ceil((last - first) / step))


@constant("linspace")
def _linspace(sizes: Sizes, start: float, end: float, steps: int) -> Traced:
    """From start to end in n - 1 steps."""
    gaps = power(size_of(size_plus(sizes.symbol(steps), -1)), -1) if steps > 1 else number(0)
    width = exact(exact(end) - exact(start))
    return _progression(sizes, start, Traced(add([(width, gaps)], ()), ()), steps)


@constant("logspace")
def _logspace(sizes: Sizes, start: float, end: float, steps: int, base: float = 10.0) -> Traced:
    return to_the(base, _linspace(sizes, start, end, steps))


# ---- from Python's numbers ----------------------------------------------------------------------------------------


def listed(sizes: Sizes, value: Any) -> Traced:
    """A number, a list, or lists of lists, as a tensor."""
    if isinstance(value, list | tuple):
        return stack(sizes, [listed(sizes, v) for v in value])
    if isinstance(value, Traced):
        raise NotTraced("torch.tensor of tensors loses their derivatives; torch.stack keeps them")
    return traced(value)


def _from_python(sizes: Sizes, data: Any) -> Traced:
    """A number, a list or an array; one that is too long to write out is refused."""
    if hasattr(data, "tolist"):
        data = data.tolist()
    if _count(data) > MOST_ENTRIES:
        raise NotTraced(f"a constant of more than {MOST_ENTRIES} numbers is traced where it is made outside of f")
    return listed(sizes, data)


def _count(value: Any) -> int:
    return sum(map(_count, value)) if isinstance(value, list | tuple) else 1


constant("tensor", "scalar_tensor")(_from_python)
constant(Tensor.new_tensor)(lambda sizes, _, data: _from_python(sizes, data))


@constant("as_tensor", "asarray")
def _as_tensor(sizes: Sizes, data: Any) -> Traced:
    """A tensor as it is."""
    return data if isinstance(data, Traced) else _from_python(sizes, data)
