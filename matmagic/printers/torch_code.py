"""The notation tree as a torch expression over the function's arguments.

In notation every vector is a column; a user's vector may be 1-D (`n`), a column (`n,1`) or a row (`1,n`).  Each piece of
code therefore carries its form, and pieces of different forms are brought together where they meet: 1-D vectors give
`x @ A @ x` and `torch.outer(a, b)`, columns `x.T @ A @ x` and `a @ b.T`.  The code uses the arguments and torch only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..expr import Number
from ..functions import code_of
from ..lengths import Size, plus
from ..matrix_functions import FUNCTIONS_OF_MATRICES
from ..notation import (
    Apply,
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
    rank,
)
from ..writing import transpose
from .names import by_columns
from .torch_parts import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Axes,
    Piece,
    Shapes,
    commutation_code,
    contiguous,
    number_code,
    position_code,
    size_code,
    slice_code,
)

# forms: a scalar of shape (), (1,) or (1, 1); a vector of shape (n,), (n, 1) or (1, n); a matrix; a number that broadcasts
SCALAR, ONE, ONE_BY_ONE, FLAT, COLUMN, ROW, MATRIX = "()", "1", "1,1", "n", "n,1", "1,n", "m,n"


@dataclass(frozen=True)
class Code(Piece):
    """A torch expression, how tightly it binds, and the form of its value."""

    form: str

    @property
    def bare(self) -> str | None:
        """The expression of which this is the transpose, as it is written."""
        return self.text.removesuffix(".T") if self.level == ATOM and self.text.endswith(".T") else None

    def method(self, call: str, form: str) -> Code:
        return Code(f"{self.at_least(ATOM)}{call}", ATOM, form)


def torch_code(math: Math, inputs: Mapping[str, Axes], shapes: Shapes, form: str) -> str:
    """The expression; its value has the given form.  `inputs` gives the axes of each argument, `shapes` its tensor shape.

    >>> A, b = Symbol("A", ("m", "n")), Symbol("b", ("m",))
    >>> torch_code(Chain((Transpose(A), b)), {"A": ((0,), (1,)), "b": ((0,),)}, {"A": ("m", "n"), "b": ("m",)}, "n")
    'A.T @ b'
    """
    printer = _Printer(inputs, shapes)
    return printer.to(printer.code(math), form).text


def form_of(axes: Axes) -> str:
    """The form of a tensor whose axes are made of these node axes; ValueError for a flattened or higher one."""
    pattern = tuple(len(group) for group in axes)
    forms = {(): SCALAR, (0,): ONE, (0, 0): ONE_BY_ONE, (1,): FLAT, (1, 0): COLUMN, (0, 1): ROW, (1, 1): MATRIX}
    if pattern not in forms:
        raise ValueError(f"no form for axes {axes}")
    return forms[pattern]


class _Printer:
    def __init__(self, inputs: Mapping[str, Axes], shapes: Shapes) -> None:
        self.inputs, self.shapes = inputs, shapes
        self.known: dict[int, tuple[Math, Code]] = {}  # by identity: pieces are kept; equal ones cost time to compare

    # ---- forms

    def to(self, code: Code, form: str) -> Code:
        """The same values in another form."""
        if code.form == form:
            return code
        match code.form, form:
            case (_, "()"):
                return code.method(".squeeze()", form)
            case ("()" | "1", "1,1"):
                return code.method(".reshape(1, 1)", form)
            case ("()" | "1,1", "1"):
                return code.method(".reshape(1)", form)
            case ("n,1", "n"):
                return code.method(".squeeze(1)", form)
            case ("1,n", "n"):
                return code.method(".squeeze(0)", form)
            case ("n", "n,1"):
                return code.method("[:, None]", form)
            case ("n", "1,n"):
                return code.method("[None, :]", form)
            case ("n,1", "1,n") | ("1,n", "n,1"):
                return code.method(".T", form)
        raise ValueError(f"no way from {code.form} to {form}")

    def together(self, codes: Sequence[Code]) -> list[Code]:
        """Pieces of one rank in one form: the first one's, 1-D where a 1-D one is among them."""
        forms = [c.form for c in codes]
        wanted = next((f for f in (FLAT, SCALAR) if f in forms), forms[0])
        return [self.to(c, wanted) for c in codes]

    def size(self, size: Size) -> str:
        """A size as code: x.shape[0]."""
        return size_code(size, self.shapes).text

    def shaped_like(self, shape: tuple[Size, ...]) -> str | None:
        """An argument with just this shape."""
        return next((name for name, own in self.shapes.items() if tuple(own) == shape), None)

    # ---- nodes

    def code(self, math: Math) -> Code:
        """The code of a piece; of one that is used again, the same."""
        if id(math) not in self.known:
            self.known[id(math)] = (math, self.written(math))
        return self.known[id(math)][1]

    def written(self, math: Math) -> Code:
        match math:
            case Num(value=value):
                return _number(value)
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
                inner = self.code(of)
                if count == 2:
                    return Code(f"{inner.at_least(POWER)} @ {inner.at_least(POWER)}", PRODUCT, MATRIX)
                return Code(f"torch.linalg.matrix_power({inner.text}, {count})", ATOM, MATRIX)
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
            case Indexed():
                return self.einsum(math)
        raise ValueError(f"no code for {type(math).__name__}")

    def made(self, math: Math) -> Code:
        """Vectors and matrices that are made, of ones, zeros, rows of I."""
        match math:
            case Ones(size=size):
                column = self.shaped_like((size, 1)) if not self.shaped_like((size,)) else None
                return (
                    Code(f"torch.ones_like({column})", ATOM, COLUMN) if column else self.filled("ones", (size,), FLAT)
                )
            case Zero(shape=shape):
                return self.filled("zeros", shape, {1: FLAT, 2: MATRIX}.get(len(shape), "tensor"))
            case Identity(size=size):
                return Code(f"torch.eye({self.size(size)})", ATOM, MATRIX)
            case Unit(size=size, position=k):
                return Code(f"torch.eye({self.size(size)})[{position_code(k, size, self.shapes)}]", ATOM, FLAT)
            case Counting(size=size):
                return Code(f"torch.arange(1.0 * {size_code(size, self.shapes).at_least(UNARY)})", ATOM, FLAT)
            case Labelled(labels=labels, shape=shape):
                own = self.to(self.code(labels), FLAT if rank(labels) else SCALAR)
                return Code(
                    f"torch.eye({self.size(shape[-1])})[{own.at_least(ATOM)}.long()]",
                    ATOM,
                    (FLAT, MATRIX)[rank(labels)],
                )
        raise TypeError(type(math).__name__)

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
        parts = [(transpose(p), ROW) if _starts_row([p]) else (p, COLUMN) for p in (math.left, math.right)]
        codes = [self.to(self.to(self.code(p), FLAT), form) if rank(p) == 1 else self.code(p) for p, form in parts]
        form = COLUMN if all(c.form == COLUMN for c in codes) else MATRIX
        return Code(f"torch.kron({', '.join(map(contiguous, codes))})", ATOM, form)

    def filled(self, kind: str, shape: tuple[Size, ...], form: str) -> Code:
        if not shape:
            return Code(f"torch.{kind}(())", ATOM, SCALAR)
        like = self.shaped_like(shape)
        sizes = ", ".join(map(self.size, shape))
        return Code(f"torch.{kind}_like({like})" if like else f"torch.{kind}({sizes})", ATOM, form)

    def transposed(self, code: Code) -> Code:
        forms = {MATRIX: MATRIX, COLUMN: ROW, ROW: COLUMN, FLAT: FLAT}
        if code.form == FLAT:
            return self.to(code, ROW)
        if code.bare is not None:
            return Code(code.bare, ATOM, forms[code.form])
        return code.method(".T", forms[code.form])

    def arithmetic(self, math: Math) -> Code:
        match math:
            case Plus(parts=parts):
                return self.sum(parts)
            case Hadamard(parts=parts):
                codes = self.together([self.code(p) for p in parts])
                return Code(" * ".join(_factor(c, k) for k, c in enumerate(codes)), PRODUCT, codes[0].form)
            case Times(parts=parts):
                return self.times([self.code(p) for p in parts])
            case Quotient(top=top, bottom=bottom):
                above, below = self.code(top), self.code(bottom)
                if rank(bottom) and rank(top):
                    above, below = self.together([above, below])
                else:
                    below = self.fitting(below, above.form)
                form = above.form if rank(top) or not rank(bottom) else below.form
                return Code(f"{above.at_least(PRODUCT)} / {below.at_least(UNARY)}", PRODUCT, form)
            case Pow(base=base, exponent=p):
                inner = self.code(base)
                if p == Fraction(1, 2) and not _made_of_sizes(base):
                    return Code(f"torch.sqrt({inner.text})", ATOM, inner.form)
                return Code(f"{inner.at_least(ATOM)} ** {_number(p).at_least(ATOM)}", POWER, inner.form)
        raise TypeError(type(math).__name__)

    def fitting(self, scalar: Code, form: str) -> Code:
        """A scalar that may stand beside a value of this form."""
        wide = {ONE_BY_ONE: (FLAT, ONE, SCALAR), ONE: (SCALAR,)}.get(scalar.form, ())
        return self.to(scalar, SCALAR) if form in wide else scalar

    def times(self, codes: Sequence[Code]) -> Code:
        *scalars, body = codes
        forms = [c.form for c in codes]
        form = body.form if body.form not in (SCALAR, ONE, ONE_BY_ONE) else SCALAR if SCALAR in forms[1:] else body.form
        fitted = [self.fitting(s, form) for s in (*scalars, body)]
        if fitted[0].text == "-1":
            rest = self.times(fitted[1:]) if len(fitted) > 2 else fitted[1]
            return Code(f"-{rest.at_least(PRODUCT)}", PRODUCT, form)
        text = " * ".join(_factor(c, k) for k, c in enumerate(fitted))
        return Code(text, PRODUCT, form)

    def sum(self, parts: Sequence[Math]) -> Code:
        """Terms with their signs; a constant vector or matrix as a number that broadcasts, if anything else has the form."""
        numbers = [_constant(p) for p in parts]
        others = [p for p, n in zip(parts, numbers, strict=True) if n is None]
        codes = iter(self.together([self.code(p) for p in others]))
        if not others:
            numbers = [None] * len(parts)
            codes = iter(self.together([self.code(p) for p in parts]))
        shown = [next(codes) if n is None else _number(n) for n in numbers]
        form = next(c.form for c, n in zip(shown, numbers, strict=True) if n is None)
        text = shown[0].at_least(SUM)
        for code in shown[1:]:
            text += f" - {code.text[1:]}" if code.text.startswith("-") else f" + {code.text}"
        return Code(text, SUM, form)

    # ---- matrix products

    def chain(self, parts: Sequence[Math]) -> Code:
        """A matrix product, split where a column meets a row: scalars, then an outer product or one run of @."""
        runs: list[list[Math]] = [[]]
        for part in parts:
            if runs[-1] and rank(runs[-1][-1]) == 1:
                runs.append([])
            runs[-1].append(part)
        scalars = [r for r in runs if _starts_row(r) and rank(r[-1]) == 1]
        others = [r for r in runs if r not in scalars]
        codes = [self.run(r) for r in scalars]
        if len(others) == 2:
            codes.append(self.outer(*others))
        elif others:
            codes.append(self.run(others[0]))
        return codes[0] if len(codes) == 1 else self.times(codes)

    def outer(self, left: Sequence[Math], right: Sequence[Math]) -> Code:
        column, row = self.run(left), self.run([transpose(p) for p in reversed(right)])
        if isinstance(left[0], Ones) and isinstance(transpose(right[-1]), Ones) and len(left) == len(right) == 1:
            other = transpose(right[0])
            assert isinstance(other, Ones)
            return self.filled("ones", (left[0].size, other.size), MATRIX)
        if COLUMN in (column.form, row.form):
            column, row = self.to(column, COLUMN), self.transposed(self.to(row, COLUMN))
            return Code(f"{column.at_least(PRODUCT)} @ {row.at_least(POWER)}", PRODUCT, MATRIX)
        return Code(f"torch.outer({self.to(column, FLAT).text}, {self.to(row, FLAT).text})", ATOM, MATRIX)

    def run(self, parts: Sequence[Math]) -> Code:
        """A product in which a row stands first only and a column last only."""
        parts = list(parts)
        sum_rows = len(parts) > 1 and isinstance(parts[0], Transpose) and isinstance(parts[0].of, Ones)
        sum_columns = len(parts) > 1 and isinstance(parts[-1], Ones)
        inner = parts[sum_rows : len(parts) - sum_columns]
        if not inner:
            ones = parts[-1]
            assert isinstance(ones, Ones)
            size = size_code(ones.size, self.shapes)
            return Code(size.text, size.level, SCALAR)
        if sum_rows or sum_columns:
            code = self.run(inner)
            if sum_columns and not sum_rows and code.bare is not None and code.form == MATRIX:
                return Code(f"{code.bare}.sum(0)", ATOM, FLAT)
            both = (sum_rows and sum_columns) or code.form in (FLAT, COLUMN, ROW)
            return code.method(".sum()", SCALAR) if both else code.method(f".sum({0 if sum_rows else 1})", FLAT)
        if len(inner) == 1:
            return self.code(inner[0])
        ends = [p.of if isinstance(p, Transpose) and rank(p.of) == 1 else p for p in (inner[0], inner[-1])]
        codes = [self.code(p) for p in inner]
        bare = [self.code(p) for p in ends]
        vectors = [c.form for c, p in zip(bare, ends, strict=True) if rank(p) == 1]
        flat = bool(vectors) and FLAT in vectors
        row = _starts_row(inner)
        if row:
            codes[0] = self.to(bare[0], FLAT) if flat else self.transposed(self.to(bare[0], COLUMN))
        if rank(inner[-1]) == 1:
            codes[-1] = self.to(bare[1], FLAT if flat else COLUMN)
        text = self.multiplied(inner, codes)
        column = rank(inner[-1]) == 1
        form = {(True, True): SCALAR if flat else ONE_BY_ONE, (True, False): FLAT if flat else ROW}.get(
            (row, column), (FLAT if flat else COLUMN) if column else MATRIX
        )
        return Code(text, PRODUCT, form)

    def multiplied(self, parts: Sequence[Math], codes: Sequence[Code]) -> str:
        """The parts with @ between; an inverse with anything to its right solves for that."""
        for k, part in enumerate(parts[:-1]):
            inner = part.of if isinstance(part, Transpose) else part
            if isinstance(inner, Inverse) and not inner.pseudo:
                matrix = transpose(inner.of) if inner is not part else inner.of
                right = self.multiplied(parts[k + 1 :], codes[k + 1 :])
                solved = Code(f"torch.linalg.solve({self.code(matrix).text}, {right})", ATOM, MATRIX)
                codes = [*codes[:k], solved]
                break
        return " @ ".join(c.at_least(PRODUCT if k == 0 else POWER) for k, c in enumerate(codes))

    # ---- entries

    def entry(self, code: Code, at: Sequence[str]) -> Code:
        places = {COLUMN: (*at, "0"), ROW: ("0", *at)}.get(code.form, at)
        return code.method(f"[{', '.join(places)}]", SCALAR)

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

    def einsum(self, math: Indexed) -> Code:
        letters = {label: "ijklpqrstuvw"[k] for k, (label, _) in enumerate(math.sizes)}
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


def _starts_row(parts: Sequence[Math]) -> bool:
    return isinstance(parts[0], Transpose) and rank(parts[0].of) == 1


def _constant(math: Math) -> Fraction | float | None:
    """c for a vector or matrix all of whose entries are the number c."""
    match math:
        case Ones():
            return Fraction(1)
        case Chain(parts=(Ones(), Transpose(of=Ones()))):
            return Fraction(1)
        case Times(parts=(Num(value=value), body)):
            inner = _constant(body)
            return None if inner is None else value * inner
    return None


def _factor(code: Code, k: int) -> str:
    """A factor of *: only a first one may itself be a product, and not a matrix product."""
    return code.at_least(PRODUCT if k == 0 and " @ " not in code.text else UNARY)


def _number(value: Number) -> Code:
    piece = number_code(value)
    return Code(piece.text, piece.level, SCALAR)


def _decimal(math: Math) -> str:
    assert isinstance(math, Num)
    return repr(float(math.value))
