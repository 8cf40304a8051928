"""The notation tree as a torch expression over the function's arguments.

In notation every vector is a column; a user's vector may be 1-D (`n`), a column (`n,1`) or a row (`1,n`).  Each piece of
code therefore carries its form, and pieces of different forms are brought together where they meet: 1-D vectors give
`x @ A @ x` and `torch.outer(a, b)`, columns `x.T @ A @ x` and `a @ b.T`.  The code uses the arguments and torch only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from ..functions import code_of
from ..lengths import Size, plus
from ..matrix_functions import FUNCTIONS_OF_MATRICES
from ..notation import (
    INDICES,
    Apply,
    Blocks,
    Called,
    Chain,
    Column,
    Commutation,
    Counting,
    Diag,
    DiagonalOf,
    Entry,
    Hadamard,
    Identity,
    Indexed,
    Inverse,
    Kronecker,
    Labelled,
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
    Rows,
    Symbol,
    Times,
    Trace,
    Transpose,
    Triangular,
    Unit,
    Vec,
    Zero,
    is_row,
    rank,
)
from ..writing import transpose
from .names import by_columns
from .sharing import one_expression
from .torch_forms import COLUMN, FLAT, MATRIX, ONE, ONE_BY_ONE, ROW, SCALAR, TRUTH, Code, factor, form_of, number, typed
from .torch_parts import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Axes,
    Shapes,
    commutation_code,
    contiguous,
    outside,
    position_code,
    size_code,
    slice_code,
)
from .torch_products import Products


def torch_code(math: Math, inputs: Mapping[str, Axes], shapes: Shapes, form: str, like: str = "") -> str:
    """The expression; its value has the given form.  `inputs` gives the axes of each argument, `shapes` its tensor shape.

    Code that is to be run says which argument the tensors that it makes are `like`, in dtype and device; what takes as
    long as a product of matrices is computed once there.

    >>> A, b = Symbol("A", ("m", "n")), Symbol("b", ("m",))
    >>> torch_code(Chain((Transpose(A), b)), {"A": ((0,), (1,)), "b": ((0,),)}, {"A": ("m", "n"), "b": ("m",)}, "n")
    'A.T @ b'
    """
    printer = _Printer(inputs, shapes, like, math)
    code = printer.code(math)
    if like and _made_of_sizes(math):
        code = Code(f"torch.tensor({code.text})", ATOM, SCALAR)
    text = printer.to(code, form).text
    return typed(one_expression(text, printer.costly), like) if like else text


class _Printer(Products):
    def __init__(self, inputs: Mapping[str, Axes], shapes: Shapes, like: str, whole: Math) -> None:
        super().__init__(inputs, shapes, like, whole)
        self.known: dict[int, tuple[Math, Code]] = {}  # by identity: pieces are kept; equal ones cost time to compare

    # ---- nodes

    def code(self, math: Math) -> Code:
        """The code of a piece; of one that is used again, the same."""
        if id(math) not in self.known:
            self.known[id(math)] = (math, self.written(math))
            if isinstance(math, Inverse | MatrixPower) or (isinstance(math, Called) and rank(math.args[0]) == 2):
                self.costly.add(self.known[id(math)][1].text)
        return self.known[id(math)][1]

    def written(self, math: Math) -> Code:
        match math:
            case Num(value=value):
                return number(value)
            case Symbol(name=name):
                return Code(name, ATOM, form_of(self.inputs[name]))
            case Letter(letter=letter):
                size = size_code(letter, self.shapes)
                return Code(size.text, size.level, SCALAR)
            case Ones() | Zero() | Identity() | Unit() | Counting() | Labelled():
                return self.made(math)
            case Transpose(of=Rows(of=of) as rows) if by_columns(of):
                return self.chosen(self.code(transpose(of)), rows, axis=1)
            case Transpose(of=of):
                return self.transposed(self.code(of))
            case MatrixPower(of=of, count=count):
                return self.matrix_power(of, count)
            case Plus() | Hadamard() | Times() | Quotient() | Pow():
                return self.arithmetic(math)
            case Chain(parts=parts):
                return self.chain(parts)
            case Apply() | Called() | Inverse() | Norm():
                return self.function(math)
            case Trace(of=of):
                return Code(f"torch.trace({self.code(of).text})", ATOM, SCALAR)
            case Diag(of=of):
                return Code(f"torch.diag({self.to(self.code(of), FLAT).text})", ATOM, MATRIX)
            case DiagonalOf(of=of):
                return Code(f"torch.diagonal({self.code(of).text})", ATOM, FLAT)
            case Triangular(of=of, offset=offset, lower=lower):
                more = f", {offset}" if offset else ""
                return Code(f"torch.{'tril' if lower else 'triu'}({self.code(of).text}{more})", ATOM, MATRIX)
            case Kronecker() | Vec() | Commutation():
                return self.stacked(math)
            case Entry(of=of, positions=positions, sizes=sizes):
                at = [position_code(k, size, self.shapes) for k, size in zip(positions, sizes, strict=True)]
                return self.entry(self.code(of), at)
            case Column(of=of, position=k, size=size):
                return self.code(of).method(f"[:, {position_code(k, size, self.shapes)}]", FLAT)
            case Rows(of=of):
                return self.chosen(self.code(of), math, axis=0)
            case Listed(parts=parts):
                return self.listed(parts)
            case Blocks():
                return self.blocks(math)
            case Indexed():
                return self.einsum(math)
        raise ValueError(f"no code for {type(math).__name__}")

    def matrix_power(self, of: Math, count: int) -> Code:
        inner, inside = self.code(of), self.solved_for(of)
        if inside is not None:
            return Code(f"torch.linalg.matrix_power({self.code(inside).text}, -{count})", ATOM, MATRIX)
        if count == 2:
            return self.multiplied([inner, inner])
        return Code(f"torch.linalg.matrix_power({inner.text}, {count})", ATOM, MATRIX)

    def function(self, math: Apply | Called | Inverse | Norm) -> Code:
        """A call; vectors in one form, 1-D for functions of whole vectors."""
        match math:
            case Norm(of=of):
                return Code(f"torch.linalg.norm({self.code(of).text})", ATOM, SCALAR)
            case Inverse(of=of, pseudo=pseudo):
                return Code(f"torch.linalg.{'pinv' if pseudo else 'inv'}({self.code(of).text})", ATOM, MATRIX)
            case Apply(function=function, args=args):
                codes = self.together([self.code(a) for a in args])
                return Code(code_of(function, [c.text for c in codes]), ATOM, codes[0].form)
            case Called(function=function, args=args, shape=shape):
                codes = [self.to(self.code(a), (FLAT, MATRIX)[rank(a) - 1]) for a in args]
                text = FUNCTIONS_OF_MATRICES[function].torch.format(*(c.text for c in codes))
                return Code(text, ATOM, (SCALAR, FLAT, MATRIX)[len(shape)])
        raise TypeError(type(math).__name__)

    def stacked(self, math: Kronecker | Vec | Commutation) -> Code:
        """Kronecker products, which torch makes of contiguous tensors only, and columns one below the other."""
        match math:
            case Vec(of=of):
                return self.transposed(self.code(of)).method(".reshape(-1)", FLAT)
            case Commutation(rows=rows, columns=columns):
                return Code(commutation_code(rows, columns, self.shapes), ATOM, MATRIX)
        parts = [(transpose(p), ROW) if is_row(p) else (p, COLUMN) for p in (math.left, math.right)]
        codes = [self.to(self.to(self.code(p), FLAT), form) if rank(p) == 1 else self.code(p) for p, form in parts]
        form = COLUMN if all(c.form == COLUMN for c in codes) else MATRIX
        return Code(f"torch.kron({', '.join(map(contiguous, codes))})", ATOM, form)

    def arithmetic(self, math: Math) -> Code:
        match math:
            case Plus(parts=parts):
                return self.sum(parts)
            case Hadamard(parts=parts):
                return self.hadamard(parts)
            case Times(parts=parts):
                return self.repeated_number(parts) or self.times([self.code(p) for p in parts])
            case Quotient(top=top, bottom=bottom):
                return self.quotient(top, bottom)
            case Pow(base=base, exponent=p):
                inner = self.code(base)
                if p == Fraction(1, 2) and not _made_of_sizes(base):
                    return Code(f"torch.sqrt({inner.text})", ATOM, inner.form)
                return Code(f"{inner.at_least(ATOM)} ** {number(p).at_least(ATOM)}", POWER, inner.form)
        raise TypeError(type(math).__name__)

    def hadamard(self, parts: Sequence[Math]) -> Code:
        """Factors entry by entry; truth values need no dtype beside numbers."""
        codes = self.beside(parts)
        if not all(c.is_truth for c in codes):
            codes = [c.without_dtype() for c in codes]
        form = next(c.form for c, own in zip(codes, self.broadcasting(parts), strict=True) if own is None)
        return Code(" * ".join(factor(c, k) for k, c in enumerate(codes)), PRODUCT, form)

    def quotient(self, top: Math, bottom: Math) -> Code:
        if rank(bottom) and rank(top):
            above, below = self.beside([top, bottom])
            form = above.form if self.spread(top) is None else below.form
        else:
            above, below = self.code(top), self.code(bottom)
            below = self.fitting(below, above.form)
            form = above.form if rank(top) or not rank(bottom) else below.form
        return Code(f"{above.at_least(PRODUCT)} / {below.at_least(UNARY)}", PRODUCT, form)

    def repeated_number(self, parts: Sequence[Math]) -> Code | None:
        """c 𝟏 and c 𝟏 𝟏ᵀ for a c that is a tensor, repeated without being copied."""
        *scalars, body = parts
        size = {1: (Ones,), 2: (Chain,)}.get(rank(body), ())
        value = self.spread(body) if isinstance(body, size) else None
        if value is None or value.text != "1" or all(map(_made_of_sizes, scalars)):
            return None
        shape = (body.size,) if isinstance(body, Ones) else _shape_of_ones(body)
        own = self.to(self.times(list(map(self.code, scalars))) if scalars[1:] else self.code(scalars[0]), SCALAR)
        like = self.shaped_like(shape)
        call = f".expand_as({like})" if like else f".expand({', '.join(map(self.size, shape))})"
        return own.method(call, (FLAT, MATRIX)[len(shape) - 1])

    def broadcasting(self, parts: Sequence[Math]) -> list[Code | None]:
        """For each part what broadcasts in its place; None for all where no part has entries of its own."""
        found = [self.spread(p) if rank(p) else self.code(p) if _made_of_sizes(p) else None for p in parts]
        return found if None in found else [None] * len(parts)

    def beside(self, parts: Sequence[Math]) -> list[Code]:
        """Vectors or matrices in one form; among others, those that broadcast as what they repeat."""
        spread = self.broadcasting(parts)
        whole = iter(self.together([self.code(p) for p, own in zip(parts, spread, strict=True) if own is None]))
        codes = [next(whole) if own is None else own for own in spread]
        form = next(c.form for c, own in zip(codes, spread, strict=True) if own is None)
        return [self.fitting(c, form) for c in codes]

    def sum(self, parts: Sequence[Math]) -> Code:
        """Terms with their signs."""
        codes, spread = self.beside(parts), self.broadcasting(parts)
        if any(TRUTH not in c.text for c, own in zip(codes, spread, strict=True) if own is None):
            labels = ("F.one_hot(", "-F.one_hot(")
            codes = [replace(c, text=c.text.removesuffix(TRUTH)) if c.text.startswith(labels) else c for c in codes]
        form = next(c.form for c, own in zip(codes, spread, strict=True) if own is None)
        text = codes[0].at_least(SUM)
        for code in codes[1:]:
            text += f" - {_positive(code.text)}" if code.text.startswith("-") else f" + {code.text}"
        return Code(text, SUM, form)

    # ---- entries

    def chosen(self, code: Code, rows: Rows, axis: int) -> Code:
        """A slice along an axis of a matrix, or of a vector in any form."""
        axis = 1 if code.form == ROW else axis
        if (plus(rows.start, 1), rows.count, rows.step) == (rows.size, rows.size, -1):
            return code.method(f".flip({axis})", code.form)
        part = slice_code(rows.start, rows.count, rows.step, rows.size, self.shapes)
        if part is None:
            steps = f"torch.arange({self.size(rows.count)})"
            part = f"{self.size(rows.start)} + {rows.step} * {steps}"
        return code.method(f"[{':, ' * axis}{part}]", code.form)

    def listed(self, parts: Sequence[Math]) -> Code:
        if all(isinstance(p, Num) for p in parts):
            return Code(f"torch.tensor([{', '.join(_decimal(p) for p in parts)}])", ATOM, FLAT)
        codes = [self.code(p) for p in parts]
        if codes[0].form != FLAT or not isinstance(parts[0], Listed):
            codes = [
                Code(f"torch.tensor({_decimal(p)})", ATOM, SCALAR) if isinstance(p, Num) else self.to(c, SCALAR)
                for p, c in zip(parts, codes, strict=True)
            ]
        form = MATRIX if isinstance(parts[0], Listed) else FLAT
        return Code(f"torch.stack([{', '.join(c.text for c in codes)}])", ATOM, form)

    def blocks(self, math: Blocks) -> Code:
        form = FLAT if rank(math) == 1 else ROW if is_row(math) else MATRIX
        parts = ", ".join(self.block(part, form, math.beside).text for part in math.parts)
        return Code(f"torch.cat([{parts}]{', 1' if math.beside else ''})", ATOM, form)

    def block(self, math: Math, form: str, beside: bool) -> Code:
        """A block as a tensor with the axes of the whole."""
        code = self.code(math)
        if _made_of_sizes(math):
            code = Code(f"torch.tensor([{_decimal(math) if isinstance(math, Num) else code.text}])", ATOM, ONE)
        if rank(math) == 0:
            return self.to(code, ONE if form == FLAT else ONE_BY_ONE)
        if form == FLAT:
            return self.to(code, FLAT)
        if code.form != FLAT:
            return code
        return self.to(code, COLUMN if beside and not is_row(math) else ROW)

    def einsum(self, math: Indexed) -> Code:
        letters = {label: INDICES[k] for k, (label, _) in enumerate(math.sizes)}
        factors = list(math.factors)
        present = {label for _, labels in factors for label in labels}
        factors += [(Ones(size), (label,)) for label, size in math.sizes if label not in present]
        subscripts = ",".join("".join(letters[label] for label in labels) for _, labels in factors)
        out = "".join(letters[label] for label in math.out)
        codes = [self.code(f) for f, _ in factors]
        operands = [self.to(c, FLAT) if c.form in (COLUMN, ROW) else c for c in codes]
        form = {0: SCALAR, 1: FLAT, 2: MATRIX}.get(len(math.out), "tensor")
        return Code(f'torch.einsum("{subscripts}->{out}", {", ".join(c.text for c in operands)})', ATOM, form)


def _made_of_sizes(math: Math) -> bool:
    """Whether the code is a Python number, which torch's functions refuse."""
    match math:
        case Num() | Letter():
            return True
        case Plus(parts=parts) | Times(parts=parts):
            return all(map(_made_of_sizes, parts))
        case Pow(base=base):
            return _made_of_sizes(base)
        case Quotient(top=top, bottom=bottom):
            return _made_of_sizes(top) and _made_of_sizes(bottom)
    return False


def _positive(negative: str) -> str:
    """A B for -(A B)"""
    inner = negative[2:-1]
    sums = any(sign in outside(inner) for sign in ("+", "-"))
    whole = outside(negative) == "-" and negative.endswith(")")
    return inner if whole and not sums else negative[1:]


def _shape_of_ones(math: Math) -> tuple[Size, ...]:
    """Of 𝟏 𝟏ᵀ."""
    assert isinstance(math, Chain)
    rows, columns = (p.of if isinstance(p, Transpose) else p for p in math.parts)
    assert isinstance(rows, Ones) and isinstance(columns, Ones)
    return rows.size, columns.size


def _decimal(math: Math) -> str:
    assert isinstance(math, Num)
    return repr(float(math.value))
