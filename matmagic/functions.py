"""Functions applied entry by entry: one row each, with its derivative and how it is written.

A slope is the derivative by one argument, as an expression of the arguments, so that slopes have slopes.  At points
where there is none (relu and abs at 0, ties of a maximum) it is what torch takes, or one side.  Truth values are 1 and 0.
Sources: the standard table of derivatives; for error, gamma and Bessel functions DLMF 7.10, 5.15 and 10.29
(https://dlmf.nist.gov).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .expr import Elementwise, Node, Number, Product, Sum, add, elementwise, multiply, number, power, scale, zero
from .matrix_functions import NoDerivative
from .nodes import Triangle
from .walk import ordered

Slope = Callable[..., Node]
LAST_POLYGAMMA = 4


@dataclass(frozen=True)
class Function:
    """An entrywise function: its torch code, how it is written, and its derivative by each argument.

    The code is a name, or a template with {0}, {1}, …; ({0}) is put in brackets where the argument needs them.
    `with_numbers` is the code where all arguments but the first are numbers, if torch takes them as they are.
    """

    torch: str
    latex: str
    text: str
    slopes: tuple[Slope, ...]
    with_numbers: str = ""


def of(name: str, *args: Node) -> Node:
    """The function of these arguments in its plainest form: maximum(x, 0) is relu(x).

    >>> from matmagic.expr import leaf
    >>> x = leaf("x", ("n",))
    >>> of("maximum", x, zero(("n",))) is of("relu", x)
    True
    """
    plainer = PLAINER[name](*args) if name in PLAINER else None
    return elementwise(name, *args) if plainer is None else plainer


def number_in(node: Node) -> Number | None:
    """The number that every entry is, None if they depend on anything."""
    match node:
        case Sum(terms=()):
            return Fraction(0)
        case Product(factors=()):
            return Fraction(1)
        case Sum(terms=((c, Product(factors=())),)):
            return c
    return None


def at_zero(node: Node) -> Node | None:
    """relu(0) = 0, exp(0) = 1, σ(0) = ½: a function of what cancels."""
    if not isinstance(node, Elementwise) or any(number_in(a) != 0 for a in node.args):
        return None
    value = AT_ZERO.get(node.function)
    return None if value is None else number(value, node.shape)


# ---- slopes -------------------------------------------------------------------------------------------------------


def _shifted(value: float, x: Node, coefficient: float = 1) -> Node:
    """value + c·x"""
    return add([(value, number(1, x.shape)), (coefficient, x)], x.shape)


def _less(a: Node, b: Node) -> Node:
    """a - b"""
    return add([(1, a), (-1, b)], a.shape)


def _of(name: str) -> Slope:
    """The slope that is itself a function of the table."""
    return lambda x: elementwise(name, x)


def _flat(x: Node, *_: Node) -> Node:
    """0: the function is constant between its jumps."""
    return zero(x.shape)


def _to(exponent: float | Fraction, inside: Slope, coefficient: float = 1) -> Slope:
    """c·inside(x)^p"""
    return lambda x: scale(coefficient, power(inside(x), exponent))


def _gaussian(coefficient: float, sign: int, inside: Slope) -> Slope:
    """c·exp(±inside(x)²)"""
    return lambda x: scale(coefficient, elementwise("exp", scale(sign, power(inside(x), 2))))


def _itself(x: Node) -> Node:
    return x


def _sigmoid_slope(x: Node) -> Node:
    s = elementwise("sigmoid", x)
    return multiply(s, _shifted(1, s, -1))


def _elu_slope(x: Node) -> Node:
    """exp(min(x, 0))"""
    return elementwise("exp", scale(-1, elementwise("relu", scale(-1, x))))


def _sinc_slope(x: Node) -> Node:
    """(cos πx - sinc x) / x, 0 at 0"""
    rise = _less(elementwise("cos", scale(math.pi, x)), elementwise("sinc", x))
    return multiply(rise, elementwise("reciprocal_or_0", x))


def _i1_slope(x: Node) -> Node:
    """I₀ - I₁/x"""
    return _less(elementwise("i0", x), multiply(elementwise("i1", x), elementwise("reciprocal_or_0", x)))


def _erfcx_slope(x: Node) -> Node:
    """2 x erfcx x - 2/√π"""
    return _shifted(-2 / math.sqrt(math.pi), multiply(x, elementwise("erfcx", x)), 2)


def _polygamma_slope(order: int) -> Slope:
    """ψ⁽ⁿ⁾′ = ψ⁽ⁿ⁺¹⁾"""

    def slope(x: Node) -> Node:
        if order == LAST_POLYGAMMA:
            raise NoDerivative(f"the derivative of polygamma({order}, x) has no rule here")
        return elementwise(f"polygamma{order + 1}", x)

    return slope


def _pow_by_base(x: Node, y: Node) -> Node:
    """y x^(y-1)"""
    return multiply(y, of("pow", x, _shifted(-1, y)))


def _pow_by_exponent(x: Node, y: Node) -> Node:
    """x^y log x"""
    return multiply(of("pow", x, y), elementwise("log", x))


def _over_squares(sign: int, chosen: Callable[[Node, Node], Node]) -> Slope:
    """±chosen / (y² + x²)"""

    def slope(y: Node, x: Node) -> Node:
        squares = add([(1, power(y, 2)), (1, power(x, 2))], x.shape)
        return scale(sign, multiply(chosen(y, x), power(squares, -1)))

    return slope


def _larger(a: Node, b: Node) -> Node:
    """1 where a > b"""
    return elementwise("step", _less(a, b))


_CLAMP_SLOPES: tuple[Slope, ...] = (  # of min(max(x, a), b)
    lambda x, a, b: multiply(_larger(x, a), _larger(b, x)),
    lambda x, a, b: multiply(_larger(a, x), _larger(b, a)),
    lambda x, a, b: _shifted(1, _larger(b, of("maximum", x, a)), -1),
)


def _one_less_square(x: Node) -> Node:
    """1 - x²"""
    return _shifted(1, power(x, 2), -1)


def _one_plus_square(x: Node) -> Node:
    """1 + x²"""
    return _shifted(1, power(x, 2))


_ROOT = Fraction(-1, 2)


def _operator(name: str, *slopes: Slope, torch: str = "", numbers: bool = False) -> Function:
    """A row for a function that goes by its name."""
    code = torch or f"torch.{name}"
    return Function(code, rf"\operatorname{{{name}}}", name, slopes, code if numbers else "")


FUNCTIONS: dict[str, Function] = {
    "exp": Function("torch.exp", r"\exp", "exp", (_of("exp"),)),
    "expm1": _operator("expm1", _of("exp")),
    "log": Function("torch.log", r"\log", "log", (_to(-1, _itself),)),
    "log1p": _operator("log1p", _to(-1, lambda x: _shifted(1, x))),
    "sin": Function("torch.sin", r"\sin", "sin", (_of("cos"),)),
    "cos": Function("torch.cos", r"\cos", "cos", (lambda x: scale(-1, elementwise("sin", x)),)),
    "tan": Function("torch.tan", r"\tan", "tan", (lambda x: _one_plus_square(elementwise("tan", x)),)),
    "sinh": Function("torch.sinh", r"\sinh", "sinh", (_of("cosh"),)),
    "cosh": Function("torch.cosh", r"\cosh", "cosh", (_of("sinh"),)),
    "tanh": Function("torch.tanh", r"\tanh", "tanh", (lambda x: _one_less_square(elementwise("tanh", x)),)),
    "asin": Function("torch.asin", r"\arcsin", "arcsin", (_to(_ROOT, _one_less_square),)),
    "acos": Function("torch.acos", r"\arccos", "arccos", (_to(_ROOT, _one_less_square, -1),)),
    "atan": Function("torch.atan", r"\arctan", "arctan", (_to(-1, _one_plus_square),)),
    "asinh": Function("torch.asinh", r"\operatorname{arsinh}", "arsinh", (_to(_ROOT, _one_plus_square),)),
    "acosh": Function(
        "torch.acosh", r"\operatorname{arcosh}", "arcosh", (_to(_ROOT, lambda x: _shifted(-1, power(x, 2))),)
    ),
    "atanh": Function("torch.atanh", r"\operatorname{artanh}", "artanh", (_to(-1, _one_less_square),)),
    "atan2": _operator("atan2", _over_squares(1, lambda y, x: x), _over_squares(-1, lambda y, x: y)),
    "sinc": _operator("sinc", _sinc_slope),
    "sigmoid": Function("torch.sigmoid", r"\sigma", "σ", (_sigmoid_slope,)),
    "softplus": _operator("softplus", _of("sigmoid"), torch="F.softplus"),
    "logaddexp": _operator(
        "logaddexp", lambda a, b: elementwise("sigmoid", _less(a, b)), lambda a, b: elementwise("sigmoid", _less(b, a))
    ),
    "ndtr": Function("torch.special.ndtr", r"\Phi", "Φ", (_of("density"),)),
    # of the standard normal distribution, as ndtr is its distribution function
    "density": Function(
        "(torch.exp(-0.5 * ({0}) ** 2) / (2 * torch.pi) ** 0.5)", r"\varphi", "φ",
        (lambda x: scale(-1, multiply(x, elementwise("density", x))),),
    ),
    "i0": Function("torch.special.i0", "I_0", "I₀", (_of("i1"),)),
    "i1": Function("torch.special.i1", "I_1", "I₁", (_i1_slope,)),
    "erf": _operator("erf", _gaussian(2 / math.sqrt(math.pi), -1, _itself)),
    "erfcx": _operator("erfcx", _erfcx_slope, torch="torch.special.erfcx"),
    "erfinv": _operator("erfinv", _gaussian(math.sqrt(math.pi) / 2, 1, _of("erfinv"))),
    "lgamma": Function("torch.lgamma", r"\log\Gamma", "logΓ", (_of("digamma"),)),
    "digamma": Function("torch.digamma", r"\psi", "ψ", (_of("polygamma1"),)),
    **{
        f"polygamma{n}": Function(
            f"torch.polygamma({n}, {{0}})", rf"\psi^{{({n})}}", f"ψ⁽{'⁰¹²³⁴'[n]}⁾", (_polygamma_slope(n),)
        )
        for n in range(1, LAST_POLYGAMMA + 1)
    },
    "xlogy": _operator("xlogy", lambda x, y: elementwise("log", y), lambda x, y: multiply(x, power(y, -1)), numbers=True),
    "pow": _operator("pow", _pow_by_base, _pow_by_exponent, numbers=True),
    "relu": _operator("relu", _of("step")),
    "elu": _operator("elu", _elu_slope, torch="F.elu"),
    "abs": _operator("abs", _of("sign")),
    "maximum": Function(
        "torch.maximum", r"\max", "max", (_larger, lambda a, b: _shifted(1, _larger(a, b), -1)),
        "torch.clamp({0}, min={1})",
    ),
    "minimum": Function(
        "torch.minimum", r"\min", "min", (lambda a, b: _larger(b, a), lambda a, b: _shifted(1, _larger(b, a), -1)),
        "torch.clamp({0}, max={1})",
    ),
    "clamp": _operator("clamp", *_CLAMP_SLOPES, numbers=True),
    "where": _operator(
        "where", _flat, lambda c, a, b: c, lambda c, a, b: _shifted(1, c, -1), torch="torch.where({0}, {1}, {2})"
    ),
    "step": _operator("step", _flat, torch="({0} > 0).double()"),
    "equals": _operator("equals", _flat, _flat, torch="({0} == {1}).double()", numbers=True),
    "sign": _operator("sign", _flat),
    "floor": _operator("floor", _flat),
    "ceil": _operator("ceil", _flat),
    "round": _operator("round", _flat),
    "trunc": _operator("trunc", _flat),
    # 1/x, and 0 where x = 0
    "reciprocal_or_0": Function(
        "torch.nan_to_num(1 / ({0}), torch.nan, 0.0, 0.0)", r"\operatorname{recip}_0", "recip₀",
        (lambda x: scale(-1, power(elementwise("reciprocal_or_0", x), 2)),),
    ),
    # √x whose slope at 0 is 0: a distance that is 0 for one pair has no derivative there, and torch takes 0
    "root": Function(
        "torch.sqrt", r"\operatorname{sqrt}", "sqrt",
        (lambda x: scale(Fraction(1, 2), elementwise("reciprocal_or_0", elementwise("root", x))),),
    ),
    # x itself, a constant to autograd
    "detach": Function("({0})", r"\operatorname{sg}", "sg", (_flat,)),
}  # fmt: skip


AT_ZERO: dict[str, Number] = {
    **dict.fromkeys(
        "expm1 log1p sin tan sinh tanh asin atan asinh atanh erf relu elu step abs sign floor ceil round trunc detach "
        "maximum minimum".split(),
        Fraction(0),
    ),
    **dict.fromkeys("exp cos cosh sinc".split(), Fraction(1)),
    "sigmoid": Fraction(1, 2),
}


# functions that can be 0 on a whole region
ZEROING = frozenset("relu step maximum minimum clamp where floor ceil round trunc equals".split())


def may_vanish(node: Node) -> bool:
    """Whether zeros are no single points of it, or of a part: relu, conditions and triangles make them."""
    return any(
        isinstance(part, Triangle) or (isinstance(part, Elementwise) and part.function in ZEROING)
        for part in ordered(node)
    )


# ---- plainer forms ------------------------------------------------------------------------------------------------


def _plainer_maximum(a: Node, b: Node) -> Node | None:
    """max(a, 0) = relu(a); a number stands last."""
    if number_in(a) is not None and number_in(b) is None:
        return of("maximum", b, a)
    return elementwise("relu", a) if number_in(b) == 0 else None


def _plainer_minimum(a: Node, b: Node) -> Node | None:
    """min(a, 0) = -relu(-a); a number stands last."""
    if number_in(a) is not None and number_in(b) is None:
        return of("minimum", b, a)
    return scale(-1, elementwise("relu", scale(-1, a))) if number_in(b) == 0 else None


def _plainer_where(c: Node, a: Node, b: Node) -> Node | None:
    """A condition that is a number decides; where(1 - c, a, b) = where(c, b, a)."""
    match number_in(c), c:
        case (0 | 1) as known, _:
            return a if known else b
        case None, Sum(terms=((1, Product(factors=())), (-1, other)) | ((-1, other), (1, Product(factors=())))):
            return of("where", other, b, a)
    return a if a is b else None


def _plainer_pow(x: Node, y: Node) -> Node | None:
    """A power with a number for exponent is a node of its own."""
    exponent = number_in(y)
    return None if exponent is None else power(x, exponent)


PLAINER: dict[str, Callable[..., Node | None]] = {
    "maximum": _plainer_maximum,
    "minimum": _plainer_minimum,
    "where": _plainer_where,
    "pow": _plainer_pow,
}


# ---- code ---------------------------------------------------------------------------------------------------------

_PLACE = re.compile(r"(?<!\w)\(\{(\d)\}\)|\{(\d)\}")  # ({0}) that are not a call's brackets, or {0}
_NUMBER = re.compile(r"\w+\.shape\[\d+\]|torch\.inf|\d+(?:\.\d*)?(?:e-?\d+)?")
_ARITHMETIC = "()*/+- "
_FILLED = re.compile(rf"(-?)(?:({_NUMBER.pattern}) \* )?(?:torch|[^\s()]+)\.(?:new_)?(ones|zeros)(?:_like)?\((.*)\)")
_TRUTH = re.compile(r"\((.*)\)\.double\(\)")  # code that is 1 or 0, with the condition


def code_of(name: str, arguments: Sequence[str]) -> str:
    """The call as torch code.

    >>> code_of("where", ["(x > 0).double()", "x + y", "torch.zeros_like(x)"])
    'torch.where(x > 0, x + y, 0.0)'
    >>> code_of("reciprocal_or_0", ["x"]), code_of("detach", ["x - y"]), code_of("log", ["2"])
    ('torch.nan_to_num(1 / x, torch.nan, 0.0, 0.0)', '(x - y)', 'torch.log(torch.tensor(2.0))')
    """
    row, (first, *others) = FUNCTIONS[name], arguments
    numbers = [_number(a) for a in others]
    template = row.torch
    if name == "where":
        given = [_condition(first), *(a if n is None else n for a, n in zip(others, numbers, strict=True))]
    elif row.with_numbers and None not in numbers:
        template, given = row.with_numbers, [_tensor(first), *map(str, numbers)]
    else:
        given = [_tensor(a) for a in arguments]
    if "{" not in template:
        return f"{template}({', '.join(given)})"
    return _PLACE.sub(lambda at: given[int(at[2])] if at[2] else _bracketed(given[int(at[1])]), template)


def _number(code: str) -> str | None:
    """The number that fills a tensor of ones or zeros: 2 * torch.ones_like(x)."""
    if _is_number(code):
        return code
    found = _FILLED.fullmatch(code)
    if not found or not _balanced(found[4]):
        return None
    return "0.0" if found[3] == "zeros" else f"{found[1]}{found[2] or '1.0'}"


def _is_number(code: str) -> bool:
    """Whether it is arithmetic of numbers and sizes."""
    return not _NUMBER.sub("", code).strip(_ARITHMETIC)


def _bracketed(code: str) -> str:
    """In brackets where anything could bind tighter."""
    atoms = ast.Name | ast.Call | ast.Attribute | ast.Subscript
    return code if code.isidentifier() or isinstance(ast.parse(code, mode="eval").body, atoms) else f"({code})"


def _tensor(code: str) -> str:
    """A Python number as a tensor, which torch's functions ask for."""
    if not _is_number(code):
        return code
    whole, literal = code.lstrip("-").isdigit(), _NUMBER.fullmatch(code.lstrip("-"))
    return f"torch.tensor({f'{code}.0' if whole else code if literal and '.shape' not in code else f'1.0 * ({code})'})"


def _condition(code: str) -> str:
    """A truth value as a condition: x > 0, not step(x) != 0."""
    found = _TRUTH.fullmatch(code)
    return found[1] if found and _balanced(found[1]) else f"{code} != 0"


def _balanced(code: str) -> bool:
    """Whether every bracket closes one that was opened here."""
    depth = 0
    for character in code:
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return False
    return depth == 0
