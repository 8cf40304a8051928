"""Rows for + - × ÷, powers, comparisons, choices and casts, entry by entry.

Truth values are 1 and 0: a > b is step(a - b), `and` is a product.  What a row says is compared with torch's value at
once, so a cast is the tensor itself, and where it rounds (1.7 to an integer) the call is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from ..expr import Call, Elementwise, Leaf, Node, Power, Product, Sum, exact
from ..functions import number_in
from .table import (
    Row,
    Sizes,
    Traced,
    applied,
    contract,
    filled,
    matmul,
    minus,
    over,
    plus,
    raised,
    row,
    times,
    traced,
    where,
)

# ---- sums ---------------------------------------------------------------------------------------------------------


@row("add", Tensor.__add__, Tensor.__radd__, Tensor.__iadd__)
def _add(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (alpha, traced(b))])


@row("sub", "subtract", Tensor.__sub__, Tensor.__isub__)
def _sub(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(a)), (-alpha, traced(b))])


@row("rsub", Tensor.__rsub__)
def _rsub(_: Sizes, a: Any, b: Any, *, alpha: float = 1) -> Traced:
    return plus([(1, traced(b)), (-alpha, traced(a))])


@row("neg", "negative", Tensor.__neg__)
def _neg(_: Sizes, a: Traced) -> Traced:
    return plus([(-1, a)])


@row("lerp")
def _lerp(_: Sizes, a: Traced, end: Traced, weight: Any) -> Traced:
    return plus([(1, a), (1, times(traced(weight), minus(end, a)))])


@row("addcmul")
def _addcmul(_: Sizes, a: Traced, tensor1: Traced, tensor2: Traced, *, value: float = 1) -> Traced:
    return plus([(1, a), (value, times(tensor1, tensor2))])


@row("addcdiv")
def _addcdiv(_: Sizes, a: Traced, tensor1: Traced, tensor2: Traced, *, value: float = 1) -> Traced:
    return plus([(1, a), (value, over(tensor1, tensor2))])


def _plus_product(name: str, product: Callable[[Traced, Traced], Traced]) -> None:
    """β a + α · product(b, c)"""

    def rule(_: Sizes, a: Traced, b: Traced, c: Traced, *, beta: float = 1, alpha: float = 1) -> Traced:
        return plus([(beta, a), (alpha, product(b, c))])

    row(name)(rule)


_plus_product("addmm", matmul)
_plus_product("addmv", matmul)
_plus_product("baddbmm", matmul)
_plus_product("addbmm", lambda b, c: contract([(b, "kij"), (c, "kjl")], "il"))
_plus_product("addr", lambda b, c: contract([(b, "i"), (c, "j")], "ij"))


# ---- quotients and powers -----------------------------------------------------------------------------------------


def divided(a: Any, b: Any) -> Traced:
    """a / b; by a number exactly."""
    return over(traced(a), b) if isinstance(b, Traced) else plus([(1 / exact(b), traced(a))])


_ROUNDED = {"floor": "floor", "trunc": "trunc"}


@row("div", "divide", "true_divide", Tensor.__div__, Tensor.__truediv__, Tensor.__itruediv__)
def _div(_: Sizes, a: Any, b: Any, *, rounding_mode: str | None = None) -> Traced:
    return divided(a, b) if rounding_mode is None else applied(_ROUNDED[rounding_mode], divided(a, b))


@row(Tensor.__rdiv__, Tensor.__rtruediv__)
def _rdiv(_: Sizes, a: Traced, b: Any) -> Traced:
    return divided(b, a)


@row("reciprocal")
def _reciprocal(_: Sizes, a: Traced) -> Traced:
    return raised(a, -1)


@row("floor_divide", Tensor.__floordiv__, Tensor.__ifloordiv__)
def _floor_divide(_: Sizes, a: Any, b: Any) -> Traced:
    return applied("floor", divided(a, b))


@row(Tensor.__rfloordiv__)
def _rfloor_divide(_: Sizes, a: Traced, b: Any) -> Traced:
    return applied("floor", divided(b, a))


def remainder(a: Any, b: Any, rounding: str = "floor") -> Traced:
    """a - b ⌊a / b⌋"""
    return minus(traced(a), times(traced(b), applied(rounding, divided(a, b))))


@row("remainder", Tensor.__mod__, Tensor.__imod__)
def _remainder(_: Sizes, a: Any, b: Any) -> Traced:
    return remainder(a, b)


@row(Tensor.__rmod__)
def _rmod(_: Sizes, a: Traced, b: Any) -> Traced:
    return remainder(b, a)


@row("fmod")
def _fmod(_: Sizes, a: Traced, b: Any) -> Traced:
    return remainder(a, b, "trunc")


@row("frac")
def _frac(_: Sizes, a: Traced) -> Traced:
    return minus(a, applied("trunc", a))


def _powered(a: Traced, exponent: float | Fraction) -> Traced:
    """a ** exponent; an even power of a distance needs no root."""
    if isinstance(a.node, Elementwise) and a.node.function == "root" and exponent % 2 == 0:
        return raised(Traced(a.node.args[0], a.axes), exact(exponent) / 2)
    return raised(a, exponent)


def to_the(a: Any, exponent: Any) -> Traced:
    """a ** exponent: a number to a power is exp(log(number) · exponent)."""
    base, power = traced(a), traced(exponent)
    fixed, at = number_in(power.node), number_in(base.node)
    if fixed is not None and not power.axes:
        return _powered(base, fixed)
    if at is None or at <= 0 or base.axes:
        return applied("pow", base, power)
    return applied("exp", power if at == math.e else times(applied("log", base), power))


@row("pow", "float_power", Tensor.__pow__, Tensor.__ipow__)
def _pow(_: Sizes, a: Any, exponent: Any) -> Traced:
    return to_the(a, exponent)


@row(Tensor.__rpow__)
def _rpow(_: Sizes, a: Traced, base: Any) -> Traced:
    return to_the(base, a)


def _power(exponent: float | Fraction) -> Row:
    return lambda _, a: _powered(a, exponent)


row("square")(_power(2))
row("sqrt")(_power(Fraction(1, 2)))
row("rsqrt")(_power(Fraction(-1, 2)))


@row("hypot")
def _hypot(_: Sizes, a: Traced, b: Traced) -> Traced:
    return raised(plus([(1, raised(a, 2)), (1, raised(b, 2))]), Fraction(1, 2))


# ---- comparisons and choices --------------------------------------------------------------------------------------


def larger(a: Any, b: Any) -> Traced:
    """1 where a > b"""
    return applied("step", minus(traced(a), traced(b)))


def rest(a: Traced) -> Traced:
    """1 - a; of a truth value: not a."""
    return minus(traced(1), a)


def _both(a: Any, b: Any) -> Traced:
    return times(traced(a), traced(b))


def _either(a: Any, b: Any) -> Traced:
    return plus([(1, traced(a)), (1, traced(b)), (-1, _both(a, b))])


def _one_of(a: Any, b: Any) -> Traced:
    return plus([(1, traced(a)), (1, traced(b)), (-2, _both(a, b))])


OF_TWO: dict[str, Callable[[Any, Any], Traced]] = {
    "gt greater __gt__": larger,
    "lt less __lt__": lambda a, b: larger(b, a),
    "ge greater_equal __ge__": lambda a, b: rest(larger(b, a)),
    "le less_equal __le__": lambda a, b: rest(larger(a, b)),
    "eq __eq__": lambda a, b: applied("equals", a, b),
    "ne not_equal __ne__": lambda a, b: rest(applied("equals", a, b)),
    "logical_and bitwise_and __and__ __rand__ __iand__": _both,
    "logical_or bitwise_or __or__ __ror__ __ior__": _either,
    "logical_xor bitwise_xor __xor__ __rxor__ __ixor__": _one_of,
    "maximum fmax": lambda a, b: applied("maximum", a, b),
    "minimum fmin": lambda a, b: applied("minimum", a, b),
    "heaviside": lambda a, b: plus([(1, applied("step", a)), (1, times(applied("equals", a, 0), b))]),
    "copysign": lambda a, b: times(applied("abs", a), applied("sign", b)),
}


def _of_two(rule: Callable[[Any, Any], Traced]) -> Row:
    return lambda _, a, b: rule(a, b)


def _operators(name: str) -> list[Any]:
    """The methods behind an operator; Tensor's own and that of its base class differ for some."""
    return [getattr(place, name) for place in (Tensor, Tensor.__base__) if hasattr(place, name)]


