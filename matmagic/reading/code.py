"""Torch code as text, such as "2 * A @ x": read, checked word by word, and evaluated.

In: text and the names it may use.  Out: a function of the inputs.  The text is parsed, never run: each node
of its syntax tree has to be on a list, and is evaluated here.  It can thus reach the arguments, and functions of torch
that compute, and nothing else; what is not on a list is refused with the place where it stands.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor

from ..calling import float64
from ..errors import OptionError
from ..places import spelled
from ..sampling import words

__all__ = ["is_code", "read_code"]

MAX_LENGTH = 2000
MAX_DEPTH = 60
MAX_POWER = 64
MAX_ENTRIES = 1_000_000

TORCH = words(
    "abs add addmm amax amin arange argmax atan atan2 block_diag bmm cat ceil chain_matmul clamp "
    "concat cos cosh cross cumprod cumsum deg2rad det diag diff diag_embed diagflat diagonal div dot "
    "einsum erf erfc exp expm1 eye flatten flip full full_like ger gather hstack inner inverse kron "
    "lerp log log10 log1p log2 log_softmax logaddexp logdet logsumexp matmul matrix_exp matrix_power "
    "max maximum mean min minimum mm movedim mul multiply mv neg norm ones ones_like outer permute "
    "pinverse polygamma pow prod reciprocal relu reshape roll rsqrt selu sgn sigmoid sign sin sinh "
    "slogdet softmax sqrt square squeeze stack std sub subtract sum tan tanh tensor tensordot tile "
    "trace transpose tril triu true_divide unsqueeze var vdot vstack where zeros zeros_like sinc "
    "sum_to_size digamma lgamma swapaxes acos acosh asin asinh atanh argmin argsort nan_to_num sort xlogy"
)
FUNCTIONS: Mapping[str, frozenset[str]] = {
    "torch": TORCH,
    "torch.linalg": words(
        "cholesky cross det diagonal eigh eigvalsh inv matmul matrix_exp matrix_norm matrix_power multi_dot "
        "norm pinv slogdet solve svd svdvals tensorinv trace vecdot vector_norm"
    ),
    "torch.special": words(
        "digamma entr erf erfc erfcx exp2 expit expm1 gammaln i0 i1 log1p logit log_softmax logsumexp ndtr softmax xlogy"
    ),
    "math": words("sqrt exp log lgamma"),
    "F": words(
        "elu gelu hardtanh leaky_relu log_softmax logsigmoid mse_loss normalize one_hot relu relu6 selu "
        "sigmoid silu softmax softmin softplus softsign tanh binary_cross_entropy "
        "binary_cross_entropy_with_logits cross_entropy"
    ),
}
BUILTINS: Mapping[str, Callable[..., Any]] = {"len": len, "abs": abs}
METHODS = (TORCH - {"arange", "eye", "full", "ones", "zeros", "tensor", "stack", "cat", "einsum", "where"}) | words(
    "t dot double float expand expand_as repeat view size numel dim item clone contiguous new_ones "
    "new_zeros new_tensor to bool masked_fill div mul add sub mm mv view_as reshape_as type_as T inverse detach "
    "softmax"
) - {"T", "item"}
ATTRIBUTES = words("T mT H shape ndim dtype eigenvalues eigenvectors logabsdet sign values indices U S Vh")
CONSTANTS: Mapping[str, Any] = {
    "pi": math.pi,
    "e": math.e,
    "inf": math.inf,
    "float64": torch.float64,
    "float32": torch.float32,
}
WITH_CONSTANTS: Mapping[str, frozenset[str]] = {"torch": frozenset(CONSTANTS), "math": words("pi e inf")}
MAKERS = words("arange eye full ones zeros expand repeat tile new_ones new_zeros one_hot linspace")
DIAGONALS = words("diag diag_embed diagflat")  # n entries give n²
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.MatMult: operator.matmul,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
MODULES: Mapping[str, Any] = {
    "torch": torch,
    "torch.linalg": torch.linalg,
    "torch.special": torch.special,
    "math": math,
    "F": F,
}

Evaluate = Callable[[Mapping[str, Any]], Any]


def read_code(text: str, names: Collection[str]) -> Evaluate:
    """A torch expression over the names, as a function of their values.

    >>> read_code("2 * x + 1", ("x",))({"x": 3.0})
    7.0
    """
    if len(text) > MAX_LENGTH:
        raise OptionError(f"the claim has {len(text)} characters, at most {MAX_LENGTH} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = getattr(error, "offset", None) or 1
        lines = (text.strip().splitlines() or [""])[:1]
        raise OptionError("the claim is not a Python expression", *lines, " " * (offset - 1) + "^") from None
    reader = _Reader(text.strip(), {*names})
    reader.check(tree.body, 0)

    def evaluate(values: Mapping[str, Any]) -> Any:
        with float64():
            return _value(tree.body, dict(values))

    return evaluate


def is_code(text: str) -> bool:
    """Whether a text means to be Python, and no formula: it has more in it than names, numbers and arithmetic.

    >>> is_code("torch.exp(x"), is_code("x.__class__"), is_code("2 * A x"), is_code("exp(x) * y")
    (True, True, False, False)
    """
    if re.search(r"\b(torch|F)\s*\.", text):
        return True
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    plain = ast.Expression | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop | ast.Name | ast.Load | ast.Constant
    nodes = [*ast.walk(tree)]
    calls = all(isinstance(node.func, ast.Name) and not node.keywords for node in nodes if isinstance(node, ast.Call))
    texts = any(isinstance(node, ast.Constant) and not isinstance(node.value, int | float) for node in nodes)
    return texts or not calls or not all(isinstance(node, plain | ast.Call) for node in nodes)


# --------------------------------------------------------------------------- what may stand in a claim


@dataclass(frozen=True)
class _Reader:
    """Refuses what is not on the lists, with the place."""

    text: str
    names: set[str]  # with those that the text has given so far

    def check(self, node: ast.AST, depth: int) -> None:
        """Check a node and those below it."""
        if depth > MAX_DEPTH:
            self.refuse(node, "the claim is nested too deeply")
        match node:
            case ast.Constant(value=value):
                if not isinstance(value, bool | int | float | str | type(None) | type(...)):
                    self.refuse(node, f"{value!r} can't stand in a claim")
                if isinstance(value, int | float) and abs(value) > 1e30:
                    self.refuse(node, "this number is too large")
            case ast.Attribute() | ast.Subscript() if _place(node) in self.names:
                return
            case ast.Name(id=name):
                if name not in self.names:
                    self.refuse_name(node, name)
            case ast.Subscript(value=ast.Constant()) | ast.List(elts=[ast.Compare(), *_]):
                self.refuse(node, "brackets with a relation can't stand in torch code")
            case ast.Attribute():
                self.check_attribute(node, depth)
            case ast.Call():
                self.check_call(node, depth)
            case ast.Tuple(elts=items):
                for item in items:
                    self.check_item(item, depth + 1)
            case _:
                self.check_operator(node)
                for child in _below(node):
                    self.check(child, depth + 1)

    def check_item(self, node: ast.expr, depth: int) -> None:
        """An item of a tuple, which may get a name: (v := x @ A, v * v)[-1]."""
        if not isinstance(node, ast.NamedExpr):
            return self.check(node, depth)
        self.check(node.value, depth)
        if node.target.id in {*self.names, *MODULES, *BUILTINS}:
            self.refuse(node, f"{node.target.id} has a meaning already")
        self.names.add(node.target.id)
        return None

    def check_operator(self, node: ast.AST) -> None:
        """Operators, brackets and slices that are on the list."""
        match node:
            case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.Compare(ops=[op]) if type(op) in OPERATORS:
                return
            case ast.List() | ast.Subscript() | ast.Slice():
                return
        self.refuse(node, f"{type(node).__name__} can't stand in a claim")

    def check_attribute(self, node: ast.Attribute, depth: int) -> None:
        """`.T` and its like, and constants of torch."""
        module = _module(node.value)
        if module is not None and module not in self.names:
            if node.attr not in WITH_CONSTANTS.get(module, ()):
                self.refuse(node, f"{module}.{node.attr} can't stand in a claim")
            return
        if node.attr not in ATTRIBUTES:
            self.refuse(node, f".{node.attr} can't stand in a claim{_nearest(node.attr, ATTRIBUTES)}")
        self.check(node.value, depth + 1)

    def check_call(self, node: ast.Call, depth: int) -> None:
        """A function or method on the lists; its arguments."""
        match node.func:
            case ast.Name(id=name) if name in BUILTINS:
                pass
            case ast.Attribute(value=base, attr=name) if (module := _module(base)) and module not in self.names:
                if name not in FUNCTIONS[module]:
                    self.refuse(node, f"{module}.{name} can't stand in a claim{_nearest(name, FUNCTIONS[module])}")
            case ast.Attribute(value=base, attr=name):
                if name not in METHODS:
                    self.refuse(node, f".{name}() can't stand in a claim{_nearest(name, METHODS)}")
                self.check(base, depth + 1)
            case _:
                self.refuse(node, "only functions of torch and F can be called in a claim")
        if isinstance(node.func, ast.Attribute) and node.func.attr == "to":
            for given in (*node.args, *(k.value for k in node.keywords)):
                if isinstance(given, ast.Constant):
                    self.refuse(node, "a device can't stand in a claim")
        for argument in node.args:
            self.check(argument, depth + 1)
        for keyword in node.keywords:
            if keyword.arg in (None, "out"):
                self.refuse(node, f"{keyword.arg or '**'} can't stand in a claim")
            self.check(keyword.value, depth + 1)

    def refuse_name(self, node: ast.AST, name: str) -> NoReturn:
        """An unknown name, with the nearest known one."""
        self.refuse(node, f"{name} is no argument of the function{_nearest(name, self.names)}")

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        """OptionError with the line of the claim and a mark below the place."""
        line = getattr(node, "lineno", 1)
        column = len(
            (self.text.splitlines()[line - 1]).encode()[: getattr(node, "col_offset", 0)].decode(errors="ignore")
        )
        raise OptionError(f"can't read the claim: {reason}", self.text.splitlines()[line - 1], " " * column + "^")


def _nearest(word: str, known: Collection[str]) -> str:
    """A suggestion."""
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _place(node: ast.AST) -> str:
    """A tensor in an object, as it is named: lin.weight, params["W"]."""
    return spelled(ast.unparse(node))


def _module(node: ast.AST) -> str | None:
    """torch, torch.linalg, torch.special or F, however they are written."""
    spelled = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    return {"torch.nn.functional": "F"}.get(spelled, spelled if spelled in FUNCTIONS else None)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    """Operands; not the operators and contexts between them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child


