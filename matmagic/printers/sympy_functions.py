"""Functions of matrices for which SymPy has no expression: kept as they are, and computed of explicit numbers.

Imported only where a SymPy form is asked for, since it imports SymPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import sympy
from sympy.core.symbol import Str
from sympy.matrices.expressions.matexpr import MatrixElement

COMPUTED: dict[str, Callable[[Any], Any]] = {
    "expm": mpmath.expm,
    "eigenvalues": lambda x: mpmath.eigsy(x)[0],
    "eigenvectors": lambda x: mpmath.eigsy(x)[1],
}


class OfMatrix(sympy.MatrixExpr):
    """expm(X), the eigenvalues λ(X) of a symmetric X in ascending order, or its eigenvectors Q(X), one in each column.

    >>> X = sympy.MatrixSymbol("X", 2, 2)
    >>> OfMatrix.called("expm", X).subs(X, sympy.ZeroMatrix(2, 2)).doit()
    Matrix([
    [1.0,   0],
    [  0, 1.0]])
    """

    @classmethod
    def called(cls, name: str, x: Any) -> OfMatrix:
        """The function of this name."""
        made: OfMatrix = cls(Str(name), x)
        return made

    @property
    def shape(self) -> tuple[Any, Any]:
        rows = self.args[1].shape[0]
        return rows, sympy.Integer(1) if self.args[0].name == "eigenvalues" else rows

    def _entry(self, i: Any, j: Any, **_: Any) -> Any:
        return MatrixElement(self, i, j)

    def doit(self, **hints: Any) -> Any:
        """The numbers, where the argument is explicit."""
        inner = self.args[1].doit(**hints)
        inner = inner.as_explicit() if sympy.sympify(inner.shape[0]).is_number else inner
        if not isinstance(inner, sympy.MatrixBase) or inner.free_symbols:
            return self.func(self.args[0], inner)
        found = mpmath.matrix(inner.evalf().tolist())
        return sympy.ImmutableMatrix(COMPUTED[self.args[0].name](found).tolist())