for _names, _rule in OF_TWO.items():
    for _name in _names.split():
        row(*_operators(_name) if _name.startswith("__") else [_name])(_of_two(_rule))


@row("logical_not", "bitwise_not", Tensor.__invert__)
def _not(_: Sizes, a: Traced) -> Traced:
    return rest(a)


@row(torch.where)
def _where(_: Sizes, condition: Traced, input: Any, other: Any) -> Traced:
    return where(condition, input, other)


@row(Tensor.where)
def _where_of(_: Sizes, a: Traced, condition: Traced, other: Any) -> Traced:
    return where(condition, a, other)


def clamped(a: Traced, least: Any = None, most: Any = None) -> Traced:
    """min(max(a, least), most)"""
    if None not in (least, most) and not any(isinstance(b, float) and math.isinf(b) for b in (least, most)):
        return applied("clamp", a, least, most)
    if least is not None and least != -math.inf:
        a = applied("maximum", a, least)
    return a if most is None or most == math.inf else applied("minimum", a, most)


@row("clamp", "clip")
def _clamp(_: Sizes, a: Traced, min: Any = None, max: Any = None) -> Traced:
    return clamped(a, min, max)


@row("clamp_min")
def _clamp_min(_: Sizes, a: Traced, min: Any) -> Traced:
    return clamped(a, min)