# --------------------------------------------------------------------------- its value


def _value(node: ast.AST | None, names: dict[str, Any]) -> Any:
    """The value of a checked node; `names` get those that it gives."""
    match node:
        case None:
            return None
        case ast.Constant(value=value):
            return value
        case ast.Attribute() | ast.Subscript() if _place(node) in names:
            return names[_place(node)]
        case ast.Name(id=name):
            return names[name]
        case ast.Attribute(value=base, attr=name):
            module = _module(base)
            if module is not None and module not in names and name in WITH_CONSTANTS.get(module, ()):
                return CONSTANTS[name]
            return getattr(_value(base, names), name)
        case ast.Call():
            return _called(node, names)
        case ast.NamedExpr(target=ast.Name(id=name), value=given):
            names[name] = _value(given, names)
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _operated(op, _value(left, names), _value(right, names))
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](_value(operand, names))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _operated(op, _value(left, names), _value(right, names))
        case ast.Tuple(elts=items):
            return tuple(_value(item, names) for item in items)
        case ast.List(elts=items):
            return [_value(item, names) for item in items]
        case ast.Subscript(value=base, slice=index):
            return _value(base, names)[_value(index, names)]
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(_value(lower, names), _value(upper, names), _value(step, names))
    raise OptionError(f"{type(node).__name__} can't stand in a claim")


