"""How many operations a formula has: of the notation that is shown, and of the closed form that the corpus knows.

    python -m tests.corpus.operations            # the table of all open cases, longest first

Transposes, signs before a first term, numbers, sizes, and changes of shape are no operations; a product of k factors
has k − 1, a function one.
"""

from __future__ import annotations

import ast
from fractions import Fraction

from matmagic.notation import (
    Apply,
    At,
    Called,
    Chain,
    Diag,
    DiagonalOf,
    Hadamard,
    Holds,
    Indexed,
    Inverse,
    Kronecker,
    Labelled,
    Math,
    MatrixPower,
    Norm,
    Num,
    Ones,
    Over,
    Plus,
    Pow,
    Quotient,
    SumOver,
    Times,
    Trace,
    Transpose,
    Triangular,
    Vec,
    pieces,
)

SHAPED = frozenset(
    "eye ones zeros ones_like zeros_like tensor reshape squeeze unsqueeze expand contiguous numel double long size "
    "stack arange full expand_as t view transpose permute".split()
)


def of_notation(math: Math) -> int:
    """The operations of a formula."""
    return sum(map(_own, pieces(math)))


def _own(math: Math) -> int:
    match math:
        case Times(parts=(Num(value=Fraction(numerator=-1, denominator=1)), *rest)):
            return len(rest) - 1
        case Chain(parts=(Ones(), Transpose(of=Ones()))):
            return 0  # a constant, as torch.ones is
        case Chain(parts=(Transpose(of=Ones()), *parts, Ones())):
            return len(parts)  # one sum over all entries
        case Chain(parts=parts) | Times(parts=parts) | Plus(parts=parts) | Hadamard(parts=parts):
            return len(parts) - 1
        case Indexed(factors=factors):
            return 2 * len(factors) - 1
        case SumOver(indices=indices):
            return len(indices)
        case (
            Apply() | Called() | Diag() | DiagonalOf() | Holds() | Inverse() | Kronecker() | Labelled() | MatrixPower()
        ):
            return 1
        case Norm() | Over() | Pow() | Quotient() | Trace() | Triangular() | Vec():
            return 1
        case At():
            return 0
    return 0


def of_code(code: str) -> int:
    """The operations of torch code."""
    return sum(map(_own_code, ast.walk(ast.parse(code, mode="eval"))))


def _own_code(node: ast.AST) -> int:
    match node:
        case ast.BinOp(left=ast.Constant(), right=ast.Constant()):
            return 0
        case ast.BinOp() | ast.Compare():
            return 1
        case ast.Call(func=ast.Attribute(attr="einsum"), args=[ast.Constant(value=str(subscripts)), *operands]):
            return 2 * len(operands) - 1 if "," in subscripts else 1
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return int(name not in SHAPED)
    return 0


def main() -> None:
    """Print the table."""
    from .cases import asked, load

    rows = []
    for case in load("open.toml", "case"):
        found = asked(case)[0][case["wrt"]]
        shown = of_notation(found.math) if found.math is not None else of_code(found.code or "")
        known = of_code(case["expected"])
        rows.append((shown / max(known, 1), shown, known, case["id"], found.text or found.code))
    for ratio, shown, known, name, line in sorted(rows, reverse=True):
        print(f"{ratio:5.2f} {shown:3} {known:3}  {name:34} {line}")
    print(f"{len(rows)} cases, {sum(row[0] > 1.5 for row in rows)} with more than 1.5 times the operations")


if __name__ == "__main__":
    main()
