"""Rows for functions applied entry by entry: those of the table, and activations and others that are made of them.

Where torch has another slope than one side at a kink (hardtanh at its bounds), one side is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import wraps
from typing import Any

import torch.nn.functional as F

from ..expr import exact
from .arithmetic import clamped, divided, larger, rest, to_the
from .indexing import cut
from .table import NotTraced, Row, Sizes, Traced, applied, minus, over, plus, raised, row, shifted, times, traced, where

OF_ONE: dict[str, str] = {  # function of the table -> its names in torch
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin arcsin",
    "acos": "acos arccos",
    "atan": "atan arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "asinh arcsinh",
    "acosh": "acosh arccosh",
    "atanh": "atanh arctanh",
    "sinc": "sinc",
    "sigmoid": "sigmoid expit",
    "abs": "abs absolute __abs__",
    "sign": "sign sgn",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc fix",
    "ndtr": "ndtr",
    "i0": "i0",
    "i1": "i1",
    "erf": "erf",
    "erfcx": "erfcx",
    "erfinv": "erfinv",
    "lgamma": "lgamma gammaln",
    "digamma": "digamma psi",
}
OF_TWO: dict[str, str] = {
    "atan2": "atan2 arctan2",
    "logaddexp": "logaddexp",
    "xlogy": "xlogy",
}


def _applied(name: str) -> Row:
    return lambda _, *arguments: applied(name, *arguments)


for _function, _names in (*OF_ONE.items(), *OF_TWO.items()):
    row(*_names.split())(_applied(_function))


# ---- made of them -------------------------------------------------------------------------------------------------

Formula = Callable[..., Traced]


def formula(*names: Any) -> Callable[[Formula], Formula]:
    """Enter a row that is a formula of its arguments, whether torch works in place or not."""

    def enter(rule: Formula) -> Formula:
        @wraps(rule)
        def ruled(_: Sizes, *arguments: Any, inplace: bool = False, **options: Any) -> Traced:
            return rule(*arguments, **options)

        row(*names)(ruled)
        return rule

    return enter


def _times(number: float | Fraction, a: Traced) -> Traced:
    return plus([(number, a)])


def _log_of(number: float) -> Traced:
    return applied("log", number)


FORMULAS: dict[str, Formula] = {
    "relu": lambda a: applied("relu", a),
    "relu6": lambda a: clamped(a, 0, 6),
    "silu": lambda a: times(a, applied("sigmoid", a)),
    "mish": lambda a: times(a, applied("tanh", applied("softplus", a))),
    "hardsigmoid": lambda a: _times(Fraction(1, 6), clamped(shifted(a, 3), 0, 6)),
    "hardswish": lambda a: _times(Fraction(1, 6), times(a, clamped(shifted(a, 3), 0, 6))),
    "softsign": lambda a: over(a, shifted(applied("abs", a), 1)),
    "tanhshrink": lambda a: minus(a, applied("tanh", a)),
    "logsigmoid": lambda a: _times(-1, applied("softplus", _times(-1, a))),
    "log2": lambda a: over(applied("log", a), _log_of(2)),
    "log10": lambda a: over(applied("log", a), _log_of(10)),
    "exp2": lambda a: to_the(2, a),
    "erfc": lambda a: rest(applied("erf", a)),
    "log_ndtr": lambda a: applied("log", applied("ndtr", a)),
    "ndtri": lambda a: _times(math.sqrt(2), applied("erfinv", shifted(_times(2, a), -1))),
    "i0e": lambda a: times(applied("exp", _times(-1, applied("abs", a))), applied("i0", a)),
    "i1e": lambda a: times(applied("exp", _times(-1, applied("abs", a))), applied("i1", a)),
    "ldexp": lambda a, b: times(a, to_the(2, b)),
    "angle": lambda a: _times(math.pi, larger(0, a)),
    "entr": lambda a: _times(-1, applied("xlogy", a, a)),
    "xlog1py": lambda a, b: applied("xlogy", a, shifted(traced(b), 1)),
    "logaddexp2": lambda a, b: over(applied("logaddexp", times(_log_of(2), a), times(_log_of(2), b)), _log_of(2)),
    "deg2rad": lambda a: _times(math.pi / 180, a),
    "rad2deg": lambda a: _times(180 / math.pi, a),
}
for _name, _rule in FORMULAS.items():
    formula(_name)(_rule)


@formula("gelu")
def _gelu(a: Traced, approximate: str = "none") -> Traced:
    """a Φ(a), or (a/2) (1 + tanh(√(2/π) (a + 0.044715 a³)))"""
    if approximate == "none":
        return times(a, applied("ndtr", a))
    inner = plus([(1, a), (0.044715, raised(a, 3))])
    return times(_times(Fraction(1, 2), a), shifted(applied("tanh", _times(math.sqrt(2 / math.pi), inner)), 1))


@formula("softplus")
def _softplus(a: Traced, beta: float = 1, threshold: float = 20) -> Traced:
    """log(1 + exp(βa)) / β, and a itself where βa is above a threshold that shows"""
    scaled = _times(beta, a)
    smooth = divided(applied("softplus", scaled), beta)
    return smooth if threshold >= 20 else where(larger(scaled, threshold), a, smooth)


# ---- with a kink --------------------------------------------------------------------------------------------------


@formula("leaky_relu")
def leaky(a: Traced, negative_slope: float | Fraction = 0.01) -> Traced:
    """s a + (1 - s) relu(a)"""
    slope = exact(negative_slope)
    return plus([(slope, a), (1 - slope, applied("relu", a))])


@formula("rrelu")
def _rrelu(a: Traced, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Traced:
    if training:
        raise NotTraced("F.rrelu is random in training")
    return leaky(a, (exact(lower) + exact(upper)) / 2)


@formula("prelu")
def _prelu(a: Traced, weight: Traced) -> Traced:
    """relu(a) - w relu(-a), one w or one for each channel, which is axis 1"""
    own = [*weight.axes, *[()] * (len(a.axes) - 2)] if len(a.axes) > 1 and weight.axes else weight.axes
    below = times(Traced(weight.node, tuple(own)), applied("relu", _times(-1, a)))
    return minus(applied("relu", a), below)


def _elu_of(a: Traced, alpha: float | Fraction) -> Traced:
    """α elu(a) + (1 - α) relu(a)"""
    return plus([(alpha, applied("elu", a)), (1 - exact(alpha), applied("relu", a))])


@formula("elu")
def _elu(a: Traced, alpha: float = 1.0) -> Traced:
    return _elu_of(a, exact(alpha))


@formula("celu")
def _celu(a: Traced, alpha: float = 1.0) -> Traced:
    """α elu(a / α) where a < 0, else a: the same formula."""
    return _times(alpha, applied("elu", divided(a, alpha)))


SELU = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717  # λ and α; Klambauer et al. (2017)


@formula("selu")
def _selu(a: Traced) -> Traced:
    """λ elu_α(a)"""
    return _times(SELU[0], _elu_of(a, SELU[1]))


@formula("hardtanh")
def _hardtanh(a: Traced, min_val: float = -1.0, max_val: float = 1.0) -> Traced:
    return clamped(a, min_val, max_val)


@formula("softshrink")
def _softshrink(a: Traced, lambd: float = 0.5) -> Traced:
    """relu(a - λ) - relu(-a - λ)"""
    return minus(applied("relu", shifted(a, -lambd)), applied("relu", shifted(_times(-1, a), -lambd)))


@formula("hardshrink")
def _hardshrink(a: Traced, lambd: float = 0.5) -> Traced:
    """a where |a| > λ, else 0"""
    return times(a, larger(applied("abs", a), lambd))


@formula("threshold")
def _threshold(a: Traced, threshold: float, value: float) -> Traced:
    return where(larger(a, threshold), a, value)


# ---- others -------------------------------------------------------------------------------------------------------


@formula("logit")
def _logit(a: Traced, eps: float | None = None) -> Traced:
    """log a - log(1 - a), a kept eps away from 0 and 1"""
    inside = a if eps is None else clamped(a, eps, 1 - eps)
    return minus(applied("log", inside), applied("log", rest(inside)))


@formula("round")
def _round(a: Traced, *, decimals: int = 0) -> Traced:
    unit = Fraction(10) ** decimals
    return _times(1 / unit, applied("round", _times(unit, a)))


@formula("polygamma")
def _polygamma(a: Any, b: Any) -> Traced:
    """ψ⁽ⁿ⁾, written polygamma(n, x) or x.polygamma(n)"""
    order, x = (b, a) if isinstance(a, Traced) else (a, b)
    return applied(f"polygamma{order}" if order else "digamma", x)


@formula("mvlgamma", "multigammaln")
def _multivariate_lgamma(a: Traced, p: int) -> Traced:
    """Σ log Γ(a - j/2), j = 0 … p-1, + p (p-1)/4 log π"""
    terms = [(1, applied("lgamma", shifted(a, -j / 2))) for j in range(p)]
    return shifted(plus(terms), p * (p - 1) / 4 * math.log(math.pi))


@row("glu")
def _glu(sizes: Sizes, a: Traced, dim: int = -1) -> Traced:
    """The first half of an axis, times σ of the second."""
    half = sizes.count(a.sizes(dim)) // 2
    return times(cut(sizes, a, dim, 0, half), applied("sigmoid", cut(sizes, a, dim, half, None)))


@row("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", F.dropout1d, F.dropout2d, F.dropout3d)
def _dropout(_: Sizes, a: Traced, p: float = 0.5, training: bool = False, inplace: bool = False) -> Traced:
    if training and p:
        raise NotTraced("dropout in training is random")
    return a