def _operated(op: ast.AST, left: Any, right: Any) -> Any:
    """left op right, with bounds on powers and on what broadcasting makes."""
    if isinstance(op, ast.Pow) and isinstance(right, int | float) and abs(right) > MAX_POWER:
        raise OptionError(f"a power of {right} is too large, at most {MAX_POWER}")
    if not isinstance(left, Tensor) and not isinstance(right, Tensor):
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise OptionError("only tensors and numbers can be computed with in a claim")
        value = OPERATORS[type(op)](left, right)
        if isinstance(value, complex) or abs(value) > 1e30:
            raise OptionError("a number in the claim is too large, or not real")
        return value
    _bounded(left, right)
    return OPERATORS[type(op)](left, right)


def _called(node: ast.Call, names: dict[str, Any]) -> Any:
    """A function of torch, or a method, on its arguments."""
    base, module = None, None
    if isinstance(node.func, ast.Attribute):
        module = _module(node.func.value)
        base = None if module and module.partition(".")[0] not in names else _value(node.func.value, names)
    args = [_value(a, names) for a in node.args]
    kwargs = {k.arg: _value(k.value, names) for k in node.keywords if k.arg is not None}
    if isinstance(node.func, ast.Name):
        return BUILTINS[node.func.id](*args)
    assert isinstance(node.func, ast.Attribute)
    if base is not None and not isinstance(base, Tensor) and node.func.attr not in ("numel", "size"):
        raise OptionError(f".{node.func.attr}() is called on something that is no tensor")
    _bounded(base, *args, *kwargs.values())
    if node.func.attr in MAKERS:
        _small(base, *args, *kwargs.values())
    if node.func.attr in DIAGONALS:
        _spare(node.func.attr, base, *args)
    function = getattr(base if base is not None else MODULES[str(module)], node.func.attr)
    return function(*args, **kwargs)