@row("clamp_max")
def _clamp_max(_: Sizes, a: Traced, max: Any) -> Traced:
    return clamped(a, None, max)


@row("signbit")
def _signbit(_: Sizes, a: Traced) -> Traced:
    return larger(0, a)


def _everywhere(value: float) -> Row:
    """A question that every finite number answers alike."""
    return lambda _, a: filled(value, a.groups)


for _name in ("isnan", "isinf", "isposinf", "isneginf"):
    row(_name)(_everywhere(0))
for _name in ("isfinite", "isreal"):
    row(_name)(_everywhere(1))


# ---- casts and copies ---------------------------------------------------------------------------------------------

STEPS = frozenset("step equals sign floor ceil round trunc".split())


def cast(a: Traced, dtype: torch.dtype) -> Traced:
    """The tensor in another type, rounded towards 0 for whole numbers; a variable that is cast is one of labels."""
    whole = dtype.is_floating_point or _stepwise(a.node)
    if dtype is torch.bool:
        return a if whole else rest(applied("equals", a, 0))
    return a if whole or isinstance(a.node, Leaf) else applied("trunc", a)


@row("positive", Tensor.__pos__, "clone", Tensor.contiguous, Tensor.requires_grad_, Tensor.to, Tensor.type,
     Tensor.type_as, Tensor.double, Tensor.float, Tensor.half, Tensor.bfloat16, Tensor.cpu, "conj", "conj_physical",
     "resolve_conj", "resolve_neg", torch.real, "nan_to_num")  # fmt: skip
def _same(_: Sizes, a: Traced, *options: Any, **more: Any) -> Traced:
    dtypes = [o for o in (*options, *more.values()) if isinstance(o, torch.dtype)]
    return cast(a, dtypes[0]) if dtypes else a


def _cast(dtype: torch.dtype) -> Row:
    return lambda _, a, **_options: cast(a, dtype)


row(Tensor.long, Tensor.int, Tensor.short, Tensor.char, Tensor.byte)(_cast(torch.long))
row(Tensor.bool)(_cast(torch.bool))


def _stepwise(node: Node) -> bool:
    """Whether it is made of truth values and whole numbers."""
    match node:
        case Sum(terms=terms):
            return all(float(c).is_integer() and _stepwise(t) for c, t in terms)
        case Product(factors=factors):
            return all(_stepwise(f) for f, _ in factors)
        case Elementwise(function=function):
            return function in STEPS
    return not isinstance(node, Power | Call | Leaf)
