"""The notation tree as a SymPy expression; vectors are n × 1 matrices there.

An output format only: SymPy re-orders what it is given.  SymPy is imported on first use, and its warning filter, which
it adds at import, is left to the caller's state guard.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

from ..lengths import Size, parts
from ..notation import (
    Apply,
    Blocks,
    Called,
    Chain,
    Column,
    Counting,
    Diag,
    DiagonalOf,
    Entry,
    Hadamard,
    Identity,
    Inverse,
    Kronecker,
    Letter,
    Listed,
    Math,
    MatrixPower,
    Norm,
    Num,
    Ones,
    Plus,
    Pow,
    Quotient,
    Symbol,
    Times,
    Trace,
    Transpose,
    Triangular,
    Unit,
    Zero,
    rank,
    rows_in,
)


def _exp(x: Any) -> Any:
    import sympy
    from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

    t = sympy.Dummy("t", real=True)
    return ElementwiseApplyFunction(sympy.Lambda(t, sympy.exp(t)), x)


def _total(x: Any) -> Any:
    import sympy

    return _as_scalar(sympy.MatMul(sympy.OneMatrix(1, x.shape[0]), x))


def _determinant(x: Any) -> Any:
    import sympy

    return sympy.Determinant(x)


def _product(x: Any) -> Any:
    import sympy

    i = sympy.Dummy("i", integer=True)
    return sympy.Product(_element(x, i, 0), (i, 0, x.shape[0] - 1))


def _numeric(name: str) -> Callable[[Any], Any]:
    """A function of matrices that SymPy computes of numbers only."""

    def form(x: Any) -> Any:
        from .sympy_functions import OfMatrix

        return OfMatrix.called(name, x)

    return form


def _log(x: Any) -> Any:
    import sympy

    return sympy.log(x)


# functions of matrices, or of vectors, that SymPy has a form for: how many indices the argument has, and the form
CALLED: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "det": (2, _determinant),
    "logdet": (2, lambda x: _log(_determinant(x))),
    "logabsdet": (2, lambda x: _log(abs(_determinant(x)))),
    "prod": (1, _product),
    "expm": (2, _numeric("expm")),
    "eigenvalues": (2, _numeric("eigenvalues")),
    "eigenvectors": (2, _numeric("eigenvectors")),
    "softmax": (1, lambda x: _exp(x) / _total(_exp(x))),
    "logsumexp": (1, lambda x: _log(_total(_exp(x)))),
}


def sympy_form(math: Math) -> Any:
    """The expression, or None where SymPy has no form for it (more than two indices)."""
    try:
        return _form(math)
    except NotImplementedError:
        return None


def _size(size: Size) -> Any:
    import sympy

    letters, number = parts(size)
    own = [times * sympy.Symbol(letter, integer=True, positive=True) for letter, times in letters]
    return sum(own, sympy.Integer(number))


def _number(value: Fraction | float) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else sympy.Float(value)


def _symbol(math: Symbol) -> Any:
    import sympy

    if not math.shape:
        return sympy.Symbol(math.name, real=True)
    if len(math.shape) > 2:
        raise NotImplementedError("SymPy has no tensors with more than two axes")
    rows, columns = (*map(_size, math.shape), sympy.Integer(1))[:2]
    return sympy.MatrixSymbol(math.name, rows, columns)


def _block(math: Math) -> Any:
    """A block of a matrix; a number as a matrix with one entry."""
    import sympy

    return _form(math) if rank(math) else sympy.Matrix([[_form(math)]])


def _as_scalar(form: Any) -> Any:
    """The entry of a 1 × 1 matrix expression."""
    return _element(form, 0, 0) if getattr(form, "is_Matrix", False) else form


def _element(form: Any, i: Any, j: Any) -> Any:
    """An entry, kept as one: SymPy's own brackets write a product's entry out as sums."""
    from sympy.matrices.expressions.matexpr import MatrixElement

    return MatrixElement(form, i, j)


def _form(math: Math) -> Any:
    import sympy

    match math:
        case Num(value=value):
            return _number(value)
        case Symbol():
            return _symbol(math)
        case Letter(letter=letter):
            return _size(letter)
        case Ones(size=size):
            return sympy.OneMatrix(_size(size), 1)
        case Identity(size=size):
            return sympy.Identity(_size(size))
        case Zero(shape=shape):
            return sympy.ZeroMatrix(*(*map(_size, shape), 1)[:2]) if shape else sympy.Integer(0)
        case Transpose(of=of):
            return sympy.Transpose(_form(of)).doit(deep=False)
        case MatrixPower(of=of, count=count):
            return sympy.MatPow(_form(of), count)
        case Chain(parts=parts):
            whole = sympy.MatMul(*map(_form, parts))
            return _as_scalar(whole) if rank(math) == 0 else whole
        case Plus() | Times() | Quotient() | Hadamard() | Pow():
            return _arithmetic(math)
        case Kronecker(left=left, right=right):
            return sympy.KroneckerProduct(_form(left), _form(right))
        case Entry(of=of, positions=positions):
            return _element(_form(of), *(*map(_size, positions), 0)[:2])
        case Unit(size=size, position=k):
            return (
                sympy.Matrix([int(i == k) for i in range(size)])
                if isinstance(size, int)
                else _vector(size, lambda i: sympy.KroneckerDelta(i, _size(k)))
            )
        case Counting(size=size):
            return _vector(size, lambda i: i)
        case Blocks():
            return sympy.BlockMatrix([[_block(block) for block in row] for row in rows_in(math)])
        case Listed():
            return sympy.Matrix([[_form(entry) for entry in row] for row in rows_in(math)])
    return _applied(math)


def _applied(math: Math) -> Any:
    """Functions, norms, traces and diagonals."""
    import sympy
    from sympy.matrices.expressions import HadamardProduct
    from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

    match math:
        case Norm(of=of):
            inner = _form(of)
            return sympy.sqrt(sympy.Trace(sympy.MatMul(sympy.Transpose(inner), inner)))
        case Inverse(of=of, pseudo=False):
            return sympy.Inverse(_form(of))
        case Called(function=function, args=(argument,)) if (
            function in CALLED and rank(argument) <= CALLED[function][0]
        ):
            return CALLED[function][1](_form(argument))
        case Apply(function=function, args=args) if rank(math) == 0:
            return _function(function)(*map(_form, args))
        case Apply(function=function, args=(argument,)):
            return ElementwiseApplyFunction(_function(function), _form(argument))
        case Trace(of=of):
            return sympy.Trace(_form(of))
        case Diag(of=of):
            return sympy.DiagMatrix(_form(of))
        case DiagonalOf(of=of):
            whole = HadamardProduct(_form(of), sympy.Identity(_form(of).shape[0]))
            return sympy.MatMul(whole, sympy.OneMatrix(_form(of).shape[0], 1))
        case Triangular(of=of, offset=offset, lower=lower):
            return HadamardProduct(_form(of), _triangle(_form(of).shape, offset, lower))
        case Column(of=of, position=k, size=size):
            return sympy.MatMul(_form(of), _form(Unit(size, k)))
    raise NotImplementedError(type(math).__name__)


SAME = frozenset(
    "exp log sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh erf erfinv digamma sign floor".split()
)


def _function(name: str) -> Any:
    """A function of the table in SymPy."""
    import sympy

    t, s = sympy.symbols("t s", real=True)
    composed = {
        "sigmoid": 1 / (1 + sympy.exp(-t)),
        "softplus": sympy.log(1 + sympy.exp(t)),
        "relu": sympy.Max(t, 0),
        "step": sympy.Heaviside(t, 0),
        "expm1": sympy.exp(t) - 1,
        "log1p": sympy.log(1 + t),
        "abs": sympy.Abs(t),
        "ceil": sympy.ceiling(t),
        "lgamma": sympy.loggamma(t),
        "root": sympy.sqrt(t),
        "detach": t,
    }
    of_two = {
        "maximum": sympy.Max(t, s),
        "minimum": sympy.Min(t, s),
        "pow": t**s,
        "atan2": sympy.atan2(t, s),
        "logaddexp": sympy.log(sympy.exp(t) + sympy.exp(s)),
        "xlogy": t * sympy.log(s),
    }
    if name in composed:
        return sympy.Lambda(t, composed[name])
    if name in of_two:
        return sympy.Lambda((t, s), of_two[name])
    if name not in SAME:
        raise NotImplementedError(name)
    return getattr(sympy, name)


def _arithmetic(math: Math) -> Any:
    from sympy.matrices.expressions import HadamardProduct, hadamard_power

    match math:
        case Plus(parts=parts):
            return reduce(lambda a, b: a + b, map(_form, parts))
        case Times(parts=parts):
            return reduce(lambda a, b: a * b, map(_form, parts))
        case Quotient(top=top, bottom=bottom, entrywise=False):
            return _form(top) / _form(bottom)
        case Quotient(top=top, bottom=bottom):
            below = hadamard_power(_form(bottom), -1)
            return HadamardProduct(_form(top), below) if rank(top) else _form(top) * below
        case Hadamard(parts=parts):
            return HadamardProduct(*map(_form, parts))
        case Pow(base=base, exponent=p, entrywise=entrywise):
            return hadamard_power(_form(base), _number(p)) if entrywise else _form(base) ** _number(p)
    raise NotImplementedError(type(math).__name__)


def _vector(size: Size, entry: Callable[[Any], Any]) -> Any:
    import sympy

    i, j = sympy.symbols("i j", integer=True)
    return sympy.FunctionMatrix(_size(size), 1, sympy.Lambda((i, j), entry(i)))


def _triangle(shape: tuple[Any, Any], offset: int, lower: bool) -> Any:
    """1 where column - row >= offset, or <= offset; 0 elsewhere."""
    import sympy

    i, j = sympy.symbols("i j", integer=True)
    holds = j - i <= offset if lower else j - i >= offset
    return sympy.FunctionMatrix(*shape, sympy.Lambda((i, j), sympy.Piecewise((1, holds), (0, True))))