def _bounded(*values: Any) -> None:
    """OptionError before a result of tensors of different shapes may get too large."""
    tensors = _tensors(*values)
    if len({tuple(t.shape) for t in tensors}) > 1 or any(t.numel() > 1000 for t in tensors):
        entries = math.prod(max(t.numel(), 1) for t in tensors)
        if entries > 100 * MAX_ENTRIES and max(t.numel() for t in tensors) > 100:
            raise OptionError("the claim makes tensors that are too large")
    elif len(tensors) > 1 and tensors[0].numel() > MAX_ENTRIES:
        raise OptionError("the claim makes tensors that are too large")


def _tensors(*values: Any) -> list[Tensor]:
    return [value for value in _flat(values) if isinstance(value, Tensor)]


def _small(*values: Any) -> None:
    """OptionError where torch.ones(...) and its like are asked for too many entries."""
    numbers = [abs(v) for v in _flat(values) if isinstance(v, int | float) and not isinstance(v, bool)]
    entries = math.prod(max(v, 1.0) for v in numbers) * math.prod(
        v.numel() for v in _flat(values) if isinstance(v, Tensor)
    )
    if entries > MAX_ENTRIES:
        raise OptionError("the claim makes tensors that are too large")


def _spare(function: str, *values: Any) -> None:
    """OptionError where a diagonal matrix gets too many entries."""
    for tensor in _tensors(*values):
        if function != "diag" or tensor.ndim == 1:
            side = tensor.shape[-1] if function == "diag_embed" and tensor.ndim else tensor.numel()
            if tensor.numel() * side > 10 * MAX_ENTRIES:
                raise OptionError("the claim makes tensors that are too large")


def _flat(values: Any) -> Iterator[Any]:
    """Values in nested lists and tuples."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
